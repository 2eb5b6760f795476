"""Filters as SQL over `resources r`; every literal of the filter is a bound value (RFC 7644 section 3.4.2.2)."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from sqlite3 import Connection
from typing import TypeGuard
from urllib.parse import quote

from schemas.datetimes import normalise_instant
from schemas.filters.nodes import And, BoundNode, Constant, Elements, Leaf, Not, Or
from schemas.resource import Bound
from schemas.text import compose, fold
from storage.resources import OF_TYPE
from storage.sql.columns import CONDITION, INDEXED, INDEXED_OWNERS, Column, ElementRows, rows, scalar
from storage.sql.fragments import Sql

Resolve = Callable[[Leaf], Column]

TRUE, FALSE = Sql("1"), Sql("0")
SIGNS = {"eq": "=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
NARROW = {("id",), ("userName",), ("externalId",)}
LAST_CHARACTER = "\U0010ffff"


def compile_filter(bound: BoundNode, base: str, type_name: str = "") -> Sql:
    """Return a filter as a condition for `SELECT … FROM resources r WHERE (<text>)`; of one type if it is given.

    `base` is the base URL of resources, such as https://host/workspace/scim/v2, for `$ref` and `meta.location`. Any
    source with the columns of `resources` can be `r`, such as the catalogue. The connection needs
    `register_functions`.
    """
    node, compiler = _normal(bound, True), _Compiler(base)
    return compiler.of_type(node, OF_TYPE[type_name]) if type_name else compiler.condition(node, False)


def compile_total(bound: BoundNode, base: str) -> Sql | None:
    """Return a SELECT that counts the resources that match without looking at `r`, where the elements are enough.

    They are enough when the attribute has its own table, since then only one resource type has the attribute.
    """
    node = _normal(bound, True)
    if not isinstance(node, Elements):
        return None
    used = _names(node.filter)
    kept = rows(node.bound, base, used)
    if not kept.owners or kept.only_each & used:
        return None
    owners = f"SELECT count(*) FROM (SELECT DISTINCT * FROM ({kept.owners}))"
    return _filled(owners, _element(node.filter, kept))


def register_functions(connection: Connection) -> None:
    """Add the functions that conditions use to a connection; the schema of the file uses none."""
    functions = {
        "fold": _of_text(fold),
        "compose": _of_text(compose),
        "instant": _instant,
        "quoted": lambda identifier: quote(str(identifier), safe=":"),
    }
    for name, function in functions.items():
        connection.create_function(name, 1, function, deterministic=True)


def _of_text(form: Callable[[str], str]) -> Callable[[object], str | None]:
    return lambda text: form(text) if isinstance(text, str) else None


def _instant(text: object) -> str | None:
    try:
        return normalise_instant(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _normal(node: BoundNode, positive: bool) -> BoundNode:
    """Return a filter with `not` only around leaves and elements, groups merged and constants folded.

    So brackets nest only where `and` and `or` alternate: SQLite's parser takes about a hundred open ones.
    """
    match node:
        case Not():
            return _normal(node.term, not positive)
        case Constant():
            return Constant(node.value is positive)
        case And() | Or():
            return _merged([_normal(term, positive) for term in node.terms], isinstance(node, And) is positive)
        case Elements():
            inner = _normal(node.filter, True)
            if inner == Constant(False):
                return Constant(not positive)
            node = Elements(node.bound, inner)
    return node if positive else Not(node)


def _merged(terms: Sequence[BoundNode], conjunction: bool) -> BoundNode:
    """Return terms joined by `and` or `or`, terms of the same kind merged, without neutral constants."""
    kind = And if conjunction else Or
    lifted = [inner for term in terms for inner in (term.terms if isinstance(term, kind) else (term,))]
    if Constant(not conjunction) in lifted:
        return Constant(not conjunction)
    kept = tuple(dict.fromkeys(_gathered([term for term in lifted if term != Constant(conjunction)], conjunction)))
    if not kept:
        return Constant(conjunction)
    return kept[0] if len(kept) == 1 else kind(kept)


def _gathered(terms: Sequence[BoundNode], conjunction: bool) -> Iterator[BoundNode]:
    """Yield terms, those on one attribute's elements as one: some match p or some match q, so some match p or q.

    The same holds of `none matches p and none matches q`. A list of look-ups becomes one search of the index.
    """
    filters: dict[Bound, list[BoundNode]] = {}
    for term in terms:
        match term:
            case Elements() if not conjunction:
                filters.setdefault(term.bound, []).append(term.filter)
            case Not(term=Elements() as inner) if conjunction:
                filters.setdefault(inner.bound, []).append(inner.filter)
            case _:
                yield term
    for bound, inner_filters in filters.items():
        elements = Elements(bound, _merged(inner_filters, False))
        yield Not(elements) if conjunction else elements


class _Compiler:
    """Compiles a normal filter; `narrowed` tells that another condition leaves few rows of `r`."""

    def __init__(self, base: str) -> None:
        self.base = base

    def of_type(self, node: BoundNode, of_type: str) -> Sql:
        """Compile a filter with a condition on the type.

        Where each alternative of an `or` has an index, the type stands in each of them instead of before all: else
        SQLite walks the index on the type.
        """
        terms = node.terms if isinstance(node, And) else (node,)
        driving = [term for term in terms if self._is_driven(term)]
        chosen = driving[0] if driving else None
        if not isinstance(chosen, Or) or any(not isinstance(term, Or) for term in driving):
            return Sql(f"{of_type} AND (") + self.condition(node, False) + ")"
        # With `=`, SQLite takes the type out of two alternatives as a condition of its own, and walks its index again.
        of_type = of_type.replace(" = ", " IS ")
        # Terms that ask for equality with one attribute are one, which SQLite makes an IN.
        alternatives: dict[object, list[BoundNode]] = {}
        for term in chosen.terms:
            alternatives.setdefault(term.path if _is_equality(term) else term, []).append(term)
        merged = (Or(tuple(same)) if len(same) > 1 else same[0] for same in alternatives.values())
        each = [Sql(f"({of_type} AND ") + self.condition(term, False) + ")" for term in merged]
        rest = [self.condition(term, False) for term in terms if term is not chosen]
        return _joined([_joined(each, " OR "), *rest], " AND ")

    def _is_driven(self, node: BoundNode) -> bool:
        """Tell whether an index finds the few rows of `r` that match."""
        match node:
            case And():
                return any(map(self._is_driven, node.terms))
            case Or():
                return all(map(self._is_driven, node.terms))
            case Leaf():
                return _is_indexed(node) or _is_look_up(node, scalar(node.path, node.attribute, self.base))
            case Elements():
                if _indexed_part(node.filter):
                    return True
                kept = rows(node.bound, self.base, _names(node.filter))
                return kept.few and _drives(node.filter, kept)
        return False

    def condition(self, node: BoundNode, narrowed: bool) -> Sql:
        """Compile a node over `r`."""
        match node:
            case And():
                narrowed = narrowed or any(_is_equality(term) and term.path in NARROW for term in node.terms)
                return _joined([self.condition(term, narrowed) for term in node.terms], " AND ")
            case Or():
                numbers = {leaf.attribute.number for leaf in _leaves(node)}
                if len(numbers) == 1 and not narrowed and _indexed_part(node):
                    return _by_index(node)
                return _joined([self.condition(term, narrowed) for term in node.terms], " OR ")
            case Elements():
                return self.elements(node, narrowed)
            case Not(term=Elements() as term):
                return Sql("NOT ") + self.elements(term, narrowed)
            case Leaf() if _is_indexed(node) and not narrowed:
                return _by_index(node)
        return _plain(node, lambda leaf: scalar(leaf.path, leaf.attribute, self.base))

    def elements(self, node: Elements, narrowed: bool) -> Sql:
        """Compile "some element matches": by an index that finds the elements, else row by row of `r`."""
        part = None if narrowed else _indexed_part(node.filter)
        if part is not None:
            looked_up = _by_index(part)
            return looked_up if part == node.filter else _joined([looked_up, self.elements(node, True)], " AND ")
        used = _names(node.filter)
        kept = rows(node.bound, self.base, used)
        condition = _element(node.filter, kept)
        each = _filled(kept.each, condition)
        found, in_owners = _drives(node.filter, kept), f"r.seq IN ({kept.owners})"
        if kept.only_each & used:
            terms = node.filter.terms if isinstance(node.filter, And) else (node.filter,)
            weaker = [term for term in terms if not kept.only_each & _names(term)]
            if not weaker or not found or narrowed:
                return each
            return _joined([_filled(in_owners, _element(_merged(weaker, True), kept)), each], " AND ")
        by_owners = kept.owners and not narrowed and (found or kept.everyone)
        return _filled(in_owners, condition) if by_owners else each


def _element(node: BoundNode, kept: ElementRows) -> Sql:
    """Compile a node over the row of an element."""
    if isinstance(node, And | Or):
        connective = " AND " if isinstance(node, And) else " OR "
        return _joined([_element(term, kept) for term in node.terms], connective)
    return _plain(node, lambda leaf: kept.columns[leaf.path[0]])


def _plain(node: BoundNode, resolve: Resolve) -> Sql:
    """Compile a leaf, a negated leaf or a constant."""
    match node:
        case Leaf():
            return _compared(_value(node, resolve), node)
        case Not(term=Leaf() as leaf):
            return _negated(_value(leaf, resolve), leaf)
        case Constant():
            return TRUE if node.value else FALSE
    raise TypeError(f"not in normal form: {node}")


def _value(leaf: Leaf, resolve: Resolve) -> Column:
    column = resolve(leaf)
    if leaf.missing_is_false:
        return Column(Sql("ifnull(") + column.sql + ", 0)")
    return Column(column.stored) if leaf.operator == "pr" and column.stored else column


def _compared(column: Column, leaf: Leaf) -> Sql:
    """Compile a comparison; NULL, for a missing value, counts as false."""
    match leaf.operator:
        case "pr":
            return column.sql + " IS NOT NULL"
        case "co" | "sw" | "ew":
            return _text_match(column, leaf.operator, str(leaf.value))
    return Sql(f"{column.sql.text} {SIGNS[leaf.operator]} ?", (*column.sql.parameters, leaf.value))


def _negated(column: Column, leaf: Leaf) -> Sql:
    """Compile the negation of a comparison: true where the value is missing."""
    if leaf.operator == "pr":
        return column.sql + " IS NULL"
    if leaf.operator == "eq":
        return column.sql + Sql(" IS NOT ?", (leaf.value,))
    return Sql("NOT ifnull(") + _compared(column, leaf) + ", 0)"


def _text_match(column: Column, operator: str, text: str) -> Sql:
    if not text:
        return column.sql + " IS NOT NULL"
    if operator == "co":
        return Sql("instr(") + column.sql + Sql(", ?) > 0", (text,))
    if operator == "ew":
        return Sql("substr(") + column.sql + Sql(", ?) = ?", (-len(text), text))
    return _range(column, text) if column.indexed else Sql("instr(") + column.sql + Sql(", ?) = 1", (text,))


def _range(column: Column, prefix: str) -> Sql:
    """Compile `sw` as a range, with the hint that few rows match, so that SQLite prefers the index of the range."""
    begin = Sql("likelihood(") + column.sql + Sql(" >= ?, 0.001)", (prefix,))
    end = _successor(prefix)
    if end is None:
        return begin
    return Sql("(") + begin + " AND likelihood(" + column.sql + Sql(" < ?, 0.001))", (end,))


def _successor(prefix: str) -> str | None:
    """Return the least text greater than all that start with `prefix`, None if there is none."""
    prefix = prefix.rstrip(LAST_CHARACTER)
    if not prefix:
        return None
    following = ord(prefix[-1]) + 1
    return prefix[:-1] + chr(0xE000 if following == 0xD800 else following)


def _joined(terms: Sequence[Sql], connective: str) -> Sql:
    """Join terms as a balanced tree by length, the longest first, so that SQLite's parser and trees stay shallow."""
    return _halved(sorted(terms, key=lambda term: -len(term.text)), connective)


def _halved(terms: Sequence[Sql], connective: str) -> Sql:
    if len(terms) == 1:
        return terms[0]
    lengths = list(accumulate(len(term.text) for term in terms[:-1]))
    middle = bisect_left(lengths, lengths[-1] / 2) + 1
    first, second = (_halved(half, connective) for half in (terms[:middle], terms[middle:]))
    return Sql("(") + first + connective + second + ")"


def _filled(template: str, condition: Sql) -> Sql:
    return Sql(template.replace(CONDITION, condition.text), condition.parameters * template.count(CONDITION))


def _names(node: BoundNode) -> frozenset[str]:
    """Return the sub-attributes that the filter of elements uses."""
    return frozenset(leaf.path[0] for leaf in _leaves(node))


def _is_equality(node: BoundNode) -> TypeGuard[Leaf]:
    return isinstance(node, Leaf) and node.operator == "eq"


def _leaves(node: BoundNode) -> Iterator[Leaf]:
    match node:
        case Leaf():
            yield node
        case Not():
            yield from _leaves(node.term)
        case And() | Or():
            for term in node.terms:
                yield from _leaves(term)


def _drives(node: BoundNode, kept: ElementRows) -> bool:
    """Tell whether an index finds the elements that match."""
    match node:
        case And():
            return any(_drives(term, kept) for term in node.terms)
        case Or():
            return all(_drives(term, kept) for term in node.terms)
        case Leaf():
            return _is_look_up(node, kept.columns[node.path[0]])
    return False


def _is_look_up(leaf: Leaf, column: Column) -> bool:
    return column.indexed and (leaf.operator == "eq" or (leaf.operator == "sw" and leaf.value != ""))


def _is_indexed(node: BoundNode) -> bool:
    """Tell whether the rows that index declared attributes find the matches of a comparison."""
    if not isinstance(node, Leaf) or node.missing_is_false:
        return False
    return node.attribute.number > 0 and _is_look_up(node, INDEXED)


def _indexed_part(node: BoundNode) -> BoundNode | None:
    """Return the part of a filter of elements whose matches those rows find: a comparison, or several with `or`."""
    if isinstance(node, And):
        parts = [part for part in map(_indexed_part, node.terms) if part is not None]
        return parts[0] if parts else None
    return node if all(map(_is_indexed, node.terms if isinstance(node, Or) else (node,))) else None


def _by_index(node: BoundNode) -> Sql:
    """Compile what `_indexed_part` returns."""
    terms = node.terms if isinstance(node, Or) else (node,)
    condition = _joined([_plain(term, lambda _: INDEXED) for term in terms], " OR ")
    return Sql(f"{INDEXED_OWNERS}{next(_leaves(node)).attribute.number} AND ") + condition + ")"
