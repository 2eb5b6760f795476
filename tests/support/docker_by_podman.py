"""Stands in for `docker` in the blocks of docs/operate.md: for one container of podman.

CONTAINER, IMAGE and NEXT_IMAGE (made by a build) name the container and its images; RUN has podman's options as JSON.
"""

import json
import os
import subprocess
import sys

CONTAINER, IMAGE = os.environ["CONTAINER"], os.environ["IMAGE"]


def podman(*words: str) -> None:
    """Run podman with this process's streams; end with its status if it fails."""
    done = subprocess.run(["podman", *words], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def image(name: str) -> str:
    """Return the test's name of `perch` or `perch:TAG`."""
    return IMAGE + name.removeprefix("perch")


def without_flags(words: list[str]) -> list[str]:
    """Return what follows the options and the service's name."""
    assert "perch" in words, words
    assert all(word.startswith("-") for word in words[: words.index("perch")]), words
    return words[words.index("perch") + 1 :]


def up() -> None:
    """Make the container anew if its image is another one now; start it."""
    podman("rm", "--force", "--time", "40", "--ignore", CONTAINER)
    podman("run", "--detach", "--name", CONTAINER, *json.loads(os.environ["RUN"]), IMAGE)


def compose(verb: str, words: list[str]) -> None:
    """Run one command of docker compose."""
    if verb == "exec":
        podman("exec", "--interactive", CONTAINER, *without_flags(words))
    elif verb == "run":
        podman("run", "--rm", "--interactive", *json.loads(os.environ["RUN"]), IMAGE, *without_flags(words))
    elif verb == "build":
        podman("tag", os.environ["NEXT_IMAGE"], IMAGE)
    elif verb == "up":
        up()
    elif verb == "down":
        podman("rm", "--force", "--time", "40", CONTAINER)
    elif verb in ("start", "stop") and words == ["perch"]:
        podman(verb, *(["--time", "40"] if verb == "stop" else []), CONTAINER)
    else:
        assert words == ["caddy"], (verb, words)


def main(words: list[str]) -> None:
    """Run one command of docker."""
    if words[0] == "tag":
        podman("tag", image(words[1]), image(words[2]))
    else:
        assert words[0] == "compose", words
        compose(words[1], words[2:])


if __name__ == "__main__":
    main(sys.argv[1:])
