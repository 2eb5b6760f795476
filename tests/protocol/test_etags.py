"""Entity tags and conditional requests (RFC 7644 section 3.14, RFC 9110 section 13)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import PreconditionFailed
from scim.protocol.etags import check_if_match, check_if_none_match, etag, not_modified


def test_an_entity_tag_is_weak_and_has_two_parts() -> None:
    assert etag(3, 17) == 'W/"3.17"'


@pytest.mark.parametrize(
    "header",
    [
        None, "", "  ", "*", " * ", 'W/"3.17"', 'w/"3.17"', '"3.17"', "3.17", 'W/"3.16"', 'W/"3"', '"3"', "3",
        'W/"1.1", W/"3.17"', 'W/"1.1",W/"3.2"', '"a,b", "3.1"', 'W/"1.1", *', ',, "3.1"',
    ],
)  # fmt: skip
def test_if_match_holds(header: str | None) -> None:
    check_if_match(header, 3)


@pytest.mark.parametrize(
    "header",
    ['W/"4.17"', 'W/"30.17"', 'W/"1.3"', '"33"', '"*"', 'W/"1.1", W/"2.3"', "none", '"', 'W/"3.17', '"3,4"', ",", "W/"],
)
def test_if_match_fails(header: str) -> None:
    with pytest.raises(PreconditionFailed, match="version is now 3"):
        check_if_match(header, 3)


@pytest.mark.parametrize("header", ["*", 'W/"3.17"', '"3.17"', "3.17", 'W/"1.1", W/"3.17"'])
def test_if_none_match_matches(header: str) -> None:
    assert not_modified(header, 3, 17)
    with pytest.raises(PreconditionFailed):
        check_if_none_match(header, 3, 17)


@pytest.mark.parametrize("header", [None, "", 'W/"3.16"', 'W/"3"', 'W/"2.17"', 'W/"1.1", W/"3.1"', '"*"', '"', ","])
def test_if_none_match_does_not_match(header: str | None) -> None:
    assert not not_modified(header, 3, 17)
    check_if_none_match(header, 3, 17)


@given(st.integers(1), st.integers(0), st.lists(st.tuples(st.integers(1), st.integers(0))))
def test_a_list_matches_if_one_of_its_tags_does(version: int, epoch: int, others: list[tuple[int, int]]) -> None:
    header = ", ".join(etag(*other) for other in others) or None
    assert not_modified(header, version, epoch) == ((version, epoch) in others)
    check_if_match(", ".join([*(etag(*other) for other in others), etag(version, epoch)]), version)


@given(st.text())
def test_any_text_is_accepted_as_a_header(header: str) -> None:
    not_modified(header, 1, 1)
