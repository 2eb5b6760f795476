"""Which attributes an answer holds: `attributes`, `excludedAttributes`, `returned` (RFC 7644 section 3.9)."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from schemas.errors import InvalidValue
from schemas.fields import Attribute, Complex, is_unassigned
from schemas.resource import ResourceType, UnknownAttribute

# A tree of canonical names; True stands for an attribute with all that belongs to it.
Tree = dict[str, Any]


class Projection:
    """A choice of attributes for one resource type (RFC 7644 section 3.9)."""

    def __init__(self, resource_type: ResourceType, tree: Tree, *, excluding: bool) -> None:
        self._fields = resource_type.fields
        self._names = {name.lower(): name for name in self._fields}
        self._tree = tree
        self._excluding = excluding
        self.is_default = excluding and not tree

    @classmethod
    def parse(
        cls, attributes: list[str] | None, excluded: list[str] | None, resource_type: ResourceType
    ) -> "Projection":
        """Read the names of `attributes` or `excludedAttributes`, in any case; unknown ones are ignored.

        :raises InvalidValue: when both are given.
        """
        if not attributes and not excluded:
            return _everything(resource_type)
        asked, left_out = _split(attributes), _split(excluded)
        if asked and left_out:
            raise InvalidValue("attributes: cannot be combined with excludedAttributes; send one of them.")
        return cls(resource_type, _tree(asked or left_out, resource_type), excluding=not asked)

    def wants(self, name: str) -> bool:
        """Tell whether a top-level attribute or extension URN can appear in an answer (RFC 7643 section 2.2)."""
        key = self._names.get(name.lower())
        if key is None:
            return False
        node, returned = self._tree.get(key), self._fields[key].returned
        if returned in ("always", "never"):
            return returned == "always"
        if self._excluding:
            return returned == "default" and node is not True
        return node is not None

    def apply(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document with the chosen attributes only; `schemas` stays as it is (RFC 7644 section 3.9)."""
        if self._excluding:
            return _omit(document, self._tree, self._fields)
        return _pick(document, self._tree, self._fields)


@cache
def _everything(resource_type: ResourceType) -> Projection:
    return Projection(resource_type, {}, excluding=True)


def _split(names: Iterable[str] | None) -> list[str]:
    parts = (part.strip() for name in names or () for part in name.split(","))
    return [part for part in parts if part]


def _tree(names: Iterable[str], resource_type: ResourceType) -> Tree:
    tree: Tree = {}
    for name in names:
        for path in _paths(name, resource_type):
            _insert(tree, path)
    return tree


def _paths(name: str, resource_type: ResourceType) -> list[tuple[str, ...]]:
    """Return the document keys that lead to what a name means; none for an unknown one."""
    if name.lower() == resource_type.urn.lower():
        return [(key,) for key in resource_type.core]
    extension = resource_type.extension(name)
    if extension is not None:
        return [(extension.name,)]
    urn, _, attribute = name.rpartition(":")
    attribute, _, sub = attribute.partition(".")
    try:
        return [resource_type.resolve(urn or None, attribute, sub or None).path]
    except UnknownAttribute:
        return []


def _insert(tree: Tree, path: tuple[str, ...]) -> None:
    for key in path[:-1]:
        if tree.get(key) is True:
            return
        tree = tree.setdefault(key, {})
    tree[path[-1]] = True


def _pick(values: Mapping[str, Any], tree: Tree, fields: Mapping[str, Attribute]) -> dict[str, Any]:
    picked: dict[str, Any] = {}
    for key, value in values.items():
        field, node = fields.get(key), tree.get(key)
        if field is None or field.returned == "never":
            continue
        if node is True or field.returned == "always":
            picked[key] = _inside(value, field, {}, _omit)
        elif node is not None:
            inner = _inside(value, field, node, _pick)
            if not is_unassigned(inner):
                picked[key] = inner
    return picked


def _omit(values: Mapping[str, Any], tree: Tree, fields: Mapping[str, Attribute]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in values.items():
        field, node = fields.get(key), tree.get(key)
        if field is None or field.returned in ("never", "request"):
            continue
        if field.returned == "always" or node is None:
            kept[key] = _inside(value, field, {}, _omit)
        elif node is not True:
            inner = _inside(value, field, node, _omit)
            if not is_unassigned(inner):
                kept[key] = inner
    return kept


def _inside(value: Any, field: Attribute, tree: Tree, choose: Any) -> Any:
    """Apply `choose` to an object or to each object of an array; plain values stand for their `value`."""
    if not isinstance(field, Complex):
        return value
    if isinstance(value, Mapping):
        return choose(value, tree, field.subAttributes)
    if not isinstance(value, list):
        return value
    chosen = (_inside(item, field, tree, choose) if isinstance(item, Mapping) else item for item in value)
    return [item for item in chosen if not is_unassigned(item)]
