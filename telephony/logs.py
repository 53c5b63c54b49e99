"""Logging: plain lines on stderr in which no secret, no phone number and no control character is printed.

What a caller, a webhook or a peer sends can end up in a log line. It is one line there whatever it holds, so
that nobody can forge a second one or steer a terminal.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TextIO

from telephony.base.throttle import Notices
from telephony.config.masking import Masker, one_line

__all__ = ["CONTINUED", "LONGEST_LINE", "SafeFormatter", "one_line", "set_up"]

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
CONTINUED = "    | "
LONGEST_LINE = 8192
# Other people's debug lines show headers and payloads. Of all they hold only what may be a fault is written.
NOISY = (
    *("aiohttp", "aiohttp.access", "asyncio", "charset_normalizer", "deepgram", "fern", "h11", "hpack"),
    *("httpcore", "httpx", "requests", "twilio", "twilio.http_client", "urllib3", "websocket", "websockets"),
)
NOT_HTTP, NOT_HTTP_PER_S = 20, 1.0
"""Lines about requests that are not HTTP: so many at once, and then so many a second."""

# E.164 as Twilio writes it, also percent-encoded in a URL; the last two digits are left to tell calls apart.
_PHONE_NUMBER = re.compile(r"(\+|%2B)\d{4,13}(\d{2})(?!\d)", re.IGNORECASE)


class SafeFormatter(logging.Formatter):
    """Formats a record as one line, masking what must not be seen; what belongs to it below is marked.

    A traceback holds the text of an exception, which may be a caller's name or a peer's message. Its lines
    begin with CONTINUED, which no line of a record's own does.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__(FORMAT)
        self._masker = Masker(secrets)

    def format(self, record: logging.LogRecord) -> str:
        record.message = one_line(record.getMessage())
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        more = []
        if record.exc_info:
            more.append(self.formatException(record.exc_info))  # not exc_text, which another may have made
        elif record.exc_text:
            more.append(record.exc_text)
        if record.stack_info:
            more.append(self.formatStack(record.stack_info))
        below = [CONTINUED + one_line(line) for text in more for line in text.split("\n")]
        lines = [one_line(self.formatMessage(record)), *below]
        return "\n".join(map(self._safe, lines))

    def _safe(self, line: str) -> str:
        return _PHONE_NUMBER.sub(r"\1***\2", self._masker.mask(line))[:LONGEST_LINE]


_not_http = Notices(NOT_HTTP, NOT_HTTP_PER_S)


def _without_traceback(record: logging.LogRecord) -> bool:
    """A request that is not HTTP is a peer's mistake, logged in one line; aiohttp would print its stack."""
    error = record.exc_info[1] if record.exc_info else None
    if error is not None and type(error).__module__ == "aiohttp.http_exceptions":
        record.exc_info, record.exc_text = None, None
        record.msg, record.args = "%s: %s", (record.getMessage(), type(error).__name__)
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return _not_http.may(type(error).__name__, record.created)
    return True


def _without_protocols(record: logging.LogRecord) -> bool:
    """A browser's key is one of the subprotocols it offers (`token, KEY`), and aiohttp writes them all."""
    if "Client protocols" in str(record.msg):
        remote = record.args[0] if isinstance(record.args, tuple) and record.args else "?"
        record.msg, record.args = "%s: a websocket offered no subprotocol that is known here", (remote,)
    return True


# Whatever set up the log: our own set-up is not the only one (pytest, a user's agent).
logging.getLogger("aiohttp.websocket").addFilter(_without_protocols)


def _thread_failed(args: threading.ExceptHookArgs) -> None:
    """An exception that ended a thread: a log line like any other, not a bare traceback."""
    if args.exc_value is not None:
        error = (args.exc_type, args.exc_value, args.exc_traceback)
        logging.getLogger("telephony").error("a thread failed", exc_info=error)


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    """An exception that nobody can catch, of a destructor: the same."""
    if args.exc_value is not None:
        error = (args.exc_type, args.exc_value, args.exc_traceback)
        logging.getLogger("telephony").error("ignored, in %r", type(args.object), exc_info=error)


def _failed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends the process: the same."""
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("telephony").critical("the program fails", exc_info=(kind, error, trace))


def set_up(level: str, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Sends everything from `level` up to `stream` (stderr), in place of whatever was set up before."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(SafeFormatter(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.getLogger("aiohttp.server").addFilter(_without_traceback)  # adding it twice changes nothing
    if sys.unraisablehook is sys.__unraisablehook__:  # else somebody has taken them already (pytest does)
        sys.excepthook, sys.unraisablehook, threading.excepthook = _failed, _unraisable, _thread_failed
