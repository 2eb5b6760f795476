"""What Okta remembers between two runs: ids at the server, and what it wrote last.

The file is a line of JSON per step, appended at once, so that an interrupted run goes on where it stopped; the end of a
run writes it anew, one line per person and group, and puts it in place atomically.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
KIND = "okta state"


class WrongState(ValueError):
    """The file is no state, or another server's; the message says what to do."""


class State:
    """People and groups that Okta brought to one server, by their ids in Okta; without a path nothing is kept."""

    def __init__(self, path: Path | None, base: str) -> None:
        self.path = path
        self.base = base
        self.entries: dict[str, dict[str, Entry]] = {"people": {}, "groups": {}}
        if path is not None and path.exists():
            self._load(path)

    @property
    def people(self) -> dict[str, Entry]:
        """Return `id`, `active` and `sent` of each person."""
        return self.entries["people"]

    @property
    def groups(self) -> dict[str, Entry]:
        """Return `id`, `name`, `members` and `sent` of each group."""
        return self.entries["groups"]

    def keep(self, kind: str, key: str, entry: Entry | None) -> None:
        """Remember a step at once; None forgets."""
        self._apply(kind, key, entry)
        if self.path is not None:
            if not self.path.exists():
                self.save()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line([kind, key, entry]))

    def save(self) -> None:
        """Write all of it anew and put it in place atomically."""
        if self.path is None:
            return
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with fresh.open("w", encoding="utf-8") as file:
                file.write(_line([KIND, self.base, 1]))
                file.writelines(
                    _line([kind, key, it]) for kind, held in self.entries.items() for key, it in held.items()
                )
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        finally:
            with suppress(FileNotFoundError):
                fresh.unlink()

    def _apply(self, kind: str, key: str, entry: Entry | None) -> None:
        if entry is None:
            self.entries[kind].pop(key, None)
        else:
            self.entries[kind][key] = entry

    def _load(self, path: Path) -> None:
        first, *lines = path.read_text(encoding="utf-8").split("\n")
        head = _parsed(first)
        if not isinstance(head, list) or head[:1] != [KIND]:
            raise WrongState(f"{path} is no state file of flask okta sync; name another one with --state.")
        if head[1] != self.base:
            raise WrongState(f"{path} remembers the ids of {head[1]}, not of {self.base}; use another --state FILE.")
        for line in lines:
            step = _parsed(line)
            if isinstance(step, list) and len(step) == 3 and step[0] in self.entries:
                self._apply(*step)
        if lines[-1:] != [""]:
            self.save()  # the last line was torn when the run before was killed; what it said is looked up again


def _line(values: list[Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n"


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
