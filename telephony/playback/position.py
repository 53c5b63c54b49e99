"""How far into each reply the caller has heard, by what was sent, by marks, and by how late they come. PURE.

Time is passed in as `now`, seconds. Positions are samples of a reply (8,000 a second). The reasoning stands
at the head of playback/ledger.py.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from telephony.audio.g711 import PHONE_RATE
from telephony.base.frozen import frozen
from telephony.playback.playout_delay import PlayoutDelay

LINE_ALLOWANCE_S = 0.5
"""The caller may still hear us this long after the model says that all was played: the way there."""
LOST_MARK_S = 1.0
"""A last mark that is this late counts as lost; the playout clock speaks instead."""
FORGOTTEN_MARK_S = 10.0
"""A mark that is this late will never come: no line stalls so long and recovers."""
TRUSTED_LATE_S = 0.1
"""A `clear` that took effect later than this was delayed by a stalled line. What had been sent before it may
not have arrived either, so its lateness does not say how much more was played."""
RAN_DRY_S = 0.25
"""A mark was due this long before the `clear` and came with it: playout had run dry before it."""
FRAME_S = 0.02


@frozen
class HeardSpan:
    """How much of a reply was heard: the best answer, and how far off it may be."""

    samples: int
    bound_ms: float


@dataclass(slots=True)
class _SentSpan:
    start: int
    end: int
    play_start: float
    run: int

    @property
    def play_end(self) -> float:
        return self.play_start + (self.end - self.start) / PHONE_RATE

    def reached(self, at: float) -> int:
        """The sample that is playing at a moment of the model."""
        return self.start + min(max(0, int((at - self.play_start) * PHONE_RATE)), self.end - self.start)


@frozen
class _Mark:
    reply: int
    sample: int
    expected: float
    run: int


@dataclass(slots=True)
class _Clear:
    """A `clear` that went out, and what came back of it."""

    at: float
    playout: float
    """When it should take effect, on the playout clock."""
    marks: dict[str, _Mark]
    doubtful: bool
    """A mark was overdue when it went out."""
    came: float | None = None
    """When it did take effect, if a mark showed it."""
    not_before: float | None = None
    """A mark came at its own time, when the `clear` should have returned it before: that had not come."""


@dataclass(slots=True)
class _Cut:
    """What had been sent of a reply when a `clear` went out."""

    clear: _Clear
    spans: list[_SentSpan]
    at_most: int
    """Playout cannot be further."""


@dataclass(slots=True)
class _Sent:
    """All that is known of one reply."""

    spans: list[_SentSpan] = field(default_factory=list)
    sent: int = 0
    """Where sending stands; behind a `clear`, where it is thought to have cut."""
    most: int = 0
    proven: int = 0
    """Samples that a mark has proved."""
    cut: _Cut | None = None
    before: HeardSpan = HeardSpan(0, 0.0)
    """What was heard by the end of earlier cuts."""
    first_sent_at: float | None = None


class Positions:
    """What was sent of each reply, and how much of it was played."""

    def __init__(self) -> None:
        self.line = PlayoutDelay()
        self.play_end = 0.0
        """When, by the model, everything sent so far has been played."""
        self._cleared = True
        """Nothing was sent since the last `clear`."""
        self._replies: dict[int, _Sent] = {}
        self._marks: OrderedDict[str, _Mark] = OrderedDict()
        self._clear: _Clear | None = None
        self._run = 0

    # what happened on the line

    def sent(self, reply: int, start: int, end: int, now: float) -> None:
        """Samples [start, end) of a reply went out."""
        known = self._replies.setdefault(reply, _Sent())
        if now > self.play_end:
            self._run += 1
        play_start = max(now, self.play_end)
        last = known.spans[-1] if known.spans else None
        if last is not None and last.end == start and last.run == self._run:
            last.end = end
        else:
            known.spans.append(_SentSpan(start, end, play_start, self._run))
        self.play_end = play_start + (end - start) / PHONE_RATE
        self._cleared = False
        known.sent = max(known.sent, end)
        known.most = max(known.most, end)
        if known.first_sent_at is None:
            known.first_sent_at = now

    def mark_sent(self, name: str, reply: int, sample: int, now: float) -> None:
        """A mark went out behind this sample of a reply."""
        self._marks[name] = _Mark(reply, sample, max(now, self.play_end), self._run)

    def mark_played(self, name: str, now: float, stream_ms: int | None = None) -> bool:
        """A mark came back. False: it proves nothing (cleared, duplicate, unknown)."""
        playout = self.line.playout(now, stream_ms)
        mark = self._marks.get(name)
        if mark is None:
            self._clear_answered(name, playout)
            return False
        # The line keeps its order: marks before this one that have not come are lost.
        while next(iter(self._marks)) != name:
            self._marks.popitem(last=False)
        del self._marks[name]
        self.line.mark(mark.run, mark.expected, playout)
        known = self._replies.get(mark.reply)
        if known is not None:
            known.proven = max(known.proven, mark.sample)
        for number, other in self._replies.items():
            # The line plays in order: what was queued before this mark has been played too.
            if number != mark.reply and other.spans and other.spans[-1].play_end <= mark.expected:
                other.proven = max(other.proven, other.sent)
        return True

    def _clear_answered(self, name: str, playout: float) -> None:
        """A cleared mark came back. If it could not have been played yet, the `clear` took effect now."""
        clear = self._clear
        mark = clear.marks.pop(name, None) if clear is not None else None
        if clear is None or mark is None:
            return
        late = self.line.model_time(mark.run, playout) - mark.expected
        if late < -2 * FRAME_S:
            clear.came = playout if clear.came is None else max(clear.came, playout)
            self.line.round_trip(clear.at, playout)
        elif late > 2 * FRAME_S + self.line.spread_s:
            clear.doubtful = True
            known = self._replies.get(mark.reply)
            if late > RAN_DRY_S and known is not None and known.cut is not None:
                known.cut.at_most = min(known.cut.at_most, mark.sample)
        elif playout > clear.playout + 2 * FRAME_S:
            clear.not_before = max(playout, clear.not_before or playout)

    def cleared(self, now: float) -> None:
        """A `clear` goes out now: what was heard is settled, open marks prove nothing any more."""
        doubtful = self._overdue(now) > 0
        clear = self._clear = _Clear(now, self.line.playout_of_sent(now), dict(self._marks), doubtful)
        self._marks.clear()
        for known in self._replies.values():
            if known.spans:
                known.before = self._settled(known, now)
                known.cut = _Cut(clear, known.spans, known.most)
                known.spans = []
                known.sent = self._settled(known, now).samples
        self.play_end, self._cleared = now, True

    # what was heard

    def heard(self, reply: int, now: float) -> HeardSpan:
        """How much of a reply the caller has heard by `now`."""
        known = self._replies.get(reply)
        if known is None:
            return HeardSpan(0, 0.0)
        if not known.spans:
            return self._settled(known, now)
        if known.proven >= known.sent:
            return HeardSpan(known.sent, 0.0)
        before = self._settled(known, now)
        position, played = self._reached(known.spans, self.line.playout_of_sent(now))
        if position <= max(before.samples, known.proven):
            return HeardSpan(max(before.samples, known.proven), before.bound_ms)
        bound = self.line.bound_s(known.spans[-1].run, played, timed=False)
        if self._overdue(now):
            bound = max(bound, (position - known.proven) / PHONE_RATE)
        return HeardSpan(min(position, known.sent), bound * 1000)

    def _reached(self, spans: list[_SentSpan], playout: float) -> tuple[int, float]:
        """The sample playing at a moment of the playout clock, and for how long its run has been playing."""
        position, played = 0, 0.0
        for span in spans:
            at = self.line.model_time(span.run, playout)
            if at > span.play_start:
                position, played = max(position, span.reached(at)), at - span.play_start
        return position, played

    def _settled(self, known: _Sent, now: float) -> HeardSpan:
        """What was heard when the last `clear` took effect."""
        cut = known.cut
        if cut is None:
            return known.before
        clear = cut.clear
        late = self._late(clear, now)
        at = clear.playout
        if clear.came is not None:
            at += min(late, TRUSTED_LATE_S)
        position, played = self._reached(cut.spans, max(at, clear.not_before or at))
        run = cut.spans[-1].run
        most, position = position, max(min(position, cut.at_most), known.before.samples, known.proven)
        bound = self.line.bound_s(run, played, timed=clear.came is not None)
        if clear.doubtful or late > TRUSTED_LATE_S:
            unplayed = max(0, cut.spans[-1].end - most) / PHONE_RATE
            more = max(0, most - position) / PHONE_RATE + min(max(0.0, late), unplayed)
            bound = max(bound, (position - known.proven) / PHONE_RATE, more)
        return HeardSpan(position, bound * 1000)

    def _late(self, clear: _Clear, now: float) -> float:
        """How much later than expected a `clear` took effect, as far as is known by now."""
        if clear.came is not None:
            return clear.came - clear.playout
        waiting = self.line.late(clear.at, now) if clear.marks else 0.0
        return max(waiting, 0.0 if clear.not_before is None else clear.not_before - clear.playout)

    def _overdue(self, now: float) -> float:
        """How long the next mark is overdue: lost, or the line has stalled."""
        for mark in self._marks.values():
            return self.line.late(mark.expected, now)
        return 0.0

    def unanswered_s(self, now: float) -> float:
        """For how many seconds the next mark is overdue, whatever the line's delay; 0.0: none is."""
        for mark in self._marks.values():
            return max(0.0, now - mark.expected)
        return 0.0

    def audible(self, now: float) -> bool:
        """Whether the caller may still be hearing us, or about to."""
        waited_for = any(now < mark.expected + FORGOTTEN_MARK_S for mark in self._marks.values())
        return waited_for or (not self._cleared and now < self.play_end + LINE_ALLOWANCE_S)

    def played_out_at(self) -> float:
        """When, at the latest, all that was sent counts as heard, even if its last mark is lost."""
        return self.play_end + LOST_MARK_S

    def all_heard(self, reply: int, now: float) -> bool:
        """Whether all that was sent of a reply was heard: proved by its last mark, or by the clock."""
        known = self._replies.get(reply)
        return known is None or known.proven >= known.sent or now >= self.played_out_at()

    def played_at(self, reply: int, sample: int) -> float | None:
        """When, by the model, a sample was or will be played; None while it was not sent."""
        known = self._replies.get(reply)
        if known is None:
            return None
        before = known.cut.spans if known.cut is not None else []
        for span in reversed([*before, *known.spans]):
            if span.start <= sample < span.end:
                return span.play_start + (sample - span.start) / PHONE_RATE
        return None

    def sent_samples(self, reply: int) -> int:
        """How far into a reply was sent, less what a `clear` took back."""
        known = self._replies.get(reply)
        return known.sent if known else 0

    def first_sent_at(self, reply: int) -> float | None:
        """When the first of a reply was sent; None: nothing was."""
        known = self._replies.get(reply)
        return known.first_sent_at if known else None

    def forget(self, reply: int) -> None:
        """A reply is over: its positions are no longer needed."""
        self._replies.pop(reply, None)
