"""The official SDK's own client, unchanged, listens and speaks with the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from aiohttp.test_utils import TestServer
from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v2.types import (
    ListenV2Connected,
    ListenV2TurnInfo,
)
from deepgram.speak.v1.types import SpeakV1Flushed, SpeakV1Metadata, SpeakV1Text
from deepgram.speak.v2.types import (
    SpeakV2Connected,
    SpeakV2Flushed,
    SpeakV2SessionMetadata,
    SpeakV2Speak,
    SpeakV2SpeechMetadata,
    SpeakV2SpeechStarted,
)
from deepgram.transport import restore_transport

from telephony.engine.listen.loudness import LoudnessPool
from telephony.engine.server import Engine, make_app
from telephony.engine.speak.synthesizer_pool import SynthesizerPool
from tests.engine.engine_client import BLOCK, noise, serving, silence
from tests.engine.tone_voice import ToneVoices


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async with serving(make_app(Engine(LoudnessPool(), SynthesizerPool(ToneVoices())))) as running:
        yield running


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[AsyncDeepgramClient]:
    base = f"{server.host}:{server.port}"
    restore_transport()  # to the SDK's own socket: another test may have put ours in its place
    async with httpx.AsyncClient() as http:
        yield AsyncDeepgramClient(
            api_key="local",
            httpx_client=http,
            environment=DeepgramClientEnvironment(
                base=f"http://{base}",
                production=f"ws://{base}",
                agent=f"ws://{base}",
                agent_rest=f"http://{base}",
            ),
        )


async def test_it_listens(client: AsyncDeepgramClient) -> None:
    audio = noise(10) + silence(20)
    received: list[object] = []
    async with client.listen.v2.connect(
        model="flux-general-en",
        encoding="linear16",
        sample_rate=8000,
        eager_eot_threshold=0.5,
        keyterm=["Acme"],
    ) as connection:
        await connection.send_configure({"type": "Configure", "thresholds": {"eot_threshold": 0.8}})
        for at in range(0, len(audio), BLOCK):
            await connection.send_media(audio[at : at + BLOCK])
        await connection.send_close_stream()
        received = [message async for message in connection]
        assert connection._websocket.close_code == 1005
    assert isinstance(received[0], ListenV2Connected)
    assert None not in received
    turns = [message for message in received if isinstance(message, ListenV2TurnInfo)]
    assert [t.event for t in turns if t.event != "Update"] == ["StartOfTurn", "EagerEndOfTurn", "EndOfTurn"]


@pytest.mark.parametrize("force", [True, False])
async def test_the_last_turn_ends_when_the_client_says_so(client: AsyncDeepgramClient, force: bool) -> None:
    """Speech right up to the end of the audio, as of a file.

    Flux ends no turn at CloseStream; a ForceEndTurn before it does (deepgram docs, flux/close-stream). A
    client that is tried here must not learn otherwise.
    """
    audio = silence(5) + noise(12)
    async with client.listen.v2.connect(
        model="flux-general-en", encoding="linear16", sample_rate=8000
    ) as connection:
        for at in range(0, len(audio), BLOCK):
            await connection.send_media(audio[at : at + BLOCK])
        if force:
            await connection.send_force_end_turn()
        await connection.send_close_stream()
        received = [message async for message in connection]
    turns = [message for message in received if isinstance(message, ListenV2TurnInfo)]
    ends = [turn for turn in turns if turn.event == "EndOfTurn"]
    assert [end.trigger for end in ends] == (["manual"] if force else [])
    assert turns[-1].transcript or force, "what was recognized is reported, as an Update"
    assert all(end.transcript for end in ends)


async def test_it_learns_that_it_was_refused(client: AsyncDeepgramClient) -> None:
    with pytest.raises(ApiError) as refused:
        async with client.listen.v2.connect(model="flux", encoding="linear16", sample_rate=8000):
            pass
    assert refused.value.status_code == 403


async def test_it_speaks(client: AsyncDeepgramClient) -> None:
    async with client.speak.v2.connect(
        model="flux-haley-en", encoding="mulaw", sample_rate="8000"
    ) as connection:
        await connection.send_speak(SpeakV2Speak(text="Sure, I can help."))
        await connection.send_flush()
        await connection.send_close()
        received = [message async for message in connection]
    kinds = [type(message) for message in received if not isinstance(message, bytes)]
    assert kinds == [
        *(
            SpeakV2Connected,
            SpeakV2SpeechStarted,
            SpeakV2Flushed,
            SpeakV2SpeechMetadata,
            SpeakV2SessionMetadata,
        )
    ]
    assert sum(len(message) for message in received if isinstance(message, bytes)) == 8000


async def test_it_speaks_on_the_older_path(client: AsyncDeepgramClient) -> None:
    async with client.speak.v1.connect(
        model="aura-2-thalia-en", encoding="mulaw", sample_rate="8000"
    ) as connection:
        await connection.send_text(SpeakV1Text(text="Hello there."))
        await connection.send_flush()
        received = []
        async for message in connection:
            received.append(message)
            if isinstance(message, SpeakV1Flushed):
                break
        await connection.send_close()
    assert isinstance(received[0], SpeakV1Metadata)
    assert sum(len(message) for message in received if isinstance(message, bytes)) == 4000


@pytest.mark.parametrize(("version", "model"), [("v1", "aura-2-thalia-en"), ("v2", "flux-haley-en")])
async def test_it_has_a_text_spoken_by_rest(client: AsyncDeepgramClient, version: str, model: str) -> None:
    speak = client.speak.v1 if version == "v1" else client.speak.v2
    pieces = speak.audio.generate(
        text="Hello there.", model=model, encoding="mulaw", container="none", sample_rate=8000
    )
    assert sum([len(piece) async for piece in pieces]) == 4000
