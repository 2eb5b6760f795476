"""Replays a golden dialogue: the requests of a client, step by step, and the answers that it must get.

A file holds `title`, `client` (okta, entra or generic), `source`, `steps`, and where needed `settings` (of the app),
`keyOptions` (of `flask keys create`) and `commands` (`flask` commands that prepare the catalogue).

A step holds `name`, `request` (`method`, `path`, `headers`, `body`), `expect` (`status`, `headers`, `body`), `capture`
and `repeat`. Paths are written in plain text and are percent-encoded here. `{{name}}` stands for a captured value, for
`key`, `basic`, `base` (the path of the base URL), or in a repeated step for `n`. A value to capture is named by a JSON
pointer into the body (`*` for every element of a list; `""` for the whole) or by a header's name; a name that ends in
`+` collects over several steps, and `distinct` in `expect` says how many different values it holds by now.

Expected bodies are partial: an object holds at least the named members, a list exactly the given elements. `status`
may be a list of allowed ones. PLACEHOLDERS and OPERATORS stand for values that differ from run to run.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.client import Answer, ScimClient

Dialogue = dict[str, Any]
Step = dict[str, Any]
MISSING: Any = object()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


PLACEHOLDERS: dict[str, Callable[[Any], bool]] = {
    "$any": lambda value: value is not MISSING,
    "$string": lambda value: isinstance(value, str) and value != "",
    "$number": _is_number,
    "$absent": lambda value: value is MISSING,
    # Unassigned in any form (RFC 7643 section 2.5).
    "$empty": lambda value: value is MISSING or value in (None, [], "", {}),
}


def load(file: Path) -> Dialogue:
    """Read one dialogue."""
    dialogue: Dialogue = json.loads(file.read_text(encoding="utf-8"))
    return dialogue


def replay(dialogue: Dialogue, client: ScimClient) -> None:
    """Send every step; raises AssertionError that shows the step, the exchange and each difference."""
    __tracebackhide__ = True
    variables: dict[str, Any] = {"key": client.key, "basic": client.basic, "base": client.base_path}
    for number, step in enumerate(dialogue["steps"], start=1):
        for turn in range(1, step.get("repeat", 1) + 1):
            variables["n"] = turn
            request = fill(step["request"], variables)
            answer = send(client, request)
            found = list(differences(fill(step["expect"], variables), answer, variables))
            if found:
                raise AssertionError(report(dialogue, number, step, request, answer, found))
            capture(step.get("capture", {}), answer, variables)


def send(client: ScimClient, request: dict[str, Any]) -> Answer:
    """Send the request of one step."""
    path, mark, query = request["path"].partition("?")
    url = quote(path, safe="/:@") + mark + quote(query, safe="=&:/?$,;@!()'[]")
    return client.request(request["method"], url, request.get("body"), request.get("headers"))


def fill(template: Any, variables: dict[str, Any]) -> Any:
    """Fill in variables for `{{name}}`; a string of one placeholder only becomes the value itself, of any type."""
    if isinstance(template, dict):
        return {fill(name, variables): fill(value, variables) for name, value in template.items()}
    if isinstance(template, list):
        return [fill(value, variables) for value in template]
    if not isinstance(template, str):
        return template
    if whole := re.fullmatch(r"\{\{(\w+)\}\}", template):
        return variables[whole[1]]
    return re.sub(r"\{\{(\w+)\}\}", lambda match: str(variables[match[1]]), template)


def capture(wanted: dict[str, str], answer: Answer, variables: dict[str, Any]) -> None:
    """Keep values of `answer` under their names for later steps."""
    for name, source in wanted.items():
        is_header = source != "" and not source.startswith("/")
        values = [answer.headers[source]] if is_header else list(look_up(answer.body, source))
        if name.endswith("+"):
            variables.setdefault(name[:-1], []).extend(values)
        else:
            variables[name] = values[0]


def look_up(document: Any, pointer: str) -> Iterator[Any]:
    """Yield the values that a JSON pointer (RFC 6901) finds; `*` stands for every element of a list."""
    if pointer == "":
        yield document
        return
    head, _, rest = pointer[1:].partition("/")
    rest = f"/{rest}" if rest else ""
    name = head.replace("~1", "/").replace("~0", "~")
    if isinstance(document, list):
        for element in document if name == "*" else [document[int(name)]]:
            yield from look_up(element, rest)
    else:
        yield from look_up(document[name], rest)


def differences(expect: dict[str, Any], answer: Answer, variables: dict[str, Any]) -> Iterator[str]:
    """Yield each difference of `answer` from `expect` as one line."""
    status = expect["status"]
    if answer.status not in (status if isinstance(status, list) else [status]):
        yield f"status: expected {status}, got {answer.status}"
    for name, wanted in expect.get("headers", {}).items():
        yield from compare(wanted, answer.headers.get(name, MISSING), f"header {name}")
    if "body" in expect:
        yield from compare(expect["body"], answer.body, "body")
    for name, wanted in expect.get("distinct", {}).items():
        got = len(set(variables.get(name, [])))
        if got != wanted:
            yield f"distinct values of {name}: expected {wanted}, got {got}"


def compare(wanted: Any, got: Any, where: str) -> Iterator[str]:
    """Yield the differences of a value, and of all inside it, from the wanted one."""
    if isinstance(wanted, str) and wanted in PLACEHOLDERS:
        if not PLACEHOLDERS[wanted](got):
            yield f"{where}: expected {wanted}, got {show(got)}"
    elif isinstance(wanted, dict) and len(wanted) == 1 and next(iter(wanted)) in OPERATORS:
        operator, operand = next(iter(wanted.items()))
        yield from OPERATORS[operator](operand, got, where)
    elif isinstance(wanted, dict) and isinstance(got, dict):
        for name, value in wanted.items():
            yield from compare(value, got.get(name, MISSING), f"{where}/{name}")
    elif isinstance(wanted, list) and isinstance(got, list):
        if len(wanted) != len(got):
            yield f"{where}: expected {len(wanted)} elements, got {len(got)}: {show(got)}"
        for index, (value, other) in enumerate(zip(wanted, got, strict=False)):
            yield from compare(value, other, f"{where}/{index}")
    elif isinstance(wanted, bool) is not isinstance(got, bool) or wanted != got:
        yield f"{where}: expected {show(wanted)}, got {show(got)}"


def contains(operand: Any, got: Any, where: str) -> Iterator[str]:
    """Check that a text contains the operand, or that a list contains its elements in any order."""
    if isinstance(operand, str):
        if not isinstance(got, str) or operand not in got:
            yield f"{where}: expected text with {show(operand)}, got {show(got)}"
        return
    elements = got if isinstance(got, list) else []
    for wanted in operand:
        if not any(not list(compare(wanted, element, where)) for element in elements):
            yield f"{where}: no element like {show(wanted)} in {show(got)}"


def members(operand: list[Any], got: Any, where: str) -> Iterator[str]:
    """Check that a list has exactly the operand's elements, in any order."""
    yield from contains(operand, got, where)
    if isinstance(got, list) and len(got) != len(operand):
        yield f"{where}: expected {len(operand)} elements, got {len(got)}: {show(got)}"


def length(operand: int, got: Any, where: str) -> Iterator[str]:
    """Check the number of elements of a list."""
    if not isinstance(got, list) or len(got) != operand:
        yield f"{where}: expected a list of {operand}, got {show(got)}"


OPERATORS: dict[str, Callable[[Any, Any, str], Iterator[str]]] = {
    "$contains": contains,
    "$members": members,
    "$length": length,
}


def show(value: Any) -> str:
    """Return a value as JSON on one line, cut if it is long."""
    if value is MISSING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 600 else f"{text[:600]}… ({len(text)} characters)"


def report(
    dialogue: Dialogue, number: int, step: Step, request: dict[str, Any], answer: Answer, found: list[str]
) -> str:
    """Return the request, the answer and the differences of a step that failed."""
    return "\n".join(
        [
            f"{dialogue['title']}: step {number}, {step['name']}",
            f"  > {request['method']} {request['path']} {show(request.get('headers', {}))}",
            f"  > {show(request.get('body'))}",
            f"  < {answer.status} {show(answer.body)}",
            *(f"  ! {line}" for line in found),
            f"  source: {dialogue['source']}",
        ]
    )
