"""Which attributes an answer has: `attributes`, `excludedAttributes`, `returned` (RFC 7644 section 3.9)."""

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.errors import InvalidValue
from schemas.fields import Attribute, Complex, is_unassigned
from schemas.resource import ResourceSchema, UnknownAttribute

# A tree of declared names; True stands for a whole attribute.
Tree = dict[str, Any]


class Projection:
    """A choice of a schema's attributes (RFC 7644 section 3.9)."""

    def __init__(self, schema: ResourceSchema, tree: Tree, *, excluding: bool) -> None:
        self._fields = schema.by_key
        self._tree = tree
        self._excluding = excluding
        self.is_default = excluding and not tree

    @classmethod
    def parse(cls, attributes: list[str] | None, excluded: list[str] | None, schema: ResourceSchema) -> "Projection":
        """Read the names of `attributes` or `excludedAttributes`, in any case; unknown ones are ignored.

        :raises InvalidValue: when both are given.
        """
        if not attributes and not excluded:
            return cls(schema, {}, excluding=True)
        asked, left_out = _split(attributes), _split(excluded)
        if asked and left_out:
            raise InvalidValue("attributes: cannot be combined with excludedAttributes; send one of them.")
        return cls(schema, _tree(asked or left_out, schema), excluding=not asked)

    def wants(self, name: str) -> bool:
        """Tell whether an attribute or an extension, by its key in documents, can appear in an answer."""
        field = self._fields.get(name)
        if field is None:
            return False
        node, returned = self._tree.get(name), field.returned
        if returned in ("always", "never"):
            return returned == "always"
        if self._excluding:
            return returned == "default" and node is not True
        return node is not None

    def apply(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document with the chosen attributes only; `schemas` stays as it is (RFC 7644 section 3.9)."""
        return _chosen(document, self._tree, self._fields, self._excluding)


def _split(names: Iterable[str] | None) -> list[str]:
    parts = (part.strip() for name in names or () for part in name.split(","))
    return [part for part in parts if part]


def _tree(names: Iterable[str], schema: ResourceSchema) -> Tree:
    tree: Tree = {}
    for name in names:
        for path in _paths(name, schema):
            _insert(tree, path)
    return tree


def _paths(name: str, schema: ResourceSchema) -> list[tuple[str, ...]]:
    """Return the paths of keys in a document that a name stands for; none for an unknown one."""
    whole = schema.declared_urn(name)
    if whole is not None:
        return [(key,) for key in schema.core] if whole == schema.urn else [(whole,)]
    urn, _, attribute = name.rpartition(":")
    attribute, _, sub = attribute.partition(".")
    try:
        return [schema.resolve(urn or None, attribute, sub or None).path]
    except UnknownAttribute:
        return []


def _insert(tree: Tree, path: tuple[str, ...]) -> None:
    for key in path[:-1]:
        if tree.get(key) is True:
            return
        tree = tree.setdefault(key, {})
    tree[path[-1]] = True


def _chosen(values: Mapping[str, Any], tree: Tree, fields: Mapping[str, Attribute], excluding: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        field, node = fields.get(key), tree.get(key)
        if field is None or field.returned == "never" or (excluding and field.returned == "request"):
            continue
        if field.returned == "always" or (node is None if excluding else node is True):
            found[key] = _inside(value, field, {}, True)
        elif isinstance(node, dict):
            inner = _inside(value, field, node, excluding)
            # Nothing is left of a value of which no part is wanted; the empty list of a group's members stays.
            if not is_unassigned(inner) or value == []:
                found[key] = inner
    return found


def _inside(value: Any, field: Attribute, tree: Tree, excluding: bool) -> Any:
    """Choose from an object, or from each object of an array; plain values stay."""
    if not isinstance(field, Complex):
        return value
    if isinstance(value, Mapping):
        return _chosen(value, tree, field.subAttributes, excluding)
    if not isinstance(value, list):
        return value
    chosen = (_inside(item, field, tree, excluding) for item in value)
    return [item for item in chosen if not is_unassigned(item)]
