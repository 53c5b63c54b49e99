"""Voices are given words as a person reads them; what they tell of those is told of the written ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from telephony.events import WordTime
from telephony.speak.aloud import aloud, is_english

TABLE = yaml.safe_load((Path(__file__).parents[1] / "speak" / "read_aloud.yaml").read_text())
WRITTEN = [text for texts in TABLE.values() for text in texts]


def times(text: str) -> tuple[WordTime, ...]:
    return tuple(WordTime(word, 100 * at, 100 * at + 90) for at, word in enumerate(text.split()))


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("That's $4.50, at 9:30 AM.", "That's four dollars and fifty cents, at nine thirty ay em."),
        (
            "Call +44 20 7946 0958.",
            "Call plus four four two zero, seven nine four six, zero nine five eight.",
        ),
        ("Write to ann@example.com.", "Write to ann at example dot com."),
        ("See www.example.com/help.", "See double-you double-you double-you dot example dot com slash help."),
        ("On 11/28/2026.", "On November twenty-eighth, twenty twenty-six."),
        ("yes — no", "yes, no"),
    ],
)
def test_a_phrase_is_read_as_a_person_reads_it(written: str, spoken: str) -> None:
    assert aloud(written).spoken == spoken


@pytest.mark.parametrize("text", WRITTEN)
def test_each_written_word_has_its_share_of_the_spoken_ones(text: str) -> None:
    read = aloud(text)
    assert read.written == tuple(text.split())
    assert list(read.ends) == sorted(read.ends)
    assert read.ends[-1] == len(read.spoken.split())
    told = read.times(times(read.spoken))
    assert [word.text for word in told] == text.split()
    assert [word.start for word in told] == sorted(word.start for word in told)
    assert told[-1].end == 100 * (len(read.spoken.split()) - 1) + 90


@pytest.mark.parametrize("text", WRITTEN)
def test_a_voice_that_reads_figures_itself_says_the_same(text: str) -> None:
    """As the local engine does with what any client sends it."""
    assert aloud(aloud(text).spoken).spoken == aloud(text).spoken


def test_a_word_was_heard_when_all_that_is_said_for_it_was() -> None:
    read = aloud("It is $4.50 today.")
    assert [word.text for word in read.times(times("It is four dollars and"))] == ["It", "is"]
    assert [
        word.text for word in read.times(times("It is four dollars and fifty cents"))
    ] == "It is $4.50".split()
    assert read.written_of("It is four dollars and fifty") == "It is"
    assert read.written_of("It is four dollars and fifty cents today.") == "It is $4.50 today."


def test_words_that_the_voice_was_not_given_are_not_believed() -> None:
    assert aloud("It is $4.50.").times(times("It is four dollars and fifty cents or so")) == ()


@pytest.mark.parametrize(
    ("voice", "english"),
    [
        ("flux-haley-en", True),
        ("aura-2-thalia-en", True),
        ("joe", True),
        ("joe-high", True),
        ("", True),
        ("aura-2-sirio-es", False),
        ("flux-julia-de", False),
    ],
)
def test_figures_are_left_to_the_voice_in_other_languages(voice: str, english: bool) -> None:
    assert is_english(voice) == english
    read = aloud("Das macht 3,50 €.", is_english(voice))
    assert (read.spoken == "Das macht 3,50 €.") != english
