"""A Flux TTS server at the wire (`/v2/speak`), for tests and benches: a tone in place of a voice.

It keeps the service's order of messages, and can be told what to do wrong. The audio comes at once, or paced.
"""

from __future__ import annotations

import asyncio
import logging
import math
import struct
import uuid
from collections.abc import Callable, Iterable
from functools import lru_cache

from aiohttp import WSMsgType, web

from telephony.audio.g711 import linear16_to_ulaw
from telephony.base import json_codec
from telephony.testing.fake_flux import reset
from telephony.testing.fake_server import FakeServer
from telephony.testing.faults import NONE, Faults

log = logging.getLogger(__name__)

WORD_S = 0.3  # three words a second and a bit: how long a text takes when nothing else is said
PIECE_S = 0.1
LEVEL = 8000  # -12 dBFS


def length_by_words(text: str) -> float:
    """Seconds that a text takes to say."""
    return WORD_S * max(1, len(text.split()))


@lru_cache(maxsize=64)
def tone(seconds: float, rate: int, encoding: str) -> bytes:
    """A 440 Hz tone that begins and ends at zero."""
    count = round(seconds * rate)
    samples = [round(LEVEL * math.sin(2 * math.pi * 440 * n / rate)) for n in range(count)]
    linear = struct.pack(f"<{count}h", *samples)
    return linear16_to_ulaw(linear) if encoding == "mulaw" else linear


class FakeSpeakSession:
    """One connection to the stand-in, and what came over it."""

    def __init__(self, query: dict[str, str], faults: Faults) -> None:
        self.query = query
        self.faults = faults
        self.encoding = query.get("encoding", "linear16")
        self.rate = int(query.get("sample_rate", "8000" if self.encoding == "mulaw" else "24000"))
        self.received: list[dict[str, object]] = []
        """Its messages, in order."""
        self.texts: list[str] = []
        """What was flushed, in order."""
        self.over = asyncio.Event()
        self.pending = ""
        """Text that was not flushed yet."""
        self.generated_s = 0.0
        """Of the speech under way."""
        self.active = ""
        """The text of the speech under way."""
        self.speech_id = ""
        self.heard_ms = 0.0
        """Of the session, as the interrupts said."""
        self.total_s = 0.0
        self.characters = 0

    @property
    def bytes_per_s(self) -> int:
        """Of this connection's audio."""
        return self.rate * (2 if self.encoding == "linear16" else 1)

    def metadata(self) -> dict[str, object]:
        """Of the speech that is over."""
        return {
            "speech_id": self.speech_id,
            "audio_duration_ms": round(self.generated_s * 1000),
            "input_character_count": len(self.active),
            "billable_character_count": len(self.active),
            "controls_applied": {
                "pronunciations_applied": 0,
                "breaks_applied": 0,
                "pronunciation_warnings": 0,
            },
        }


class FakeSpeak(FakeServer):
    """Serves `/v2/speak`.

    `length_s` says how long a text takes, `audio` makes its bytes (seconds, rate, encoding). `pace`: how many
    times faster than it is heard the audio comes; None: all of it at once. `faults` are used up one a
    connection; the last one stays. `on_audio(session, text, now)` is called before a speech's first audio.
    """

    path = "/v2/speak"

    def __init__(
        self,
        length_s: Callable[[str], float] = length_by_words,
        faults: Iterable[Faults] = (NONE,),
        *,
        audio: Callable[[float, int, str], bytes] = tone,
        pace: float | None = None,
        on_audio: Callable[[FakeSpeakSession, str, float], None] | None = None,
    ) -> None:
        super().__init__(faults)
        self.sessions: list[FakeSpeakSession] = []
        self._length_s = length_s
        self._audio = audio
        self._pace = pace
        self._on_audio = on_audio

    def release(self) -> None:
        """Let every handler end that waits on purpose."""
        for session in self.sessions:
            session.over.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One handshake, and its connection."""
        faults = await self.next_faults()
        if faults.refuse is not None:
            headers = {"dg-error": faults.refuse.dg_error} if faults.refuse.dg_error else {}
            return web.Response(status=faults.refuse.status, headers=headers, text=faults.refuse.body)
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        session = FakeSpeakSession(dict(request.query), faults)
        self.sessions.append(session)
        try:
            await _Speaker(
                session, ws, request, self._length_s, self._audio, self._pace, self._on_audio
            ).run()
        except ConnectionError:
            log.debug("the client went away")
        finally:
            session.over.set()
        return ws


class _Speaker:
    """Reads one connection's messages, and speaks in a task of its own so that it can be interrupted."""

    def __init__(
        self,
        session: FakeSpeakSession,
        ws: web.WebSocketResponse,
        request: web.Request,
        length_s: Callable[[str], float],
        audio: Callable[[float, int, str], bytes],
        pace: float | None,
        on_audio: Callable[[FakeSpeakSession, str, float], None] | None,
    ) -> None:
        self.session = session
        self.ws = ws
        self.request = request
        self.length_s = length_s
        self.audio = audio
        self.pace = pace
        self.on_audio = on_audio
        self.queue: asyncio.Queue[str | None] = asyncio.Queue()
        self.speech: asyncio.Task[None] | None = None

    async def run(self) -> None:
        await self.say("Connected", request_id=str(uuid.uuid4()), model_name="tone", model_version="1")
        queue = asyncio.create_task(self.speak_queue())
        try:
            async for message in self.ws:
                if message.type is not WSMsgType.TEXT:
                    await self.say("Error", code="DATA-0000", description="text only")
                    return
                if not await self.obey(message.data):
                    await queue  # Close drains what is queued
                    return
        finally:
            queue.cancel()
            await asyncio.gather(queue, return_exceptions=True)

    async def say(self, kind: str, **fields: object) -> None:
        await self.ws.send_str(json_codec.dumps({"type": kind, **fields}))

    async def obey(self, text: str) -> bool:
        """False: no more messages are wanted."""
        session = self.session
        try:
            message = json_codec.loads(text)
            kind = message["type"]
        except (ValueError, TypeError, KeyError):
            await self.say("Error", code="MESSAGE-0000", description="unparsable")
            return False
        session.received.append(message)
        match kind:
            case "Speak":
                session.pending += message["text"]
            case "Flush":
                spoken, session.pending = session.pending, ""
                session.texts.append(spoken)
                self.queue.put_nowait(spoken)
            case "Interrupt":
                await self.interrupt(message.get("playback_offset"))
            case "Configure":
                applied = {key: value for key, value in message.items() if key != "type"}
                await self.say("ConfigureSuccess", applied=applied)
            case "Close":
                self.queue.put_nowait(None)
                return False
            case _:
                await self.say("Error", code="DATA-0000", description=f"unknown command {kind}")
                return False
        return True

    async def speak_queue(self) -> None:
        """One speech after another, in the order of their flushes."""
        while (text := await self.queue.get()) is not None:
            if not text.strip():
                await self.say("Warning", code="NO_SYNTHESIZABLE_TEXT", description="nothing to say")
                continue
            self.speech = asyncio.create_task(self.speak(text))
            await asyncio.gather(self.speech, return_exceptions=True)
        total = round(self.session.total_s * 1000)
        await self.say(
            "SessionMetadata",
            total_audio_duration_ms=total,
            total_input_character_count=self.session.characters,
            total_billable_character_count=self.session.characters,
        )
        await self.ws.close()

    async def speak(self, text: str) -> None:
        session, faults = self.session, self.session.faults
        await asyncio.sleep(faults.first_byte_delay_s)
        session.speech_id = f"dg_sp_{uuid.uuid4().hex[:12]}"
        session.active, session.generated_s = text, 0.0
        session.characters += len(text)
        await self.say("SpeechStarted", speech_id=session.speech_id)
        if self.on_audio is not None:
            self.on_audio(session, text, asyncio.get_running_loop().time())
        sound = faults.garbage or self.audio(self.length_s(text), session.rate, session.encoding)
        if not await self.send_sound(sound):
            return
        if faults.odd and session.total_s >= faults.odd_after_s:
            for text in faults.odd:
                await self.ws.send_str(text.replace("SPEECH_ID", session.speech_id))
        await self.say("Flushed", speech_id=session.speech_id)
        metadata = session.metadata()
        if session.query.get("word_times") == "true":
            metadata["words"] = _word_times(text, session.generated_s)
        session.active = ""
        await self.say("SpeechMetadata", **metadata)

    async def send_sound(self, sound: bytes) -> bool:
        """False: the connection was dropped in the middle."""
        session, faults = self.session, self.session.faults
        drop_s = faults.reset_after_s
        cautious = (self.pace, drop_s, faults.silent_after_s) != (None, None, None)
        size = (
            round(PIECE_S * session.rate) * (session.bytes_per_s // session.rate) if cautious else len(sound)
        )
        for at in range(0, len(sound), size):
            piece = sound[at : at + size]
            await self.ws.send_bytes(piece)
            seconds = len(piece) / session.bytes_per_s
            session.generated_s += seconds
            session.total_s += seconds
            if faults.silent_after_s is not None and session.total_s >= faults.silent_after_s:
                await session.over.wait()
                return False
            if drop_s is not None and session.total_s >= drop_s:
                reset(self.request)
                return False
            if self.pace is not None:
                await asyncio.sleep(PIECE_S / self.pace)
        return True

    async def interrupt(self, offset: dict[str, object] | None) -> None:
        session = self.session
        if not session.active or self.speech is None:
            await self.say("Warning", code="NO_ACTIVE_SPEECH", description="nothing is being said")
            return
        if not session.generated_s:
            await self.say("Warning", code="NO_AUDIO_GENERATED", description="nothing was said yet")
            return
        before_ms = (session.total_s - session.generated_s) * 1000
        played_ms = session.generated_s * 1000
        split: dict[str, object] = {}
        if offset is not None:
            heard_ms = float(str(offset["value"]))
            if heard_ms <= session.heard_ms:
                await self.say("Warning", code="INVALID_INTERRUPT_OFFSET", description="it must advance")
                return
            session.heard_ms = heard_ms
            played_ms = min(played_ms, max(0.0, heard_ms - before_ms))
            words = session.active.split(" ")
            count = int(len(words) * played_ms / 1000 / self.length_s(session.active))
            said = " ".join(words[:count])
            split = {"text_spoken": said, "text_remaining": session.active[len(said) :]}
        self.speech.cancel()
        metadata, session.active = session.metadata(), ""
        session.total_s -= session.generated_s - played_ms / 1000
        await self.say("SpeechInterrupted", audio_played_ms=round(played_ms), **split, metadata=metadata)


def _word_times(text: str, seconds: float) -> list[dict[str, object]]:
    """The words, spread evenly over the audio."""
    words = text.split()
    step = seconds / max(1, len(words))
    return [{"word": w, "start": i * step, "end": (i + 1) * step} for i, w in enumerate(words)]
