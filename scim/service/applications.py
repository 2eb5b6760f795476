"""The applications that must hear of withdrawals: adds and removes them, with a journal entry for each act."""

from schemas.errors import InvalidValue
from storage import applications, keys, webhooks
from storage.applications import Application
from storage.journal import Author, difference
from storage.repository import Repository, Transaction

MOST_CHARACTERS = 200


def add(
    repository: Repository, author: Author, name: str, webhook: str | None, key: str | None, asks: bool
) -> Application:
    """Add an application with its webhook, its access key, or both.

    :raises InvalidValue: for an empty or long name; :raises NotFound: for an unknown webhook or key.
    :raises Uniqueness: when name, webhook or key is another application's.
    """
    name = name.strip()
    if not 0 < len(name) <= MOST_CHARACTERS:
        raise InvalidValue(f"An application needs a name of at most {MOST_CHARACTERS} characters.")
    with repository.writing(author) as write:
        if webhook:
            webhooks.get(write.connection, webhook)
        if key:
            keys.get(write.connection, key)
        made = applications.add(write.connection, name, webhook, key, asks)
        _note(write, "create", made)
    return made


def remove(repository: Repository, author: Author, name: str) -> Application:
    """Remove an application with what is known of its acknowledgements.

    :raises NotFound: when there is none.
    """
    with repository.writing(author) as write:
        found = applications.get(write.connection, name)
        applications.remove(write.connection, found)
        _note(write, "delete", found)
    return found


def _note(write: Transaction, action: str, application: Application) -> None:
    values = {"webhook": application.webhook, "key": application.key, "asks": bool(application.asks)}
    states = ({}, values) if action == "create" else (values, {})
    write.note(action, ("Application", application.name, application.name), difference(*states))
