"""Failed access keys are counted per address; valid keys are never locked out."""

import errno
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scim.web.addresses import counted
from storage.failed_keys import SIZE, FailedKeys
from tests.conftest import MakeApp, MakeClient, MakeServer
from tests.support.client import ScimClient
from tests.support.server import ROOT

BAD = {"Authorization": "Bearer perch_0123456789_" + "A" * 43}


@pytest.mark.parametrize(
    ("address", "stands_for"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unknown", "unknown"),
        ("", ""),
        (None, ""),
    ],
)
def test_addresses_are_counted_without_port_and_ipv6_by_network(address: str | None, stands_for: str) -> None:
    assert counted(address) == stands_for


def test_the_count_restarts_after_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_000_000.0]
    monkeypatch.setattr("storage.failed_keys.time.time", lambda: clock[0])
    failures = FailedKeys(tmp_path / "failures", 3)
    assert [failures.add("a") for _ in range(3)] == [0, 0, 0]
    clock[0] += 20
    assert failures.add("a") == 40
    assert failures.add("b") == 0
    clock[0] += 40
    assert failures.add("a") == 0


def test_a_clock_set_back_locks_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_000_000.0]
    monkeypatch.setattr("storage.failed_keys.time.time", lambda: clock[0])
    failures = FailedKeys(tmp_path / "failures", 1)
    failures.add("a")
    assert failures.add("a") > 0
    clock[0] -= 10_000
    assert failures.add("a") == 0


def test_many_addresses_need_no_more_memory_and_displace_no_loud_one(tmp_path: Path) -> None:
    failures = FailedKeys(tmp_path / "failures", 5)
    for _ in range(6):
        failures.add("loud")
    begin = time.thread_time()
    for number in range(20_000):
        failures.add(f"address {number}")
    assert (time.thread_time() - begin) / 20_000 < 0.001
    assert (tmp_path / "failures").stat().st_size <= SIZE
    assert failures.add("loud") > 0


def test_processes_and_threads_count_together(tmp_path: Path) -> None:
    script = (
        "import sys; from storage.failed_keys import FailedKeys; from concurrent.futures import ThreadPoolExecutor\n"
        "f = FailedKeys(sys.argv[1], 10**6)\n"
        "with ThreadPoolExecutor(4) as pool: list(pool.map(f.add, ['a'] * 250))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "failures")]
    running = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    assert [process.wait(30) for process in running] == [0, 0, 0]
    assert FailedKeys(tmp_path / "failures", 750).add("a") > 0
    assert FailedKeys(tmp_path / "failures", 751).add("a") > 0
    assert FailedKeys(tmp_path / "failures", 753).add("a") == 0


def test_each_process_counts_alone_without_a_file(tmp_path: Path) -> None:
    failures = FailedKeys(tmp_path / "no such folder" / "failures", 1)
    assert [failures.add("a") > 0 for _ in range(2)] == [False, True]


def test_counting_continues_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    failures = FailedKeys(tmp_path / "failures", 2)
    assert failures.add("a") == 0
    monkeypatch.setattr("storage.failed_keys.os.pwrite", full)
    assert [failures.add("a") > 0 for _ in range(3)] == [False, True, True]


def test_an_emptied_or_corrupt_file_restarts_the_count(tmp_path: Path) -> None:
    failures = FailedKeys(tmp_path / "failures", 2)
    failures.add("a")
    (tmp_path / "failures").write_bytes(b"")
    assert failures.add("a") == 0
    (tmp_path / "failures").write_bytes(b"\xff" * SIZE)
    assert [failures.add("a") > 0 for _ in range(3)] == [False, False, True]


def test_bad_keys_over_the_limit_get_429_and_valid_keys_pass(make_app: MakeApp, make_client: MakeClient) -> None:
    client = make_client(app=make_app(PERCH_FAILED_KEYS="5"))
    answers = [client.get("/Users", BAD) for _ in range(7)]
    assert [answer.status for answer in answers] == [401] * 5 + [429] * 2
    refused = answers[-1]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.body["status"] == "429"
    assert "valid key" in refused.body["detail"]
    assert client.get("/Users").status == 200


@pytest.mark.parametrize("sent", [None, "", "Bearer", "Basic", "Basic !!!", "secret"])
def test_a_missing_key_counts_like_a_wrong_one(sent: str | None, make_app: MakeApp, make_client: MakeClient) -> None:
    client = make_client(app=make_app(PERCH_FAILED_KEYS="2"))
    answers = [client.get(path, {"Authorization": sent}).status for path in ("/Users", "/nothing", "/Users", "/x")]
    assert answers == [401, 401, 429, 429]
    assert client.get("/ServiceProviderConfig", {"Authorization": None}).status == 200
    assert client.get("/Users").status == 200


def test_workers_count_together(make_server: MakeServer) -> None:
    server = make_server(workers=2)
    server.start()
    client = server.client(key=server.key)

    def burst(size: int) -> list[int]:
        bad: ScimClient = server.client(key="perch_0123456789_" + "B" * 43)
        return [bad.get("/Users").status for _ in range(size)]

    with ThreadPoolExecutor(5) as threads:
        statuses = [status for found in threads.map(burst, [30] * 5) for status in found]
    assert (statuses.count(401), statuses.count(429)) == (120, 30)
    assert client.get("/Users").status == 200
