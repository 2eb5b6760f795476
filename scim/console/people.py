"""What the console asks of people and groups, as SCIM filters, so that there is one query language."""

import json
from dataclasses import dataclass

from schemas import ResourceType
from schemas.filters import binding
from schemas.filters.parser import parse_filter
from schemas.user import ACCESS_URN
from scim.console.web import here, number, parameter
from scim.web.requests import base_url
from storage.search import ORDERS, Listing
from storage.sql.filters import compile_filter
from storage.sql.fragments import Sql

PER_PAGE = 50
EFFECTIVE = f"{ACCESS_URN}:effectiveRoles"
STATES = {
    "active": "active eq true",
    "deactivated": "active eq false",
    "login": f"active eq true and {EFFECTIVE} pr",
    "without": f"not ({EFFECTIVE} pr)",
}
STATE_WORDS = {
    "": "Everybody",
    "active": "Active",
    "deactivated": "Deactivated",
    "login": "May log in",
    "without": "Without a role",
}
SEARCHED = {"User": ("userName", "displayName", "emails.value"), "Group": ("displayName",)}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list's address asks for."""

    text: str
    state: str
    role: str
    group: str
    order: str
    descending: bool
    page: int

    @property
    def filtered(self) -> bool:
        """Whether it asks for fewer than all."""
        return bool(self.text or self.state or self.role or self.group)


def asked(default_order: str = "name") -> Asked:
    """Read the address of a list; what it does not know is as if it were not there."""
    state, order = parameter("state"), parameter("sort")
    return Asked(
        parameter("q"),
        state if state in STATES else "",
        parameter("role"),
        parameter("group"),
        order if order in ORDERS else default_order,
        parameter("dir") == "down",
        number("page"),
    )


def listing(kind: ResourceType, wanted: Asked) -> Listing:
    """Return what to read from the file for what the address asks."""
    conditions = [_compiled(kind, text) for text in filter_texts(wanted)]
    searched = [f"{name} sw {quoted(wanted.text)}" for name in SEARCHED[kind.name]] if wanted.text else []
    any_of = [_compiled(kind, text) for text in searched]
    return Listing(kind.name, conditions, any_of, wanted.order, wanted.descending)


def filter_texts(wanted: Asked) -> list[str]:
    """Return the SCIM filters that all must hold, as a client would write them."""
    found = [STATES[wanted.state]] if wanted.state else []
    if wanted.role:
        found.append(f"{EFFECTIVE}.value eq {quoted(wanted.role)}")
    if wanted.group:
        found.append(f"groups.value eq {quoted(wanted.group)}")
    return found


def quoted(text: str) -> str:
    """Return text as a filter's literal (RFC 7644 section 3.4.2.2)."""
    return json.dumps(text)


def _compiled(kind: ResourceType, text: str) -> Sql:
    return compile_filter(binding.bind(parse_filter(text), kind.schema), base_url())


@dataclass(frozen=True, slots=True)
class Pager:
    """Where a page lies among all that match."""

    page: int
    shown: int
    total: int
    per_page: int = PER_PAGE

    @property
    def offset(self) -> int:
        """How many come before the page."""
        return (self.page - 1) * self.per_page

    @property
    def first(self) -> int:
        """The number of the first that is shown, counted from 1."""
        return self.offset + 1 if self.shown else 0

    @property
    def last(self) -> int:
        """The number of the last that is shown."""
        return self.offset + self.shown

    @property
    def earlier(self) -> str | None:
        """The address of the page before."""
        return here(page=self.page - 1 if self.page > 2 else None) if self.page > 1 else None

    @property
    def later(self) -> str | None:
        """The address of the page after."""
        return here(page=self.page + 1) if self.last < self.total and self.shown else None


def sorted_by(name: str, wanted: Asked) -> tuple[str, str]:
    """Return the address that sorts by a column, the other way round if it does already, and its aria-sort."""
    current = wanted.order == name
    down = current and not wanted.descending
    state = "none" if not current else "descending" if wanted.descending else "ascending"
    return here(sort=name, dir="down" if down else None, page=None), state
