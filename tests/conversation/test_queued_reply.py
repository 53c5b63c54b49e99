"""One reply, and what the caller said that waits for an answer."""

from __future__ import annotations

from telephony.conversation.queued_reply import QueuedReply, ReplyKind, Stage, Unanswered
from telephony.conversation.turn_record import REDACTED, CallerPart, TurnRecord
from telephony.reply.agent import Expect, HangUp, Transfer, Wait


def reply(**fields: object) -> QueuedReply:
    return QueuedReply(1, ReplyKind.ANSWER, **fields)  # type: ignore[arg-type]


def test_sentences_yielded_one_by_one_get_the_space_between_them() -> None:
    one = reply()
    phrases = one.add_text("It is ready.") + one.add_text("Anything else?") + one.end_text()
    assert one.text == "It is ready. Anything else?" and " ".join(phrases) == one.text and one.ended


def test_a_models_tokens_keep_their_own_spaces() -> None:
    one = reply()
    for token in ("The U.", "S.", " office"):
        one.add_text(token)
    one.end_text()
    assert one.text == "The U.S. office"


def test_redacted_words_are_written_as_such_and_no_words_as_none() -> None:
    assert reply(turn_text="4111", redacted=True).line_text == REDACTED
    assert reply(turn_text="", redacted=True).line_text == ""
    assert reply(turn_text="a latte").line_text == "a latte"
    assert (reply(digits="12", redacted_digits=True).line_digits, reply(digits="12").line_digits) == (
        REDACTED,
        "12",
    )


def test_its_last_question_counts_and_a_transfer_leaves_without_ending_the_call() -> None:
    one = reply()
    one.add_actions([Expect("yes_no"), Expect("digits"), Wait()])
    assert one.question == Expect("digits") and not one.leaves
    one.add_actions([Transfer("+14155550111")])
    assert one.leaves and not one.ends_call
    one.add_actions([HangUp()])
    assert one.ends_call


def test_the_first_problem_and_the_first_moments_count() -> None:
    one = reply()
    one.fail("first")
    one.fail("second")
    one.text_came(1.0)
    one.text_came(2.0)
    one.sound_came(3.0)
    one.sound_came(4.0)
    assert (one.problem, one.first_text_at, one.first_sound_at) == ("first", 1.0, 3.0)


def test_a_voice_that_breaks_off_is_a_problem_of_the_reply() -> None:
    one = reply()
    one.break_off("the voice failed")
    assert one.broke_off and one.problem == "the voice failed"


def test_the_notes_before_it_are_kept_as_they_were() -> None:
    one, notes = reply(), {"size": "small"}
    one.remember_notes(notes)
    notes["size"] = "large"
    assert one.notes_before == {"size": "small"}


def test_each_time_it_is_fed_a_segment_begins() -> None:
    one = reply()
    one.resume_at(400)
    assert (one.play(), one.play(), one.stage, one.resume) == (1, 2, Stage.SPEAKING, 400)


def test_a_draft_saved_no_more_than_it_took_to_make_its_first_sound() -> None:
    one, record = reply(drafted=True, began_at=1.0), TurnRecord(0)
    one.write_in(record)
    record.draft_saved(500)
    one.sound_came(1.2)
    one.sounded()
    assert record.saved_ms == 200
    one.sounded()
    assert record.saved_ms == 200 and not one.drafted


def test_what_nobody_answered_is_collected_with_its_keys_and_its_secrecy() -> None:
    waiting = Unanswered()
    waiting.add("hello", TurnRecord(0, CallerPart("hello")))
    assert (waiting.texts, waiting.redacted) == (["hello"], False)
    waiting.add("4111", TurnRecord(1, CallerPart(REDACTED, redacted=True)))
    waiting.take_back(reply(parts=("a latte",), digits="12", redacted_digits=True, first_turn=3))
    assert (waiting.texts, waiting.digits) == (["hello", "4111", "a latte"], "12")
    assert waiting.redacted and waiting.redacted_digits and waiting.first == 3


def test_a_copy_of_it_is_changed_by_itself() -> None:
    waiting = Unanswered(["hello"])
    waiting.copy().add("again", TurnRecord(0))
    assert waiting.texts == ["hello"]
