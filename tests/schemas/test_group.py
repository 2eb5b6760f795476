"""The schema of groups: members, and Perch's own extension."""

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
