"""Turns as subtitles."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from telephony.commands.subtitles import CUE_CHARACTERS, LINE_CHARACTERS, Writer, cues
from telephony.deepgram.flux_messages import TurnInfo, Word

STAMP = re.compile(r"(\d\d):(\d\d):(\d\d)[,.](\d{3}) --> (\d\d):(\d\d):(\d\d)[,.](\d{3})")


def turn(*words: Word, start: float = 0.0, end: float = 10.0, text: str = "") -> TurnInfo:
    text = text or " ".join(word.word for word in words)
    return TurnInfo("EndOfTurn", 0, text, words, 0.8, start, end)


def spans(written: str) -> list[tuple[float, float]]:
    found = [[int(x) for x in match.groups()] for match in STAMP.finditer(written)]
    return [
        (h * 3600 + m * 60 + s + ms / 1000, h2 * 3600 + m2 * 60 + s2 + ms2 / 1000)
        for h, m, s, ms, h2, m2, s2, ms2 in found
    ]


def test_srt_is_numbered_and_uses_commas() -> None:
    writer = Writer("srt")
    assert writer.head() == ""
    assert writer.turn(turn(Word("Hi", 1, 1.0, 1.25))) == "1\n00:00:01,000 --> 00:00:01,250\nHi\n\n"
    assert writer.turn(turn(Word("Bye", 1, 3661.5, 3662.0))).startswith("2\n01:01:01,500 --> 01:01:02,000\n")


def test_vtt_has_its_head_uses_points_and_escapes() -> None:
    writer = Writer("vtt")
    assert writer.head() == "WEBVTT\n\n"
    assert writer.turn(turn(Word("R&B", 1, 0.0, 0.5), Word("<3", 1, 0.5, 1.0))) == (
        "00:00:00.000 --> 00:00:01.000\nR&amp;B &lt;3\n\n"
    )


def test_a_pause_begins_a_new_cue() -> None:
    made = list(cues(turn(Word("one", 1, 0.0, 0.4), Word("two", 1, 0.5, 0.9), Word("three", 1, 2.0, 2.4))))
    assert [cue.text for cue in made] == ["one two", "three"]


def test_a_long_turn_is_cut_into_readable_cues() -> None:
    words = [Word("wonderful", 1, i * 0.3, i * 0.3 + 0.3) for i in range(60)]
    for cue in cues(turn(*words, end=18.0)):
        assert len(cue.text) <= CUE_CHARACTERS
    for line in Writer("srt").turn(turn(*words, end=18.0)).splitlines():
        assert len(line) <= LINE_CHARACTERS + len("wonderful")


def test_words_without_times_are_spread_over_the_turn() -> None:
    made = list(cues(turn(Word("one", 1), Word("two", 1), start=4.0, end=6.0)))
    assert [(cue.start_s, cue.end_s, cue.text) for cue in made] == [(4.0, 6.0, "one two")]
    from_text = list(cues(turn(text="no words at all", start=0.0, end=2.0)))
    assert from_text[0].text == "no words at all"


word = st.builds(
    Word,
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20),
    st.floats(0, 1),
    st.floats(0, 100),
    st.floats(0, 100),
)


@given(st.lists(st.lists(word, max_size=20), max_size=4), st.sampled_from(["srt", "vtt"]))
def test_no_word_is_lost_and_cues_never_overlap(turns: list[list[Word]], form: str) -> None:
    """Also when a server's times are out of order, as the live service's were seen to be."""
    writer = Writer(form)  # type: ignore[arg-type]
    written = "".join(writer.turn(turn(*words)) for words in turns)
    before = 0.0
    for start, end in spans(written):
        assert before <= start < end
        before = end
    lines = [line for line in written.splitlines() if not STAMP.match(line) and line]
    if form == "srt":
        text = " ".join(part for cue in re.split(r"\n\n", written) for part in cue.splitlines()[2:])
        assert text.split() == [w.word for words in turns for w in words]
    else:
        assert len(" ".join(lines).split()) == sum(len(words) for words in turns)
