"""A Flask application that admits the people whom Perch allows to log in, and ends a session when Perch withdraws that.

    flask keys create "My application" --idp generic --access read        prints PERCH_KEY
    flask webhooks add https://app.example.com/perch                       prints PERCH_SECRET
    PERCH_BASE_URL=… PERCH_KEY=… PERCH_SECRET=… flask --app examples/app.py run

docs/your-application.md has the lines for one machine. Name the application (flask applications add "My application"
--webhook ID --key ID), and Perch shows the receipts that it sends.

It stores the allowed people in memory, so run one process. It does not authenticate anybody: your own sign-in must do
that (OpenID Connect).
"""

import os
import secrets
from typing import Any

import requests
from flask import Flask, abort, request, session
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

ACCESS = "urn:perch:scim:schemas:extension:access:1.0:User"
app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or secrets.token_bytes(32)
allowed: dict[str, tuple[str, set[str]]] = {}  # userName and roles of the people who may log in, by id


def snapshot() -> None:
    """Read the people who may log in from Perch; webhooks keep the list current afterwards."""
    found: dict[str, tuple[str, set[str]]] = {}
    cursor: str | None = ""
    while cursor is not None:
        asked = {"filter": f"{ACCESS}:loginAllowed eq true", "cursor": cursor, "count": "1000"}
        headers = {"Authorization": f"Bearer {os.environ['PERCH_KEY']}"}
        page = requests.get(f"{os.environ['PERCH_BASE_URL']}/Users", asked, headers=headers, timeout=30).json()
        for user in page["Resources"]:
            found[user["id"]] = (user["userName"], {role["value"] for role in user[ACCESS]["effectiveRoles"]})
        cursor = page.get("nextCursor")
    allowed.clear()
    allowed.update(found)


@app.post("/perch")
def receive_event() -> tuple[str, int]:
    """Apply an event; each contains the current state, so an event that arrives twice does no harm."""
    try:
        event: dict[str, Any] = Webhook(os.environ["PERCH_SECRET"]).verify(request.get_data(), dict(request.headers))
    except WebhookVerificationError:
        abort(400)
    data = event["data"]
    if event["type"] == "roles.changed_for_many":
        snapshot()
    elif data.get("loginAllowed"):
        allowed[data["user"]["id"]] = (data["user"]["userName"], set(data["effectiveRoles"]))
    elif data.get("loginAllowed") is False or event["type"] == "user.deleted":
        allowed.pop(data["user"]["id"], None)
        send_receipt(event["id"])
    elif event["type"] == "user.changed" and data["user"]["id"] in allowed:
        allowed[data["user"]["id"]] = (data["user"]["userName"], allowed[data["user"]["id"]][1])
    return "", 204


def send_receipt(event: str) -> None:
    """Tell Perch that the person's sessions have ended: every request checks the list of the allowed."""
    workspace = os.environ["PERCH_BASE_URL"].removesuffix("/scim/v2")
    headers = {"Authorization": f"Bearer {os.environ['PERCH_KEY']}"}
    requests.post(f"{workspace}/events/{event}/receipt", json={"outcome": "ended"}, headers=headers, timeout=5)


@app.post("/login")
def login() -> dict[str, Any]:
    """Start a session for a person whom your sign-in has authenticated, by userName."""
    name = request.form["userName"].casefold()
    session["id"] = next((key for key, (held, _) in allowed.items() if held.casefold() == name), None) or abort(403)
    return whoami()


@app.get("/")
def whoami() -> dict[str, Any]:
    """Answer a person who has a session; every request checks that the person may still log in."""
    name, roles = allowed.get(session.get("id", "")) or abort(401)
    return {"userName": name, "roles": sorted(roles)}


if os.environ.get("PERCH_BASE_URL"):
    snapshot()
