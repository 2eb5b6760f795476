"""Events as security event tokens (RFC 9967): polled (RFC 8936) and pushed (RFC 8935)."""

import base64
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from joserfc import jwt
from joserfc.jwk import KeySet

from schemas.datetimes import now
from scim.events.delivery import WebhookDelivery
from scim.events.webhooks import WebhookService
from storage.journal import Author
from tests.conftest import MakeApp
from tests.support.client import Answer, ScimClient, wsgi_transport
from tests.support.commands import create_key, run_command, run_json, scim_path
from tests.support.receiver import Receiver

PROV = "urn:ietf:params:scim:event:prov"
OWN = "urn:perch:scim:event"


class Poller:
    """A receiver that polls with a read key and checks every token with the published keys."""

    def __init__(self, app: Flask) -> None:
        key = create_key(app, "receiver", "--idp", "generic", "--access", "read")
        self.client = ScimClient(wsgi_transport(app), scim_path(app), key).beside_scim()
        self.app = app

    def ask(self, **body: Any) -> Answer:
        return self.client.post("/events/poll", {"returnImmediately": True, **body})

    def poll(self, **body: Any) -> list[dict[str, Any]]:
        answer = self.ask(**body)
        assert answer.status == 200, answer
        return [self.read(jti, text) for jti, text in answer.body["sets"].items()]

    def read(self, jti: str, text: str) -> dict[str, Any]:
        found = self.app.test_client().get(f"{self.client.base_path}/jwks.json")
        assert found.status_code == 200 and "d" not in found.json["keys"][0]  # type: ignore[index]
        token = jwt.decode(text, KeySet.import_key_set(found.json), algorithms=["ES256"])  # type: ignore[arg-type]
        assert token.header["typ"] == "secevent+jwt" and token.header["kid"]
        assert token.claims["jti"] == jti and "sub" not in token.claims and "exp" not in token.claims
        return dict(token.claims)


@pytest.fixture
def poller(app: Flask) -> Poller:
    run_command(app, "roles", "add", "a", "A")
    found = Poller(app)
    assert found.poll() == []
    return found


def uris(tokens: list[dict[str, Any]]) -> list[str]:
    return [uri for token in tokens for uri in token["events"] if uri.startswith("urn:ietf")]


def test_tokens_hold_the_events_of_rfc_9967(app: Flask, generic: ScimClient, poller: Poller) -> None:
    ann = generic.post("/Users", {"userName": "ann", "externalId": "7", "roles": ["a"]}).body["id"]
    generic.put(f"/Users/{ann}", {"userName": "ann", "externalId": "7", "roles": ["a"], "title": "Dr"})
    generic.patch(f"/Users/{ann}", {"Operations": [{"op": "replace", "value": {"active": False}}]})
    team = generic.post("/Groups", {"displayName": "Team"}).body["id"]
    generic.patch(f"/Groups/{team}", {"Operations": [{"op": "add", "path": "members", "value": [{"value": ann}]}]})
    generic.delete(f"/Users/{ann}")
    tokens = poller.poll()
    notice = f"{PROV}:patch:notice"
    assert uris(tokens) == [
        f"{PROV}:create:notice", notice, f"{PROV}:activate", f"{PROV}:put:notice", notice, f"{PROV}:deactivate",
        f"{PROV}:create:notice", notice, notice, f"{PROV}:delete",
    ]  # fmt: skip
    first = tokens[0]
    assert first["sub_id"] == {"format": "scim", "uri": f"/Users/{ann}", "id": ann, "externalId": "7"}
    assert "userName" in first["events"][f"{PROV}:create:notice"]["attributes"]
    assert "data" not in first["events"][f"{PROV}:create:notice"]
    assert tokens[3]["events"][f"{PROV}:put:notice"] == {"attributes": ["title"]}
    assert tokens[4]["events"][notice] == {"attributes": ["active"]}
    assert tokens[5]["events"][f"{PROV}:deactivate"] == {}
    assert tokens[5]["events"][f"{OWN}:login.withdrawn"]["loginAllowed"] is False
    assert tokens[7]["sub_id"]["uri"] == f"/Groups/{team}" and tokens[7]["events"][notice] == {
        "attributes": ["members"]
    }
    assert tokens[0]["txn"] == tokens[1]["txn"] != tokens[3]["txn"]
    assert first["iss"].endswith(poller.client.base_path) and abs(first["iat"] - time.time()) < 120


def test_tokens_are_repeated_until_they_are_acknowledged(generic: ScimClient, poller: Poller) -> None:
    for number in range(5):
        generic.post("/Users", {"userName": f"u{number}"})
    answer = poller.ask(maxEvents=2)
    assert len(answer.body["sets"]) == 2 and answer.body["moreAvailable"] is True
    first, second = list(answer.body["sets"])
    assert list(poller.ask(maxEvents=2).body["sets"]) == [first, second]
    third, fourth = list(poller.ask(maxEvents=2, ack=[second], setErrs={first: {"err": "invalid_key"}}).body["sets"])
    left = list(poller.ask(ack=[fourth]).body["sets"])
    assert left[0] == third and len(left) == 2
    assert poller.ask(maxEvents=0, ack=left).body == {"sets": {}, "moreAvailable": False}
    assert poller.poll(ack=["evt_99_00000000", "nonsense"]) == []


def test_each_key_has_a_stream_of_its_own(app: Flask, generic: ScimClient, poller: Poller) -> None:
    other = Poller(app)
    assert other.poll() == []
    generic.post("/Users", {"userName": "ann"})
    jti = poller.poll()[0]["jti"]
    assert poller.poll(ack=[jti]) == []
    assert [token["jti"] for token in other.poll()] == [jti]


def test_a_stream_that_lost_events_is_410_once(app: Flask, generic: ScimClient, poller: Poller) -> None:
    for name in ("ann", "bob"):
        generic.post("/Users", {"userName": name})
    with app.extensions["perch"].database.write() as connection:
        connection.execute("DELETE FROM events WHERE seq = 1")
    answer = poller.ask()
    assert answer.status == 410 and "/Users again" in answer.body["detail"]
    assert poller.poll() == []


@pytest.mark.parametrize(
    "body",
    [[], {"maxEvents": -1}, {"maxEvents": "x"}, {"ack": "x"}, {"ack": [1]}, {"setErrs": []}, {"returnImmediately": 1}],
)
def test_a_malformed_poll_is_400(poller: Poller, body: Any) -> None:
    answer = poller.client.post("/events/poll", body)
    assert answer.status == 400 and answer.body["scimType"] == "invalidSyntax"


def test_a_poll_that_may_wait_returns_waiting_tokens(generic: ScimClient, poller: Poller) -> None:
    generic.post("/Users", {"userName": "ann"})
    answer = poller.client.post("/events/poll", {"maxEvents": 1})
    assert len(answer.body["sets"]) == 1


def test_tokens_are_pushed_to_a_webhook(make_app: MakeApp) -> None:
    receiver = Receiver()
    app = make_app(PERCH_WEBHOOKS_ALLOW_PRIVATE="on")
    perch = app.extensions["perch"]
    added = run_json(app, "webhooks", "add", receiver.url, "--format", "set")
    assert added["keys"].endswith("/jwks.json") and "secret" not in added
    client = ScimClient(wsgi_transport(app), scim_path(app), create_key(app, "x", "--idp", "generic"))
    client.post("/Users", {"userName": "ann"})
    issuer = f"http://perch/{perch.workspace}"
    service = WebhookService(perch.repository, perch.settings, issuer, Author("delivery", ""))
    delivery = WebhookDelivery(service, added["id"], lambda: True)
    delivery.step()
    ((headers, body),) = receiver.raw
    assert headers["Content-Type"] == "application/secevent+jwt" and headers["Accept"] == "application/json"
    poller = Poller(app)
    jti = run_json(app, "events")[0]["id"]
    claims = poller.read(jti, body.decode())
    assert claims["aud"] == [receiver.url] and claims["iss"] == f"http://perch/{perch.workspace}"
    receiver.stop()


def test_discovery_names_the_events_once_tokens_are_in_use(app: Flask, generic: ScimClient) -> None:
    keys = app.test_client().get(f"{scim_path(app)[: -len('/scim/v2')]}/jwks.json")
    assert keys.json == {"keys": []}
    assert "securityEvents" not in generic.get("/ServiceProviderConfig").body
    Poller(app).poll()
    found = generic.get("/ServiceProviderConfig").body["securityEvents"]
    assert found["asyncRequest"] == "none"
    assert f"{PROV}:create:notice" in found["eventUris"] and len(found["eventUris"]) == 6


def test_many_refused_tokens_are_a_few_lines_of_the_log(
    generic: ScimClient, poller: Poller, caplog: pytest.LogCaptureFixture
) -> None:
    generic.post("/Users", {"userName": "ann"})
    (token,) = poller.poll()
    many = {f"evt_{number}_00000000": {"err": "e"} for number in range(5000)}
    with caplog.at_level("WARNING", "perch"):
        assert poller.poll(setErrs={**dict(list(many.items())[:-1]), token["jti"]: {"err": "e"}}) == []
    lines = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert len(lines) == 11
    assert "4990 more" in lines[-1]


@pytest.mark.parametrize(("acknowledged", "refused"), [(10_001, 0), (9000, 1001), (5001, 5000)])
def test_a_poll_acknowledges_at_most_ten_thousand_tokens(acknowledged: int, refused: int, poller: Poller) -> None:
    answer = poller.ask(
        ack=[f"a{number}" for number in range(acknowledged)], setErrs={f"b{number}": {} for number in range(refused)}
    )
    assert (answer.status, answer.body["scimType"]) == (400, "invalidSyntax")
    assert "10000" in answer.body["detail"]


def kids(app: Flask, poller: Poller) -> list[str]:
    found = app.test_client().get(f"{poller.client.base_path}/jwks.json").json
    return [key["kid"] for key in found["keys"]]  # type: ignore[index]


def signs(generic: ScimClient, poller: Poller) -> str:
    """Return the id of the key that signs the next event."""
    generic.post("/Users", {"userName": f"user-{time.monotonic_ns()}"})
    sets = poller.ask().body["sets"]
    return str(json.loads(base64.urlsafe_b64decode(next(iter(sets.values())).split(".")[0] + "=="))["kid"])


def at(monkeypatch: pytest.MonkeyPatch, hours: float) -> None:
    """Move the clock of the signing keys to some hours from now."""
    moved = lambda offset=timedelta(0): now(offset + timedelta(hours=hours))  # noqa: E731
    monkeypatch.setattr("storage.signing_keys.now", moved)


def test_a_new_signing_key_is_published_before_it_signs_and_the_old_one_after(
    app: Flask, generic: ScimClient, poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = kids(app, poller)
    new = run_command(app, "events", "rotate-signing-key").partition(":")[0]
    assert kids(app, poller) == [new, old]
    assert signs(generic, poller) == old
    at(monkeypatch, 9 / 60)
    assert signs(generic, poller) == old
    for hours in (11 / 60, 23.9):
        at(monkeypatch, hours)
        assert (signs(generic, poller), kids(app, poller)) == (new, [new, old])
    at(monkeypatch, 24.1)
    assert (signs(generic, poller), kids(app, poller)) == (new, [new])
    app.extensions["perch"].repository.prune(365, 30)
    monkeypatch.undo()
    assert kids(app, poller) == [new], "the private part of the old one is deleted"


def test_a_stolen_signing_key_ends_at_once(app: Flask, generic: ScimClient, poller: Poller) -> None:
    (old,) = kids(app, poller)
    new = run_command(app, "events", "rotate-signing-key", "--overlap", "0").partition(":")[0]
    assert kids(app, poller) == [new] and new != old
    assert signs(generic, poller) == new
    entry = run_json(app, "journal")[1]
    assert (entry["type"], entry["action"], entry["name"]) == ("Workspace", "rotate", "signing key")
    assert entry["changes"]["kid"] == {"before": [old], "after": new}


@pytest.mark.parametrize(
    ("overlaps", "left"), [(("24", "24"), 3), (("24", "0"), 1), (("0", "24"), 2), (("1", "24"), 3)]
)
def test_signing_keys_are_rotated_again(
    app: Flask, generic: ScimClient, poller: Poller, overlaps: tuple[str, str], left: int
) -> None:
    for overlap in overlaps:
        run_command(app, "events", "rotate-signing-key", "--overlap", overlap)
    assert len(kids(app, poller)) == left
    assert signs(generic, poller) in kids(app, poller)


def test_an_early_end_is_not_put_off_by_another_rotation(
    app: Flask, poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old,) = kids(app, poller)
    run_command(app, "events", "rotate-signing-key", "--overlap", "1")
    run_command(app, "events", "rotate-signing-key", "--overlap", "24")
    at(monkeypatch, 2)
    assert len(kids(app, poller)) == 2 and old not in kids(app, poller)


def test_the_first_signing_key_may_be_made_by_a_rotation(app: Flask, generic: ScimClient) -> None:
    new = run_command(app, "events", "rotate-signing-key").partition(":")[0]
    poller = Poller(app)
    assert poller.poll() == []
    assert signs(generic, poller) == new
    assert kids(app, poller) == [new]
