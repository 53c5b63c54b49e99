"""One simulated call's phone and line, between a caller and a media stream. PURE: time is passed in as `now`.

Times are seconds of the call's clock, which begins with the first frame of the first stream: the same clock
as the caller's recording. A frame leaves when its last sample has been said, 20 ms after its first, as on a
real line. The phone is there for the whole call, streams come and go: while TwiML does something else the
caller goes on speaking, to nobody.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from heapq import heappop, heappush

from telephony.audio.g711 import FRAME_SAMPLES, PHONE_RATE
from telephony.carrier.media_messages import Clear, MarkOut, MediaOut
from telephony.simulator.caller import FRAME_S, Caller
from telephony.simulator.carrier_stream import CarrierStream, Violation
from telephony.simulator.network import NetworkModel
from telephony.simulator.playout import Playout

BUFFER_OVERFLOW = 31931


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that Twilio would write in its debugger, or play as noise."""

    code: int
    reason: str
    at_s: float


@dataclass(slots=True)
class Measurements:
    """What happened on the wire: the truth that others are measured against."""

    flags: list[Flag] = field(default_factory=list)
    keys: list[tuple[str, float]] = field(default_factory=list)
    marks_back: int = 0
    lateness_s: array[float] = field(default_factory=lambda: array("f"))
    """How late each frame left: the simulator's own failing, not the line's."""
    frames_lost: int = 0
    silent: bool = True
    """Nothing was ever received to play."""


class Phone:
    """Takes what the server sends, and says what is sent to it, when."""

    def __init__(self, caller: Caller, line: NetworkModel) -> None:
        self.playout = Playout()
        self.said = bytearray()
        """The caller's channel, mu-law, from the first frame on."""
        self.facts = Measurements()
        self.hung_up = False
        self.dropped = False
        """The line was cut: no `stop`, no closing handshake."""
        self._caller = caller
        self._line = line
        self._stream: CarrierStream | None = None
        self._index = 0
        self._first = 0
        self._order = 0
        self._under_way: list[tuple[float, int, int, bytes | str]] = []
        self._message: list[bytes] = []
        """Frames that go out together."""
        self._began = False

    def connect(self, now: float, stream: CarrierStream, parameters: dict[str, str]) -> list[str]:
        """A stream begins; returns its first messages. Frames from now on go to it."""
        if self._began:
            self._catch_up(now)  # what was said while nobody listened is not sent late
        self._began = True
        self._stream, self._first = stream, self._index
        self._message.clear()
        return [stream.encode_connected(), stream.encode_start(parameters)]

    def disconnect(self, now: float) -> None:
        """The stream is over. What was queued in it is never heard."""
        self._catch_up(now)
        self.playout.stop(now)
        self._stream = None
        self._under_way.clear()

    def receive(self, now: float, message: str | bytes) -> None:
        """One message of the server."""
        if self._stream is None:
            return
        event = self._stream.receive(message)
        if isinstance(event, Violation):
            self.flag(now, event.code, event.reason)
            if event.payload:
                self._play(now, event.payload)
        elif isinstance(event, MediaOut):
            self._play(now, event.payload)
        elif isinstance(event, MarkOut):
            self._marks_back(now, self.playout.mark(now, event.name))
        elif isinstance(event, Clear):
            self._marks_back(now, self.playout.clear(now))

    def step(self, now: float) -> list[str]:
        """What must be sent at this moment, in order."""
        self._catch_up(now)
        drop_at = self._line.impairments.drop_at_s
        if drop_at is not None and now >= drop_at and not self.dropped:
            self.dropped = self.hung_up = True
            self._under_way.clear()
        return self._arrived(now)

    def next_deadline(self) -> float:
        """When step() has something to do, unless something is received before."""
        deadline = (self._index + 1) * FRAME_S
        if self._under_way:
            deadline = min(deadline, self._under_way[0][0])
        mark = self.playout.next_deadline()
        return deadline if mark is None else min(deadline, mark)

    def stop(self) -> str | None:
        """The message that ends the stream when the caller hangs up; None when there is none, or no line."""
        return None if self._stream is None or self.dropped else self._stream.encode_stop()

    def flag(self, now: float, code: int, reason: str) -> None:
        """Write down what Twilio would complain of."""
        self.facts.flags.append(Flag(code, reason, round(now, 3)))

    def _catch_up(self, now: float) -> None:
        """Say all frames that are due, and return the marks that are."""
        while not self.hung_up and (self._index + 1) * FRAME_S <= now + 1e-9:
            at = (self._index + 1) * FRAME_S
            self._say(at)
        self._marks_back(now, self.playout.due(now))

    def _say(self, at: float) -> None:
        self._caller.observe(at, self.playout)
        frame = self._line.mix_echo(self._caller.frame(self._index), self._index, self.playout)
        self.said += frame
        keys = self._caller.keys(at)
        if self._stream is not None:
            self._message.append(frame)
            if len(self._message) * FRAME_S * 1000 >= self._line.impairments.frame_ms:
                self._send_message(at)
            for digit in keys:
                self.facts.keys.append((digit, round(at, 3)))
                self._send(at, _DTMF, digit)
        self._index += 1
        self.hung_up = self._caller.hangs_up(at)

    def _send_message(self, at: float) -> None:
        """What was said since the last one."""
        first = self._index + 1 - len(self._message)
        sound = b"".join(self._message)
        self._message.clear()
        arrival = self._line.frame(at)
        if arrival is None:
            self.facts.frames_lost += 1
        else:
            self._send(arrival, round((first - self._first) * FRAME_S * 1000), sound)

    def _play(self, now: float, payload: bytes) -> None:
        self.facts.silent = False
        if not self.playout.media(now, payload):
            self.flag(now, BUFFER_OVERFLOW, "more than ten minutes of sound are queued: discarded")

    def _marks_back(self, now: float, names: list[str]) -> None:
        for name in names:
            for arrival in self._line.mark(now):
                self._send(arrival, _MARK, name)

    def _send(self, at: float, kind: int, what: bytes | str) -> None:
        self._order += 1
        heappush(self._under_way, (at, self._order, kind, what))

    def _arrived(self, now: float) -> list[str]:
        """The messages whose time has come. A frame's `kind` is its timestamp."""
        texts: list[str] = []
        stream = self._stream
        while self._under_way and self._under_way[0][0] <= now + 1e-9:
            at, _, kind, what = heappop(self._under_way)
            if stream is None:
                continue
            if isinstance(what, bytes):
                texts.append(stream.encode_media(kind, what))
                self.facts.lateness_s.append(max(0.0, now - at))
            elif kind == _DTMF:
                texts.append(stream.encode_dtmf(what))
            else:
                self.facts.marks_back += 1
                texts.append(stream.encode_mark(what))
        return texts

    @property
    def duration_s(self) -> float:
        """How long the caller has been on the line."""
        return self._index * FRAME_SAMPLES / PHONE_RATE


_DTMF = -1
_MARK = -2
