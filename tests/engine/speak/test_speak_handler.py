"""`/v2/speak`, `/v1/speak` and their REST forms over real sockets; the voice is a tone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from aiohttp.test_utils import TestServer

from telephony.audio.wav import read_wav
from telephony.base import json_codec
from telephony.engine.listen.loudness import LoudnessPool
from telephony.engine.server import ENGINE, Engine, make_app
from telephony.engine.speak.synthesizer_pool import SynthesizerPool
from tests.engine.engine_client import refused, serving
from tests.engine.tone_voice import ToneVoices

Message = dict[str, Any]


@pytest.fixture
async def voices() -> ToneVoices:
    return ToneVoices()


@pytest.fixture
async def server(voices: ToneVoices) -> AsyncIterator[TestServer]:
    async with serving(make_app(Engine(LoudnessPool(), SynthesizerPool(voices)))) as running:
        yield running


class SpeakClient:
    """A client that keeps what it was sent, in order; audio as its length."""

    def __init__(self, ws: ClientWebSocketResponse) -> None:
        self.ws = ws
        self.got: list[Message | int] = []

    async def say(self, **message: object) -> None:
        await self.ws.send_str(json_codec.dumps(message))

    async def speak(self, text: str) -> None:
        await self.say(type="Speak", text=text)

    async def next(self) -> Message | int | None:
        message = await self.ws.receive(10)
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return None
        got = json_codec.loads(message.data) if message.type is WSMsgType.TEXT else len(message.data)
        self.got.append(got)
        return got

    async def until(self, kind: str) -> Message:
        while (message := await self.next()) is not None:
            if isinstance(message, dict) and message["type"] == kind:
                return message
        raise AssertionError(f"no {kind}: {self.kinds()}")

    async def rest(self) -> list[str]:
        while await self.next() is not None:
            pass
        return self.kinds()

    async def close(self) -> list[str]:
        await self.say(type="Close")
        return await self.rest()

    def kinds(self) -> list[str]:
        """Types in order, each run of audio as one "audio"."""
        kinds = ["audio" if isinstance(m, int) else m["type"] for m in self.got]
        return [kind for at, kind in enumerate(kinds) if kind != "audio" or kinds[at - 1] != "audio"]

    @property
    def audio(self) -> int:
        return sum(m for m in self.got if isinstance(m, int))


@asynccontextmanager
async def speaking(
    server: TestServer, path: str = "/v2/speak", query: str = ""
) -> AsyncIterator[SpeakClient]:
    model = "aura-2-thalia-en" if path == "/v1/speak" else "flux-haley-en"
    url = server.make_url(f"{path}?model={model}{query}")
    async with ClientSession() as session, session.ws_connect(url) as ws:
        yield SpeakClient(ws)


async def test_a_turn_has_all_its_messages_in_order(server: TestServer) -> None:
    async with speaking(server, query="&encoding=mulaw&sample_rate=8000") as client:
        await client.speak("Sure, I can help.")
        await client.say(type="Flush")
        done = await client.until("SpeechMetadata")
        assert await client.close() == [
            *("Connected", "SpeechStarted", "Flushed", "audio", "SpeechMetadata", "SessionMetadata")
        ]
        assert done["audio_duration_ms"] == 1000
        assert done["input_character_count"] == done["billable_character_count"] == 17
        assert done["speech_id"].startswith("dg_sp_")
        assert client.audio == 8000
        assert client.got[-1] == {
            "type": "SessionMetadata",
            "total_audio_duration_ms": 1000,
            "total_input_character_count": 17,
            "total_billable_character_count": 17,
        }
        assert client.ws.close_code == 1000


async def test_whole_sentences_are_spoken_before_the_flush(server: TestServer, voices: ToneVoices) -> None:
    async with speaking(server) as client:
        for token in ("Of", " course. ", "Dr. No", " takes a", " latte"):
            await client.speak(token)
        while "audio" not in client.kinds():
            await client.next()
        assert voices.rendered == ["Of course. "]
        await client.say(type="Flush")
        await client.until("SpeechMetadata")
        assert voices.rendered == ["Of course. ", "Dr. No takes a latte"]


async def test_turns_wait_for_each_other(server: TestServer) -> None:
    async with speaking(server) as client:
        for text in ("One.", "Two."):
            await client.speak(text)
            await client.say(type="Flush")
        one = ["SpeechStarted", "Flushed", "audio", "SpeechMetadata"]
        assert await client.close() == ["Connected", *one, *one, "SessionMetadata"]
        ids = [m["speech_id"] for m in client.got if isinstance(m, dict) and m["type"] == "SpeechStarted"]
        assert len(set(ids)) == 2


async def test_an_interrupt_says_what_was_heard_and_what_was_not(
    server: TestServer, voices: ToneVoices
) -> None:
    voices.go.clear()
    async with speaking(server, query="&sample_rate=16000") as client:
        await client.speak("Sure, I can help you wait here.")
        await client.say(type="Flush")
        while client.audio < 5 * 8000 - 5000:
            await client.next()
        await client.say(type="Interrupt", playback_offset={"type": "time_ms", "value": 554})
        cut = await client.until("SpeechInterrupted")
        assert cut["audio_played_ms"] == 554
        assert cut["text_spoken"] == "Sure, I"
        assert cut["text_remaining"] == " can help you wait here."
        assert cut["metadata"]["input_character_count"] == 31
        await client.say(type="Interrupt", playback_offset={"type": "time_ms", "value": 600})
        assert (await client.until("Warning"))["code"] == "NO_ACTIVE_SPEECH"
        voices.go.set()
        await client.speak("Next.")
        await client.say(type="Interrupt", playback_offset={"type": "time_ms", "value": 500})
        assert (await client.until("Warning"))["code"] in ("INVALID_INTERRUPT_OFFSET", "NO_ACTIVE_SPEECH")
        kinds = await client.close()
        assert "SpeechMetadata" not in kinds[: kinds.index("SpeechInterrupted")]
        last = client.got[-1]
        assert isinstance(last, dict)
        assert last["total_audio_duration_ms"] == 554 + 250


async def test_an_interrupt_without_an_offset_splits_nothing(server: TestServer, voices: ToneVoices) -> None:
    voices.go.clear()
    async with speaking(server) as client:
        await client.say(type="Interrupt")
        assert (await client.until("Warning"))["code"] == "NO_ACTIVE_SPEECH"
        await client.speak("wait for it")
        await client.say(type="Interrupt")
        assert (await client.until("Warning"))["code"] == "NO_AUDIO_GENERATED"
        await client.say(type="Flush")
        await client.until("Flushed")
        voices.go.set()
        await client.until("SpeechMetadata")
        voices.go.clear()
        await client.speak("again wait")
        await client.say(type="Flush")
        await client.until("Flushed")
        await client.say(type="Interrupt")
        cut = await client.until("SpeechInterrupted")
        assert "text_spoken" not in cut
        assert cut["audio_played_ms"] >= 750


async def test_configure_changes_the_speed_of_what_follows(server: TestServer, voices: ToneVoices) -> None:
    async with speaking(server) as client:
        for speed in (1.1, 3, 1.01):
            await client.say(type="Configure", speed=speed)
        await client.speak("Fast.")
        await client.close()
        answers = [m for m in client.got if isinstance(m, dict) and m["type"].startswith("Configure")]
        assert answers[0]["applied"] == {"speed": 1.1}
        assert [m.get("code") for m in answers[1:]] == ["SPEED_OUT_OF_RANGE", "SPEED_INCREMENT_INVALID"]
        assert voices.speeds == [1.1]


async def test_words_have_times_when_they_are_asked_for(server: TestServer) -> None:
    async with speaking(server, query="&word_times=true") as client:
        await client.speak("Sure. Now then.")
        await client.say(type="Flush")
        words = (await client.until("SpeechMetadata"))["words"]
        assert [(w["word"], w["start"], w["end"]) for w in words] == [
            *(("Sure.", 0.0, 0.25), ("Now", 0.25, 0.5), ("then.", 0.5, 0.75))
        ]


async def test_a_text_without_a_sound_is_a_warning(server: TestServer) -> None:
    async with speaking(server) as client:
        await client.speak(" ... ")
        await client.say(type="Flush")
        assert (await client.until("Warning"))["code"] == "NO_SYNTHESIZABLE_TEXT"
        assert (await client.until("SpeechMetadata"))["audio_duration_ms"] == 0
        await client.say(type="Flush")
        assert (await client.until("Warning"))["code"] == "NO_ACTIVE_SPEECH"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hello", "MESSAGE-0000"),
        ('{"type":"KeepAlive"}', "MESSAGE-0000"),
        ('{"type":"Speak"}', "DATA-0000"),
        ('{"type":"Speak","text":"a {pause:500ms} b"}', "DATA-0002"),
        ('{"type":"Configure","speed":"fast"}', "DATA-0000"),
        ('{"type":"Interrupt","playback_offset":5}', "DATA-0000"),
        ('{"type":"Speak","text":"' + "x" * 200_001 + '"}', "BIG-0000"),
    ],
)
async def test_what_cannot_be_understood_is_an_error_and_the_end(
    server: TestServer, text: str, code: str
) -> None:
    async with speaking(server) as client:
        await client.ws.send_str(text)
        assert (await client.until("Error"))["code"] == code
        await client.rest()
        assert client.ws.close_code == 1008


async def test_a_voice_that_breaks_ends_only_its_own_socket(server: TestServer) -> None:
    async with speaking(server) as client, speaking(server) as other:
        await client.speak("crash now")
        await client.say(type="Flush")
        assert (await client.until("Error"))["code"] == "NET-0000"
        await other.speak("Fine.")
        await other.say(type="Flush")
        await other.until("SpeechMetadata")


async def test_a_client_that_goes_away_stops_the_voice(server: TestServer, voices: ToneVoices) -> None:
    voices.go.clear()
    async with speaking(server) as client:
        await client.speak("wait for ever")
        await client.say(type="Flush")
        await client.until("Flushed")
    async with asyncio.timeout(5), speaking(server) as client:
        await client.close()
    assert server.app[ENGINE].speaking == 0


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "model"),
        ("model=bob", "model"),
        ("model=aura-2-thalia-en", "/v1/speak"),
        ("model=flux-haley-en&encoding=mp3", "encoding"),
        ("model=flux-haley-en&encoding=mulaw&sample_rate=24000", "sample_rate"),
        ("model=flux-haley-en&speed=2", "speed"),
        ("model=flux-haley-en&expressivity=9", "expressivity"),
        ("model=flux-haley-en&volume=9", "volume"),
        ("model=flux-haley-en&model=flux-drew-en", "model"),
        ("model=flux-haley-en&encoding=mulaw&encoding=alaw", "encoding"),
        ("model=flux-haley-en&speed=", "speed"),
        ("model=flux-haley-en&mip_opt_out=maybe", "mip_opt_out"),
        ("model=flux-haley-en&container=wav", "container"),
        ("model=flux-haley-en&encoding=linear16&bit_rate=48000", "bit_rate"),
    ],
)
async def test_a_bad_query_is_refused_by_name(server: TestServer, query: str, names: str) -> None:
    status, error, body = await refused(server, f"/v2/speak?{query}")
    assert status == 400
    assert names in error
    assert body["err_msg"] == error


async def test_the_older_path_has_its_own_messages(server: TestServer) -> None:
    async with speaking(server, "/v1/speak", "&encoding=mulaw") as client:
        await client.speak("One two.")
        await client.say(type="Flush")
        assert (await client.until("Flushed"))["sequence_id"] == 0
        await client.say(type="Clear")
        assert (await client.until("Cleared"))["sequence_id"] == 1
        await client.speak("x" * 2001)
        assert "code" in await client.until("Warning")
        await client.speak("Bye.")
        assert await client.close() == ["Metadata", "audio", "Flushed", "Cleared", "Warning", "audio"]
        assert client.audio == 3 * 2000


async def post(server: TestServer, query: str, body: object) -> tuple[int, dict[str, str], bytes]:
    async with ClientSession() as session:
        async with session.post(server.make_url(query), json=body) as response:
            return response.status, dict(response.headers), await response.read()


@pytest.mark.parametrize("encoding", ["linear16", "mulaw", "alaw"])
async def test_rest_answers_with_a_wav_that_says_its_length(server: TestServer, encoding: str) -> None:
    query = f"/v1/speak?model=aura-2-thalia-en&encoding={encoding}"
    status, headers, audio = await post(server, query, {"text": "Hello there."})
    assert status == 200
    assert headers["Content-Type"] == "audio/wav"
    wav = read_wav(audio)
    assert (wav.channels, wav.rate) == (1, 24000 if encoding == "linear16" else 8000)
    assert wav.duration_s == 0.5


@pytest.mark.parametrize("encoding", ["mp3", "opus", "flac", "aac"])
async def test_rest_refuses_what_would_need_an_encoder(server: TestServer, encoding: str) -> None:
    query = f"/v1/speak?model=aura-2-thalia-en&encoding={encoding}"
    status, headers, _ = await post(server, query, {"text": "Hello there."})
    assert status == 400
    assert "not supported by the local engine: linear16, mulaw, alaw" in headers["dg-error"]


async def test_the_older_path_needs_no_model(server: TestServer) -> None:
    """As the service: /v1/speak has a usual voice, /v2/speak has none."""
    status, headers, _ = await post(server, "/v1/speak", {"text": "Hello there."})
    assert (status, headers["dg-model-name"]) == (200, "aura-asteria-en")
    assert (await post(server, "/v2/speak", {"text": "Hello there."}))[0] == 400


async def test_rest_without_a_container_is_bare_audio(server: TestServer) -> None:
    query = "/v2/speak?model=flux-haley-en&encoding=mulaw&sample_rate=8000&container=none"
    status, headers, audio = await post(server, query, {"text": "Hello there."})
    assert (status, len(audio)) == (200, 4000)
    assert headers["dg-request-id"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"text": " "}, 400),
        ([], 400),
        ({"text": 5}, 400),
        ({"text": "x" * 2401}, 413),
        ("x" * 70_000, 413),
    ],
)
async def test_a_bad_body_is_refused(server: TestServer, body: object, status: int) -> None:
    got, headers, _ = await post(server, "/v1/speak?model=aura-2-thalia-en", body)
    assert got == status
    assert headers["dg-error"]


async def test_a_session_ends_after_its_longest_time() -> None:
    engine = Engine(LoudnessPool(), SynthesizerPool(ToneVoices()), speak_session_s=0.2)
    async with serving(make_app(engine)) as server, speaking(server) as client:
        await client.speak("One. ")
        assert (await client.until("Error"))["code"] == "NET-0003"
        await client.rest()
        assert client.ws.close_code == 1011
    assert engine.speaking == 0


async def test_where_nothing_can_speak_the_reason_is_told() -> None:
    synthesizers = SynthesizerPool(ToneVoices())
    synthesizers.trouble = "the model joe is not on this machine"
    async with serving(make_app(Engine(LoudnessPool(), synthesizers))) as server:
        status, error, _ = await refused(server, "/v2/speak?model=flux-haley-en")
        assert (status, error) == (503, "the model joe is not on this machine")
