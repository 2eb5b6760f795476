"""A small organisation, pushed over SCIM, for screenshots and for tests that need filled pages."""

import random
from typing import Any

from tests.support.client import ScimClient
from tests.support.server import PerchServer

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

GIVEN = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Radia", "Karen", "Leslie", "Margaret", "Zoë", "Søren")
FAMILY = (
    "Lovelace",
    "Hopper",
    "Turing",
    "Dijkstra",
    "Liskov",
    "Knuth",
    "Perlman",
    "Allen",
    "Lamport",
    "Wirth",
    "Åberg",
)
DEPARTMENTS = ("Support", "Engineering", "Finance", "Sales")
ROLES = ("managed:inbox_agent", "managed:analyst", "managed:editor")


def populate(server: PerchServer, people: int = 64) -> dict[str, Any]:
    """Push people and groups as Okta would, with a few failures; return the ids that addresses of pages need."""
    hooks = _webhooks(server)
    okta = server.client("okta", server.create_key("Okta production"))
    server.create_key("Reporting application", "--idp", "generic", "--access", "read")
    server.create_key("Entra pilot", "--idp", "entra", "--expires-in", "30")
    server.prepare("roles", "add", "billing:reader", "Billing reader", "--description", "Sees invoices, pays nothing.")
    chance = random.Random(7)
    ids = [_push(okta, person(number, chance)) for number in range(people)]
    groups = [
        _push_group(okta, name, [ids[0], *chance.sample(ids[1:], min(13, people - 1))])
        for name in ("Support team", "Finance", "Partners")
    ]
    everybody = _push_group(okta, "Everybody", ids)
    okta.put(f"/Groups/{groups[2]}", {"schemas": [GROUP], "displayName": "Partners", "members": _members(ids[3:8])})
    server.prepare("roles", "assign", "--group", "Support team", "managed:inbox_agent")
    server.prepare("roles", "assign", "--group", "Finance", "billing:reader")
    server.prepare("roles", "assign", "--user", "ada.lovelace.0@example.com", "managed:admin")
    _change(okta, ids)
    _fail(okta)
    return {
        "user": ids[0], "deactivated": ids[5 % people], "group": groups[0], "everybody": everybody, "people": ids,
        "okta": okta, "webhook": hooks[0],
    }  # fmt: skip


def _webhooks(server: PerchServer) -> list[str]:
    """Add a live and a paused webhook; nothing is sent, because no delivery process runs."""
    login = "login.allowed,login.withdrawn"
    hooks = [
        server.prepare_json("webhooks", "add", "https://inbox.example.com/hooks/perch", "--events", login)["id"],
        server.prepare_json("webhooks", "add", "https://reports.example.com/perch?team=analytics")["id"],
    ]
    server.prepare("webhooks", "pause", hooks[1])
    return hooks


def person(number: int, chance: random.Random) -> dict[str, Any]:
    """Return a person as Okta's custom app sends them."""
    given, family = ("Ada", "Lovelace") if number == 0 else (chance.choice(GIVEN), chance.choice(FAMILY))
    name = f"{given}.{family}.{number}@example.com".lower()
    body: dict[str, Any] = {
        "schemas": [USER],
        "userName": name,
        "name": {"givenName": given, "familyName": family},
        "emails": [{"primary": True, "value": name, "type": "work"}],
        "displayName": f"{given} {family}",
        "locale": "en-GB",
        "externalId": f"00u{number:05}perch",
        "groups": [],
        "password": "Ab12cd34",
        "active": number % 11 != 5,
        ENTERPRISE: {"department": chance.choice(DEPARTMENTS), "employeeNumber": str(1000 + number)},
    }
    if number % 3 == 0:
        body["roles"] = [ROLES[number % 9 // 3]]
    return body


def _push(okta: ScimClient, body: dict[str, Any]) -> str:
    okta.get(f"/Users?filter=userName%20eq%20%22{body['userName'].replace('å', '%C3%A5')}%22&startIndex=1&count=100")
    answer = okta.post("/Users", body)
    assert answer.status == 201, answer
    return str(answer.body["id"])


def _push_group(okta: ScimClient, name: str, ids: list[str]) -> str:
    group = okta.post("/Groups", {"schemas": [GROUP], "displayName": name, "members": []}).body["id"]
    okta.put(f"/Groups/{group}", {"schemas": [GROUP], "displayName": name, "members": _members(ids)})
    return str(group)


def _members(ids: list[str]) -> list[dict[str, str]]:
    return [{"value": identifier} for identifier in ids]


def _change(okta: ScimClient, ids: list[str]) -> None:
    first = okta.get(f"/Users/{ids[0]}").body
    okta.put(f"/Users/{ids[0]}", {**first, "title": "Analyst"})
    okta.put(f"/Users/{ids[0]}", {**first, "title": "Countess", "roles": ["managed:analyst", "managed:editor"]})


def _fail(okta: ScimClient) -> None:
    """Cause two failures that administrators meet: an unknown role slug, and a name that is taken."""
    chance = random.Random(1)
    okta.post("/Users", {**person(900, chance), "roles": ["managed:inbox_agnet"]})
    okta.post("/Groups", {"schemas": [GROUP], "displayName": "finance"})
    okta.get("/Users?startIndex=1&count=2")
