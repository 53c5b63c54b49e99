"""Our end of Twilio's media stream: messages <-> events. PURE: no clock, no socket.

`ServerStream` is our end: `receive` turns one websocket message into one event and never raises; `encode_*`
write what Twilio takes, with exactly the documented keys. (Twilio's end is simulator/carrier_stream.py.)
Source: Twilio, "Media Streams: WebSocket messages". All numbers in an envelope are strings.

What a peer can do wrong, and what becomes of it:

=================  ===================================================  ===================================
fault              such as                                              verdict
=================  ===================================================  ===================================
not_json           not a JSON object; a lone surrogate; too deep        counted, ignored
wrong_type         a number where a string belongs; a field missing     counted, ignored
bad_base64         a payload that is not strict base64                  counted, ignored
foreign_stream     a streamSid that `start` did not name                counted, ignored
out_of_order       media before start, anything after stop              counted, ignored
too_many_faults    the 20th of the above in one call                    ends the stream, 1008 policy
second_start       another start                                        ends the stream, 1008 policy
unsupported_audio  audio that is not mono mu-law at 8,000 Hz            ends the stream, 1003 unsupported
binary             a binary frame                                       ends the stream, 1003 unsupported
too_large          more than 64 KiB                                     ends the stream, 1009 too big
(no fault)         an unknown event, an unknown field, another track    counted apart, ignored: Twilio adds
                                                                        them without notice
=================  ===================================================  ===================================
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeGuard

from telephony.audio.g711 import PHONE_RATE
from telephony.base.frozen import frozen
from telephony.base.json_codec import dumps, loads
from telephony.carrier.media_messages import (
    ENCODING,
    CarrierConnected,
    Dtmf,
    MarkReceived,
    Media,
    Started,
    Stopped,
)
from telephony.errors import LocalProtocolError

MAX_MESSAGE_BYTES = 64 * 1024
"""A frame of 20 ms is about 350 bytes. Also the websocket's own limit, which sees the size before we do."""
MAX_FAULTS = 20
_MAX_DIGITS = 12
"""Of a number: a timestamp in ms with 12 digits is 30 years."""


class Fault(Enum):
    """What a peer did wrong; the value is its name in counters and logs."""

    NOT_JSON = "not_json"
    WRONG_TYPE = "wrong_type"
    BAD_BASE64 = "bad_base64"
    FOREIGN_STREAM = "foreign_stream"
    OUT_OF_ORDER = "out_of_order"
    TOO_MANY_FAULTS = "too_many_faults"
    SECOND_START = "second_start"
    UNSUPPORTED_AUDIO = "unsupported_audio"
    BINARY = "binary"
    TOO_LARGE = "too_large"


CLOSE_CODES: Mapping[Fault, int | None] = {
    Fault.NOT_JSON: None,
    Fault.WRONG_TYPE: None,
    Fault.BAD_BASE64: None,
    Fault.FOREIGN_STREAM: None,
    Fault.OUT_OF_ORDER: None,
    Fault.TOO_MANY_FAULTS: 1008,
    Fault.SECOND_START: 1008,
    Fault.UNSUPPORTED_AUDIO: 1003,
    Fault.BINARY: 1003,
    Fault.TOO_LARGE: 1009,
}
"""The websocket close code (RFC 6455, 7.4.1) of a fault that ends the stream; None: it is only counted."""


@frozen
class Ignored:
    """A message that changes nothing. `fault` is None for what is merely unknown."""

    reason: str
    fault: Fault | None = None


@frozen
class Fatal:
    """Close the socket with this code."""

    code: int
    reason: str
    fault: Fault


ServerEvent = CarrierConnected | Started | Media | Dtmf | MarkReceived | Stopped | Ignored | Fatal


@dataclass(slots=True)
class StreamCounters:
    """What came in, for the call's record."""

    media: int = 0
    unknown: int = 0
    """Events we do not know, tracks we did not ask for."""
    faults: Counter[str] = field(default_factory=Counter)
    """By the value of `Fault`."""

    @property
    def bad(self) -> int:
        """All faults together."""
        return self.faults.total()


class _Bad(Exception):
    """A fault on its way from a reader to `receive`; never leaves this module."""

    def __init__(self, fault: Fault, reason: str) -> None:
        super().__init__(reason)
        self.fault = fault


class ServerStream:
    """Our end of one media stream."""

    def __init__(self) -> None:
        self.stream_sid: str | None = None
        """Known from `start` on."""
        self.counters = StreamCounters()
        self._open = False
        """Between start and stop."""
        self._media_head = ""
        self._sid_tail = ""

    def receive(self, message: str | bytes) -> ServerEvent:
        """One websocket message, text as str and binary as bytes. Never raises."""
        try:
            if type(message) is not str:
                raise _Bad(Fault.BINARY, "a binary frame")
            if len(message) > MAX_MESSAGE_BYTES // 4 and _size(message) > MAX_MESSAGE_BYTES:
                raise _Bad(Fault.TOO_LARGE, "more than 64 KiB")
            try:
                parsed = loads(message)
            except (ValueError, RecursionError):
                raise _Bad(Fault.NOT_JSON, "not JSON") from None
            if type(parsed) is not dict:
                raise _Bad(Fault.NOT_JSON, "not a JSON object")
            event = parsed.get("event")
            if event == "media":  # fifty a second; everything else is rare
                return self._media(parsed)
            return self._other(event, parsed)
        except _Bad as bad:
            return self._fault(bad.fault, str(bad))

    def encode_media(self, payload: bytes) -> str:
        """Sound for the caller: headerless mu-law, any length."""
        if not self._media_head:
            raise LocalProtocolError("media before the stream has started")
        return f'{self._media_head}{b2a_base64(payload, newline=False).decode("ascii")}"}}}}'

    def encode_mark(self, name: str) -> str:
        """A mark: comes back when what was sent before it has been heard, or cleared."""
        if not self._sid_tail or not name:
            raise LocalProtocolError(
                "a mark before the stream has started" if name else "a mark without a name"
            )
        return f'{{"event":"mark",{self._sid_tail},"mark":{{"name":{dumps(name)}}}}}'

    def encode_clear(self) -> str:
        """Throw away what is queued; all outstanding marks come back."""
        if not self._sid_tail:
            raise LocalProtocolError("clear before the stream has started")
        return f'{{"event":"clear",{self._sid_tail}}}'

    def _media(self, message: dict[str, Any]) -> ServerEvent:
        if not self._open or message.get("streamSid") != self.stream_sid:
            self._check_stream(message)
        media = message.get("media")
        if type(media) is not dict:
            raise _Bad(Fault.WRONG_TYPE, "media without its object")
        payload, track = media.get("payload"), media.get("track", "inbound")
        if track != "inbound" or type(payload) is not str:
            if type(payload) is not str or type(track) is not str:
                raise _Bad(Fault.WRONG_TYPE, "media.payload or media.track is not text")
            return self._unknown("media of another track")
        chunk, timestamp = media.get("chunk"), media.get("timestamp")
        if not _is_number(chunk) or not _is_number(timestamp):
            raise _Bad(Fault.WRONG_TYPE, "media.chunk or media.timestamp is not a number written as text")
        try:
            sound = a2b_base64(payload, strict_mode=True)
        except ValueError:  # also binascii.Error; a plain one: not ASCII
            raise _Bad(Fault.BAD_BASE64, "media.payload is not base64") from None
        self.counters.media += 1
        return Media(int(chunk), int(timestamp), sound)

    def _other(self, event: Any, message: dict[str, Any]) -> ServerEvent:
        if type(event) is not str:
            raise _Bad(Fault.WRONG_TYPE, "event is not text")
        reader = _READERS.get(event)
        if reader is None:
            return self._unknown("unknown event")
        return reader(self, message)

    def _connected(self, message: dict[str, Any]) -> ServerEvent:
        if self.stream_sid is not None:
            raise _Bad(Fault.OUT_OF_ORDER, "connected after start")
        return CarrierConnected()

    def _start(self, message: dict[str, Any]) -> ServerEvent:
        if self.stream_sid is not None:
            raise _Bad(Fault.SECOND_START, "a second start")
        start = _object(message, "start")
        sid = _text(start, "streamSid") if "streamSid" in start else _text(message, "streamSid")
        if not sid or message.get("streamSid", sid) != sid:
            raise _Bad(Fault.WRONG_TYPE, "start names no stream, or two")
        sound = _object(start, "mediaFormat") if "mediaFormat" in start else {}
        encoding, rate = sound.get("encoding", ENCODING), sound.get("sampleRate", PHONE_RATE)
        channels = sound.get("channels", 1)
        started = Started(
            sid, _text(start, "accountSid"), _text(start, "callSid"), _tracks(start), _parameters(start)
        )
        if (encoding, rate, channels) != (ENCODING, PHONE_RATE, 1):
            raise _Bad(Fault.UNSUPPORTED_AUDIO, "audio that is not mono mu-law at 8,000 Hz")
        self.stream_sid = sid
        self._open = True
        self._sid_tail = f'"streamSid":{dumps(sid)}'
        self._media_head = f'{{"event":"media",{self._sid_tail},"media":{{"payload":"'
        return started

    def _dtmf(self, message: dict[str, Any]) -> ServerEvent:
        self._check_stream(message)
        digit = _text(_object(message, "dtmf"), "digit")
        if len(digit) != 1 or digit not in "0123456789*#ABCD":
            raise _Bad(Fault.WRONG_TYPE, "dtmf.digit is not a key")
        return Dtmf(digit)

    def _mark(self, message: dict[str, Any]) -> ServerEvent:
        self._check_stream(message)
        return MarkReceived(_text(_object(message, "mark"), "name"))

    def _stop(self, message: dict[str, Any]) -> ServerEvent:
        self._check_stream(message)
        stop = message.get("stop")
        call_sid = stop.get("callSid", "") if type(stop) is dict else ""
        self._open = False
        return Stopped(call_sid if type(call_sid) is str else "")

    def _check_stream(self, message: dict[str, Any]) -> None:
        if not self._open:
            raise _Bad(Fault.OUT_OF_ORDER, "after stop" if self.stream_sid else "before start")
        if message.get("streamSid") != self.stream_sid:
            raise _Bad(Fault.FOREIGN_STREAM, "streamSid is not this stream's")

    def _unknown(self, reason: str) -> Ignored:
        self.counters.unknown += 1
        return Ignored(reason)

    def _fault(self, fault: Fault, reason: str) -> Ignored | Fatal:
        faults = self.counters.faults
        faults[fault.value] += 1
        code = CLOSE_CODES[fault]
        if code is not None:
            return Fatal(code, reason, fault)
        if self.counters.bad < MAX_FAULTS:
            return Ignored(reason, fault)
        code = CLOSE_CODES[Fault.TOO_MANY_FAULTS]
        assert code is not None
        return Fatal(code, f"{MAX_FAULTS} bad messages, the last: {reason}", Fault.TOO_MANY_FAULTS)


_READERS: Mapping[str, Callable[[ServerStream, dict[str, Any]], ServerEvent]] = {
    "connected": ServerStream._connected,
    "start": ServerStream._start,
    "dtmf": ServerStream._dtmf,
    "mark": ServerStream._mark,
    "stop": ServerStream._stop,
}


def _size(message: str) -> int:
    return len(message.encode(errors="surrogatepass"))


def _object(message: dict[str, Any], name: str) -> dict[str, Any]:
    value = message.get(name)
    if type(value) is not dict:
        raise _Bad(Fault.WRONG_TYPE, f"{name} is not an object")
    return value


def _text(message: dict[str, Any], name: str) -> str:
    value = message.get(name)
    if type(value) is not str:
        raise _Bad(Fault.WRONG_TYPE, f"{name} is not text")
    return value


def _is_number(value: Any) -> TypeGuard[str]:
    # int(value) alone also takes signs, blanks, underscores and the digits of every script.
    return type(value) is str and len(value) <= _MAX_DIGITS and value.isdigit() and value.isascii()


def _tracks(start: dict[str, Any]) -> tuple[str, ...]:
    tracks = start.get("tracks", [])
    if type(tracks) is not list or not all(type(track) is str for track in tracks):
        raise _Bad(Fault.WRONG_TYPE, "start.tracks is not a list of texts")
    return tuple(tracks)


def _parameters(start: dict[str, Any]) -> Mapping[str, str]:
    given = start.get("customParameters", {})
    if type(given) is not dict or not all(type(value) is str for value in given.values()):
        raise _Bad(Fault.WRONG_TYPE, "start.customParameters is not an object of texts")
    return given
