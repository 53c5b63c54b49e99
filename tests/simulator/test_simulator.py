"""A call through real sockets: the simulator is as Twilio is, and hears what a caller would hear."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from telephony.audio.dtmf import tones
from telephony.audio.g711 import linear16_to_ulaw, ulaw_to_linear16
from telephony.audio.wav import read_wav
from telephony.carrier.media_messages import Dtmf, MarkReceived, Media, Started
from telephony.carrier.signature import handshake_urls, verify, webhook_urls
from telephony.errors import BadInput
from telephony.simulator.call_options import CallOptions
from telephony.simulator.call_report import CallResult
from telephony.simulator.caller import RecordingCaller
from telephony.simulator.network import Impairments
from telephony.simulator.simulator import place_call
from tests.carrier.twiml_server import CONNECT, Talk, TwimlServer

LOUD = bytes(1600)
"""0.2 s of full-scale mu-law."""


def speech(seconds: float, seed: int = 1) -> bytes:
    noise = np.random.default_rng(seed).normal(0, 4000, int(seconds * 8000)).clip(-30000, 30000)
    return linear16_to_ulaw(noise.astype("<i2").tobytes())


async def call(server: TwimlServer, sound: bytes, *, wait: float = 0.1, **options: object) -> CallResult:
    return await place_call(
        RecordingCaller(sound, wait),
        CallOptions(server=server.url, **options),  # type: ignore[arg-type]
    )


async def listen(talk: Talk) -> None:
    await talk.rest()


async def test_a_call_from_webhook_to_hang_up(tmp_path: Path) -> None:
    """Every frame arrives in order and on time, silence included, and the recordings are what was said."""
    said, answer = speech(0.61), speech(0.2, seed=2)

    async def agent(talk: Talk) -> None:
        await talk.until(Started)
        await talk.socket.send_str(talk.stream.encode_media(answer))
        await talk.rest()

    async with TwimlServer(agent) as server:
        result = await call(server, said, out_dir=tmp_path, source="x.wav", wait=0.2)
    (talk,) = server.talks
    started = next(event for event in talk.events if isinstance(event, Started))
    form = server.fields("/twilio/voice")[0]
    assert started.parameters == {"token": "t"}
    assert (started.call_sid, started.account_sid) == (form["CallSid"], form["AccountSid"])
    assert [media.timestamp_ms for media in talk.media] == [20 * n for n in range(len(talk.media))]
    assert [media.chunk for media in talk.media] == list(range(1, len(talk.media) + 1))
    heard = b"".join(media.payload for media in talk.media)
    assert heard[: len(said)] == said
    assert set(heard[len(said) :]) == {0xFF}
    assert talk.stopped
    told = result.as_json()
    assert (told["ended_by"], told["violations"], told["source"]) == ("caller", [], "x.wav")
    assert 0.8 <= told["duration_s"] < 1.5
    both = read_wav((tmp_path / "call.wav").read_bytes())
    stereo = np.frombuffer(both.linear16, "<i2").reshape(-1, 2)
    caller = np.frombuffer(ulaw_to_linear16(said), "<i2")
    assert both.channels == 2
    assert np.array_equal(stereo[: len(caller), 0], caller)
    assert read_wav((tmp_path / "caller.wav").read_bytes()).linear16 == stereo[:, 0].tobytes()
    assert read_wav((tmp_path / "agent.wav").read_bytes()).linear16 == stereo[:, 1].tobytes()
    (turn,) = told["turns"]
    assert result.phone is not None
    first = result.phone.playout.segments[0].start
    assert turn["agent"]["first_audio_s"] == pytest.approx(first / 8000, abs=0.001)
    spoken = np.frombuffer(ulaw_to_linear16(answer), "<i2")
    assert np.array_equal(stereo[first : first + len(spoken), 1], spoken)
    assert told["files"]["stereo"] == str(tmp_path / "call.wav")
    assert told["files"]["tape"] is None


async def test_the_webhook_has_twilios_parameters() -> None:
    async with TwimlServer(listen) as server:
        await call(server, speech(0.1), from_number="+15550001111", parameters=(("StirVerstat", "x"),))
    form, status = server.fields("/twilio/voice")[0], server.fields("/twilio/status")[0]
    assert form["CallStatus"] == "ringing"
    assert form["From"] == form["Caller"] == "+15550001111"
    assert form["Direction"] == "inbound"
    assert form["ApiVersion"] == "2010-04-01"
    assert form["CallSid"].startswith("CA") and len(form["CallSid"]) == 34
    assert form["FromCity"] == "" and form["StirVerstat"] == "x"
    assert (status["CallStatus"], status["CallSid"]) == ("completed", form["CallSid"])


async def test_the_handshake_is_twilios() -> None:
    async with TwimlServer(listen) as server:
        await call(server, speech(0.1))
    headers = server.talks[0].headers
    assert headers["User-Agent"] == "Twilio.TmeWs/1.0"
    for absent in ("Origin", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "X-Twilio-Signature"):
        assert absent not in headers


async def test_webhook_and_handshake_are_signed() -> None:
    async with TwimlServer(listen) as server:
        await call(server, speech(0.1), auth_token="12345")
    path, fields, headers = server.requests[0]
    multi = {name: [value] for name, value in fields.items()}
    assert verify(["12345"], webhook_urls(server.url, path), multi, headers["X-Twilio-Signature"])
    given = server.talks[0].headers["X-Twilio-Signature"]
    assert verify(["12345"], handshake_urls(server.url, "/media"), {}, given)


async def test_a_public_name_leads_to_the_server_and_is_what_is_signed() -> None:
    """As through a tunnel: the TwiML says wss://phone.example, the connection goes to the local port."""
    twiml = CONNECT.replace("/media", "wss://phone.example/media")
    async with TwimlServer(listen, {"/twilio/voice": twiml}) as server:
        result = await call(server, speech(0.1), auth_token="s", public_url="https://phone.example")
    _, fields, headers = server.requests[0]
    multi = {name: [value] for name, value in fields.items()}
    assert verify(["s"], ["https://phone.example/twilio/voice"], multi, headers["X-Twilio-Signature"])
    assert verify(["s"], ["wss://phone.example/media"], {}, server.talks[0].headers["X-Twilio-Signature"])
    assert result.ended_by == "caller"


async def test_marks_come_back_when_heard_and_all_at_a_clear() -> None:
    back: list[tuple[str, int]] = []

    async def agent(talk: Talk) -> None:
        await talk.until(Media)
        for text in (
            talk.stream.encode_mark("nothing queued"),
            talk.stream.encode_media(LOUD),
            talk.stream.encode_mark("heard"),
            talk.stream.encode_media(LOUD * 10),
            talk.stream.encode_mark("cut"),
        ):
            await talk.socket.send_str(text)
        while len(back) < 3:
            event = await talk.until(MarkReceived)
            assert isinstance(event, MarkReceived)
            back.append((event.name, talk.media[-1].timestamp_ms))
            if event.name == "heard":
                await talk.socket.send_str(talk.stream.encode_clear())
        await talk.rest()

    async with TwimlServer(agent) as server:
        result = await call(server, speech(0.5))
    assert [name for name, _ in back] == ["nothing queued", "heard", "cut"]
    assert back[0][1] <= 40
    assert 180 <= back[1][1] <= 300
    told = result.as_json()
    assert told["marks"] == {"sent": 3, "played": 2, "cleared": 1}
    assert len(told["clears_s"]) == 1
    assert told["turns"][0]["agent"]["interrupted"]
    assert told["turns"][0]["agent"]["last_audio_s"] == pytest.approx(
        told["clears_s"][0], abs=0.002
    )  # ms, both rounded


async def test_when_the_server_closes_the_action_says_how_the_call_goes_on() -> None:
    async def agent(talk: Talk) -> None:
        await talk.until(Media)
        await talk.socket.close()

    documents = {
        "/twilio/voice": CONNECT.replace("<Connect>", '<Connect action="/after?x=1">'),
        "/after": '<Response><Say>Bye</Say><Play digits="w1"/><Redirect>/last</Redirect></Response>',
        "/last": "<Response><Hangup/><Say>never</Say></Response>",
    }
    async with TwimlServer(agent, documents) as server:
        result = await call(server, speech(9.0))
    asked = [path for path, _, _ in server.requests if not path.startswith("/api")]
    assert asked == ["/twilio/voice", "/after", "/last", "/twilio/status"]
    assert server.fields("/after")[0]["CallStatus"] == "in-progress"
    assert server.fields("/after")[0]["x"] == "1"
    assert (result.ended_by, result.flags) == ("agent", [])
    assert [verb["verb"] for verb in result.verbs] == ["Connect", "Say", "Play", "Redirect", "Hangup"]


async def test_without_an_action_the_next_verb_follows_and_a_second_stream_goes_on() -> None:
    """The second stream's timestamps begin at 0; the caller's words go on where they are by then."""
    streams = 0

    async def agent(talk: Talk) -> None:
        nonlocal streams
        streams += 1
        if streams == 1:
            await talk.until(lambda event: isinstance(event, Media) and event.chunk == 5)
            await talk.socket.close()
        await talk.rest()

    said = speech(0.8)
    documents = {
        "/twilio/voice": CONNECT.replace("</Response>", "<Redirect>/again</Redirect></Response>"),
        "/again": CONNECT,
    }
    async with TwimlServer(agent, documents) as server:
        result = await call(server, said)
    second = server.talks[1].media
    assert second[0].timestamp_ms == 0
    assert said.find(second[0].payload) >= 5 * 160
    assert result.ended_by == "caller"
    assert result.phone is not None and bytes(result.phone.said).startswith(said)


async def test_a_rejected_call_is_refused() -> None:
    document = '<Response><Reject reason="busy"/></Response>'
    async with TwimlServer(listen, {"/twilio/voice": document}) as server:
        result = await call(server, speech(0.1))
    assert (result.ended_by, result.why, result.good) == ("refused", "busy", False)


async def test_a_dialled_party_that_is_busy_comes_back_by_the_action() -> None:
    documents = {
        "/twilio/voice": '<Response><Dial action="/after"><Number>+1555</Number></Dial></Response>',
        "/after": "<Response><Hangup/></Response>",
    }
    async with TwimlServer(listen, documents) as server:
        result = await call(server, speech(0.1), dial_status="busy")
    assert server.fields("/after")[0]["DialCallStatus"] == "busy"
    assert "DialCallSid" not in server.fields("/after")[0]
    assert result.ended_by == "agent"


async def test_everything_that_twilio_would_flag_is_flagged() -> None:
    async def agent(talk: Talk) -> None:
        await talk.until(Media)
        await talk.socket.send_str('{"event":"mark","streamSid":"MZother","mark":{"name":"a"}}')
        await talk.socket.send_str("hello")
        await talk.socket.send_str(talk.stream.encode_media(b"RIFF" + LOUD))
        await talk.socket.send_bytes(b"\xff")
        await talk.rest()

    async with TwimlServer(agent) as server:
        result = await call(server, speech(0.1))
    assert [flag.code for flag in result.flags] == [31951, 31951, 31951, 31924]
    assert not result.good
    assert result.as_json()["violations"][1]["reason"] == "not JSON"


async def test_a_server_that_dies_in_a_call_is_noticed() -> None:
    async def agent(talk: Talk) -> None:
        await talk.until(Media)
        transport = talk.socket._req.transport if talk.socket._req else None
        assert transport is not None
        transport.abort()

    async with TwimlServer(agent) as server:
        result = await call(server, speech(0.5))
    assert [flag.code for flag in result.flags] == [31903]
    assert result.ended_by == "agent"


async def test_a_close_that_means_trouble_is_flagged() -> None:
    async def agent(talk: Talk) -> None:
        await talk.until(Media)
        await talk.socket.close(code=1008)

    async with TwimlServer(agent) as server:
        result = await call(server, speech(0.5))
    assert [flag.code for flag in result.flags] == [31921]


async def test_a_refused_handshake_is_flagged_and_the_call_goes_on() -> None:
    document = CONNECT.replace("</Response>", "<Redirect>/after</Redirect></Response>")
    documents = {"/twilio/voice": document, "/after": "<Response/>"}
    async with TwimlServer(listen, documents, refuse_socket=403) as server:
        result = await call(server, speech(0.1))
    assert [flag.code for flag in result.flags] == [31920]
    assert "403" in result.flags[0].reason
    assert server.fields("/after")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/media", "ws://phone.example/media", "ftp://a.example"])
async def test_a_stream_that_is_not_secure_is_flagged_and_the_call_goes_on(url: str) -> None:
    document = CONNECT.replace("/media", url).replace("</Response>", "<Hangup/></Response>")
    async with TwimlServer(listen, {"/twilio/voice": document}) as server:
        result = await call(server, speech(0.1))
    assert [flag.code for flag in result.flags] == [31922]
    assert (result.ended_by, len(server.talks)) == ("agent", 0)


async def test_a_stream_status_callback_is_made() -> None:
    document = CONNECT.replace('url="/media"', 'url="/media" name="n" statusCallback="http://gone.invalid/x"')
    async with TwimlServer(listen) as server:
        server.documents = {"/twilio/voice": document.replace("http://gone.invalid", server.url)}
        await call(server, speech(0.1))
    events = [(form["StreamEvent"], form["StreamName"]) for form in server.fields("/x")]
    assert events == [("stream-started", "n"), ("stream-stopped", "n")]


async def test_keys_in_a_recording_are_reported() -> None:
    said = linear16_to_ulaw(bytes(3200) + tones("4") + bytes(1600) + tones("#") + bytes(1600))
    async with TwimlServer(listen) as server:
        result = await call(server, said)
    keys = [event.digit for event in server.talks[0].events if isinstance(event, Dtmf)]
    assert keys == ["4", "#"]
    told = result.as_json()["dtmf"]
    assert [key["digit"] for key in told] == ["4", "#"]
    assert [key["at_s"] for key in told] == [pytest.approx(0.2, abs=0.08), pytest.approx(0.46, abs=0.08)]


async def test_a_line_that_is_cut_says_neither_stop_nor_goodbye() -> None:
    async with TwimlServer(listen) as server:
        result = await call(server, speech(3.0), impairments=Impairments(drop_at_s=0.3))
        await asyncio.wait_for(server.talks[0].socket.close(), 5)
    assert not server.talks[0].stopped
    assert result.ended_by == "caller"
    assert not server.fields("/twilio/status")


@pytest.mark.parametrize(
    ("document", "kind", "status", "says"),
    [
        ("<Response/>", "text/plain", 200, "text/plain, not with TwiML"),
        ("<Response/>", "application/json", 200, "application/json, not with TwiML"),
        ("<Response/>", "application/octet-stream", 200, "not with TwiML"),
        ("<Response/>", "application/xhtml+xml", 200, "not with TwiML"),
        ("<!DOCTYPE Response><Response/>", "text/xml", 200, "has a DOCTYPE"),
        ("<Response><?x?></Response>", "text/xml", 200, "processing instruction"),
        ("", "text/xml", 200, "not XML"),
        ("<Response>" + "é" * 40_000 + "</Response>", "text/xml", 200, "longer than 64 KiB"),
        ("hello", "text/xml", 200, "not XML"),
        ("<html/>", "text/html", 200, "begins with <html>"),
        ("<Response/>", "text/xml", 500, "status 500"),
        ("<Response/>", "text/xml", 404, "status 404"),
        ("forbidden", "text/plain", 403, "status 403: forbidden"),
        ("<Response><Connect/></Response>", "text/xml", 200, "no <Stream>"),
    ],
)
async def test_an_answer_that_is_no_twiml_is_one_clear_line(
    document: str, kind: str, status: int, says: str
) -> None:
    async with TwimlServer(listen, {"/twilio/voice": document}, content_type=kind, status=status) as server:
        with pytest.raises(BadInput, match=says) as caught:
            await call(server, speech(0.1))
        assert str(caught.value).startswith(server.url + "/twilio/voice cannot take a call: ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("<!DOCTYPE Response><Response/>", 12100),
        ("<Response><Say>&nbsp;</Say></Response>", 12100),
        ("<Response><Speak>Hi</Speak><Hangup/></Response>", 12200),
        ("<Response><Hangup now='yes'/></Response>", 12200),
    ],
)
async def test_what_twilio_would_refuse_in_mid_call_is_flagged(document: str, code: int) -> None:
    """With Twilio's own code; the call is not good."""

    async def agent(talk: Talk) -> None:
        await talk.until(Media)
        await talk.socket.close()

    documents = {"/twilio/voice": CONNECT.replace("<Connect>", '<Connect action="/next">'), "/next": document}
    async with TwimlServer(agent, documents) as server:
        result = await call(server, speech(0.5))
    assert [flag.code for flag in result.flags] == [code] and not result.good


async def test_an_agent_that_makes_no_sound_before_an_apology_is_told() -> None:
    """Of a server whose API is closed to us nothing else is known."""

    async def agent(talk: Talk) -> None:
        await talk.until(lambda event: isinstance(event, Media) and event.timestamp_ms > 2200)
        await talk.socket.close()

    documents = {
        "/twilio/voice": CONNECT.replace("<Connect>", '<Connect action="/next">'),
        "/next": "<Response><Say>Sorry.</Say><Hangup/></Response>",
    }
    async with TwimlServer(agent, documents) as server:
        result = await call(server, speech(5.0))
    assert result.broken == ["the agent made no sound: is its speech service there?"] and not result.good


async def test_a_server_that_is_not_there_is_one_clear_line() -> None:
    async with TwimlServer(listen) as server:
        pass
    with pytest.raises(BadInput, match="does not answer: Connection refused. Start the server"):
        await call(server, speech(0.1))


async def test_documents_that_redirect_for_ever_are_ended() -> None:
    document = "<Response><Redirect>/twilio/voice</Redirect></Response>"
    async with TwimlServer(listen, {"/twilio/voice": document}) as server:
        result = await call(server, speech(0.1))
    assert (result.ended_by, result.why) == ("error", "the TwiML redirects for ever")


async def test_a_server_that_stops_answering_in_mid_call_ends_it() -> None:
    async def agent(talk: Talk) -> None:
        await talk.until(Media)
        await talk.socket.close()

    documents = {"/twilio/voice": CONNECT.replace("<Connect>", '<Connect action="/gone">')}
    async with TwimlServer(agent, documents) as server:
        result = await call(server, speech(0.5))
    assert result.ended_by == "error"
    assert [flag.code for flag in result.flags] == [11200]
