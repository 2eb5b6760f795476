"""Reads an organisation from a JSON file: people, groups, and what is assigned and pushed to one app."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

ACTIVE = "active"
NAMED = 5
STATUSES = (ACTIVE, "deactivated")


class InvalidOrganisation(ValueError):
    """The file does not describe an organisation; `mistakes` has a line for each mistake, with its place."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Employee:
    """A person in the organisation; `id` stays when the login changes, `profile` holds further SCIM attributes."""

    id: str
    login: str
    givenName: str
    familyName: str
    email: str
    status: str = ACTIVE
    profile: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the organisation; `members` are logins."""

    id: str
    name: str
    members: Sequence[str]


@dataclass(frozen=True, slots=True)
class Organisation:
    """People, groups, roles by assigned group and by assigned login, and the names of pushed groups.

    `maps_roles` is true where some assignment has `roles`, even an empty list: the app maps the attribute.
    """

    people: Sequence[Employee]
    groups: Sequence[Group]
    group_roles: Mapping[str, Sequence[str]]
    person_roles: Mapping[str, Sequence[str]]
    pushed: Sequence[str]
    maps_roles: bool

    def assigned(self) -> dict[str, list[str]]:
        """Return the roles of each assigned login: those of the individual assignment, else of all its groups."""
        found: dict[str, list[str]] = {}
        members = {group.name: group.members for group in self.groups}
        for name, roles in self.group_roles.items():
            for login in members[name]:
                held = found.setdefault(login, [])
                held += [role for role in roles if role not in held]
        found.update({login: list(dict.fromkeys(roles)) for login, roles in self.person_roles.items()})
        active = {person.login for person in self.people if person.status == ACTIVE}
        return {login: roles for login, roles in found.items() if login in active}

    def left_out(self) -> list[str]:
        """Return a line for each reason why people are not created and groups are not pushed; empty: all are sent."""
        off = [person.login for person in self.people if person.status != ACTIVE]
        assigned = {*self.person_roles, *(login for group in self.groups if group.name in self.group_roles
                                          for login in group.members)}  # fmt: skip
        aside = [each.login for each in self.people if each.status == ACTIVE and each.login not in assigned]
        unpushed = [group.name for group in self.groups if group.name not in self.pushed]
        reasons = (
            ("Not created, because deactivated", off),
            ("Not created, because assigned to the app neither alone nor by a group", aside),
            ("Not pushed, because not in app.push", unpushed),
        )
        return [f"{reason} ({len(names)}): {_some(names)}." for reason, names in reasons if names]


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


_not_empty = validate.Length(min=1, error="must not be empty")


def _required() -> fields.String:
    return fields.String(required=True, validate=_not_empty)


def _assignments(noun: str) -> "fields.List[Any]":
    roles = fields.List(fields.String(validate=_not_empty), load_default=None)
    return fields.List(fields.Nested(Schema.from_dict({noun: _required(), "roles": roles})), load_default=list)


class _EmployeeSchema(Schema):
    id = fields.String(validate=_not_empty)
    login = _required()
    givenName = _required()
    familyName = _required()
    email = fields.String(validate=_not_empty)
    status = fields.String(load_default=ACTIVE, validate=validate.OneOf(STATUSES))
    profile = fields.Dict(keys=fields.String(), load_default=dict)

    @post_load
    def employee(self, found: dict[str, Any], **_: Any) -> Employee:
        return Employee(**{"id": found["login"], "email": found["login"], **found})


class _GroupSchema(Schema):
    id = fields.String(validate=_not_empty)
    name = _required()
    members = fields.List(fields.String(), load_default=list)

    @post_load
    def group(self, found: dict[str, Any], **_: Any) -> Group:
        return Group(**{"id": found["name"], **found})


class _AppSchema(Schema):
    groups = _assignments("group")
    people = _assignments("person")
    push = fields.List(fields.String(), load_default=list)


class _OrganisationSchema(Schema):
    people = fields.List(fields.Nested(_EmployeeSchema), required=True)
    groups = fields.List(fields.Nested(_GroupSchema), load_default=list)
    app = fields.Nested(_AppSchema, load_default=lambda: _AppSchema().load({}))


def read_organisation(document: Any) -> Organisation:
    """Return the organisation in a JSON document.

    :raises InvalidOrganisation: with a line for each mistake that names its place, such as `people[3].login`.
    """
    try:
        found = _OrganisationSchema().load(document)
    except ValidationError as error:
        raise InvalidOrganisation(*_lines("", error.messages)) from None
    app = found["app"]
    mistakes = list(_contradictions(found["people"], found["groups"], app))
    if mistakes:
        raise InvalidOrganisation(*mistakes)
    return Organisation(
        found["people"],
        found["groups"],
        {assignment["group"]: assignment["roles"] or [] for assignment in app["groups"]},
        {assignment["person"]: assignment["roles"] or [] for assignment in app["people"]},
        app["push"],
        any(assignment["roles"] is not None for assignment in (*app["groups"], *app["people"])),
    )


def _lines(place: str, messages: Any) -> Iterator[str]:
    """Yield a line for each of marshmallow's nested messages."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            step = f"[{name}]" if isinstance(name, int) else f".{name}" if place else str(name)
            yield from _lines(place if name == "_schema" else place + step, inner)
    else:
        yield f"{place or 'the file'}: {' '.join(str(message) for message in messages)}"


def _contradictions(people: Sequence[Employee], groups: Sequence[Group], app: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each value that is valid alone but contradicts another one."""
    logins, names = {person.login for person in people}, {group.name for group in groups}
    app_groups, app_people = [item["group"] for item in app["groups"]], [item["person"] for item in app["people"]]
    yield from _repeated("people", "login", [person.login.casefold() for person in people])
    yield from _repeated("people", "id", [person.id for person in people])
    yield from _repeated("groups", "name", [group.name.casefold() for group in groups])
    yield from _repeated("groups", "id", [group.id for group in groups])
    for number, group in enumerate(groups):
        yield from _unknown(f"groups[{number}].members", group.members, logins, "person")
    yield from _unknown("app.groups", app_groups, names, "group")
    yield from _unknown("app.people", app_people, logins, "person")
    yield from _unknown("app.push", app["push"], names, "group")
    yield from _repeated("app.groups", "group", app_groups)
    yield from _repeated("app.people", "person", app_people)


def _repeated(place: str, name: str, values: Iterable[str]) -> Iterator[str]:
    for value, times in Counter(values).items():
        if times > 1:
            yield f"{place}: the {name} '{value}' occurs {times} times; it must be unique."


def _unknown(place: str, values: Sequence[str], known: set[str], noun: str) -> Iterator[str]:
    for number, value in enumerate(values):
        if value not in known:
            yield f"{place}[{number}]: there is no {noun} '{value}' in the file."
