"""Turns as JSON: moments on the caller's clock, and parts of the latency that add up."""

from __future__ import annotations

from telephony.conversation.turn_record import CallerPart, StreamClock, TurnRecord, turn_json


def clock_at(offset_s: float) -> StreamClock:
    """A clock whose stream began so late in the call."""
    clock = StreamClock()
    clock.frame(1000, 1.0 + offset_s)
    return clock


def answered() -> TurnRecord:
    record = TurnRecord(3, CallerPart("a latte", 4.0, 5.0, 5.3, eot_at=7.4, trigger="model"))
    agent = record.begin_agent("answer")
    agent.sent(8.0, 7.6, 7.9)
    agent.settle("One latte.", "One latte.", 9.0)
    return record


def test_the_line_at_its_quickest_gives_the_clock() -> None:
    clock = clock_at(2.0)
    clock.frame(2000, 4.5)
    assert clock.at(5.0) == 3.0 and clock.when(3.0) == 5.0
    clock.frame(3000, 4.9)
    assert clock.at(5.0) == 3.1


def test_before_the_first_frame_no_moment_is_known() -> None:
    assert StreamClock().at(5.0) is None and StreamClock().when(3.0) == 3.0 and clock_at(2.0).at(None) is None


def test_moments_are_on_the_callers_clock_and_ours_at_the_callers_ear() -> None:
    row = turn_json(answered(), clock_at(2.0), 0.1)
    assert row["caller"]["eot_s"] == 5.4 and row["caller"]["trigger"] == "model"
    assert (row["agent"]["first_audio_s"], row["agent"]["last_audio_s"]) == (6.1, 7.1)


def test_the_parts_of_the_latency_add_up() -> None:
    latency = turn_json(answered(), clock_at(2.0), 0.1)["latency_ms"]
    assert latency == {
        "mouth_to_ear": 1100,
        "listen": 400,
        "think": 200,
        "speak": 300,
        "pace": 100,
        "line": 100,
    }


def test_an_answer_of_which_nothing_was_sent_is_unspoken() -> None:
    record = TurnRecord(0, CallerPart("a latte", end_audio=1.0, eot_at=3.0))
    record.begin_agent("answer").settle("One latte.", "", 5.0)
    row = turn_json(record, clock_at(0.0), 0.0)
    assert row["unspoken"] == "One latte." and row["agent"] is None and row["latency_ms"] is None


def test_the_first_sending_counts_and_an_answer_that_was_never_sent_has_no_last_moment() -> None:
    agent = TurnRecord(0).begin_agent("answer")
    agent.settle("Hello.", "", 5.0)
    assert agent.last_audio_at is None
    agent.sent(6.0, 5.1, 5.2)
    agent.sent(7.0, None, None)
    assert (agent.first_sent_at, agent.first_text_at, agent.first_sound_at) == (6.0, 5.1, 5.2)


def test_an_interrupted_part_says_how_sure_it_is_and_one_that_is_settled_again_is_not_interrupted() -> None:
    agent = TurnRecord(0).begin_agent("answer")
    agent.interrupt(("latte",), 80.0)
    assert (agent.interrupted, agent.uncertain, agent.bound_ms) == (True, ("latte",), 80.0)
    agent.correct("Hi")
    assert agent.heard == "Hi"
    agent.settle("Hello.", "Hello.", 5.0)
    assert not agent.interrupted


def test_one_record_has_one_answer_and_the_least_that_a_draft_saved() -> None:
    record = TurnRecord(0)
    assert (
        record.begin_agent("answer") is record.begin_agent("re-ask")
        and record.begin_agent("x").kind == "answer"
    )
    record.draft_saved(300)
    record.draft_saved(500)
    record.drafts_wasted({"drafts": 1})
    record.decided("cut", "the caller said something", 4.0)
    row = turn_json(record, clock_at(2.0), 0.0)
    assert row["eager"] == {"saved_ms": 300, "wasted": {"drafts": 1}}
    assert row["decisions"] == [{"at_s": 2.0, "what": "cut", "reason": "the caller said something"}]
