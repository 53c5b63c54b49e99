"""Our own sound in the caller's is known by its shape, whatever a recognizer makes of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from telephony.audio.g711 import PHONE_RATE, linear16_to_ulaw, ulaw_to_linear16
from telephony.conversation.acoustic_echo import OwnSound
from telephony.conversation.echo import SOUND_SHARE
from telephony.deepgram.flux_messages import END_OF_TURN, TurnInfo, Word
from telephony.simulator.recording_source import read_recording

CALLER = Path(__file__).resolve().parents[2] / "telephony" / "simulator" / "demo" / "caller.wav"
LAG_S = 0.35
"""The call's clock is so far ahead of the caller's."""
CHUNK = 640


def linear(ulaw: bytes) -> NDArray[np.float64]:
    return np.frombuffer(ulaw_to_linear16(ulaw), np.int16).astype(float)


def speech() -> bytes:
    """All that is said in the recording, without its pauses."""
    ulaw = read_recording(CALLER)
    frames = [ulaw[at : at + 160] for at in range(0, len(ulaw) - 160, 160)]
    return b"".join(frame for frame in frames if np.abs(linear(frame)).max() > 300)


SPEECH = speech()
OURS, THEIRS = SPEECH[: 3 * PHONE_RATE], SPEECH[3 * PHONE_RATE : 5 * PHONE_RATE]


def call(
    delay_s: float, db: float, interrupted_s: float | None = None, second: tuple[float, float] | None = None
) -> Iterator[tuple[float, OwnSound]]:
    """Three seconds of ours that come back, perhaps by two ways (`second`: delay and level), spoken over from
    a moment on; how far it was heard, each time."""
    sound, delay = OwnSound(), round(delay_s * PHONE_RATE)
    heard = np.zeros(4 * PHONE_RATE)
    heard[delay : delay + len(OURS)] += linear(OURS) * 10 ** (db / 20)
    if second is not None:
        late = round(second[0] * PHONE_RATE)
        heard[late : late + len(OURS)] += linear(OURS) * 10 ** (second[1] / 20)
    if interrupted_s is not None:
        at = round(interrupted_s * PHONE_RATE)
        theirs = linear(THEIRS)[: len(heard) - at]
        heard[at : at + len(theirs)] += theirs
    said = linear16_to_ulaw(np.clip(np.rint(heard), -32768, 32767).astype("<i2").tobytes())
    sent = 0
    for at in range(0, len(said), CHUNK):
        now = at / PHONE_RATE + LAG_S
        while sent < len(OURS) and sent / PHONE_RATE <= now - LAG_S + 0.2:  # 200 ms ahead
            sound.ours(OURS[sent : sent + 800], now)
            sent += 800
        sound.caller(said[at : at + CHUNK], now + CHUNK / PHONE_RATE)
        yield (at + CHUNK) / PHONE_RATE, sound


@pytest.mark.parametrize("delay_s", [0.06, 0.12, 0.25, 0.6])
@pytest.mark.parametrize("db", [-30, -20, -12])
def test_an_echo_is_known_from_its_first_word_on(delay_s: float, db: float) -> None:
    for heard_s, sound in call(delay_s, db):
        if delay_s + 0.2 <= heard_s <= delay_s + 3.0:
            for length in (0.2, 0.5, 1.5):
                if heard_s - length >= delay_s:
                    assert share(sound, heard_s - length, heard_s) >= SOUND_SHARE, (heard_s, length)
    assert sound.delay_s == pytest.approx(delay_s, abs=0.01)


@pytest.mark.parametrize("before_s", [0.3, 0.5, 1.0])
def test_silence_before_a_word_is_no_echo_of_ours(before_s: float) -> None:
    """A recognizer may have a word begin before its sound: without an echo it is the caller's."""
    sound, silence = OwnSound(), b"\xff" * round(before_s * PHONE_RATE)
    sound.ours(OURS, 0.0)
    for n in range(0, len(silence + THEIRS), CHUNK):
        sound.caller((silence + THEIRS)[n : n + CHUNK], (n + CHUNK) / PHONE_RATE)
    found = sound.echoed(0.0, before_s + 1.5)
    assert found is not None and found[0] < SOUND_SHARE and found[1] == 0.0


@pytest.mark.parametrize("delay_s", [0.06, 0.25])
@pytest.mark.parametrize("db", [-30, -20, -12])
@pytest.mark.parametrize("at_s", [0.5, 1.3, 2.0])
def test_who_speaks_over_it_is_not_taken_for_it(delay_s: float, db: float, at_s: float) -> None:
    """From a third of a second of speech on, and however much echo was heard before."""
    for heard_s, sound in call(delay_s, db, at_s):
        if heard_s < at_s:
            sound.echoed(heard_s - 0.4, heard_s)
        elif at_s + 0.3 <= heard_s < at_s + 1.5:
            assert share(sound, at_s, heard_s) < SOUND_SHARE, heard_s


def share(sound: OwnSound, start_s: float, end_s: float) -> float:
    found = sound.echoed(start_s, end_s)
    return 0.0 if found is None else found[0]


def test_of_words_without_a_sound_nothing_is_said() -> None:
    """Digital silence is nobody's sound: what a service hears in it is not our echo."""
    for heard_s, sound in call(0.12, -200):
        if heard_s >= 0.5:
            assert sound.echoed(heard_s - 0.4, heard_s) is None


@pytest.mark.parametrize("db", [-30, -12])
def test_the_callers_own_words_begin_where_the_echo_ends(db: float) -> None:
    for heard_s, sound in call(0.12, db, 3.5):
        if heard_s in (0.8, 1.6, 2.4):
            sound.echoed(heard_s - 0.5, heard_s)
        elif heard_s == 4.0:
            found = sound.echoed(0.2, 4.0)
            assert found is not None and found[0] < SOUND_SHARE and found[1] == pytest.approx(3.4, abs=0.21)


def test_an_echo_that_comes_by_two_ways_is_known() -> None:
    for second in ((0.14, -24), (0.09, -21)):
        for heard_s, sound in call(0.08, -18, second=second):
            if 0.4 <= heard_s <= 3.0:
                assert share(sound, max(0.2, heard_s - 1.2), heard_s) >= SOUND_SHARE, (second, heard_s)
        assert sound.delay_s == pytest.approx(0.08, abs=0.01)


def test_words_without_times_are_compared_from_the_turns_beginning() -> None:
    words = (Word("Tell", 0.5),)
    *_, (heard_s, sound) = itertools.takewhile(lambda step: step[0] <= 1.6, call(0.12, -20))
    turn = TurnInfo(END_OF_TURN, 0, "Tell", words, 0.9, 0.0, heard_s)
    found = sound.measure(turn)
    assert found is not None and found.share >= SOUND_SHARE


def test_without_our_sound_nothing_is_computed() -> None:
    sound = OwnSound()
    assert sound.echoed(0.0, 1.0) is None
    for n in range(50):
        sound.caller(SPEECH[n * CHUNK : (n + 1) * CHUNK], n * 0.08)
    assert sound.echoed(2.0, 4.0) is None
    sound.ours(OURS, 100.0)
    assert sound.echoed(2.0, 4.0) is None
    assert sound.echoed(3.9, 3.95) is None


def test_what_was_cleared_cannot_come_back() -> None:
    """Our sound up to the `clear` is compared, and not what would have followed it."""
    sound = OwnSound()
    sound.ours(OURS, 0.0)
    sound.cleared(1.0)
    for n in range(30):
        sound.caller(OURS[n * CHUNK : (n + 1) * CHUNK], (n + 1) * 0.08)
    assert share(sound, 0.2, 0.8) >= SOUND_SHARE
    assert share(sound, 1.9, 2.3) < SOUND_SHARE
