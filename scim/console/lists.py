"""The lists of users and groups: the URL's parameters become SCIM filters, so that there is one query language."""

import json
from dataclasses import dataclass

from schemas.filters import binding
from schemas.filters.parser import parse_filter
from schemas.user import ACCESS_URN
from scim.console.web import here, number, parameter
from scim.web.requests import base_url, perch
from storage.search import ORDERS, Listing
from storage.sql.filters import compile_filter
from storage.sql.fragments import Sql

PER_PAGE = 50
EFFECTIVE = f"{ACCESS_URN}:effectiveRoles"
# The states that a list of users can be limited to, each with its filter and its label.
STATES = {
    "active": "active eq true",
    "deactivated": "active eq false",
    "login": f"active eq true and {EFFECTIVE} pr",
    "without": f"not ({EFFECTIVE} pr)",
}
STATE_LABELS = {
    "": "Everybody",
    "active": "Active",
    "deactivated": "Deactivated",
    "login": "May log in",
    "without": "Without a role",
}
SEARCHED = {"User": ("userName", "displayName", "emails.value"), "Group": ("displayName",)}


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The query of a list: a text to search, filters, the order and the page."""

    text: str = ""
    state: str = ""
    role: str = ""
    group: str = ""
    order: str = "name"
    descending: bool = False
    page: int = 1

    @property
    def filtered(self) -> bool:
        """Whether the query excludes anything."""
        return bool(self.text or self.state or self.role or self.group)


def read_query() -> ListQuery:
    """Read the query from the URL; unknown states and orders are ignored."""
    state, order = parameter("state"), parameter("sort")
    return ListQuery(
        parameter("q"),
        state if state in STATES else "",
        parameter("role"),
        parameter("group"),
        order if order in ORDERS else "name",
        parameter("dir") == "down",
        number("page"),
    )


def listing(type_name: str, query: ListQuery) -> Listing:
    """Return the database query for a list of users or groups."""
    conditions = [_compiled(type_name, text) for text in filter_texts(query)]
    searched = SEARCHED[type_name] if query.text else ()
    any_of = [_compiled(type_name, f"{name} sw {quoted(query.text)}") for name in searched]
    return Listing(type_name, conditions, any_of, query.order, query.descending)


def filter_texts(query: ListQuery) -> list[str]:
    """Return the SCIM filters that must all match."""
    found = [STATES[query.state]] if query.state else []
    if query.role:
        found.append(f"{EFFECTIVE}.value eq {quoted(query.role)}")
    if query.group:
        found.append(f"groups.value eq {quoted(query.group)}")
    return found


def quoted(text: str) -> str:
    """Return text as a string literal of a filter (RFC 7644 section 3.4.2.2)."""
    return json.dumps(text)


def _compiled(type_name: str, text: str) -> Sql:
    schema = perch().resource_types[type_name].schema
    return compile_filter(binding.bind(parse_filter(text), schema), base_url())


def offset(page: int) -> int:
    """Return the number of rows before a page."""
    return (page - 1) * PER_PAGE


@dataclass(frozen=True, slots=True)
class Pager:
    """The place of a page among all matching rows."""

    page: int
    shown: int
    total: int

    @property
    def first(self) -> int:
        """The number of the first row that is shown, counted from 1."""
        return offset(self.page) + 1 if self.shown else 0

    @property
    def last(self) -> int:
        """The number of the last row that is shown."""
        return offset(self.page) + self.shown

    @property
    def earlier(self) -> str | None:
        """The URL of the previous page."""
        return here(page=self.page - 1 if self.page > 2 else None) if self.page > 1 else None

    @property
    def later(self) -> str | None:
        """The URL of the next page."""
        return here(page=self.page + 1) if self.last < self.total and self.shown else None


def sorted_by(name: str, query: ListQuery) -> tuple[str, str]:
    """Return the URL that sorts by a column, reversed if it is the current one, and its aria-sort."""
    current = query.order == name
    down = current and not query.descending
    state = "none" if not current else "descending" if query.descending else "ascending"
    return here(sort=name, dir="down" if down else None, page=None), state
