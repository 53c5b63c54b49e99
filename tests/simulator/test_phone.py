"""The phone on virtual time: what is sent when, whatever the line does to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.g711 import linear16_to_ulaw, ulaw_to_linear16
from telephony.carrier.media_messages import Dtmf, MarkReceived, Media
from telephony.carrier.media_stream import ServerEvent, ServerStream
from telephony.simulator.caller import PATIENCE_S, RecordingCaller
from telephony.simulator.carrier_stream import CarrierStream
from telephony.simulator.network import EchoPath, Impairments, NetworkModel
from telephony.simulator.phone import Phone

LOUD = bytes(160)


def speech(seconds: float, seed: int = 1) -> bytes:
    noise = np.random.default_rng(seed).normal(0, 4000, int(seconds * 8000)).clip(-30000, 30000)
    return linear16_to_ulaw(noise.astype("<i2").tobytes())


class Call:
    """A phone and a server's end of its stream, without a wire between them."""

    def __init__(self, sound: bytes = b"", wait: float = 5.0, **line: object) -> None:
        impairments = Impairments(**line)  # type: ignore[arg-type]
        self.phone = Phone(RecordingCaller(sound, wait), NetworkModel(impairments))
        self.now = 0.0
        self.got: list[tuple[float, ServerEvent]] = []
        self.connect(0.0)

    def connect(self, now: float) -> None:
        self.server = ServerStream()
        for text in self.phone.connect(now, CarrierStream("MZ1", "CA1", "AC1"), {}):
            self.server.receive(text)

    def until(self, end: float) -> None:
        """Let time pass from deadline to deadline."""
        while not self.phone.hung_up and (deadline := self.phone.next_deadline()) <= end:
            assert deadline >= self.now - 1e-9
            self.now = max(self.now, deadline)
            self.got += [(self.now, self.server.receive(text)) for text in self.phone.step(self.now)]
        self.now = end

    def send(self, *texts: str) -> None:
        for text in texts:
            self.phone.receive(self.now, text)

    @property
    def media(self) -> list[tuple[float, Media]]:
        return [(at, event) for at, event in self.got if isinstance(event, Media)]

    @property
    def marks(self) -> list[tuple[float, str]]:
        return [(round(at, 6), event.name) for at, event in self.got if isinstance(event, MarkReceived)]


def test_a_frame_leaves_when_its_last_sample_has_been_said() -> None:
    call = Call(speech(0.1))
    call.until(0.2)
    assert [round(at, 6) for at, _ in call.media] == [round(0.02 * n, 6) for n in range(1, 11)]
    assert [media.timestamp_ms for _, media in call.media] == [20 * n for n in range(10)]
    assert max(call.phone.facts.lateness_s) < 1e-6


def test_the_caller_hangs_up_once_the_agent_has_been_quiet() -> None:
    call = Call(speech(1.0), wait=2.0)
    call.until(0.5)
    call.send(call.server.encode_media(LOUD * 100))  # plays until 2.5
    call.until(60.0)
    assert call.phone.hung_up
    assert call.phone.duration_s == pytest.approx(4.5, abs=0.03)


def test_even_an_agent_that_never_stops_is_left() -> None:
    call = Call(speech(1.0), wait=2.0)
    call.send(call.server.encode_media(LOUD * 50 * 500))
    call.until(500.0)
    assert call.phone.duration_s == pytest.approx(1.0 + PATIENCE_S, abs=0.03)


def test_silence_that_is_sent_keeps_nobody_on_the_line() -> None:
    call = Call(speech(1.0), wait=2.0)
    call.send(call.server.encode_media(b"\xff" * 8000 * 30))
    call.until(60.0)
    assert call.phone.duration_s == pytest.approx(3.0, abs=0.03)


def test_more_than_ten_minutes_of_sound_are_flagged() -> None:
    call = Call(speech(1.0))
    for _ in range(11):
        call.send(call.server.encode_media(LOUD * 50 * 60))
    assert [flag.code for flag in call.phone.facts.flags] == [31931]


def test_marks_are_timed_by_what_is_heard() -> None:
    call = Call(speech(1.0))
    call.until(0.111)
    call.send(call.server.encode_mark("now"), call.server.encode_media(LOUD), call.server.encode_mark("soon"))
    call.until(1.0)
    assert call.marks == [(0.111, "now"), (0.131, "soon")]


def test_the_same_seed_is_the_same_bad_line() -> None:
    def arrivals(seed: int) -> list[tuple[float, int]]:
        call = Call(speech(4.0), seed=seed, loss=0.1, jitter_ms=60)
        call.until(4.0)
        return [(at, media.timestamp_ms) for at, media in call.media]

    assert arrivals(1) == arrivals(1)
    assert arrivals(1) != arrivals(2)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 0.3), st.floats(0, 100))
def test_loss_is_a_gap_in_timestamps_and_nothing_is_early_or_out_of_order(
    seed: int, loss: float, jitter: float
) -> None:
    said = speech(8.0)
    call = Call(said, seed=seed, loss=loss, jitter_ms=jitter, stalls=((2.0, 0.7),))
    call.until(8.0)
    times = [at for at, _ in call.media]
    stamps = [media.timestamp_ms for _, media in call.media]
    assert times == sorted(times) and stamps == sorted(set(stamps))
    assert [media.chunk for _, media in call.media] == list(range(1, len(stamps) + 1))
    for at, media in call.media:
        sent = media.timestamp_ms / 1000 + 0.02
        assert -1e-6 <= at - sent <= 0.7 + jitter / 1000 + 1e-6
        first = media.timestamp_ms * 8
        assert media.payload == said[first : first + 160]
    assert not [at for at in times if 2.0 + 1e-6 < at < 2.7 - 1e-6]
    under_way = sum(1 for stamp in range(0, 8000, 20) if stamp not in stamps) - call.phone.facts.frames_lost
    assert 0 <= under_way <= jitter / 20 + 1
    assert bytes(call.phone.said) == said


def test_frames_may_be_as_long_as_another_carriers() -> None:
    said = speech(3.5)
    call = Call(said, frame_ms=1000, stalls=((0.5, 1.2),))
    call.until(3.5)
    assert [round(at, 3) for at, _ in call.media] == [1.7, 2.0, 3.0]
    assert [media.timestamp_ms for _, media in call.media] == [0, 1000, 2000]
    assert b"".join(media.payload for _, media in call.media) == said[: 3 * 8000]


def test_loss_is_as_frequent_as_asked_and_comes_in_bursts() -> None:
    line = NetworkModel(Impairments(loss=0.1))
    lost = [line.frame(n * 0.02) is None for n in range(50_000)]
    assert 0.08 < np.mean(lost) < 0.12
    bursts = sum(1 for before, here in zip(lost, lost[1:], strict=False) if here and not before)
    assert 2.5 < sum(lost) / bursts < 3.5


def test_everything_can_be_lost() -> None:
    call = Call(speech(1.0), loss=1.0)
    call.until(1.0)
    assert not call.media and call.phone.facts.frames_lost == 50


def test_marks_go_astray_as_asked() -> None:
    lost, twice, late = Call(marks_lost=1.0), Call(marks_twice=1.0), Call(marks_late_ms=500)
    for call in (lost, twice, late):
        call.send(call.server.encode_media(LOUD * 10), call.server.encode_mark("a"))
        call.until(1.0)
    assert lost.marks == []
    assert twice.marks == [(0.2, "a"), (0.2, "a")]
    ((at, name),) = late.marks
    assert name == "a" and 0.2 <= at <= 0.7


def test_an_echo_comes_back_late_and_quiet() -> None:
    """100 ms and -20 dB: what the agent said at 0.2 s is heard from the caller at 0.3 s, a tenth as loud."""
    voice = speech(0.4, seed=7)
    call = Call(b"", wait=9.0, echo=EchoPath(100, -20))
    call.until(0.2)
    call.send(call.server.encode_media(voice))
    call.until(1.0)
    heard = np.frombuffer(ulaw_to_linear16(bytes(call.phone.said)), "<i2").astype(float)
    spoken = np.frombuffer(ulaw_to_linear16(voice), "<i2").astype(float)
    back = heard[2400:5600]
    assert np.abs(back - spoken / 10).max() < 40
    assert not heard[:2400].any() and not heard[5600:].any()


def test_the_caller_speaks_on_while_no_stream_is_there() -> None:
    said = speech(3.0)
    call = Call(said)
    call.until(1.0)
    call.phone.disconnect(1.0)
    call.phone.step(1.5)
    call.connect(2.0)
    first = len(call.media)
    call.until(2.5)
    media = call.media[first][1]
    assert (media.timestamp_ms, media.chunk) == (0, 1)
    assert media.payload == said[16_000:16_160]


def test_what_is_queued_when_the_stream_ends_is_never_heard() -> None:
    """A server that closes the socket too early cuts its own goodbye."""
    call = Call(speech(1.0))
    call.send(call.server.encode_media(LOUD * 50), call.server.encode_mark("end"))
    call.until(0.5)
    call.phone.disconnect(0.5)
    assert call.phone.step(2.0) == []
    assert len(call.phone.playout.played(2.0).rstrip(b"\xff")) == 4000
    assert call.phone.playout.clears == []


def test_a_key_is_a_message_of_its_own() -> None:
    from telephony.audio.dtmf import tones

    call = Call(linear16_to_ulaw(bytes(1600) + tones("9") + bytes(1600)))
    call.until(1.0)
    ((at, event),) = [(at, event) for at, event in call.got if isinstance(event, Dtmf)]
    assert event == Dtmf("9")
    assert 0.1 < at < 0.18
    assert call.phone.facts.keys == [("9", round(at, 3))]


def test_a_cut_line_sends_nothing_more() -> None:
    call = Call(speech(2.0), drop_at_s=0.5)
    call.until(2.0)
    assert call.phone.dropped and call.phone.hung_up
    assert call.phone.stop() is None
    assert len(call.media) <= 25
