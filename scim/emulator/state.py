"""Remembers between two syncs the ids at the server and what was written last, in a file.

Each change is one line of JSON, appended at once, so that an interrupted sync continues where it stopped. At its end
the file is rewritten atomically with one line per person and group.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

Record = dict[str, Any]
HEADER = "okta state"


class InvalidState(ValueError):
    """The file is not a state file, or belongs to another server; the message says what to do."""


class SyncState:
    """The people and groups that a sync brought to one server, by their ids in the organisation.

    A record of `people` has `id`, `login`, `active` and `sent`, one of `groups` has `id`, `name`, `members` and `sent`.
    Without a path the state is kept in memory only.
    """

    def __init__(self, path: Path | None, base: str) -> None:
        self.path = path
        self.base = base
        self.people: dict[str, Record] = {}
        self.groups: dict[str, Record] = {}
        self._kinds = {"people": self.people, "groups": self.groups}
        if path is not None and path.exists():
            self._load(path)

    def remember(self, kind: str, identifier: str, record: Record | None) -> None:
        """Write a record at once; None deletes it."""
        self._apply(kind, identifier, record)
        if self.path is not None:
            if not self.path.exists():
                self.save()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line([kind, identifier, record]))

    def save(self) -> None:
        """Rewrite the file atomically."""
        if self.path is None:
            return
        new = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with new.open("w", encoding="utf-8") as file:
                file.write(_line([HEADER, self.base, 1]))
                for kind, records in self._kinds.items():
                    file.writelines(_line([kind, *item]) for item in records.items())
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
        finally:
            with suppress(FileNotFoundError):
                new.unlink()

    def _apply(self, kind: str, identifier: str, record: Record | None) -> None:
        if record is None:
            self._kinds[kind].pop(identifier, None)
        else:
            self._kinds[kind][identifier] = record

    def _load(self, path: Path) -> None:
        first, *lines = path.read_text(encoding="utf-8").split("\n")
        header = _parsed(first)
        if header[:1] != [HEADER]:
            raise InvalidState(f"{path} is no state file of a sync; name another file with --state.")
        if header[1] != self.base:
            raise InvalidState(f"{path} holds ids of {header[1]}, not of {self.base}; name another file with --state.")
        for change in map(_parsed, lines):
            if len(change) == 3 and change[0] in self._kinds:
                self._apply(*change)
        if lines[-1:] != [""]:
            self.save()  # a killed sync left half a line; the next sync looks that resource up again


def _line(values: list[Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n"


def _parsed(line: str) -> list[Any]:
    """Return the list in a line; an empty one where the line is cut off or holds something else."""
    with suppress(ValueError):
        found = json.loads(line)
        return found if isinstance(found, list) else []
    return []
