"""Words that a voice would say wrongly are given to it as they are said; records keep the written ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony.config.settings import Settings
from telephony.errors import BadInput
from telephony.server.pronunciations_file import pronunciations_of
from telephony.speak.aloud import aloud
from telephony.speak.presynthesis import phrases_of
from telephony.speak.pronunciations import Pronunciations
from tests.speak.test_aloud import WRITTEN, times

OWN = Pronunciations({"nguyen": "win", "sql": "sequel", "gif's": "jiffs", "4x4": "four by four"})


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Mr. Nguyen is here.", "mister win is here."),
        ("NGUYEN, please.", "win, please."),
        ("Nguyen's order: SQL!", "win's order: sequel!"),
        ("(SQL) or a gif's.", "sequel or a jiffs."),
        ("A 4x4 costs $4.50.", "A four by four costs four dollars and fifty cents."),
        ("mysql", "mysql"),
    ],
)
def test_a_word_of_the_dictionary_is_said_as_it_says(written: str, spoken: str) -> None:
    assert aloud(written, True, OWN).spoken == spoken


def test_a_voice_of_another_language_has_them_too() -> None:
    assert aloud("Señor Nguyen, 5 euros.", False, OWN).spoken == "Señor win, 5 euros."


@pytest.mark.parametrize("text", [*WRITTEN, "A 4x4 for Nguyen's SQL.", "Nguyen"])
@pytest.mark.parametrize("english", [True, False])
def test_the_written_words_have_their_times(text: str, english: bool) -> None:
    read = aloud(text, english, OWN)
    assert [word.text for word in read.times(times(read.spoken))] == text.split()
    assert read.written_of(read.spoken) == " ".join(text.split())


def test_what_is_made_in_advance_is_what_is_asked_for() -> None:
    assert phrases_of("Hi, Nguyen here.", "flux-haley-en", OWN) == [
        aloud("Hi, Nguyen here.", True, OWN).spoken
    ]


def test_the_file_has_a_word_a_line(tmp_path: Path) -> None:
    file = tmp_path / "words.yaml"
    file.write_text("Nguyen: win\n'4x4': four by four\n")
    assert pronunciations_of(Settings.load({"PRONUNCIATIONS": str(file)})).words == {
        "nguyen": "win",
        "4x4": "four by four",
    }
    assert pronunciations_of(Settings.load({})).words == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- win", ":1: `name: value` lines"),
        ("two words: no", ":1: .*must be one word"),
        ("Nguyen: win\nnguyen: when", ":2: .*twice"),
        ("Nguyen: '...'", ":1: .*1 to 10 words"),
        ("Nguyen: [win]", ":1: .*text is needed"),
        ("'.net': dot net", ":1: .*letter or a digit"),
        ("Nguyen: " + "a " * 11, ":1: .*1 to 10 words"),
        ("", ":1: .*empty"),
        ("a: b: c", ":1: no valid YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "words.yaml"
    file.write_text(text)
    with pytest.raises(BadInput, match=why):
        pronunciations_of(Settings.load({"PRONUNCIATIONS": str(file)}))
