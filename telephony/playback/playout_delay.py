"""What marks and timestamps show of a line: its delay, its jitter, where it stalled. PURE.

A mark comes back between two of the caller's media frames, and one socket keeps its order: the newest frame's
timestamp dates the mark on the caller's own clock, free of the jitter of the way back, to one
frame of 20 ms.

What is sent plays later than the model by the delay of its run (what plays without a break): the delay of its
first piece, and more whenever playout ran dry. Within a run it can only grow; a mark that comes back late by
itself says nothing yet, two in a row do.
"""

from __future__ import annotations

from collections import deque

HALF_FRAME_S = 0.010
"""The newest frame before a mark is between 0 and 20 ms old."""


class PlayoutDelay:
    """What is known of the line so far. Times in seconds: `now` is our clock, `playout` the caller's."""

    BASE_S = 0.030
    """Even a clean line rounds to 20 ms frames, and the wheel's tick is 20 ms."""
    UNKNOWN_JITTER_S = 0.060
    DRIFT = 0.0005
    """500 ppm: more than any telephone clock measured."""
    LOST_FRAME_S = 0.020
    """The frame that would have dated a mark may be lost."""
    LATE_S = 0.080
    """Later than jitter explains: the line stalled, or the mark is lost."""
    RUNS = 8

    def __init__(self) -> None:
        self._offset: float | None = None
        self._clock_spread = 0.0
        self._delays: dict[int, deque[float]] = {}
        """For each of the newest runs, the delays that its newest two marks had, on the playout clock."""
        self._least: dict[int, float] = {}
        """For each of the newest runs, its marks' least round trip, on ours."""
        self._quickest_clear: float | None = None
        self.spread_s = 0.0
        """How much the newest marks differ that should be equally late."""
        self._marks = 0

    def clock(self, stream_ms: int, now: float) -> None:
        """The caller's side of the line: the timestamp of a frame that came at `now`."""
        offset = now - stream_ms / 1000
        if self._offset is None:
            self._offset = offset
        # The least offset follows a slow drift of either clock (1,000 ppm at one frame a second).
        self._offset = min(offset, self._offset + 0.001)
        self._clock_spread = max(self._clock_spread * 0.95, offset - self._offset)

    def mark(self, run: int, expected: float, playout: float) -> None:
        """A mark of this run, which by the model was played at `expected`, was at `playout`."""
        delays = self._delays.setdefault(run, deque(maxlen=2))
        delays.append(playout - expected)
        trip = playout - expected + (self._offset or 0.0)
        self._least[run] = min(trip, self._least.get(run, trip))
        for old in list(self._delays)[: -self.RUNS]:
            del self._delays[old], self._least[old]
        self._marks += 1
        self.spread_s = max(
            self.spread_s * 0.98, self._least[run] - (self.least or 0.0), max(delays) - min(delays)
        )

    def round_trip(self, sent: float, playout: float) -> None:
        """A `clear` that was sent at `sent` came back, as a mark that it returned, at `playout`."""
        self._quickest_clear = playout - sent + (self._offset or 0.0)

    @property
    def least(self) -> float | None:
        """The quickest round trip of the newest marks and of the last `clear`; None before the first."""
        trips = [*self._least.values()]
        if self._quickest_clear is not None:
            trips.append(self._quickest_clear)
        return min(trips, default=None)

    def playout(self, now: float, stream_ms: int | None) -> float:
        """When, on the playout clock, a message was written that came at `now` behind frame `stream_ms`."""
        if stream_ms is None:
            return now - (self._offset or 0.0)
        return stream_ms / 1000 + HALF_FRAME_S

    def playout_of_sent(self, now: float) -> float:
        """When, on the same clock, a mark would come back from what is sent now."""
        return now + (self.least or 0.0) - (self._offset or 0.0)

    def model_time(self, run: int, playout: float) -> float:
        """Up to which moment of the model this run had been played at a moment of the playout clock."""
        delays = self._delays.get(run)
        delay = min(delays) if delays else (self.least or 0.0) - (self._offset or 0.0)
        return playout - delay

    def late(self, expected: float, now: float) -> float:
        """By how much more than jitter a mark that has not come yet is late; 0: it is not."""
        late = now - expected - (self.least or 0.0)
        return late if late > self.LATE_S + self.jitter_s() else 0.0

    def jitter_s(self) -> float:
        """How much later than the quickest a message may be on this line."""
        jitter = self.spread_s if self._marks >= 3 else max(self.spread_s, self.UNKNOWN_JITTER_S)
        return max(jitter, min(self._clock_spread, 1.0))

    def bound_s(self, run: int, played_s: float, *, timed: bool) -> float:
        """How far off a position may be that was read from the model; `timed`: the `clear` was dated too."""
        bound = self.BASE_S + self.DRIFT * played_s
        if timed:
            bound += self.LOST_FRAME_S
            # One mark alone may have been late by itself.
            return bound + (
                self.spread_s if len(self._delays.get(run, ())) > 1 else self.jitter_s() + self.LATE_S
            )
        if self._quickest_clear is None:
            # How much of the round trip is the line's, and how much this run's, only a `clear` can tell.
            bound += self.least or 0.0
        return bound + self.jitter_s() * (1 if run in self._delays else 2)
