"""Turns of speech and their accounts, whatever a client sends and in whatever order."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.engine.speak.speak_options import SpeakOptions
from telephony.engine.speak.speak_session import Cut, SpeakSession
from telephony.engine.speak.speak_turn import SpeakTurn
from telephony.engine.speak.voice_chunk import SpokenWord


def turn(text: str, flushed: bool = True) -> SpeakTurn:
    made = SpeakTurn("dg_sp_1")
    made.text, made.flushed = text, flushed
    return made


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        ("Hello. How are", "Hello. "),
        ("Hello.", ""),
        ("That is $8.40 for Dr. Smith and J. Doe", ""),
        ('She said "Go!" Then', 'She said "Go!" '),
        ("One\nTwo", "One\n"),
        ("Really?! Yes", "Really?! "),
        ("", ""),
    ],
)
def test_only_whole_sentences_are_certain_before_the_flush(text: str, certain: str) -> None:
    speech = turn(text, flushed=False)
    assert speech.take() == (0, certain)
    speech.flushed = True
    assert speech.take() == (len(certain), text[len(certain) :])
    assert speech.take() == (len(text), "")


def test_a_word_is_heard_when_its_sound_is_over() -> None:
    speech = turn("Sure, I can help.")
    speech.spoken([SpokenWord("Sure,", 0.0, 0.5, 0, 5), SpokenWord("I", 0.5, 0.6, 6, 7)], 0, 0.0)
    speech.spoken([SpokenWord("can", 0.0, 0.2, 0, 3)], 8, 0.6)
    assert speech.split(0.0) == ("", "Sure, I can help.")
    assert speech.split(0.554) == ("Sure,", " I can help.")
    assert speech.split(0.8) == ("Sure, I can", " help.")


STEPS = st.one_of(
    st.tuples(st.just("speak"), st.sampled_from(["One. ", "two", " ", "Three four."])),
    st.just(("flush",)),
    st.tuples(st.just("interrupt"), st.none() | st.integers(0, 4000)),
    st.just(("render",)),
    st.just(("close",)),
)


class Speaker:
    """Renders a quarter of a second for each word, and checks the order of what the session says."""

    def __init__(self) -> None:
        numbers = itertools.count()
        self.session = SpeakSession(SpeakOptions("flux-haley-en"), "r", lambda: f"dg_sp_{next(numbers)}")
        self.open: str | None = None
        self.heard_ms = 0
        self.made_s = 0.0

    def reported(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            match message["type"]:
                case "SpeechStarted":
                    assert self.open is None
                    self.open = message["speech_id"]
                case "Flushed":
                    assert self.open == message["speech_id"]
                case "SpeechMetadata":
                    assert self.open == message["speech_id"]
                    assert message["billable_character_count"] <= message["input_character_count"]
                    self.open = None
                case "SpeechInterrupted":
                    assert self.open == message["metadata"]["speech_id"]
                    assert message["audio_played_ms"] >= self.heard_ms
                    self.heard_ms, self.open = message["audio_played_ms"], None
                case "Warning" | "SessionMetadata":
                    pass
                case kind:
                    raise AssertionError(kind)

    def render(self) -> None:
        speech = self.session.turn
        if speech is None:
            return
        if not speech.started:
            self.made_s = 0.0
            self.reported(self.session.started(speech))
        place, text = speech.take()
        at = 0.0
        for word in text.split():
            start = text.index(word)
            words = [SpokenWord(word, at, at + 0.25, start, start + len(word))]
            speech.spoken(words, place, self.made_s)
            at += 0.25
        self.made_s += at
        self.session.made(self.made_s)
        if speech.flushed and not text:
            self.reported([*self.session.flushed(speech), *self.session.finished(speech)])

    def do(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("speak", text):
                message = {"type": "Speak", "text": text}
            case ("flush",):
                message = {"type": "Flush"}
            case ("interrupt", offset):
                at = None if offset is None else {"type": "time_ms", "value": offset}
                message = {"type": "Interrupt", "playback_offset": at}
            case ("close",):
                message = {"type": "Close"}
            case _:
                return self.render()
        answer = self.session.receive(json.dumps(message))
        if isinstance(answer, Cut):
            whole = self.session.turn.text if self.session.turn else ""
            answer = self.session.cut(answer)
            if "text_spoken" in answer[-1]:
                assert answer[-1]["text_spoken"] + answer[-1]["text_remaining"] == whole
            self.made_s = 0.0
        self.reported(answer)


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_whatever_comes_every_speech_begins_once_and_ends_once(steps: list[tuple[Any, ...]]) -> None:
    speaker = Speaker()
    for step in [*steps, ("close",)]:
        speaker.do(step)
    while speaker.session.turn is not None:
        speaker.render()
    assert speaker.open is None
    (total,) = speaker.session.closed()
    assert total["total_audio_duration_ms"] >= 0


def test_nobody_has_heard_more_than_was_made() -> None:
    """A claim beyond it counts as all of it; the next, true one is not refused for it."""
    speaker = Speaker()
    for text in ("One. ", "Two. "):
        for step in (("speak", text), ("flush",), ("render",), ("interrupt", 99_000)):
            speaker.do(step)
    assert speaker.heard_ms == 500
