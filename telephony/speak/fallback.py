"""Several voices as one: when the first is late or fails, the next one speaks what was not heard yet.

A phrase whose first audio is late is asked of the next voice as well, and the first audio that comes is the
one that is heard. What breaks off in the middle goes on in the next voice. A voice that was late or failed is
left out for a while; which voice speaks does not change within a reply without need.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from telephony.deepgram.retry import FINAL_STATUSES
from telephony.speak.client import SpeakClient, SpeakConnection
from telephony.speak.connection import REPLIES_KEPT
from telephony.speak.events import (
    NOTHING_TO_SAY,
    PhraseAudio,
    PhraseDone,
    PhraseFailed,
    PhraseInterrupted,
    VoiceDisconnected,
    VoiceEvent,
)

log = logging.getLogger(__name__)

LATE_S = 1.5
"""From when a phrase is first in line to its first audio; the usual is 0.1 to 0.3 s."""
ENOUGH_S = 1.5
"""While the call holds more audio than this, nobody waits for the voice."""
LEFT_OUT_S = 30.0
"""How long a voice that was late or failed is not asked first."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A phrase that is to be spoken."""

    text: str
    rest: bool


@dataclass(slots=True)
class _Reply:
    """Who speaks a reply."""

    voice: int
    draft: bool
    rival: int | None = None
    """Asked as well, since the voice is late."""
    pending: dict[int, _Asked] = field(default_factory=dict)
    """Phrases that are not done, in order."""
    sounding: int | None = None
    """The phrase whose audio is coming."""
    tried: set[int] = field(default_factory=set)
    timer: asyncio.TimerHandle | None = None

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class FallbackClient:
    """The process's way to several voices; `first` is the one that speaks as long as it can."""

    def __init__(self, first: SpeakClient, others: Sequence[SpeakClient], late_s: float = LATE_S) -> None:
        self.first = first
        self.others = tuple(others)
        self.url, self.model, self.pronunciations = first.url, first.model, first.pronunciations
        self.late_s = late_s

    def open(
        self, on_event: Callable[[VoiceEvent], None], ahead_s: Callable[[], float] | None = None
    ) -> FallbackConnection:
        """One call's voices; the others connect when they are needed."""
        return FallbackConnection((self.first, *self.others), on_event, ahead_s, self.late_s)


def without_fallback(client: SpeakClient) -> SpeakClient:
    """The voice itself: what is made in advance is made by no other."""
    return client.first if isinstance(client, FallbackClient) else client


def with_fallback_of(voice: SpeakClient, other: SpeakClient) -> SpeakClient:
    """A voice with the fallbacks that another one has."""
    return FallbackClient(voice, other.others, other.late_s) if isinstance(other, FallbackClient) else voice


def _ignore(event: VoiceEvent) -> None:
    """Takes what comes after the end."""


class FallbackConnection:
    """One call's voices."""

    def __init__(
        self,
        clients: Sequence[SpeakClient],
        on_event: Callable[[VoiceEvent], None],
        ahead_s: Callable[[], float] | None,
        late_s: float,
    ) -> None:
        self._clients = clients
        self._on_event = on_event
        self._ahead_s = ahead_s
        self._late_s = late_s
        self._replies: OrderedDict[int, _Reply] = OrderedDict()
        self._left_out: dict[int, float] = {}
        """Until when a voice is not asked first."""
        self._down: set[int] = set()
        self._started = False
        self._connections: dict[int, SpeakConnection] = {}
        self._connection(0)

    # ---- its life

    def start(self) -> None:
        """Connect the first voice now."""
        self._started = True
        for connection in self._connections.values():
            connection.start()

    async def run(self) -> None:
        """Keep the sockets open until `close()`; cancelling ends it."""
        self.start()
        try:
            await self._connections[0].run()
        finally:
            self.close()
            others = [connection for voice, connection in self._connections.items() if voice]
            await asyncio.gather(*(connection.run() for connection in others))

    def close(self) -> None:
        """The call is over."""
        for reply in self._replies.values():
            reply.stop_timer()
        self._replies.clear()
        for connection in self._connections.values():
            connection.close()
        self._on_event, self._ahead_s = _ignore, None  # they know the call, which knows us

    def _connection(self, voice: int) -> SpeakConnection:
        connection = self._connections.get(voice)
        if connection is None:

            def receive(event: VoiceEvent) -> None:
                self._receive(voice, event)

            connection = self._clients[voice].open(receive, self._ahead_s)
            self._connections[voice] = connection
            if self._started:
                connection.start()
        return connection

    # ---- what the call asks

    def speak(self, reply: int, phrase: int, text: str, draft: bool = False, *, rest: bool = False) -> None:
        """Speak a phrase after those given before. Never waits."""
        of = self._replies.get(reply)
        if of is None:
            voice = self._best()
            of = self._replies[reply] = _Reply(voice, draft, tried={voice})
            while len(self._replies) > REPLIES_KEPT:
                self._replies.popitem(last=False)[1].stop_timer()
        of.pending[phrase] = _Asked(text, rest)
        of.pending = dict(sorted(of.pending.items()))
        following = self._following(of) if rest else None
        if following is not None:
            self._move(reply, of, following)
            return
        for one in self._voices(of):
            self._connection(one).speak(reply, phrase, text, of.draft, rest=rest)
        self._watch(reply, of)

    def release(self, reply: int) -> None:
        """A draft has become the answer."""
        of = self._replies.get(reply)
        if of is None:
            return
        of.draft = False
        for one in self._voices(of):
            self._connection(one).release(reply)
        self._watch(reply, of)

    def cancel(self, reply: int, heard_ms: float | None = None) -> None:
        """Give a reply up: no event of its phrases comes any more."""
        of = self._replies.pop(reply, None)
        if of is None:
            return
        of.stop_timer()
        self._connection(of.voice).cancel(reply, heard_ms)
        if of.rival is not None:
            self._connection(of.rival).cancel(reply)

    # ---- what the voices bring

    def _receive(self, voice: int, event: VoiceEvent) -> None:
        if isinstance(event, VoiceDisconnected):
            self._disconnected(voice, event)
            return
        if isinstance(event, PhraseInterrupted):
            self._on_event(event)
            return
        of = self._replies.get(event.reply)
        if of is None or voice not in self._voices(of) or event.phrase not in of.pending:
            return
        if isinstance(event, PhraseFailed):
            self._failed(voice, of, event)
            return
        self._won(voice, of, event.reply)
        self._down.discard(voice)
        if isinstance(event, PhraseAudio):
            of.sounding = event.phrase
            of.stop_timer()
            self._on_event(event)
        else:
            self._done(voice, of, event)

    def _done(self, voice: int, of: _Reply, event: PhraseDone) -> None:
        del of.pending[event.phrase]
        of.sounding = None
        self._watch(event.reply, of)
        self._on_event(replace(event, stand_in=True) if voice else event)

    def _won(self, voice: int, of: _Reply, reply: int) -> None:
        """The first audio is heard; who else was asked is told to stop."""
        if of.rival is None:
            return
        other = of.voice if voice == of.rival else of.rival
        if voice == of.rival:
            self._leave_out(of.voice, "late")
        of.voice, of.rival = voice, None
        self._connection(other).cancel(reply)

    def _failed(self, voice: int, of: _Reply, event: PhraseFailed) -> None:
        if event.reason != NOTHING_TO_SAY:
            self._leave_out(voice, event.reason)
        if of.rival is not None:  # the other one has it already
            of.voice, of.rival = (of.rival if voice == of.voice else of.voice), None
            self._connection(voice).cancel(event.reply)
            self._watch(event.reply, of)
            return
        following = None if of.sounding == event.phrase else self._following(of)
        if following is not None:
            self._move(event.reply, of, following)
            return
        del of.pending[event.phrase]
        of.sounding = None
        self._watch(event.reply, of)
        self._on_event(event)  # of one that broke off, the call asks for the rest

    def _disconnected(self, voice: int, event: VoiceDisconnected) -> None:
        """A call has no voice when none of them is there."""
        self._down.add(voice)
        final = event.status in FINAL_STATUSES
        self._leave_out(voice, event.reason, float("inf") if final else LEFT_OUT_S)
        if len(self._down) == len(self._clients):
            self._on_event(event)

    # ---- who speaks

    @staticmethod
    def _voices(of: _Reply) -> tuple[int, ...]:
        return (of.voice,) if of.rival is None else (of.voice, of.rival)

    def _best(self) -> int:
        now = asyncio.get_running_loop().time()
        fit = [one for one in range(len(self._clients)) if self._left_out.get(one, 0.0) <= now]
        return fit[0] if fit else 0

    def _following(self, of: _Reply) -> int | None:
        """The next voice that did not try this reply yet."""
        left = [one for one in range(len(self._clients)) if one not in of.tried]
        return left[0] if left else None

    def _leave_out(self, voice: int, why: str, seconds: float = LEFT_OUT_S) -> None:
        until = asyncio.get_running_loop().time() + seconds
        if voice not in self._left_out:
            log.warning("the voice %s is left out: %s", self._clients[voice].model, why)
        self._left_out[voice] = max(until, self._left_out.get(voice, 0.0))

    def _move(self, reply: int, of: _Reply, to: int) -> None:
        """What is left of a reply is spoken by another voice."""
        self._connection(of.voice).cancel(reply)
        of.voice, of.sounding = to, None
        self._ask(reply, of, to)
        self._watch(reply, of)

    def _ask(self, reply: int, of: _Reply, voice: int) -> None:
        of.tried.add(voice)
        for phrase, asked in of.pending.items():
            self._connection(voice).speak(reply, phrase, asked.text, of.draft, rest=asked.rest)

    def _watch(self, reply: int, of: _Reply) -> None:
        """Wait so long for the first audio of the phrase that is first in line, and no longer."""
        waits = bool(of.pending) and of.sounding is None and of.rival is None and not of.draft
        if not waits:
            of.stop_timer()
        elif of.timer is None and self._following(of) is not None:
            of.timer = asyncio.get_running_loop().call_later(self._late_s, self._late, reply)

    def _late(self, reply: int) -> None:
        of = self._replies.get(reply)
        if of is None:
            return
        of.timer = None
        if self._ahead_s is not None and self._ahead_s() > ENOUGH_S:
            self._watch(reply, of)
            return
        of.rival = self._following(of)
        if of.rival is not None:
            self._ask(reply, of, of.rival)
