"""Where attributes are in the file: in a column of `resources r`, in rows of a side table, or in the document."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from schemas import group, user
from schemas.fields import Attribute, Complex
from schemas.resource import Bound
from storage.sql.fragments import Sql

CONDITION = "{}"


@dataclass(frozen=True, slots=True)
class Column:
    """An expression in the form that filters compare, and `stored` before folding; `indexed` if an index serves it."""

    sql: Sql
    indexed: bool = False
    stored: Sql | None = None


@dataclass(frozen=True, slots=True)
class ElementRows:
    """The rows of a multi-valued attribute's elements; the templates have `{}` in place of the condition.

    `each` tests for one row of `r` whether an element matches. `owners` selects the owners of all matching elements at
    once, some of them twice; it cannot serve filters that use a sub-attribute of `only_each`. `everyone` tells that
    `owners` is faster even without an index, unless another condition leaves few rows of `r`. `few` tells that a value
    has few owners. `first` selects a column of the primary element, else of the first one.
    """

    columns: Mapping[str, Column]
    each: str
    first: str
    owners: str = ""
    everyone: bool = False
    few: bool = False
    only_each: frozenset[str] = frozenset()


def column(text: str, *parameters: Any, indexed: bool = False) -> Column:
    """Return a column from its text and bound values."""
    return Column(Sql(text, parameters), indexed)


ABOVE = (
    "WITH RECURSIVE above (seq) AS ("
    'SELECT {start} UNION SELECT m."group" FROM above JOIN members m ON m.member = above.seq) '
)
ITSELF_AND_ABOVE = ABOVE.format(start="r.seq")
ALL_ABOVE = ABOVE.format(start='d."group" FROM members d WHERE d.member = r.seq')
DIRECTLY_ABOVE = 'LEFT JOIN members n ON n."group" = {group} AND n.member = r.seq'

# Without CROSS JOIN and INDEXED BY, SQLite reads all members of a group, or everybody's memberships.
NESTED = 'CROSS JOIN members m INDEXED BY members_nested ON m."group" = below.seq WHERE m.nested'
PEOPLE = 'CROSS JOIN members m ON m."group" = below.seq WHERE NOT m.nested'
# In the order of how many people have the reason: an own role, a group's role, the role of a group around the group.
# Only the last takes a recursion, ten times the others' time; CASE, unlike OR, always stops at the first that holds.
LOGIN_ALLOWED = (
    "CASE WHEN r.type <> 'User' THEN NULL WHEN r.active IS NOT 1 THEN 0 "
    "WHEN r.held IS NOT NULL THEN 1 "
    'WHEN EXISTS (SELECT 1 FROM members m CROSS JOIN assignments a ON a.resource = m."group" WHERE m.member = r.seq) '
    "THEN 1 "
    'WHEN EXISTS (SELECT 1 FROM members m CROSS JOIN members o ON o.member = m."group" WHERE m.member = r.seq) '
    f"THEN EXISTS ({ALL_ABOVE}SELECT 1 FROM above JOIN assignments a ON a.resource = above.seq) ELSE 0 END"
)
VERSION = "'W/\"' || r.version || '.' || (SELECT value FROM workspace WHERE name = 'epoch') || '\"'"
ROLE_NAME = "(SELECT c.name FROM roles c WHERE c.slug = a.role)"
GROUP_TYPE = (
    'CASE WHEN EXISTS (SELECT 1 FROM members d WHERE d."group" = g.seq AND d.member = r.seq) '
    "THEN 'direct' ELSE 'indirect' END"
)


# Values of a declared attribute in the rows that index them; the attribute's number follows.
INDEXED = column("v.value", indexed=True)
INDEXED_OWNERS = "r.seq IN (SELECT v.resource FROM attribute_values v WHERE v.attribute = "


def scalar(path: tuple[str, ...], attribute: Attribute, base: str) -> Column:
    """Return the column of a single-valued attribute; `base` is the URL under which resources live, without a slash."""
    kept = _SCALARS.get(path)
    if kept is not None:
        return kept
    if path == ("meta", "location"):
        return column("? || '/' || r.type || 's/' || quoted(r.id)", base)
    return stored(f"json_extract(r.document, '{json_path(path)}')", attribute)


_SCALARS = {
    ("id",): column("r.id", indexed=True),
    ("externalId",): column("r.externalId", indexed=True),
    ("userName",): column("r.userName", indexed=True),
    ("displayName",): column("r.displayName", indexed=True),
    ("active",): column("r.active"),
    ("meta",): column("r.id"),
    ("meta", "resourceType"): column("r.type"),
    ("meta", "created"): column("r.created", indexed=True),
    ("meta", "lastModified"): column("r.lastModified", indexed=True),
    ("meta", "version"): column(VERSION),
    (user.ACCESS_URN, "loginAllowed"): column(LOGIN_ALLOWED),
}


def rows(bound: Bound, base: str, used: frozenset[str]) -> ElementRows:
    """Return the rows of a multi-valued attribute's elements, for a filter that uses some sub-attributes."""
    match bound.path:
        case ("emails",) if "display" not in used:
            return EMAILS
        case ("roles",):
            return ROLES
        case (user.ACCESS_URN, "effectiveRoles"):
            return EFFECTIVE_ROLES
        case (group.ACCESS_URN, "roles"):
            return GROUP_ROLES
        case ("groups",):
            return _groups(base)
        case ("members",):
            return _members(base)
        case ("schemas",):
            return _schemas(bound)
    return _json_rows(bound)


EMAILS = ElementRows(
    {"value": column("e.value", indexed=True), "type": column("e.type"), "primary": column('e."primary"')},
    each="EXISTS (SELECT 1 FROM emails e WHERE e.resource = r.seq AND {})",
    first='(SELECT {} FROM emails e WHERE e.resource = r.seq ORDER BY e."primary" IS 1 DESC, e.position LIMIT 1)',
    owners="SELECT e.resource FROM emails e WHERE {}",
    few=True,
)


def _assigned(source: str, order: str, **columns: Column) -> ElementRows:
    """Return the rows of roles that a resource has from one source."""
    of_resource = f"FROM assignments a WHERE a.resource = r.seq AND a.source = '{source}'"
    return ElementRows(
        {"value": column("a.role", indexed=True), **columns},
        each=f"EXISTS (SELECT 1 {of_resource} AND {CONDITION})",
        first=f"(SELECT {CONDITION} {of_resource} ORDER BY {order}a.position LIMIT 1)",
        owners=f"SELECT a.resource FROM assignments a WHERE a.source = '{source}' AND {CONDITION}",
    )


ROLES = _assigned(
    "direct",
    'a."primary" IS 1 DESC, ',
    display=column(f"fold(ifnull(a.display, {ROLE_NAME}))"),
    type=column("fold(a.type)"),
    primary=column('a."primary"'),
)
GROUP_ROLES = _assigned("group", "", display=column(f"fold({ROLE_NAME})"))
EFFECTIVE_ROLES = ElementRows(
    {
        "value": column("a.role", indexed=True),
        "display": column(f"fold({ROLE_NAME})"),
        "type": column("a.source"),
        "source": column("CASE a.source WHEN 'group' THEN (SELECT g.id FROM resources g WHERE g.seq = a.resource) END"),
    },
    each=(
        f"EXISTS ({ITSELF_AND_ABOVE}SELECT 1 FROM above JOIN assignments a ON a.resource = above.seq WHERE {CONDITION})"
    ),
    first=(
        f"({ITSELF_AND_ABOVE}SELECT {CONDITION} FROM above JOIN assignments a ON a.resource = above.seq "
        f"{DIRECTLY_ABOVE.format(group='a.resource')} WHERE r.type = 'User' "
        "ORDER BY a.source = 'group', a.source, n.member IS NULL, a.resource, a.position LIMIT 1)"
    ),
    owners=(
        "WITH RECURSIVE below (seq) AS (SELECT a.resource FROM assignments a WHERE a.source = 'group' AND {} "
        f"UNION SELECT m.member FROM below {NESTED}) "
        "SELECT a.resource FROM assignments a WHERE a.source <> 'group' AND {} "
        f"UNION ALL SELECT m.member FROM below {PEOPLE}"
    ),
    everyone=True,
)


def _groups(base: str) -> ElementRows:
    """Return the groups above a user; for all but `type` the groups that match are found first, then their members."""
    columns = {
        "value": column("g.id", indexed=True),
        "$ref": column("? || '/Groups/' || g.id", base),
        "display": column("g.displayName", indexed=True),
        "type": column(GROUP_TYPE),
    }
    return ElementRows(
        columns,
        each=f"EXISTS ({ALL_ABOVE}SELECT 1 FROM above JOIN resources g ON g.seq = above.seq WHERE {CONDITION})",
        first=(
            f"({ALL_ABOVE}SELECT {CONDITION} FROM above JOIN resources g ON g.seq = above.seq "
            f"{DIRECTLY_ABOVE.format(group='g.seq')} WHERE r.type = 'User' ORDER BY n.member IS NULL, g.seq LIMIT 1)"
        ),
        owners=(
            "WITH RECURSIVE below (seq) AS (SELECT g.seq FROM resources g WHERE g.type = 'Group' AND {} "
            f"UNION SELECT m.member FROM below {NESTED}) SELECT m.member FROM below {PEOPLE}"
        ),
        everyone=True,
        only_each=frozenset({"type"}),
    )


def _members(base: str) -> ElementRows:
    columns = {
        "value": column("e.id", indexed=True),
        "$ref": column("? || '/' || e.type || 's/' || e.id", base),
        "display": column("e.displayName"),
        "type": column("lower(e.type)"),
    }
    joined = "FROM members m JOIN resources e ON e.seq = m.member WHERE"
    return ElementRows(
        columns,
        each=f'EXISTS (SELECT 1 {joined} m."group" = r.seq AND {CONDITION})',
        first=f'(SELECT {CONDITION} {joined} m."group" = r.seq ORDER BY m.member LIMIT 1)',
        owners=f'SELECT m."group" {joined} {CONDITION}',
        few=True,
    )


def _schemas(bound: Bound) -> ElementRows:
    """Return the URNs in the document that GET shows: a group's access extension only if the group gives roles."""
    found = _json_rows(bound)
    shown = f"(e.value <> '{group.ACCESS_URN}' OR EXISTS (SELECT 1 FROM assignments a WHERE a.resource = r.seq))"
    return replace(found, each=found.each.replace(CONDITION, f"{shown} AND {CONDITION}"))


def _json_rows(bound: Bound) -> ElementRows:
    """Return the elements in the document."""
    attribute = bound.attribute
    order = "e.key"
    if isinstance(attribute, Complex):
        columns = {
            name: stored(f"json_extract(e.value, '{json_path((name,))}')", sub)
            for name, sub in attribute.subAttributes.items()
        }
        order = "json_extract(e.value, '$.primary') IS 1 DESC, e.key"
    else:
        columns = {"": stored("e.value", attribute)}
    source = f"json_each(r.document, '{json_path(bound.path)}') e"
    return ElementRows(
        columns,
        each=f"EXISTS (SELECT 1 FROM {source} WHERE {CONDITION})",
        first=f"(SELECT {CONDITION} FROM {source} ORDER BY {order} LIMIT 1)",
    )


def json_path(path: tuple[str, ...]) -> str:
    """Return the path of a value in a document, as it stands in an SQL text."""
    return "$" + "".join(f'."{key}"' for key in path).replace("'", "''")


def stored(expression: str, attribute: Attribute) -> Column:
    """Return the column of an expression for an attribute's values as they were sent."""
    sent = Sql(expression)
    if attribute.kind == "text":
        return Column(Sql(f"{'compose' if attribute.caseExact else 'fold'}({expression})"), stored=sent)
    return Column(Sql(f"instant({expression})") if attribute.kind == "instant" else sent, stored=sent)
