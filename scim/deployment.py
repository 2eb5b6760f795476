"""The deployment: its settings, its database, its workspace, and what a process caches."""

from dataclasses import dataclass, field

from schemas import ResourceTypes
from scim.service.derived_cache import DerivedCache
from scim.settings import Settings
from storage import attributes, workspace
from storage.database import Database
from storage.repository import Repository


@dataclass(slots=True)
class Perch:
    """The running deployment; `app.extensions["perch"]`."""

    settings: Settings
    database: Database
    repository: Repository = field(init=False)
    derived_cache: DerivedCache = field(default_factory=DerivedCache)
    _types: ResourceTypes = field(default_factory=ResourceTypes)
    _workspace: str = ""

    def __post_init__(self) -> None:
        self.repository = Repository(self.database)

    def open(self) -> None:
        """Open the file once, creating and migrating it, so that a bad one stops the start."""
        self.database.open()
        # A follower starts on a file of another version, too, and waits for the primary's migration.
        if not self.database.follows:
            _ = self.workspace

    @property
    def workspace(self) -> str:
        """The workspace's id in the URL: PERCH_WORKSPACE, else the one made at the first start."""
        if not self._workspace:
            with self.database.read() as connection:
                kept = str(workspace.get(connection, "id"))
            self._workspace = self.settings["PERCH_WORKSPACE"] or kept
        return self._workspace

    @property
    def resource_types(self) -> ResourceTypes:
        """The resource types with the attributes that the workspace declares now."""
        with self.database.read() as connection:
            return self.types_of(attributes.version(connection))

    def types_of(self, version: int) -> ResourceTypes:
        """Return `resource_types`; they are read again when the version of the declarations has changed."""
        if version != self._types.version:
            with self.database.read() as connection:
                self._types = attributes.resource_types(connection)
        return self._types

    @property
    def base_path(self) -> str:
        """The path of the base URL, without a final slash."""
        return f"/{self.workspace}/scim/v2"

    def origin(self, requested: str) -> str:
        """Return the origin that clients use: PERCH_PUBLIC_URL, else the `requested` one."""
        return str(self.settings["PERCH_PUBLIC_URL"] or requested)

    def base_url(self, requested: str) -> str:
        """Return the base URL that clients use, without a final slash; `requested` as in `origin`."""
        return self.origin(requested) + self.base_path
