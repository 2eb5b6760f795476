"""The units in deploy/, and the blocks of docs/operate.md for systemd with stand-ins for systemctl and runuser."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scim.settings import SETTINGS
from tests.cli.test_no_database import EVERY
from tests.conftest import MakeServer
from tests.support.debian import program
from tests.support.guide import block, run_block
from tests.support.resources import create_users
from tests.support.server import ROOT, PerchServer
from tests.support.writers import everybody

UNITS = sorted((ROOT / "deploy").glob("perch*.*"))
SERVICES = [path for path in UNITS if path.suffix == ".service"]


def values(unit: Path, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)


def verify(folder: Path) -> None:
    """Check the units, with programs that exist in place of those in /opt/perch."""
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        (folder / unit.name).write_text(re.sub(r"/opt/perch/\.venv/bin/\w+", "/bin/true", text))
    command = ["systemd-analyze", "verify", "--man=no", *(str(folder / unit.name) for unit in UNITS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_units_are_sound(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    verify(tmp_path)


@pytest.mark.long
def test_the_units_are_sound_for_debians_systemd(tmp_path: Path) -> None:
    program("systemd-analyze", "systemd")
    verify(tmp_path)


@pytest.mark.parametrize("unit", SERVICES, ids=[path.name for path in SERVICES])
def test_each_service_runs_unprivileged_with_the_same_settings(unit: Path) -> None:
    assert values(unit, "User") == ["perch"] and values(unit, "EnvironmentFile") == ["/etc/perch/perch.env"]
    assert values(unit, "NoNewPrivileges") == ["yes"] and values(unit, "ProtectSystem") == ["strict"]
    assert values(unit, "UMask") == ["0077"] and values(unit, "CapabilityBoundingSet") == [""]


def test_a_wrong_setting_is_not_tried_again_and_a_stop_outlasts_gunicorn() -> None:
    graceful = re.search(r"^graceful_timeout = (\d+)", (ROOT / "gunicorn.conf.py").read_text(), re.MULTILINE)
    assert graceful
    for name in ("perch.service", "perch-deliver.service", "perch-follow.service"):
        unit = ROOT / "deploy" / name
        assert values(unit, "RestartPreventExitStatus") == ["4"] and values(unit, "StartLimitIntervalSec") == ["0"]
        assert int(values(unit, "TimeoutStopSec")[0]) > int(graceful[1])


@pytest.mark.parametrize("unit", SERVICES, ids=[path.name for path in SERVICES])
def test_each_unit_calls_a_command_that_exists(unit: Path) -> None:
    for line in values(unit, "ExecStart"):
        program, *words = re.search(r"/opt/perch/\.venv/bin/(\w+) ([\w:. -]*)", line)[0].split()  # type: ignore[index]
        if program.endswith("flask"):
            assert any(tuple(words[:length]) in EVERY for length in (1, 2)), line
        else:
            assert [Path(program).name, *words] == ["gunicorn", "app:app"]


def test_the_follower_finds_litestream_of_debian_and_of_pypi_and_its_settings_are_in_the_guide() -> None:
    unit, guide = ROOT / "deploy" / "perch-follow.service", (ROOT / "docs" / "second-machine.md").read_text()
    (path,) = values(unit, "Environment")
    assert path.startswith("PATH=/opt/perch/.venv/bin:") and "/usr/bin" in path.split(":")
    assert f"deploy/{unit.name}" in guide and "/var/lib/" + values(unit, "StateDirectory")[0] in guide
    named = set(re.findall(r"\bPERCH_\w+", guide))
    assert {"PERCH_DATABASE", "PERCH_REPLICA", "PERCH_PRIMARY_URL"} <= named <= {each.name for each in SETTINGS}


def test_the_commands_of_the_backup_unit_make_a_backup_and_delete_old_ones(make_server: MakeServer) -> None:
    server = make_server()
    server.flask("init")
    kept = server.folder / "perch-backups"
    kept.mkdir()
    for name, days in (("perch-2020-01-01.db", 20), ("perch-2020-01-02.db", 3), ("mine.db", 90)):
        (kept / name).write_text("")
        past = (kept / name).stat().st_mtime - days * 86400
        os.utime(kept / name, (past, past))
    unit = ROOT / "deploy" / "perch-backup.service"
    (start,), (after,) = values(unit, "ExecStart"), values(unit, "ExecStartPost")
    for line in (start.replace("$$", "$").replace("%%", "%"), after.replace("perch-*.db", "'perch-*.db'")):
        run_block(here(line, server.folder), server.folder, {}, **server.settings)
    found = sorted(path.name for path in kept.iterdir())
    assert found[:2] == ["mine.db", "perch-2020-01-02.db"] and len(found) == 3
    assert re.fullmatch(r"perch-\d{4}-\d\d-\d\d\.db", found[2]) and (kept / found[2]).stat().st_size > 4096


def here(script: str, folder: Path) -> str:
    """Put this checkout and a folder in the place of the guide's paths."""
    script = script.replace("/opt/perch/.venv/bin/flask", f"{sys.executable} -m flask --app {ROOT}/app.py")
    script = script.replace("exec .venv/bin/flask", f"exec {sys.executable} -m flask").replace("/opt/perch", str(ROOT))
    script = script.replace("/var/lib/perch-backups", f"{folder}/perch-backups")
    return script.replace("/var/lib/perch", str(folder)).replace("/etc/perch/perch.env", f"{folder}/perch.env")


# Tests run as any user, and change no checkout.
STAND_INS = {
    "runuser": 'test "$1 $2 $3" = "-u perch --" && shift 3 && exec "$@"',
    "git": 'echo "git $*" >> git.log; echo 0123abc',
    "install": """
        for word; do
            shift
            case $word in --owner | --group) name=next ;; *) test $name && name= || set -- "$@" "$word" ;; esac
        done
        exec /usr/bin/install "$@" """,
}


class Machine:
    """A machine on which systemd starts and stops one server; its calls are noted."""

    def __init__(self, server: PerchServer) -> None:
        self.server, self.folder = server, server.folder
        lines = [f"{name}={value}\n" for name, value in server.settings.items()]
        (self.folder / "perch.env").write_text("".join(lines))

    def run(self, title: str) -> None:
        """Run a block in parts, between which the server starts and stops as systemctl is told."""
        script = here(block(f"systemd: {title}"), self.folder)
        for part in re.split(r"^(systemctl .*\n)", script, flags=re.MULTILINE):
            if part.startswith("systemctl"):
                self.systemctl(part.split()[1:])
            elif part.strip():
                commands = here(block("systemd: the commands"), self.folder)
                run_block(commands + part.replace(f"{ROOT}/.venv/bin/pip", "echo pip"), self.folder, STAND_INS)

    def systemctl(self, words: list[str]) -> None:
        verb = words[0]
        assert {"perch", "perch-deliver"} <= set(words)
        if verb in ("stop", "disable", "restart"):
            assert self.server.stop() == 0
        if verb in ("start", "enable", "restart"):
            self.server.start()


@pytest.fixture
def machine(make_server: MakeServer) -> Machine:
    server = make_server()
    server.start()
    return Machine(server)


def test_the_install_block(tmp_path: Path) -> None:
    for folder in ("systemd", "etc"):
        (tmp_path / folder).mkdir()
    noted = {name: f'echo "{name} $*" >> noted' for name in ("useradd", "python3", "systemctl")}
    script = here(block("systemd: install"), tmp_path).replace(f"{ROOT}/.venv/bin/pip", "echo pip")
    script = script.replace("/etc/systemd/system", str(tmp_path / "systemd"))
    run_block(script, tmp_path, {**STAND_INS, **noted})
    assert {path.name for path in (tmp_path / "systemd").iterdir()} == {unit.name for unit in UNITS}
    settings = dict(line.split("=", 1) for line in (tmp_path / "perch.env").read_text().splitlines())
    assert settings["PERCH_DATABASE"] == f"{tmp_path}/perch.db" and "PERCH_PUBLIC_URL" in settings
    assert (tmp_path / "perch.env").stat().st_mode & 0o007 == 0
    assert (tmp_path / "noted").read_text().splitlines()[0].startswith("useradd --system")


def test_backup_and_restore(machine: Machine) -> None:
    client = machine.server.client(key=machine.server.key)
    create_users(client, ["ann", "bob"])
    before = everybody(client)
    machine.run("backup")
    backup = machine.folder / "perch-backup.db"
    assert backup.stat().st_mode & 0o077 == 0
    create_users(client, ["cat"])
    machine.run("restore")
    assert everybody(client) == before
    assert not (machine.folder / "new.db").exists()


def test_move_to_another_machine(machine: Machine, make_server: MakeServer) -> None:
    client = machine.server.client(key=machine.server.key)
    create_users(client, ["ann", "bob"])
    before = everybody(client)
    machine.run("move, old machine")
    new = make_server()
    new.port = machine.server.port
    shutil.copy(machine.folder / "perch-backup.db", new.folder)
    Machine(new).run("move, new machine")
    assert everybody(client) == before, "the same key and base URL"


def test_upgrade_and_roll_back(machine: Machine) -> None:
    client = machine.server.client(key=machine.server.key)
    create_users(client, ["ann", "bob"])
    before = everybody(client)
    machine.run("upgrade")
    create_users(client, ["cat"])
    machine.run("roll back")
    assert everybody(client) == before
    told = (machine.folder / "git.log").read_text()
    assert f"git -C {ROOT} pull" in told and f"git -C {ROOT} checkout 0123abc" in told
