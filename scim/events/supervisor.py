"""Keeps a process of `flask deliver` running: one child after the other, each of which ends with its parent."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable

# In seconds: the first and the longest pause before a child is started again, and the life after which a child counts
# as sound, so that the next pause is the first one again.
FIRST_PAUSE, LONGEST_PAUSE, SOUND = 1.0, 60.0, 60.0
# In seconds: between two looks at the child, and from the end of the parent to the end of a child that hangs.
LOOK, GRACE = 0.25, 1.0
log = logging.getLogger("perch")


def become_child(alive: Callable[[], bool], stopping: threading.Event) -> bool:
    """Fork, and return True in each child; return False in the parent once `alive` is False and the child has ended.

    The caller's thread is the only one. `stopping` is set in a child whose parent has ended; a child that does not
    end then within GRACE is ended.
    """
    pause = FIRST_PAUSE
    while alive():
        begun = time.monotonic()
        child = _fork(stopping)
        if child is None:
            return True
        reason = _ended(child, alive)
        if not alive():
            break
        if time.monotonic() - begun >= SOUND:
            pause = FIRST_PAUSE
        log.error("The deliverer ended (%s); it is started again in %.0f s.", reason, pause)
        again = time.monotonic() + pause
        while alive() and time.monotonic() < again:
            time.sleep(LOOK)
        pause = min(pause * 2, LONGEST_PAUSE)
    return False


def _fork(stopping: threading.Event) -> tuple[int, int] | None:
    """Return the child's process id, and the end of a pipe that closes with this process; None in the child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(reading)
        return child, writing
    os.close(writing)
    threading.Thread(target=_end_with_parent, args=(reading, stopping), daemon=True).start()
    return None


def _end_with_parent(pipe: int, stopping: threading.Event) -> None:
    """Wait until the other end of a pipe is closed, which the kernel does however the parent ends."""
    os.read(pipe, 1)
    stopping.set()
    time.sleep(GRACE)
    os._exit(1)


def _ended(child: tuple[int, int], alive: Callable[[], bool]) -> str:
    """Wait for the end of a child, ask it to stop once `alive` is False, and return how it ended."""
    process, pipe = child
    asked = False
    while not (done := os.waitpid(process, os.WNOHANG))[0]:
        if not asked and not alive():
            os.kill(process, signal.SIGTERM)
            asked = True
        time.sleep(LOOK)
    os.close(pipe)
    code = os.waitstatus_to_exitcode(done[1])
    return f"signal {-code}" if code < 0 else f"exit code {code}"
