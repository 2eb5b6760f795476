"""Stands in for `docker` in the blocks of docs/operate.md: for one container of podman.

CONTAINER, IMAGE and NEXT_IMAGE (made by a build) name the container and its images; RUN has podman's options as JSON.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

CONTAINER, IMAGE = os.environ["CONTAINER"], os.environ["IMAGE"]
OPTIONS = json.loads(os.environ["RUN"])
ROOT = Path(__file__).resolve().parents[2]


def podman(*words: str) -> None:
    """Run podman with this process's streams; end with its status if it fails."""
    done = subprocess.run(["podman", *words], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def image(name: str) -> str:
    """Return the test's name of `perch` or `perch:TAG`."""
    return IMAGE + name.removeprefix("perch")


def split(words: list[str]) -> tuple[str, list[str]]:
    """Return the service's name and what follows it; before it there may only be options."""
    place = next(place for place, word in enumerate(words) if not word.startswith("-"))
    return words[place], words[place + 1 :]


def up() -> None:
    """Make the container anew, as a new image needs."""
    podman("rm", "--force", "--time", "40", "--ignore", CONTAINER)
    podman("run", "--detach", "--name", CONTAINER, *OPTIONS, IMAGE)


def litestream(words: list[str], *options: str) -> None:
    """Run Litestream on the same volume with the shipped configuration, which replicates into that volume."""
    program = shutil.which("litestream", path=f"{sys.prefix}/bin") or ""
    volumes = (f"{program}:/litestream:ro", f"{ROOT}/docs/litestream.yml:/etc/litestream.yml:ro")
    settings = ("PERCH_DATABASE=/data/perch.db", "PERCH_REPLICA=file:///data/replica")
    more = [f"--volume={volume}" for volume in volumes] + [f"--env={setting}" for setting in settings]
    podman("run", *options, *OPTIONS, *more, IMAGE, "/litestream", *words)


def run(words: list[str]) -> None:
    """Run a command in a container of its own."""
    service, command = split(words)
    if service == "litestream":
        litestream(command, "--rm")
    else:
        podman("run", "--rm", "--interactive", *OPTIONS, IMAGE, *command)


def start_or_stop(verb: str, services: list[str]) -> None:
    """Start or stop the containers that there are; there is no Caddy."""
    containers = {"perch": CONTAINER, "litestream": f"{CONTAINER}-litestream"}
    for name in (containers[service] for service in services if service in containers):
        podman(verb, *(["--time", "40"] if verb == "stop" else []), name)


def compose(profile: str, verb: str, words: list[str]) -> None:
    """Run one command of docker compose."""
    if verb == "exec":
        podman("exec", "--interactive", CONTAINER, *split(words)[1])
    elif verb == "run":
        run(words)
    elif verb == "build":
        podman("tag", os.environ["NEXT_IMAGE"], IMAGE)
    elif verb == "up" and profile == "litestream":
        litestream(["replicate", "-config", "/etc/litestream.yml"], "--detach", "--name", f"{CONTAINER}-litestream")
    elif verb == "up" and not profile:
        up()
    elif verb == "down":
        podman("rm", "--force", "--time", "40", CONTAINER)
    elif verb in ("start", "stop"):
        start_or_stop(verb, words)


def main(words: list[str]) -> None:
    """Run one command of docker."""
    if words[0] == "tag":
        podman("tag", image(words[1]), image(words[2]))
        return
    assert words[0] == "compose", words
    profile = words[2] if words[1] == "--profile" else ""
    verb, *rest = words[3:] if profile else words[1:]
    compose(profile, verb, rest)


if __name__ == "__main__":
    main(sys.argv[1:])
