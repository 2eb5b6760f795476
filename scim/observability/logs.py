"""The log: one line per request and per event on standard error, as JSON or for people, without Flask."""

import json
import logging
import os
import sys
import time
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

from pythonjsonlogger.json import JsonFormatter

STDERR = 2
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

request_id: ContextVar[str] = ContextVar("request_id", default="")


@dataclass(slots=True)
class Line:
    """What the log says of a request; `url` and `address` are empty unless personal data may be logged."""

    level: str
    request: str
    method: str
    route: str
    status: int
    seconds: float
    key: str
    resource: str
    url: str = ""
    address: str = ""


class JsonLines(JsonFormatter):
    """Events as JSON, with the id of the request that they happened in."""

    def __init__(self) -> None:
        super().__init__("{time}{levelname}{message}", style="{", rename_fields={"levelname": "level"})

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, whatever the record holds: line breaks of a traceback are escaped."""
        record = logging.makeLogRecord({**record.__dict__, "levelname": record.levelname.lower()})
        record.time = instant(record.created)
        if request_id.get():
            record.requestId = request_id.get()
        return super().format(record)


class TextLines(logging.Formatter):
    """Events for people on a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the time of day, the level unless it is info, and the message."""
        text = super().format(record)
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        mark = f" [{request_id.get()}]" if request_id.get() else ""
        return f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {level}{text}{mark}"


class RequestLog:
    """Writes a line per request: by hand, as a log record and a formatter would cost five times as much."""

    def __init__(self, level: str, kind: str, personal: bool) -> None:
        self.personal = personal
        self._least = LEVELS[level]
        self._render = _json if kind == "json" else _text

    def wants(self, level: str) -> bool:
        """Tell whether lines of a level are written."""
        return LEVELS[level] >= self._least

    def write(self, line: Line) -> None:
        """Write a line in one call, so that those of several processes do not mix; a full disk stops no request."""
        try:
            os.write(STDERR, self._render(line).encode("utf-8", "replace"))
        except OSError:
            return


def kind_of(chosen: str) -> str:
    """Return "json" or "text" for a value of PERCH_LOG_FORMAT."""
    if chosen != "auto":
        return chosen
    return "text" if sys.stderr is not None and sys.stderr.isatty() else "json"


def formatter(chosen: str) -> logging.Formatter:
    """Return the formatter of events for a value of PERCH_LOG_FORMAT."""
    return JsonLines() if kind_of(chosen) == "json" else TextLines()


_requests: list[RequestLog] = []


def start(level: str, chosen: str, personal: bool) -> None:
    """Begin to log in this process; before, Perch's events go where Python's logging sends them by default."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(chosen))
    log = logging.getLogger("perch")
    log.handlers = [handler]
    log.setLevel(LEVELS[level])
    _requests[:] = [RequestLog(level, kind_of(chosen), personal)]


def of_requests() -> RequestLog | None:
    """Return where requests are logged; None in a process that does not serve."""
    return _requests[0] if _requests else None


def instant(seconds: float) -> str:
    """Return seconds since 1970 as an RFC 3339 instant in UTC, to the millisecond."""
    return f"{_second(int(seconds))}.{int(seconds * 1000) % 1000:03d}Z"


@lru_cache(maxsize=8)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    return json.dumps(text)


def _json(line: Line) -> str:
    optional = "".join(
        f',"{name}":{json.dumps(text)}'
        for name, text in (("resource", line.resource), ("address", line.address), ("url", line.url))
        if text
    )
    key = f'"{line.key}"' if line.key else "null"
    return (
        f'{{"time":"{instant(time.time())}","level":"{line.level}","message":"request","requestId":"{line.request}",'
        f'"method":"{line.method}","route":{_quoted(line.route)},"status":{line.status},'
        f'"ms":{line.seconds * 1000:.2f},"key":{key}{optional}}}\n'
    )


def _text(line: Line) -> str:
    shown = json.dumps(line.url)[1:-1] if line.url else line.route.replace("<identifier>", line.resource or "<id>")
    parts = [time.strftime("%H:%M:%S"), str(line.status), line.method.ljust(6), shown, f"{line.seconds * 1000:.1f} ms"]
    parts += [f"key {line.key}"] if line.key else []
    parts += [line.address] if line.address else []
    return " ".join([*parts, f"[{line.request}]"]) + "\n"
