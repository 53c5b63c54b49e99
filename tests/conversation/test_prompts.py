"""Our own sentences: each list in turn, and the ladder of silence."""

from __future__ import annotations

from telephony.conversation.prompts import Prompts
from telephony.reply.agent import SilenceStep, Wording

STEPS = (SilenceStep(5.0, "Hello?"), SilenceStep(6.0, "Goodbye.", hang_up=True))


def test_each_list_is_used_in_turn_and_by_itself() -> None:
    prompts = Prompts(Wording(fillers=("One.", "Two.", "Three."), reask=("Again?", "Once more?")))
    assert [prompts.filler(), prompts.reask(), prompts.filler()] == ["One.", "Again?", "Two."]
    assert [prompts.filler(), prompts.filler(), prompts.reask()] == ["Three.", "One.", "Once more?"]


def test_a_caller_is_asked_again_even_where_the_wording_has_no_words_for_it() -> None:
    prompts = Prompts(Wording(fillers=(), reask=(), acknowledge=()))
    assert prompts.reask() and (prompts.filler(), prompts.acknowledge()) == ("", "")


def test_the_ladder_of_silence_ends_and_begins_again_when_the_caller_speaks() -> None:
    prompts = Prompts(Wording(silence=STEPS))
    assert prompts.silence() == STEPS[0] == prompts.silence(), "asking does not climb"
    prompts.silence_said()
    assert prompts.silence() == STEPS[1]
    prompts.silence_said()
    assert prompts.silence() is None
    prompts.silence_broken()
    assert prompts.silence() == STEPS[0]
