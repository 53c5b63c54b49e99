"""`/v2/listen` over real sockets, with the recognizer without a model; each client checks the guarantees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from aiohttp.test_utils import TestServer

from telephony.audio.wav import write_wav
from telephony.deepgram.flux_codec import (
    ConfigureFailure,
    ConfigureSuccess,
    Connected,
    FatalError,
    TurnInfo,
    Warning,
)
from telephony.engine.listen.loudness import LoudnessPool
from telephony.engine.server import ENGINE, Engine, make_app
from telephony.engine.speak.synthesizer_pool import SynthesizerPool
from tests.engine.engine_client import QUERY, events, listening, noise, refused, serving, silence
from tests.engine.tone_voice import ToneVoices


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async with serving(
        make_app(Engine(LoudnessPool(), SynthesizerPool(ToneVoices()), listen_limit=4))
    ) as running:
        yield running


async def test_a_turn_is_told_from_connected_to_close(server: TestServer) -> None:
    """Also: an Update for every 0.24 s, and a close without a code after CloseStream."""
    async with listening(server, QUERY + "&eager_eot_threshold=0.4", eager=True) as client:
        await client.audio(silence(9) + noise(10) + silence(20))
        end = await client.until("EndOfTurn")
        assert end.trigger == "model"
        await client.close_stream()
        assert isinstance(client.messages[0], Connected)
        assert events(client.messages) == ["Connected", "StartOfTurn", "EagerEndOfTurn", "EndOfTurn"]
        assert client.close_data == 0  # how aiohttp reads a close frame that is empty
        reported = [m.audio_window_end for m in client.messages if isinstance(m, TurnInfo)]
        assert reported[:3] == [0.24, 0.48, 0.72]
        assert reported[-1] == 39 * 0.08


async def test_speech_after_an_eager_resumes_the_turn(server: TestServer) -> None:
    async with listening(server, QUERY + "&eager_eot_threshold=0.3", eager=True) as client:
        await client.audio(noise(10) + silence(4) + noise(10) + silence(20))
        await client.close_stream()
        assert events(client.messages) == [
            "Connected",
            "StartOfTurn",
            *("EagerEndOfTurn", "TurnResumed"),
            *("EagerEndOfTurn", "EndOfTurn"),
        ]


async def test_configure_force_end_turn_and_warning(server: TestServer) -> None:
    async with listening(server) as client:
        await client.say('{"type":"Configure","thresholds":{"eot_threshold":0.9},"keyterms":["Acme"]}')
        await client.say('{"type":"Configure","thresholds":{"eot_threshold":0.2}}')
        await client.audio(noise(10))
        await client.say('{"type":"ForceEndTurn"}')
        await client.say('{"type":"ForceEndTurn"}')
        await client.close_stream()
        kinds = [type(m) for m in client.messages if not isinstance(m, TurnInfo)]
        assert kinds == [Connected, ConfigureSuccess, ConfigureFailure, Warning]
        ends = [m for m in client.messages if isinstance(m, TurnInfo) and m.event == "EndOfTurn"]
        assert [end.trigger for end in ends] == ["manual"]


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"KeepAlive"}',
        '{"type":"Finalize"}',
        "hello",
        "",
        "[]",
        '{"type":"Configure","numerals":"true"}',
        '{"type":"Configure","features":{"numerals":true}}',
        "[" * 100_000,
    ],
)
async def test_any_other_text_is_an_error_and_the_end(server: TestServer, text: str) -> None:
    async with listening(server) as client:
        await client.audio(silence(3))
        await client.say(text)
        messages = await client.rest()
        assert isinstance(messages[-1], FatalError)
        assert messages[-1].code == "UNPARSABLE_CLIENT_MESSAGE"
        assert client.close_code == 1008


@pytest.mark.parametrize(
    ("query", "status", "names"),
    [
        ("", 400, "model"),
        ("model=flux", 403, "model"),
        (QUERY + "&eot_threshold=0.49", 400, "eot_threshold"),
        (QUERY + "&eot_threshold=1.01", 400, "eot_threshold"),
        (QUERY + "&eager_eot_threshold=0.8", 400, "eager_eot_threshold"),
        (QUERY + "&eot_timeout_ms=499", 400, "eot_timeout_ms"),
        (QUERY + "&language=en", 400, "language"),
        (QUERY + "&language_hint=en", 400, "language_hint"),
        (QUERY + "&redact=names", 400, "redact"),
        ("model=flux-general-en&encoding=linear16", 400, "sample_rate"),
        ("model=flux-general-en&encoding=opus&sample_rate=48000", 400, "encoding"),
        ("model=flux-general-en&encoding=ogg-opus", 400, "not supported by the local engine"),
        (QUERY + "&sample_rate=8000", 400, "sample_rate: given twice"),
        ("model=flux-general-en&encoding=linear16&sample_rate=11025", 400, "sample_rate"),
        (QUERY + "&keyterm=caf%C3%A9%0d%0aX-Evil:1&eot_threshold=x", 400, "eot_threshold"),
    ],
)
async def test_a_bad_query_is_refused_by_name(
    server: TestServer, query: str, status: int, names: str
) -> None:
    got, error, body = await refused(server, f"/v2/listen?{query}")
    assert got == status
    assert names in error
    assert body["err_msg"] == error
    assert body["err_code"]
    assert body["request_id"]


async def test_the_old_path_is_refused_with_the_reason(server: TestServer) -> None:
    status, error, _ = await refused(server, "/v1/listen?model=nova-3")
    assert status == 400
    assert "/v2/listen" in error


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_a_request_that_is_no_handshake_is_refused(server: TestServer, method: str) -> None:
    url = server.make_url(f"/v2/listen?{QUERY}")
    async with ClientSession() as session, session.request(method, url) as response:
        assert response.status == 400
        assert "websocket" in response.headers["dg-error"]


async def test_streams_over_the_limit_get_429_and_room_is_made_again(server: TestServer) -> None:
    streams = [listening(server) for _ in range(4)]
    clients = [await stream.__aenter__() for stream in streams]
    assert [type(await client.next()) for client in clients] == [Connected] * 4
    status, _, body = await refused(server, f"/v2/listen?{QUERY}")
    assert (status, body["err_code"]) == (429, "TOO_MANY_REQUESTS")
    await clients[0].close_stream()
    for stream in streams:
        await stream.__aexit__(None, None, None)
    async with listening(server) as client:
        assert isinstance(await client.next(), Connected)


async def test_a_hundred_at_once_are_served_or_refused(server: TestServer) -> None:
    async def one() -> int:
        try:
            async with listening(server) as client:
                await client.audio(noise(4) + silence(15))
                await client.close_stream()
                assert events(client.messages) == ["Connected", "StartOfTurn", "EndOfTurn"]
                return 101
        except Exception as error:
            return int(getattr(error, "status", 0))

    answers = await asyncio.gather(*(one() for _ in range(100)))
    assert set(answers) <= {101, 429}
    assert answers.count(101) >= 4
    assert server.app[ENGINE].listening == 0


@pytest.mark.parametrize("query", ["model=flux-general-en", "model=flux-general-multi&language_hint=en"])
async def test_a_wav_is_heard_without_encoding(server: TestServer, query: str) -> None:
    async with listening(server, query) as client:
        await client.audio(write_wav(noise(10) + silence(20), rate=8000), chunk=777)
        await client.close_stream()
        assert events(client.messages) == ["Connected", "StartOfTurn", "EndOfTurn"]


async def test_garbage_without_a_form_is_an_error(server: TestServer) -> None:
    async with listening(server, "model=flux-general-en") as client:
        await client.ws.send_bytes(b"\x00garbage")
        (error,) = (await client.rest())[1:]
        assert isinstance(error, FatalError)
        assert "WAV" in error.description


async def test_a_browser_passes_its_key_as_a_protocol(server: TestServer) -> None:
    url = server.make_url(f"/v2/listen?{QUERY}")
    async with ClientSession() as session, session.ws_connect(url, protocols=("token", "key")) as ws:
        assert ws.protocol == "token"


async def too_big(ws: ClientWebSocketResponse) -> int | None:
    """Sends 10 MB of text; the code with which the server closes."""
    try:
        await ws.send_str("x" * 10_000_000)
    except ConnectionError:
        pass
    while (message := await ws.receive(10)).type is WSMsgType.TEXT:
        pass
    return ws.close_code if message.type is WSMsgType.CLOSE else 1006


async def test_a_text_of_ten_megabytes_closes_only_its_own_stream(server: TestServer) -> None:
    async with listening(server) as other, listening(server) as client:
        assert await too_big(client.ws) in (1009, 1006)
        await other.audio(noise(4) + silence(15))
        await other.until("EndOfTurn")


async def test_a_client_that_never_reads_holds_up_only_itself(server: TestServer) -> None:
    """Its messages fill the sockets' buffers; then it is no longer read from, and memory stays as it is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    head = f"GET /v2/listen?{QUERY} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"{head}{key}\r\n".encode())
    frame = b"\x82\xfe" + (1280).to_bytes(2, "big") + bytes(4) + bytes(1280)
    flood = asyncio.create_task(keep_writing(writer, frame))
    async with listening(server) as other:
        await other.audio(noise(4) + silence(15))
        await other.until("EndOfTurn")
        await other.close_stream()
    flood.cancel()
    await asyncio.gather(flood, return_exceptions=True)
    writer.transport.abort()


async def keep_writing(writer: asyncio.StreamWriter, frame: bytes) -> None:
    while True:
        writer.write(frame)
        await writer.drain()


async def test_a_stream_that_breaks_off_in_mid_turn_leaves_nothing_behind(server: TestServer) -> None:
    async with listening(server) as client:
        await client.audio(noise(10))
        await client.until("StartOfTurn")
        assert client.ws._response.connection is not None
        client.ws._response.connection.transport.abort()  # type: ignore[union-attr]
    async with listening(server) as client:
        await client.close_stream()
    assert server.app[ENGINE].listening == 0


async def test_a_server_that_stops_says_so() -> None:
    async with (
        serving(make_app(Engine(LoudnessPool(), SynthesizerPool(ToneVoices())))) as server,
        listening(server) as client,
    ):
        await client.next()
        closing = asyncio.create_task(server.close())
        assert await client.rest() == []
        assert client.close_code == 1001
        await closing


def test_the_limit_follows_the_cores() -> None:
    assert Engine(LoudnessPool(), SynthesizerPool(ToneVoices())).listen_limit % 2 == 0
    assert replace(Engine(LoudnessPool(), SynthesizerPool(ToneVoices())), listen_limit=1).listen_limit == 1


FORM = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0"


@pytest.mark.parametrize(
    ("query", "audio", "says"),
    [
        ("", FORM, "no data chunk"),
        ("", FORM + b"LIST\3\0\0\0abc", "no data chunk"),
        ("", FORM + b"data\0\0\0\0", "no sound"),
        ("", b"RI", "no data chunk"),
        ("&encoding=linear16&sample_rate=8000", b"ID3\4" + bytes(500), "an MP3"),
        ("&encoding=linear16&sample_rate=16000", FORM + b"data\xff\0\0\0" + bytes(400), "was promised"),
        (
            "&encoding=mulaw&sample_rate=8000",
            b"<!doctype html><html><body>Service Unavailable</body></html>   ",
            "text",
        ),
        ("&encoding=linear16&sample_rate=8000", bytes(1281), "middle of a sample"),
        ("&encoding=linear32&sample_rate=8000", bytes(1282), "middle of a sample"),
    ],
)
async def test_audio_that_cannot_be_heard_is_an_error_at_the_latest_at_close_stream(
    server: TestServer, query: str, audio: bytes, says: str
) -> None:
    """`Error`, the last message, and then the close: nothing is swallowed in silence."""
    async with listening(server, f"model=flux-general-en{query}") as client:
        await client.audio(audio)
        await client.say('{"type":"CloseStream"}')
        messages = await client.rest()
        assert isinstance(messages[-1], FatalError)
        assert (messages[-1].code, client.close_code) == ("DATA-0000", 1008)
        assert says in messages[-1].description


async def test_what_was_heard_is_told_before_the_error_about_its_end(server: TestServer) -> None:
    async with listening(server) as client:
        await client.audio(silence(9) + noise(10) + silence(20) + b"\0")
        await client.say('{"type":"CloseStream"}')
        messages = await client.rest()
        assert events(messages)[:3] == ["Connected", "StartOfTurn", "EndOfTurn"]
        assert isinstance(messages[-1], FatalError)
