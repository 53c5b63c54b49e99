"""Pacing: how far ahead of playout audio is sent, and where marks lie."""

from __future__ import annotations

from telephony.playback.pacer import LEAD_S, Mark, PacedPiece, Pacer, SpokenStore


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


def test_a_piece_ends_where_its_phrase_ends() -> None:
    """So the mark lies exactly behind the phrase, and says that it was heard."""
    pacer = Pacer()
    pacer.play(1, 0, 1, 1700, [900, 1700])
    assert [due.end for due in pacer.due(0.0) if isinstance(due, PacedPiece)] == [800, 900, 1700]


def test_audio_that_comes_after_what_was_sent_has_played_is_an_underrun_but_a_beginning_is_not() -> None:
    pacer = Pacer()
    pacer.play(1, 0, 1, 800, [])
    pacer.due(0.0)
    pacer.extend(1, 1600)
    pacer.due(5.0)
    assert pacer.underruns == 1
    pacer.play(2, 0, 1, 800, [])
    pacer.due(20.0)
    assert pacer.underruns == 1


def test_what_is_stopped_is_not_due_until_it_is_played_again() -> None:
    pacer = Pacer()
    pacer.play(1, 0, 1, 8000, [8000])
    pacer.due(0.0)
    pacer.stop(0.1, cleared=True)
    assert pacer.due(3.0) == [] and pacer.playing_s(0.1) == 0.0
    pacer.play(1, 400, 2, 8000, [8000])
    first = pacer.due(3.0)[0]
    assert isinstance(first, PacedPiece) and first.start == 400


def test_the_store_forgets_what_was_heard() -> None:
    store = SpokenStore()
    assert store.append(1, b"abc") == 3 and store.append(2, b"de") == 2 and store.append(1, b"f") == 4
    assert store.read(1, 1, 9) == b"bcf" and store.samples == 6
    store.drop(1)
    assert (store.available(1), store.read(1, 0, 4), store.samples) == (0, b"", 2)
