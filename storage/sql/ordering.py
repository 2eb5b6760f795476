"""Orders as SQL over `resources r`, for sorting and for pages that go on after a key (RFC 7644 section 3.4.2.3)."""

from dataclasses import dataclass
from typing import Any

from schemas.resource import Bound
from storage.sql.columns import CONDITION, rows, scalar
from storage.sql.fragments import Sql

NEVER_MISSING = {("id",), ("meta", "created"), ("meta", "lastModified")}
SEQUENCE = "r.seq"
# A cursor has the key in a URL, which servers limit to about 8 KiB; longer texts that begin alike count as equal.
LONGEST_KEY = 256


@dataclass(frozen=True, slots=True)
class Order:
    """An order of resources; `key` is an expression over `r`, NULL where the value is missing if `may_miss`.

    Missing values come last ascending and first descending. Resources with equal keys are in the order of creation,
    ascending or descending.
    """

    key: str
    descending: bool
    may_miss: bool

    @property
    def missing(self) -> str:
        """An expression that is 1 if the value is missing, else 0."""
        return f"{self.key} IS NULL" if self.may_miss else "0"

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms of ORDER BY before `r.seq`."""
        if self.key == SEQUENCE:
            return (f"{SEQUENCE} DESC",) if self.descending else ()
        direction = " DESC" if self.descending else ""
        nulls = (" NULLS FIRST" if self.descending else " NULLS LAST") if self.may_miss else ""
        return (f"{self.key}{direction}{nulls}",)

    def after(self, key: Any, seq: int) -> Sql:
        """Return the condition for the resources after the one with a key (None if missing) and a sequence number."""
        if self.key == SEQUENCE:
            return Sql(f"{SEQUENCE} {'<' if self.descending else '>'} ?", (seq,))
        if key is None:
            rest = f" OR {self.key} IS NOT NULL" if self.descending else ""
            return Sql(f"({self.key} IS NULL AND {SEQUENCE} > ?{rest})", (seq,))
        beyond = "<" if self.descending else ">"
        rest = f" OR {self.key} IS NULL" if self.may_miss and not self.descending else ""
        text = f"({self.key} {beyond}= ? AND ({self.key} {beyond} ? OR {SEQUENCE} > ?){rest})"
        return Sql(text, (key, key, seq))


def order_by(bound: Bound | None, descending: bool = False) -> Order:
    """Return the order by an attribute; None is the order of creation (RFC 7644 section 3.4.2.3).

    A multi-valued attribute sorts by its primary value, else its first; a complex one by its `value`. Text is folded
    unless caseExact.

    :raises ValueError: when a complex attribute has no `value`.
    """
    if bound is None:
        return Order(SEQUENCE, descending, False)
    valued = bound.valued
    if valued is None:
        raise ValueError(f"'{bound.dotted}' has no value to sort by; name a sub-attribute")
    may_miss, indexed = valued.path not in NEVER_MISSING, False
    if valued.attribute.multiValued:
        name = valued.sub.name if valued.sub else ""
        kept = rows(Bound(valued.extension, valued.attribute), "", frozenset({name}))
        key = kept.first.replace(CONDITION, _without_base(kept.columns[name].sql))
    else:
        kept_alone = scalar(valued.path, valued.leaf, "")
        key, indexed = _without_base(kept_alone.sql), kept_alone.indexed
    # Indexed values are short enough, and a bounded key could not use the index.
    if valued.leaf.kind == "text" and not indexed:
        key = f"substr({key}, 1, {LONGEST_KEY})"
    return Order(key, descending, may_miss)


def _without_base(sql: Sql) -> str:
    """Return an expression without the base URL, which is the same in every value and so does not change the order."""
    return sql.text.replace("?", "''")
