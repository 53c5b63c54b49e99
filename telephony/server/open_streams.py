"""The media streams that this process has or expects, and the speech that is opened for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from telephony.base.call_slots import CallSlots
from telephony.call.registry import CallRegistry
from telephony.carrier.media_messages import Started
from telephony.carrier.media_stream import ServerStream
from telephony.carrier.websocket import FrameSocket
from telephony.server.shared_calls import SharedCalls

log = logging.getLogger(__name__)

POLL_S = 0.05
LOOK_S = 0.5
FRAMES_S = 0.4  # Twilio sends 50 frames a second: a stream without one for this long may have ended there
PREWARM_S = 10.0  # speech connections that wait for longer would be paid for nothing


class Answer(Protocol):
    """Answers the calls of a process."""

    def prewarm(self, call_sid: str, about: Mapping[str, str], /) -> None:
        """Open speech for a call whose stream will come; `about` becomes the stream's parameters."""

    def cancel_prewarm(self, call_sid: str, /) -> None:
        """Close what was opened for a stream, unless the stream has taken it over."""

    def answer(self, socket: FrameSocket, stream: ServerStream, started: Started, /) -> Awaitable[None]:
        """Answer a call whose stream was admitted; returns when its socket is no longer used."""


@dataclass(slots=True)
class OpenStreams:
    """One process's streams."""

    slots: CallSlots
    calls: SharedCalls
    registry: CallRegistry
    speech: Answer
    prewarm_s: float = PREWARM_S
    """How long speech is kept open for a stream that does not come."""
    sockets: dict[FrameSocket, str] = field(default_factory=dict)
    """The media sockets of running calls, with their CallSids."""
    _expected: dict[str, asyncio.TimerHandle] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """Whether calls have streams, or some are expected."""
        return bool(self.sockets or self._expected)

    def expect(self, call_sid: str, about: Mapping[str, str]) -> None:
        """A stream of an admitted call will come: have speech ready, for `prewarm_s`."""
        if call_sid not in self._expected:
            self.speech.prewarm(call_sid, about)
            loop = asyncio.get_running_loop()
            self._expected[call_sid] = loop.call_later(self.prewarm_s, self._did_not_come, call_sid)

    def came(self, call_sid: str) -> None:
        """The stream is here; it takes over what was opened for it."""
        timer = self._expected.pop(call_sid, None)
        if timer is not None:
            timer.cancel()

    def done(self, call_sid: str) -> None:
        """The stream has ended, or none will come: close what was opened for it and not taken over."""
        if call_sid not in self._expected:
            self.speech.cancel_prewarm(call_sid)

    def _did_not_come(self, call_sid: str) -> None:
        del self._expected[call_sid]
        log.warning("call %s: no stream came within %g s of our answer", call_sid, self.prewarm_s)
        self.speech.cancel_prewarm(call_sid)

    async def end(self, call_sid: str, within_s: float, *, but: object = None) -> None:
        """Let the call's streams in this process end by themselves, and close those that do not in time."""
        now = asyncio.get_running_loop().time
        end = now() + within_s
        while others := [one for one, sid in self.sockets.items() if sid == call_sid and one is not but]:
            if now() >= end:
                log.warning("call %s: its stream is closed, since it did not end by itself", call_sid)
                await asyncio.gather(*(one.close() for one in others), return_exceptions=True)
                return
            await asyncio.sleep(POLL_S)

    async def sound(self, call_sid: str) -> bool:
        """Whether a stream of the call brings sound. Such a stream has not ended for Twilio.

        Other processes know of a stream that has just fallen silent after LOOK_S.
        """
        now = asyncio.get_running_loop().time
        begin = now()
        while True:
            here = call_sid in self.registry.sounding(FRAMES_S)
            if not here and not await self.slots.sounds_elsewhere(call_sid):
                return False
            if now() >= begin + FRAMES_S + (0.0 if here else 2 * LOOK_S):
                return True
            await asyncio.sleep(FRAMES_S / 10)

    async def watch(self) -> None:
        """Run while the server runs: share which calls sound here, and notice ends that others report."""
        while True:
            await asyncio.sleep(LOOK_S)
            sounding = self.registry.sounding(FRAMES_S)
            await asyncio.gather(*(self.slots.sounds(sid, sid in sounding) for sid in self.sockets.values()))
            for call_sid in list(self._expected):
                if await self.calls.is_ended(call_sid):
                    self.came(call_sid)
                    self.done(call_sid)
                    await self.slots.give_back(call_sid)
