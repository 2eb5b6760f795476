"""Which endpoint a request of a client is for: Flask's rules, remembered for the paths that come all the time."""

import re
from typing import Any, NamedTuple

from flask import Request
from werkzeug.routing import Map, MapAdapter

# /WORKSPACE/scim/v2/Users, or that with the id of a user or group behind.
COMMON = re.compile(r"/[^/]+/scim/v2(/[A-Za-z]+)(?:/([0-9a-f]{8}-[0-9a-f-]{27}))?")
MOST = 100


class Route(NamedTuple):
    """The rule that a request fits, its endpoint, and the values in the path, but for the workspace."""

    rule: str
    endpoint: str
    values: dict[str, Any]


class Routes:
    """The rules of an application; to match one costs ten times as much as to remember it."""

    def __init__(self, rules: Map) -> None:
        self._rules = rules
        self._known: dict[tuple[str, str, bool], Route] = {}

    def find(self, sent: Request) -> Route:
        """Return the route of a request.

        :raises HTTPException: when there is none, or none for its method.
        """
        common = COMMON.fullmatch(sent.path)
        if common is None:
            return self._matched(sent)
        collection, identifier = common.groups()
        kind = sent.method, collection, identifier is not None
        known = self._known.get(kind)
        if known is None:
            known = self._matched(sent)
            if known.values == ({"identifier": identifier} if identifier else {}) and len(self._known) < MOST:
                self._known[kind] = known
            return known
        return Route(known.rule, known.endpoint, {"identifier": identifier}) if identifier else known

    def methods(self, sent: Request) -> list[str]:
        """Return the methods that are possible at the path of a request."""
        return sorted(self._adapter(sent).allowed_methods())

    def _matched(self, sent: Request) -> Route:
        rule, values = self._adapter(sent).match(return_rule=True)
        return Route(rule.rule, rule.endpoint, {name: value for name, value in values.items() if name != "workspace"})

    def _adapter(self, sent: Request) -> MapAdapter:
        return MapAdapter(self._rules, sent.host, "", "", sent.scheme, sent.path, sent.method)
