"""A request of a client while it is served."""

import time
from typing import Any

from flask import Request

from scim.service.context import Context
from scim.settings import Settings
from scim.traffic.recorder import Exchange
from storage.database import Database


class Call:
    """What an endpoint needs to know of a request, and what is noted of it.

    `rule` is its route and `identifier` the id in it, or ""; `context` is there once a key is admitted, `exchange` when
    the traffic is to be seen; `began` is of `time.perf_counter`.
    """

    __slots__ = (
        "began", "context", "database", "exchange", "extensions", "identifier",
        "request_id", "rule", "sent", "settings", "workspace",
    )  # fmt: skip

    context: Context
    exchange: Exchange | None

    def __init__(self, sent: Request, database: Database, settings: Settings, extensions: dict[str, Any]) -> None:
        """Begin to serve a request; `extensions` are those of the application."""
        self.began = time.perf_counter()
        self.sent = sent
        self.database = database
        self.settings = settings
        self.workspace = ""
        self.extensions = extensions
        self.request_id = ""
        self.rule = ""
        self.identifier = ""
        self.exchange = None

    @property
    def key(self) -> str:
        """The id of the admitted key; "" without one, and for events."""
        exchange = self.exchange
        return exchange.key.id if exchange is not None and exchange.key is not None else ""
