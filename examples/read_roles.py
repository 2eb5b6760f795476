"""Ask Perch, from an application, who may log in with which roles, and who holds a role.

Make a key that can only read:  flask keys create "My application" --idp generic --access read
Then set PERCH_BASE_URL to the base URL that `flask init` prints, set PERCH_KEY to the key, and run one of

    python examples/read_roles.py may ann@example.com
    python examples/read_roles.py holders managed:inbox_agent

With PERCH_FOLLOWER_URL, the base URL of a follower, it asks that one while the primary does not answer. Its answers are
as old as their header Perch-Age says, in seconds.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

import requests

ACCESS = "urn:perch:scim:schemas:extension:access:1.0:User"


class Perch:
    """Reads people and roles from Perch; use one object per thread, because a session is not thread-safe."""

    def __init__(self, base_url: str, key: str, follower_url: str = "") -> None:
        self.base_urls = [url.rstrip("/") for url in (base_url, follower_url) if url]
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key}"

    def roles_of(self, user_name: str) -> set[str] | None:
        """Return the slugs of a person's roles, or None when the person is unknown or may not log in."""
        for user in self.users(f"userName eq {quoted(user_name)}"):
            access = user[ACCESS]
            if access["loginAllowed"]:
                return {role["value"] for role in access["effectiveRoles"]}
        return None

    def holders_of(self, slug: str) -> Iterator[str]:
        """Yield the userNames of all people who may log in and have the role, for any reason."""
        allowed = f"{ACCESS}:loginAllowed eq true"
        for user in self.users(f"{ACCESS}:effectiveRoles.value eq {quoted(slug)} and {allowed}"):
            yield user["userName"]

    def users(self, condition: str) -> Iterator[dict[str, Any]]:
        """Yield all users that match a filter; the cursor skips nobody even while users come and go."""
        cursor: str | None = ""
        while cursor is not None:
            asked = {"filter": condition, "attributes": f"userName,{ACCESS}", "count": "1000", "cursor": cursor}
            page = self.ask("/Users", asked)
            yield from page["Resources"]
            cursor = page.get("nextCursor")

    def ask(self, path: str, asked: dict[str, str]) -> Any:
        """Return the answer of the first server that has one: the primary, else the follower."""
        *firsts, last = self.base_urls
        for base_url in firsts:
            try:
                answer = self.session.get(base_url + path, params=asked, timeout=3)
            except requests.RequestException:
                continue
            if answer.status_code < 500:
                answer.raise_for_status()
                return answer.json()
        answer = self.session.get(last + path, params=asked, timeout=10)
        answer.raise_for_status()
        return answer.json()


def quoted(text: str) -> str:
    """Return a text as a string literal of a SCIM filter."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] not in ("may", "holders"):
        sys.exit("Usage: read_roles.py may USERNAME | read_roles.py holders ROLE")
    question, name = sys.argv[1:]
    perch = Perch(os.environ["PERCH_BASE_URL"], os.environ["PERCH_KEY"], os.environ.get("PERCH_FOLLOWER_URL", ""))
    if question == "may":
        roles = perch.roles_of(name)
        print("no" if roles is None else f"yes: {' '.join(sorted(roles))}")
    else:
        for user_name in perch.holders_of(name):
            print(user_name)


if __name__ == "__main__":
    main()
