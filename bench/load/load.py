"""N callers on one wheel, the stand-ins beside them, and what each figure is made of.

Everything happens in one process and one loop, so that one clock stamps both ends.
"""

from __future__ import annotations

import asyncio
import html
import random
import re
import time
from collections import deque
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from bench.load.caller import FRAME_MS, Caller
from bench.load.signing import signed
from telephony.deepgram import flux_codec
from telephony.testing.fake_flux import FakeFlux, FakeFluxSession
from telephony.testing.fake_scripts import CYCLE_S, Cycle
from telephony.testing.fake_speak import FakeSpeak

SLOTS = 20  # the callers' frames are spread over the 20 ms, as real ones are
REPLY_S = 2.0
SEED = 6
STALE_GRACE_S = 0.001
_STREAM = re.compile(r'<Stream[^>]*url="([^"]*)"')
_PARAMETER = re.compile(r'<Parameter[^>]*name="([^"]*)"[^>]*value="([^"]*)"')


@dataclass
class Figures:
    """What happened since the last reset; times in seconds."""

    answer: list[float] = field(default_factory=list)
    """EndOfTurn said to the first audio of the reply."""
    clear: list[float] = field(default_factory=list)
    """StartOfTurn said, while the reply was heard, to `clear`."""
    frame: list[float] = field(default_factory=list)
    """A frame sent to its chunk's arrival at Flux."""
    late: list[float] = field(default_factory=list)
    """A frame's deadline to its sending."""
    health: list[float] = field(default_factory=list)
    """/healthz, asked ten times a second: what an event waits for the server's loop."""
    stale: int = 0
    """Media messages between a clear and the next EndOfTurn."""
    underruns: int = 0
    """Times that the caller heard a hole inside a reply."""
    unanswered: int = 0
    """EndOfTurns that no audio had followed by the next one."""


class Leg:
    """One call seen from both ends."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.sent_at: deque[float] = deque(maxlen=64)
        self.ended_at: float | None = None
        self.interrupted_at: float | None = None
        self.cleared = False
        self.said_s = 0.0
        """Of the reply that is being heard."""


class Load:
    """The callers and the service of one server under test."""

    def __init__(self, eager: bool, auth_token: str = "") -> None:
        """`auth_token`: of the server under test, whose webhooks and handshakes are then signed."""
        self.auth_token = auth_token
        self.figures = Figures()
        self.legs: list[Leg] = []
        self.sessions: dict[FakeFluxSession, Leg] = {}
        self.reopened = 0
        self._random = random.Random(SEED)
        self._waiting: Leg | None = None
        self._wheel: asyncio.TimerHandle | None = None
        self._slot = 0
        self._at = 0.0
        self.flux = FakeFlux(
            lambda options: Cycle(self._random.uniform(0, CYCLE_S), eager=eager),
            keep_audio=False,
            on_sent=self._flux_said,
            on_audio=self._flux_heard,
        )
        self.speak = FakeSpeak(lambda text: REPLY_S)

    async def start(self) -> str:
        """Start the stand-ins; their URL."""
        await self.flux.start(0, self.speak)
        return self.flux.url

    async def close(self) -> None:
        """Hang up, and stop everything."""
        if self._wheel is not None:
            self._wheel.cancel()
        for leg in self.legs:
            leg.caller.hang_up()
        await asyncio.sleep(0.2)
        await self.speak.close()
        await self.flux.close()

    async def call(self, session: aiohttp.ClientSession, server: str) -> None:
        """Place one call: the webhook if there is one, then the media stream, until Flux is opened."""
        number = len(self.legs)
        known = len(self.flux.sessions)  # Flux may be opened as early as the webhook
        url, parameters = await self._webhook(session, server, number)
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        _, caller = await loop.create_connection(
            lambda: Caller(number, url, parameters, self._media, self._clear, signed(self.auth_token, url)),
            parts.hostname or "",
            parts.port or 80,
        )
        await caller.open
        leg = Leg(caller)
        self._waiting = leg
        caller.start()
        self.legs.append(leg)
        async with asyncio.timeout(10):
            while len(self.flux.sessions) == known:  # noqa: ASYNC110 - the stand-in has no event for it
                await asyncio.sleep(0.002)
        self.sessions[self.flux.sessions[known]] = leg
        if self._wheel is None:
            self._at = time.monotonic()
            self._turn()

    async def _webhook(
        self, session: aiohttp.ClientSession, server: str, number: int
    ) -> tuple[str, dict[str, str]]:
        sid = f"CA{number:032x}"
        form = {
            "CallSid": sid,
            "AccountSid": "AC" + "0" * 32,
            "From": "+15550100",
            "To": "+15550199",
            "CallStatus": "ringing",
            "Direction": "inbound",
            "ApiVersion": "2010-04-01",
        }
        voice = f"{server}/twilio/voice"
        async with session.post(voice, data=form, headers=signed(self.auth_token, voice, form)) as answer:
            twiml = await answer.text()
            if answer.status == 404:
                return f"{server.replace('http', 'ws')}/twilio/media", {"callSid": sid}
        stream = _STREAM.search(twiml)
        if stream is None:
            raise SystemExit(f"the webhook answered {answer.status}: {twiml[:200]}")
        parameters = {n: html.unescape(v) for n, v in _PARAMETER.findall(twiml)}
        url = urlsplit(html.unescape(stream.group(1)))._replace(scheme="ws", netloc=urlsplit(server).netloc)
        return url.geturl(), {**parameters, "callSid": sid}

    # ---- the wheel

    def _turn(self) -> None:
        now = time.monotonic()
        while self._at <= now:
            for leg in self.legs[self._slot :: SLOTS]:
                leg.caller.send_frame()
                leg.sent_at.append(now)
                self.figures.late.append(now - self._at)
            self._slot = (self._slot + 1) % SLOTS
            self._at += FRAME_MS / 1000 / SLOTS
        self._wheel = asyncio.get_running_loop().call_later(self._at - now, self._turn)

    # ---- what the service does

    def _flux_heard(self, session: FakeFluxSession, chunk: bytes, _: float) -> None:
        leg, now = self.sessions.get(session), time.monotonic()
        if leg is None:
            return
        behind = leg.caller.frames - int(session.audio_s * 1000 / FRAME_MS + 0.5)
        if 0 <= behind < len(leg.sent_at):
            self.figures.frame.append(now - leg.sent_at[-1 - behind])

    def _flux_said(self, session: FakeFluxSession, info: flux_codec.TurnInfo, _: float) -> None:
        leg, now = self.sessions.get(session), time.monotonic()
        if leg is None:
            return
        if info.event == flux_codec.END_OF_TURN:
            if leg.ended_at is not None:
                self.figures.unanswered += 1
            leg.ended_at, leg.cleared, leg.said_s = now, False, 0.0
            leg.interrupted_at = None
        elif info.event == flux_codec.START_OF_TURN and leg.caller.play_end > now + 0.1:
            leg.interrupted_at = now

    # ---- what the caller hears

    def _media(self, caller: Caller, samples: int, now: float) -> None:
        leg = self.legs[caller.number]
        if leg.ended_at is not None:
            self.figures.answer.append(now - leg.ended_at)
            leg.ended_at = None
        elif leg.cleared:
            self.figures.stale += 1
        elif leg.said_s and leg.said_s < REPLY_S - 0.02 and now > caller.play_end:
            self.figures.underruns += 1
        leg.said_s += samples / 8000

    def _clear(self, caller: Caller, now: float) -> None:
        leg = self.legs[caller.number]
        if leg.interrupted_at is not None:
            self.figures.clear.append(now - leg.interrupted_at)
            leg.interrupted_at = None
        leg.cleared = True
