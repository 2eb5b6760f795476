"""Resources are written through the repository only; the parts of a write are stored or rolled back together."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import Conflict, InvalidValue, NotFound, Uniqueness
from storage import events, members, roles, workspace
from storage.database import Connection, Database
from storage.journal import Author
from storage.repository import Repository, Transaction
from tests.support.resource_types import GROUP, USER
from tests.test_architecture import MODULES, ROOT, tree

AUTHOR = Author("command:tester", "a-request")
WRITING_SQL = re.compile(r"\b(INSERT|UPDATE|DELETE)\b")
QUEUE_OPTIONS = {"wait", "alone", "durable", "once"}
# Tables that are written together; of the workspace's values only the epoch belongs to them.
TOGETHER = ("journal", "events", "resources", "members", "roles", "retention")


def writing_functions(module: str) -> set[str]:
    """Return the functions of a module of storage that write, directly or through each other."""
    functions = {
        node.name: node for node in tree(ROOT / f"storage/{module}.py").body if isinstance(node, ast.FunctionDef)
    }
    found: set[str] = set()
    while True:
        more = {name for name, node in functions.items() if writes(node, found)}
        if more == found:
            return found
        found = more


def writes(function: ast.FunctionDef, known: set[str]) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and WRITING_SQL.search(node.value):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
            return True
    return False


WRITERS = {f"storage.{module}.{name}" for module in TOGETHER for name in writing_functions(module)}
WRITERS.add("storage.workspace.move_epoch")


def names_used(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything that a module imports or reaches through an import."""
    local: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                local[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield node.lineno, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            local |= {alias.asname or alias.name.split(".")[0]: alias.asname and alias.name or alias.name.split(".")[0]
                      for alias in node.names}  # fmt: skip
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute):
            head, _, rest = ast.unparse(node).partition(".")
            if head in local:
                yield node.lineno, f"{local[head]}.{rest}"


def queue_options_used(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and name of each option of the write queue in calls of `read` and `write`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("read", "write"):
            yield from ((node.lineno, keyword.arg) for keyword in node.keywords if keyword.arg in QUEUE_OPTIONS)


def forbidden(module: ast.Module) -> list[tuple[int, str]]:
    return [*((line, name) for line, name in names_used(module) if name in WRITERS), *queue_options_used(module)]


OUTSIDE = [file for file in MODULES if file.relative_to(ROOT).parts[0] != "storage"]


def test_only_storage_writes_resources_journal_events_and_epoch() -> None:
    assert {file: found for file in OUTSIDE if (found := forbidden(tree(file)))} == {}


def test_functions_that_write_are_recognised() -> None:
    for name in ("journal.append", "journal.count_again", "events.append", "workspace.move_epoch", "roles.hold",
                 "roles.add", "resources.insert", "members.edit", "events.prune"):  # fmt: skip
        assert f"storage.{name}" in WRITERS
    assert "storage.resources.get" not in WRITERS


@pytest.mark.parametrize(
    "sample",
    [
        "from storage import journal\njournal.append(connection, author, 'x', subject, {})",
        "from storage import events as outbox\ndef f(connection):\n    outbox.append(connection, author, 'x', [])",
        "from storage.workspace import move_epoch",
        "import storage.roles\nstorage.roles.hold(connection, 1)",
        "import storage.roles as r\nwrite = r.hold",
        "perch.database.write(alone=True)",
        "with self.database.read(once=True) as connection: pass",
    ],
)
def test_a_module_that_writes_past_the_repository_is_found(sample: str) -> None:
    assert forbidden(ast.parse(sample))


def test_a_module_that_only_reads_is_allowed() -> None:
    sample = "from storage import journal, resources\nresources.get(c, 'User', 'x')\nfile.write(b'x')\nd.write()"
    assert forbidden(ast.parse(sample)) == []


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(Database(tmp_path / "perch.db"))


def ann(**more: Any) -> dict[str, Any]:
    emails = [{"value": "ann@example.com"}]
    return {"userName": "ann", "active": True, "emails": emails, "roles": [{"value": "managed:admin"}], **more}


TABLES = ("resources", "emails", "members", "assignments", "roles", "journal", "events", "workspace")


def everything(connection: Connection) -> dict[str, list[Any]]:
    return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}


def contents(repository: Repository) -> dict[str, list[Any]]:
    with repository.reading() as snapshot:
        return everything(snapshot.connection)


def write_everything(write: Transaction) -> None:
    """Call every method that writes."""
    user = write.insert(USER, ann())
    group = write.insert(GROUP, {"displayName": "All"}, [user.id])
    write.add_role("x", "X")
    write.edit_role("x", "Y", None)
    assert write.assign(group, "x") and not write.assign(group, "x")
    user = write.update(USER, user, ann(), ann(userName="bob", roles=[]), action="patch")
    group = write.update(
        GROUP, group, {"displayName": "All"}, {"displayName": "Some"}, [("remove", [user.id])], action="put"
    )
    write.delete(write.insert(USER, ann()))
    write.remove_role("x", force=True)
    write.note("forget", ("Workspace", "x", "y"), {})


def test_a_failed_block_is_rolled_back_as_a_whole(repository: Repository) -> None:
    before = contents(repository)
    with pytest.raises(NotFound), repository.writing(AUTHOR) as write:
        write_everything(write)
        write.get("User", "nobody")
    assert contents(repository) == before
    with repository.writing(AUTHOR) as write:
        write_everything(write)
    actions = [row[4] for row in contents(repository)["journal"]]
    assert actions == ["create", "create", "create", "replace", "assign", "patch", "put", "create", "delete",
                       "unassign", "delete", "forget"]  # fmt: skip


def test_a_failed_inner_block_is_rolled_back_alone(repository: Repository) -> None:
    with repository.writing(AUTHOR) as outer:
        outer.insert(USER, ann())
        between = everything(outer.connection)
        with pytest.raises(InvalidValue), repository.writing(AUTHOR, "Group") as inner:
            inner.add_role("x", "X")
            inner.insert(GROUP, {"displayName": "All"}, ["nobody"])
        assert everything(outer.connection) == between
        with repository.reading() as inside:
            assert inside.find("User", "ANN") is not None
    assert [row[4] for row in contents(repository)["journal"]] == ["create"]


def test_a_write_stores_resource_roles_journal_and_events(repository: Repository) -> None:
    with repository.writing(AUTHOR) as write:
        row = write.insert(USER, ann(), remarks={"roles.ignored": {"before": [], "after": ["x"]}})
    found = contents(repository)
    assert '"roles"' not in row.document and row.document_with_roles == ann()
    assert row.held == '["direct","managed:admin",null,null,null]'
    assert [email[2] for email in found["emails"]] == ["ann@example.com"]
    assert [(role[1], role[3]) for role in found["assignments"]] == [("direct", "managed:admin")]
    assert [entry[4:8] for entry in found["journal"]] == [("create", "User", row.id, "ann")]
    assert '"roles.ignored"' in found["journal"][0][9]
    with repository.reading() as snapshot:
        kinds = [event.kind for event in events.after(snapshot.connection, 0, 9)]
    assert kinds == ["user.created", "roles.gained", "login.allowed"]


def test_the_epoch_moves_when_derived_values_may_change(repository: Repository) -> None:
    def moved(write: Transaction) -> bool:
        found, seen[0] = workspace.epoch(write.connection) != seen[0], workspace.epoch(write.connection)
        return found

    seen = [0]
    with repository.writing(AUTHOR) as write:
        user, group = write.insert(USER, ann()), write.insert(GROUP, {"displayName": "All"})
        assert not moved(write)
        write.update(GROUP, group, {"displayName": "All"}, {"displayName": "All"}, [("add", [user.id])], action="patch")
        assert moved(write)
        write.assign(user, "managed:viewer")
        assert moved(write)
        write.add_role("x", "X")
        assert moved(write)
        assert repository.committed_epoch() == 0
    assert repository.committed_epoch() == seen[0]


def test_an_update_without_a_difference_writes_only_remarks(repository: Repository) -> None:
    with repository.writing(AUTHOR) as write:
        row = write.insert(USER, ann())
        before = everything(write.connection)
        assert write.update(USER, row, ann(), ann(), action="put") is row
        assert everything(write.connection) == before
        assert write.update(USER, row, ann(), ann(), action="put", remarks={"roles.ignored": {}}) == row
        after = everything(write.connection)
    assert {name for name in TABLES if before[name] != after[name]} == {"journal"}


def test_each_edit_of_members_is_made_before_the_next_is_read(repository: Repository) -> None:
    with repository.writing(AUTHOR) as write:
        user, group = write.insert(USER, ann()), write.insert(GROUP, {"displayName": "All"})

        def edits() -> Iterator[tuple[str, list[str]]]:
            yield "add", [user.id]
            assert members.count(write.connection, group.seq, 9) == 1
            yield "remove", [user.id]

        document = {"displayName": "All"}
        assert write.update(GROUP, group, document, document, edits(), action="patch") is group


def test_a_role_in_use_is_removed_only_by_force(repository: Repository) -> None:
    with repository.writing(AUTHOR) as write:
        rows = [write.insert(USER, ann(userName=f"ann{number}")) for number in range(7)]
        with pytest.raises(Conflict, match=r"user ann0 \(direct\), .* and 2 more\."):
            write.remove_role("managed:admin")
        write.remove_role("managed:admin", force=True)
        assert roles.assigned(write.connection, [row.seq for row in rows]) == {}
        assert write.get("User", rows[0].id).version == 2


def test_a_taken_name_changes_nothing(repository: Repository) -> None:
    with repository.writing(AUTHOR) as write:
        write.insert(USER, ann())
        before = everything(write.connection)
        with pytest.raises(Uniqueness):
            write.insert(USER, ann(userName="ANN"))
        assert everything(write.connection) == before


@pytest.mark.parametrize(("type_name", "alone"), [("User", False), ("Group", True), ("", True)])
def test_only_writes_of_users_share_a_commit(
    repository: Repository, type_name: str, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []
    write = repository.database.write
    monkeypatch.setattr(repository.database, "write", lambda **knobs: asked.append(knobs) or write(**knobs))  # type: ignore[func-returns-value]
    with repository.writing(AUTHOR, type_name):
        pass
    assert asked == [{"alone": alone}]
