"""Ports for programs that cannot be given port 0."""

import os
import random
import socket

# The system itself hands out ports from 32768 upwards, so a port below stays free until somebody asks for it. Each of
# pytest's processes has a thousand of its own.
FIRST, EACH, PROCESSES = 12_000, 1000, 20
_process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PROCESSES
_next = random.randrange(EACH)


def unused_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses, another one at each call."""
    global _next
    for _ in range(EACH):
        _next = (_next + 1) % EACH
        port = FIRST + _process * EACH + _next
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("All ports are in use.")
