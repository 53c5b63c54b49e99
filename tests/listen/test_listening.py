"""The caller's audio in, turns out: on a recorded session of the live service, and on the local engine.

The same code and the same assertions for both; only the URL differs.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from telephony.audio.g711 import linear16_to_ulaw
from telephony.audio.resampler import Resampler
from telephony.audio.wav import read_wav
from telephony.deepgram import flux_codec
from telephony.engine.process import EngineProcess
from telephony.listen.caller_audio import CallerAudio
from telephony.listen.deepgram import FluxClient
from telephony.listen.events import ListenEvent, SttConnected, SttDisconnected
from telephony.listen.transcoder import Transcoder
from telephony.listen.turns import TurnEvent, TurnKind, TurnTracker
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_scripts import RecordedScript
from tests.listen.recordings import CAPTURE, texts
from tests.shared import shared_path

pytestmark = pytest.mark.slow

PREAMBLE = "facts/captures/flux-preamble-16k.wav"
SAID = """we the people of the united states in order to form a more perfect union establish justice ensure
domestic tranquility provide for the common defense promote the general welfare and secure the blessings of
liberty to ourselves and our posterity do ordain and establish this constitution for the united states of
america""".split()
AHEAD_S = 3.0  # audio given beyond what was spoken of: enough to keep a server busy


@asynccontextmanager
async def recording() -> AsyncIterator[str]:
    frames = texts(CAPTURE)
    async with FakeFlux(lambda _: RecordedScript.read(frames)) as server:
        yield server.url


@asynccontextmanager
async def engine() -> AsyncIterator[str]:
    process = await EngineProcess.start(fetch=False)
    try:
        yield process.url
    finally:
        await process.stop()


def frames_of(path: Path) -> list[bytes]:
    """A recording as Twilio would send it: 20 ms of mu-law a frame, and 3 s of silence after it."""
    wav = read_wav(path.read_bytes())
    ulaw = linear16_to_ulaw(Resampler(wav.rate, 8000).feed(wav.linear16)) + b"\xff" * 24000
    return [ulaw[at : at + 160] for at in range(0, len(ulaw), 160)]


class Call:
    """A call's listening, from media frames to turns."""

    def __init__(self) -> None:
        self.turns = TurnTracker()
        self.events: list[TurnEvent] = []
        self.checker = flux_codec.Checker(eager=True)
        self.heard_s = 0.0
        self.news = asyncio.Event()

    def receive(self, event: ListenEvent) -> None:
        assert not isinstance(event, SttDisconnected), event
        if isinstance(event, SttConnected):
            self.events += self.turns.connected(event.offset_s)
        else:
            self.checker.receive(event)
        if isinstance(event, flux_codec.TurnInfo):
            self.events += self.turns.receive(event)
            self.heard_s = event.audio_window_end
        self.news.set()


@pytest.mark.parametrize("service", [recording, engine])
async def test_a_recorded_caller_is_heard(service: Callable[[], AbstractAsyncContextManager[str]]) -> None:
    """All the words, in turns that start once and end once, on the caller's clock, by legal Flux."""
    frames = frames_of(shared_path(PREAMBLE))
    options = flux_codec.FluxOptions(
        encoding="linear16", sample_rate=16000, eot_threshold=0.8, eager_eot_threshold=0.5
    )
    async with service() as url:
        client, call, audio, conversion = FluxClient(url), Call(), CallerAudio(), Transcoder()
        connection = client.open(options, call.receive)
        listen = conversion.stream("linear16", 16000, connection.send_audio)
        running = asyncio.create_task(connection.run())
        try:
            async with asyncio.timeout(60):
                for number, frame in enumerate(frames):
                    for chunk in audio.receive(number * 20, frame, number * 0.02):
                        listen(chunk)
                    while audio.audio_s - call.heard_s > AHEAD_S:
                        call.news.clear()
                        await call.news.wait()
                while audio.audio_s - call.heard_s > 0.5:
                    call.news.clear()
                    await call.news.wait()
        finally:
            await connection.close()
            await running
            await client.close()
    assert call.checker.problems == []
    ended = [event for event in call.events if event.kind is TurnKind.ENDED]
    started = [event for event in call.events if event.kind is TurnKind.STARTED]
    assert [event.turn for event in started] == [event.turn for event in ended] == list(range(len(ended)))
    assert not call.turns.open
    heard = re.findall(r"[a-z]+", " ".join(event.text for event in ended).lower())
    assert len(set(heard) & set(SAID)) >= 0.8 * len(set(SAID)), heard
    assert 0.3 <= started[0].audio_end <= 1.6
    assert 18.5 <= ended[-1].audio_end <= 21.0


def test_the_recording_is_of_what_is_said() -> None:
    """The capture's own last words are the ones the test looks for."""
    last = [json.loads(text) for text in texts(CAPTURE) if "EndOfTurn" in text][-1]
    assert re.findall(r"[a-z]+", last["transcript"].lower())[-2:] == SAID[-2:]
