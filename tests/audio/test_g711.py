"""G.711, framing, and changes of rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.audio.g711 import (
    FRAME_SAMPLES,
    PHONE_RATE,
    ULAW_SILENCE,
    Framer,
    linear16_to_ulaw,
    ulaw_to_linear16,
)
from telephony.audio.resampler import Resampler

RATES = [
    (8000, 16000),
    (16000, 8000),
    (22050, 8000),
    (24000, 8000),
    (48000, 8000),
    (8000, 24000),
    (11025, 8000),
]


def noise(samples: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).normal(0, 9000, samples).clip(-32768, 32767).astype("<i2").tobytes()


def tone(rate: int, hertz: float, seconds: float) -> bytes:
    return (
        (10_000 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype("<i2").tobytes()
    )


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    cut, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        cut.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return cut


def all_of(resampler: Resampler, data: bytes, sizes: list[int]) -> bytes:
    return b"".join(resampler.feed(piece) for piece in pieces(data, sizes)) + resampler.flush()


# The decision values of G.711 (1988), table 2a, as 16-bit numbers: the largest of either sign, the ends of
# two segments, and the two zeros.
@pytest.mark.parametrize(
    ("code", "sample"),
    [
        (0x80, 32124),
        (0x00, -32124),
        (0x8F, 16764),
        (0x90, 15996),
        (0xF0, 120),
        (0xFE, 8),
        (0x7E, -8),
        (0xFF, 0),
    ],
)
def test_mu_law_decodes_as_g711_says(code: int, sample: int) -> None:
    assert int.from_bytes(ulaw_to_linear16(bytes([code])), "little", signed=True) == sample


def test_mu_law_survives_a_round_trip() -> None:
    """Every code but the negative zero comes back; that one becomes the positive zero, silence."""
    codes = bytes(range(256))
    assert linear16_to_ulaw(ulaw_to_linear16(codes)) == codes.replace(b"\x7f", b"\xff")
    assert linear16_to_ulaw(bytes(2)) == bytes([ULAW_SILENCE])


def test_a_frame_is_20_ms() -> None:
    assert FRAME_SAMPLES / PHONE_RATE == 0.02


@given(st.lists(st.binary(max_size=700)), st.integers(1, 640))
def test_framing_loses_and_adds_nothing(chunks: list[bytes], size: int) -> None:
    framer = Framer(size)
    frames = [frame for chunk in chunks for frame in framer.feed(chunk)]
    assert all(len(frame) == size for frame in frames)
    rest = framer.flush()
    assert len(rest) < size
    assert b"".join(frames) + rest == b"".join(chunks)
    assert framer.flush() == b""


@pytest.mark.parametrize("rates", RATES)
@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=6), samples=st.integers(0, 6000))
def test_resampling_does_not_depend_on_how_the_input_was_cut(
    rates: tuple[int, int], sizes: list[int], samples: int
) -> None:
    audio = noise(samples)
    whole = all_of(Resampler(*rates), audio, [len(audio) or 1])
    assert all_of(Resampler(*rates), audio, sizes) == whole
    assert len(whole) // 2 == -(-samples * rates[1] // rates[0])


@pytest.mark.parametrize("rates", [*RATES, (8000, 22050), (7919, 8000)])
def test_a_tone_keeps_its_place_and_level(rates: tuple[int, int]) -> None:
    """No shift in time and no change of level: the output is the same tone, sampled at the other rate."""
    out = np.frombuffer(all_of(Resampler(*rates), tone(rates[0], 1000, 0.5), [999]), "<i2").astype(float)
    ideal = 10_000 * np.sin(2 * np.pi * 1000 * np.arange(len(out)) / rates[1])
    inner = slice(rates[1] // 50, -rates[1] // 50)
    assert np.abs(out - ideal)[inner].max() < 15


def test_images_of_speech_are_60_db_down() -> None:
    for hertz in (300, 1000, 2000, 3000, 3400):
        out = np.frombuffer(all_of(Resampler(8000, 16000), tone(8000, hertz, 1.2), [640]), "<i2").astype(
            float
        )
        seen = np.abs(np.fft.rfft(out[1000:17384] * np.blackman(16384)))
        here = round(hertz * 16384 / 16000)
        level = seen[here - 4 : here + 5].max()
        seen[max(0, here - 60) : here + 61] = 0
        assert 20 * np.log10(level / seen.max()) > 60, hertz


def test_a_voice_does_not_fold_into_the_phone_band() -> None:
    for hertz in (4600, 6000, 8000, 10_000):
        out = np.frombuffer(all_of(Resampler(22050, 8000), tone(22050, hertz, 0.5), [882]), "<i2")
        assert np.abs(out[400:-400]).max() < 10, hertz


def test_a_chunk_comes_out_within_3_ms() -> None:
    """The hot path: 80 ms go in, and all but the filter's own reach comes out at once."""
    for rates in RATES:
        resampler = Resampler(*rates)
        assert resampler.delay_s < 0.003
        chunk = rates[0] * 80 // 1000
        out = resampler.feed(noise(chunk))
        assert chunk / rates[0] - len(out) / 2 / rates[1] <= resampler.delay_s + 1 / rates[1]


def test_full_scale_is_clipped_not_wrapped() -> None:
    square = np.where(np.arange(4000) // 40 % 2, 32767, -32768).astype("<i2")
    out = np.frombuffer(all_of(Resampler(8000, 16000), square.tobytes(), [640]), "<i2").reshape(-1)
    assert out[:70].max() < 0 < out[82:158].min()


def test_reset_forgets_what_was_fed() -> None:
    """The tail of a reply that was cut must not be heard at the head of the next one."""
    resampler = Resampler(24000, 8000)
    resampler.feed(noise(2401) + b"\x01")
    resampler.reset()
    audio = noise(1200, seed=2)
    assert all_of(resampler, audio, [480]) == all_of(Resampler(24000, 8000), audio, [480])


def test_flush_makes_it_new() -> None:
    resampler = Resampler(22050, 8000)
    audio = noise(3001)
    assert all_of(resampler, audio, [500]) == all_of(resampler, audio, [77])


def test_equal_rates_pass_through() -> None:
    resampler = Resampler(8000, 8000)
    assert resampler.feed(b"ab") == b"ab"
    assert resampler.flush() == b""
    assert resampler.delay_s == 0


@pytest.mark.parametrize("rates", [(0, 8000), (8000, -1)])
def test_an_impossible_rate_is_refused(rates: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Resampler(*rates)


@pytest.mark.parametrize(("from_rate", "to_rate"), [(8000, 16000), (24000, 8000)])
def test_streams_that_take_turns_do_not_hear_each_other(from_rate: int, to_rate: int) -> None:
    """They share what was laid out for chunks of one size; also when one begins while another is at work."""
    dice = np.random.default_rng(3)
    sounds = [dice.integers(-32768, 32768, 960 * 8, np.int16).tobytes() for _ in range(3)]
    alone = []
    for sound in sounds:
        one = Resampler(from_rate, to_rate)
        alone.append(one.feed(sound) + one.flush())
    streams, heard = [Resampler(from_rate, to_rate) for _ in sounds], [b""] * len(sounds)
    for at in range(0, len(sounds[0]), 1920):
        for number, stream in enumerate(streams):
            heard[number] += stream.feed(sounds[number][at : at + 1920])
    assert [sound + stream.flush() for sound, stream in zip(heard, streams, strict=True)] == alone
