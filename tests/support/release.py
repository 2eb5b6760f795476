"""Makes a release in dist/ from a clean checkout of its commit: `make release`.

It checks that version, CHANGELOG, migrations and fixtures belong together. Then it writes the source archive, the bill
of materials, the image where there is a builder, and the digests of these files. Tests are not run: do so before.
"""

import argparse
import gzip
import hashlib
import io
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

from scim.settings import VERSION
from storage.migrations import known
from tests.support.migrations import changed, digests, recorded
from tests.support.sbom import bill_of_materials
from tests.support.server import ROOT

NAME = f"perch-{VERSION}"
SUMS = "SHA256SUMS"
# How each builder writes an image, so that docker and podman can load it.
SAVE = {
    "docker": ("docker", "image", "save", "--output", "{file}", "{image}"),
    "podman": ("podman", "image", "save", "--quiet", "--format", "docker-archive", "--output", "{file}", "{image}"),
    "buildah": ("buildah", "push", "--quiet", "{image}", "docker-archive:{file}:{image}"),
}


def git(root: Path, *words: str) -> bytes:
    """Return the output of a git command in a checkout."""
    return subprocess.run(("git", "-C", str(root), *words), check=True, stdout=subprocess.PIPE).stdout


def problems(root: Path) -> Iterator[str]:
    """Yield a sentence for each reason why a checkout is no release."""
    yield from of_git(root)
    yield from of_changelog((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    yield from of_migrations(root)
    described = json.loads((root / "scim" / "web" / "openapi.json").read_text(encoding="utf-8"))["info"]["version"]
    if described != VERSION:
        yield f"scim/web/openapi.json describes {described}; run make openapi."


def of_git(root: Path) -> Iterator[str]:
    """Yield what is not committed, and a tag of this version that names another commit."""
    if dirty := git(root, "status", "--porcelain").decode().splitlines():
        yield f"Not committed: {', '.join(line[3:] for line in dirty)}; commit, ignore or remove each."
    tag = f"v{VERSION}"
    if git(root, "tag", "--list", tag) and git(root, "rev-parse", f"{tag}^{{}}") != git(root, "rev-parse", "HEAD"):
        yield f"The tag {tag} names another commit; choose the next version in scim/settings.py."


def of_changelog(text: str) -> Iterator[str]:
    """Yield what is wrong with the newest heading of CHANGELOG.md."""
    heading = re.search(r"^## (.*)$", text, re.MULTILINE)
    found = heading[1] if heading else ""
    version, _, day = found.partition(" - ")
    try:
        date.fromisoformat(day)
    except ValueError:
        version = ""
    if version != VERSION:
        yield f"The newest heading of CHANGELOG.md is {found!r}; write '## {VERSION} - YYYY-MM-DD'."


def of_migrations(root: Path) -> Iterator[str]:
    """Yield what is wrong with migrations: changed, not recorded, not in the fixture or in docs/upgrade.md."""
    yield from changed(digests())
    if new := sorted(known() - recorded().keys()):
        yield f"Not recorded as released: {', '.join(new)}; run python -m tests.support.migrations."
    fixture = root / "tests" / "fixtures" / "databases" / f"{VERSION}.db.gz"
    if not fixture.exists():
        yield f"There is no {fixture.name}; run python -m tests.make_fixture."
    elif applied(fixture) != known():
        yield f"{fixture.name} has other migrations than this version; delete it and run python -m tests.make_fixture."
    newest, guide = max(known()), (root / "docs" / "upgrade.md").read_text(encoding="utf-8")
    if f"| {VERSION} | `{newest}` |" not in guide:
        yield f"docs/upgrade.md does not name {newest} as the schema of {VERSION}; add it to the table."


def applied(packed: Path) -> set[str]:
    """Return the migrations of a compressed database."""
    with tempfile.NamedTemporaryFile(suffix=".db") as file:
        file.write(gzip.decompress(packed.read_bytes()))
        file.flush()
        with closing(sqlite3.connect(file.name)) as connection:
            return {name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations")}


def archive(root: Path) -> bytes:
    """Return the committed files as tar.gz; the same commit gives the same bytes."""
    tar = git(root, "-c", "tar.umask=0022", "archive", "--format=tar", f"--prefix={NAME}/", "HEAD")
    packed = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, packed, mtime=0) as file:
        file.write(tar)
    return packed.getvalue()


def write(root: Path, folder: Path, builder: str) -> None:
    """Write all files of the release into an empty folder, the digests last."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / f"{NAME}.tar.gz").write_bytes(archive(root))
    bill = bill_of_materials((root / "requirements.txt").read_text(encoding="utf-8"))
    (folder / f"{NAME}.cdx.json").write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
    if builder:
        image, file = f"perch:{VERSION}", folder / f"{NAME}-image.tar"
        subprocess.run(("make", "image", f"IMAGE={image}", f"BUILDER={builder}"), cwd=root, check=True)
        subprocess.run([word.format(image=image, file=file) for word in SAVE[builder]], check=True)
    else:
        print("The image was not built: BUILDER is empty, or docker with its daemon, podman and buildah are missing.")
    sums = [f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in sorted(folder.iterdir())]
    (folder / SUMS).write_text("".join(sums), encoding="utf-8")


def main(arguments: list[str], root: Path = ROOT) -> None:
    """Check and write; exit with 1 and every problem when the checkout is no release."""
    parser = argparse.ArgumentParser(prog="make release")
    parser.add_argument("--builder", default="", choices=("", *SAVE))
    given = parser.parse_args(arguments)
    if found := list(problems(root)):
        sys.exit("\n".join((f"This is no release of {VERSION}:", *(f"- {each}" for each in found))))
    try:
        write(root, root / "dist", given.builder)
    except subprocess.CalledProcessError as error:
        sys.exit(f"The release is not complete, dist/ has no {SUMS}: {error}")
    print((root / "dist" / SUMS).read_text(encoding="utf-8"), end="")
    print(f"Next: git tag v{VERSION}, and publish the files of dist/.")


if __name__ == "__main__":
    main(sys.argv[1:])
