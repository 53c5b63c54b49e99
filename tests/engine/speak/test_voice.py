"""The voices: clause by clause, cancellable, cached; names of the cloud spoken by voices of this machine."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from telephony.engine.models import catalogue
from telephony.engine.speak import piper_process, system_voice
from telephony.engine.speak.phrase_cache import PhraseCache
from telephony.engine.speak.piper_process import PiperProcess
from telephony.engine.speak.voice import VoiceChunk, Voices
from telephony.engine.speak.voice_list import VoiceEntry, find_voices, voice_for
from telephony.engine.speak.voice_sound import Character
from telephony.errors import MissingModel, VoiceFailed

STAND_IN = [sys.executable, str(Path(__file__).with_name("piper_stand_in.py"))]
TEXT = "Sure, I can do that for you at 10:30. Two lattes are $8.40. Anything else?"


@pytest.fixture
async def voices(tmp_path: Path) -> AsyncIterator[Voices]:
    piper = PiperProcess(tmp_path, command=STAND_IN)
    both = VoiceEntry("one", "", "1", piper), VoiceEntry("two", "", "1", piper, Character(1.2, 1.1))
    made = Voices(both, PhraseCache(tmp_path / "phrases"))
    await made.start()
    yield made
    await made.close()


async def spoken(
    voices: Voices, text: str = TEXT, voice: str = "one", speed: float = 1.0
) -> list[VoiceChunk]:
    return [chunk async for chunk in voices.render(text, voice, speed)]


async def test_every_word_has_its_place_and_time(voices: Voices) -> None:
    """All words of the text, as written, in order, each with its place in it and a time within the audio."""
    chunks = await spoken(voices)
    words = [word for chunk in chunks for word in chunk.words]
    assert [word.text for word in words] == TEXT.split()
    assert all(TEXT[word.char_start : word.char_end] == word.text for word in words)
    ends = [time for word in words for time in (word.start_s, word.end_s)]
    assert ends == sorted(ends)
    assert ends[-1] <= sum(chunk.seconds for chunk in chunks)
    assert all(word.estimated for word in words)


async def test_a_clause_at_a_time(voices: Voices) -> None:
    """The first chunk is the first clause; its words are those up to the comma."""
    chunks = await spoken(voices)
    assert [len(chunk.words) for chunk in chunks] == [1, 8, 4, 2]
    assert {chunk.rate for chunk in chunks} == {22050}


async def test_closing_stops_the_work(voices: Voices) -> None:
    """After the first clause at most one more is made, and the next text is spoken as if nothing had been."""
    async with aclosing(voices.render(TEXT * 20, "one")) as rendering:
        first = await anext(rendering)
    again = await spoken(voices)
    assert first.words[0].text == "Sure,"
    assert len(again) == 4


async def test_said_twice_is_kept(voices: Voices, tmp_path: Path) -> None:
    """The third time the same audio comes from the disk, also while the voice's process is dead."""
    first, second = await spoken(voices), await spoken(voices)
    assert first == second
    await voices.close()
    dead = Voices(
        [VoiceEntry("one", "", "1", PiperProcess(tmp_path, command=["/nonexistent"]))], voices._cache
    )
    await dead.start()
    assert await spoken(dead) == first
    with pytest.raises(VoiceFailed, match="cannot be started"):
        await spoken(dead, "Something else.")


async def test_a_program_that_does_not_start_is_left_out(tmp_path: Path) -> None:
    """Another program's voices speak instead of it."""
    broken = PiperProcess(tmp_path, command=["/nonexistent"])
    good = PiperProcess(tmp_path, command=STAND_IN)
    voices = Voices(
        [
            VoiceEntry("one", "", "1", broken),
            VoiceEntry("two", "", "1", good),
            VoiceEntry("three", "", "1", broken),
        ],
        PhraseCache(tmp_path / "phrases"),
    )
    await voices.start()
    try:
        assert voices.names == ("two",)
        assert await spoken(voices, voice="flux-haley-en")
    finally:
        await voices.close()


async def test_speeds_and_voices_differ(voices: Voices) -> None:
    """A slower speed takes longer; the second voice is not the first."""
    length = sum(chunk.seconds for chunk in await spoken(voices))
    slow = sum(chunk.seconds for chunk in await spoken(voices, speed=0.8))
    assert slow / length == pytest.approx(1 / 0.8, rel=0.05)
    assert await spoken(voices, voice="two") != await spoken(voices)


@pytest.mark.parametrize("text", ["", "   \n", "...", "😀 —", "¿?"])
async def test_nothing_to_say_is_no_chunk(voices: Voices, text: str) -> None:
    """Text without a word is not an error."""
    assert await spoken(voices, text) == []


async def test_a_text_that_kills_the_voice_fails_alone(voices: Voices) -> None:
    """The error names the cause; the next text is spoken."""
    with pytest.raises(VoiceFailed, match="Segmentation fault, say"):
        await spoken(voices, "This will crash always.")
    assert len(await spoken(voices)) == 4


def test_names_of_the_cloud_are_spoken_here() -> None:
    """Always by the same listed voice, the default by the natural one; both voices get names."""
    names = ("joe", "slt")
    assert voice_for("slt", names) == "slt"
    assert voice_for("flux-haley-en", names) == "joe"
    assert voice_for("flux-haley-multi", names) == voice_for("aura-2-haley-en", names)
    cloud = [f"aura-2-{name}-en" for name in ("thalia", "asteria", "luna", "orion", "zeus")]
    assert {voice_for(name, names) for name in cloud} == set(names)
    for unknown in ("alexa", "", "flux", "flux-", "nova-3"):
        with pytest.raises(KeyError):
            voice_for(unknown, names)


def test_without_models_and_programs_one_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can speak: the error says how to change that."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingModel, match="the joe voice is not here.*install flite"):
        find_voices()


SYNTHESIZER = """#!{python}
import sys, wave
text = open(sys.argv[sys.argv.index("-f") + 1]).read()
with wave.open(sys.argv[sys.argv.index("-o") + 1], "wb") as file:
    file.setnchannels(1), file.setsampwidth(2), file.setframerate(16000)
    file.writeframes(b"\\0\\x20\\0\\xe0" * 800 * len(text))
"""


async def test_a_synthesizer_of_the_system_speaks_where_piper_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """flite on PATH and no models: it speaks, and a second voice is made of it."""
    program = tmp_path / "flite"
    program.write_text(SYNTHESIZER.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    voices = Voices()
    await voices.start()
    assert voices.names == ("slt", "slt-high")
    assert "another pitch" in voices.descriptions["slt-high"]
    chunks = await spoken(voices, "Hello there.", "slt")
    assert chunks[0].rate == 16000
    assert [word.text for word in chunks[0].words] == ["Hello", "there."]


async def test_the_voices_of_this_machine(tmp_path: Path) -> None:
    """Piper and joe, for real: two voices, and the first audio of a cold text in time."""
    if catalogue.path("joe") is None or not piper_process.available():
        pytest.skip("piper or the joe voice is not on this machine")
    voices = Voices(cache=PhraseCache(tmp_path))
    await voices.start()
    try:
        assert voices.names[0] == "joe"
        assert voices.names[-1] == "joe-high"
        for name in voices.names:
            chunks = await spoken(voices, voice=name)
            assert 4.0 < sum(chunk.seconds for chunk in chunks) < 12.0
    finally:
        await voices.close()


async def test_the_systems_synthesizer_for_real() -> None:
    """flite or espeak-ng, where there is one."""
    found = system_voice.find()
    if found is None:
        pytest.skip("neither flite nor espeak-ng is on PATH")
    assert len((await found.render("Hello there.")).linear16) > 10_000
