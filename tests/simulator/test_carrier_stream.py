"""Twilio's end of the stream: it writes what Twilio writes, and flags what Twilio flags."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.carrier.media_messages import Clear, MarkOut, MediaOut
from telephony.simulator.carrier_stream import INVALID_MESSAGE, PROTOCOL_ERROR, CarrierStream, Violation


def carrier() -> CarrierStream:
    return CarrierStream("MZ1", "CA2", "AC3")


def test_the_messages_are_twilios() -> None:
    """Field by field as documented: numbers as text, except those of mediaFormat."""
    end = carrier()
    assert json.loads(end.encode_connected()) == {
        "event": "connected",
        "protocol": "Call",
        "version": "1.0.0",
    }
    assert json.loads(end.encode_start({"token": "é"})) == {
        "event": "start",
        "sequenceNumber": "1",
        "start": {
            "accountSid": "AC3",
            "streamSid": "MZ1",
            "callSid": "CA2",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"token": "é"},
        },
        "streamSid": "MZ1",
    }
    assert json.loads(end.encode_media(20, bytes(3))) == {
        "event": "media",
        "sequenceNumber": "2",
        "media": {"track": "inbound", "chunk": "1", "timestamp": "20", "payload": "AAAA"},
        "streamSid": "MZ1",
    }
    assert json.loads(end.encode_dtmf("5")) == {
        "event": "dtmf",
        "sequenceNumber": "3",
        "dtmf": {"track": "inbound_track", "digit": "5"},
        "streamSid": "MZ1",
    }
    assert json.loads(end.encode_mark("m")) == {
        "event": "mark",
        "sequenceNumber": "4",
        "mark": {"name": "m"},
        "streamSid": "MZ1",
    }
    assert json.loads(end.encode_stop()) == {
        "event": "stop",
        "sequenceNumber": "5",
        "stop": {"accountSid": "AC3", "callSid": "CA2"},
        "streamSid": "MZ1",
    }


def test_a_20_ms_frame_is_about_as_long_as_twilios() -> None:
    """So that costs measured against the simulator are those of real traffic."""
    assert 330 < len(carrier().encode_media(12_345, bytes(160))) < 400


MEDIA: dict[str, Any] = {"event": "media", "streamSid": "MZ1", "media": {"payload": "/wCA"}}


def test_what_is_allowed_passes() -> None:
    end = carrier()
    assert end.receive(json.dumps(MEDIA)) == MediaOut(b"\xff\x00\x80")
    assert end.receive('{"event":"mark","streamSid":"MZ1","mark":{"name":"1.0.0"}}') == MarkOut("1.0.0")
    assert end.receive('{"event":"clear","streamSid":"MZ1"}') == Clear()


@pytest.mark.parametrize(
    "message",
    [
        "hello",
        "[]",
        "{}",
        json.dumps({**MEDIA, "event": "play"}),
        json.dumps({**MEDIA, "event": ["media"]}),
        json.dumps({**MEDIA, "streamSid": "MZ2"}),
        json.dumps({**MEDIA, "track": "outbound"}),
        json.dumps({"event": "media", "media": MEDIA["media"]}),
        json.dumps({**MEDIA, "media": "/wCA"}),
        json.dumps({**MEDIA, "media": {"payload": "/wCA", "track": "outbound"}}),
        json.dumps({**MEDIA, "media": {"payload": 1}}),
        json.dumps({**MEDIA, "media": {"payload": "/wC"}}),
        json.dumps({**MEDIA, "media": {"payload": ""}}),
        '{"event":"mark","streamSid":"MZ1"}',
        '{"event":"mark","streamSid":"MZ1","mark":{}}',
        '{"event":"mark","streamSid":"MZ1","mark":{"name":""}}',
        '{"event":"mark","streamSid":"MZ1","mark":{"name":"a","at":1}}',
        '{"event":"clear","streamSid":"MZ1","clear":{}}',
    ],
)
def test_what_twilio_warns_of_is_flagged(message: str) -> None:
    event = carrier().receive(message)
    assert isinstance(event, Violation)
    assert event.code == INVALID_MESSAGE
    assert not event.payload


def test_a_binary_frame_is_flagged() -> None:
    assert carrier().receive(b"{}") == Violation(PROTOCOL_ERROR, "a binary frame")


def test_a_file_header_is_flagged_and_heard() -> None:
    sound = b"RIFF" + bytes(40)
    event = carrier().receive(json.dumps({**MEDIA, "media": {"payload": b64encode(sound).decode()}}))
    assert isinstance(event, Violation)
    assert event.payload == sound


@given(st.text() | st.binary() | st.dictionaries(st.text(), st.text() | st.integers()).map(json.dumps))
def test_nothing_that_arrives_raises(message: str | bytes) -> None:
    carrier().receive(message)
