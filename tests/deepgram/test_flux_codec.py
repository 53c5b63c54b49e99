"""The codec reads all that the live service has sent, and lets no client say more than the service allows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.deepgram import flux_codec
from tests.listen.recordings import CAPTURE, SESSIONS, session, texts


@pytest.mark.parametrize("name", SESSIONS)
def test_every_recorded_message_is_understood(name: str) -> None:
    """No message of the live service is Unknown to us."""
    assert not [m for m in session(name) if isinstance(m, flux_codec.Unknown)]


@pytest.mark.parametrize("name", SESSIONS)
def test_the_live_service_keeps_its_guarantees(name: str) -> None:
    """The checker asks nothing that the service does not give."""
    checker = flux_codec.Checker()
    if name == CAPTURE:
        checker.sent(flux_codec.Configure(eot_threshold=0.8))
    for message in session(name):
        assert checker.receive(message) == []
    assert checker.finish() == []


def test_a_capture_is_written_as_it_was_read() -> None:
    """TurnInfo and Connected come out again byte for byte, ConfigureSuccess with the field added since."""
    for message, raw in zip(session(CAPTURE), texts(CAPTURE), strict=True):
        fields = json.loads(raw)
        if fields["type"] == "ConfigureSuccess":
            fields["numerals"] = False
            assert json.loads(flux_codec.encode_server(message)) == fields
        else:
            assert flux_codec.encode_server(message) == raw


NO_MESSAGES = [
    ("", "not JSON"),
    ("<html>", "not JSON"),
    (b"\xff\xfe", "not JSON"),
    ("null", "not an object"),
    ("[]", "not an object"),
    ('{"type":"Metadata"}', "unknown type"),
    ('{"type":7}', "unknown type"),
    ("{}", "unknown type"),
    ('{"type":"TurnInfo"}', "malformed"),
    ('{"type":"TurnInfo","event":"Update","turn_index":null}', "malformed"),
]


@pytest.mark.parametrize(("text", "reason"), NO_MESSAGES)
def test_what_cannot_be_used_is_unknown_and_never_an_exception(text: str | bytes, reason: str) -> None:
    """The reading loop survives whatever arrives."""
    message = flux_codec.decode_server(text)
    assert isinstance(message, flux_codec.Unknown)
    assert message.reason.startswith(reason)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
TURN_FIELDS = (
    "event",
    "turn_index",
    "transcript",
    "words",
    "end_of_turn_confidence",
    "audio_window_start",
    "audio_window_end",
)


@given(st.dictionaries(st.sampled_from(TURN_FIELDS), JSON))
def test_a_broken_turn_info_is_never_an_exception(fields: dict[str, Any]) -> None:
    """A TurnInfo with any field missing or of any type is read or set aside."""
    flux_codec.decode_server(json.dumps({"type": "TurnInfo", **fields}))


def turn_info(**changes: Any) -> dict[str, Any]:
    return {
        "type": "TurnInfo",
        "request_id": "r",
        "event": "EndOfTurn",
        "turn_index": 2,
        "audio_window_start": 20.0,
        "audio_window_end": 24.48,
        "transcript": "Hi.",
        "words": [{"word": "Hi.", "confidence": 0.99, "start": 20.4, "end": 20.56}],
        "end_of_turn_confidence": 0.81,
        "sequence_id": 117,
        **changes,
    }


def test_new_triggers_events_and_fields_pass_through() -> None:
    """What the service may add later does not make a message unreadable."""
    later = flux_codec.decode_server(json.dumps(turn_info(trigger="mood", event="Sighed", mood="calm")))
    assert isinstance(later, flux_codec.TurnInfo)
    assert (later.trigger, later.event) == ("mood", "Sighed")
    assert flux_codec.decode_server(
        json.dumps(turn_info(languages=["en", "es"], languages_hinted=["en"]))
    ) == (
        flux_codec.TurnInfo(
            "EndOfTurn",
            2,
            "Hi.",
            (flux_codec.Word("Hi.", 0.99, 20.4, 20.56),),
            0.81,
            20.0,
            24.48,
            None,
            117,
            "r",
            ("en", "es"),
            ("en",),
        )
    )


NOTICES = [
    flux_codec.Connected("r", 0),
    flux_codec.ConfigureSuccess(0.8, 0.5, 6000, ("Acme",), ("en",), True, False, 9, "r"),
    flux_codec.ConfigureSuccess(0.8, None, 6000, sequence_id=9, request_id="r"),
    flux_codec.ConfigureFailure("INVALID_THRESHOLD", "no", 10, "r"),
    flux_codec.Warning(flux_codec.NO_ACTIVE_TURN, "no turn", 11, "r"),
    flux_codec.FatalError(flux_codec.UNPARSABLE, "what?", 12),
]


@pytest.mark.parametrize("message", NOTICES, ids=lambda m: type(m).__name__)
def test_what_the_engine_writes_the_client_reads(message: flux_codec.ServerMessage) -> None:
    """Both sides share the codec: a message survives the way over the wire."""
    assert flux_codec.decode_server(flux_codec.encode_server(message)) == message


CLIENT = [
    flux_codec.CloseStream(),
    flux_codec.ForceEndTurn(),
    flux_codec.Configure(),
    flux_codec.Configure(0.8, 0.5, 6000, ("Acme",), ("en", "es"), True),
    flux_codec.Configure(keyterms=(), language_hints=(), numerals=False),
]


@pytest.mark.parametrize("message", CLIENT, ids=repr)
def test_what_the_client_writes_the_engine_reads(message: flux_codec.ClientMessage) -> None:
    """An omitted value stays omitted, an empty list stays an empty list."""
    assert flux_codec.decode_client(flux_codec.encode_client(message)) == message


UNPARSABLE = [
    "hello",
    "[]",
    "{}",
    '{"type":"KeepAlive"}',
    '{"type":"Finalize"}',
    '{"type":["CloseStream"]}',
    '{"type":"Configure","numerals":"true"}',
    '{"type":"Configure","features":{"numerals":true}}',
    '{"type":"Configure","eot_threshold":0.8}',
    '{"type":"Configure","thresholds":{"eot":0.8}}',
    '{"type":"Configure","thresholds":[0.8]}',
    '{"type":"Configure","thresholds":{"eot_threshold":"0.8"}}',
    '{"type":"Configure","thresholds":{"eot_threshold":true}}',
    '{"type":"Configure","thresholds":{"eot_timeout_ms":5000.5}}',
    '{"type":"Configure","keyterms":"Acme"}',
    '{"type":"Configure","language_hints":[1]}',
]


@pytest.mark.parametrize("text", UNPARSABLE)
def test_the_server_side_refuses_what_the_service_refuses(text: str) -> None:
    """KeepAlive, Finalize, v1's nesting and wrong JSON types cost the socket there, so they do here."""
    with pytest.raises(flux_codec.FluxProtocolError):
        flux_codec.decode_client(text)


def test_a_later_configure_wins_value_by_value() -> None:
    """Two changes waiting for an answer become one."""
    older = flux_codec.Configure(eot_threshold=0.9, keyterms=("a",))
    assert flux_codec.Configure(eot_threshold=0.6, numerals=False).over(older) == flux_codec.Configure(
        eot_threshold=0.6, keyterms=("a",), numerals=False
    )
