"""`flask keys`: access keys for identity providers and applications, and secrets and trusts of OAuth 2.0 clients."""

from pathlib import Path
from typing import Any

import click

from schemas.datetimes import to_json
from scim.cli.common import Group, author, echo, json_option, print_json, print_list
from scim.service import keys as key_service
from scim.service import oauth as oauth_service
from scim.web.oauth import token_url
from scim.web.requests import perch
from storage import keys, oauth
from storage.keys import Key
from storage.oauth import Credential, count_secrets

group = Group("keys", help="Access keys of identity providers and applications.")
secrets = Group("secrets", help="Secrets of OAuth 2.0 clients; several may work at the same time.")
group.add_command(secrets)

shape_option = click.option("--roles-as", type=click.Choice(["strings", "objects"]), help="Shape of roles in answers.")
unknown_option = click.option(
    "--unknown-roles", type=click.Choice(["reject", "create", "ignore", "default"]),
    help="What to do with unknown role slugs; default: as PERCH_UNKNOWN_ROLES says.",
)  # fmt: skip

profile_option = click.option(
    "--profile", type=click.Choice(keys.PROFILES),
    help="Follow a profile of SCIM to the letter: draft-zollner-scim-interop-profile, or IPSIE's AL profile.",
)  # fmt: skip


@group.command("create")
@click.argument("name")
@click.option("--idp", type=click.Choice(["okta", "entra", "generic"]), default="okta", show_default=True)
@click.option("--access", type=click.Choice(["provision", "read"]), default="provision", show_default=True)
@shape_option
@unknown_option
@profile_option
@click.option("--expires-in", type=click.FloatRange(min=0), metavar="DAYS", help="Days from now; default: never.")
@click.option("--oauth", is_flag=True, help="Make an OAuth 2.0 client with a first secret instead of a bearer key.")
@json_option
def create(
    name: str, idp: str, access: str, roles_as: str | None, unknown_roles: str | None, profile: str | None,
    expires_in: float | None, oauth: bool, as_json: bool,
) -> None:  # fmt: skip
    """Create an access key and print it once. With --oauth it is an OAuth 2.0 client and its first secret."""
    if not name.strip():
        raise click.UsageError("The name is empty; give the key a name by which you recognise it later.")
    if profile == keys.IPSIE and (not oauth or access == "read"):
        raise click.UsageError(
            "IPSIE's profile needs an OAuth client that may write: give --oauth, and not --access read."
        )
    policy = None if unknown_roles == "default" else unknown_roles
    key, bearer = key_service.make_key(
        name, idp, access, roles_as, expires_in, policy, profile or keys.NO_PROFILE, oauth=oauth
    )
    with perch().repository.writing(author()) as write:
        text = oauth_service.add_client(write, key, bearer)
    client = {"clientId": key.id, "clientSecret": text, "tokenUrl": token_url()}
    if as_json:
        print_json({"id": key.id, "name": key.name, **(client if oauth else {"key": text})})
        return
    if oauth:
        echo(*(f"{label}: {value}" for label, value in client.items() if value))
    else:
        echo(bearer)
    if text is None:
        echo(f"It has no secret; name the signer of its assertions: flask keys trust {key.id} --jwks FILE", err=True)
    else:
        echo(f"Copy the {'secret' if oauth else 'key'} now; it is not shown again.", err=True)


@group.command("list")
@json_option
def show(as_json: bool) -> None:
    """List the keys without their secrets."""
    with perch().database.read() as connection:
        counts = count_secrets(connection)
        found = [{**described(key), "secrets": counts.get(key.id, 0)} for key in keys.list_all(connection)]
    columns = ("id", "name", "idp", "access", "oauth", "rolesAs", "unknownRoles", "state", "expires", "lastUsed")
    print_list(as_json, found, [name.upper() for name in columns], [[key[name] for name in columns] for key in found])


@group.command("set")
@click.argument("identifier", metavar="ID")
@click.option("--name")
@click.option("--expires-in", type=click.FloatRange(min=0), metavar="DAYS", help="Days from now.")
@shape_option
@unknown_option
@profile_option
@click.option("--strict/--no-strict", default=None, help="Refuse or tolerate deviations (see flask quirks).")
def change(
    identifier: str, name: str | None, expires_in: float | None, roles_as: str | None, unknown_roles: str | None,
    profile: str | None, strict: bool | None,
) -> None:  # fmt: skip
    """Change a key's name, expiry, roles or strictness. A strict key's requests must follow the RFCs to the letter."""
    values = {"name": name, "expires": keys.expiry(expires_in), "rolesAs": roles_as, "profile": profile,
              "strict": strict}  # fmt: skip
    given: dict[str, Any] = {column: value for column, value in values.items() if value is not None}
    if unknown_roles is not None:
        given["unknownRoles"] = None if unknown_roles == "default" else unknown_roles
    if not given:
        raise click.UsageError(
            "Nothing to change; give --name, --expires-in, --roles-as, --unknown-roles, --profile, --strict or "
            "--no-strict."
        )
    with perch().repository.writing(author()) as write:
        key = key_service.change(write, identifier, **given)
    echo(f"{key.id} {key.name}: {', '.join(given)} changed.")


@group.command("revoke")
@click.argument("identifier", metavar="ID")
def revoke(identifier: str) -> None:
    """Revoke a key; Perch refuses it at once."""
    with perch().repository.writing(author()) as write:
        key = key_service.revoke(write, identifier)
    echo(f"{key.id} {key.name}: revoked.")


def described(key: Key) -> dict[str, Any]:
    """Return a key without its secret's digest as a JSON document."""
    state = "live" if key.live else "revoked" if key.revoked else "expired"
    instants = {name: getattr(key, name) for name in ("created", "expires", "revoked", "lastUsed")}
    return {
        "id": key.id, "name": key.name, "idp": key.idp, "access": key.access, "rolesAs": key.rolesAs,
        "unknownRoles": key.unknownRoles, "strict": bool(key.strict), "profile": key.profile, "oauth": key.oauth,
        "state": state, **{name: instant and to_json(instant) for name, instant in instants.items()},
    }  # fmt: skip


@secrets.command("add")
@click.argument("identifier", metavar="ID")
@click.option(
    "--expires-in", type=click.FloatRange(min=0, max=oauth_service.MOST_SECRET_DAYS), metavar="DAYS",
    default=oauth_service.SECRET_DAYS, show_default=True, help="Days from now, at most 1095.",
)  # fmt: skip
@json_option
def add_secret(identifier: str, expires_in: float, as_json: bool) -> None:
    """Add a secret to a client and print it once."""
    with perch().repository.writing(author()) as write:
        key = keys.get(write.connection, identifier)
        credential, text = oauth_service.add_secret(write, key, expires_in)
    if as_json:
        expires = credential.expires and to_json(credential.expires)
        print_json({"id": credential.id, "clientSecret": text, "expiresAt": expires})
    else:
        echo(text)
        echo("Copy the secret now; it is not shown again.", err=True)


@secrets.command("list")
@click.argument("identifier", metavar="ID")
@json_option
def show_secrets(identifier: str, as_json: bool) -> None:
    """List the secrets of a client, without the secrets themselves."""
    found = [
        {"id": each.id, "created": to_json(each.created), "expiresAt": each.expires and to_json(each.expires),
         "state": "live" if each.live else "expired"}
        for each in _listed(identifier, "secret")
    ]  # fmt: skip
    print_list(as_json, found, ("ID", "CREATED", "EXPIRES", "STATE"))


@secrets.command("revoke")
@click.argument("identifier", metavar="ID")
@click.argument("secret")
def revoke_secret(identifier: str, secret: str) -> None:
    """Revoke a secret by its id; it and its tokens stop at once."""
    _revoke(identifier, "secret", secret)


@group.command("trust")
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
    """Trust signed assertions for a client. Its own (--jwks) or an issuer's; without options, list the trusts."""
    given = jwks or issuer or subject or audiences
    if revoked is not None and given:
        raise click.UsageError("--revoke takes no other option; revoke a trust first, then add another.")
    if revoked is not None:
        _revoke(identifier, "trust", revoked)
        return
    if not given:
        found = [_trust_document(each) for each in _listed(identifier, "trust")]
        rows = [list({**each, "audiences": ", ".join(each["audiences"])}.values()) for each in found]
        print_list(as_json, found, ("ID", "CREATED", "ISSUER", "SUBJECT", "AUDIENCES", "JWKS"), rows)
        return
    text = None if jwks is None else jwks.read_text(encoding="utf-8", errors="replace")
    with perch().repository.writing(author()) as write:
        key = keys.get(write.connection, identifier)
        made = oauth_service.add_trust(write, key, issuer, subject, list(audiences), text)
    if as_json:
        print_json(_trust_document(made))
    else:
        echo(f"{key.id} {key.name}: trust {made.id} added.")


def _listed(identifier: str, kind: str) -> list[Credential]:
    with perch().database.read() as connection:
        return oauth.list_all(connection, keys.get(connection, identifier).id, kind)


def _revoke(identifier: str, kind: str, credential: str) -> None:
    with perch().repository.writing(author()) as write:
        key = keys.get(write.connection, identifier)
        oauth_service.revoke_credential(write, key, kind, credential)
    echo(f"{key.id} {key.name}: {kind} {credential} revoked.")


def _trust_document(trust: Credential) -> dict[str, Any]:
    return {
        "id": trust.id, "created": to_json(trust.created), "issuer": trust.issuer, "subject": trust.subject,
        "audiences": trust.accepted, "jwks": trust.jwks is not None,
    }  # fmt: skip
