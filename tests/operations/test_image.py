"""The image, really built and run by podman with the options of compose.yaml; needs root and Debian's packages."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.support.client import ScimClient
from tests.support.containers import Container, Engine
from tests.support.drills import RecordDrill
from tests.support.guide import block, by_podman, run_block
from tests.support.litestream import litestream
from tests.support.pages import blocks
from tests.support.receiver import Receiver
from tests.support.server import ROOT
from tests.support.writers import Writer, compare, everybody, make_writers

pytestmark = pytest.mark.long
OLD = "8c42a4d"
MakeContainer = Callable[..., Container]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if os.geteuid() != 0:
        pytest.skip("only root may make network namespaces")
    made = Engine(tmp_path_factory.mktemp("engine"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    return engine.build("new")


@pytest.fixture(scope="module")
def old_image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("old")
    archive = subprocess.run(["git", "archive", OLD], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"this clone has no commit {OLD}")
    subprocess.run(["tar", "--extract"], input=archive.stdout, cwd=folder, check=True)
    return engine.build("old", folder)


@pytest.fixture
def container(engine: Engine, image: str) -> Iterator[Container]:
    made = Container(engine, "perch", image, PERCH_WEBHOOKS_ALLOW_PRIVATE="on")
    yield made
    made.down()


def people(client: ScimClient, number: int, prefix: str = "p") -> set[str]:
    return {client.post("/Users", {"userName": f"{prefix}{n}@example.com"}).body["id"] for n in range(number)}


def test_the_first_answer(container: Container, drill: RecordDrill) -> None:
    (config,) = container.engine.inspect(container.image)
    assert config["Config"]["User"] == "10001:10001" and config["Config"]["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][:2] == ["CMD", "python"], "the health check survives the build"
    seconds = container.up()
    told = container.execute("flask", "init")
    assert "Console password" in told and "perch_" in told
    assert "perch_" not in container.log().replace("perch_server", "")
    with container.engine.network():
        client = container.client()
        user = client.post("/Users", {"userName": "ann@example.com"})
        assert user.status == 201 and client.get(f"/Users/{user.body['id']}").status == 200
    drill("the first answer of a new container", 0, 0, seconds)


def test_the_readme_starts_a_container(container: Container, tmp_path: Path) -> None:
    (script,) = [each for each in blocks(ROOT / "README.md", "sh") if "docker compose" in each]
    told = run_script(script, container, tmp_path)
    assert "Console password" in told and "perch_" in told
    wait_for_health(container)


def test_the_container_is_locked_down(container: Container) -> None:
    container.up()
    assert "gunicorn" in container.execute("cat", "/proc/1/cmdline")
    status = container.execute("cat", "/proc/1/status")
    for line in ("Uid:\t10001\t10001", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"):
        assert line in status
    for path in ("/x", "/perch/x", "/usr/x", "/var/tmp/x"):
        assert container.podman("exec", container.name, "touch", path, check=False).returncode, path
    container.execute("touch", "/tmp/x")
    assert set(container.execute("stat", "--format", "%u %a", "/data/perch.db").split()) == {"10001", "600"}
    assert container.execute("find", "/tmp", "-name", "*perch*") == ""


def under_load(container: Container, client: ScimClient, number: int) -> tuple[list[Writer], Callable[[], None]]:
    """Start writers inside the containers' network; the function waits for them to end."""
    writers, stop = make_writers(client, 8, number), threading.Event()
    threads = [threading.Thread(target=writer.run, args=(client, stop), daemon=True) for writer in writers]
    for thread in threads:
        thread.start()
    time.sleep(4)

    def ended() -> None:
        stop.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()

    return writers, ended


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 0), ("SIGKILL", 137)])
def test_a_stop_under_load_loses_nothing(name: str, status: int, container: Container, drill: RecordDrill) -> None:
    container.up()
    with container.engine.network():
        client = container.client()
        writers, ended = under_load(container, client, status)
        container.podman("kill", "--signal", name, container.name)
        assert container.podman("wait", container.name).stdout.strip() == str(status)
        ended()
        seconds = container.start()
        compare(client, writers)
    assert sum(writer.acknowledged for writer in writers) > 50
    assert not [answer for writer in writers for answer in writer.refused]
    drill(f"{name} to the container under load", 1, 0, seconds)


def test_a_killed_deliverer_is_replaced(container: Container, drill: RecordDrill) -> None:
    container.up()
    with container.engine.network():
        receiver = Receiver()
        client = container.client()
        receiver.secret = container.flask("webhooks", "add", receiver.url)["secret"]
        people(client, 1)
        receiver.wait(lambda: len(receiver.seen) == 1)
        slowest = max(time_until_delivered(container, client, receiver, number) for number in range(3))
        receiver.stop()
    drill("kill -9 of the deliverer in the container", 3, 0, slowest)


def time_until_delivered(container: Container, client: ScimClient, receiver: Receiver, number: int) -> float:
    """Kill the process that delivers, and return the seconds until the next event comes all the same."""
    killed = container.deliverers()[-1]
    os.kill(killed, signal.SIGKILL)
    begun = time.monotonic()
    people(client, 1, f"after{number}-")
    receiver.wait(lambda: f"after{number}-0@example.com" in str(receiver.seen), 60)
    assert killed not in container.deliverers()
    return time.monotonic() - begun


# The blocks of docs/operate.md


def run_compose(title: str, container: Container, folder: Path, next_image: str = "") -> None:
    """Run a block on a container; `container.image` is what compose.yaml calls `perch`."""
    run_script(block(f"compose: {title}"), container, folder, next_image)


def run_script(script: str, container: Container, folder: Path, next_image: str = "") -> str:
    names = {"CONTAINER": container.name, "IMAGE": container.image, "NEXT_IMAGE": next_image}
    stand_ins = {"docker": by_podman(**names, RUN=json.dumps(container.options)), "git": "exit 0"}
    with container.engine.outside():
        return run_block(script, folder, stand_ins)


def wait_for_health(container: Container) -> None:
    container.wait(time.monotonic())


def test_backup_and_restore(container: Container, tmp_path: Path, drill: RecordDrill) -> None:
    container.up()
    with container.engine.network():
        client = container.client()
        before = people(client, 20)
        run_compose("backup", container, tmp_path)
        backup = tmp_path / "perch-backup.db"
        assert backup.stat().st_mode & 0o077 == 0
        people(client, 5, "later")
        begun = time.monotonic()
        run_compose("restore", container, tmp_path)
        wait_for_health(container)
        assert everybody(client).keys() == before
    files = container.execute("ls", "-A", "/data").split()
    assert not [name for name in files if ".part" in name or name == "new.db"]
    assert [name for name in files if name.startswith("perch.db.before-restore-")]
    drill("restore of a backup in compose", 0, 0, time.monotonic() - begun)


def test_the_key_for_monitoring(container: Container, tmp_path: Path) -> None:
    container.up()
    (tmp_path / "deploy").mkdir()
    run_compose("monitoring", container, tmp_path)
    headers = {"Authorization": f"Bearer {(tmp_path / 'deploy' / 'metrics-key').read_text().strip()}"}
    with container.engine.network():
        url, host = "http://127.0.0.1:8000/metrics", {"Host": "perch:8000"}
        assert requests.get(url, headers=host, timeout=10).status_code == 401
        assert "perch_users 0" in requests.get(url, headers={**host, **headers}, timeout=10).text


def test_restore_from_litestream(container: Container, tmp_path: Path, drill: RecordDrill) -> None:
    litestream("python", tmp_path)
    container.up()
    run_script("docker compose --profile litestream up --detach", container, tmp_path)
    try:
        with container.engine.network():
            client = container.client()
            acknowledged: dict[str, float] = {}
            end = time.monotonic() + 12
            while time.monotonic() < end:
                created = people(client, 1, f"w{len(acknowledged)}-").pop()
                acknowledged[created] = time.monotonic()
            for name in (f"{container.name}-litestream", container.name):
                container.podman("kill", "--signal", "KILL", name)
            container.run_once("sh", "-c", "rm /data/perch.db*")
            begun = time.monotonic()
            run_compose("restore from Litestream", container, tmp_path)
            wait_for_health(container)
            kept = everybody(client).keys()
    finally:
        container.podman("rm", "--force", "--time", "0", f"{container.name}-litestream")
    lost = [at for identifier, at in acknowledged.items() if identifier not in kept]
    last = max(acknowledged.values())
    assert last - min(lost, default=last) < 5, "the guide says two seconds; this machine may be busy"
    drill(f"Litestream after kill -9, {last - min(lost, default=last):.1f} s of writes lost", 2, len(lost),
          time.monotonic() - begun)  # fmt: skip


def test_move_to_another_machine(container: Container, image: str, tmp_path: Path, drill: RecordDrill) -> None:
    container.up()
    other = Container(container.engine, "elsewhere", f"{image}-elsewhere")
    container.engine.images.append(other.image)
    with container.engine.network():
        client = container.client()
        before = people(client, 10)
        begun = time.monotonic()
        run_compose("move, old machine", container, tmp_path)
        try:
            run_compose("move, new machine", other, tmp_path, image)
            wait_for_health(other)
            assert everybody(client).keys() == before, "the same key on the same address"
        finally:
            other.down()
    drill("move to another machine", 0, 0, time.monotonic() - begun)


@pytest.fixture
def deployed(engine: Engine, image: str) -> Iterator[Callable[[str], Container]]:
    """Make a container whose image has a name of its own, as `perch` has in compose.yaml."""
    made: list[Container] = []

    def make(source: str) -> Container:
        name = f"{image}-deployed"
        made.append(Container(engine, "deployed", name))
        made[-1].podman("tag", source, name)
        engine.images += [name, f"{name}:before"]
        return made[-1]

    yield make
    for container in made:
        container.down()


def test_upgrade_and_roll_back(
    image: str, deployed: Callable[[str], Container], tmp_path: Path, drill: RecordDrill
) -> None:
    container = deployed(image)
    container.up()
    with container.engine.network():
        client = container.client()
        before = people(client, 10)
        run_compose("upgrade", container, tmp_path, image)
        wait_for_health(container)
        people(client, 3, "later")
        begun = time.monotonic()
        run_compose("roll back", container, tmp_path)
        wait_for_health(container)
        assert everybody(client).keys() == before
    drill("roll back in compose", 0, 0, time.monotonic() - begun)


def test_upgrade_from_an_old_version_and_back(
    image: str, old_image: str, deployed: Callable[[str], Container], tmp_path: Path, drill: RecordDrill
) -> None:
    container = deployed(old_image)
    container.up()
    with container.engine.network():
        client = container.client()
        before = people(client, 10)
        # This version has no `flask backup -`.
        container.execute("flask", "backup", "/data/b.db")
        container.podman("cp", f"{container.name}:/data/b.db", str(tmp_path / "before-upgrade.db"))
        container.podman("tag", container.image, f"{container.image}:before")
        container.podman("tag", image, container.image)
        begun = time.monotonic()
        container.podman("rm", "--force", "--time", "40", container.name)
        container.up()
        seconds = time.monotonic() - begun
        assert everybody(client).keys() == before
        client.delete(f"/Users/{before.copy().pop()}")
        people(client, 2, "later")
        run_compose("roll back", container, tmp_path)
        wait_for_health(container)
        assert everybody(client).keys() == before
    drill(f"upgrade from {OLD}", 0, 0, seconds)
