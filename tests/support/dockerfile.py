"""Follows a Dockerfile on this machine: a folder as the image, a venv as its Python, another user."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tests.support.server import ROOT

PIP = "python -m pip install "


@dataclass(frozen=True)
class Instruction:
    """A line of the Dockerfile, continuations joined."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """Return the words of a shell line, or of the exec form."""
        return list(json.loads(self.text)) if self.text.startswith("[") else shlex.split(self.text)


def instructions(path: Path) -> list[Instruction]:
    """Return all instructions in their order."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [Instruction(name.upper(), text.strip()) for name, text in found]


def reaches_the_builder(path: str) -> bool:
    """Tell whether .dockerignore lets a path through; the last pattern that matches decides."""
    allowed = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#") and fnmatch(path.rstrip("/"), pattern.removeprefix("!")):
            allowed = pattern.startswith("!")
    return allowed


def python_for(user: int) -> str | None:
    """Return a Python that the user may run, since root's own may lie in root's home."""
    for candidate in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            subprocess.run([candidate, "-c", "import venv, sqlite3"], check=True, cwd="/", **as_user(user))
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    return None


def as_user(user: int) -> dict[str, Any]:
    """Return the options of subprocess for another user, if this user may start such processes."""
    return {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}


class Image:
    """The image of a Dockerfile, in a folder that every user may read."""

    def __init__(self, folder: Path) -> None:
        """Follow the Dockerfile to its end."""
        self.root, self.data, self.venv = folder / "perch", folder / "data", folder / "venv"
        self.environment = {"PATH": f"{self.venv / 'bin'}:/usr/bin:/bin", "HOME": str(self.data)}
        self.user = os.geteuid()
        self.command: list[str] = []
        self.health: list[str] = []
        self.root.mkdir()
        self.data.mkdir()
        for instruction in instructions(ROOT / "Dockerfile"):
            getattr(self, f"_{instruction.name.lower()}", lambda _: None)(instruction)

    def _from(self, _: Instruction) -> None:
        user = next(int(i.text.split(":")[0]) for i in instructions(ROOT / "Dockerfile") if i.name == "USER")
        python = python_for(user)
        assert python, "no Python on this machine may be run by another user"
        subprocess.run([python, "-m", "venv", "--without-pip", str(self.venv)], check=True)

    def _env(self, instruction: Instruction) -> None:
        for word in instruction.words:
            name, _, value = word.partition("=")
            self.environment[name] = value.replace("/data", str(self.data))

    def _copy(self, instruction: Instruction) -> None:
        *sources, target = instruction.words
        for source in sources:
            assert reaches_the_builder(source), f"{source} is kept back by .dockerignore"
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, self.root / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, self.root / target)

    def _run(self, instruction: Instruction) -> None:
        if instruction.text.startswith(PIP):
            pip = [sys.executable, "-m", "pip", "--python", str(self.venv / "bin" / "python"), "install", "--quiet"]
            subprocess.run([*pip, *shlex.split(instruction.text.removeprefix(PIP))], check=True, cwd=self.root)
        elif instruction.text.startswith("python "):
            subprocess.run(["sh", "-ec", instruction.text], check=True, cwd=self.root, env=self.environment)
        else:
            assert "useradd --uid 10001" in instruction.text

    def _user(self, instruction: Instruction) -> None:
        if os.geteuid() == 0:
            self.user = int(instruction.text.split(":")[0])
            os.chown(self.data, self.user, self.user)
        self.data.chmod(0o700)

    def _healthcheck(self, instruction: Instruction) -> None:
        self.health = list(json.loads(instruction.text.partition("CMD ")[2]))

    def _cmd(self, instruction: Instruction) -> None:
        self.command = instruction.words

    def start(self, command: list[str], port: int, log: Path) -> subprocess.Popen[bytes]:
        """Start a command as the image's user, with `port` of 127.0.0.1 in place of the container's port 8000."""
        words = [self.on(word, port) for word in command]
        program = shutil.which(words[0], path=self.environment["PATH"])
        assert program, words
        with log.open("ab") as output:
            return subprocess.Popen(
                [program, *words[1:]], cwd=self.root, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True, **as_user(self.user),
            )  # fmt: skip

    @staticmethod
    def on(word: str, port: int) -> str:
        """Return a word of a command with the container's address replaced."""
        return word.replace("0.0.0.0:8000", f"127.0.0.1:{port}").replace("127.0.0.1:8000", f"127.0.0.1:{port}")
