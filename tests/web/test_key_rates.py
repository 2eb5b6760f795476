"""PERCH_KEY_RATE: how many requests a key may send, and the headers that tell it."""

import re
from types import SimpleNamespace

import pytest

from scim.service.keys import make_key
from scim.web import key_rates
from scim.web.key_rates import KeyRates
from storage.keys import Key
from tests.conftest import MakeApp, MakeClient
from tests.support.resources import refused


def key(identifier: str, profile: str = "none") -> Key:
    made, _ = make_key(identifier, "generic", "read", None, None, None, profile)
    made.id = identifier
    return made


def test_a_key_of_ipsie_has_a_rate_where_others_have_none() -> None:
    rates = KeyRates(0)
    assert [rates.rate(key("a", profile)) for profile in ("none", "interop", "ipsie")] == [0, 0, 100]
    assert KeyRates(7).rate(key("a", "ipsie")) == 7


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of the clock, which a test moves."""
    now = [1000.0]
    monkeypatch.setattr(key_rates, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_in_any_four_seconds_there_are_at_most_four_times_as_many(clock: list[float]) -> None:
    rates, admitted = KeyRates(5), []
    for step in range(3000):
        clock[0] = 1000 + step * 0.01
        if rates.take(key("a"))[0]:
            admitted.append(clock[0])
    assert len(admitted) >= 5 * 29
    for begin in admitted:
        assert sum(begin <= moment < begin + 4 for moment in admitted) <= 20


def test_keys_are_counted_apart_and_what_is_left_is_told(clock: list[float]) -> None:
    rates = KeyRates(1)
    told = [rates.take(key("a")) for _ in range(5)]
    assert [(ok, quota.left) for ok, quota in told] == [(True, 3), (True, 2), (True, 1), (True, 0), (False, 0)]
    assert {(quota.most, quota.seconds) for _, quota in told} == {(4, 4)}
    assert rates.take(key("b"))[1].left == 3
    clock[0] += 2.5
    assert rates.take(key("a"))[1].seconds == 2
    clock[0] += 1.5
    assert rates.take(key("a")) == (True, (4, 3, 4))


def test_a_key_with_too_many_requests_gets_429_and_headers(
    make_app: MakeApp, make_client: MakeClient, clock: list[float]
) -> None:
    app = make_app(PERCH_KEY_RATE="1")
    client, other = make_client(app=app), make_client(app=app)
    paths = ["/Users", "/Users/nobody", "/Nothing", "/Schemas"]
    answers = [client.get(path) for path in paths]
    assert [answer.status for answer in answers] == [200, 404, 404, 200]
    assert [answer.headers["RateLimit"] for answer in answers] == [f'"key";r={left};t=4' for left in (3, 2, 1, 0)]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"key";q=4;w=4'}
    for answer in (client.get("/Users"), client.post("/Users", {"userName": "x"}), client.beside_scim().get("/events")):
        refused(answer, 429, detail="PERCH_KEY_RATE")
        assert re.fullmatch("[1-4]", answer.headers["Retry-After"])
        assert answer.headers["RateLimit"] == '"key";r=0;t=4'
    assert other.get("/Users").status == 200
    metrics = app.test_client().get("/metrics").text
    assert re.search(r'perch_rate_limited_requests_total\{key="[0-9a-z]+"\} 3.0', metrics)
    clock[0] += 4
    assert client.get("/Users?count=0").body["totalResults"] == 0


def test_callers_without_a_valid_key_are_told_no_quota(make_app: MakeApp, make_client: MakeClient) -> None:
    client = make_client(app=make_app(PERCH_KEY_RATE="1"))
    for _ in range(6):
        answer = client.get("/Users", {"Authorization": "Bearer perch_x_y"})
        assert answer.status == 401
        assert "RateLimit" not in answer.headers


def test_without_a_limit_nothing_is_told(make_client: MakeClient) -> None:
    client = make_client()
    assert [client.get("/Users").status for _ in range(20)] == [200] * 20
    assert not {"RateLimit", "RateLimit-Policy"} & client.get("/Users").headers.keys()
