"""Twilio's end of a media stream, which the simulator speaks. PURE: no clock, no socket.

Writes Twilio's messages, numbers as strings, and reads ours as strictly as Twilio does: a key too many or too
few, another stream's sid, a payload that is not base64, a binary frame. Source: Twilio, "Media Streams:
WebSocket messages"; the codes are those of Twilio's error and warning dictionary.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from telephony.audio.g711 import PHONE_RATE
from telephony.base.json_codec import dumps, loads
from telephony.carrier.media_messages import ENCODING, Clear, MarkOut, MediaOut

INVALID_MESSAGE = 31951
PROTOCOL_ERROR = 31924
AUDIO_HEADERS = (b"RIFF", b"ID3", b"OggS", b"fLaC", b".snd")
"""How files of sound begin. Twilio plays these bytes as noise."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A message that Twilio would flag, or play as noise."""

    code: int
    """Twilio's."""
    reason: str
    payload: bytes = b""
    """What is still played."""


CarrierEvent = MediaOut | MarkOut | Clear | Violation


class CarrierStream:
    """Twilio's end of one media stream."""

    def __init__(self, stream_sid: str, call_sid: str, account_sid: str) -> None:
        self.stream_sid = stream_sid
        self.call_sid = call_sid
        self.account_sid = account_sid
        self.chunks = 0
        """Media messages written so far."""
        self._sequence = 0

    def encode_connected(self) -> str:
        """The first message. It has neither a sequence number nor a stream."""
        return '{"event":"connected","protocol":"Call","version":"1.0.0"}'

    def encode_start(self, parameters: Mapping[str, str]) -> str:
        """The second message, at once."""
        start = {
            "accountSid": self.account_sid,
            "streamSid": self.stream_sid,
            "callSid": self.call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": ENCODING, "sampleRate": PHONE_RATE, "channels": 1},
            "customParameters": dict(parameters),
        }
        return self._envelope("start", start)

    def encode_media(self, timestamp_ms: int, payload: bytes) -> str:
        """Sound from the caller. Written by hand: fifty a second for each simulated call."""
        self._sequence += 1
        self.chunks += 1
        return (
            f'{{"event":"media","sequenceNumber":"{self._sequence}","media":{{"track":"inbound","chunk":'
            f'"{self.chunks}","timestamp":"{timestamp_ms}","payload":"'
            f'{b2a_base64(payload, newline=False).decode("ascii")}"}},"streamSid":"{self.stream_sid}"}}'
        )

    def encode_dtmf(self, digit: str) -> str:
        """The caller pressed a key."""
        return self._envelope("dtmf", {"track": "inbound_track", "digit": digit})

    def encode_mark(self, name: str) -> str:
        """A mark comes back."""
        return self._envelope("mark", {"name": name})

    def encode_stop(self) -> str:
        """The last message."""
        return self._envelope("stop", {"accountSid": self.account_sid, "callSid": self.call_sid})

    def receive(self, message: str | bytes) -> CarrierEvent:
        """One websocket message of the server. Never raises."""
        if isinstance(message, bytes):
            return Violation(PROTOCOL_ERROR, "a binary frame")
        try:
            parsed = loads(message)
        except (ValueError, RecursionError):
            return Violation(INVALID_MESSAGE, "not JSON")
        if not isinstance(parsed, dict):
            return Violation(INVALID_MESSAGE, "not a JSON object")
        wrong = self._wrong(parsed)
        if wrong:
            return Violation(INVALID_MESSAGE, wrong)
        if parsed["event"] == "media":
            return _media(parsed["media"]["payload"])
        return MarkOut(parsed["mark"]["name"]) if parsed["event"] == "mark" else Clear()

    def _wrong(self, message: dict[str, Any]) -> str | None:
        event = message.get("event")
        body = _BODIES.get(event) if isinstance(event, str) else None
        if body is None:
            return "an event that is not media, mark or clear"
        if message.keys() != body.keys:
            return f"{event}: keys {sorted(message)} instead of {sorted(body.keys)}"
        if message["streamSid"] != self.stream_sid:
            return f"{event}: streamSid is not this stream's"
        if body.field is None:
            return None
        inner = message[body.name]
        if not isinstance(inner, dict) or inner.keys() != {body.field}:
            return f"{event}: {body.name} has not exactly the key {body.field}"
        if not isinstance(inner[body.field], str) or not inner[body.field]:
            return f"{event}: {body.name}.{body.field} is not text, or is empty"
        return None

    def _envelope(self, event: str, body: Mapping[str, object]) -> str:
        self._sequence += 1
        envelope = {
            "event": event,
            "sequenceNumber": str(self._sequence),
            event: body,
            "streamSid": self.stream_sid,
        }
        return dumps(envelope)


@dataclass(frozen=True, slots=True)
class _Body:
    name: str
    field: str | None
    keys: frozenset[str]


_BODIES = {
    "media": _Body("media", "payload", frozenset({"event", "streamSid", "media"})),
    "mark": _Body("mark", "name", frozenset({"event", "streamSid", "mark"})),
    "clear": _Body("clear", None, frozenset({"event", "streamSid"})),
}


def _media(text: str) -> MediaOut | Violation:
    try:
        payload = a2b_base64(text, strict_mode=True)
    except (Base64Error, ValueError):
        return Violation(INVALID_MESSAGE, "media: payload is not base64")
    if payload.startswith(AUDIO_HEADERS):
        return Violation(
            INVALID_MESSAGE, "media: the payload begins like a file, which is heard as noise", payload
        )
    return MediaOut(payload)
