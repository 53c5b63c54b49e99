"""Our end of Twilio's media stream: every message Twilio documents, and everything a peer can do wrong."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telephony.carrier.media_messages import (
    CarrierConnected,
    Clear,
    Dtmf,
    MarkOut,
    MarkReceived,
    Media,
    MediaOut,
    Started,
    Stopped,
)
from telephony.carrier.media_stream import CLOSE_CODES, MAX_FAULTS, Fatal, Fault, Ignored, ServerStream
from telephony.errors import LocalProtocolError
from telephony.simulator.carrier_stream import CarrierStream

SID = "MZ18ad3ab5a668481ce02b83e7395059f0"
CONNECTED = """{"event": "connected", "protocol": "Call", "version": "1.0.0"}"""
START = f"""{{
  "event": "start", "sequenceNumber": "1",
  "start": {{
    "accountSid": "AC00000000000000000000000000000001", "streamSid": "{SID}",
    "callSid": "CA00000000000000000000000000000002", "tracks": ["inbound"],
    "mediaFormat": {{"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}},
    "customParameters": {{"token": "v1.abc", "Zoë & <co>": "é"}}
  }},
  "streamSid": "{SID}"
}}"""
MEDIA = f"""{{
  "event": "media", "sequenceNumber": "3",
  "media": {{
    "track": "inbound", "chunk": "1", "timestamp": "5", "payload": "{b64encode(bytes(160)).decode()}"
  }},
  "streamSid": "{SID}"
}}"""
DTMF = f"""{{
  "event": "dtmf", "streamSid": "{SID}", "sequenceNumber": "5",
  "dtmf": {{"track": "inbound_track", "digit": "1"}}
}}"""
MARK = f"""{{"event": "mark", "sequenceNumber": "4", "streamSid": "{SID}", "mark": {{"name": "3.0.1"}}}}"""
STOP = f"""{{
  "event": "stop", "sequenceNumber": "5", "streamSid": "{SID}",
  "stop": {{
    "accountSid": "AC00000000000000000000000000000001", "callSid": "CA00000000000000000000000000000002"
  }}
}}"""


def started() -> ServerStream:
    stream = ServerStream()
    stream.receive(CONNECTED)
    assert isinstance(stream.receive(START), Started)
    return stream


def changed(message: str, **inner: Any) -> str:
    """The message with fields of its inner object changed, or left out where the value is ...."""
    parsed = json.loads(message)
    body = parsed[parsed["event"]]
    for name, value in inner.items():
        if value is ...:
            del body[name]
        else:
            body[name] = value
    return json.dumps(parsed)


def outer(message: str, **fields: Any) -> str:
    return json.dumps({**json.loads(message), **fields})


def test_a_call_from_connected_to_stop() -> None:
    stream = ServerStream()
    assert stream.receive(CONNECTED) == CarrierConnected()
    assert stream.stream_sid is None
    assert stream.receive(START) == Started(
        stream_sid=SID,
        account_sid="AC00000000000000000000000000000001",
        call_sid="CA00000000000000000000000000000002",
        tracks=("inbound",),
        parameters={"token": "v1.abc", "Zoë & <co>": "é"},
        encoding="audio/x-mulaw",
        sample_rate=8000,
        channels=1,
    )
    assert stream.stream_sid == SID
    assert stream.receive(MEDIA) == Media(chunk=1, timestamp_ms=5, payload=bytes(160), track="inbound")
    assert stream.receive(DTMF) == Dtmf("1")
    assert stream.receive(MARK) == MarkReceived("3.0.1")
    assert stream.receive(STOP) == Stopped("CA00000000000000000000000000000002")
    assert (stream.counters.bad, stream.counters.unknown, stream.counters.media) == (0, 0, 1)


def test_what_is_sent_has_exactly_the_documented_keys() -> None:
    stream = started()
    assert json.loads(stream.encode_media(b"\xff\x00\x80")) == {
        "event": "media",
        "streamSid": SID,
        "media": {"payload": "/wCA"},
    }
    assert json.loads(stream.encode_mark('1.0.2 "é')) == {
        "event": "mark",
        "streamSid": SID,
        "mark": {"name": '1.0.2 "é'},
    }
    assert json.loads(stream.encode_clear()) == {"event": "clear", "streamSid": SID}


def test_nothing_is_sent_before_the_stream_has_a_name() -> None:
    stream = ServerStream()
    with pytest.raises(LocalProtocolError):
        stream.encode_media(b"")
    with pytest.raises(LocalProtocolError):
        stream.encode_mark("a")
    with pytest.raises(LocalProtocolError):
        stream.encode_clear()
    with pytest.raises(LocalProtocolError):
        started().encode_mark("")


def test_unknown_events_and_fields_are_tolerated_and_counted_apart() -> None:
    stream = started()
    assert isinstance(stream.receive(outer(MEDIA, event="speech", quality=3)), Ignored)
    assert isinstance(stream.receive(outer(changed(MEDIA, loudness=-20), region="us1")), Media)
    assert isinstance(stream.receive(changed(MEDIA, track="outbound")), Ignored)
    assert (stream.counters.bad, stream.counters.unknown) == (0, 2)


def test_what_start_leaves_out_has_its_usual_value() -> None:
    message = changed(START, tracks=..., mediaFormat=..., customParameters=...)
    event = ServerStream().receive(message)
    assert isinstance(event, Started)
    assert (event.tracks, event.parameters, event.sample_rate) == ((), {}, 8000)


IGNORED = [
    ("", Fault.NOT_JSON),
    ("{", Fault.NOT_JSON),
    ("[]", Fault.NOT_JSON),
    ("null", Fault.NOT_JSON),
    ('{"event": NaN}', Fault.NOT_JSON),
    ("[" * 60_000, Fault.NOT_JSON),
    ('{"event": "\udc00"}', Fault.NOT_JSON),
    ("{}", Fault.WRONG_TYPE),
    ('{"event": ["media"]}', Fault.WRONG_TYPE),
    ('{"event": null}', Fault.WRONG_TYPE),
    (outer(MEDIA, media="x"), Fault.WRONG_TYPE),
    (outer(MEDIA, media=None), Fault.WRONG_TYPE),
    (changed(MEDIA, payload=1), Fault.WRONG_TYPE),
    (changed(MEDIA, payload=...), Fault.WRONG_TYPE),
    (changed(MEDIA, track=7), Fault.WRONG_TYPE),
    (changed(MEDIA, chunk=1), Fault.WRONG_TYPE),
    (changed(MEDIA, timestamp=5), Fault.WRONG_TYPE),
    (changed(MEDIA, timestamp="5.0"), Fault.WRONG_TYPE),
    (changed(MEDIA, timestamp="-5"), Fault.WRONG_TYPE),
    (changed(MEDIA, timestamp="٣"), Fault.WRONG_TYPE),
    (changed(MEDIA, timestamp="9" * 5000), Fault.WRONG_TYPE),
    (changed(MEDIA, timestamp=...), Fault.WRONG_TYPE),
    (changed(MEDIA, payload="AAA"), Fault.BAD_BASE64),
    (changed(MEDIA, payload="AAA=AAAA"), Fault.BAD_BASE64),
    (changed(MEDIA, payload="AA AA"), Fault.BAD_BASE64),
    (changed(MEDIA, payload="AA-_"), Fault.BAD_BASE64),
    (changed(MEDIA, payload="éééé"), Fault.BAD_BASE64),
    (outer(MEDIA, streamSid="MZother"), Fault.FOREIGN_STREAM),
    (outer(MARK, streamSid=None), Fault.FOREIGN_STREAM),
    (outer(STOP, streamSid=SID.lower()), Fault.FOREIGN_STREAM),
    (outer(DTMF, dtmf=3), Fault.WRONG_TYPE),
    (changed(DTMF, digit="12"), Fault.WRONG_TYPE),
    (changed(DTMF, digit=""), Fault.WRONG_TYPE),
    (changed(DTMF, digit=5), Fault.WRONG_TYPE),
    (changed(MARK, name=None), Fault.WRONG_TYPE),
    (CONNECTED, Fault.OUT_OF_ORDER),
]


@pytest.mark.parametrize(("message", "fault"), IGNORED)
def test_a_bad_message_is_counted_and_ignored(message: str, fault: Fault) -> None:
    stream = started()
    event = stream.receive(message)
    assert isinstance(event, Ignored)
    assert event.fault is fault
    assert stream.counters.faults == {fault.value: 1}
    assert isinstance(stream.receive(MEDIA), Media)


@pytest.mark.parametrize("message", [MEDIA, MARK, DTMF, STOP])
def test_nothing_is_believed_before_start_or_after_stop(message: str) -> None:
    before = ServerStream()
    assert before.receive(message) == Ignored("before start", Fault.OUT_OF_ORDER)
    after = started()
    after.receive(STOP)
    assert after.receive(message) == Ignored("after stop", Fault.OUT_OF_ORDER)


@pytest.mark.parametrize(
    "message",
    [
        outer(START, start=[]),
        changed(START, streamSid=1),
        changed(START, streamSid=""),
        changed(START, callSid=...),
        changed(START, tracks="inbound"),
        changed(START, tracks=[1]),
        changed(START, customParameters=[]),
        changed(START, customParameters={"token": 1}),
        changed(START, mediaFormat="audio/x-mulaw"),
        outer(START, streamSid="MZother"),
    ],
)
def test_a_start_that_cannot_be_read_starts_nothing(message: str) -> None:
    stream = ServerStream()
    assert stream.receive(message) == Ignored(stream_reason(message), Fault.WRONG_TYPE)
    assert stream.stream_sid is None
    assert isinstance(stream.receive(START), Started)


def stream_reason(message: str) -> str:
    event = ServerStream().receive(message)
    assert isinstance(event, Ignored)
    return event.reason


def test_a_second_start_ends_the_stream() -> None:
    event = started().receive(START)
    assert isinstance(event, Fatal)
    assert (event.code, event.fault) == (1008, Fault.SECOND_START)


def test_a_binary_frame_ends_the_stream() -> None:
    event = started().receive(MEDIA.encode())
    assert isinstance(event, Fatal)
    assert (event.code, event.fault) == (1003, Fault.BINARY)


@pytest.mark.parametrize("letter", ["a", "é", "\udc00", "🎺"])
def test_more_than_64_kib_ends_the_stream(letter: str) -> None:
    size = len(letter.encode(errors="surrogatepass"))
    event = started().receive(letter * (65_536 // size + 1))
    assert isinstance(event, Fatal)
    assert (event.code, event.fault) == (1009, Fault.TOO_LARGE)
    assert isinstance(started().receive(letter * (65_536 // size)), Ignored)


@pytest.mark.parametrize(
    "sound",
    [
        {"encoding": "audio/x-l16", "sampleRate": 8000, "channels": 1},
        {"encoding": "audio/x-mulaw", "sampleRate": 16000, "channels": 1},
        {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 2},
    ],
)
def test_audio_of_another_kind_ends_the_stream(sound: dict[str, Any]) -> None:
    event = ServerStream().receive(changed(START, mediaFormat=sound))
    assert isinstance(event, Fatal)
    assert (event.code, event.fault) == (1003, Fault.UNSUPPORTED_AUDIO)


def test_after_20_bad_messages_the_stream_ends() -> None:
    stream = started()
    events = [stream.receive(message) for message, _ in IGNORED[:MAX_FAULTS]]
    assert all(isinstance(event, Ignored) for event in events[:-1])
    last = events[-1]
    assert isinstance(last, Fatal)
    assert (last.code, last.fault) == (1008, Fault.TOO_MANY_FAULTS)


def test_the_modules_table_is_the_codes() -> None:
    """The table that people read says of every fault what the code does."""
    from telephony.carrier import media_stream

    assert media_stream.__doc__ is not None
    for fault, code in CLOSE_CODES.items():
        row = next(line for line in media_stream.__doc__.splitlines() if line.startswith(fault.value + " "))
        assert ("counted, ignored" in row) if code is None else (f"ends the stream, {code}" in row)
    assert set(CLOSE_CODES) == set(Fault)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = [
    "event",
    "streamSid",
    "start",
    "media",
    "mark",
    "dtmf",
    "stop",
    "payload",
    "chunk",
    "timestamp",
    "digit",
]


@st.composite
def nearly_messages(draw: st.DrawFn) -> str:
    """A real message with one or more of its parts replaced by something else."""
    parsed = json.loads(draw(st.sampled_from([CONNECTED, START, MEDIA, DTMF, MARK, STOP])))
    for _ in range(draw(st.integers(0, 3))):
        target = draw(
            st.sampled_from([part for part in (parsed, *parsed.values()) if isinstance(part, dict)])
        )
        target[draw(st.sampled_from(sorted(set(NAMES) | set(target))))] = draw(JSON)
    return json.dumps(parsed)


@given(st.lists(nearly_messages() | st.text() | st.binary() | JSON.map(json.dumps), max_size=40))
@example([START, MEDIA, "[" * 65_000, MEDIA])
def test_nothing_that_arrives_raises(messages: list[str | bytes]) -> None:
    """And the promise of the types holds: sound only in a started stream, and one start."""
    stream = ServerStream()
    for message in messages:
        sid = stream.stream_sid
        event = stream.receive(message)
        if isinstance(event, (Media, Dtmf, MarkReceived, Stopped)):
            assert sid is not None
        if isinstance(event, Media):
            assert event.chunk >= 0 and event.timestamp_ms >= 0
        if isinstance(event, Started):
            assert sid is None and stream.stream_sid == event.stream_sid
        if stream.stream_sid is not None:
            json.loads(stream.encode_media(b"\xff"))


@given(st.text(min_size=1).filter(lambda name: name.isprintable()), st.binary(min_size=1, max_size=2000))
def test_both_ends_understand_each_other(name: str, sound: bytes) -> None:
    stream, carrier = ServerStream(), CarrierStream(SID, "CA1", "AC1")
    assert stream.receive(carrier.encode_connected()) == CarrierConnected()
    assert stream.receive(carrier.encode_start({"token": name})) == Started(
        SID, "AC1", "CA1", ("inbound",), {"token": name}
    )
    for chunk in (1, 2):
        assert stream.receive(carrier.encode_media(20 * chunk, sound)) == Media(chunk, 20 * chunk, sound)
    assert stream.receive(carrier.encode_dtmf("#")) == Dtmf("#")
    assert stream.receive(carrier.encode_mark(name)) == MarkReceived(name)
    heard = carrier.receive(stream.encode_media(b"\xff" + sound))
    assert heard == MediaOut(b"\xff" + sound)
    assert carrier.receive(stream.encode_mark(name)) == MarkOut(name)
    assert carrier.receive(stream.encode_clear()) == Clear()
    assert stream.receive(carrier.encode_stop()) == Stopped("CA1")
