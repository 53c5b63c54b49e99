"""Flux hears the caller's audio on Twilio's clock, whatever the line does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.g711 import CHUNK_SAMPLES
from telephony.listen.caller_audio import CallerAudio


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
    frames = [(20 * n, frame(n)) for n in range(11) if n not in (2, 3)]
    out = given_out(audio, frames)
    assert out + b"".join(audio.flush()) == b"".join(
        b"\xff" * 160 if n in (2, 3) else frame(n) for n in range(11)
    )
    assert (audio.counts.gaps, audio.counts.filled) == (1, 320)
    assert audio.clock_s == pytest.approx(0.22)


def test_what_is_missing_is_not_waited_for_longer_than_the_ear_would_notice() -> None:
    """Five frames, or a tenth of a second without any."""
    audio = CallerAudio()
    assert not given_out(audio, [(20 * n, frame(n)) for n in (0, 1, 3, 4)])
    assert not audio.stalled(0.15, False)
    assert audio.stalled(0.17, False)[0] == frame(0) + frame(1) + b"\xff" * 160 + frame(3)
    audio = CallerAudio()
    assert not given_out(audio, [(20 * n, frame(n)) for n in (0, 1, 3, 4, 5, 6)])
    assert len(audio.receive(140, frame(7), 0.14)) == 2


@pytest.mark.parametrize("samples", [160, 331, 480, 8000])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_every_frame_that_came_is_heard_in_its_place(samples: int, data: st.DataObject) -> None:
    """Whatever overtook it on the way, and whatever was lost."""
    count = 30
    sounds = [bytes([1 + n]) * samples for n in range(count)]
    reach = {160: 4, 8000: 1.4}.get(samples, 2) * samples
    late = data.draw(st.lists(st.floats(0, reach), min_size=count - 1, max_size=count - 1))
    lost = data.draw(st.sets(st.integers(1, count - 2), max_size=4)) if samples % 8 == 0 else set()
    order = sorted(range(1, count), key=lambda n: n * samples + late[n - 1])
    arrived = [0, *(n for n in order if n not in lost)]
    audio = CallerAudio()
    out = given_out(audio, [(n * samples // 8, sounds[n]) for n in arrived]) + b"".join(audio.flush())
    assert out.replace(b"\xff", b"") == b"".join(sounds[n] for n in sorted(arrived))
    assert audio.counts.dropped == 0
    if samples % 8 == 0:
        assert out == b"".join(b"\xff" * samples if n in lost else sounds[n] for n in range(count))


def test_a_frame_of_a_second_that_comes_very_late_is_given_after_the_silence_that_stood_for_it() -> None:
    """And the clocks part there, by its length."""
    shifts: list[tuple[float, float]] = []
    audio = CallerAudio(lambda at_s, seconds: shifts.append((at_s, seconds)))
    second = {n: bytes([n + 1]) * 8000 for n in range(5)}
    out = given_out(audio, [(1000 * n, second[n]) for n in (0, 2, 3, 1, 4)])
    out += b"".join(audio.flush())
    assert out == second[0] + b"\xff" * 8000 + second[2] + second[3] + second[1] + second[4]
    assert shifts == [(4.0, 1.0)]
    assert (audio.clock_s, audio.audio_s, audio.counts.late) == (5.0, 6.0, 8000)
    assert audio.receive(1000, second[1], 5.0) == ()
    assert audio.counts.dropped == 8000, "it came twice"


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


def test_what_a_stalled_line_brings_later_is_heard_whole() -> None:
    """A burst with true timestamps: nothing was put in its place."""
    audio = CallerAudio()
    audio.receive(0, frame(0), 10.0)
    for tenth in range(39):
        assert not audio.stalled(10.0 + tenth / 10, True)
    burst = [chunk for n in range(1, 200) for chunk in audio.receive(20 * n, frame(n), 13.95)]
    assert b"".join(burst) == b"".join(frame(n) for n in range(200))
    assert audio.counts.dropped == audio.counts.stalled == 0


def test_a_line_that_stands_still_for_long_is_silence_while_a_turn_is_open() -> None:
    """Else nothing would end it. What comes then is heard all the same, and the clocks part."""
    shifts: list[tuple[float, float]] = []
    audio = CallerAudio(lambda at_s, seconds: shifts.append((round(at_s, 6), round(seconds, 6))))
    audio.receive(0, frame(0), 10.0)
    assert not audio.stalled(14.6, False)
    assert len(audio.stalled(14.6, True)) == (160 + 4800) // CHUNK_SAMPLES
    assert not audio.stalled(14.6, True)
    assert len(audio.stalled(14.7, True)) == 2
    assert (audio.clock_s, audio.counts.stalled) == (0.02, 5600)
    late = given_out(audio, [(20 * n, frame(n)) for n in range(1, 241)])
    assert b"".join(frame(n) for n in range(1, 238)) in late
    assert audio.counts.dropped == 0
    assert audio.clock_s == pytest.approx(4.82)
    assert shifts == [(0.02, 0.6), (0.62, 0.1)]


def test_media_that_was_lost_in_a_stall_is_not_filled_twice() -> None:
    """When the line comes back, the silence given meanwhile stands for what was lost."""
    shifts: list[tuple[float, float]] = []
    audio = CallerAudio(lambda at_s, seconds: shifts.append((at_s, seconds)))
    audio.receive(0, frame(0), 10.0)
    audio.stalled(15.0, True)
    for n in range(6):
        audio.receive(5020 + 20 * n, frame(1), 15.1)
    assert (audio.counts.filled, audio.counts.dropped) == (4 * 8000, 0)
    assert audio.clock_s == audio.audio_s + (160 * 7 + 40000) % 640 / 8000 == pytest.approx(5.14)
    assert sum(seconds for _, seconds in shifts) == pytest.approx(0.0)


def test_a_gap_is_not_silence_for_minutes() -> None:
    """Ten seconds end any turn; the rest of the time is left out, and told."""
    shifts: list[tuple[float, float]] = []
    audio = CallerAudio(lambda at_s, seconds: shifts.append((at_s, seconds)))
    out = given_out(audio, [(0, frame(0)), *((50_000 + 20 * n, frame(n)) for n in range(6))])
    assert len(out) < 11 * 8000
    assert [round(seconds, 6) for _, seconds in shifts] == [-39.98]
    assert audio.clock_s == pytest.approx(50.12)


def test_no_silence_before_the_first_media() -> None:
    """A stall is a stop, not a start that is late."""
    assert not CallerAudio().stalled(100.0, True)


def test_a_clock_that_restarts_is_not_silence_for_hours() -> None:
    """A timestamp that cannot be believed is taken as the next one."""
    audio = CallerAudio()
    given_out(audio, [(0, frame(0)), (10**12, frame(1)), (10**12 + 20, frame(2)), (0, frame(3))])
    assert audio.counts.jumps == 2
    assert audio.clock_s == pytest.approx(0.08)


def test_the_end_gives_out_what_is_left() -> None:
    """The last word is not lost for want of 80 ms."""
    audio = CallerAudio()
    audio.receive(0, frame(0), 0.0)
    assert audio.flush() == [frame(0)]
    assert audio.flush() == []
    assert CallerAudio().flush() == []


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 400)), max_size=60))
def test_the_clock_is_never_a_frame_behind_the_timestamps(messages: list[tuple[int, int]]) -> None:
    """After any media the clock is at its end or beyond; every sample is taken, filled or dropped."""
    shifts = [0.0]
    audio, given, taken = CallerAudio(lambda at_s, seconds: shifts.append(seconds)), 0, 0
    for timestamp, size in [(0, 160), *messages]:
        given += sum(map(len, audio.receive(timestamp, bytes(size), 0.0)))
        taken += size
        assert audio.clock_s * 1000 > timestamp - 20
    given += sum(map(len, audio.flush()))
    assert given == taken + audio.counts.filled - audio.counts.dropped
    assert audio.audio_s == given / 8000
    assert audio.clock_s == pytest.approx(audio.audio_s - sum(shifts))
