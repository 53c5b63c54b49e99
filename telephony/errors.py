"""Everything that can go wrong, as a small tree.

TelephonyError
├── BadInput            what the user gave us cannot be used: one clear line, exit status 2
│   ├── BadSetting      an environment variable with an impossible value
│   ├── BadAudio        a file or stream that is not audio we can read
│   ├── BadScript       a conversation script with a mistake, with its line
│   ├── BadAgent        an agent that cannot be loaded
│   └── MissingModel    a model that is not here and could not be fetched
├── LocalProtocolError  we broke a protocol: a defect of ours
├── RemoteProtocolError a peer broke a protocol
│   └── FluxProtocolError   a text that no client of Flux may send
├── VoiceFailed         a local voice could not speak a text
├── ReplyFailed         an agent has no reply, and says why in words for the log
├── SocketLost          a connection could not be made or is over
├── PeerRefused         a peer answered no: its status, and its own reason where it gave one
└── PeerLost            a peer that was there has gone
"""

from __future__ import annotations


class TelephonyError(Exception):
    """The root of every error of this package."""


class BadInput(TelephonyError):
    """Something the user gave cannot be used. The message is one line that says what to do."""


class BadSetting(BadInput):
    """A setting with an impossible value."""

    def __init__(self, name: str, value: str, allowed: str) -> None:
        super().__init__(f"{name}={value!r} cannot be used: {allowed}")
        self.name = name
        self.value = value
        self.allowed = allowed


class BadAudio(BadInput):
    """A recording or stream that is not audio we can read."""


class BadScript(BadInput):
    """A script with a mistake; the message begins with file:line."""


class BadAgent(BadInput):
    """An agent that cannot be found or made."""


class MissingModel(BadInput):
    """A model file that is not on this machine and could not be fetched."""


class LocalProtocolError(TelephonyError):
    """We were about to break a protocol."""


class RemoteProtocolError(TelephonyError):
    """A peer broke a protocol."""


class FluxProtocolError(RemoteProtocolError):
    """A client sent a text that Flux cannot parse: it is answered with Error and a close."""


class VoiceFailed(TelephonyError):
    """A local voice could not speak: its process died, took too long, or has too much to do."""


class ReplyFailed(TelephonyError):
    """An agent has no reply. The message says why, in one line, and nothing of what was said in the call."""


class SocketLost(TelephonyError):
    """A connection could not be made, or is over; the message says how."""


class PeerRefused(TelephonyError):
    """A peer refused us: `status` is its HTTP status (None: no connection), `reason` its own words."""

    def __init__(self, peer: str, status: int | None, reason: str) -> None:
        super().__init__(
            f"{peer} refused: {status if status is not None else 'no connection'} {reason}".rstrip()
        )
        self.peer = peer
        self.status = status
        self.reason = reason


class PeerLost(TelephonyError):
    """A peer that had accepted us broke off before its end. The message says which, and how."""


def forget_frames(error: BaseException | None) -> None:
    """Of an error that is over and still kept, as aiohttp's closed sockets do, keep its words only.

    Its frames know the socket, and by way of those who waited for it a whole call: that goes in circles.
    """
    while error is not None:
        following = error.__cause__ or error.__context__
        error.__traceback__ = error.__cause__ = error.__context__ = None
        error = following
