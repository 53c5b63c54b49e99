"""Pacing, and the ledger of what was heard."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telephony.events import WordTime
from telephony.playback.ledger import Ledger, WordState
from telephony.playback.pacer import LEAD_S, Mark, PacedPiece, Pacer

WORDS = (WordTime("one", 0, 4000), WordTime("two", 4000, 8000), WordTime("three", 8000, 12000))


def ledger_with_three_words() -> Ledger:
    """A reply of three words of half a second each, all sent at 10.0."""
    ledger = Ledger()
    ledger.add_phrase(1, "one two three")
    ledger.audio(1, 0, 12000)
    ledger.phrase_done(1, 0, WORDS)
    ledger.sent(1, 0, 12000, 10.0)
    ledger.mark_sent("1.1.1", 1, 12000, 10.0)
    return ledger


def states(ledger: Ledger, now: float) -> list[WordState]:
    return [word.state for word in ledger.words(1, now)]


def test_the_first_lead_goes_out_at_once_and_the_rest_keeps_pace() -> None:
    pacer = Pacer()
    pacer.play(1, 0, 1, 16000, [16000])
    first = [due for due in pacer.due(5.0) if isinstance(due, PacedPiece)]
    assert sum(p.end - p.start for p in first) / 8000 >= LEAD_S
    sent = sum(p.end - p.start for p in first)
    for tick in range(1, 30):
        now = 5.0 + tick / 10
        sent += sum(p.end - p.start for p in pacer.due(now) if isinstance(p, PacedPiece))
        assert sent / 8000 - tick / 10 <= LEAD_S + 0.1 + 1e-9
    assert sent == 16000


def test_marks_come_every_fifth_of_a_second_and_at_each_phrase_end() -> None:
    pacer = Pacer()
    pacer.play(1, 0, 2, 9000, [3000, 9000])
    marks = [due for tick in range(40) for due in pacer.due(tick / 10) if isinstance(due, Mark)]
    assert [m.sample for m in marks] == [1600, 3000, 4600, 6200, 7800, 9000]
    assert [m.name for m in marks] == [f"1.2.{i}" for i in range(1, 7)]


def test_while_audio_waits_to_be_played_a_mark_waits_with_it() -> None:
    """So every `clear` that throws audio away is answered by a mark, which dates it."""
    pacer = Pacer()
    pacer.play(1, 0, 1, 40000, [40000])
    ends: list[tuple[float, int]] = []
    sent = 0
    for tick in range(60):
        now = tick / 10
        for due in pacer.due(now):
            if isinstance(due, PacedPiece):
                sent = due.end
            else:
                ends.append((due.sample / 8000, due.sample))
        unplayed = sent / 8000 - now
        assert unplayed <= 0.2 or any(at > now for at, _ in ends)


def test_a_phrase_end_learnt_after_all_was_sent_still_gets_its_mark() -> None:
    pacer = Pacer()
    pacer.play(1, 0, 1, 800, [])
    assert not [due for due in pacer.due(0.0) if isinstance(due, Mark)]
    pacer.phrase_end(1, 800)
    assert [due.sample for due in pacer.due(0.1) if isinstance(due, Mark)] == [800]


def test_words_are_heard_not_heard_or_uncertain() -> None:
    ledger = ledger_with_three_words()
    assert states(ledger, 10.75) == [WordState.HEARD, WordState.UNCERTAIN, WordState.NOT_HEARD]


def test_a_returned_mark_proves_what_lies_before_it() -> None:
    ledger = ledger_with_three_words()
    assert ledger.mark_played("1.1.1", 11.55)
    assert ledger.heard(1, 11.55).bound_ms == 0
    assert states(ledger, 11.55) == [WordState.HEARD] * 3


def test_marks_that_return_because_of_a_clear_prove_nothing() -> None:
    ledger = ledger_with_three_words()
    ledger.cleared(10.75)
    assert not ledger.mark_played("1.1.1", 10.8)
    assert ledger.heard_text(1, 20.0) == "one"
    assert ledger.resume_point(1, 20.0) == 4000


def test_a_duplicate_or_unknown_mark_changes_nothing() -> None:
    ledger = ledger_with_three_words()
    assert ledger.mark_played("1.1.1", 11.55)
    assert not ledger.mark_played("1.1.1", 11.6)
    assert not ledger.mark_played("9.9.9", 11.6)


def test_a_lost_mark_widens_the_bound_and_the_clock_speaks_in_its_place() -> None:
    ledger = ledger_with_three_words()
    assert ledger.heard(1, 13.0).bound_ms > 1000
    assert not ledger.all_heard(1, 12.4)
    assert ledger.all_heard(1, 12.6)


def test_a_later_mark_proves_earlier_replies_too() -> None:
    ledger = ledger_with_three_words()
    ledger.add_phrase(2, "four")
    ledger.audio(2, 0, 4000)
    ledger.sent(2, 0, 4000, 10.1)
    ledger.mark_sent("2.1.1", 2, 4000, 10.1)
    ledger.mark_played("2.1.1", 12.1)
    assert ledger.heard(1, 12.1).samples == 12000 and ledger.heard(1, 12.1).bound_ms == 0


def test_going_on_after_a_clear_counts_on_from_where_it_was() -> None:
    ledger = ledger_with_three_words()
    ledger.cleared(10.75)
    ledger.sent(1, 4000, 12000, 12.0)
    assert ledger.heard_text(1, 12.0) == "one"
    assert ledger.heard_text(1, 12.6) == "one two"


@given(
    st.lists(st.tuples(st.integers(1, 2000), st.floats(0, 0.4)), min_size=1, max_size=30),
    st.floats(0, 5),
)
def test_never_more_is_heard_than_was_sent_and_never_less_than_a_moment_before(
    pieces: list[tuple[int, float]], later: float
) -> None:
    ledger = Ledger()
    ledger.add_phrase(1, "word")
    now, position, before = 1.0, 0, 0
    for samples, gap in pieces:
        ledger.audio(1, 0, samples)
        ledger.sent(1, position, position + samples, now)
        position += samples
        now += gap
        heard = ledger.heard(1, now).samples
        assert before <= heard <= position
        before = heard
    assert before <= ledger.heard(1, now + later).samples <= position
