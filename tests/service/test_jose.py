"""Which keys of a JWK Set may have signed a JWT: one rule for id_tokens and for assertions of clients."""

from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, RSAKey

from scim.service.jose import SHORTEST_RSA, is_signed, read_jwt
from tests.support.jwt import signed

RSA, OTHER_RSA = (RSAKey.generate_key(2048, {"kid": "k1"}) for _ in range(2))
EC = ECKey.generate_key("P-256", {"kid": "k1"})
P384 = ECKey.generate_key("P-384", {"kid": "k1"})
pytestmark = pytest.mark.filterwarnings("ignore:Key size should be")


def public(key: Key, **changes: Any) -> dict[str, Any]:
    """Return a public JWK with members changed; None removes one."""
    found = {**key.as_dict(private=False), **changes}
    return {name: value for name, value in found.items() if value is not None}


def is_accepted(text: str, *keys: Any) -> bool:
    token = read_jwt(text)
    return token is not None and is_signed(token, {"keys": list(keys)})


@pytest.mark.parametrize(
    ("keys", "kid", "accepted"),
    [
        ([public(RSA)], "k1", True),
        ([public(RSA, use="sig", alg="RS256")], "k1", True),
        ([public(RSA, use=None, alg=None)], None, True),
        ([public(RSA, use="enc")], "k1", False),
        ([public(RSA, use="enc")], None, False),
        ([public(RSA, use=["sig"])], "k1", False),
        ([public(RSA, alg="RS512")], "k1", False),
        ([public(RSA, alg="PS256")], "k1", False),
        ([public(RSA, alg="RSA-OAEP")], None, False),
        ([public(RSA)], "k2", False),
        ([public(RSA, kid="")], "k1", False),
        ([public(RSA, kid=1)], "k1", False),
        ([public(RSA, kid=None)], "k2", True),
        ([public(OTHER_RSA), public(RSA)], "k1", True),
        ([public(RSA), public(OTHER_RSA)], "k1", True),
        ([public(OTHER_RSA, kid="k0"), public(RSA)], None, True),
        ([public(RSA, use="enc"), public(RSA)], "k1", True),
        ([public(OTHER_RSA), public(EC)], "k1", False),
        ([public(EC), public(P384), "text", None, {}, public(RSA)], "k1", True),
        ([public(RSA, kty="EC")], "k1", False),
        ([public(RSA, kty="oct", k="c2VjcmV0")], "k1", False),
        ([public(RSA, n=None)], "k1", False),
        ([public(RSA, n="AA")], "k1", False),
        ([public(RSA, n=5, e=[])], "k1", False),
        ([], "k1", False),
        ([public(EC)] * 49 + [public(RSA)], "k1", True),
        ([public(EC)] * 50 + [public(RSA)], "k1", False),
    ],
)
def test_a_key_signs_by_its_kid_use_and_algorithm(keys: list[Any], kid: str | None, accepted: bool) -> None:
    assert is_accepted(signed(RSA, {"sub": "x"}, "RS256", kid), *keys) is accepted


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
@pytest.mark.parametrize("bits", [1024, SHORTEST_RSA - 8, SHORTEST_RSA])
def test_a_short_rsa_key_signs_nothing(alg: str, bits: int) -> None:
    key = RSAKey.generate_key(bits, {"kid": "k1"})
    assert is_accepted(signed(key, {"sub": "x"}, alg), public(key)) is (bits >= SHORTEST_RSA)


def test_a_weak_key_beside_a_strong_one_of_the_same_kid_signs_nothing() -> None:
    weak = RSAKey.generate_key(1024, {"kid": "k1"})
    keys = public(weak), public(RSA)
    assert not is_accepted(signed(weak, {"sub": "x"}, "RS256"), *keys)
    assert is_accepted(signed(RSA, {"sub": "x"}, "RS256"), *keys)


@pytest.mark.parametrize(
    ("key", "alg", "accepted"), [(EC, "ES256", True), (P384, "ES384", False), (RSA, "RS512", False)]
)
def test_three_algorithms_are_taken(key: Key, alg: str, accepted: bool) -> None:
    assert is_accepted(signed(key, {"sub": "x"}, alg), public(key)) is accepted


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text + ".",
        lambda text: text.rpartition(".")[0],
        lambda text: text.rpartition(".")[0] + ".",
        lambda text: "." + text,
        lambda text: text.replace(".", "..", 1),
        lambda text: " " + text,
        lambda text: "é" + text,
        lambda text: "W10" + text[text.index(".") :],
    ],
)
def test_a_damaged_token_is_signed_by_nobody(damage: Callable[[str], str]) -> None:
    assert not is_accepted(damage(signed(RSA, {"sub": "x"}, "RS256")), public(RSA))
