"""What a media stream carries, in either direction, as data. PURE. Source: Twilio, "WebSocket messages"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from telephony.audio.g711 import PHONE_RATE
from telephony.base.frozen import frozen

ENCODING = "audio/x-mulaw"


@frozen
class CarrierConnected:
    """The socket speaks Twilio's protocol; `start` follows at once."""


@frozen
class Started:
    """The stream's first message: whose call this is."""

    stream_sid: str
    account_sid: str
    call_sid: str
    tracks: tuple[str, ...]
    parameters: Mapping[str, str]
    """The TwiML's `<Parameter>`s."""
    encoding: str = ENCODING
    sample_rate: int = PHONE_RATE
    channels: int = 1


class Media(NamedTuple):
    """Sound from the caller, usually 20 ms. A tuple: 50 a second of each call are made."""

    chunk: int
    """Counts media messages from 1."""
    timestamp_ms: int
    """When it was said, in ms since the stream began. A jump is sound that Twilio never got."""
    payload: bytes
    """mu-law, 8,000 a second."""
    track: str = "inbound"


@frozen
class Dtmf:
    """The caller pressed a key."""

    digit: str
    """One of 0-9 * # A-D."""


@frozen
class MarkReceived:
    """A mark came back: what was queued before it was heard, or a `clear` removed it."""

    name: str


@frozen
class Stopped:
    """Twilio ends the stream: the caller hung up, or the call goes on elsewhere."""

    call_sid: str


@frozen
class MediaOut:
    """Sound for the caller, mu-law."""

    payload: bytes


@frozen
class MarkOut:
    """To be sent back once what was queued before it has been heard."""

    name: str


@frozen
class Clear:
    """Throw away what is queued, and send back all outstanding marks."""
