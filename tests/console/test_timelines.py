"""Timelines on the pages of people and groups, and the journal's search for people and members."""

import re
import time

import pytest
from flask import Flask

from tests.support.client import ScimClient
from tests.support.commands import run_command
from tests.support.console import Console, text_of
from tests.support.resources import BULK, create_users, group_id, patch, user_id

ZONED = r"20\d\d-\d\d-\d\d \d\d:\d\d UTC"


def grace(client: ScimClient) -> str:
    return user_id(client, "ghopper@x.example", displayName="Grace Hopper")


def test_a_person_and_a_group_tell_who_took_whom_out(admin: Console, okta: ScimClient, console_app: Flask) -> None:
    person = grace(okta)
    others = create_users(okta, [f"p{number:02}@x.example" for number in range(17)])
    team = group_id(okta, "Support", *others, person)
    admin.post(f"/groups/{team}/roles", {"slug": "managed:viewer"})
    assert "May log in since" in text_of(admin.get(f"/users/{person}"))
    okta.put(f"/Groups/{team}", {"displayName": "Support", "members": []})
    answer = admin.get(f"/users/{person}")
    text = text_of(answer)
    assert re.search(
        r"No role Requests Lost the last role on 20\S+ at \S+ UTC because key Okta took Grace Hopper out of Support\.",
        text,
    )
    assert re.search(
        rf"key Okta took Grace Hopper out of Support {ZONED} request Lost the role Viewer May no longer log in", text
    )
    assert re.search(
        rf"the console gave the role Viewer to the group Support {ZONED} request Gained the role Viewer May log in",
        text,
    )
    assert f'took Grace Hopper out of <a href="/console/groups/{team}">Support</a>' in answer.text
    assert re.search(r'<a href="/console/keys#key-[0-9a-f]{10}">key Okta</a>', answer.text)
    cause = re.search(r'href="#(entry-\d+)">Show this entry', answer.text)
    assert cause and f'id="{cause[1]}"' in answer.text
    text = text_of(admin.get(f"/groups/{team}"))
    assert re.search(r"members removed Grace Hopper , (\S+ , )+\S+ and 13 more", text), text
    assert re.search(rf"Role assigned by the console {ZONED} request Gained the role Viewer roles.group", text), text
    okta.delete(f"/Groups/{team}")
    text = text_of(admin.get(f"/users/{person}"))
    assert "took Grace Hopper out of Support" in text


def test_the_request_of_an_entry_is_a_link(admin: Console, okta: ScimClient) -> None:
    person = grace(okta)
    okta.patch(f"/Users/{person}", patch("replace", "title", "Admiral"))
    found = re.search(r'href="/console(/journal\?request=[0-9a-f]+)"', admin.get(f"/users/{person}").text)
    assert found
    shown = text_of(admin.get(found[1]))
    assert "Admiral" in shown and "created" not in shown.partition("Search")[2]


@pytest.mark.parametrize("typed", ["Grace", "grace", "hopper", "GHOPPER", "ghopper@x.example", "e Hop"])
def test_the_journal_finds_a_person_by_a_part_of_a_name(admin: Console, okta: ScimClient, typed: str) -> None:
    person, other = grace(okta), user_id(okta, "ada@x.example", displayName="Ada")
    group_id(okta, "With", person)
    group_id(okta, "Without", other)
    text = text_of(admin.get(f"/journal?name={typed}"))
    assert "ghopper@x.example created" in text
    assert "With created by key Okta" in text and "member added Grace Hopper" in text
    assert "Without" not in text and "ada@x.example created" not in text


@pytest.mark.parametrize("size", [3, 18, 30, 1100])
def test_the_person_that_was_sought_is_named_first(admin: Console, okta: ScimClient, size: int) -> None:
    others = create_users(okta, [f"p{number:04}@x.example" for number in range(size - 1)])
    person = grace(okta)
    team = group_id(okta, "Team", *others, person)
    more = f" and {size - 5:,} more" if size > 5 else " "
    text = text_of(admin.get("/journal?name=hopper"))
    assert re.search(rf"members added Grace Hopper , p0\S+( , p0\S+)*{more}", text), text
    plain = text_of(admin.get("/journal?type=Group"))
    assert re.search(rf"members added p0\S+ , p0\S+ ,.*{more}", plain), plain
    okta.delete(f"/Groups/{team}")
    okta.delete(f"/Users/{person}")
    text = text_of(admin.get("/journal?name=ghopper"))
    assert "ghopper@x.example deleted" in text
    assert len(re.findall(r"members (added|removed) ghopper@x.example ,", text)) == 2


def test_a_group_that_a_deleted_person_left_is_named(admin: Console, okta: ScimClient) -> None:
    person = grace(okta)
    group_id(okta, "Support", person)
    okta.delete(f"/Users/{person}")
    assert "groups left Support" in text_of(admin.get("/journal?action=delete"))


def test_a_forgotten_person_is_in_no_list(admin: Console, okta: ScimClient, console_app: Flask) -> None:
    person = grace(okta)
    others = create_users(okta, [f"p{number}@x.example" for number in range(30)])
    few, many = group_id(okta, "Few", person, others[0]), group_id(okta, "Many", person, *others)
    okta.delete(f"/Users/{person}")
    run_command(console_app, "forget", "ghopper@x.example")
    packed = bytes.fromhex(person.replace("-", ""))
    with console_app.extensions["perch"].database.read() as connection:
        assert connection.execute("SELECT 1 FROM journal_members WHERE member = ?", (person,)).fetchone() is None
        crowds = connection.execute("SELECT added, removed FROM journal_crowds").fetchall()
        assert packed not in b"".join(part for row in crowds for part in row)
        assert [len(added) for added, _ in crowds] == [16 * 30]
    for team, more in ((few, "and 1 more"), (many, "and 26 more")):
        text = text_of(admin.get(f"/groups/{team}"))
        assert more in text and "ghopper" not in text and "Grace" not in text


def test_a_person_in_a_thousand_groups_has_a_quick_page(admin: Console, okta: ScimClient) -> None:
    person = grace(okta)
    operations = [
        {"method": "POST", "path": "/Groups", "bulkId": f"g{number}",
         "data": {"displayName": f"G{number}", "members": [{"value": person}]}}
        for number in range(1000)
    ]  # fmt: skip
    assert okta.post("/Bulk", {"schemas": [BULK], "Operations": operations}).status == 200
    times = []
    for _ in range(3):
        begun = time.process_time()
        answer = admin.get(f"/users/{person}")
        times.append(time.process_time() - begun)
    assert "put Grace Hopper into G999" in text_of(answer)
    assert min(times) < 0.2
