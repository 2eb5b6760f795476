"""The benchmark counts right answers only, and its report says which targets were missed."""

import json
import os
import subprocess
import threading
import time
import xml.etree.ElementTree as xml
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.bench import load, peers, report, rows, weight, workloads
from tests.bench.curves import growth_svg
from tests.bench.directory import loaded, person
from tests.bench.load import Measurement, WrongAnswer
from tests.bench.profile import InProcessClient, deploy, profiled, seconds_in_sql
from tests.bench.run import against, in_turn, median_pair
from tests.bench.servers import BenchServer
from tests.bench.workloads import World
from tests.support.commands import run_command
from tests.support.readme import with_part
from tests.support.resource_types import USER
from tests.support.server import ROOT
from tests.test_architecture import MODULES

Seeded = tuple[InProcessClient, World]
PEOPLE = 1000
SMALL: list[tuple[str, rows.Make]] = [
    *((row.name, row.make) for row in rows.ROWS),
    *((name, partial(make, group="big")) for name, make in rows.GROUPS),
    *((f"a peer's {name}", make) for name, make, _ in rows.PEERS),
    ("a group whole", partial(workloads.read_group, group="big", size=PEOPLE)),
    ("POST a group", partial(workloads.post_group, size=PEOPLE)),
    ("PUT a group", partial(workloads.put_group, group="replaced", size=PEOPLE)),
]
READS = {row.make for row in (*rows.READS, *rows.FILTERS)}
every_workload = pytest.mark.parametrize("make", [make for _, make in SMALL], ids=[name for name, _ in SMALL])


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Seeded:
    return deploy(tmp_path_factory.mktemp("bench"), PEOPLE)


@pytest.fixture(scope="module")
def unwritten(tmp_path_factory: pytest.TempPathFactory) -> Seeded:
    return deploy(tmp_path_factory.mktemp("unwritten"), PEOPLE)


@pytest.fixture
def fitting(seeded: Seeded, unwritten: Seeded, make: rows.Make) -> Seeded:
    """Give reads a deployment without writes: they count the seeded people exactly."""
    return unwritten if make in READS else seeded


class EmptyAnswers:
    """A client whose answers have the right status and an empty body."""

    def __init__(self, client: InProcessClient) -> None:
        self.client = client

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        status, _ = self.client.ask(method, path, body)
        return status, b"{}"


@every_workload
def test_perch_answers_every_workload_correctly(fitting: Seeded, make: rows.Make) -> None:
    client, world = fitting
    operation = make(world)
    operation(client, 0)
    operation(client, 1)


@every_workload
def test_an_empty_answer_is_an_error(fitting: Seeded, make: rows.Make) -> None:
    client, world = fitting
    with pytest.raises((WrongAnswer, KeyError)):
        make(world)(EmptyAnswers(client), 0)


@pytest.mark.parametrize("make", [workloads.post_declared, workloads.look_up_declared])
def test_declared_attributes_must_be_declared(seeded: Seeded, make: rows.Make) -> None:
    client, world = seeded
    with pytest.raises((WrongAnswer, KeyError)):
        make(world)(client, 0)
    for name in workloads.DECLARED_NAMES:
        run_command(client.app, "attributes", "add", workloads.DECLARED, name, "--type", "string", "--indexed")
    operation = make(world)
    operation(client, 0)
    operation(client, 1)
    with pytest.raises((WrongAnswer, KeyError, ValueError)):
        make(world)(EmptyAnswers(client), 0)
    for name in workloads.DECLARED_NAMES:
        run_command(client.app, "attributes", "remove", f"{workloads.DECLARED}:{name}", "--prune")


def test_bulk_creates_a_thousand(seeded: Seeded) -> None:
    client, world = seeded
    workloads.bulk(world)(client, 0)
    with pytest.raises(WrongAnswer):
        workloads.bulk(world)(EmptyAnswers(client), 0)


def test_the_profile_sees_sql(seeded: Seeded) -> None:
    client, world = seeded
    assert seconds_in_sql(profiled(client, workloads.get_user(world), 2)) > 0
    assert seconds_in_sql(profiled(client, lambda *_: None, 2)) == 0


@pytest.mark.parametrize("number", [0, 1, 20, 12345])
def test_the_seed_is_what_a_post_would_make(number: int) -> None:
    assert json.dumps(loaded(number)) == json.dumps(USER.load(person(number)))


class PathEcho(BaseHTTPRequestHandler):
    """Answers with the request's path, with a Content-Length or in chunks."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        text = self.path.encode()
        if "chunked" in self.path:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\n%b\r\n%x;x=1\r\n%b\r\n0\r\n\r\n" % (text[:3], len(text) - 3, text[3:]))
        else:
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), PathEcho) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_address[1]
        server.shutdown()


def test_answers_are_read_with_a_length_and_in_chunks(port: int) -> None:
    connection = load.HttpConnection(port, {})
    for path in ("/plain", "/chunked", "/chunked-again", "/plain-again"):
        assert connection.ask("GET", path) == (200, path.encode())
    connection.close()


def test_a_run_counts_after_the_warm_up_and_fails_at_a_wrong_answer(port: int) -> None:
    turns: list[int] = []

    def operation(client: load.HttpClient, turn: int) -> None:
        turns.append(turn)
        workloads.expect(client.ask("GET", f"/{turn}") == (200, f"/{turn}".encode()) and turn < 20, turn)

    found = load.run(port, {}, lambda client, turn: operation(client, turn % 4), 2, 0.05)
    assert found.rate > 0 and found.median <= found.p99
    assert {0, 1, 2, 3} <= set(turns)
    with pytest.raises(WrongAnswer, match="20"):
        load.run(port, {}, operation, 1, 5)
    with pytest.raises(WrongAnswer, match="2[12]"):
        load.run(port, {}, lambda client, turn: operation(client, turn + 21), 2, 5)


def test_the_median_ratio_counts_and_another_checkout_runs_in_the_same_rounds() -> None:
    rates = iter([50.0, 20.0, 10.0, 1.0, 30.0, 10.0, 20.0, 10.0, 10.0])
    rounds = in_turn([partial(measured, rates)] * 3, 3)
    mine, baseline = median_pair(rounds)
    assert (mine.rate, baseline.rate) == (20.0, 10.0)
    assert against(rounds) == {"other_rate": 20.0, "other_share": 2.0, "times_other": 2.0}


def measured(rates: Iterator[float]) -> Measurement:
    return Measurement(next(rates), 1.0, 1.0)


def test_memory_has_settled_once_no_worker_grows() -> None:
    sizes = [[], [10.0, 11.0], [25.0, 30.0], [30.05, 30.0], [40.0]]

    class Growing(BenchServer):
        def __init__(self) -> None: ...

        def memory(self) -> list[float]:
            return sizes.pop(0)

    assert Growing().settled_memory(every=0) == 30.05
    assert sizes == [[40.0]]


def test_memory_is_sampled_all_the_time() -> None:
    seen = threading.Event()

    class Swelling(BenchServer):
        def __init__(self) -> None:
            self.sizes = [[10.0, 11.0], [12.0, 90.0]]

        def memory(self) -> list[float]:
            if len(self.sizes) == 1:
                seen.set()
            return self.sizes.pop(0) if self.sizes else [20.0, 20.0]

    with Swelling().peak_memory(every=0.001) as peak:
        assert seen.wait(10)
        while peak[0] < 90:
            time.sleep(0.001)
    assert peak == [90.0]


def test_a_peer_that_cannot_be_installed_is_skipped_with_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(command: tuple[str, ...], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1 if "pip" in command else 0, "", "warning\nno such version\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert peers.interpreter(peers.PEERS[0], tmp_path) is None
    assert "skipped scim2-server" in (said := capsys.readouterr().err) and "no such version" in said


def row(name: str, clients: int = 1, **changed: Any) -> dict[str, Any]:
    return {"name": name, "clients": clients, "rate": 1000.0, "median": 1.0, "p99": 2.0, "baseline": "B2",
            "baseline_median": 0.5, "baseline_p99": 1.0, "share": 0.5, "at_least": None, "p99_at_most": None,
            "grows_at_most": 1.5, **changed}  # fmt: skip


def results(**changed: Any) -> dict[str, Any]:
    """Results of a run in which GET missed its target and POST met it."""
    get, post = row("GET a user", at_least=0.75), row("POST a user", 8, at_least=0.5, p99_at_most=2.0)
    slower = {**get, "median": 3.0, "baseline_median": 0.6}
    facts = [{"name": "start", "value": 1.0, "unit": "s", "at_most": 1.5, "at_least": None}]
    peer = {"peer": "other (durable)", "durable": True, "name": report.SESSION, "clients": 4, "rate": 300.0,
            "peer_rate": 200.0, "times": 1.5}  # fmt: skip
    return {
        "date": "2026-11-24", "commit": "abc", "cpu": "CPU", "cores": 2, "python": "3.11", "sqlite": "3.40",
        "gunicorn": {"workers": 2, "worker_class": "gthread", "threads": 4}, "seconds": 1.0, "rounds": 3,
        "people": 1000, "rows": [get, post], "sizes": {"1000": [get], "100000": [slower]}, "facts": facts,
        "peers": [peer], **changed,
    }  # fmt: skip


def line(text: str, start: str) -> str:
    (found,) = [each for each in text.splitlines() if each.startswith(f"| {start}")]
    return found


def test_the_report_names_missed_targets(tmp_path: Path) -> None:
    text = report.write(tmp_path, results())
    assert "CPU, 2 cores, Python 3.11, SQLite 3.40, gunicorn with 2 gthread workers of 4 threads" in text
    work, grown = text.split("## Growth")
    assert line(work, "GET a user").endswith("| ≥ 0.75 | **missed** |")
    assert line(work, "POST a user").endswith("| ≥ 0.5, p99 ≤ 2 × B2's | yes |")
    assert line(work, "start").endswith("| 1.00 s | ≤ 1.5 s | yes |")
    assert line(work, report.SESSION).endswith("| 1.50 times | ≥ 2 times | **missed** |")
    assert line(grown, "GET a user").endswith("| 1.00 (1.00) | 3.00 (1.20) | ≤ 1.5 | **missed** |")
    assert json.loads((tmp_path / "results.json").read_text()) == results()
    slow = results(rows=[row("POST a user", 8, at_least=0.5, p99_at_most=2.0, p99=2.1)])
    assert line(report.markdown(slow), "POST a user").endswith("**missed** |")


def test_another_checkout_has_two_columns() -> None:
    get = row("GET a user", other_rate=900.0, other_share=0.45, times_other=1.11)
    work = report.markdown(results(against="8c42a4d", rows=[get])).split("## Growth")[0]
    assert line(work, "work | clients").endswith("| share of 8c42a4d | this over that |")
    assert line(work, "GET a user").endswith("| 0.45 of B2 | 1.11 |")
    assert report.progress(get).endswith("other 0.45, this over that 1.11")


def test_targets_that_differ_are_both_shown() -> None:
    writes = [row("POST a user", 1, at_least=0.4), row("POST a user", 8, at_least=0.45, p99_at_most=2.0)]
    text = report.in_short(results(rows=writes))
    assert "| ≥ 0.4 / ≥ 0.45, p99 ≤ 2 × B2's |" in line(text, "POST a user")


def test_the_short_table() -> None:
    text = report.in_short(results())
    assert line(text, "GET a user") == "| GET a user | 1,000 | 0.50 of B2 | ≥ 0.75 | **missed** |"
    assert line(text, report.SESSION).endswith("| 1.50 × other | ≥ 2 × | **missed** |")
    most = line(text, "most growth of all of these, 1,000 to 100,000 people: GET a user")
    assert most.endswith("| 3.00 times (baseline: 1.20) | ≤ 1.5 times | **missed** |")
    before = f"a\n{report.BEGIN}\nold\n{report.END}\nz\n"
    assert report.with_section(before, results()) == f"a\n{report.BEGIN}\n{text}\n{report.END}\nz\n"


def test_the_page_shows_the_last_run() -> None:
    if not report.RESULTS.exists():
        pytest.skip("no run has been kept yet")
    page, last = report.PAGE.read_text(encoding="utf-8"), json.loads(report.RESULTS.read_text(encoding="utf-8"))
    assert page == report.with_section(page, last), "run: python -m tests.bench.report"
    assert (report.RESULTS.parent / "results.md").read_text(encoding="utf-8") == report.markdown(last)


def test_the_curves_are_svg_on_a_logarithmic_axis() -> None:
    drawn = xml.fromstring(
        growth_svg({"a < b": {1000: 1.0, 10_000: 1.2, 100_000: 1.4}, "c": {1000: 1.0, 100_000: 2.0}})
    )
    tag = "{http://www.w3.org/2000/svg}"
    points = [each.attrib["points"] for each in drawn.iter(f"{tag}polyline")]
    across = [float(point.split(",")[0]) for point in max(points, key=len).split()]
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)
    assert {"a < b: 1.40", "c: 2.00", "1,000", "100,000"} <= {str(each.text) for each in drawn.iter(f"{tag}text")}


SAMPLE = '''"""One line,
and another."""

# A comment.
import os  # why


class Thing:
    """A thing."""

    text = """
    Not a docstring.

    """

    def act(self) -> str:
        """Act."""
        return f"{self.text}" + (
            "x"  # no comment alone
        )
'''


def test_lines_of_code_are_those_without_blanks_comments_and_docstrings() -> None:
    assert weight.lines_of_code(SAMPLE) == 10
    assert weight.lines_of_code('"""Only this."""\n') == weight.lines_of_code("") == 0
    assert weight.lines_of_code("x = 1\n'no docstring'\n") == 2


def test_production_is_all_python_outside_of_tests_docs_and_examples(tmp_path: Path) -> None:
    for name in ("app.py", "scim/web/users.py", "new/x.py", "tests/x.py", "docs/x.py", "examples/x.py", ".venv/x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [str(file.relative_to(tmp_path)) for file in weight.production(tmp_path)]
    assert found == ["app.py", "new/x.py", "scim/web/users.py"]
    assert set(MODULES) < set(weight.production())


def test_the_packages_are_those_of_the_requirements() -> None:
    named, installed = weight.packages((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    listed = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    assert named == sum(bool(line) and not line.startswith("#") for line in listed) < installed


@pytest.mark.parametrize(
    ("builder", "script", "told"),
    [("podman", "echo 262144000", "250 MiB"), ("docker", "exit 1", weight.NOT_BUILT),
     ("buildah", "echo 1", weight.NOT_BUILT), ("", "", weight.NOT_BUILT)],
)  # fmt: skip
def test_the_size_of_an_image_is_told_where_there_is_one(
    builder: str, script: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / (builder or "none")
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert weight.image_size(builder, "perch") == told


def test_the_page_has_the_table_of_weights() -> None:
    text = weight.PAGE.read_text(encoding="utf-8")
    table = text.partition(weight.BEGIN)[2].partition(weight.END)[0].strip().splitlines()
    assert len(table) == 9 and all(line.count(" | ") == 2 for line in table)
    assert with_part(text, weight.BEGIN, "\n".join(table), weight.END) == text
