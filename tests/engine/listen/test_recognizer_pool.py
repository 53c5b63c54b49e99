"""Recognition in its own process: what becomes of its streams when it crashes, and of later ones."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer

from telephony.deepgram.flux_codec import Connected, FatalError, TurnInfo
from telephony.engine.listen.loudness import LoudnessStream
from telephony.engine.listen.recognized import RecognitionOptions
from telephony.engine.listen.recognizer_pool import WorkerPool
from telephony.engine.listen.recognizer_stream import RecognizerLost
from telephony.engine.models import catalogue
from telephony.engine.server import Engine, make_app
from telephony.engine.speak.synthesizer_pool import SynthesizerPool
from tests.engine.engine_client import listening, noise, serving, silence
from tests.engine.tone_voice import ToneVoices

pytestmark = pytest.mark.slow


@pytest.fixture
async def recognizers() -> AsyncIterator[WorkerPool]:
    if absent := catalogue.missing(["silero-vad", "moonshine-tiny-en"]):
        pytest.skip(f"models are not here: {', '.join(absent)}")
    started = WorkerPool()
    started.start()
    await started.ready()
    yield started
    await started.close()


@pytest.fixture
async def server(recognizers: WorkerPool) -> AsyncIterator[TestServer]:
    async with serving(make_app(Engine(recognizers, SynthesizerPool(ToneVoices())))) as running:
        yield running


async def test_a_crash_ends_its_streams_with_an_error_and_is_recovered(
    server: TestServer, recognizers: WorkerPool
) -> None:
    first = recognizers.worker_pid
    assert first is not None
    async with listening(server) as client, listening(server) as other:
        for stream in (client, other):
            await stream.audio(silence(3))
            await stream.until("Update")
        os.kill(first, signal.SIGKILL)
        for stream in (client, other):
            await stream.audio(silence(3))
            error = (await stream.rest())[-1]
            assert isinstance(error, FatalError)
            assert error.code == "INTERNAL_SERVER_ERROR"
            assert stream.close_code == 1011
    async with listening(server) as client:
        assert isinstance(await client.next(), Connected)
        await client.audio(silence(3))
        await client.until("Update")
        assert recognizers.worker_pid not in (None, first)


async def test_a_stream_that_is_silent_learns_of_a_crash_at_once(
    server: TestServer, recognizers: WorkerPool
) -> None:
    """No audio is needed to be told: a caller may be on hold."""
    async with listening(server) as client:
        await client.audio(silence(3))
        await client.until("Update")
        assert recognizers.worker_pid is not None
        os.kill(recognizers.worker_pid, signal.SIGKILL)
        (error,) = await client.rest()
        assert isinstance(error, FatalError)
        assert client.close_code == 1011


async def test_noise_and_silence_start_no_turn(server: TestServer) -> None:
    async with listening(server) as client:
        await client.audio(noise(20) + silence(20))
        messages = await client.close_stream()
        assert {getattr(message, "event", "Update") for message in messages} == {"Update"}


async def test_asking_for_an_end_within_a_block_loses_no_block(server: TestServer) -> None:
    """The client checks that something is said about every 0.24 s of audio."""
    async with listening(server) as client:
        for _ in range(12):
            await client.ws.send_bytes(noise(2)[:1900])
            await client.say('{"type":"ForceEndTurn"}')
        messages = await client.close_stream()
        assert client.checker.problems == []
        told = [m.audio_window_end for m in messages if isinstance(m, TurnInfo)]
        assert told[-1] == pytest.approx(17 * 0.08)


async def test_a_worker_that_never_starts_leaves_loudness() -> None:
    recognizers = WorkerPool((sys.executable, "-c", "raise SystemExit(3)"))
    recognizers.start()
    await asyncio.wait_for(recognizers.ready(), 20)
    assert recognizers.state == "loudness"
    assert "no words are recognized" in recognizers.notes[0]
    assert isinstance(await recognizers.open(RecognitionOptions()), LoudnessStream)
    await recognizers.close()


async def test_without_models_the_way_out_is_told(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    recognizers = WorkerPool()
    recognizers.start()
    await asyncio.wait_for(recognizers.ready(), 20)
    assert "run python -m telephony.engine.models" in recognizers.notes[0]
    await recognizers.close()


async def test_a_stream_of_a_worker_that_is_gone_is_lost(recognizers: WorkerPool) -> None:
    recognizer = await recognizers.open(RecognitionOptions())
    await recognizers.close()
    with pytest.raises(RecognizerLost):
        async for _ in recognizer.recognize(silence(1)):
            pass
