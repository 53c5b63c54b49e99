"""Messages as lines for a person."""

from __future__ import annotations

import re

import pytest

from telephony.commands.transcribe_screen import COLOURS, REWRITE, Screen, coloured
from telephony.deepgram.flux_messages import TurnInfo, Word

ANSI = re.compile(r"\x1b\[[0-9;]*[mK]|\r")


def info(event: str, text: str, confidence: float = 0.95, **more: object) -> TurnInfo:
    words = tuple(Word(word, confidence, 1.0 + i, 1.5 + i) for i, word in enumerate(text.split()))
    fields: dict[str, object] = {
        "event": event,
        "turn_index": 0,
        "transcript": text,
        "words": words,
        "end_of_turn_confidence": 0.8,
        "audio_window_start": 0.0,
        "audio_window_end": 3.0,
    }
    return TurnInfo(**{**fields, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("confidence", "colour"),
    [
        (1.0, "32"),
        (0.90, "32"),
        (0.899, "33"),
        (0.80, "33"),
        (0.799, "38;5;208"),
        (0.70, "38;5;208"),
        (0.699, "31"),
        (0.0, "31"),
    ],
)
def test_a_words_colour_says_how_sure_the_recognizer_is(confidence: float, colour: str) -> None:
    assert coloured([Word("latte", confidence)]) == f"\x1b[{colour}mlatte\x1b[0m"
    assert colour in {c: least for least, c in COLOURS}


def test_colouring_changes_no_word() -> None:
    words = [Word(f"w{i}", i / 10) for i in range(11)]
    assert ANSI.sub("", coloured(words)) == " ".join(word.word for word in words)


def test_without_a_terminal_only_finished_turns_are_written() -> None:
    screen = Screen(colour=False, live=False, events=False)
    assert screen.receive(info("StartOfTurn", "Hi")) == ""
    assert screen.receive(info("Update", "Hi there")) == ""
    assert screen.receive(info("EndOfTurn", "Hi there.")) == "    1.00  Hi there.\n"
    assert screen.finish() == ""


def test_on_a_terminal_the_turn_is_rewritten_as_it_grows_and_fits_one_line() -> None:
    screen = Screen(colour=True, live=True, events=False, width=40)
    shown = screen.receive(info("Update", "one two three four five six seven eight nine"))
    assert shown.startswith(REWRITE) and "\n" not in shown
    plain = ANSI.sub("", shown)
    assert len(plain) < 40 and plain.endswith("eight nine")
    assert screen.receive(info("EndOfTurn", "one two.")).endswith("\n")


def test_events_are_shown_with_what_decided_them() -> None:
    screen = Screen(colour=False, live=False, events=True)
    assert "EagerEndOfTurn 0.80" in screen.receive(info("EagerEndOfTurn", "Hi"))
    ended = screen.receive(info("EndOfTurn", "Hi.", trigger="manual"))
    assert ended.splitlines() == ["    3.00  EndOfTurn 0.80 by manual", "    1.00  Hi."]


def test_a_turn_that_nobody_ended_is_not_lost() -> None:
    screen = Screen(colour=False, live=False, events=False)
    screen.receive(info("Update", "and a small"))
    assert screen.finish() == "    1.00  and a small\n"


def test_an_end_without_text_keeps_the_words_that_came_before_it() -> None:
    screen = Screen(colour=False, live=False, events=False)
    screen.receive(info("Update", "yes please"))
    assert "yes please" in screen.receive(info("EndOfTurn", ""))


def test_a_server_cannot_steer_the_terminal() -> None:
    screen = Screen(colour=False, live=False, events=False)
    assert "\x1b" not in screen.receive(info("EndOfTurn", "hi \x1b[2J there"))
    assert "\x1b[2J" not in coloured([Word("\x1b[2J", 1.0)])
