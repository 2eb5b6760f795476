"""The schema of groups: members, and Perch's own extension."""

from typing import Any

import pytest

from schemas.errors import InvalidValue
from schemas.group import ACCESS_URN, URN
from tests.support.resource_types import GROUP


def test_members_load_without_read_only_sub_attributes() -> None:
    sent = {"value": "7", "$ref": "../Users/7", "display": "Ada", "type": "User"}
    document = GROUP.load({"displayName": "G", "members": [sent]})
    assert document == {
        "schemas": [URN, ACCESS_URN],
        "displayName": "G",
        "members": [{"value": "7", "$ref": "../Users/7", "type": "User"}],
    }


def test_a_member_needs_its_id() -> None:
    with pytest.raises(InvalidValue, match=r"members\[1\]\.value: is required\."):
        GROUP.load({"displayName": "G", "members": [{"value": "7"}, {"display": "x"}]})


def test_an_extension_without_roles_is_an_empty_object() -> None:
    assert GROUP.derived.dumps({ACCESS_URN: {}}) == f'{{"{ACCESS_URN}":{{}}}}'


@pytest.mark.parametrize("members", [[{}], [None], [""], [[]], {}, [{"value": "7"}, {}], "[{}]", "{}", [{"value": ""}]])
def test_malformed_members_are_refused_whole(members: Any) -> None:
    with pytest.raises(InvalidValue, match=r"^members\[\d\]"):
        GROUP.load({"displayName": "G", "members": members})


@pytest.mark.parametrize("members", [None, "", [], "[]"])
def test_empty_members_are_left_out(members: Any) -> None:
    assert "members" not in GROUP.load({"displayName": "G", "members": members})


@pytest.mark.parametrize("members", ["everybody", 5, False, "a, b", "[VPN] users"])
def test_members_of_a_wrong_type_are_refused_with_the_type_to_send(members: Any) -> None:
    with pytest.raises(InvalidValue, match=r'^members: must be an array of objects such as \{"value": "ID"\}, not a'):
        GROUP.load({"displayName": "G", "members": members})


@pytest.mark.parametrize("id_", ["01a21c05-bfeb-74fa-8f7f-c27556949f56"])
def test_an_id_alone_is_a_member(id_: str) -> None:
    assert GROUP.load({"displayName": "G", "members": id_})["members"] == [{"value": id_}]
