"""The lists of users and groups: the URL's parameters become SCIM filters, so that there is one query language."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from schemas import group as group_schema
from schemas.errors import NotFound
from schemas.filters import binding
from schemas.filters.parser import parse_filter
from schemas.user import ACCESS_URN
from scim.console.web import here, number, parameter
from scim.web.requests import base_url, perch
from storage import resources
from storage.database import Connection
from storage.search import ORDERS, Listing
from storage.sql.filters import compile_filter
from storage.sql.fragments import Sql
from storage.word_search import MOST_COUNTED
from storage.words import typed

PER_PAGE = 50
EFFECTIVE = f"{ACCESS_URN}:effectiveRoles"
ROLES = {"User": EFFECTIVE, "Group": f"{group_schema.ACCESS_URN}:roles"}
# The states that a list of users can be limited to, each with its filter and its label.
STATES = {
    "active": "active eq true",
    "deactivated": "active eq false",
    "login": f"active eq true and {EFFECTIVE} pr",
}
STATE_LABELS = {"": "Everybody", "active": "Active", "deactivated": "Deactivated", "login": "May log in"}
# In place of a role; no slug has a space.
NO_ROLE = "no role"


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The query of a list: a text to search, filters, the order and the page; `group` is an id or a name."""

    text: str = ""
    state: str = ""
    role: str = ""
    group: str = ""
    since: str = ""
    order: str = "name"
    descending: bool = False
    page: int = 1

    @property
    def limits(self) -> Iterator[str]:
        """The filters in words."""
        if self.state:
            yield f"status: {STATE_LABELS[self.state].lower()}"
        if self.role:
            yield "without a role" if self.role == NO_ROLE else f"role: {self.role}"
        if self.group:
            yield f"group: {self.group}"
        if self.since:
            yield f"changed since {self.since} (UTC)"


def read_query() -> ListQuery:
    """Read the query from the URL; unknown states and orders and what is no date are ignored."""
    state, role, order = parameter("state"), parameter("role"), parameter("sort")
    return ListQuery(
        parameter("q"),
        state if state in STATES else "",
        role,
        parameter("group"),
        _date(parameter("since")),
        order if order in ORDERS else "name",
        parameter("dir") == "down",
        number("page"),
    )


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return ""


def named_group(connection: Connection, name: str) -> tuple[str, str]:
    """Return id and name of the group that a query names by either of them; the text itself for an unknown one."""
    try:
        row = resources.get(connection, "Group", name) if name else None
    except NotFound:
        row = resources.find(connection, "Group", name)
    return (row.id, row.name) if row else (name, name)


def listing(type_name: str, query: ListQuery, group: str = "") -> Listing:
    """Return the database query for a list of users or groups; `group` is the id of the query's group."""
    conditions = [_compiled(type_name, text) for text in filter_texts(type_name, query, group)]
    return Listing(type_name, conditions, typed(query.text), query.order, query.descending)


def filter_texts(type_name: str, query: ListQuery, group: str = "") -> Iterator[str]:
    """Yield the SCIM filters that must all match."""
    # A string literal of a filter is one of JSON (RFC 7644 section 3.4.2.2).
    if type_name == "User" and query.state:
        yield STATES[query.state]
    if query.role:
        roles = ROLES[type_name]
        yield f"not ({roles} pr)" if query.role == NO_ROLE else f"{roles}.value eq {json.dumps(query.role)}"
    if type_name == "User" and query.group:
        yield f"groups.value eq {json.dumps(group or query.group)}"
    if query.since:
        yield f'meta.lastModified ge "{query.since}T00:00:00Z"'


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
    searched: bool = False

    @property
    def counted_to(self) -> int | None:
        """The number up to which the rows were counted, if there are more."""
        return MOST_COUNTED if self.searched and self.total > MOST_COUNTED else None

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
