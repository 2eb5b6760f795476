"""Callers that send complete heads and then nothing, or one byte now and then; a new one for each closed connection."""

import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

DRIP_SECONDS = 0.04


class SlowCallers:
    """Keeps a number of slow connections open to a port of this machine, from one thread; a context manager."""

    def __init__(self, port: int, silent: Sequence[bytes], dripping: Sequence[bytes], counts: tuple[int, int]) -> None:
        """`silent` and `dripping` are heads, taken in turn; `counts` says how many connections of each are open."""
        self.port = port
        self.plan: list[Callable[[], tuple[bytes, bool]]] = []
        for heads, count, drips in ((silent, counts[0], False), (dripping, counts[1], True)):
            self.plan += [_taking_turns(heads, drips, at) for at in range(count)]
        self.answers: list[bytes] = []
        self.opened = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "SlowCallers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        selector = selectors.DefaultSelector()
        for plan in self.plan:
            self._open(selector, plan)
        while not self._stopped.is_set():
            for found, _ in selector.select(DRIP_SECONDS):
                self._read(selector, found)
            for found in list(selector.get_map().values()):
                _drip(found)
        for found in list(selector.get_map().values()):
            found.fileobj.close()  # type: ignore[union-attr]
        selector.close()

    def _open(self, selector: selectors.BaseSelector, plan: Callable[[], tuple[bytes, bool]]) -> None:
        head, drips = plan()
        with suppress(OSError):
            wire = socket.create_connection(("127.0.0.1", self.port), timeout=5)
            wire.sendall(head)
            wire.setblocking(False)
            selector.register(wire, selectors.EVENT_READ, [plan, drips, time.monotonic()])
            self.opened += 1

    def _read(self, selector: selectors.BaseSelector, found: selectors.SelectorKey) -> None:
        wire: socket.socket = found.fileobj  # type: ignore[assignment]
        try:
            data = wire.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.answers.append(data)
            return
        selector.unregister(wire)
        wire.close()
        self._open(selector, found.data[0])


def _taking_turns(heads: Sequence[bytes], drips: bool, at: int) -> Callable[[], tuple[bytes, bool]]:
    turns = [at]

    def plan() -> tuple[bytes, bool]:
        turns[0] += 1
        return heads[turns[0] % len(heads)], drips

    return plan


def _drip(found: selectors.SelectorKey) -> None:
    _, drips, sent = found.data
    if drips and time.monotonic() - sent >= DRIP_SECONDS:
        found.data[2] = time.monotonic()
        with suppress(OSError):
            found.fileobj.send(b"x")  # type: ignore[union-attr]
