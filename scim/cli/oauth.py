"""`flask keys secrets` and `flask keys trust`: with what OAuth 2.0 clients authenticate at the token endpoint."""

from pathlib import Path
from typing import Any

import click

from schemas.datetimes import to_json
from scim.cli.common import Command, Group, author, echo, json_option, print_json, print_list
from scim.service import oauth as service
from scim.web.requests import perch
from storage import keys, oauth
from storage.oauth import Credential

secrets_group = Group("secrets", help="Secrets of OAuth 2.0 clients; several may work at the same time.")


@secrets_group.command("add")
@click.argument("identifier", metavar="ID")
@click.option(
    "--expires-in", type=click.FloatRange(min=0, max=service.MOST_SECRET_DAYS), metavar="DAYS",
    default=service.SECRET_DAYS, show_default=True, help="Days from now, at most 1095.",
)  # fmt: skip
@json_option
def add(identifier: str, expires_in: float, as_json: bool) -> None:
    """Add a secret to a client and print it once."""
    with perch().repository.writing(author()) as write:
        key = keys.get(write.connection, identifier)
        credential, text = service.add_secret(write, key, expires_in)
    if as_json:
        expires = credential.expires and to_json(credential.expires)
        print_json({"id": credential.id, "clientSecret": text, "expiresAt": expires})
    else:
        echo(text)
        echo("Copy the secret now; it is not shown again.", err=True)


@secrets_group.command("list")
@click.argument("identifier", metavar="ID")
@json_option
def show(identifier: str, as_json: bool) -> None:
    """List the secrets of a client, without the secrets themselves."""
    found = [
        {"id": each.id, "created": to_json(each.created), "expiresAt": each.expires and to_json(each.expires),
         "state": "live" if each.live else "expired"}
        for each in _listed(identifier, "secret")
    ]  # fmt: skip
    print_list(as_json, found, ("ID", "CREATED", "EXPIRES", "STATE"))


@secrets_group.command("revoke")
@click.argument("identifier", metavar="ID")
@click.argument("secret")
def revoke(identifier: str, secret: str) -> None:
    """Revoke a secret by its id; it and its tokens stop at once."""
    _revoke(identifier, "secret", secret)


@click.command("trust", cls=Command)
@click.argument("identifier", metavar="ID")
@click.option("--jwks", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="A file with the public keys (JWK Set) that sign the assertions.")  # fmt: skip
@click.option("--issuer", metavar="URL", help="The issuer of the assertions; its keys are fetched without --jwks.")
@click.option("--subject", help="The subject (sub) that the issuer gives to the client.")
@click.option("--audience", "audiences", multiple=True, help="An audience (aud) to accept; may be repeated.")
@click.option("--revoke", "revoked", metavar="TRUST", help="End a trust by its id; its tokens stop at once.")
@json_option
def trust(
    identifier: str, jwks: Path | None, issuer: str | None, subject: str | None, audiences: tuple[str, ...],
    revoked: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Trust signed assertions for a client: its own (--jwks), or an issuer's; without options, list the trusts."""
    given = jwks or issuer or subject or audiences
    if revoked is not None and given:
        raise click.UsageError("--revoke takes no other option; revoke a trust first, then add another.")
    if revoked is not None:
        _revoke(identifier, "trust", revoked)
        return
    if not given:
        found = [described(each) for each in _listed(identifier, "trust")]
        print_list(as_json, found, ("ID", "CREATED", "ISSUER", "SUBJECT", "AUDIENCES", "JWKS"))
        return
    text = None if jwks is None else jwks.read_text(encoding="utf-8", errors="replace")
    with perch().repository.writing(author()) as write:
        key = keys.get(write.connection, identifier)
        made = service.add_trust(write, key, issuer, subject, list(audiences), text)
    if as_json:
        print_json(described(made))
    else:
        echo(f"{key.id} {key.name}: trust {made.id} added.")


def _listed(identifier: str, kind: str) -> list[Credential]:
    with perch().database.read() as connection:
        return oauth.list_all(connection, keys.get(connection, identifier).id, kind)


def _revoke(identifier: str, kind: str, credential: str) -> None:
    with perch().repository.writing(author()) as write:
        key = keys.get(write.connection, identifier)
        service.revoke_credential(write, key, kind, credential)
    echo(f"{key.id} {key.name}: {kind} {credential} revoked.")


def described(trust: Credential) -> dict[str, Any]:
    """Return a trust as a JSON document."""
    return {
        "id": trust.id, "created": to_json(trust.created), "issuer": trust.issuer, "subject": trust.subject,
        "audiences": trust.accepted, "jwks": trust.jwks is not None,
    }  # fmt: skip
