"""The cost of PERCH_TRAFFIC: `python -m tests.bench.traffic_cost [SECONDS] [ROUNDS]`; not part of `make test`.

One gunicorn per mode, all running at once; rounds are interleaved, so that other load hits all modes alike. Prints
requests per second and the server's CPU time per request, which other load disturbs less.
"""

import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

from tests.support.server import PerchServer

MODES = ("off", "errors", "all")
PROCESSES, THREADS = 2, 4
CLOCK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        servers = {mode: start(Path(folder) / mode, mode) for mode in MODES}
        try:
            for name, requests in (("GET", get_requests), ("POST", post_requests)):
                compare(name, servers, requests, seconds, rounds)
        finally:
            for server in servers.values():
                server.kill()


def start(folder: Path, mode: str) -> PerchServer:
    folder.mkdir()
    server = PerchServer(folder, 2, {"PERCH_TRAFFIC": mode, "PERCH_FUSE": "off"})
    server.start()
    assert server.key
    return server


def compare(
    name: str, servers: dict[str, PerchServer], requests: Callable[..., list[bytes]], seconds: float, rounds: int
) -> None:
    rates: dict[str, list[float]] = {mode: [] for mode in servers}
    costs: dict[str, list[float]] = {mode: [] for mode in servers}
    for number in range(rounds + 1):
        for mode in MODES if number % 2 else MODES[::-1]:
            before = cpu_seconds(servers[mode])
            count, took = load(servers[mode], requests, f"{mode}{number}", seconds)
            time.sleep(0.6)  # until the writer's last batch is written
            if number:  # the first round warms up
                rates[mode].append(count / took)
                costs[mode].append((cpu_seconds(servers[mode]) - before) / count * 1e6)
    for mode in servers:
        rate = statistics.median(rates[mode])
        cost = statistics.median(costs[mode])
        ratio = statistics.median(a / b for a, b in zip(rates[mode], rates["off"], strict=True))
        cpu = statistics.median(a / b for a, b in zip(costs[mode], costs["off"], strict=True))
        least, most = min(costs[mode]) / min(costs["off"]), max(rates[mode]) / max(rates["off"])
        print(
            f"{name:<5} {mode:<7} {rate:7.0f} req/s (median {ratio:6.1%}, most {most:6.1%} of off)  "
            f"{cost:6.0f} us CPU/request (median {cpu:6.1%}, least {least:6.1%} of off)"
        )


def cpu_seconds(server: PerchServer) -> float:
    """CPU time of the workers so far, in seconds."""
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    fields = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split() for child in children]
    return sum(int(found[11]) + int(found[12]) for found in fields) / CLOCK


def load(server: PerchServer, requests: Callable[..., list[bytes]], tag: str, seconds: float) -> tuple[int, float]:
    """Load a server with kept connections for some seconds; return the number of answers and the time they took."""
    context = get_context("fork")
    results = context.Queue()
    arguments = (server.port, server.scim_path, server.key)
    workers = [
        context.Process(target=client, args=(results, requests, arguments, f"{tag}p{number}", seconds))
        for number in range(PROCESSES)
    ]
    begun = time.perf_counter()
    for worker in workers:
        worker.start()
    count = sum(results.get() for _ in workers)
    took = time.perf_counter() - begun
    for worker in workers:
        worker.join()
    return count, took


def client(
    results: object, requests: Callable[..., list[bytes]], where: tuple[int, str, str], tag: str, seconds: float
) -> None:
    counts: list[int] = []
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=lambda n=n: counts.append(send(requests, where, f"{tag}t{n}", end)))
        for n in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(sum(counts))  # type: ignore[attr-defined]


def send(requests: Callable[..., list[bytes]], where: tuple[int, str, str], tag: str, end: float) -> int:
    count = 0
    with socket.create_connection(("127.0.0.1", where[0])) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.monotonic() < end:
            for data in requests(where[1], where[2], f"{tag}n{count}"):
                connection.sendall(data)
                read_answer(connection)
                count += 1
    return count


def read_answer(connection: socket.socket) -> None:
    data = connection.recv(65536)
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    assert head[9:12] in (b"200", b"201"), data
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)


def get_requests(path: str, key: str, tag: str) -> list[bytes]:
    return [_request("GET", f"{path}/Users?filter=userName%20eq%20%22{tag}%22&startIndex=1&count=100", key)]


def post_requests(path: str, key: str, tag: str) -> list[bytes]:
    document = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": f"{tag}@example.com",
        "name": {"givenName": "Ada", "familyName": "Byron"},
        "emails": [{"primary": True, "value": f"{tag}@example.com", "type": "work"}],
        "displayName": "Ada Byron",
        "locale": "en-US",
        "externalId": f"00u{tag}",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
    }
    body = json.dumps(document)
    return [_request("POST", f"{path}/Users", key, body)]


def _request(method: str, path: str, key: str, body: str = "") -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        "Accept: application/scim+json\r\nContent-Type: application/scim+json; charset=utf-8\r\n"
        f"User-Agent: Okta SCIM Client 1.0.0\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


if __name__ == "__main__":
    main()
