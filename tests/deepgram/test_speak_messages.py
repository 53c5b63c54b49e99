"""The speaking wires' messages, against what the service really sent."""

from __future__ import annotations

import json

import pytest

from telephony.deepgram.speak_messages import (
    Dialect,
    SpeechEnded,
    SpeechInterrupted,
    SpeechStarted,
    TimedWord,
    Unneeded,
    VoiceError,
    VoiceReady,
    VoiceWarning,
    decode,
    dialect_of,
    interrupt,
    speak,
)
from tests.shared import shared_path


def captured(name: str) -> list[object]:
    frames = json.loads(shared_path(f"facts/captures/{name}").read_text())["frames"]
    return [decode(json.dumps(frame), Dialect.FLUX) for frame in frames]


def test_a_captured_speech_is_read() -> None:
    assert captured("fluxspeak-frames.json") == [
        VoiceReady("019f60dc-5032-7fb1-87f8-8644d13ca13f"),
        SpeechStarted("dg_sp_24682fee6658"),
        Unneeded("Flushed"),  # its audio may still be coming
        SpeechEnded("dg_sp_24682fee6658"),
        Unneeded("SessionMetadata"),
    ]


def test_a_captured_interrupt_is_read() -> None:
    (name,) = [
        p.name for p in shared_path("facts/captures").glob("fluxspeak-frames*") if "frames.json" not in p.name
    ]
    assert SpeechInterrupted("dg_sp_c78f63c65fa2", "Sure,") in captured(name)


def test_on_aura_flushed_is_the_end_and_clear_stops() -> None:
    assert decode('{"type":"Flushed","sequence_id":0}', Dialect.AURA) == SpeechEnded()
    assert decode('{"type":"Cleared","sequence_id":0}', Dialect.AURA) == SpeechInterrupted()
    assert json.loads(interrupt(Dialect.AURA, 100.0)) == {"type": "Clear"}
    assert dialect_of("aura-2-thalia-en") is Dialect.AURA
    assert dialect_of("flux-haley-en") is dialect_of("amy") is Dialect.FLUX


def test_warnings_and_errors_of_both_wires_are_read() -> None:
    assert decode('{"type":"Warning","code":"A","description":"b"}', Dialect.FLUX) == VoiceWarning("A", "b")
    assert decode('{"type":"Warning","warn_code":"A","warn_msg":"b"}', Dialect.AURA) == VoiceWarning("A", "b")
    assert decode('{"type":"Error","code":"NET-0004"}', Dialect.FLUX) == VoiceError("NET-0004")


def test_word_times_are_taken_where_they_make_sense() -> None:
    words = [{"word": "Hi", "start": 0, "end": 0.2}, {"word": "x", "start": 2, "end": 1}, "no", {"start": 1}]
    words.append({"word": "there", "start": 0.2, "end": 0.4, "estimated": True})
    message = decode(json.dumps({"type": "SpeechMetadata", "speech_id": "s", "words": words}), Dialect.FLUX)
    assert message == SpeechEnded("s", (TimedWord("Hi", 0.0, 0.2), TimedWord("there", 0.2, 0.4, True)))


@pytest.mark.parametrize("text", ["", "hello", "[]", "1", "{}", '{"type": 5}', '{"type": "New"}'])
def test_what_is_not_known_changes_nothing(text: str) -> None:
    assert isinstance(decode(text, Dialect.FLUX), Unneeded)


def test_any_text_can_be_spoken() -> None:
    assert json.loads(speak('Say "hi" \ud800 é')) == {"type": "Speak", "text": 'Say "hi" ? é'}
