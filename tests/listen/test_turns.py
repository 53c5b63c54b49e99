"""The caller's turns, from real sessions and from everything a service or a lost connection may do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.deepgram import flux_codec
from telephony.listen.turns import TrackedTurn, TurnEvent, TurnKind, TurnTracker
from tests.listen.recordings import CAPTURE, SESSIONS, session

S, U, E, R, X = TurnKind


def heard(turns: TurnTracker, messages: list[flux_codec.ServerMessage]) -> list[TurnEvent]:
    return [event for m in messages if isinstance(m, flux_codec.TurnInfo) for event in turns.receive(m)]


def info(
    event: str, text: str, end: float, turn: int = 0, start: float = 0.0, **more: object
) -> flux_codec.TurnInfo:
    words = tuple(
        flux_codec.Word(word, 0.9, end - 0.1 * (count - i), end - 0.1 * (count - i) + 0.1)
        for count in [len(text.split())]
        for i, word in enumerate(text.split())
    )
    return flux_codec.TurnInfo(event, turn, text, words, 0.5, start, end, **more)  # type: ignore[arg-type]


def kinds(events: list[TurnEvent]) -> list[TurnKind]:
    return [event.kind for event in events]


@pytest.mark.parametrize(
    ("name", "ended"),
    [
        (SESSIONS[1], []),
        (SESSIONS[2], [("No.", 1.36)]),
        (SESSIONS[3], [("I don't know. I'm not so sure.", 2.32)]),
        (SESSIONS[5], [("Yes.", 1.28)]),
    ],
)
def test_recorded_sessions_yield_their_turns(name: str, ended: list[tuple[str, float]]) -> None:
    """Each recording's turns, and nothing for the noise in which Flux heard none."""
    events = heard(TurnTracker(), session(name))
    assert [(e.text, e.audio_end) for e in events if e.kind is X] == ended
    assert len([e for e in events if e.kind is S]) == len(ended)


def test_the_capture_of_the_service_is_one_turn() -> None:
    """Text before StartOfTurn opens nothing; the draft's text is the final one."""
    events = heard(TurnTracker(), session(CAPTURE))
    assert kinds(events)[0] is S
    assert (events[0].text, events[0].audio_end, events[0].turn) == ("We, the", 0.96, 0)
    assert kinds(events)[-3:] == [E, U, X]
    assert events[-3].text == events[-1].text
    assert events[-1].text.endswith("the United States of America.")
    assert kinds(events).count(S) == kinds(events).count(X) == 1


@pytest.mark.parametrize("name", SESSIONS)
def test_a_lost_connection_changes_no_turn(name: str) -> None:
    """At whatever message the connection is lost, the audio sent again gives the same turns, none twice."""
    messages = session(name)
    whole = [(e.turn, e.text) for e in heard(TurnTracker(), messages) if e.kind is X]
    for cut in range(1, len(messages), 7):
        turns = TurnTracker()
        events = heard(turns, messages[:cut])
        ended = sum(1 for e in events if e.kind is X)
        events += turns.connected(0.0)
        # nothing before the last end is sent again: the new connection starts there, counting from 0
        again = [m for m in messages if isinstance(m, flux_codec.TurnInfo) and m.turn_index >= ended]
        events += heard(turns, list(again)) if ended == 0 else []
        assert [(e.turn, e.text) for e in events if e.kind is X] == whole
        assert kinds(events).count(S) == len(whole)


def test_times_stay_on_the_callers_clock() -> None:
    """A connection that begins at second 30 of the call counts from 0; nobody outside notices."""
    turns = TurnTracker()
    turns.connected(30.0)
    event = turns.receive(info("StartOfTurn", "hello there", 0.96))[0]
    assert (event.audio_start, event.audio_end) == (30.0, 30.96)
    assert event.speech_start == pytest.approx(30.76)
    assert event.speech_end == pytest.approx(30.96)


def test_turn_numbers_grow_over_connections() -> None:
    """Flux counts each connection's turns from 0, the call counts on."""
    turns = TurnTracker()
    for offset in (0.0, 10.0, 20.0):
        assert turns.connected(offset) == []
        heard(turns, [info("StartOfTurn", "yes", 0.5), info("EndOfTurn", "yes", 0.7)])
    assert turns.turn == 2


def test_an_open_turn_is_carried_over() -> None:
    """It is not started again, its draft is taken back, and it ends under the same number."""
    turns = TurnTracker()
    turns.receive(info("StartOfTurn", "a large", 1.0))
    turns.receive(info("EagerEndOfTurn", "a large latte", 1.4))
    assert kinds(turns.connected(0.0)) == [R]
    assert turns.state is TrackedTurn.CARRIED
    assert turns.receive(info("Update", "", 0.24)) == []
    assert kinds(turns.receive(info("StartOfTurn", "a large", 1.0))) == [U]
    ended = turns.receive(info("EndOfTurn", "a large latte", 1.5))
    assert [(e.kind, e.turn, e.text) for e in ended] == [(X, 0, "a large latte")]


def test_words_too_old_to_be_sent_again_are_kept() -> None:
    """Of a turn longer than what is sent again, the beginning comes from the lost connection."""
    turns = TurnTracker()
    turns.receive(info("StartOfTurn", "one two three four", 14.0))
    turns.connected(13.8)
    event = turns.receive(info("StartOfTurn", "three four five", 0.3))[0]
    assert event.text == "one two three four five"
    assert [w.word for w in event.words] == event.text.split()


def test_an_empty_end_keeps_the_last_words() -> None:
    """cloudflare/agents 1454: the words were in the Update, the EndOfTurn was empty."""
    turns = TurnTracker()
    turns.receive(info("StartOfTurn", "a mocha", 1.0))
    ended = turns.receive(info("EndOfTurn", "", 1.4, trigger="model"))
    assert [(e.kind, e.text, e.trigger) for e in ended] == [(X, "a mocha", "model")]


def test_an_end_without_a_start_is_a_turn() -> None:
    """Words are never lost for want of a StartOfTurn; an end without words is nothing."""
    turns = TurnTracker()
    assert turns.receive(info("EndOfTurn", "", 0.5)) == []
    events = turns.receive(info("EndOfTurn", "hello", 1.0, 1, 0.5))
    assert kinds(events) == [S, X]
    assert {e.started_by for e in events} == {"end"}
    turns.receive(info("Update", "may be", 1.5, 2, 1.0))
    assert [e.text for e in turns.receive(info("EndOfTurn", "", 1.7, 2, 1.0))] == ["may be", "may be"]


def test_text_that_vanishes_before_a_turn_is_forgotten() -> None:
    """A noise that was a word for a moment does not come back at the next empty end."""
    turns = TurnTracker()
    assert turns.receive(info("Update", "the", 0.5)) == []
    assert turns.receive(info("Update", "", 0.7)) == []
    assert turns.receive(info("EndOfTurn", "", 0.9)) == []


def test_duplicates_change_nothing() -> None:
    """A message seen before, or an end of an earlier turn, is dropped."""
    turns = TurnTracker()
    start, end = info("StartOfTurn", "yes", 1.0, sequence_id=4), info("EndOfTurn", "yes", 1.2, sequence_id=5)
    assert kinds([*turns.receive(start), *turns.receive(start)]) == [S]
    assert kinds([*turns.receive(end), *turns.receive(end)]) == [X]
    assert turns.receive(info("EndOfTurn", "yes", 1.2, sequence_id=6)) == []


def test_a_second_eager_end_with_other_words_resumes_first() -> None:
    """A draft made for words that changed is taken back; one for the same words is kept."""
    turns = TurnTracker()
    turns.receive(info("StartOfTurn", "a large", 1.0))
    assert kinds(turns.receive(info("EagerEndOfTurn", "a large", 1.2))) == [E]
    assert kinds(turns.receive(info("EagerEndOfTurn", "a large", 1.3))) == [U]
    assert kinds(turns.receive(info("EagerEndOfTurn", "a large one", 1.4))) == [R, E]


def test_a_turn_whose_end_never_came_ends_when_the_next_begins() -> None:
    """Its words are not lost, and say that their end was."""
    turns = TurnTracker()
    turns.receive(info("StartOfTurn", "first", 1.0))
    events = turns.receive(info("StartOfTurn", "second", 2.0, 1, 1.2))
    assert [(e.kind, e.text, e.trigger, e.turn) for e in events] == [
        (X, "first", "lost", 0),
        (S, "second", None, 1),
    ]


def test_unknown_events_are_ignored() -> None:
    """What a later Flux may say does not disturb a turn."""
    turns = TurnTracker()
    turns.receive(info("StartOfTurn", "yes", 1.0))
    assert turns.receive(info("Sneeze", "", 1.1)) == []
    assert kinds(turns.receive(info("EndOfTurn", "yes", 1.2, trigger="mood"))) == [X]


STEPS = st.lists(
    st.one_of(
        st.builds(
            info,
            st.sampled_from(["Update", "StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EndOfTurn", "Odd"]),
            st.sampled_from(["", "yes", "yes please"]),
            st.floats(0, 9),
            st.integers(0, 3),
        ),
        st.floats(0, 60),
    ),
    max_size=40,
)


@given(STEPS)
def test_turns_are_well_formed_whatever_flux_says(steps: list[flux_codec.TurnInfo | float]) -> None:
    """Each turn starts once, ends at most once, has words, and its number is one more than the last's."""
    turns, started, ended = TurnTracker(), 0, 0
    for step in steps:
        events = turns.connected(step) if isinstance(step, float) else turns.receive(step)
        for event in events:
            assert event.text
            started += event.kind is S
            assert event.turn == started - 1
            ended += event.kind is X
            assert ended in (started, started - 1)
            assert (event.kind in (S, X)) or ended == started - 1
        assert turns.open == (started > ended)
