"""Raw bytes for the socket: heads that are malformed, bodies in broken chunks, pipelines, garbage."""

from random import Random

from tests.attack import documents
from tests.attack.inputs import Input, json_body

KEYS = ("generic", "okta", "read", "none", "wrong")
LINES = (
    "Content-Length: 3", "Content-Length: -1", "Content-Length: 2_0", "Content-Length: 1e3", "Content-Length: +5",
    "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked", "Transfer-Encoding: gzip",
    "Transfer-Encoding: chunked, identity", "Transfer-Encoding : chunked", " folded: header", "Bad Name: x", "Nul: \0",
    "X: " + "x" * 9000, "Expect: 100-continue", "Expect: 200-ok", "Connection: close, keep-alive", "Upgrade: h2c",
    "Host: other", "Host: a@b:99999", "Host:", "Host: [::1", "Authorization: Basic !!!", "Authorization:",
    "Content-Encoding: gzip", "Content-Type: ;", "Content-Type: application/json; charset=\xff", ":", "",
    "X-Forwarded-For: \xff", "X-Forwarded-Host: a b", "X-Forwarded-Proto: javascript", "Cookie: perch_console=\xff",
)  # fmt: skip
CHUNKS = (
    "zz\r\n{}\r\n0\r\n\r\n", "-1\r\n{}\r\n0\r\n\r\n", "2\r\n{}XX0\r\n\r\n", "ffffffffffffffff\r\n{}", "2\r\n{}\r\n",
    "2;x=y\r\n{}\r\n0\r\n\r\n", "2\r\n{}\r\n0\r\nT: x\r\n\r\n", "0\r\n\r\n", "\r\n", "2\r\n{}\r\n" * 40 + "0\r\n\r\n",
)  # fmt: skip
GARBAGE = (
    "\0" * 300, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "x" * 300, "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\n\r\n", "\r\n" * 200,
    "CONNECT other:443 HTTP/1.1\r\nHost: other\r\n\r\n", "A" * 20_000, "GET {BASE}/Users\r\n\r\n", "\xff" * 200,
)  # fmt: skip
TARGETS = (
    "{BASE}/Users", "{BASE}/Users/{USER:1}", "{BASE}/Groups", "{BASE}/.search", "{WORKSPACE}/events", "/console/",
    "/console/sign-in", "/healthz", "/readyz", "/metrics", "/", "*", "http://x{BASE}/Users", "//", "/%00",
)  # fmt: skip


def head(chance: Random) -> list[str]:
    """Return the lines of a head that is nearly right."""
    method = chance.choice(("GET", "POST", "POST", "PUT", "PATCH", "HEAD", "OPTIONS", "G\0T", "post"))
    target = chance.choice(TARGETS)
    lines = [f"{method} {target} HTTP/{chance.choice(('1.1', '1.1', '1.1', '1.0', '0.9', '1.1 x'))}", "Host: perch"]
    key = chance.choice(KEYS)
    if key != "none":
        lines.append(f"Authorization: Bearer {{KEY:{key}}}")
    return [*lines, *chance.sample(LINES, chance.choice((0, 1, 1, 2)))]


def message(chance: Random) -> str:
    """Return a request, whole or cut."""
    lines = head(chance)
    body = json_body(documents.spoiled(documents.search_request(chance), chance))[:5000]
    if chance.random() < 0.3:
        lines.append("Transfer-Encoding: chunked")
        body = chance.choice(CHUNKS)
    else:
        lines.append(f"Content-Length: {len(body) + chance.choice((0, 0, 0, 1, -1, 5000))}")
    return "\r\n".join([*lines, "", ""]) + body


def flipped(chance: Random, text: str) -> str:
    """Return a text with some characters changed, dropped or doubled."""
    for _ in range(chance.choice((1, 2, 8))):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(("", chr(chance.randrange(256)), "\r\n", text[at : at + 40])) + text[at + 1 :]
    return text


def raw(chance: Random) -> Input:
    """Return bytes for the socket."""
    how = chance.random()
    if how < 0.15:
        text = chance.choice(GARBAGE)
    elif how < 0.6:
        text = message(chance)
    elif how < 0.85:
        text = flipped(chance, message(chance))
    else:
        text = "".join(message(chance) for _ in range(chance.choice((2, 3, 9))))
    if chance.random() < 0.1:
        text = text[: chance.randrange(len(text) + 1)]
    return Input("raw", "RAW", "", body=text, raw=True)
