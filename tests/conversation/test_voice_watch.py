"""Whether there is a voice: when we hang up for the lack of one."""

from __future__ import annotations

import pytest

from telephony.conversation.policy import VOICE_FAILURES, Policy
from telephony.conversation.state import ConversationState
from telephony.conversation.timers import Timer
from telephony.conversation.voice_watch import VoiceWatch
from telephony.events import HangUpReason, TtsDisconnected
from telephony.reply.agent import Wording


@pytest.fixture
def state() -> ConversationState:
    return ConversationState(Wording(), Policy(), before_close=lambda: None)


def test_too_many_phrases_in_a_row_that_fail_end_the_call(state: ConversationState) -> None:
    watch = VoiceWatch(state)
    for _ in range(VOICE_FAILURES - 1):
        watch.phrase_failed()
    watch.sounded()
    for _ in range(VOICE_FAILURES - 1):
        watch.phrase_failed()
    assert not state.over, "not in a row"
    watch.phrase_failed()
    assert state.over and state.hang_up_reason is HangUpReason.VOICE_FAILED


@pytest.mark.parametrize(
    ("status", "over"), [(401, True), (403, True), (429, False), (503, False), (None, False)]
)
def test_a_refusal_is_final_unless_too_many_speak_at_once(
    state: ConversationState, status: int | None, over: bool
) -> None:
    VoiceWatch(state).on_down(TtsDisconnected("gone", status))
    assert state.over == over and (state.hang_up_reason is HangUpReason.VOICE_REFUSED) == over


def test_a_voice_that_is_lost_before_it_was_heard_is_missing_until_it_sounds(
    state: ConversationState,
) -> None:
    watch = VoiceWatch(state)
    watch.on_down(TtsDisconnected("gone"))
    assert watch.missing and Timer.NO_SPEECH in state.timers
    watch.sounded()
    assert not watch.missing


def test_a_voice_that_was_heard_may_come_back(state: ConversationState) -> None:
    state.ledger.sent(1, 0, 800, 1.0)
    watch = VoiceWatch(state)
    watch.on_down(TtsDisconnected("gone"))
    assert not watch.missing and not state.over and Timer.NO_SPEECH not in state.timers


def test_without_a_voice_for_our_last_words_the_call_just_ends(state: ConversationState) -> None:
    watch = VoiceWatch(state)
    watch.given_last_words()
    watch.on_down(TtsDisconnected("gone"))
    assert (
        state.hang_up_reason is HangUpReason.VOICE_UNREACHABLE and HangUpReason.VOICE_UNREACHABLE.voice_lost
    )
