"""Redaction removes passwords and access keys from bodies and paths; JSON stays JSON."""

import json
import string
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim.observability.redaction import (
    KEPT_BYTES,
    MARK,
    WITHHELD,
    answer_text,
    body_text,
    redacted_path,
    redacted_text,
)

KEY = "perch_0123456789_" + "Zq7-_" * 8
WORD = "hunter2-Zq7Zq7"

texts = st.text(st.characters(codec="utf-8"), max_size=20)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["password", "PassWord", "urn:ietf:params:scim:schemas:core:2.0:User:password", "passwordHash", "Authorization"]
)
secrets = st.sampled_from([WORD, [WORD], {"value": WORD}, {"deep": [{"er": WORD}]}])
secret_parts = st.one_of(
    st.builds(lambda name, value: {name: value}, names, secrets),
    st.builds(
        lambda op, name, value: {"op": op, "path": name, "value": value}, texts, names, secrets
    ),
    st.builds(lambda name, value: {"roles": [json.dumps({name: value})]}, names, secrets),
    st.builds(lambda before, after: {"displayName": f"{before} {KEY} {after}", KEY: [KEY]}, texts, texts),
    st.builds(lambda op: {"filter": f'userName pr and password {op} "{WORD}"'}, st.sampled_from(["eq", "CO", "ne"])),
)  # fmt: skip
bodies = st.recursive(
    secret_parts,
    lambda inner: (
        st.lists(st.one_of(inner, plain), min_size=1, max_size=3)
        | st.builds(lambda around, inner: {**around, "data": inner}, st.dictionaries(texts, plain, max_size=2), inner)
    ),
    max_leaves=4,
)


def escaped(text: str) -> str:
    """Return the same JSON with every letter escaped."""
    return "".join(f"\\u{ord(char):04x}" if char in string.ascii_letters else char for char in text)


@given(body=bodies, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_a_json_body_keeps_its_form_and_loses_its_secrets(body: Any, indent: int | None, ascii_only: bool) -> None:
    data = json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    kept = body_text(data, len(data))
    assert kept is not None
    assert WORD not in kept
    assert KEY[17:] not in kept
    assert json.loads(kept) is not None


@given(body=bodies, cut=st.integers(1, 40))
def test_a_body_that_is_not_json_keeps_no_secret(body: Any, cut: int) -> None:
    data = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")[:-cut]
    kept = body_text(data, len(data)) or ""
    assert WORD not in kept
    assert KEY[17:] not in kept


@given(body=bodies, padding=st.integers(0, 2 * KEPT_BYTES))
def test_the_beginning_of_a_body_keeps_no_secret(body: Any, padding: int) -> None:
    data = json.dumps([body, "x" * padding]).encode()[: KEPT_BYTES + 1]
    kept = body_text(data, 10 * KEPT_BYTES) or ""
    assert WORD not in kept
    assert KEY[17:] not in kept
    assert len(kept.encode()) < KEPT_BYTES + 100


def test_escaped_secrets_are_redacted() -> None:
    data = ('{"' + escaped("password") + '": "' + WORD + '", "note": "' + escaped(KEY) + '"}').encode()
    kept = body_text(data, len(data)) or ""
    assert json.loads(kept) == {"password": MARK, "note": "perch_0123456789_***"}
    assert body_text(data[:-1], len(data)) == WITHHELD


@given(data=st.binary(max_size=200))
def test_any_bytes_are_kept_as_text(data: bytes) -> None:
    kept = body_text(data, len(data))
    assert (kept is None) == (data == b"")
    (kept or "").encode()


def test_a_body_without_secrets_is_unchanged() -> None:
    body = '{ "userName": "ada",  "active": true }'
    assert body_text(body.encode(), len(body)) == body


def test_an_empty_password_is_shown_as_empty() -> None:
    body = b'{"password": "", "userName": "ada"}'
    assert json.loads(body_text(body, len(body)) or "") == {"password": "", "userName": "ada"}


def test_a_long_body_is_cut_with_a_note_of_its_size() -> None:
    body = json.dumps({"displayName": "é" * KEPT_BYTES}, ensure_ascii=False).encode()
    kept = body_text(body, len(body)) or ""
    assert kept.endswith(f"\n[the beginning of {len(body)} bytes]")
    assert len(kept.encode()) < KEPT_BYTES + 60


def test_a_body_with_a_number_beyond_json_is_withheld() -> None:
    body = b'{"password": "x", "n": 1e999}'
    assert body_text(body, len(body)) == WITHHELD


def test_half_a_surrogate_pair_stays_json() -> None:
    body = b'{"password": "x", "displayName": "\\ud800"}'
    assert json.loads(body_text(body, len(body)) or "") == {"password": MARK, "displayName": "\ud800"}


def test_keys_in_answers_are_redacted() -> None:
    body = json.dumps({"displayName": f"my key is {KEY}"}).encode()
    assert json.loads(answer_text(body, len(body))) == {"displayName": "my key is perch_0123456789_***"}


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/w/scim/v2/Users?count=2", "/w/scim/v2/Users?count=2"),
        ("/w/scim/v2/Users?filter=userName%20eq%20%22a%40b%22", "/w/scim/v2/Users?filter=userName%20eq%20%22a%40b%22"),
        (f"/w/scim/v2/Users/{KEY}", "/w/scim/v2/Users/perch_0123456789_***"),
        (f"/w/scim/v2/Users?access_token={KEY}&count=2", "/w/scim/v2/Users?access_token=***&count=2"),
        (f"/w/scim/v2/Users?token={WORD}", "/w/scim/v2/Users?token=***"),
        (f"/w?filter=password+eq+%22{WORD}%22", "/w?filter=password%20eq%20***"),
        ("/w?filter=" + quote(f'%password co "{WORD}'), "/w?filter=%25password%20co%20***"),
    ],
)
def test_keys_and_secrets_in_paths_are_redacted(path: str, kept: str) -> None:
    assert redacted_path(path) == kept


@given(name=names, place=st.sampled_from(["/Users?{}={}", "/Users?filter={}%20eq%20%22{}%22", "/Users?a=b&{}={}"]))
def test_no_path_keeps_a_secret(name: str, place: str) -> None:
    hidden = "".join(f"%{ord(char):02x}" for char in WORD)
    for value in (WORD, hidden, quote(KEY)):
        kept = redacted_path(place.format(quote(name), value))
        assert WORD not in kept and hidden not in kept and KEY[17:] not in kept


def test_the_word_secretary_is_not_redacted() -> None:
    text = "the secretary eq Bob"
    assert redacted_text(text) == text
