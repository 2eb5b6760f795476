"""An organisation in Okta, in a file: people, groups, and what is assigned and pushed to one app."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

ACTIVE = "active"
STATUSES = (ACTIVE, "deactivated")


class WrongOrganisation(ValueError):
    """The file describes no organisation; the message has a line for each fault, each naming its place."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in Okta; `id` stays the same when the login changes, `profile` holds further SCIM attributes."""

    id: str
    login: str
    givenName: str
    familyName: str
    email: str
    status: str = ACTIVE
    profile: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """A group in Okta; `members` are logins."""

    id: str
    name: str
    members: Sequence[str]


@dataclass(frozen=True, slots=True)
class Organisation:
    """People, groups, and the app: roles by assigned group and by assigned login, and the names of pushed groups.

    `maps_roles` tells whether the app maps the roles attribute: some assignment names roles, if only none of them.
    """

    people: Sequence[Person]
    groups: Sequence[Group]
    group_roles: Mapping[str, Sequence[str]]
    person_roles: Mapping[str, Sequence[str]]
    pushed: Sequence[str]
    maps_roles: bool

    def assigned(self) -> dict[str, list[str]]:
        """Return the roles of each assigned login: the individual assignment's own, else all groups' combined."""
        found: dict[str, list[str]] = {}
        members = {group.name: group.members for group in self.groups}
        for name, roles in self.group_roles.items():
            for login in members[name]:
                held = found.setdefault(login, [])
                held += [role for role in roles if role not in held]
        found.update({login: list(dict.fromkeys(roles)) for login, roles in self.person_roles.items()})
        active = {person.login for person in self.people if person.status == ACTIVE}
        return {login: roles for login, roles in found.items() if login in active}


_text = validate.Length(min=1, error="must not be empty")


def _required() -> fields.String:
    return fields.String(required=True, validate=_text)


class _Strict(Schema):
    class Meta:
        unknown = RAISE


class _PersonSchema(_Strict):
    id = fields.String(validate=_text)
    login = _required()
    givenName = _required()
    familyName = _required()
    email = fields.String(validate=_text)
    status = fields.String(load_default=ACTIVE, validate=validate.OneOf(STATUSES))
    profile = fields.Dict(keys=fields.String(), load_default=dict)

    @post_load
    def person(self, found: dict[str, Any], **_: Any) -> Person:
        return Person(**{"id": found["login"], "email": found["login"], **found})


class _GroupSchema(_Strict):
    id = fields.String(validate=_text)
    name = _required()
    members = fields.List(fields.String(), load_default=list)

    @post_load
    def group(self, found: dict[str, Any], **_: Any) -> Group:
        return Group(**{"id": found["name"], **found})


class _GroupAssignment(_Strict):
    group = _required()
    roles = fields.List(fields.String(validate=_text), load_default=None)


class _PersonAssignment(_Strict):
    person = _required()
    roles = fields.List(fields.String(validate=_text), load_default=None)


class _AppSchema(_Strict):
    groups = fields.List(fields.Nested(_GroupAssignment), load_default=list)
    people = fields.List(fields.Nested(_PersonAssignment), load_default=list)
    push = fields.List(fields.String(), load_default=list)


class _OrganisationSchema(_Strict):
    people = fields.List(fields.Nested(_PersonSchema), required=True)
    groups = fields.List(fields.Nested(_GroupSchema), load_default=list)
    app = fields.Nested(_AppSchema, load_default=lambda: _AppSchema().load({}))


def read_organisation(document: Any) -> Organisation:
    """Return the organisation in a JSON document.

    :raises WrongOrganisation: naming each place that is wrong, such as `people[3].login`.
    """
    try:
        found = _OrganisationSchema().load(document)
    except ValidationError as error:
        raise WrongOrganisation("\n".join(_places("", error.messages))) from None
    app = found["app"]
    faults = list(_faults(found["people"], found["groups"], app))
    if faults:
        raise WrongOrganisation("\n".join(faults))
    return Organisation(
        found["people"],
        found["groups"],
        {assignment["group"]: assignment["roles"] or [] for assignment in app["groups"]},
        {assignment["person"]: assignment["roles"] or [] for assignment in app["people"]},
        app["push"],
        any(assignment["roles"] is not None for assignment in (*app["groups"], *app["people"])),
    )


def _places(place: str, found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        for name, inner in found.items():
            step = f"[{name}]" if isinstance(name, int) else f".{name}" if place else str(name)
            yield from _places(place if name == "_schema" else place + step, inner)
    else:
        yield f"{place or 'the file'}: {' '.join(str(message) for message in found)}"


def _faults(people: Sequence[Person], groups: Sequence[Group], app: Mapping[str, Any]) -> Iterator[str]:
    """Yield what each value is on its own right for, but wrong together."""
    logins, names = {person.login for person in people}, {group.name for group in groups}
    yield from _twice("people", "login", [person.login.casefold() for person in people])
    yield from _twice("people", "id", [person.id for person in people])
    yield from _twice("groups", "name", [group.name.casefold() for group in groups])
    yield from _twice("groups", "id", [group.id for group in groups])
    for number, group in enumerate(groups):
        yield from _unknown(f"groups[{number}].members", group.members, logins, "person")
    yield from _unknown("app.groups", [given["group"] for given in app["groups"]], names, "group")
    yield from _unknown("app.people", [given["person"] for given in app["people"]], logins, "person")
    yield from _unknown("app.push", app["push"], names, "group")
    yield from _twice("app.groups", "group", [given["group"] for given in app["groups"]])
    yield from _twice("app.people", "person", [given["person"] for given in app["people"]])


def _twice(place: str, name: str, values: Iterable[str]) -> Iterator[str]:
    for value, times in Counter(values).items():
        if times > 1:
            yield f"{place}: the {name} '{value}' is there {times} times."


def _unknown(place: str, values: Sequence[str], known: set[str], what: str) -> Iterator[str]:
    for number, value in enumerate(values):
        if value not in known:
            yield f"{place}[{number}]: there is no {what} '{value}' in the file."
