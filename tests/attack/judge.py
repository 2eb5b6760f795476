"""Judges answers and the server's log: what counts as a finding, and how findings are kept."""

import json
import re
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.attack.client import Answer
from tests.attack.inputs import Input
from tests.support.hostile import ERROR

LONGEST_S = 2.0
# Answers of 500 or more that say no more than what the client did: not supported, and the version of HTTP.
RIGHT_5XX = (501, 505)
FINDINGS = (
    "5xx", "over 2 s", "no SCIM error", "no answer", "accepted", "dead worker", "traceback", "data", "integrity",
    "dialogue",
)  # fmt: skip
SCIM_TARGET = re.compile(r"\{BASE\}|\{WORKSPACE\}/(events|jwks\.json)")
BULK_5XX = re.compile(rb'"status": ?"5(?!01)')
# How many findings of a kind are written, with how many inputs before each.
MOST_WRITTEN, BEFORE = 20, 60


def judge(sent: Input, answer: Answer, longest: float = LONGEST_S) -> list[tuple[str, str]]:
    """Return the kind and the reason of each finding in the answer to an input, which still has its placeholders."""
    found = []
    if answer.status == 0 and not sent.raw and not answer.hung_up:
        found.append(("no answer", answer.problem))
    if answer.status >= 500 and not is_right(sent, answer):
        found.append(("5xx", f"{answer.status} {answer.body[:500]!r}"))
    if BULK_5XX.search(answer.body) and sent.target.startswith("{BASE}/Bulk"):
        found.append(("5xx", f"in a result of Bulk: {answer.body[:2000]!r}"))
    if answer.seconds > longest and not answer.hung_up:
        found.append(("over 2 s", f"{answer.seconds:.1f} s, status {answer.status}"))
    if problem := scim_problem(sent, answer):
        found.append(("no SCIM error", problem))
    if sent.forbidden and 200 <= answer.status < 300:
        found.append(("accepted", f"{answer.status} {answer.body[:500]!r}"))
    return found


def is_right(sent: Input, answer: Answer) -> bool:
    """Tell whether an answer of 500 or more is right: 503 asks an unknown caller whose body was late to come again."""
    late = answer.body.count(b"did not come together")
    if sent.raw:
        statuses = re.findall(rb"HTTP/1\.1 (5\d\d)", answer.body)
        return late >= sum(int(each) not in RIGHT_5XX for each in statuses)
    return answer.status in RIGHT_5XX or (answer.status == 503 and sent.anonymous and bool(sent.body) and late > 0)


def scim_problem(sent: Input, answer: Answer) -> str:
    """Return why an error under the SCIM root or the events is no complete SCIM error (RFC 7644 section 3.12)."""
    if sent.raw or answer.status < 400 or sent.method == "HEAD" or not SCIM_TARGET.match(sent.target):
        return ""
    if not answer.headers.get("content-type", "").startswith("application/scim+json"):
        return f"{answer.status} with {answer.headers.get('content-type')!r}: {answer.body[:300]!r}"
    try:
        document: Any = json.loads(answer.body)
        right = document["schemas"] == [ERROR] and document["status"] == str(answer.status)
        right = right and bool(document["detail"].strip())
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return f"{answer.status} {error!r}: {answer.body[:300]!r}"
    return "" if right else f"{answer.status}: {answer.body[:300]!r}"


@dataclass
class Findings:
    """Counts inputs and findings, and writes findings to files in `folder`."""

    folder: Path
    seed: int
    longest: float = LONGEST_S
    inputs: int = 0
    found: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    files: list[Path] = field(default_factory=list)
    recent: deque[Input] = field(default_factory=lambda: deque(maxlen=BEFORE))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, sent: Input, answer: Answer) -> None:
        """Count an input and judge its answer."""
        found = judge(sent, answer, self.longest)
        with self.lock:
            self.inputs += 1
            self.kinds[sent.kind] += 1
            self.statuses[answer.status] += 1
            self.slowest = max(self.slowest, 0.0 if answer.hung_up else answer.seconds)
            for kind, reason in found:
                self._add(kind, reason, [sent])
            self.recent.append(sent)

    def add(self, kind: str, reason: str) -> None:
        """Add a finding that belongs to no single input; the last inputs are written with it."""
        with self.lock:
            self._add(kind, reason, [])

    def _add(self, kind: str, reason: str, inputs: Sequence[Input]) -> None:
        self.found[kind] += 1
        if self.found[kind] > MOST_WRITTEN:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"finding-{len(self.files) + 1}-{kind.replace(' ', '-')}.json"
        document = {
            "kind": kind, "reason": reason[:4000], "seed": self.seed,
            "inputs": [each.to_json() for each in inputs or self.recent],
            "before": [each.to_json() for each in self.recent] if inputs else [],
        }  # fmt: skip
        file.write_text(json.dumps(document, indent=1), encoding="utf-8")
        self.files.append(file)

    def report(self) -> str:
        """Return the counts as lines."""
        lines = [f"{self.inputs} inputs, slowest answer {self.slowest:.2f} s"]
        lines.append("by kind: " + ", ".join(f"{name} {count}" for name, count in sorted(self.kinds.items())))
        lines.append("by status: " + ", ".join(f"{name} {count}" for name, count in sorted(self.statuses.items())))
        lines.append("findings: " + ", ".join(f"{name} {self.found[name]}" for name in FINDINGS))
        return "\n".join([*lines, *(f"  {file}" for file in self.files)])
