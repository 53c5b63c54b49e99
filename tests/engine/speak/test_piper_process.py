"""The piper process: framing, crashes, deadlines, and what cancelling leaves behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telephony.engine.models import catalogue
from telephony.engine.speak import piper_process
from telephony.engine.speak.piper_process import PiperProcess, Utterance
from telephony.errors import VoiceFailed
from tests.pacing import loop_turn

STAND_IN = [sys.executable, str(Path(__file__).with_name("piper_stand_in.py"))]


def letters(utterance: Utterance) -> int:
    """How many letters the stand-in spoke."""
    return round((len(utterance.linear16) / 2 - 7000) / 1000)


@pytest.fixture
async def piper(tmp_path: Path) -> AsyncIterator[PiperProcess]:
    process = PiperProcess(tmp_path, command=STAND_IN, deadline_s=2.0)
    yield process
    await process.close()


async def test_each_text_gets_its_own_audio(piper: PiperProcess) -> None:
    """Many at once: each render returns the audio of its own text, and the process is started once."""
    texts = ["a" * length for length in range(1, 30)]
    utterances = await asyncio.gather(*(piper.render(text) for text in texts))
    assert [letters(utterance) for utterance in utterances] == list(range(1, 30))
    assert utterances[0].rate == 22050
    assert utterances[2].phonemes == "aaa"
    assert piper.restarts == 0


async def test_a_cancelled_clause_does_not_shift_the_next_ones(piper: PiperProcess) -> None:
    """Cancelling while the process works throws that audio away and nothing else."""
    await piper.render("warm")
    cancelled = asyncio.ensure_future(piper.render("given up"))
    await loop_turn()
    cancelled.cancel()
    utterance = await piper.render("next")
    assert letters(utterance) == len("next")
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_a_crash_is_repaired(piper: PiperProcess) -> None:
    """A process that dies is started again and the clause is spoken."""
    utterance = await piper.render("crash once")
    assert letters(utterance) in (9, 10)
    assert piper.restarts == 1


async def test_a_clause_that_always_crashes_fails_alone(piper: PiperProcess) -> None:
    """It is tried twice; the error has the process's last words; the next clause is spoken."""
    with pytest.raises(VoiceFailed, match="Segmentation fault, say"):
        await piper.render("crash always")
    assert await piper.render("after")


async def test_a_hanging_process_is_killed_at_the_deadline(tmp_path: Path) -> None:
    """A render never takes longer than its deadline, and the next one works."""
    piper = PiperProcess(tmp_path, command=STAND_IN, deadline_s=0.5)
    try:
        with pytest.raises(VoiceFailed, match=r"within 0\.5 s"):
            await piper.render("hang")
        assert await piper.render("after")
    finally:
        await piper.close()


async def test_closing_ends_it_for_good(piper: PiperProcess) -> None:
    """A render under way fails, and nothing starts the process again."""
    await piper.render("warm")
    waiting = asyncio.ensure_future(piper.render("hang"))
    await loop_turn()
    await piper.close()
    with pytest.raises(VoiceFailed):
        await waiting
    with pytest.raises(VoiceFailed, match="closed"):
        await piper.render("more")
    assert piper.pid is None


async def test_closing_while_it_starts_leaves_no_process(piper: PiperProcess) -> None:
    rendering = asyncio.ensure_future(piper.render("hello"))
    while piper._folder is None:
        await loop_turn()
    await piper.close()
    with pytest.raises(VoiceFailed):
        await rendering
    assert piper.pid is None


async def test_too_many_waiting_are_refused(piper: PiperProcess) -> None:
    """The line before the process is bounded."""
    results = await asyncio.gather(
        *(piper.render(f"text {n}") for n in range(piper_process.MAX_WAITING + 5)), return_exceptions=True
    )
    assert sum(isinstance(result, VoiceFailed) for result in results) == 5


async def test_text_without_letters_is_refused(piper: PiperProcess) -> None:
    """Piper would write an empty WAV file and die of it."""
    with pytest.raises(VoiceFailed, match="nothing to say"):
        await piper.render("... !")


def test_folders_of_killed_processes_are_removed() -> None:
    """What a `kill -9` left behind goes when the next process starts; a living one's folder stays."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = Path(tempfile.mkdtemp(prefix=f"telephony-voice-{dead.pid}-"))
    living = Path(tempfile.mkdtemp(prefix=f"telephony-voice-{os.getppid()}-"))
    made = piper_process.make_folder()
    assert not left.exists()
    assert living.exists()
    living.rmdir()
    made.rmdir()


async def test_close_leaves_nothing(piper: PiperProcess) -> None:
    """No process and no folder is left."""
    await piper.render("hello")
    folder, process = piper._folder, piper._process
    assert folder and process and not list(folder.glob("*.wav"))
    await piper.close()
    assert not folder.exists()
    assert process.returncode is not None


async def test_piper_itself_speaks() -> None:
    """The real program with the real voice: audio, rate, phonemes word by word."""
    folder = catalogue.path("joe")
    if folder is None or not piper_process.available():
        pytest.skip("piper or the joe voice is not on this machine")
    piper = PiperProcess(folder / "en_US-joe-medium.onnx")
    try:
        utterance = await piper.render("So that is a small latte.")
    finally:
        await piper.close()
    assert utterance.rate == 22050
    assert 0.8 < len(utterance.linear16) / 44100 < 2.5
    assert len(utterance.phonemes.split()) == 6


def test_piper_is_never_imported() -> None:
    """Looking piper up does not load it into this process."""
    piper_process.available()
    assert "piper" not in sys.modules
