"""Whether what comes from the caller is our own sound: compared as sound, not as words. PURE.

A recognizer makes other words of an echo ("Tell." of "A large"), but its waveform is ours, a moment later and
weaker. So the caller's sound is compared with what we had played, at the delay where they fit best. Once the
same delay was found twice, the echo's delay is known, and no other is looked for.

Nothing is computed here until a turn of the caller has words, and something of ours can be back in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from telephony.audio.g711 import PHONE_RATE, ulaw_to_linear16
from telephony.conversation.echo import SOUND_SHARE
from telephony.deepgram.flux_messages import EAGER_END_OF_TURN, END_OF_TURN, TurnInfo
from telephony.events import EchoMeasured

KEPT_S = 12.0
"""Sound of either side that is kept: a turn with more has words of the caller's own, whatever began it."""
LONGEST_DELAY_S = 0.8
"""From our sending to the echo's coming back: the line either delay, its buffers, and a slow loudspeaker."""
PIECE_S = 0.4
"""A turn is compared in pieces: it is an echo if each of them is that can be heard."""
NEWEST_S = 1.2
"""Of an open turn, the newest so much is compared: it shows whether the turn is still an echo."""
LEAST_S = 0.12
"""Nothing can be said of a shorter piece."""
AUDIBLE = 0.05
"""A piece with less than this share of the strongest one's power is room noise or silence."""
EXPLAINED_KNOWN = 0.3
"""The share that is enough at a known delay; at others it is `echo.SOUND_SHARE`."""
SAME_DELAY = 80
"""Samples, 10 ms: delays this near to each other are the same."""
REACH = round(LONGEST_DELAY_S * PHONE_RATE)
FFT_STEP = 640
"""Sizes of a Fourier transform with small factors only, the fast ones, are multiples of it."""
LEAK_S = 0.0001
"""What each chunk adds to the least lag seen, so that clocks may drift apart by up to a thousandth."""

Sound = NDArray[np.float32]


class OwnSound:
    """What both sides of one call sent in the last seconds. Times are seconds of our clock."""

    def __init__(
        self, listen: Callable[[bytes], None] = lambda chunk: None, clock: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._listen, self._clock = listen, clock
        self._caller: deque[bytes] = deque()
        self._heard = 0
        """Samples of the caller's that came in the call."""
        self._first = 0
        """Of those, the oldest that is kept."""
        self._lag: float | None = None
        self._ours: deque[tuple[float, bytes]] = deque()
        """When a piece began to play, by the moment of its sending."""
        self._play_end = 0.0
        self._since_s = 0.0
        self._delays: deque[int] = deque(maxlen=2)
        self._known: int | None = None
        """The delay of the echo, in samples, once it is known."""

    @property
    def delay_s(self) -> float | None:
        """How long an echo takes from our sending to its coming back, in seconds; None: not known."""
        return None if self._known is None else self._known / PHONE_RATE

    def hear(self, chunk: bytes) -> None:
        """Give the caller's next chunk to listening, and keep it here too."""
        self.caller(chunk, self._clock())
        self._listen(chunk)

    def caller(self, ulaw: bytes, now: float) -> None:
        """The next of the sound that listening is given."""
        self._caller.append(ulaw)
        self._heard += len(ulaw)
        lag = now - self._heard / PHONE_RATE
        if self._lag is None or lag < self._lag:
            self._lag = lag
        else:
            self._lag += min(LEAK_S, lag - self._lag)
        while self._heard - self._first > KEPT_S * PHONE_RATE:
            self._first += len(self._caller.popleft())

    def ours(self, ulaw: bytes, now: float) -> None:
        """We have sent sound."""
        begins = max(now, self._play_end)
        self._ours.append((begins, ulaw))
        self._play_end = begins + len(ulaw) / PHONE_RATE
        while self._ours[0][0] < now - KEPT_S - LONGEST_DELAY_S:
            self._ours.popleft()

    def cleared(self, now: float) -> None:
        """What was sent and not played yet never will be."""
        self._play_end = min(self._play_end, now)
        kept = [(at, ulaw[: max(0, round((now - at) * PHONE_RATE))]) for at, ulaw in self._ours]
        self._ours = deque([(at, ulaw) for at, ulaw in kept if ulaw])

    def connected(self, offset_s: float) -> None:
        """Listening's newest connection begins at this second of all the sound that it was given."""
        self._since_s = offset_s

    def measure(self, turn: TurnInfo) -> EchoMeasured | None:
        """Compare a turn: its newest part, and at its end all of it. None: nothing to compare."""
        if not turn.words:
            return None
        start, end = turn.words[0].start, turn.audio_window_end
        if start is None:  # a word's times are optional
            start = turn.audio_window_start
        if turn.event not in (END_OF_TURN, EAGER_END_OF_TURN):
            start = max(start, end - NEWEST_S)
        since = self._since_s
        found = self.echoed(start + since, end + since)
        return None if found is None else EchoMeasured(round(found[0], 3), round(found[1] - since, 3))

    def echoed(self, start_s: float, end_s: float) -> tuple[float, float] | None:
        """The least share of what can be heard between these seconds of the caller's that is ours, 0 to 1;
        and the second up to which all of it is.

        None: nothing of ours could be back by then, or too little was heard to say, or too much.
        """
        first = max(0, round(start_s * PHONE_RATE))
        last = min(self._heard, round(end_s * PHONE_RATE))
        if first < self._first or last - first < LEAST_S * PHONE_RATE:
            return None
        if self._lag is None or not self._played(first, last):
            return None
        heard = _linear(b"".join(self._caller)[first - self._first : last - self._first])
        if not heard.any():  # words without a sound are not known by their sound
            return None
        played = self._timeline(first - REACH, last)
        if self._known is not None:
            delays = (max(0, self._known - SAME_DELAY), min(REACH, self._known + SAME_DELAY))
            least, until, _ = _walk(heard, played, PIECE_S / 2, delays, EXPLAINED_KNOWN)
            if least >= EXPLAINED_KNOWN or until > PIECE_S * PHONE_RATE:
                share = max(least, SOUND_SHARE) if least >= EXPLAINED_KNOWN else min(least, EXPLAINED_KNOWN)
                return share, (first + until) / PHONE_RATE
        least, until, delay = _walk(heard, played, PIECE_S, (0, REACH), SOUND_SHARE)
        if least >= SOUND_SHARE or until > PIECE_S * PHONE_RATE:
            if self._delays and abs(self._delays[-1] - delay) <= SAME_DELAY:
                self._known = delay
            self._delays.append(delay)
        return least, (first + until) / PHONE_RATE

    def _played(self, first: int, last: int) -> bool:
        assert self._lag is not None
        begin, end = first / PHONE_RATE + self._lag - LONGEST_DELAY_S, last / PHONE_RATE + self._lag
        return any(at < end and at + len(ulaw) / PHONE_RATE > begin for at, ulaw in self._ours)

    def _timeline(self, first: int, last: int) -> Sound:
        """What we played between these samples of the caller's clock, without the line's delay."""
        assert self._lag is not None
        played = np.zeros(last - first, np.float32)
        for at, sound in _joined(self._ours):
            begin = round((at - self._lag) * PHONE_RATE) - first
            piece = _linear(sound[max(0, -begin) : max(0, last - first - begin)])
            if len(piece):
                played[max(0, begin) : max(0, begin) + len(piece)] = piece
        return played


def _walk(
    heard: Sound, played: Sound, piece_s: float, delays: tuple[int, int], enough: float
) -> tuple[float, int, int]:
    """Piece by piece up to the first that is not ours: the least share, where the last that is ours ends (or
    all), and its delay. A piece without sound is nobody's: a word may be given a time in it."""
    count = max(1, round(len(heard) / (piece_s * PHONE_RATE)))
    cuts = [len(heard) * n // count for n in range(count + 1)]
    bounds = list(zip(cuts[:-1], cuts[1:], strict=True))
    powers = [float(np.dot(heard[a:b], heard[a:b])) for a, b in bounds]
    least, delay, until, audible = 1.0, 0, 0, AUDIBLE * max(powers)
    for (a, b), power in zip(bounds, powers, strict=True):
        share, found = _best(heard[a:b], played[a : b + REACH], *delays) if power else (0.0, 0)
        if power <= audible:
            until = b if share >= enough else until  # an echo is weaker than a voice over it
            continue
        least = min(least, share)
        if share < enough:
            return least, until, delay
        delay, until = found, b
    return least, len(heard), delay


def _best(heard: Sound, played: Sound, least: int, most: int) -> tuple[float, int]:
    """The greatest share of what was heard that was played, and the delay at which it is.

    `played` begins before `heard` by the longest delay. Delays from `least` to `most` samples are tried.
    """
    longest = len(played) - len(heard)
    played = played[longest - most : longest - least + len(heard)]
    size = -(-len(played) // FFT_STEP) * FFT_STEP  # what wraps around is at delays that are not looked at
    product = np.fft.rfft(played, size) * np.conj(np.fft.rfft(heard, size))
    count = most - least + 1
    likeness = np.fft.irfft(product, size)[:count]
    sums = np.concatenate(([0.0], np.cumsum(np.square(played, dtype=np.float64))))
    energy = sums[len(heard) :][:count] - sums[:count]
    share = np.square(likeness) / (np.maximum(energy, 1.0) * float(np.dot(heard, heard)) + 1e-9)
    best = int(np.argmax(share))
    return float(share[best]), most - best


def _joined(pieces: Iterable[tuple[float, bytes]]) -> list[tuple[float, bytes]]:
    """Joins pieces that play without a break: else each would be placed by its own rounding."""
    runs: list[tuple[float, list[bytes], float]] = []
    for at, sound in pieces:
        if runs and abs(runs[-1][2] - at) < 0.5 / PHONE_RATE:
            begins, parts, end = runs[-1]
            parts.append(sound)
            runs[-1] = (begins, parts, end + len(sound) / PHONE_RATE)
        else:
            runs.append((at, [sound], at + len(sound) / PHONE_RATE))
    return [(at, b"".join(parts)) for at, parts, _ in runs]


def _linear(ulaw: bytes) -> Sound:
    return np.frombuffer(ulaw_to_linear16(ulaw), np.int16).astype(np.float32)
