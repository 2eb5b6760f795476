"""The server under attack: its keys, its people, the ones who must stay as they are, and values for placeholders."""

import base64
import re
import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import requests

from app import create_app
from tests.attack.inputs import Input
from tests.support.client import ScimClient, http_transport
from tests.support.commands import create_key, run_command, run_json, scim_path
from tests.support.console import PASSWORD
from tests.support.resources import create_users, group_id
from tests.support.server import PerchServer

# Who must stay as they are; who may be changed; how many ids of these are known to the attackers at a time.
CANARIES, TEAMS, CROWD, KNOWN = 20, 6, 1000, 64
SETTINGS = {
    "PERCH_ADMIN_PASSWORD": PASSWORD,
    "PERCH_TRUSTED_PROXIES": "1",  # so that each input can come from an address of its own
    "PERCH_TRAFFIC": "all",
    "PERCH_TRAFFIC_KEEP": "2000",
    "PERCH_WEBHOOK_HOSTS": "127.0.0.1",
}
LOCATION = re.compile(rb'"location"\s*:\s*"[^"]*/(Users|Groups)/([^"/]+)"')
NEXT = re.compile(rb'"nextCursor"\s*:\s*"([^"]+)"')
ENTRY = re.compile(rb'href="/console/requests/(\d+)"')
KINDS = {b"Users": "USER", b"Groups": "GROUP"}
OUR_ADDRESS = {"X-Forwarded-For": "10.9.8.7"}


class World:
    """A running server with everything that inputs refer to."""

    def __init__(self, server: PerchServer) -> None:
        self.server = server
        # In this process: starting a command takes a second.
        self.app = create_app(server.settings)
        self.base = scim_path(self.app)
        self.keys = self._make_keys()
        self.client = self.scim_client("generic")
        self.ids: dict[str, list[str]] = {}
        self.evicted: list[tuple[str, str]] = []
        self.session: dict[str, str] = {}
        self._lock = threading.Lock()
        self._place = 0
        self._fill()
        self.expected = {path: self.read(path) for path in self.canary_paths()}
        self._locks = {path: threading.Lock() for path in self.expected}
        self.sign_in()
        self.cursor = str(self.client.beside_scim().get("/events?after=latest").body["cursor"])
        self.page = str(self.client.get("/Users?cursor=&count=2").body["nextCursor"])

    def _make_keys(self) -> dict[str, str]:
        create = partial(create_key, self.app)
        found = {
            "okta": create("okta", "--idp", "okta"),
            "entra": create("entra", "--idp", "entra"),
            "generic": create("generic", "--idp", "generic", "--roles-as", "objects"),
            "create": create("create", "--unknown-roles", "create"),
            "strict": create("strict", "--idp", "generic"),
            "read": create("read", "--access", "read"),
            "revoked": create("revoked"),
            "wrong": "perch_x_y",
        }
        identifiers = self._key_ids()
        run_command(self.app, "keys", "revoke", identifiers["revoked"])
        run_command(self.app, "keys", "set", identifiers["strict"], "--strict")
        return found

    def scim_client(self, key: str) -> ScimClient:
        """Return a well-behaved client with one of the keys."""
        return ScimClient(http_transport(self.server.origin), self.base, self.keys[key])

    def _key_ids(self) -> dict[str, str]:
        return {key["name"]: key["id"] for key in run_json(self.app, "keys", "list")}

    def _fill(self) -> None:
        client = self.client
        run_command(self.app, "roles", "add", "canary", "Canary")
        run_command(self.app, "roles", "add", "attack:1", "Attacked")
        # Their ids are known, so that they can be revoked.
        for name in ("victim 0", "victim 1"):
            create_key(self.app, name)
        hook = run_json(self.app, "webhooks", "add", "http://127.0.0.1:9/")["id"]
        listed = self._key_ids()
        canaries = create_users(
            client, [f"canary{n}@perch.example" for n in range(CANARIES)], displayName="Canary", active=True,
            roles=[{"value": "canary"}], emails=[{"value": "c@perch.example", "type": "work", "primary": True}],
        )  # fmt: skip
        teams = [group_id(client, f"team{n}", *canaries[n * 3 : n * 3 + 3]) for n in range(TEAMS)]
        crowd = create_users(client, [f"crowd{n}@perch.example" for n in range(CROWD)], roles=["managed:viewer"])
        groups = [group_id(client, f"crew{n}", *crowd[n : n + 10]) for n in range(KNOWN)]
        self.ids = {
            "CANARY": canaries, "TEAM": teams, "USER": crowd[:KNOWN], "GROUP": groups, "HOOK": [hook],
            "KEYID": [listed["victim 0"], listed["victim 1"]], "ENTRY": ["1"],
        }  # fmt: skip

    def canary_paths(self) -> Iterable[str]:
        """Yield the path of each person and group that must stay as it is."""
        yield from (f"/Users/{each}" for each in self.ids["CANARY"])
        yield from (f"/Groups/{each}" for each in self.ids["TEAM"])

    def read(self, path: str) -> Any:
        """Return a resource without the part of its entity tag that changes of others change, or the refusal."""
        return comparable(self.client.get(path).body)

    def sign_in(self) -> None:
        """Open a session of the console."""
        with requests.Session() as browser:
            browser.trust_env = False
            place = f"{self.server.origin}/console"
            token = _token(browser.get(f"{place}/sign-in", headers=OUR_ADDRESS).text)
            fields = {"password": PASSWORD, "form_token": token}
            answer = browser.post(f"{place}/sign-in", fields, headers=OUR_ADDRESS, allow_redirects=False, timeout=60)
            assert answer.status_code == 303, answer.text[:2000]
            token = _token(browser.get(f"{place}/okta", headers=OUR_ADDRESS).text)
            cookie = "; ".join(f"{name}={text}" for name, text in browser.cookies.items())
            self.session = {"COOKIE": cookie, "TOKEN": token}

    def value(self, kind: str, name: str) -> str:
        """Return the server's value for a placeholder."""
        if kind in self.ids:
            known = self.ids[kind]
            return known[(int(name) if name.isdecimal() else 0) % len(known)]
        basic = base64.b64encode(f"perch:{self.keys['entra']}".encode()).decode()
        others = {
            "BASE": self.base, "WORKSPACE": self.base.removesuffix("/scim/v2"),
            "CURSOR": self.cursor, "PAGE": self.page,
            "KEY": self.keys.get(name, "none"), "BASIC": f"Basic {basic}", **self.session,
        }  # fmt: skip
        return others.get(kind, f"{{{kind}}}")

    def learn(self, answer: bytes) -> None:
        """Remember what an answer says was created, instead of others, which are to be deleted."""
        with self._lock:
            for kind, identifier in LOCATION.findall(answer)[:12]:
                known, name = self.ids[KINDS[kind]], identifier.decode()
                if name in known or name in self.ids["CANARY"] or name in self.ids["TEAM"]:
                    continue
                self._place = (self._place + 1) % KNOWN
                self.evicted.append((kind.decode(), known[self._place]))
                known[self._place] = name

    def learn_page(self, answer: bytes) -> None:
        """Remember the cursor of a list's next page."""
        if found := NEXT.search(answer):
            self.page = found[1].decode()

    def learn_entries(self, page: bytes) -> None:
        """Remember the numbers of recorded requests that a page of the console lists."""
        if found := ENTRY.findall(page):
            self.ids["ENTRY"] = [number.decode() for number in found]

    def leftover(self) -> Input | None:
        """Return the deletion of something that is no longer known, so that the directory does not grow."""
        with self._lock:
            if not self.evicted:
                return None
            kind, identifier = self.evicted.pop()
        headers = (("Authorization", "Bearer {KEY:generic}"),)
        return Input("leftover", "DELETE", f"{{BASE}}/{kind}/{identifier}", headers)

    def write_honestly(self, client: ScimClient, number: int) -> str | None:
        """Change the title of a person who otherwise stays as is; return what is wrong with the answer."""
        path = f"/Users/{self.ids['CANARY'][number % CANARIES]}"
        change = {"op": "replace", "path": "title", "value": f"title {number}"}
        with self._locks[path]:
            answer = client.patch(path, {"Operations": [change]})
            if answer.status != 200 or answer.body.get("title") != change["value"]:
                return f"{answer.status} {answer.body}"
            self.expected[path] = comparable(answer.body)
        return None

    def differences(self) -> list[str]:
        """Return how the people and groups that must stay differ from what was acknowledged."""
        found = []
        for path, wanted in self.expected.items():
            got = self.read(path)
            if got != wanted:
                found.append(f"{path} is {got}, not {wanted}")
        return found


def comparable(document: Any) -> Any:
    """Return a resource without the epoch in its entity tag."""
    if not isinstance(document, dict) or "meta" not in document:
        return document
    meta = dict(document["meta"])
    meta["version"] = str(meta.get("version")).partition(".")[0]
    return {**document, "meta": meta}


def _token(page: str) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found, page[:2000]
    return found[1]


def make_server(folder: Path, workers: int) -> PerchServer:
    """Return the server, not started yet."""
    folder.mkdir(parents=True, exist_ok=True)
    return PerchServer(folder, workers, SETTINGS)
