"""The workspace file: the catalogue of roles, rules by group name and custom attributes, as tables of TOML."""

import json
import re
from collections.abc import Iterator
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from schemas.declarations import DeclarationSchema
from schemas.fields import LONG_TEXT
from schemas.text import compose
from schemas.user import SLUG

UNKNOWN_KEY = "There is no such key here; remove it or correct its name."
MISSING = "This key is missing."

TEXT: dict[str, Any] = {
    "required": MISSING,
    "null": "This must be text.",
    "invalid": "This must be text, in quotation marks.",
}
NO_TABLES_OF_ROLES = 'This must be tables with a slug each; write [roles."SLUG"] before each.'
WRONG_SLUG = "A slug has 1 to 255 characters without spaces, such as managed:inbox_agent, and is not '.' or '..'."
# As long as a role's name can be that a provider sent, so that each export can be applied.
ENOUGH = validate.Regexp(
    rf"(?s)(?=.*\S).{{1,{LONG_TEXT}}}\Z", error=f"This must have 1 to {LONG_TEXT} characters, not only spaces."
)


class Table(Schema):
    """A table of the file, without unknown keys."""

    class Meta:
        """Not to be found by name."""

        register = False

    error_messages = {"unknown": UNKNOWN_KEY, "type": "This must be a table."}


class RoleTable(Table):
    """A role; its slug is the name of the table."""

    name = fields.String(validate=ENOUGH, error_messages=TEXT)
    description = fields.String(
        validate=validate.Length(max=LONG_TEXT, error=f"This must have at most {LONG_TEXT} characters."),
        error_messages=TEXT,
    )
    granted_by = fields.String(
        validate=validate.OneOf(("any", "scim", "hand"), error='This must be "any", "scim" or "hand".'),
        error_messages=TEXT,
    )


class RuleTable(Table):
    """A rule: the roles of all groups whose name matches."""

    group = fields.String(required=True, validate=ENOUGH, error_messages=TEXT)
    roles = fields.List(
        fields.String(error_messages=TEXT),
        required=True,
        validate=validate.Length(1, error="This must name at least one role."),
        error_messages={"required": MISSING, "invalid": "This must be an array of slugs."},
    )


# The arrays of tables with the schema of a table. Roles are no array: their tables have names.
ARRAYS: dict[str, Schema] = {"group_rules": RuleTable(), "attributes": DeclarationSchema()}
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def load(document: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the sections of a file, empty ones too, and all faults, each with the path of its key.

    Roles are by slug, with the faultless keys of their tables; the other tables are by position, without faulty ones.
    """
    messages: dict[str, Any] = {name: UNKNOWN_KEY for name in document if name != "roles" and name not in ARRAYS}
    found: dict[str, Any] = {name: {} for name in ("roles", *ARRAYS)}
    roles = document.get("roles", {})
    if not isinstance(roles, dict):
        roles, messages["roles"] = {}, NO_TABLES_OF_ROLES
    for slug, table in roles.items():
        wrong: dict[str, Any] = {} if SLUG.fullmatch(slug) else {"_schema": [WRONG_SLUG]}
        try:
            found["roles"][compose(slug)] = RoleTable().load(table)
        except ValidationError as error:
            found["roles"][compose(slug)], wrong = error.valid_data or {}, {**error.messages_dict, **wrong}
        if wrong:
            messages.setdefault("roles", {})[slug] = wrong
    for name, schema in ARRAYS.items():
        tables = document.get(name, [])
        if not isinstance(tables, list):
            tables, messages[name] = [], f"This must be an array of tables; write [[{name}]] before each."
        for position, table in enumerate(tables):
            try:
                found[name][position] = schema.load(table)
            except ValidationError as error:
                messages.setdefault(name, {})[position] = error.messages
    return found, list(faults(messages))


def faults(messages: Any, path: str = "") -> Iterator[str]:
    """Yield each message of nested ones after the path of its key, as TOML writes one: `roles."a:b".name`."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            step = f"[{key}]" if isinstance(key, int) else f"{'.' if path else ''}{quoted(str(key))}"
            yield from faults(inner, path if key == "_schema" else path + step)
    elif isinstance(messages, list):
        for message in messages:
            yield from faults(message, path)
    else:
        yield f"{path}: {messages}"


def quoted(key: str) -> str:
    """Return a key as TOML writes it."""
    return key if BARE_KEY.fullmatch(key) else to_toml(key)


def to_toml(value: Any) -> str:
    """Return a text, number, truth value or array of them in TOML, which JSON is but for characters to escape."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in text)


def dumps(document: dict[str, Any]) -> str:
    """Return a file's sections as TOML (see `load`)."""
    lines: list[str] = []
    for name, section in document.items():
        for key, table in section.items() if isinstance(section, dict) else ((None, table) for table in section):
            head = f"[[{name}]]" if key is None else f"[{name}.{quoted(key)}]"
            lines += [head, *_pairs(name, table), ""]
    return "\n".join(lines)


def _pairs(path: str, table: dict[str, Any]) -> Iterator[str]:
    """Yield a table's lines; those of its arrays of tables come last, as TOML wants it."""
    inner = {
        key: value for key, value in table.items() if isinstance(value, list) and value and isinstance(value[0], dict)
    }
    for key, value in table.items():
        if key not in inner:
            yield f"{quoted(key)} = {to_toml(value)}"
    for key, tables in inner.items():
        for each in tables:
            yield from (f"[[{path}.{key}]]", *_pairs(f"{path}.{key}", each))
