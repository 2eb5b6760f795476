"""The context of an operation (deployment, access key, base URL, author for the journal) and its answer."""

from collections.abc import Sequence
from typing import NamedTuple

from schemas import ResourceTypes
from scim.service.derived_cache import DerivedCache
from scim.settings import Settings
from storage.journal import Author
from storage.keys import Key
from storage.repository import Repository


class Context(NamedTuple):
    """The deployment and the caller of an operation; `base` is the base URL without a final slash."""

    repository: Repository
    settings: Settings
    base: str
    key: Key
    author: Author
    resource_types: ResourceTypes
    derived_cache: DerivedCache


class Answer(NamedTuple):
    """The answer of an operation: status, pieces of JSON text; entity tag, location and id of a single resource."""

    status: int
    pieces: Sequence[bytes] = ()
    etag: str | None = None
    location: str | None = None
    identifier: str | None = None
