"""The TTS stand-in as a real client of the SDK sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from deepgram.speak.v2.types import (
    SpeakV2Connected,
    SpeakV2Flushed,
    SpeakV2Interrupt,
    SpeakV2InterruptPlaybackOffset,
    SpeakV2Speak,
    SpeakV2SpeechInterrupted,
    SpeakV2SpeechMetadata,
    SpeakV2SpeechStarted,
    SpeakV2Warning,
)

from telephony.deepgram.transport import HandshakeRefused, SpeechSocket, connected, sdk_client, speech_session
from telephony.errors import SocketLost
from telephony.testing.fake_speak import FakeSpeak, tone
from telephony.testing.faults import Faults, RefusalFault


@asynccontextmanager
async def speaking(server: FakeSpeak, **query: Any) -> AsyncIterator[tuple[Any, SpeechSocket]]:
    query = {"model": "flux-haley-en", "encoding": "mulaw", "sample_rate": 8000, **query}
    async with (
        speech_session() as session,
        connected(lambda: sdk_client(server.url, "").speak.v2.connect(**query), session) as both,
    ):
        assert isinstance(await both[0].recv(), SpeakV2Connected)
        yield both


async def say(connection: Any, text: str) -> None:
    await connection.send_speak(SpeakV2Speak(text=text))
    await connection.send_flush()


async def speech(connection: Any) -> tuple[list[Any], bytes]:
    """The messages up to the end of a speech, and its audio."""
    messages: list[Any] = []
    audio = b""
    while not (messages and isinstance(messages[-1], SpeakV2SpeechMetadata | SpeakV2SpeechInterrupted)):
        message = await connection.recv()
        if isinstance(message, bytes):
            audio += message
        else:
            messages.append(message)
    return messages, audio


async def test_a_speech_has_the_order_of_the_capture() -> None:
    """SpeechStarted, audio, Flushed, SpeechMetadata, through the SDK and our socket."""
    async with FakeSpeak() as server, speaking(server) as (connection, _):
        await say(connection, "Hello there, what can I get you?")
        messages, audio = await speech(connection)
        assert [type(m) for m in messages] == [SpeakV2SpeechStarted, SpeakV2Flushed, SpeakV2SpeechMetadata]
        assert audio == tone(7 * 0.3, 8000, "mulaw")
        assert messages[-1].audio_duration_ms == 2100
        assert server.sessions[0].texts == ["Hello there, what can I get you?"]


async def test_speeches_are_spoken_in_turn() -> None:
    """What is flushed while one is spoken waits."""
    async with FakeSpeak(lambda text: 0.2, pace=20) as server, speaking(server) as (connection, _):
        await say(connection, "one")
        await say(connection, "two")
        first, _ = await speech(connection)
        second, audio = await speech(connection)
        assert first[0].speech_id != second[0].speech_id
        assert len(audio) == 1600


async def test_an_interrupt_says_what_was_heard() -> None:
    """The text is split at the offset; without a speech, or without progress, it is a warning."""
    async with FakeSpeak(pace=1) as server, speaking(server) as (connection, _):
        await say(connection, "one two three four five six seven eight nine ten")
        assert isinstance(await connection.recv(), SpeakV2SpeechStarted)
        for _ in range(4):
            assert isinstance(await connection.recv(), bytes)
        offset = SpeakV2InterruptPlaybackOffset(value=350)
        await connection.send_interrupt(SpeakV2Interrupt(playback_offset=offset))
        interrupted = (await speech(connection))[0][-1]
        assert (interrupted.text_spoken, interrupted.text_remaining[:5]) == ("one", " two ")
        assert interrupted.audio_played_ms == 350
        await connection.send_interrupt(SpeakV2Interrupt())
        warning = await connection.recv()
        assert isinstance(warning, SpeakV2Warning)
        assert warning.code == "NO_ACTIVE_SPEECH"


async def test_close_drains_what_is_queued() -> None:
    """As the service: Close speaks everything first; to stop at once the socket is dropped."""
    async with FakeSpeak(lambda text: 0.1) as server, speaking(server) as (connection, _):
        await say(connection, "one")
        await connection.send_close()
        assert (await speech(connection))[1] == tone(0.1, 8000, "mulaw")
        assert (await connection.recv()).type == "SessionMetadata"


async def test_its_faults() -> None:
    """Refusal, a reset in mid-sentence, garbage in place of audio, and a late first byte."""
    faults = [
        Faults(refuse=RefusalFault(429, "TOO_MANY_REQUESTS")),
        Faults(reset_after_s=0.2),
        Faults(garbage=b"<html>"),
        Faults(first_byte_delay_s=0.15),
    ]
    async with FakeSpeak(faults=faults) as server:
        with pytest.raises(HandshakeRefused, match="429 TOO_MANY_REQUESTS"):
            async with speaking(server):
                pass
        async with speaking(server) as (connection, socket):
            await say(connection, "one two three")
            with pytest.raises(SocketLost):
                await speech(connection)
            assert socket.ended
        async with speaking(server) as (connection, _):
            await say(connection, "one")
            assert (await speech(connection))[1] == b"<html>"
        async with speaking(server) as (connection, _):
            began = asyncio.get_running_loop().time()
            await say(connection, "one")
            await speech(connection)
            assert asyncio.get_running_loop().time() - began >= 0.15
