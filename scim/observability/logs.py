"""The log on standard error: one line per request and per event, as JSON or as text; no Flask."""

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TextIO, cast

from pythonjsonlogger.json import JsonFormatter

STDERR = 2
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

request_id: ContextVar[str] = ContextVar("request_id", default="")


@dataclass(slots=True)
class RequestLine:
    """The fields of a request's line; url and address are written only if personal data may be logged.

    `key` and `resource` are "" where there is none.
    """

    request: str
    method: str
    route: str
    status: int
    key: str
    resource: str
    url: str
    address: str
    level: str = ""
    seconds: float = 0.0


class JsonLines(JsonFormatter):
    """Formats events as JSON, with the id of the current request."""

    def __init__(self) -> None:
        super().__init__("{time}{levelname}{message}", style="{", rename_fields={"levelname": "level"})

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; line breaks of a traceback are escaped."""
        record = logging.makeLogRecord({**record.__dict__, "levelname": record.levelname.lower()})
        record.time = instant(record.created)
        if request_id.get():
            record.requestId = request_id.get()
        return super().format(record)


class TextLines(logging.Formatter):
    """Formats events for people at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the time of day, the level unless it is info, and the message."""
        text = super().format(record)
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        mark = f" [{request_id.get()}]" if request_id.get() else ""
        return f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {level}{text}{mark}"


class RequestLog:
    """Writes one line per request, without `logging`: a log record and a formatter cost five times as much."""

    def __init__(self, level: str, format_name: str, personal: bool) -> None:
        self.personal = personal
        self._threshold = LEVELS[level]
        self._render = _json if format_name == "json" else _text

    def wants(self, level: str) -> bool:
        """Return whether lines of a level are written."""
        return LEVELS[level] >= self._threshold

    def write(self, line: RequestLine) -> None:
        """Write a line with one system call, so that lines of several processes do not mix; ignore a full disk."""
        _write(self._render(line))

    def write_fields(self, fields: dict[str, Any]) -> None:
        """Write a line of JSON with these fields, likewise."""
        _write(json.dumps(fields) + "\n")


def _write(text: str) -> None:
    try:
        os.write(STDERR, text.encode("utf-8", "replace"))
    except OSError:
        return


def resolve_format(chosen: str) -> str:
    """Return "json" or "text" for a value of PERCH_LOG_FORMAT; auto is text on a terminal only."""
    if chosen in ("json", "text"):
        return chosen
    return "text" if sys.stderr is not None and sys.stderr.isatty() else "json"


def formatter(chosen: str) -> logging.Formatter:
    """Return the formatter for a value of PERCH_LOG_FORMAT."""
    return JsonLines() if resolve_format(chosen) == "json" else TextLines()


# Holds the process's request log once it serves.
_requests: list[RequestLog] = []


class JsonStream:
    """Standard error on which every line is JSON: Python, gunicorn and click print some errors as text."""

    def __init__(self, stream: TextIO) -> None:
        """Wrap a stream; lines that are JSON already pass as they are."""
        self._stream = stream
        self._formatter = JsonLines()
        self._rest = ""
        self._lock = threading.Lock()

    def write(self, text: str) -> int:
        """Write the whole lines of a text, and keep the rest."""
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
            self._stream.write("".join(f"{self._json(line)}\n" for line in lines if line))
        return len(text)

    def _json(self, line: str) -> str:
        if line.startswith("{"):
            return line
        record = {"name": "stderr", "levelno": logging.ERROR, "levelname": "ERROR", "msg": line}
        return self._formatter.format(logging.makeLogRecord(record))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def start_service(environment: Mapping[str, str]) -> None:
    """Have a process that serves write its log as PERCH_LOG_FORMAT says, from its first line on."""
    chosen = environment.get("PERCH_LOG_FORMAT") or "auto"
    if resolve_format(chosen) == "json":
        sys.stderr = cast(TextIO, JsonStream(sys.stderr))
    _set_handler(chosen)


def _set_handler(chosen: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(chosen))
    logging.getLogger("perch").handlers = [handler]


def start(level: str, chosen: str, personal: bool) -> None:
    """Configure the log of a process that serves; others keep Python's defaults."""
    _set_handler(chosen)
    logging.getLogger("perch").setLevel(LEVELS[level])
    _requests[:] = [RequestLog(level, resolve_format(chosen), personal)]


def of_requests() -> RequestLog | None:
    """Return the request log, None in a process that does not serve."""
    return _requests[0] if _requests else None


def instant(seconds: float) -> str:
    """Return seconds since 1970 as an RFC 3339 instant in UTC with milliseconds."""
    return f"{_second(int(seconds))}.{int(seconds * 1000) % 1000:03d}Z"


@lru_cache(maxsize=8)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    return json.dumps(text)


def _json(line: RequestLine) -> str:
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


def _text(line: RequestLine) -> str:
    shown = json.dumps(line.url)[1:-1] if line.url else line.route.replace("<identifier>", line.resource or "<id>")
    parts = [time.strftime("%H:%M:%S"), str(line.status), line.method.ljust(6), shown, f"{line.seconds * 1000:.1f} ms"]
    parts += [f"key {line.key}"] if line.key else []
    parts += [line.address] if line.address else []
    return " ".join([*parts, f"[{line.request}]"]) + "\n"
