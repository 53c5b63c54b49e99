"""One socket to a voice: it speaks one phrase after another, and stays open between them.

One phrase is one speech (Speak, Flush), and one is on the wire at a time: the next is sent when the audio of
the one before is complete, long before the caller has heard it. So all audio belongs to the phrase on the
wire, and what comes after that phrase was given up is dropped until the service says that it has stopped.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp

from telephony.audio.agc import VoiceLevel
from telephony.audio.g711 import PHONE_RATE
from telephony.base.tasks import guarded
from telephony.deepgram import speak_messages as wire
from telephony.deepgram.health import Health, describe_end
from telephony.deepgram.retry import FINAL_STATUSES, STEADY_S, connect_s, pause_s
from telephony.deepgram.transport import HandshakeRefused, SpeechSocket, connected
from telephony.errors import BadAudio, SocketLost
from telephony.speak.events import (
    NOTHING_TO_SAY,
    PhraseAudio,
    PhraseDone,
    PhraseFailed,
    PhraseInterrupted,
    VoiceDisconnected,
    VoiceEvent,
)
from telephony.speak.voice_audio import VoiceAudio
from telephony.speak.voice_state import Phrase, VoiceCounts, VoiceDeadlines, in_samples

log = logging.getLogger(__name__)

TRIES = 2
"""A phrase whose socket is lost before its first audio is spoken once more."""


class VoicePeer(Protocol):
    """What a channel needs of the process's voice client."""

    dialect: wire.Dialect
    deadlines: VoiceDeadlines
    level: VoiceLevel
    health: Health

    @property
    def session(self) -> aiohttp.ClientSession:
        """The HTTP session of all connections."""

    def connect(self) -> AbstractAsyncContextManager[Any]:
        """The SDK's connection, not yet made."""


def _ignore(*event: object) -> None:
    """Takes what comes after the end."""


@dataclass(slots=True)
class Channel:
    """One session of the voice, over as many sockets as it takes."""

    client: VoicePeer
    on_event: Callable[[VoiceEvent], None]
    counts: VoiceCounts
    on_down: Callable[[Channel, VoiceDisconnected], None]
    ahead_s: Callable[[], float] | None = None
    """How much audio the call has not yet sent, in seconds."""
    refused: str = ""
    """Why the service will never take us."""
    _queue: deque[Phrase] = field(default_factory=deque)
    _current: Phrase | None = None
    _to_send: deque[str] = field(default_factory=deque)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _socket: SpeechSocket | None = None
    _up: bool = False
    _aborted: bool = False
    """We gave the socket up ourselves: the next one comes at once."""
    _stopped: bool = False
    _session_samples: int = 0
    """Samples of all speeches that this socket's session has ended: the service's own timeline."""
    _contiguous: tuple[int, int, int] = (-1, 0, 0)
    """A reply whose phrases have all been spoken here: its number, its next phrase, where it begins."""
    _audio: VoiceAudio = field(init=False)
    _timer: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self._audio = VoiceAudio(self.client.level)

    # ---- what the call asks

    @property
    def idle(self) -> bool:
        return self._current is None and not self._queue

    def speak(self, phrase: Phrase) -> None:
        """Speak after what was given before. Never waits."""
        self._queue.append(phrase)
        self._next()

    def cancel(self, reply: int, heard_ms: float | None, fresh: bool) -> None:
        """Give up a reply's phrases. `fresh`: with its session, since the caller heard nothing of it."""
        self._queue = deque(phrase for phrase in self._queue if phrase.reply != reply)
        current = self._current
        if current is None and fresh and not self._queue:
            self.abort("a draft was thrown away")
        if current is None or current.reply != reply or current.dropped:
            return
        current.dropped = True
        self._audio.drop()
        if fresh or not current.received or not self._up:
            # An Interrupt before the first audio is ignored, and the speech would hold up what comes next.
            self.abort("a phrase was given up")
        else:
            current.offset_ms = self._offset_ms(current, heard_ms)
            self._put(wire.interrupt(self.client.dialect, current.offset_ms))
            self._set_timer(self.client.deadlines.stop_s)

    def take_queue(self) -> list[Phrase]:
        """What is still to be spoken here, to be spoken elsewhere."""
        queue, self._queue = list(self._queue), deque()
        self._watch()
        return queue

    def abort(self, reason: str) -> None:
        """Give the socket up; another one is opened."""
        self._aborted = True
        if self._socket is not None:
            self._socket.abort(reason)

    def stop(self) -> None:
        """The end of the call: nothing is reported any more."""
        self._stopped = True
        self._queue.clear()
        self._current = None
        self._set_timer(None)
        if self._socket is not None:
            self._socket.abort("the call is over")
        self.on_event, self.on_down, self.ahead_s = _ignore, _ignore, None  # they know those who know us

    # ---- the connection

    async def run(self) -> None:
        """Connect, and stay connected until cancelled, or until the service refuses for good."""
        loop = asyncio.get_running_loop()
        attempt = 0
        while not self.refused and not self._stopped:
            began = loop.time()
            self._aborted = False
            down = await self._connect_once(attempt)
            if down is not None and not self._stopped:
                self.client.health.failed(describe_end(down.status), loop.time())
            if down is not None:
                self._lost(down)
            attempt = 0 if self._aborted or loop.time() - began > STEADY_S else attempt + 1
            await asyncio.sleep(pause_s(attempt))

    async def _connect_once(self, attempt: int) -> VoiceDisconnected | None:
        """One socket from its handshake to its end; returns how it ended."""
        try:
            async with connected(
                self.client.connect,
                self.client.session,
                connect_s=connect_s(attempt),
                on_socket=self._opened,
            ) as (_, socket):
                self.counts.connections += 1
                self._up, self._session_samples = True, 0
                self.client.health.worked(asyncio.get_running_loop().time())
                self._next()
                await self._serve(socket)
                self.counts.lost += 1
                return VoiceDisconnected(socket.ended or "over")
        except HandshakeRefused as refused:
            self.counts.failures += 1
            if refused.status in FINAL_STATUSES:
                self.refused = str(refused)
            return VoiceDisconnected(str(refused), refused.status, refused.dg_error)
        except SocketLost as lost:
            self.counts.failures += 1
            return VoiceDisconnected(str(lost))
        finally:
            self._socket, self._up = None, False

    def _opened(self, socket: SpeechSocket) -> None:
        self._socket = socket

    async def _serve(self, socket: SpeechSocket) -> None:
        """Send and receive until the socket is over."""
        sender = asyncio.create_task(self._send_all(socket))
        try:
            with suppress(SocketLost):
                while True:
                    self._take(await socket.recv())
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    def _take(self, data: str | bytes) -> None:
        """Receive a message. Whatever one holds, it costs no more than itself: the call goes on."""
        if isinstance(data, str):
            guarded(self._defect, self._message, data)
        elif data:  # an empty one is not progress
            guarded(self._defect, self._sound, data)

    def _defect(self, error: Exception) -> None:
        self.counts.defects += 1
        if self.counts.defects == 1:
            log.error("a message of the voice could not be handled; the call goes on", exc_info=error)
        else:
            log.error("again a message of the voice could not be handled: %s", type(error).__name__)

    async def _send_all(self, socket: SpeechSocket) -> None:
        try:
            while True:
                while self._to_send:
                    await socket.send(self._to_send.popleft())
                self._wake.clear()
                await self._wake.wait()
        except SocketLost as lost:
            socket.abort(str(lost))  # so that the reader sees it too

    def _put(self, text: str) -> None:
        self._to_send.append(text)
        self._wake.set()

    def _lost(self, down: VoiceDisconnected) -> None:
        """The socket is gone: what was on it is spoken again, or has failed."""
        self._to_send.clear()
        current, self._current = self._current, None
        self._audio.drop()
        if current is not None and not current.dropped:
            if current.received or current.tries >= TRIES:
                self._failed(current, down.reason)
            else:
                current.speech_id = None
                self._queue.appendleft(current)
        if self.refused or (self._queue and not self._aborted):
            self.on_down(self, down)
        elif not self._aborted:
            log.info("the voice's socket is over: %s", down.reason)
        self._next()

    # ---- one phrase after another

    def _next(self) -> None:
        """Put the next phrase on the wire when it is its turn, and watch the one that is first in line."""
        if self.refused:
            while self._queue:
                self._failed(self._queue.popleft(), self.refused)
        if self._current is None and self._up and self._queue and not self._too_far_ahead():
            current = self._current = self._queue.popleft()
            current.tries += 1
            self._begin(current)
            self._put(wire.speak(current.text))
            self._put(wire.flush())
        self._watch()

    def _begin(self, phrase: Phrase) -> None:
        reply, following, _ = self._contiguous
        if phrase.rest:
            self._contiguous = (-1, 0, 0)
        elif phrase.number == 0:
            self._contiguous = (phrase.reply, 1, self._session_samples)
        elif (phrase.reply, phrase.number) == (reply, following):
            self._contiguous = (reply, following + 1, self._contiguous[2])
        else:  # phrases between them came from memory: a position in the reply is none in the session
            self._contiguous = (-1, 0, 0)

    def _too_far_ahead(self) -> bool:
        return self.ahead_s is not None and self.ahead_s() > self.client.deadlines.ahead_s

    def _watch(self) -> None:
        """Arm the timer for the phrase that is first in line."""
        first = self._current or (self._queue[0] if self._queue else None)
        if first is None:
            self._set_timer(None)
            return
        now = asyncio.get_running_loop().time()
        if self._current is None and self._up:  # it waits, being too far ahead
            first.progress_at = 0.0
            self._set_timer(self.client.deadlines.ahead_check_s)
            return
        first.progress_at = first.progress_at or now
        if not first.dropped:
            self._set_timer(max(0.0, first.progress_at + self._limit_s(first) - now))

    def _limit_s(self, phrase: Phrase) -> float:
        limits = self.client.deadlines
        return limits.next_audio_s if phrase.received else limits.first_audio_s

    def _set_timer(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None and not self._stopped:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._overdue)

    def _overdue(self) -> None:
        self._timer = None
        current = self._current
        if current is None:
            if self._up:
                self._next()
            elif self._queue:
                first = self._queue.popleft()
                self._failed(first, f"no connection for {self._limit_s(first):g} s")
                self._watch()
            return
        reason = f"no audio for {self._limit_s(current):g} s"
        if current.dropped:
            reason = f"it did not stop within {self.client.deadlines.stop_s:g} s"
        else:
            current.dropped = True
            self._failed(current, reason)
        self.abort(reason)

    def _failed(self, phrase: Phrase, reason: str) -> None:
        self.on_event(PhraseFailed(phrase.reply, phrase.number, reason))

    # ---- what the service says

    def _sound(self, data: bytes) -> None:
        current = self._current
        flux = self.client.dialect is wire.Dialect.FLUX
        if current is None or current.dropped or (flux and current.speech_id is None):
            self.counts.dropped_bytes += len(data)
            return
        current.received += len(data)
        current.progress_at = asyncio.get_running_loop().time()
        try:
            self._hand_on(current, self._audio.feed(data))
        except BadAudio as bad:
            current.dropped = True
            self._failed(current, str(bad))
            self.abort(str(bad))
            return
        self._watch()

    def _hand_on(self, phrase: Phrase, ulaw: bytes) -> None:
        if ulaw:
            phrase.samples += len(ulaw)
            self.on_event(PhraseAudio(phrase.reply, phrase.number, ulaw))

    def _message(self, text: str) -> None:
        current = self._current
        match wire.decode(text, self.client.dialect):
            case wire.SpeechStarted(speech_id):
                if current is not None and current.speech_id is None:
                    current.speech_id = speech_id
            case wire.SpeechEnded(speech_id, words):
                if current is not None and speech_id in ("", current.speech_id):
                    self._ended(current, words)
            case wire.SpeechInterrupted() as stopped:
                self._interrupted(current, stopped)
            case wire.VoiceWarning(code, description):
                self._warned(current, code, description)
            case wire.VoiceError(code, description):
                log.warning("the voice ended the session: %s %s", code, description)
                if self._socket is not None:
                    self._socket.abort(f"{code} {description}".strip())
            case wire.Unneeded(kind) as unneeded if not unneeded.known:
                self.counts.unknown += 1
                log.debug("the voice sent %r", kind)

    def _ended(self, phrase: Phrase, words: tuple[wire.TimedWord, ...]) -> None:
        """A phrase's audio is complete."""
        self._current = None
        if not phrase.dropped:
            self._hand_on(phrase, self._audio.finish())
            self._session_samples += phrase.samples
            if phrase.samples:
                times = in_samples(words, phrase.samples)
                self.on_event(PhraseDone(phrase.reply, phrase.number, phrase.samples, times))
            else:
                self._failed(phrase, "the voice gave no audio")
        else:  # its end came before our Interrupt did
            self._session_samples += phrase.received // 2
        self._next()

    def _interrupted(self, phrase: Phrase | None, stopped: wire.SpeechInterrupted) -> None:
        if phrase is None or not phrase.dropped:
            return
        self._current = None
        begin_ms = self._session_samples * 1000 / PHONE_RATE
        if phrase.offset_ms is None:
            self._session_samples += phrase.received // 2
        else:
            self._session_samples = round(phrase.offset_ms * PHONE_RATE / 1000)
            played_ms = phrase.offset_ms - begin_ms
            self.on_event(PhraseInterrupted(phrase.reply, phrase.number, played_ms, stopped.text_spoken))
        self._next()

    def _warned(self, phrase: Phrase | None, code: str, description: str) -> None:
        log.info("the voice warns: %s %s", code, description)
        if phrase is None:
            return
        if code == wire.INVALID_OFFSET and phrase.dropped and phrase.offset_ms is not None:
            phrase.offset_ms = None
            self._put(wire.interrupt(self.client.dialect))
        elif code == wire.NOTHING_TO_SAY and not phrase.dropped and not phrase.received:
            self._current = None
            self._failed(phrase, NOTHING_TO_SAY)
            self._next()

    def _offset_ms(self, phrase: Phrase, heard_ms: float | None) -> float | None:
        """What the caller has heard on the session's timeline; None: nothing of the speech on the wire."""
        reply, _, begin = self._contiguous
        if heard_ms is None or reply != phrase.reply:
            return None
        heard = begin * 1000 / PHONE_RATE + heard_ms
        here = self._session_samples * 1000 / PHONE_RATE
        return heard if here < heard <= here + phrase.samples * 1000 / PHONE_RATE else None
