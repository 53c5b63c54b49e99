"""A voice at the wire for tests: a real server on a real socket that does as it is told, faults included."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

RATE = 8000


def tone(hz: float, seconds: float, rate: int = RATE) -> bytes:
    """A tone as linear16."""
    times = np.arange(round(seconds * rate)) / rate
    return (8000 * np.sin(2 * np.pi * hz * times)).astype("<i2").tobytes()


@dataclass
class Session:
    """One socket that a client opened."""

    socket: web.WebSocketResponse
    path: str
    query: dict[str, str]
    authorization: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""
    over: bool = False
    speeches: int = 0
    active: str = ""
    """The id of the speech whose audio is being sent."""

    def sent(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send_str(json.dumps({"type": kind, **fields}))


@dataclass
class VoiceServer:
    """Speaks `audio_of(text)` in chunks; the fields say what it does wrong."""

    audio_of: Callable[[str], bytes] = lambda text: tone(400, 0.05 * len(text))
    chunk_bytes: int = 1600
    refuse: tuple[int, str] | None = None
    refuse_after: int = 1_000_000
    """Handshakes beyond this many are refused."""
    silent: bool = False
    """It takes text and says nothing."""
    stop_after_chunks: int | None = None
    drop_after_chunks: int | None = None
    """The socket is reset after so much of a speech, once."""
    pace: bool = False
    """A chunk, then wait until `go` is set."""
    late_audio: bytes = b""
    """Sent after a speech was interrupted, as a server with a bug would."""
    warn: dict[str, str] = field(default_factory=dict)
    """Texts that are answered with this warning instead of audio."""
    error: dict[str, str] = field(default_factory=dict)
    words: bool = True
    no_offsets: bool = False
    """Every offset is refused."""
    sessions: list[Session] = field(default_factory=list)
    handshakes: int = 0
    go: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    url: str = ""
    _speaking: dict[int, asyncio.Task[None]] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.handshakes += 1
        if self.refuse is not None or self.handshakes > self.refuse_after:
            status, reason = self.refuse or (429, "too many connections")
            return web.Response(status=status, headers={"dg-error": reason}, text=reason)
        socket = web.WebSocketResponse(autoping=True, compress=False)
        await socket.prepare(request)
        session = Session(socket, request.path, dict(request.query), request.headers.get("Authorization", ""))
        self.sessions.append(session)
        await session.send("Connected", request_id="r", model_name="m", model_version="1", model_uuids=[])
        await self._tell()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    session.messages.append(json.loads(message.data))
                    await self._take(session, session.messages[-1])
                    await self._tell()
        finally:
            session.over = True
            await self._tell()
            task = self._speaking.pop(id(session), None)
            if task is not None:
                task.cancel()
        return socket

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until a message made `condition` true."""
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(condition)

    async def _take(self, session: Session, message: dict[str, Any]) -> None:
        aura = session.path == "/v1/speak"
        match message["type"]:
            case "Speak":
                session.text += message["text"]
            case "Flush":
                text, session.text = session.text, ""
                task = asyncio.create_task(self._speak(session, text, aura))
                self._speaking[id(session)] = task
            case "Interrupt" | "Clear":
                await self._interrupt(session, message, aura)

    async def _interrupt(self, session: Session, message: dict[str, Any], aura: bool) -> None:
        task = self._speaking.get(id(session))
        if aura:
            if task:
                task.cancel()
            await session.send("Cleared", sequence_id=1)
            return
        if self.no_offsets and "playback_offset" in message:
            await session.send("Warning", code="INVALID_INTERRUPT_OFFSET", description="no")
            return
        if not session.active:
            await session.send("Warning", code="NO_ACTIVE_SPEECH", description="nothing is spoken")
            return
        if task:
            task.cancel()
        offset = message.get("playback_offset")
        spoken = {"text_spoken": "Sure,", "text_remaining": "x"} if offset else {}
        metadata = {"speech_id": session.active, "audio_duration_ms": 1}
        session.active = ""
        await session.send("SpeechInterrupted", audio_played_ms=100, metadata=metadata, **spoken)
        if self.late_audio:
            await session.socket.send_bytes(self.late_audio)

    async def _speak(self, session: Session, text: str, aura: bool) -> None:
        if text in self.error:
            await session.send("Error", code=self.error[text], description="no")
            await session.socket.close(code=1011)
            return
        if text in self.warn:
            await session.send("Warning", code=self.warn[text], description="hm")
            return
        if self.silent:
            return
        session.speeches += 1
        speech_id = f"dg_sp_{len(self.sessions)}_{session.speeches}"
        if not aura:
            session.active = speech_id
            await session.send("SpeechStarted", speech_id=speech_id)
        await self._send_audio(session, self.audio_of(text))
        session.active = ""
        if aura:
            await session.send("Flushed", sequence_id=session.speeches)
            return
        await session.send("Flushed", speech_id=speech_id)
        words: dict[str, Any] = {}
        if self.words and session.query.get("word_times") == "true":
            words = {"words": [{"word": text.split()[0], "start": 0.01, "end": 0.02}]}
        await session.send("SpeechMetadata", speech_id=speech_id, audio_duration_ms=1, **words)

    async def _send_audio(self, session: Session, audio: bytes) -> None:
        for number, at in enumerate(range(0, len(audio), self.chunk_bytes)):
            if number == self.drop_after_chunks:
                self.drop_after_chunks = None
                assert session.socket._req is not None and session.socket._req.transport is not None
                session.socket._req.transport.abort()
                return
            if number == self.stop_after_chunks:
                await asyncio.Event().wait()
            if number and self.pace:
                await self.go.wait()
            await session.socket.send_bytes(audio[at : at + self.chunk_bytes])


@asynccontextmanager
async def voice_server(**fields: Any) -> AsyncIterator[VoiceServer]:
    """A running voice; its address is `url`."""
    voice = VoiceServer(**fields)
    app = web.Application()
    app.router.add_get("/v2/speak", voice.handle)
    app.router.add_get("/v1/speak", voice.handle)
    async with TestServer(app) as server:
        voice.url = f"ws://{server.host}:{server.port}"
        yield voice
