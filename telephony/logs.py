"""Logging: plain lines on stderr in which no secret, no phone number and no control character is printed.

What a caller, a webhook or a peer sends can end up in a log line. It is one line there whatever it holds, so
that nobody can forge a second one or steer a terminal.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from typing import TextIO

from telephony.secret import MASK

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
SHORTEST_SECRET = 4  # shorter ones would mask ordinary words
NOISY = ("aiohttp.access", "urllib3", "twilio.http_client", "websockets", "httpx", "httpcore", "asyncio")

# E.164 as Twilio writes it, also percent-encoded in a URL; the last two digits are left to tell calls apart.
_PHONE_NUMBER = re.compile(r"(\+|%2B)\d{4,13}(\d{2})(?!\d)", re.IGNORECASE)
# C0, DEL and C1 controls; the separators that str.splitlines takes for line ends; marks that turn the writing
# direction, with which a line can be made to read as another.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def one_line(text: str) -> str:
    """`text` with every control character written as an escape."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


class SafeFormatter(logging.Formatter):
    """Formats a record as one line (and its traceback), masking what must not be seen."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__(FORMAT)
        known = sorted({s for s in secrets if len(s) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, known))) if known else None

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = one_line(record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if self._secrets is not None:
            text = self._secrets.sub(MASK, text)
        return _PHONE_NUMBER.sub(r"\1***\2", text)


def _without_traceback(record: logging.LogRecord) -> bool:
    """A request that is no HTTP is a peer's mistake, told in one line; aiohttp would print its stack."""
    error = record.exc_info[1] if record.exc_info else None
    if error is not None and type(error).__module__ == "aiohttp.http_exceptions":
        record.exc_info, record.exc_text = None, None
        record.msg, record.args = "%s: %s", (record.getMessage(), type(error).__name__)
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def set_up(level: str, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Sends everything from `level` up to `stream` (stderr), in place of whatever was set up before."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(SafeFormatter(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in NOISY:  # other people's debug lines show headers and payloads
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.getLogger("aiohttp.server").addFilter(_without_traceback)  # adding it twice changes nothing
