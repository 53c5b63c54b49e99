"""Both channels lie where they were heard, whatever the network did."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.g711 import PHONE_RATE
from telephony.audio.wav import read_wav
from telephony.record.recording import SETTLED_S, Recording, wav_header

FRAME = 160
QUIET = b"\xff"


def channels(sound: bytes) -> tuple[bytes, bytes]:
    return sound[0::2], sound[1::2]


def frame(number: int) -> bytes:
    """Twenty milliseconds that can be told from others."""
    return bytes([number % 200 + 1]) * FRAME


def test_the_callers_frames_lie_at_their_timestamps() -> None:
    """Gaps are silence, whenever the frames came."""
    recording = Recording()
    for number in (0, 1, 4):
        recording.caller(10.0 + number * 0.02, number * 20, frame(number))
    caller, agent = channels(recording.take(10.0 + 0.1, all_of_it=True))
    assert caller == frame(0) + frame(1) + QUIET * (2 * FRAME) + frame(4)
    assert set(agent) == {0xFF}


def test_what_we_send_lies_where_it_is_played() -> None:
    """At once when nothing is playing, else behind it."""
    recording = Recording()
    recording.caller(10.0, 0, frame(0))
    recording.agent(10.5, b"\x01" * PHONE_RATE)
    recording.agent(10.6, b"\x02" * PHONE_RATE)
    recording.agent(13.0, b"\x03" * 80)
    _, agent = channels(recording.take(13.01, all_of_it=True))
    assert agent[: PHONE_RATE // 2] == QUIET * (PHONE_RATE // 2)
    assert agent[PHONE_RATE // 2 : 5 * PHONE_RATE // 2] == b"\x01" * PHONE_RATE + b"\x02" * PHONE_RATE
    assert agent[3 * PHONE_RATE :] == b"\x03" * 80


def test_what_was_cleared_was_not_heard() -> None:
    """And what comes after begins at once."""
    recording = Recording()
    recording.caller(0.0, 0, frame(0))
    recording.agent(0.0, b"\x01" * PHONE_RATE)
    recording.clear(0.25)
    recording.agent(0.5, b"\x02" * 80)
    _, agent = channels(recording.take(0.51, all_of_it=True))
    quarter = PHONE_RATE // 4
    assert agent == b"\x01" * quarter + QUIET * quarter + b"\x02" * 80


def test_nothing_sensitive_is_kept() -> None:
    """Of either side, and without a shift of what follows."""
    recording = Recording()
    recording.caller(0.0, 0, frame(1))
    recording.muted = True
    recording.caller(0.02, 20, frame(2))
    recording.agent(0.02, b"\x05" * FRAME)
    recording.muted = False
    recording.caller(0.04, 40, frame(3))
    caller, agent = channels(recording.take(0.06, all_of_it=True))
    assert caller == frame(1) + QUIET * FRAME + frame(3) and set(agent) == {0xFF}


@given(st.lists(st.floats(0, 0.5), min_size=20, max_size=100), st.integers(1, 30))
def test_it_does_not_matter_when_it_is_written(delays: list[float], every: int) -> None:
    """Frames that come late and in bursts, taken in pieces: the same as at once."""
    whole, pieces, written = Recording(), Recording(), b""
    arrivals = sorted((number * 0.02 + delay, number) for number, delay in enumerate(delays))
    for count, (now, number) in enumerate(arrivals):
        for recording in (whole, pieces):
            recording.caller(now, number * 20, frame(number))
        if count % every == 0:
            written += pieces.take(now)
    end = len(delays) * 0.02 + 1.0
    at_once = whole.take(end, all_of_it=True)
    written += pieces.take(end, all_of_it=True)
    assert written[: len(at_once)] == at_once[: len(written)]
    assert abs(len(written) - len(at_once)) <= 2


def test_only_what_can_still_change_is_kept_in_memory() -> None:
    """An hour of a call: some seconds of it."""
    recording = Recording()
    for number in range(2000):
        now = number * 0.02
        recording.caller(now, number * 20, frame(number))
        if number % 50 == 0:
            recording.agent(now, b"\x01" * PHONE_RATE)
            recording.take(now)
    assert len(recording._caller) <= SETTLED_S * 50 + 51 and len(recording._agent) <= SETTLED_S + 2


def test_the_header_is_a_two_channel_wavs() -> None:
    """Other programs read it."""
    wav = read_wav(wav_header(8) + b"\xff\x00" * 4)
    samples = np.frombuffer(wav.linear16, "<i2")
    assert (wav.rate, wav.channels, len(samples)) == (8000, 2, 8)
