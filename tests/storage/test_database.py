"""Reads have a timeout; the next read works."""

import pytest
from flask import Flask

from schemas.errors import TooMany
from scim.service import search
from tests.support.client import ScimClient

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def test_a_slow_read_times_out(app: Flask) -> None:
    database = app.extensions["perch"].database
    with pytest.raises(TooMany), database.read(seconds=0.05) as connection:
        connection.execute(ENDLESS).fetchone()
    with database.read() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not connection.in_transaction


def test_a_slow_search_is_400_tooMany(generic: ScimClient, monkeypatch: pytest.MonkeyPatch) -> None:
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": str(n), "data": {"userName": f"u{n}", "title": "x" * 200}}
        for n in range(300)
    ]
    generic.post("/Bulk", {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations})
    slow = " and ".join(f'not (groups.display eq "g{n}" and title co "y{n}")' for n in range(60))
    request = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": slow}
    status, _, body = generic.post("/Users/.search", request)
    assert (status, body["totalResults"]) == (200, 300)
    monkeypatch.setattr(search, "LONGEST_SEARCH", 0.0)
    status, _, body = generic.post("/Users/.search", request)
    assert (status, body["scimType"]) == (400, "tooMany")
    monkeypatch.undo()
    assert generic.post("/Users/.search", request)[0] == 200
