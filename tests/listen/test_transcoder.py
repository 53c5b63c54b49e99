"""The callers' chunks reach Flux in its encoding: the same sound as one stream alone would give."""

from __future__ import annotations

import logging
import random

import pytest

from telephony.audio.g711 import CHUNK_SAMPLES, ulaw_to_linear16
from telephony.audio.resampler import Resampler
from telephony.listen.transcoder import Transcoder
from telephony.listen.upsampler import Upsampler, UpsamplerStream
from tests.pacing import loop_turn


def chunks(seed: int, count: int) -> list[bytes]:
    """Loud noise: every byte of mu-law, and overshoots that must be clipped."""
    noise = random.Random(seed)
    return [noise.randbytes(CHUNK_SAMPLES) for _ in range(count)]


def alone(ulaw: list[bytes]) -> bytes:
    """What the resampler makes of it, which looks ahead: silence of that length makes up for it."""
    resampler = Resampler(8000, 16000)
    silence = bytes(2 * round(resampler.delay_s * 8000))
    return resampler.feed(silence + ulaw_to_linear16(b"".join(ulaw)))


@pytest.mark.parametrize("streams", [1, 2, 7, 32, 33, 70])
def test_many_streams_are_each_what_they_are_alone(streams: int) -> None:
    """Bit by bit, in any number at once; each chunk is 80 ms from the first one on."""
    doubler, given = Upsampler(), [chunks(number, 4) for number in range(streams)]
    states = [UpsamplerStream() for _ in given]
    out: list[list[bytes]] = [[] for _ in given]
    for turn in range(4):
        made = doubler([state.with_lead(ulaw[turn]) for state, ulaw in zip(states, given, strict=True)])
        for into, sound in zip(out, made, strict=True):
            into.append(sound)
    for ulaw, made in zip(given, out, strict=True):
        assert [len(sound) for sound in made] == [4 * CHUNK_SAMPLES] * 4
        assert b"".join(made) == alone(ulaw)


def test_chunks_of_one_stream_that_come_together_follow_each_other() -> None:
    """A gap that is filled gives several at once."""
    stream, given = UpsamplerStream(), chunks(1, 5)
    assert b"".join(Upsampler()([stream.with_lead(chunk) for chunk in given])) == alone(given)


async def test_what_comes_in_one_turn_of_the_loop_goes_out_at_its_end() -> None:
    """In order, to whom it belongs, without waiting for more."""
    conversion, heard = Transcoder(), dict[str, list[bytes]](a=[], b=[])
    a = conversion.stream("linear16", 16000, heard["a"].append)
    b = conversion.stream("linear16", 16000, heard["b"].append)
    of_a, of_b = chunks(1, 3), chunks(2, 2)
    a(of_a[0])
    b(of_b[0])
    a(of_a[1])
    assert heard == {"a": [], "b": []}
    await loop_turn()
    assert [len(sounds) for sounds in heard.values()] == [2, 1]
    a(of_a[2])
    b(of_b[1])
    conversion.flush()
    assert b"".join(heard["a"]) == alone(of_a)
    assert b"".join(heard["b"]) == alone(of_b)


async def test_one_calls_trouble_is_not_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """A listener that raises keeps nobody's sound back."""

    def broken(sound: bytes) -> None:
        raise RuntimeError("a fault of ours")

    conversion, heard = Transcoder(), list[bytes]()
    with caplog.at_level(logging.ERROR):
        conversion.stream("linear16", 16000, broken)(chunks(1, 1)[0])
        conversion.stream("linear16", 16000, heard.append)(chunks(2, 1)[0])
        conversion.flush()
    assert len(heard) == 1
    assert "could not be given to listening" in caplog.text


async def test_other_encodings() -> None:
    """mu-law passes untouched, other rates are resampled, what cannot be had is refused."""
    conversion, heard = Transcoder(), list[bytes]()
    given = chunks(3, 2)
    conversion.stream("mulaw", 8000, heard.append)(given[0])
    assert heard == [given[0]]
    heard.clear()
    put = conversion.stream("linear16", 24000, heard.append)
    for chunk in given:
        put(chunk)
    assert b"".join(heard) == Resampler(8000, 24000).feed(ulaw_to_linear16(b"".join(given)))
    with pytest.raises(ValueError, match="mulaw at 16000"):
        conversion.stream("mulaw", 16000, heard.append)
