"""What must never be seen in a log."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from telephony import logs


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
