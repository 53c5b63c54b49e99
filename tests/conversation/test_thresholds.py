"""How patient Flux is asked to be, question by question."""

from __future__ import annotations

import pytest

from telephony.conversation.policy import QUESTION_THRESHOLDS, Policy
from telephony.conversation.thresholds import Thresholds
from telephony.events import SetThresholds
from telephony.reply.agent import Expect


@pytest.mark.parametrize("kind", ["digits", "spelling", "address", "yes_no"])
def test_a_kind_of_question_has_its_own_patience_until_it_is_answered(kind: str) -> None:
    thresholds = Thresholds(Policy(eot_threshold=0.7, eot_timeout_ms=5000))
    asked = thresholds.for_question(Expect(kind))  # type: ignore[arg-type]
    assert asked is not None and (asked.eot_threshold, asked.eot_timeout_ms) == QUESTION_THRESHOLDS[kind]
    assert thresholds.for_question(Expect(kind)) is None, "said once"  # type: ignore[arg-type]
    assert thresholds.for_question(None) == SetThresholds(0.7, None, 5000, "as usual")
    assert thresholds.for_question(None) is None


def test_an_eager_threshold_never_exceeds_the_other() -> None:
    """Flux refuses a Configure in which it does."""
    thresholds = Thresholds(Policy(eot_threshold=0.9, eager_eot_threshold=0.8))
    asked = thresholds.for_question(Expect("yes_no"))
    assert asked is not None and asked.eager_eot_threshold == asked.eot_threshold == 0.6
    usual = thresholds.for_question(None)
    assert usual is not None and usual.eager_eot_threshold == 0.8


def test_a_turn_is_stuck_only_after_flux_would_have_ended_it() -> None:
    thresholds = Thresholds(Policy(eot_timeout_ms=5000))
    assert thresholds.stuck_after_s() == 7.0
    thresholds.for_question(Expect("address"))
    assert thresholds.stuck_after_s() == 10.0
    assert Thresholds(Policy(eot_timeout_ms=500)).stuck_after_s() == 3.0
