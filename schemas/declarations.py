"""Attributes that a workspace declares beside the built-in ones: one `[[attributes]]` table of its file each."""

import re
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, post_load, validates_schema
from marshmallow import fields as marshmallow_fields

from schemas import group, role, user
from schemas.errors import InvalidValue
from schemas.fields import SHORT_TEXT, Attribute, Boolean, Complex, DateTime, Integer, Reference, String
from schemas.numbers import LARGEST_INTEGER
from schemas.urns import LONGEST_URN, NAME, RESOURCES, SUB_NAME, URN, default_resource, former_names
from schemas.values import invalid_value, sentences

Table = dict[str, Any]


VERSION = re.compile(r"[0-9.]*")
MOST_SUBS, MOST_CANONICAL = 100, 1000


class WholeNumber(Integer):
    """A whole number of 64 bits, as SQLite compares it."""

    def read_one(self, value: Any) -> int:
        number = super().read_one(value)
        if abs(number) > LARGEST_INTEGER:
            raise ValidationError("must be a whole number of at most 64 bits.")
        return number


PLAIN: dict[str, type[Attribute]] = {
    "string": String,
    "boolean": Boolean,
    "integer": WholeNumber,
    "dateTime": DateTime,
    "reference": Reference,
}
TYPES = (*PLAIN, "complex")
# What may differ between two declarations of an attribute without any stored value becoming wrong.
HARMLESS = frozenset(("caseExact", "canonicalValues", "description", "indexed", "uniqueness"))
_SERVED = (
    "urn:perch:", "urn:ietf:params:scim:schemas:core:", "urn:scim:schemas:core:", "urn:ietf:params:scim:api:messages:",
    "urn:scim:api:messages:",
)  # fmt: skip


def is_served(urn: str) -> bool:
    """Tell whether a URN, in any case, or by a former name, is one that Perch serves itself."""
    folded = urn.lower()
    others = {user.ENTERPRISE_URN.lower(), role.URN.lower()} | former_names(user.ENTERPRISE_URN)
    return folded in others or folded.startswith(_SERVED)


def is_core(urn: str) -> bool:
    """Tell whether a URN is that of the resource type User or Group itself."""
    return urn in (user.URN, group.URN)


def title_of(urn: str) -> str:
    """Return the name of a declared URN's schema: its last part that is neither a version nor a resource type."""
    parts = [part for part in urn.split(":")[2:] if part not in RESOURCES and not VERSION.fullmatch(part)]
    return parts[-1] if parts else urn


def _table(made: Any) -> Table:
    """Return the values of a dataclass without its defaults."""
    found = {}
    for each in fields(made):
        value = getattr(made, each.name)
        if each.default is MISSING or value != each.default:
            found[each.name] = list(value) if isinstance(value, tuple) else value
    return found


@dataclass(frozen=True, slots=True)
class SubAttribute:
    """A sub-attribute of a declared complex attribute (RFC 7643 section 2.3.8)."""

    name: str
    type: str
    caseExact: bool = False
    canonicalValues: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A declared attribute: optional, readWrite and returned by default (RFC 7643 section 2.2)."""

    resource: str
    schema: str
    name: str
    type: str
    multiValued: bool = False
    caseExact: bool = False
    canonicalValues: tuple[str, ...] = ()
    uniqueness: str = "none"
    indexed: bool = False
    description: str = ""
    sub: tuple[SubAttribute, ...] = ()

    @property
    def full_name(self) -> str:
        """The name with the schema's URN before it (RFC 7644 section 3.10)."""
        return f"{self.schema}:{self.name}"

    @property
    def key(self) -> str:
        """The full name in the form in which equal names are the same."""
        return self.full_name.lower()

    @property
    def is_unique(self) -> bool:
        """Whether no two resources may have the same value."""
        return self.uniqueness == "server"

    @property
    def has_index(self) -> bool:
        """Whether storage finds resources by its values."""
        return self.indexed or self.is_unique

    @property
    def leaf_is_exact(self) -> bool:
        """Whether case matters in the values that storage indexes: those of the attribute, or of its sub `value`."""
        leaf = next((sub for sub in self.sub if sub.name == "value"), self)
        return leaf.caseExact or leaf.type == "reference"

    def counted(self, count: int) -> str:
        """Return a number of resources of its type, for people."""
        return f"{count:,} {self.resource.lower()}{'' if count == 1 else 's'}"

    def table(self) -> Table:
        """Return the declaration as a table of the workspace file, with defaults left out."""
        found = _table(self)
        if self.sub:
            found["sub"] = [_table(sub) for sub in self.sub]
        if self.resource == default_resource(self.schema):
            del found["resource"]
        return found

    def keeps_values_of(self, earlier: "Declaration") -> bool:
        """Tell whether every value that fits an earlier declaration of the attribute fits this one, unchanged."""
        same = all(
            getattr(self, each.name) == getattr(earlier, each.name)
            for each in fields(self)
            if each.name not in HARMLESS and each.name != "sub"
        )
        types = {sub.name: sub.type for sub in self.sub}
        return same and all(types.get(sub.name) == sub.type for sub in earlier.sub)

    def field(self, number: int = 0) -> Attribute:
        """Return the marshmallow field; storage indexes its values, if it has an index, under `number`."""
        number = number if self.has_index else 0
        if self.type != "complex":
            found = _plain(self, multiValued=self.multiValued, uniqueness=self.uniqueness)
            found.number = number
            return found
        subs = {sub.name: _plain(sub) for sub in self.sub}
        if "value" in subs:
            subs["value"].number = number
        return Complex(subs, self.description, multiValued=self.multiValued, uniqueness=self.uniqueness)


def _plain(declared: Declaration | SubAttribute, **characteristics: Any) -> Attribute:
    """Return the marshmallow field of an attribute without sub-attributes."""
    if declared.type == "reference":
        characteristics["referenceTypes"] = ("external", "uri")
    exact, values = declared.caseExact, declared.canonicalValues
    return PLAIN[declared.type](declared.description, caseExact=exact, canonicalValues=values, **characteristics)


class SubAttributeSchema(Schema):
    """An `[[attributes.sub]]` table; unknown keys are faults."""

    class Meta(Schema.Meta):
        unknown = RAISE

    error_messages = {"unknown": "is no key of this table.", "type": "must be a table of keys and values."}

    name = String(required=True)
    type = String(required=True)
    caseExact = Boolean()
    canonicalValues = String(multiValued=True, maxBytes=SHORT_TEXT)
    description = String(maxBytes=SHORT_TEXT)

    @validates_schema(skip_on_field_errors=False)
    def check(self, data: Table, **options: Any) -> None:
        """Refuse what is no declaration, with all faults by key."""
        if faults := self.faults(data):
            raise ValidationError({key: [text] for key, text in faults.items()})

    def faults(self, data: Table) -> dict[str, str]:
        """Return the faults of the values, by key."""
        return _common_faults(data, SUB_NAME, tuple(PLAIN))

    @post_load
    def make(self, data: Table, **options: Any) -> Any:
        """Return the sub-attribute."""
        return _made(SubAttribute, data)


class DeclarationSchema(SubAttributeSchema):
    """An `[[attributes]]` table; `load` returns a Declaration, and its errors have all faults by key."""

    resource = String()
    schema = String(required=True)
    multiValued = Boolean()
    uniqueness = String()
    indexed = Boolean()
    sub = marshmallow_fields.List(
        marshmallow_fields.Nested(SubAttributeSchema),
        error_messages={"invalid": "must be an array of tables: [[attributes.sub]]."},
    )

    def faults(self, data: Table) -> dict[str, str]:
        return {**_urn_faults(data), **_sub_faults(data), **_index_faults(data), **_common_faults(data, NAME, TYPES)}

    @post_load
    def make(self, data: Table, **options: Any) -> Any:
        """Return the declaration."""
        data.setdefault("resource", default_resource(data["schema"]))
        return _made(Declaration, data)


def _made(shape: type, data: Table) -> Any:
    return shape(**{name: tuple(value) if isinstance(value, list) else value for name, value in data.items()})


def _common_faults(data: Table, pattern: re.Pattern[str], types: Sequence[str]) -> dict[str, str]:
    faults, type_ = {}, data.get("type")
    if "name" in data and not pattern.fullmatch(data["name"]):
        faults["name"] = "must be 1 to 100 letters, digits, - or _, and begin with a letter (RFC 7643 section 2.1)."
    if type_ is not None and type_ not in types:
        faults["type"] = f"must be one of {', '.join(types)}."
    elif data.get("caseExact") and type_ not in ("string", "reference", None):
        faults["caseExact"] = f"is for text, and the type is {type_}; leave it out."
    elif data.get("canonicalValues") and type_ not in ("string", "reference", None):
        faults["canonicalValues"] = f"are texts, and the type is {type_}; leave them out."
    if len(data.get("canonicalValues", ())) > MOST_CANONICAL:
        faults["canonicalValues"] = f"has more than {MOST_CANONICAL} values; they are a hint for people."
    return faults


def _urn_faults(data: Table) -> dict[str, str]:
    urn, resource = data.get("schema"), data.get("resource")
    faults = {}
    if urn is not None and (len(urn) > LONGEST_URN or not URN.fullmatch(urn)):
        faults["schema"] = (
            f"must be a URN of at most {LONGEST_URN} characters, such as "
            "urn:ietf:params:scim:schemas:extension:acme:2.0:User."
        )
    elif urn is not None and is_served(urn):
        faults["schema"] = "is a URN that Perch serves itself; choose one of your organisation."
    if resource is not None and resource not in RESOURCES:
        faults["resource"] = f"must be {' or '.join(RESOURCES)}."
    elif resource is None and urn is not None and not faults and not default_resource(urn):
        faults["resource"] = "is required (User or Group): the URN ends neither with :User nor with :Group."
    return faults


def _sub_faults(data: Table) -> dict[str, str]:
    type_, sub = data.get("type"), data.get("sub", ())
    if type_ == "complex" and not sub:
        return {"sub": "is required for the type complex: declare at least one sub-attribute."}
    if sub and type_ in PLAIN:
        return {"sub": f"is for the type complex, and the type is {type_}; leave it out."}
    names = [one.name.lower() for one in sub if isinstance(one, SubAttribute)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        return {"sub": f"declares '{twice}' twice, ignoring case; declare it once."}
    return {"sub": f"has more than {MOST_SUBS} tables."} if len(sub) > MOST_SUBS else {}


def _index_faults(data: Table) -> dict[str, str]:
    faults, unique = {}, data.get("uniqueness", "none")
    if unique not in ("none", "server"):
        faults["uniqueness"] = 'must be "server", or left out.'
    elif unique == "server" and data.get("type") == "boolean":
        faults["uniqueness"] = "is not possible for the type boolean, which has two values; leave it out."
    names = [one.name for one in data.get("sub", ()) if isinstance(one, SubAttribute)]
    if data.get("type") == "complex" and names and "value" not in names:
        wanted = {"indexed": data.get("indexed"), "uniqueness": unique == "server"}
        missing = "needs a sub-attribute `value` in a complex attribute; declare one, or leave this out."
        faults.update({key: missing for key, asked in wanted.items() if asked})
    return faults


def together(declared: Sequence[Declaration]) -> dict[int, dict[str, list[str]]]:
    """Return the faults of declarations beside each other, by 0-based position and key."""
    faults: dict[int, dict[str, list[str]]] = {}
    names: set[str] = set()
    schemas: dict[str, Declaration] = {}
    for position, one in enumerate(declared):
        first = schemas.setdefault(one.schema.lower(), one)
        if one.key in names:
            faults[position] = {"name": [f"'{one.name}' is declared twice in {one.schema}, ignoring case."]}
        elif first.schema != one.schema:
            faults[position] = {"schema": [f"differs from {first.schema} in case only; write both alike."]}
        elif first.resource != one.resource:
            text = f"must be {first.resource}, as another attribute of {one.schema} has it: a URN is of one type."
            faults[position] = {"resource": [text]}
        names.add(one.key)
    return faults


def check_together(declared: Sequence[Declaration]) -> None:
    """Refuse declarations that do not fit each other.

    :raises InvalidValue: naming the attribute.
    """
    for position, faults in together(declared).items():
        raise InvalidValue(sentences({declared[position].full_name: faults}))


def read_declaration(table: Table) -> Declaration:
    """Return the declaration of a table.

    :raises InvalidValue: with all faults, each with its key.
    """
    try:
        found: Declaration = DeclarationSchema().load(table)
    except ValidationError as error:
        raise invalid_value(error) from None
    return found
