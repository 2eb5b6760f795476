"""The nodes of filters: as written (RFC 7644 section 3.4.2.2), and bound to the attributes of a schema."""

from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from schemas.fields import Attribute
from schemas.resource import Bound

LiteralValue: TypeAlias = str | bool | int | float | None
Node = TypeVar("Node")


@dataclass(frozen=True, slots=True)
class AttrPath:
    """An `attrPath` as written: URN or None, attribute, sub-attribute or None; `column` is 1-based."""

    urn: str | None
    name: str
    sub: str | None
    column: int

    @property
    def text(self) -> str:
        """The whole path as written; equal to an extension's URN when the path names the extension itself."""
        name = f"{self.name}.{self.sub}" if self.sub else self.name
        return f"{self.urn}:{name}" if self.urn else name


@dataclass(frozen=True, slots=True)
class Comparison:
    """An `attrExp`: path, operator in lower case and literal (None for `pr`) with its 1-based column."""

    path: AttrPath
    operator: str
    value: LiteralValue
    column: int


@dataclass(frozen=True, slots=True)
class ValuePath:
    """A `valuePath`: some element of the attribute matches the filter, whose names are sub-attributes."""

    path: AttrPath
    filter: "FilterNode"


@dataclass(frozen=True, slots=True)
class And(Generic[Node]):
    """Every term holds."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or(Generic[Node]):
    """Some term holds."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not(Generic[Node]):
    """The term does not hold; there is no third value, since a comparison with a missing attribute is false."""

    term: Node


FilterNode: TypeAlias = Comparison | ValuePath | And["FilterNode"] | Or["FilterNode"] | Not["FilterNode"]


@dataclass(frozen=True, slots=True)
class PatchPath:
    """A PATCH path (RFC 7644 section 3.5.2); `sub` is the sub-attribute, written before or after a filter, or None."""

    path: AttrPath
    filter: "FilterNode | None"
    sub: str | None


@dataclass(frozen=True, slots=True)
class Leaf:
    """A comparison with a single value; `path` are its keys in the document, or in the element inside `Elements`.

    The operator is one of pr eq co sw ew gt ge lt le, since `ne`, `eq null` and `ne null` are bound as negations.
    `value` is ready to compare, as `comparable` of the evaluation returns it.
    """

    path: tuple[str, ...]
    attribute: Attribute
    operator: str
    value: str | bool | int | float | None = None

    @property
    def missing_is_false(self) -> bool:
        """Whether a missing value counts as false: so for `primary` (RFC 7643 section 2.4)."""
        return self.attribute.kind == "boolean" and self.attribute.name == "primary" and self.operator != "pr"


@dataclass(frozen=True, slots=True)
class Elements:
    """Some element of a multi-valued attribute matches the filter."""

    bound: Bound
    filter: "BoundNode"


@dataclass(frozen=True, slots=True)
class Constant:
    """The same answer for every resource."""

    value: bool


BoundNode: TypeAlias = Leaf | Elements | Constant | And["BoundNode"] | Or["BoundNode"] | Not["BoundNode"]


def leaf_count(node: "BoundNode") -> int:
    """Return how many comparisons a filter has."""
    if isinstance(node, And | Or):
        return sum(map(leaf_count, node.terms))
    return leaf_count(node.term) if isinstance(node, Not) else 1
