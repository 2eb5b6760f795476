"""A Flask application that lets in whom Perch lets in, and ends a session the moment Perch withdraws the login.

    flask keys create "My application" --idp generic --access read        prints PERCH_KEY
    flask webhooks add https://app.example.com/perch                       prints PERCH_SECRET
    PERCH_BASE_URL=… PERCH_KEY=… PERCH_SECRET=… flask --app examples/app.py run

It keeps who may log in in memory: one process. Who somebody is, your sign-in has to prove (OpenID Connect).
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
allowed: dict[str, tuple[str, set[str]]] = {}  # of everybody who may log in, by id: userName and roles


def snapshot() -> None:
    """Ask Perch for everybody who may log in; webhooks keep it true from then on."""
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
def told() -> tuple[str, int]:
    """Take an event in: each says what is true now, so one that comes twice does no harm."""
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
    elif event["type"] == "user.changed" and data["user"]["id"] in allowed:
        allowed[data["user"]["id"]] = (data["user"]["userName"], allowed[data["user"]["id"]][1])
    return "", 204


@app.post("/login")
def login() -> dict[str, Any]:
    """Begin a session for a person whom your sign-in has recognised by userName."""
    name = request.form["userName"].casefold()
    session["id"] = next((key for key, (held, _) in allowed.items() if held.casefold() == name), None) or abort(403)
    return whoami()


@app.get("/")
def whoami() -> dict[str, Any]:
    """Answer a person with a session; every request looks whether that person still may."""
    name, roles = allowed.get(session.get("id", "")) or abort(401)
    return {"userName": name, "roles": sorted(roles)}


if os.environ.get("PERCH_BASE_URL"):
    snapshot()
