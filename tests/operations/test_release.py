"""`make release`: what it refuses, what it writes, and the pages that go with a release."""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from scim.settings import VERSION
from tests.support import release
from tests.support.guide import block, run_block
from tests.support.release import NAME, SUMS, applied, archive, problems
from tests.support.sbom import bill_of_materials
from tests.support.server import ROOT

PARTS = ("CHANGELOG.md", "Makefile", "docs/upgrade.md", "scim/settings.py", "scim/web/openapi.json", "requirements.txt",
         f"tests/fixtures/databases/{VERSION}.db.gz", ".gitignore")  # fmt: skip
ME = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
# Stands in for podman: it notes each call, and `image save` writes the file.
PODMAN = '#!/bin/sh\necho "podman $*" >> "$LOG"\nfor last; do :; done\n{}\n'


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *ME, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "All")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small checkout that is a release, whatever was added to this one since the last."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    made = tmp_path / "checkout"
    for part in PARTS:
        (made / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / part, made / part)
    here = applied(made / PARTS[-2])
    monkeypatch.setattr(release, "known", lambda: here)
    changelog = made / "CHANGELOG.md"
    changelog.write_text(f"# Changelog\n\n## {VERSION} - 2026-11-27\n\n- Text.\n\n## 0.9.0 - 2026-01-01\n")
    (made / "docs" / "upgrade.md").write_text(f"| {VERSION} | `{max(here)}` | 2026-11-27 | yes |\n")
    git(made, "init", "--quiet")
    commit(made)
    assert list(problems(made)) == []
    return made


def rewrite(path: str, old: str, new: str) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        text = (root / path).read_text()
        assert old in text
        (root / path).write_text(text.replace(old, new))
        commit(root)

    return change


def without_fixture(root: Path) -> None:
    (root / PARTS[-2]).unlink()
    commit(root)


def with_an_old_fixture(root: Path) -> None:
    shutil.copy(ROOT / "tests" / "fixtures" / "databases" / "0.1.0.db.gz", root / PARTS[-2])
    commit(root)


def tagged_before(root: Path) -> None:
    git(root, "tag", f"v{VERSION}")
    rewrite("CHANGELOG.md", "Text", "Other text")(root)


HEADING = f"## {VERSION} - 2026-11-27"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (rewrite("CHANGELOG.md", HEADING, "## Unreleased"), "'Unreleased'"),
        (rewrite("CHANGELOG.md", HEADING, f"## {VERSION}"), "YYYY-MM-DD"),
        (rewrite("CHANGELOG.md", HEADING, f"## {VERSION} - 2026-02-30"), "YYYY-MM-DD"),
        (rewrite("CHANGELOG.md", HEADING + "\n", ""), "'0.9.0 - 2026-01-01'"),
        (rewrite("CHANGELOG.md", "## ", "### "), "is ''"),
        (rewrite("docs/upgrade.md", "`m", "`x"), "docs/upgrade.md does not name m"),
        (rewrite("docs/upgrade.md", VERSION, "0.9.0"), f"as the schema of {VERSION}"),
        (rewrite("scim/web/openapi.json", VERSION, "0.9.0"), "run make openapi"),
        (without_fixture, "run python -m tests.make_fixture"),
        (with_an_old_fixture, "has other migrations"),
        (lambda root: (root / "new.txt").touch(), "Not committed: new.txt;"),
        (lambda root: (root / "CHANGELOG.md").write_text(HEADING), "Not committed: CHANGELOG.md;"),
        (tagged_before, f"The tag v{VERSION} names another commit"),
    ],
)
def test_it_names_what_is_wrong_and_writes_nothing(damage: Callable[[Path], object], told: str, checkout: Path) -> None:
    damage(checkout)
    (found,) = problems(checkout)
    assert told in found
    with pytest.raises(SystemExit, match=re.escape(found)):
        release.main([], checkout)
    assert not (checkout / "dist").exists()


def test_it_names_migrations_that_were_changed_or_not_recorded(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = applied(checkout / PARTS[-2])
    monkeypatch.setattr(release, "known", lambda: known | {"m000_new"})
    assert any("Not recorded as released: m000_new" in found for found in problems(checkout))
    monkeypatch.setattr(release, "digests", lambda: {})
    assert sum("was changed after its release" in found for found in problems(checkout)) >= len(known) - 1


def test_a_tag_of_this_commit_is_right(checkout: Path) -> None:
    git(checkout, "tag", "--annotate", "--message", "x", f"v{VERSION}")
    assert list(problems(checkout)) == []


def test_the_archive_is_the_commit_and_the_same_each_time(checkout: Path, tmp_path: Path) -> None:
    first = archive(checkout)
    (checkout / "perch.db").write_text("data")
    (checkout / "CHANGELOG.md").touch()
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", str(checkout), str(other))
    git(other, "config", "tar.umask", "0000")
    (other / "requirements.txt").chmod(0o600)
    assert first == archive(checkout) == archive(other)
    with tarfile.open(fileobj=io.BytesIO(first)) as found:
        members = {member.name: member for member in found.getmembers()}
        assert {name for name, member in members.items() if member.isfile()} == {f"{NAME}/{part}" for part in PARTS}
        text = found.extractfile(members[f"{NAME}/scim/settings.py"])
        assert text and text.read() == (ROOT / "scim" / "settings.py").read_bytes()
    assert first[4:8] == bytes(4) and gzip.decompress(first)


def test_a_release_has_its_digests_and_names_no_builder(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, found = checkout / "dist", []
    for _ in range(2):
        release.main([], checkout)
        found.append({file.name: file.read_bytes() for file in folder.iterdir()})
        (folder / "left-over").touch()
    assert found[0] == found[1] and found[0].keys() == {f"{NAME}.tar.gz", f"{NAME}.cdx.json", SUMS}
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert json.loads(found[0][f"{NAME}.cdx.json"]) == bill_of_materials(requirements)
    subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=folder, check=True, capture_output=True)
    assert "The image was not built" in capsys.readouterr().out


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a stand-in for podman first in the path; it returns the log of its calls."""

    def make(rest: str) -> Path:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "podman").write_text(PODMAN.format(rest))
        (tmp_path / "bin" / "podman").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setenv("LOG", str(tmp_path / "log"))
        return tmp_path / "log"

    return make


def test_a_release_has_the_image_with_its_version(checkout: Path, podman: Callable[[str], Path]) -> None:
    log = podman('case "$1" in image) echo image > "$7" ;; esac')
    release.main(["--builder", "podman"], checkout)
    build, save = log.read_text().splitlines()
    assert build.startswith("podman build --format docker ") and f"--tag perch:{VERSION} " in build
    assert f"--label org.opencontainers.image.version={VERSION} " in build
    image = checkout / "dist" / f"{NAME}-image.tar"
    assert save == f"podman image save --quiet --format docker-archive --output {image} perch:{VERSION}"
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    assert f"{digest}  {image.name}\n" in (checkout / "dist" / SUMS).read_text()


def test_a_release_whose_image_fails_is_not_complete(checkout: Path, podman: Callable[[str], Path]) -> None:
    podman("exit 3")
    with pytest.raises(SystemExit, match="not complete"):
        release.main(["--builder", "podman"], checkout)
    assert not (checkout / "dist" / SUMS).exists()


def test_make_image_says_what_it_needs(checkout: Path) -> None:
    done = subprocess.run(["make", "image", "BUILDER="], cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "make image needs podman, buildah, or docker" in done.stderr


def test_the_licence_is_in_the_image_and_names_year_and_owner() -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert licence.startswith("MIT License\n\nCopyright (c) 2026 The Perch authors\n")
    assert "COPY app.py gunicorn.conf.py LICENSE ./" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_workflow_runs_the_checks_of_ci() -> None:
    text = (ROOT / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8")
    found = yaml.safe_load(text)
    assert found["permissions"] == {"contents": "read"}
    # YAML 1.1 reads the key `on` as true.
    assert {"push", "pull_request"} <= found[True].keys()
    steps = found["jobs"]["check"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == [".ci/run"]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used and all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", each) for each in used)
    assert os.access(ROOT / ".ci" / "run", os.X_OK) and "://" not in text


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_an_issue_form_has_labels_for_all_that_it_asks(name: str) -> None:
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text(encoding="utf-8"))
    assert form["name"] and form["description"]
    asked = [each for each in form["body"] if each["type"] != "markdown"]
    assert len({each["id"] for each in asked}) == len(asked) and all(each["attributes"]["label"] for each in asked)
    assert any(each.get("validations", {}).get("required") for each in asked)
    if name == "bug":
        assert {"request", "provider", "doctor"} <= {each["id"] for each in asked}


@pytest.mark.parametrize(
    "page", ["CODE_OF_CONDUCT.md", "SECURITY.md", "docs/upgrade.md", ".github/pull_request_template.md"]
)
def test_what_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), target
    for name in re.findall(r"(?<![`\w./])([A-Z]+\.md)\b", text):
        assert (ROOT / name).exists(), name


def test_security_and_upgrade_name_the_same_versions() -> None:
    guide, security = ((ROOT / name).read_text(encoding="utf-8") for name in ("docs/upgrade.md", "SECURITY.md"))
    repaired = re.findall(r"^\| (\d+\.\d+)\.\d+ \| `\w+` \| [^|]+ \| yes \|$", guide, re.MULTILINE)
    assert repaired == [VERSION.rpartition(".")[0]]
    assert re.findall(r"^\| (\d+\.\d+) \| yes", security, re.MULTILINE) == repaired


@pytest.mark.long
def test_an_upgrade_of_a_checkout_and_the_way_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer version, with a migration of its own, is pulled from a repository and left again."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    origin, here, guide = tmp_path / "origin", tmp_path / "here", ROOT / "docs" / "upgrade.md"
    for name in ("schemas", "storage", "scim"):
        shutil.copytree(ROOT / name, origin / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("app.py", "requirements.txt", ".gitignore"):
        shutil.copy(ROOT / name, origin / name)
    git(origin, "init", "--quiet")
    commit(origin)
    git(tmp_path, "clone", "--quiet", str(origin), str(here))
    programs = {"flask": f'exec {sys.executable} -m flask "$@"', "pip": "exit 0"}

    def run(script: str) -> str:
        return run_block(script.replace(". .venv/bin/activate\n", ""), here, programs)

    assert "Base URL" in run("flask init")
    key = run("flask keys create First").strip()
    rewrite("scim/settings.py", f'VERSION = "{VERSION}"', 'VERSION = "99.0.0"')(origin)
    chapter = "\nSTEPS['m999_newer'] = script('CREATE TABLE newer (id INTEGER)')\n"
    (origin / "storage/migrations/oauth.py").open("a").write(chapter)
    commit(origin)
    told = run(block("checkout: upgrade", guide))
    assert "m999_newer" in told and "Perch 99.0.0" in told
    run("flask keys create Second")
    run(block("checkout: roll back", guide))
    assert f"Perch {VERSION}," in run("flask version")
    listed = run("flask keys list")
    assert key.split("_")[1] in listed and "First" in listed and "Second" not in listed
    assert list(here.glob("perch.db.before-restore-*"))
