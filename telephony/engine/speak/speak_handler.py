"""`/v2/speak` and `/v1/speak` as websockets: a client's texts to the voice, the voice's audio to the client.

A reader handles messages at once, also during speech. A task for each speech renders and sends it; an
Interrupt cancels the task. What differs between the two paths is the session.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from typing import Protocol, cast

from telephony import __version__
from telephony.base import json_codec
from telephony.base.tasks import guarded_task
from telephony.engine.sockets import EngineSocket, Gone, Idle
from telephony.engine.speak.speak_audio import SpeechEncoder
from telephony.engine.speak.speak_options import SpeakOptions
from telephony.engine.speak.speak_session import Cut, Message, SpeakRefused
from telephony.engine.speak.speak_turn import SpeakTurn
from telephony.engine.speak.synthesizer_pool import VoiceSource
from telephony.errors import VoiceFailed

log = logging.getLogger(__name__)

IDLE = "NET-0004"
FAILED = "NET-0000"
TOO_LONG = "NET-0003"
SESSION_S = 3600.0
"""Longest session; the service ends it after an hour, too."""


class TooLong(Exception):
    """The session has lasted as long as one may."""


class TalkSession(Protocol):
    """What SpeakSession and AuraSession have in common."""

    options: SpeakOptions
    request_id: str
    closing: bool

    @property
    def turn(self) -> SpeakTurn | None: ...
    def connected(self, voice: str, version: str, uuid: str) -> list[Message]: ...
    def receive(self, text: str | bytes) -> list[Message] | Cut: ...
    def started(self, turn: SpeakTurn) -> list[Message]: ...
    def flushed(self, turn: SpeakTurn) -> list[Message]: ...
    def made(self, seconds: float) -> None: ...
    def finished(self, turn: SpeakTurn) -> list[Message]: ...
    def cut(self, cut: Cut) -> list[Message]: ...
    def closed(self) -> list[Message]: ...
    def failed(self, code: str, description: str) -> list[Message]: ...


class SpeakStream:
    """One client."""

    def __init__(
        self,
        socket: EngineSocket,
        session: TalkSession,
        voices: VoiceSource,
        voice: str,
        most_s: float,
    ) -> None:
        self._socket = socket
        self._most_s = most_s
        self._session = session
        self._voices = voices
        self._voice = voice
        self._news = asyncio.Event()
        """Set when there may be more to speak, or the input has ended."""
        self._rendering: asyncio.Task[None] | None = None
        self._spoken_s = 0.0

    async def run(self) -> None:
        """Serves the socket to its end, and writes the log line about it."""
        # The edge of a stream: a voice that breaks must not hurt the others.
        ending = await guarded_task(self._broke_down, self._serve_to_its_end())
        if isinstance(ending, Exception):
            ending = await self._fail(FAILED, f"the voice failed: {type(_first(ending)).__name__}", 1011)
        log.info(
            "speak %s: %s, %s %d, %.1f s of audio, %s",
            self._session.request_id,
            self._voice,
            self._session.options.encoding,
            self._session.options.sample_rate,
            self._spoken_s,
            ending,
        )

    def _broke_down(self, error: Exception) -> str | Exception:
        log.exception("speak %s broke down", self._session.request_id)
        return error

    async def _serve_to_its_end(self) -> str | Exception:
        """Serves the socket. Returns the reason for its end; raises what nobody expected."""
        try:
            ending = await self._serve()
        except* Gone as gone:
            done = self._session.closing and self._session.turn is None
            ending = "closed by Close" if done else str(_first(gone))
        except* Idle:
            ending = await self._fail(IDLE, "No message was received for 60 s.", 1011)
        except* TooLong:
            ending = await self._fail(TOO_LONG, f"The session has lasted {self._most_s:g} s.", 1011)
        except* SpeakRefused as refused:
            error = cast(SpeakRefused, _first(refused))
            ending = await self._fail(error.code, error.description, 1008)
        except* VoiceFailed as failed:
            ending = await self._fail(FAILED, f"the voice failed: {_first(failed)}", 1011)
        return ending

    async def _serve(self) -> str:
        uuid = "00000000-0000-0000-0000-000000000000"
        await self._send(self._session.connected(self._session.options.model, __version__, uuid))
        try:
            async with asyncio.timeout(self._most_s), asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read())
                tasks.create_task(self._speak(tasks))
        except TimeoutError:
            raise TooLong from None
        return "closed by Close"

    async def _read(self) -> None:
        while True:
            data = await self._socket.receive()
            if isinstance(data, bytes):
                raise SpeakRefused("MESSAGE-0000", "a binary message")
            answer = self._session.receive(data)
            while isinstance(answer, Cut):
                if await self._stop_rendering():
                    answer = self._session.cut(answer)
                else:  # it had just ended by itself: look again at what can be cut
                    answer = self._session.receive(data)
            await self._send(answer)
            self._news.set()

    async def _stop_rendering(self) -> bool:
        """Cuts the speech off. False: it had ended before."""
        task = self._rendering
        if task is None:
            return True
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    async def _speak(self, tasks: asyncio.TaskGroup) -> None:
        """Speaks turn after turn; after Close, ends the socket when all is said."""
        while not (self._session.closing and self._session.turn is None):
            turn = self._session.turn
            if turn is None or self._rendering is not None:
                self._news.clear()
                await self._news.wait()
                continue
            self._rendering = tasks.create_task(self._render(turn))
            self._rendering.add_done_callback(self._rendered)
        await self._send(self._session.closed())
        await self._socket.close(1000)

    def _rendered(self, task: asyncio.Task[None]) -> None:
        self._rendering = None
        # After a cut the reader has a message to send first; it gives the sign then.
        if not task.cancelled():
            self._news.set()

    async def _render(self, turn: SpeakTurn) -> None:
        session, flush_reported = self._session, False
        encoder = SpeechEncoder(session.options.encoding, session.options.sample_rate)
        await self._send(session.started(turn))
        begins_s = 0.0
        while True:
            place, text = turn.take()
            if turn.flushed and not flush_reported:
                flush_reported = True
                await self._send(session.flushed(turn))
            if text:
                begins_s += await self._render_text(turn, text, place, begins_s, encoder)
            elif turn.flushed:
                break
            else:
                self._news.clear()
                await self._news.wait()
        await self._give_out(encoder, encoder.flush())
        await self._send(session.finished(turn))

    async def _render_text(
        self, turn: SpeakTurn, text: str, place: int, begins_s: float, encoder: SpeechEncoder
    ) -> float:
        """Speaks a piece of a turn's text; returns its length in seconds."""
        seconds = 0.0
        rendering = self._voices.render(text, self._voice, self._session.options.speed)
        async with aclosing(rendering) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                turn.spoken(chunk.words, place, begins_s)
                seconds += chunk.seconds
                await self._give_out(encoder, encoder.feed(chunk.linear16, chunk.rate))
        return seconds

    async def _give_out(self, encoder: SpeechEncoder, frames: Sequence[bytes]) -> None:
        for frame in frames:
            await self._socket.send(frame)
        self._session.made(encoder.seconds)
        self._spoken_s += sum(map(len, frames)) / max(1, encoder.bytes_per_second)

    async def _send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            await self._socket.send(json_codec.dumps(message))

    async def _fail(self, code: str, description: str, close_code: int) -> str:
        try:
            await self._send(self._session.failed(code, description))
            await self._socket.close(close_code)
        except Gone:
            pass
        return f"{code}: {description}"


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
