"""`flask settings`, the table of settings in docs/settings.md, and wrong settings."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scim.settings import SETTINGS, VERSION, WrongSetting, described, read_settings, unknown_settings
from tests.support.readme import SETTINGS as PAGE
from tests.support.readme import with_table
from tests.support.server import ROOT, clean_environment, run_flask

WRONG = [
    ("PERCH_FUSE", "maybe"),
    ("PERCH_TRAFFIC", "some"),
    ("PERCH_MAX_BODY", "0"),
    ("PERCH_KEY_RATE", "-1"),
    ("PERCH_KEY_RATE", "2.5"),
    ("PERCH_WORKSPACE", "a/b"),
    ("PERCH_PUBLIC_URL", "perch.example.com"),
    ("PERCH_FUSE_SHARE", "101"),
    ("PERCH_LOG_LEVEL", "loud"),
    ("PERCH_FOLLOW", "yes"),
    ("PERCH_FOLLOW_MAX_AGE", "0"),
    ("PERCH_PRIMARY_URL", "https://perch.example.com/scim"),
]


def test_every_setting_is_described(tmp_path: Path) -> None:
    result = run_flask(tmp_path / "perch.db", "settings", "--json", PERCH_ADMIN_PASSWORD="correct horse battery")
    found = json.loads(result.stdout)
    assert found["version"] == VERSION
    assert [each["name"] for each in found["settings"]] == [setting.name for setting in SETTINGS]
    by_name = {each["name"]: each for each in found["settings"]}
    assert by_name["PERCH_DATABASE"]["source"] == "environment"
    assert by_name["PERCH_TRAFFIC"] == {
        "name": "PERCH_TRAFFIC",
        "value": "errors",
        "source": "default",
        "default": "errors",
        "takes": "one of off, errors, all",
        "help": by_name["PERCH_TRAFFIC"]["help"],
    }
    assert by_name["PERCH_ADMIN_PASSWORD"]["value"] == "(hidden)"
    assert "correct horse" not in result.stdout + result.stderr
    assert not (tmp_path / "perch.db").exists()


def test_settings_are_shown_as_text(tmp_path: Path) -> None:
    text = run_flask(tmp_path / "perch.db", "settings", PERCH_FUSE="off", PERCH_ADMIN_PASSWORD="correct horse").stdout
    assert "PERCH_FUSE=off  (from the environment, default on)" in text
    assert "PERCH_TRAFFIC=errors  (the default)" in text
    assert "correct horse" not in text


def test_the_table_of_settings_is_generated(tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = run_flask(tmp_path / "perch.db", "settings", "--markdown").stdout
    assert with_table(page, table) == page, "run make readme to write it"


def test_an_empty_variable_has_the_default() -> None:
    assert read_settings({"PERCH_FUSE": ""})["PERCH_FUSE"] is True
    assert described(read_settings({"PERCH_FUSE": ""}))[0]["source"] == "default"


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    with pytest.raises(WrongSetting, match=f"^{name}='{value}' must be "):
        read_settings({name: value})


GUNICORN = "-m gunicorn app:app --workers 4 --bind 127.0.0.1:0"


@pytest.mark.parametrize(
    ("command", "form"),
    [(GUNICORN, "json"), (GUNICORN, "text"), ("-m flask deliver", "json"), ("-m flask keys list", "json")],
)
def test_a_wrong_value_stops_the_start_with_one_line(command: str, form: str, tmp_path: Path) -> None:
    result = run(command, tmp_path, PERCH_FUSE="maybe", PERCH_LOG_FORMAT=form)
    assert result.returncode == 4
    (line,) = result.stderr.splitlines()
    if form == "json" and "keys" not in command:
        line = json.loads(line)["message"]
    assert line == (
        "perch: PERCH_FUSE='maybe' must be on or off. Whether mass deactivation is held until an operator releases it."
    )
    assert not (tmp_path / "perch.db").exists()


def test_workers_without_perchs_configuration_stop_too(tmp_path: Path) -> None:
    result = run("-m gunicorn --config /dev/null app:app --bind 127.0.0.1:0", tmp_path, PERCH_FUSE="maybe")
    assert result.returncode == 4
    assert result.stderr.count("perch: PERCH_FUSE='maybe'") == 1


def run(command: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment({"PERCH_DATABASE": str(folder / "perch.db"), **settings})
    return subprocess.run(
        [sys.executable, *command.split()],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


@pytest.mark.parametrize("password", ["x", "elevenchars", "           "])
def test_a_short_password_stops_the_start_and_is_not_shown(password: str, tmp_path: Path) -> None:
    for command in ("-m gunicorn app:app --bind 127.0.0.1:0", "-m flask workspace"):
        result = run(command, tmp_path, PERCH_ADMIN_PASSWORD=password)
        assert result.returncode == 4
        assert "perch: PERCH_ADMIN_PASSWORD must be text of at least 12 characters." in result.stderr
        assert password.strip() == "" or password not in result.stderr.replace("Perch", "").split()


def test_a_closed_password_without_a_provider_stops_the_start(tmp_path: Path) -> None:
    result = run("-m gunicorn app:app --bind 127.0.0.1:0", tmp_path, PERCH_CONSOLE_PASSWORD="off")
    assert result.returncode == 4
    assert "perch: PERCH_CONSOLE_PASSWORD=off closes the console unless PERCH_OIDC_ISSUER, " in result.stderr
    assert not (tmp_path / "perch.db").exists()


@pytest.mark.parametrize("password", ["twelve chars", "zw\u00f6lf Zeiche\u2713"])
def test_a_password_of_twelve_characters_is_accepted(password: str) -> None:
    assert read_settings({"PERCH_ADMIN_PASSWORD": password})["PERCH_ADMIN_PASSWORD"] == password


@pytest.mark.parametrize(
    ("content", "read"),
    [(b"right horse 1", "right horse 1"), (b"right horse 1\n", "right horse 1"),
     (b"right horse 1\r\n", "right horse 1"),
     (b" right horse 1 \n", " right horse 1 "), ("zw\u00f6lf Zeichen!".encode(), "zw\u00f6lf Zeichen!")],
)  # fmt: skip
def test_a_secret_comes_from_a_file(content: bytes, read: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    found = read_settings({"PERCH_ADMIN_PASSWORD_FILE": str(file)})
    assert found["PERCH_ADMIN_PASSWORD"] == read
    by_name = {each["name"]: each for each in described(found)}
    assert by_name["PERCH_ADMIN_PASSWORD"]["source"] == "file"
    assert by_name["PERCH_ADMIN_PASSWORD"]["value"] == "(hidden)"


def test_every_secret_setting_and_no_other_may_come_from_a_file(tmp_path: Path) -> None:
    for setting in SETTINGS:
        assert setting.file_variable == (f"{setting.name}_FILE" if setting.secret else "")
    assert [setting.name for setting in SETTINGS if setting.secret] == [
        "PERCH_ADMIN_PASSWORD",
        "PERCH_OIDC_CLIENT_SECRET",
    ]
    assert unknown_settings({"PERCH_ADMIN_PASSWORD_FILE": "x"}) == []
    assert unknown_settings({"PERCH_DATABASE_FILE": "x"}) != []


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"", "on one line"), (b"\n", "on one line"), (b"right horse\nsecond line", "on one line"),
     (b"\xff" * 20, "not UTF-8"), (b"short\n", "at least 12 characters")],
)  # fmt: skip
def test_a_file_that_holds_no_secret_stops_the_start(content: bytes | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(WrongSetting, match=f"^PERCH_ADMIN_PASSWORD_FILE.*{words}") as refused:
        read_settings({"PERCH_ADMIN_PASSWORD_FILE": str(file)})
    assert "right horse" not in str(refused.value)


def test_a_secret_and_its_file_together_stop_the_start(tmp_path: Path) -> None:
    result = run(
        "-m flask workspace", tmp_path, PERCH_ADMIN_PASSWORD="right horse 1", PERCH_ADMIN_PASSWORD_FILE="/dev/null"
    )
    assert result.returncode == 4
    assert "PERCH_ADMIN_PASSWORD and PERCH_ADMIN_PASSWORD_FILE are both set" in result.stderr
    assert "right horse" not in result.stderr
    assert read_settings({"PERCH_ADMIN_PASSWORD": "right horse 1", "PERCH_ADMIN_PASSWORD_FILE": ""})


def test_what_commands_and_examples_read_is_not_unknown() -> None:
    files = [*(ROOT / "scim" / "cli").glob("*.py"), *(ROOT / "examples").glob("*.py")]
    read = {name for file in files for name in re.findall(r'(?:environ\S*|envvar=)"(PERCH_\w+)"', file.read_text())}
    assert {"PERCH_CLIENT_SECRET", "PERCH_HOME", "PERCH_KEY"} <= read
    assert unknown_settings(dict.fromkeys(read, "x")) == []


def test_an_unknown_variable_is_a_warning_with_a_suggestion(tmp_path: Path) -> None:
    found = unknown_settings({"PERCH_TRAFIC": "all", "PERCH_ZZZZZZZZ": "", "PERCH_KEY": "of an example", "HOME": "/"})
    assert found == [
        "PERCH_TRAFIC is not a setting of Perch and is ignored; did you mean PERCH_TRAFFIC?",
        "PERCH_ZZZZZZZZ is not a setting of Perch and is ignored.",
    ]
    result = run_flask(tmp_path / "perch.db", "settings", "--json", PERCH_TRAFIC="all")
    assert result.returncode == 0
    assert result.stderr.count("PERCH_TRAFIC") == 1
    assert json.loads(result.stdout)
