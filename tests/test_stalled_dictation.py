"""Whole calls with the local engine on bad lines: a dictation has its digits, in the tape, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony import events as ev
from telephony.deepgram.flux_codec import END_OF_TURN
from tests.test_spoken_calls import place

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("recorded call")]

NUMBER = "4155550132"
DICTATES = """
line: {LINE}
steps:
  - wait_for: agent_silent
  - say: "Four, one, five. Five, five, five. Zero, one, three, two."
  - wait_for: {agent: speaking, within_s: 30}
  - wait_for: agent_silent
  - hangup
"""
DIGITS = {word: str(n) for n, word in enumerate("zero one two three four five six seven eight nine".split())}
SPOKEN_S = 3.8
"""About when the caller begins, by the call's clock; the dictation takes six seconds."""


def digits_of(text: str) -> str:
    words = text.lower().replace("-", " ").split()
    return "".join(DIGITS.get(word.strip(".,?!"), word.strip(".,?!")) for word in words)


@pytest.mark.parametrize(
    "line",
    [
        "seed: 1",
        f"stalls: [{{at_s: {SPOKEN_S + 1.0}, seconds: 0.3}}, {{at_s: {SPOKEN_S + 3.0}, seconds: 0.3}}]",
        f"stalls: [{{at_s: {SPOKEN_S + 1.5}, seconds: 0.8}}]",
        f"stalls: [{{at_s: {SPOKEN_S + 0.5}, seconds: 1.5}}]",
        f"stalls: [{{at_s: {SPOKEN_S + 2.0}, seconds: 3.0}}]",
        "loss: 2",
        "frame_ms: 1000",
    ],
)
def test_a_dictation_has_all_its_digits_whatever_the_line_does_to_its_time(
    tmp_path: Path, engine: str, line: str
) -> None:
    report, entries = place(tmp_path, engine, DICTATES.replace("{LINE}", f"{{{line}}}"), "scripted:coffee")
    heard = [digits_of(turn["caller"]["text"]) for turn in report["turns"] if turn["caller"]]
    assert "".join(heard) == NUMBER
    ends = [
        entry.event.info.transcript
        for entry in entries
        if isinstance(entry.event, ev.TurnInfoReceived) and entry.event.info.event == END_OF_TURN
    ]
    assert "".join(map(digits_of, ends)) == NUMBER, "and so it stands in the tape"
