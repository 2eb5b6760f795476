"""The shell blocks of the pages for administrators and developers run as they stand on one deployment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.support.pages import blocks
from tests.support.server import ROOT, PerchServer, clean_environment

PAGES = (
    "connect-okta", "connect-entra", "connect-other", "attributes", "workspace-file", "your-application", "emulator",
    "operate", "console", "sign-in",
)  # fmt: skip
# It serves until it is stopped; tests/operations/test_example_app.py runs it.
EXAMPLE = "flask --app examples/app.py run --port 5000\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "checkout"
    made.mkdir()
    for name in ("app.py", "schemas", "scim", "storage", "examples"):
        (made / name).symlink_to(ROOT / name)
    return made


@pytest.fixture
def server(make_server: MakeServer) -> PerchServer:
    """A deployment with the person and the group that the pages speak of."""
    made = make_server(settings={"PERCH_FAULTS": "on", "PERCH_TRAFFIC": "all"})
    made.start()
    client = made.client("generic", made.key)
    ada = client.post("/Users", {"userName": "ada@example.com", "roles": ["managed:editor"]}).body["id"]
    assert client.post("/Groups", {"displayName": "Support", "members": [{"value": ada}]}).status == 201
    return made


@pytest.mark.long
def test_the_blocks_of_the_pages_run(server: PerchServer, folder: Path) -> None:
    environment = clean_environment(
        {"PERCH_DATABASE": str(server.database), "PERCH_PUBLIC_URL": server.origin, "BASE": server.base_url}
    )
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    for page in PAGES:
        found = blocks(ROOT / "docs" / f"{page}.md", "sh")
        # The others of this page need a container engine or systemd; tests of their own run them.
        found = [each for each in found if each.startswith("flask ")] if page == "operate" else found
        assert found, page
        script = "set -euo pipefail\n" + "".join(found).replace(EXAMPLE, "")
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{page}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
