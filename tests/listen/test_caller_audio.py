"""Flux hears the caller's audio on Twilio's clock, whatever the line does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.listen.caller_audio import CHUNK_SAMPLES, CallerAudio


def frame(number: int) -> bytes:
    """20 ms of audio that says which frame it is."""
    return bytes([number % 250]) * 160


def given_out(audio: CallerAudio, frames: list[tuple[int, bytes]]) -> bytes:
    return b"".join(chunk for at, payload in frames for chunk in audio.receive(at, payload, at / 1000))


def test_four_frames_make_one_chunk() -> None:
    """Nothing is given out before 80 ms are there; mu-law passes untouched."""
    audio = CallerAudio()
    chunks = [audio.receive(5 + 20 * n, frame(n), n * 0.02) for n in range(8)]
    assert [len(c) for c in chunks] == [0, 0, 0, 1, 0, 0, 0, 1]
    assert chunks[3][0] == b"".join(frame(n) for n in range(4))
    assert audio.audio_s == pytest.approx(0.16)


def test_a_gap_is_filled_with_silence() -> None:
    """What the carrier never received takes its time, and is counted."""
    audio = CallerAudio()
    out = given_out(audio, [(0, frame(0)), (20, frame(1)), (80, frame(4)), (100, frame(5)), (120, frame(6))])
    assert out == frame(0) + frame(1) + b"\xff" * 320
    assert (audio.counts.gaps, audio.counts.filled) == (1, 320)
    assert audio.clock_s == pytest.approx(0.14)


def test_duplicates_and_late_media_are_left_out() -> None:
    """The clock does not run twice over the same time."""
    audio = CallerAudio()
    given_out(audio, [(0, frame(0)), (20, frame(1)), (20, frame(1)), (0, frame(0)), (40, frame(2))])
    assert audio.counts.dropped == 320
    assert audio.clock_s == pytest.approx(0.06)


def test_a_long_message_that_overlaps_keeps_its_new_part() -> None:
    """Messages may have any length."""
    audio = CallerAudio()
    out = given_out(audio, [(0, frame(1) * 2), (20, frame(2) * 3)])
    assert out == frame(1) * 2 + frame(2) * 2
    assert audio.counts.dropped == 160


def test_a_stalled_line_is_silence_while_a_turn_is_open() -> None:
    """From 0.5 s on the clock goes on, and media that comes late is counted out."""
    audio = CallerAudio()
    audio.receive(0, frame(0), 10.0)
    assert not audio.stalled(10.4, True)
    assert not audio.stalled(10.6, False)
    assert len(audio.stalled(10.6, True)) == (160 + 4800) // CHUNK_SAMPLES
    assert not audio.stalled(10.6, True)
    assert audio.clock_s == pytest.approx(0.62)
    assert len(audio.stalled(10.7, True)) == 2
    late = [(20 * n, frame(n)) for n in range(1, 40)]
    given_out(audio, late)
    assert audio.counts.stalled == 5600
    assert audio.counts.dropped == 5600
    assert audio.clock_s == pytest.approx(0.8)


def test_media_that_was_lost_in_a_stall_is_not_filled_twice() -> None:
    """When the line comes back, the silence given meanwhile stands for what was lost."""
    audio = CallerAudio()
    audio.receive(0, frame(0), 10.0)
    audio.stalled(11.0, True)
    audio.receive(1020, frame(1), 11.1)
    assert (audio.counts.gaps, audio.counts.dropped) == (0, 0)
    assert audio.clock_s == pytest.approx(1.04)


def test_no_silence_before_the_first_media() -> None:
    """A stall is a stop, not a start that is late."""
    assert not CallerAudio().stalled(100.0, True)


def test_a_clock_that_restarts_is_not_silence_for_hours() -> None:
    """A timestamp that cannot be believed is taken as the next one."""
    audio = CallerAudio()
    given_out(audio, [(0, frame(0)), (10**12, frame(1)), (10**12 + 20, frame(2)), (0, frame(3))])
    assert audio.counts.jumps == 2
    assert audio.clock_s == pytest.approx(0.08)


def test_the_end_gives_out_what_is_held() -> None:
    """The last word is not lost for want of 80 ms."""
    audio = CallerAudio()
    audio.receive(0, frame(0), 0.0)
    assert audio.flush() == [frame(0)]
    assert audio.flush() == []
    assert CallerAudio().flush() == []


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 400)), max_size=60))
def test_the_clock_is_never_a_frame_behind_the_timestamps(messages: list[tuple[int, int]]) -> None:
    """After any media the clock is at its end or beyond; every sample is taken, filled or dropped."""
    audio, given, taken = CallerAudio(), 0, 0
    for timestamp, size in [(0, 160), *messages]:
        given += sum(map(len, audio.receive(timestamp, bytes(size), 0.0)))
        taken += size
        assert audio.clock_s * 1000 > timestamp - 20
    given += sum(map(len, audio.flush()))
    assert given == taken + audio.counts.filled - audio.counts.dropped
    assert audio.clock_s == audio.audio_s == given / 8000
