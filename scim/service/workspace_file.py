"""The workspace in one file: what it would change, who would gain or lose by it, and the change itself."""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas import declarations, workspace_file
from schemas.declarations import Declaration
from schemas.errors import did_you_mean
from schemas.text import compose, fold
from scim.service import attributes, plan
from scim.service.plan import PlannedChange, RolePlan
from storage import effective_roles, group_rules, roles
from storage.database import Connection
from storage.group_rules import GroupRule
from storage.planned_roles import RoleChange
from storage.repository import Transaction
from storage.roles import Role

ROLE, RULE = "role", "groupRule"
NO_RULE = GroupRule(0, "", ())

Table = dict[str, Any]
Catalogue = dict[str, Role]


class Faults(Exception):
    """The faults of a file as arguments, each with the path of its key."""


class Difference(NamedTuple):
    """A planned change with the role or rule before and after it."""

    change: PlannedChange
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class WorkspacePlan:
    """What a file would change, and the effect on people.

    `against` counts, for each role whose `granted_by` would change, the people who have it in a way that the new word
    excludes; they keep it. `consequences` are sentences about values of attributes.
    """

    differences: Sequence[Difference]
    effect: RolePlan
    against: Mapping[str, int]
    consequences: Sequence[str]

    @property
    def changes(self) -> list[PlannedChange]:
        """The changes, in the order of the file's sections."""
        return [difference.change for difference in self.differences]


def read(data: bytes) -> Table:
    """Return the sections of a file, and under `faults` those of its tables, which `plan_of` raises with its own.

    :raises Faults: naming the line of a fault of syntax.
    """
    try:
        # Windows may begin a file with a byte order mark.
        document = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Faults(f"line {line}: This is no UTF-8 text; save the file as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        end = f"at the end, line {len(data.splitlines()) or 1}"
        raise Faults(f"This is no TOML: {error}.".replace("at end of document", end)) from None
    except (RecursionError, ValueError):
        raise Faults(
            "This nests too deeply, or has a number that is too long; no key of this file needs that."
        ) from None
    found, faults = workspace_file.load(document)
    return {**found, "faults": faults}


def export(connection: Connection) -> str:
    """Return the workspace as such a file."""
    rules = [_rule_table(rule) for rule in group_rules.list_all(connection)]
    catalogue = {role.slug: role_table(role) for role in roles.catalogue(connection)}
    declared = [one.table() for one in attributes.declared(connection)]
    return workspace_file.dumps({"roles": catalogue, "group_rules": rules, "attributes": declared})


def plan_of(connection: Connection, wanted: Table, *, prune: bool = False) -> WorkspacePlan:
    """Return what the sections of a file would change; with `prune` what the file does not have is removed.

    :raises Faults: with all faults by the path of their keys; without any, those of values that do not fit.
    """
    before = {role.slug: role for role in roles.catalogue(connection)}
    after = _catalogue_after(before, wanted["roles"], prune)
    held = {fold(rule.pattern): rule for rule in group_rules.list_all(connection)}
    tables, listed = wanted["group_rules"], wanted["attributes"]
    rules = _rules_after(held, tables.values(), prune)
    declared = attributes.declared(connection)
    of_attributes = attributes.changes(declared, list(listed.values()), prune)
    faults = [
        *wanted["faults"],
        *_rule_faults(tables, after),
        # A faulty table may be that of the rule.
        *(() if wanted["faults"] else _kept_rule_faults(tables.values(), rules, after)),
        *_attribute_faults([] if prune else declared, listed),
    ]
    if faults := faults or attributes.refusals(connection, of_attributes):
        raise Faults(*faults)
    differences = [*_differences(ROLE, before, after, role_table), *_differences(RULE, held, rules, _rule_table)]
    effect = plan.of_changes(connection, _role_changes(connection, differences), sorted(before.keys() - after.keys()))
    differences += [Difference(change, None, None) for change in of_attributes]
    losses = list(attributes.consequences(connection, of_attributes))
    return WorkspacePlan(differences, effect, _against(connection, before, after), losses)


def rules_without(connection: Connection, slug: str) -> list[PlannedChange]:
    """Return the changes of rules that the removal of a role brings; a rule without roles ends."""
    before = {rule.pattern: rule for rule in group_rules.of_role(connection, slug)}
    rest = [rule._replace(roles=tuple(role for role in rule.roles if role != slug)) for rule in before.values()]
    after = {rule.pattern: rule for rule in rest if rule.roles}
    return [difference.change for difference in _differences(RULE, before, after, _rule_table)]


def carry_out(write: Transaction, planned: WorkspacePlan) -> None:
    """Make the changes of a plan that was made in the same transaction."""
    for change, before, after in planned.differences:
        if change.kind == ROLE and before and after:
            write.edit_role(after.slug, after.name, after.description or "", after.grantedBy)
        elif change.kind == ROLE and after:
            write.add_role(after.slug, after.name, after.description, after.grantedBy)
        elif change.kind == RULE:
            write.set_rule((after or before).pattern, after.roles if after else ())
    for change, *_ in planned.differences:
        if change.kind == ROLE and change.action == "remove":
            write.remove_role(change.name, force=True)
    attributes.carry_out(write, planned.changes)


def _catalogue_after(before: Catalogue, tables: Mapping[str, Table], prune: bool) -> Catalogue:
    kept = {} if prune else before
    return {**kept, **{slug: _role_after(slug, before.get(slug), table) for slug, table in tables.items()}}


def _role_after(slug: str, before: Role | None, table: Table) -> Role:
    """Return the role of a table; one without a name keeps its name, and a new one has its slug as the name."""
    name = table.get("name", before.name if before else slug)
    created = before.created if before else ""
    return Role(slug, name, table.get("description") or None, created, table.get("granted_by", roles.ANY))


def _rules_after(before: Mapping[str, GroupRule], tables: Iterable[Table], prune: bool) -> dict[str, GroupRule]:
    """Return the rules by folded pattern; tables with the same pattern add up."""
    found: dict[str, GroupRule] = {}
    for table in tables:
        name = fold(table["group"])
        first = found.get(name) or GroupRule(before[name].seq if name in before else 0, table["group"], ())
        found[name] = first._replace(roles=tuple(sorted({*first.roles, *map(compose, table["roles"])})))
    return found if prune else {**before, **found}


def _rule_faults(tables: Mapping[int, Table], after: Catalogue) -> Iterator[str]:
    for number, table in tables.items():
        for place, slug in enumerate(map(compose, table["roles"])):
            path = f"group_rules[{number}].roles[{place}]"
            if slug not in after:
                hint = did_you_mean(slug, {fold(known): known for known in after}, most=3, cutoff=0.5)
                yield f"{path}: With this file there is no role '{slug}'; declare it in the file, too.{hint}"
            elif after[slug].grantedBy == roles.HAND:
                yield f"{path}: The role '{slug}' may be given by hand only, so no rule may give it."


def _kept_rule_faults(tables: Iterable[Table], rules: Mapping[str, GroupRule], after: Catalogue) -> Iterator[str]:
    """Yield the roles that may be given by hand only, but that a rule which the file does not have gives."""
    named = {fold(table["group"]) for table in tables}
    for name, rule in rules.items():
        for slug in rule.roles if name not in named else ():
            if after[slug].grantedBy == roles.HAND:
                path = f"roles.{workspace_file.quoted(slug)}.granted_by"
                yield f"{path}: The rule '{rule.pattern}', which the file does not have, gives this role to groups."


def _attribute_faults(kept: Sequence[Declaration], wanted: Mapping[int, Declaration]) -> Iterator[str]:
    """Yield what keeps declarations from standing beside those that stay."""
    mine, places = {one.key for one in wanted.values()}, list(wanted)
    staying = [one for one in kept if one.key not in mine]
    for position, faults in declarations.together([*staying, *wanted.values()]).items():
        yield from workspace_file.faults(faults, f"attributes[{places[position - len(staying)]}]")


def _differences(
    kind: str, before: Mapping[str, Any], after: Mapping[str, Any], table: Callable[[Any], Table]
) -> Iterator[Difference]:
    for key in sorted(before.keys() | after.keys()):
        was, becomes = before.get(key), after.get(key)
        if was != becomes:
            action = "add" if was is None else "remove" if becomes is None else "change"
            tables = [None if each is None else table(each) for each in (was, becomes)]
            name = key if kind == ROLE else (becomes or was or NO_RULE).pattern
            yield Difference(PlannedChange(kind, action, name, *tables), was, becomes)


def role_table(role: Role) -> Table:
    """Return a role as a table of the file, without what is the default and without a name of spaces only."""
    name, granted_by = role.name if role.name.strip() else None, role.grantedBy if role.grantedBy != roles.ANY else None
    table = {"name": name, "description": role.description, "granted_by": granted_by}
    return {key: value for key, value in table.items() if value}


def _rule_table(rule: GroupRule) -> Table:
    return {"group": rule.pattern, "roles": list(rule.roles)}


def _role_changes(connection: Connection, differences: Sequence[Difference]) -> list[RoleChange]:
    """Return the changes of groups' roles that changes of rules bring."""
    rules = [
        (before or NO_RULE, after or before._replace(roles=()))
        for change, before, after in differences
        if change.kind == RULE
    ]
    return [
        RoleChange(step.row.seq, roles.GROUP, step.role, step.assigned, step.rule.seq)
        for before, after in rules
        for step in group_rules.steps_of(connection, before, after)
    ]


def _against(connection: Connection, before: Catalogue, after: Catalogue) -> dict[str, int]:
    found = {}
    for slug, role in after.items():
        if slug in before and role.grantedBy not in (before[slug].grantedBy, roles.ANY):
            seqs = roles.holder_numbers(connection, slug, manual=role.grantedBy == roles.SCIM)
            found[slug] = effective_roles.count_below(connection, seqs)
    return {slug: count for slug, count in found.items() if count}
