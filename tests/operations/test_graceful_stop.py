"""SIGTERM: requests in flight are finished and answered, new ones are not served."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests

from tests.conftest import MakeServer
from tests.operations.test_many_workers import queue_held
from tests.support.server import PerchServer
from tests.support.writers import check_file


def test_sigterm_finishes_what_is_in_flight(make_server: MakeServer) -> None:
    server = make_server(workers=2, settings={"PERCH_WRITE_WAIT": "20"})
    server.start()
    clients = [server.client(key=server.key) for _ in range(4)]
    assert server.process is not None
    with ThreadPoolExecutor(4) as threads:
        with queue_held(server.database):
            sent = [
                threads.submit(client.post, "/Users", {"userName": f"in-flight-{number}@example.com"})
                for number, client in enumerate(clients)
            ]
            time.sleep(2)
            assert [request.result() for request in sent if request.done()] == []
            server.process.terminate()
            time.sleep(0.5)
            assert not serves_new_requests(server)
            assert [request.result() for request in sent if request.done()] == []
            assert server.process.poll() is None
        assert [request.result(20).status for request in sent] == [201] * 4
    assert server.process.wait(20) == 0
    assert "Traceback" not in server.log()
    check_file(server.database)
    server.start()
    assert server.client(key=server.key).get("/Users").body["totalResults"] == 4


def serves_new_requests(server: PerchServer) -> bool:
    """Whether a new connection is answered; while workers finish, gunicorn may also leave it waiting."""
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"{server.origin}/healthz", timeout=1).status_code == 200
    return False


def test_a_large_bulk_in_flight_is_answered(make_server: MakeServer) -> None:
    server = make_server(workers=1)
    server.start()
    client = server.client(key=server.key)
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": str(n), "data": {"userName": f"bulk-{n}@example.com"}}
        for n in range(900)
    ]
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}
    answers = []
    thread = threading.Thread(target=lambda: answers.append(client.post("/Bulk", body)))
    thread.start()
    time.sleep(0.15)
    assert server.stop() == 0
    thread.join(20)
    (answer,) = answers
    assert answer.status == 200
    assert {operation["status"] for operation in answer.body["Operations"]} == {"201"}
    server.start()
    assert server.client(key=server.key).get("/Users?count=0").body["totalResults"] == 900
