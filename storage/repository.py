"""The only writer of users, groups, roles, journal and events: it keeps the parts of a change together."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial

from schemas import ResourceType
from schemas.declarations import Declaration, check_together
from schemas.errors import Conflict
from schemas.resource import Document
from storage import (
    attributes,
    events,
    group_rules,
    journal,
    members,
    oauth,
    resources,
    retention,
    roles,
    search,
    sessions,
    signing_keys,
    workspace,
)
from storage.changes import Changes
from storage.database import Connection, Database
from storage.events import NewEvent
from storage.group_rules import GroupRule, RuleStep
from storage.journal import Author, JournalEntry
from storage.members import Edit
from storage.resources import ResourceRow
from storage.retention import Erased
from storage.roles import Role
from storage.search import Place, Query

SHOWN_HOLDERS = 5

FORGET = ("Workspace", "forget", "a deleted person")


class Repository:
    """Reads and writes the resources of a deployment; tables that no resource depends on have modules of their own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        # Called with each journal entry once it is committed.
        self.on_entry: Callable[[JournalEntry], object] | None = None
        # Likewise with the kinds of the events of each change.
        self.on_events: Callable[[Sequence[str]], object] | None = None

    @contextmanager
    def reading(self, seconds: float = math.inf) -> Iterator["Snapshot"]:
        """Read one snapshot; inside `writing`, the state written so far.

        :raises TooMany: when a read takes more than `seconds` of CPU time.
        """
        with self.database.read(seconds=seconds) as connection:
            yield Snapshot(connection)

    @contextmanager
    def writing(self, author: Author, type_name: str = "") -> Iterator["Transaction"]:
        """Write all that a block writes or, when it raises, nothing; inside another `writing` it is a savepoint.

        `type_name` is the type of the resources that are written, if it is one type. A write of a user is short and
        may share a commit with others. Any other may take long, so that earlier writes must not wait for its commit.

        :raises Unavailable: when other writers are busy for too long; :raises InsufficientStorage: on a full disk.
        """
        with self.database.write(alone=type_name != "User") as connection:
            yield Transaction(connection, author, Changes(connection, author, self._announce, self._emitted))

    def _announce(self, entry: JournalEntry) -> None:
        if self.on_entry is not None:
            self.database.on_commit(partial(self.on_entry, entry))

    def _emitted(self, found: Sequence[NewEvent]) -> None:
        if self.on_events is not None:
            self.database.on_commit(partial(self.on_events, [event.kind for event in found]))

    @contextmanager
    def counting(self, author: Author, wait: float | None = None) -> Iterator["Transaction"]:
        """Write a count without waiting for the disk, so that a flood of refused callers costs others little.

        :raises Unavailable: when others write for longer than `wait` seconds (default: PERCH_WRITE_WAIT).
        """
        with self.database.write(wait=wait, durable=False), self.writing(author) as write:
            yield write

    def prune(self, journal_days: int, events_days: int) -> bool:
        """Delete journal entries and events older than some days, a bounded number; tell whether more are left.

        Ended sessions of the console, retired signing keys and access tokens that are over go, too.
        """
        with self.database.write(alone=True) as connection:
            sessions.prune(connection)
            signing_keys.prune(connection)
            oauth.prune(connection)
            more = retention.prune(connection, journal_days)
            return events.prune(connection, events_days) or more

    def committed_epoch(self) -> int:
        """Return the epoch that others see, also inside `writing`."""
        return self.database.committed(workspace.epoch)


class Snapshot:
    """Resources at one moment; functions of other modules take the `connection` to read the same moment."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def get(self, type_name: str, identifier: str) -> ResourceRow:
        """Return a user or group by its id, or a role by its slug (RFC 7644 section 3.4.1).

        :raises NotFound: when there is none of that type.
        """
        if type_name == "Role":
            return search.get_role(self.connection, identifier)
        return resources.get(self.connection, type_name, identifier)

    def find(self, type_name: str, name: str) -> ResourceRow | None:
        """Return the user of that userName or the group of that displayName, in any case, or None."""
        return resources.find(self.connection, type_name, name)

    def search(self, query: Query, offset: int, count: int) -> tuple[list[ResourceRow], int]:
        """Return `count` resources after the first `offset`, and how many match in all (RFC 7644 section 3.4.2.4)."""
        return search.page(self.connection, query, offset, count)

    def search_after(
        self, query: Query, place: Place | None, count: int
    ) -> tuple[list[ResourceRow], Place | None, int]:
        """Return `count` resources after a place, the last one's place if more follow, and how many match in all.

        That is a page of a cursor (RFC 9865 section 2); None is the place before the first resource.
        """
        rows, last = search.after(self.connection, query, place, count)
        return rows, last, search.total(self.connection, query)


class Transaction(Snapshot):
    """A write: each method writes the row, its side tables, the epoch, the journal entry and the events.

    A method that raises may have written a part: the error must leave the block of `writing`, which undoes it.
    """

    def __init__(self, connection: Connection, author: Author, changes: Changes) -> None:
        super().__init__(connection)
        self.author = author
        self._changes = changes

    def insert(
        self, kind: ResourceType, document: Document, member_ids: Sequence[str] = (), remarks: Document | None = None
    ) -> ResourceRow:
        """Add a user with the direct roles in its document, or a group with its members; return it.

        `remarks` are added to the journal entry.

        :raises Uniqueness: when its userName or group displayName is taken, in any case, and nothing is written then;
            when a value of a declared attribute that must be unique is taken.
        :raises Unavailable: when the declared attributes have changed since the document was read.
        :raises InvalidValue: naming ids of members that no user or group has.
        """
        attributes.refuse_outdated(self.connection, kind)
        seq, identifier = resources.insert(self.connection, kind, document)
        attributes.write_values(self.connection, kind, seq, {}, document)
        roles.insert_direct(self.connection, seq, document.get("roles", ()), self.author.actor)
        moved = members.edit(self.connection, seq, [("add", member_ids)] if member_ids else ())
        row = self.get(kind.name, identifier)
        self._changes.created(row, document, moved, remarks or {})
        return self._follow_name(kind, row)

    def update(
        self,
        kind: ResourceType,
        row: ResourceRow,
        before: Document,
        after: Document,
        edits: Iterable[Edit] = (),
        *,
        action: str,
        remarks: Document | None = None,
    ) -> ResourceRow:
        """Change a resource read in this transaction from one document to another, and its members; return the row.

        The documents have a user's direct roles. Each edit of members is made before the next one is asked for.
        Without a difference nothing is written but `remarks` into the journal.

        :raises Uniqueness: when its new userName or group displayName is taken, in any case.
        :raises InvalidValue: naming ids of members that no user or group has.
        """
        moved = members.edit(self.connection, row.seq, edits)
        if before != after or moved:
            resources.update(self.connection, kind, row, before, after)
            attributes.write_values(self.connection, kind, row.seq, before, after)
        elif not remarks:
            return row
        held, direct = before.get("roles", []), after.get("roles", [])
        if held != direct:
            roles.set_direct(self.connection, row.seq, held, direct, self.author.actor)
        self._changes.updated(action, row, (before, after), moved, remarks or {})
        changed = self.get(row.type, row.id)
        return changed if before.get("displayName") == after.get("displayName") else self._follow_name(kind, changed)

    def delete(self, row: ResourceRow) -> None:
        """Delete a resource read in this transaction, with its memberships and assignments."""
        departure = self._changes.before_deletion(row)
        resources.delete(self.connection, row)
        self._changes.deleted(departure)

    def assign(self, row: ResourceRow, slug: str) -> bool:
        """Assign a role by hand to a user, or to a group for all its members; False when it was there already.

        :raises NotFound: when the catalogue has no such role; :raises Conflict: when it may not be given this way.
        """
        source = _source(row)
        slug = roles.assignable(self.connection, slug, source).slug
        reach = self._changes.reach([row.seq], [slug], losing=False)
        done = roles.assign(self.connection, row.seq, source, slug, self.author.actor)
        if done:
            self._changes.assigned(row, source, slug, reach)
        return done

    def unassign(self, row: ResourceRow, slug: str) -> bool:
        """Withdraw a role that was assigned by hand; False when it was not there.

        :raises NotFound: when the catalogue has no such role.
        """
        slug = roles.get(self.connection, slug).slug
        source, reach = _source(row), self._changes.reach([row.seq], [slug])
        done = roles.unassign(self.connection, row.seq, source, slug)
        if done:
            self._changes.assigned(row, source, slug, reach, given=False)
        return done

    def set_rule(self, pattern: str, slugs: Sequence[str]) -> None:
        """Give the roles to each group whose name matches a pattern, in place of those that its rule gave.

        Without roles the rule ends.
        """
        before = group_rules.find(self.connection, pattern)
        after = group_rules.store(self.connection, pattern, slugs)
        if before == after:
            return
        self._follow_rules(group_rules.steps_of(self.connection, before, after), ("GroupRule", pattern, pattern))
        self._changes.rule_set(before, after)

    def _follow_rules(self, steps: Sequence[RuleStep], cause: tuple[str, str, str]) -> None:
        """Give and withdraw roles of groups as rules say; `cause` is the type, id and name of the changed object."""
        losing = not all(step.assigned for step in steps)
        seqs, slugs = {step.row.seq for step in steps}, {step.role for step in steps}
        reach = self._changes.reach(sorted(seqs), sorted(slugs), losing=losing)
        for row, rule, slug, assigned in steps:
            if assigned:
                roles.assign(self.connection, row.seq, roles.GROUP, slug, self.author.actor, rule.seq)
            else:
                roles.unassign(self.connection, row.seq, roles.GROUP, slug, rule.seq)
        self._changes.rules_followed(steps, reach, cause)

    def _follow_name(self, kind: ResourceType, row: ResourceRow) -> ResourceRow:
        """Give a group the roles that rules give to its name; return its row."""
        if kind.name != "Group":
            return row
        steps = group_rules.steps_of_name(self.connection, row)
        if not steps:
            return row
        self._follow_rules(steps, (row.type, row.id, row.name))
        return self.get(row.type, row.id)

    def add_role(self, slug: str, name: str, description: str | None = None, granted_by: str = roles.ANY) -> Role:
        """Add a role to the catalogue.

        :raises Uniqueness: when the slug exists.
        """
        role = roles.add(self.connection, slug, name, description, granted_by)
        self.note("create", ("Role", role.slug, name), {})
        return role

    def edit_role(
        self, slug: str, name: str | None = None, description: str | None = None, granted_by: str | None = None
    ) -> Role:
        """Change a role's name, description or by whom it may be given; None keeps, "" clears the description.

        Nobody loses a role by it.

        :raises NotFound: when the catalogue has no such role.
        """
        before = roles.get(self.connection, slug)
        after = before._replace(
            name=before.name if name is None else name,
            description=before.description if description is None else description or None,
            grantedBy=granted_by or before.grantedBy,
        )
        if after != before:
            roles.edit(self.connection, after)
            self._changes.role_edited(before, after)
        return after

    def remove_role(self, slug: str, *, force: bool = False) -> None:
        """Remove a role from the catalogue; with `force` from its holders too.

        :raises NotFound: when the catalogue has no such role.
        :raises Conflict: naming holders and rules, when it is in use.
        """
        role = roles.get(self.connection, slug)
        slug, holders = role.slug, roles.holders(self.connection, role.slug)
        rules = group_rules.of_role(self.connection, slug)
        if (holders or rules) and not force:
            raise Conflict(_in_use(slug, holders, rules))
        seqs = [row.seq for row, *_ in holders]
        reach = self._changes.reach(seqs, [slug])
        roles.remove(self.connection, slug, seqs)
        for row, source, _ in holders:
            if source == roles.DIRECT:
                resources.touch(self.connection, row)
        for rule in rules:
            self._changes.rule_set(rule, rule._replace(roles=tuple(each for each in rule.roles if each != slug)))
        self._changes.role_removed(role, holders, reach)

    def declare(self, declared: Sequence[Declaration]) -> None:
        """Declare attributes; each takes the place of one of its schema and name, if there is one.

        :raises InvalidValue: when they do not fit those that are declared; :raises Conflict: when values do not fit.
        """
        known = {one.key: (number, one) for number, one in attributes.list_all(self.connection).items()}
        for one in declared:
            number, earlier = known.get(one.key, (None, None))
            if one == earlier:
                continue
            if earlier is not None and (faults := attributes.obstacles(self.connection, earlier, one)):
                raise Conflict(" ".join(faults))
            attributes.put(self.connection, number, one)
            changes = journal.difference(earlier.table() if earlier else {}, one.table())
            self.note("change" if earlier else "create", _attribute(one), changes)
        check_together(list(attributes.list_all(self.connection).values()))

    def undeclare(self, declared: Declaration) -> int:
        """Remove a declaration with all its values; return how many users or groups had one.

        :raises NotFound: when there is no such declaration.
        """
        number, found = attributes.find(self.connection, declared.key)
        lost = attributes.remove(self.connection, number, found)
        self.note("delete", _attribute(found), {"values": {"before": lost, "after": 0}})
        return lost

    def forget(self, name: str) -> Erased:
        """Erase a deleted person, by any userName that they had, from journal, events, traffic and quirks.

        :raises Conflict: while the person exists, under this or another name.
        """
        erased = retention.forget(self.connection, name)
        if erased:
            changes = {what: {"before": count, "after": 0} for what, count in asdict(erased).items()}
            self.note("forget", FORGET, changes)
        return erased

    def note(self, action: str, subject: tuple[str, str, str], changes: Document) -> None:
        """Journal an act that changes no resource; `subject` is the type, id and name of its object."""
        self._changes.note(action, subject, changes)

    def note_count(self, action: str, subject: tuple[str, str, str]) -> None:
        """Journal an act that may come often: one entry per author, object and minute, with its number of `times`."""
        if not journal.count_again(self.connection, self.author, action, subject):
            self.note(action, subject, journal.difference({"times": 0}, {"times": 1}))


def _source(row: ResourceRow) -> str:
    return roles.MANUAL if row.type == "User" else roles.GROUP


def _attribute(declared: Declaration) -> tuple[str, str, str]:
    return "Attribute", declared.full_name, declared.name


def _in_use(slug: str, holders: Sequence[tuple[ResourceRow, str, int]], rules: Sequence[GroupRule]) -> str:
    users = [f"rule {rule.pattern}" for rule in rules]
    users += [f"{row.type.lower()} {row.name} ({source})" for row, source, _ in holders]
    more = f" and {len(users) - SHOWN_HOLDERS} more" if len(users) > SHOWN_HOLDERS else ""
    return (
        f"The role '{slug}' is in use: {', '.join(users[:SHOWN_HOLDERS])}{more}. "
        "Withdraw it first, or force its removal (flask roles remove --force)."
    )
