"""What must never be seen in a log."""

from __future__ import annotations

import asyncio
import io
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from telephony import logs

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    logs.set_up("INFO", ["sk-very-secret", "ab"], stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


def test_a_secret_is_masked_wherever_it_stands(lines: io.StringIO) -> None:
    log = logging.getLogger("telephony.anything")
    log.info("key %s", "sk-very-secret")
    try:
        raise ValueError("refused sk-very-secret")
    except ValueError:
        log.exception("failed")
    assert "sk-very-secret" not in lines.getvalue()
    assert "key ****" in lines.getvalue() and "refused ****" in lines.getvalue()


@pytest.mark.parametrize("number", ["+14155550132", "%2B14155550132", "+447700900123"])
def test_a_phone_number_keeps_only_its_last_two_digits(lines: io.StringIO, number: str) -> None:
    logging.getLogger("telephony").info("from %s to somebody", number)
    assert number[3:-2] not in lines.getvalue()
    assert f"***{number[-2:]} to somebody" in lines.getvalue()


@pytest.mark.parametrize(
    "evil", ["\n", "\r\n", "\x1b[2J", "\u2028", "\x85", "\u202e", "\x00", "\ud800"], ids=ascii
)
def test_what_a_caller_sends_cannot_forge_a_line_or_steer_a_terminal(evil: str) -> None:
    # Not through a logger: pytest keeps what is logged, and xdist cannot pass a lone surrogate on.
    record = logging.makeLogRecord({"msg": "said %s", "args": (f"hello{evil}INFO forged",)})
    written = logs.SafeFormatter().format(record)
    assert len(written.splitlines()) == 1 and evil not in written
    assert "INFO forged" in written


FORGED = "Bob\n2026-11-28 00:00:00,000 INFO    telephony.server.dialler: dialling is stopped\x1b[2J\u2028more"


@pytest.mark.parametrize("kind", ["exception", "cause", "note", "stack", "made by another", "group"])
def test_a_traceback_cannot_forge_a_line(kind: str) -> None:
    """Whatever an exception says, and whoever formatted it: only the first line looks like a line."""
    record = logging.makeLogRecord({"msg": "failed", "levelname": "ERROR", "name": "telephony"})
    error: Exception = ValueError(FORGED)
    if kind == "cause":
        error = RuntimeError("outer")
        error.__cause__ = ValueError(FORGED)
    elif kind == "note":
        error = ValueError("plain")
        error.add_note(FORGED)
    elif kind == "group":
        error = ExceptionGroup(FORGED, [ValueError(FORGED)])
    if kind == "stack":
        record.stack_info = FORGED
    elif kind == "made by another":
        record.exc_text = FORGED
    else:
        record.exc_info = (type(error), error, None)
    written = logs.SafeFormatter().format(record)
    first, *below = written.splitlines()
    assert first.endswith("telephony: failed") and below
    assert all(line.startswith(logs.CONTINUED) for line in below), written
    assert "\x1b" not in written and "\u2028" not in written and "dialling is stopped" in written


def test_a_line_cannot_begin_as_a_continuation(lines: io.StringIO) -> None:
    """A logger's own name is cleaned, too; and a line ends somewhere."""
    logging.getLogger("evil\nname").error("%s", "x" * 100_000)
    (line,) = lines.getvalue().splitlines()
    assert "evil\\nname" in line and len(line) == logs.LONGEST_LINE


def test_a_thread_and_a_destructor_fail_in_the_log(tmp_path: Path) -> None:
    """In a program of ours: what Python would print bare is a log line, and masked."""
    program = (
        "import threading, telephony.logs as logs\n"
        "logs.set_up('INFO', ['sk-very-secret'])\n"
        "def fail(): raise ValueError('a\\nforged sk-very-secret')\n"
        "class Odd:\n    def __del__(self): fail()\n"
        "Odd()\n"
        "one = threading.Thread(target=fail); one.start(); one.join()\n"
        "fail()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "sk-very-secret" not in done.stderr
    lines = done.stderr.splitlines()
    assert len([line for line in lines if "telephony: " in line]) == 3
    assert not [line for line in lines if line.startswith("forged")]


def test_other_peoples_debug_lines_stay_out(lines: io.StringIO) -> None:
    logging.getLogger("urllib3").info("GET /secret")
    logging.getLogger("telephony").debug("per frame")
    assert lines.getvalue() == ""


@given(st.text())
def test_one_line_is_one_line_and_keeps_what_is_printable(text: str) -> None:
    made = logs.one_line(text)
    assert len(made.splitlines()) <= 1
    assert made == logs.one_line(made)
    if text.isascii() and text.isprintable():
        assert made == text


async def test_a_request_that_is_no_http_is_one_line(lines: io.StringIO) -> None:
    """Anybody can send as many as they like: no stack, and nothing of what was sent."""
    server = TestServer(web.Application(), host="127.0.0.1")
    await server.start_server()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /" + b"secret" * 2000 + b" HTTP/1.1\r\n\r\n")
        assert b"400" in await reader.readline()
        writer.close()
    finally:
        await server.close()
    (line,) = lines.getvalue().splitlines()
    assert "WARNING" in line and "LineTooLong" in line and "secret" not in line
