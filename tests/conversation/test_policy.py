"""The limits of a conversation, as they stand to one another."""

from __future__ import annotations

from dataclasses import fields

import pytest

from telephony.conversation import policy
from telephony.conversation.policy import QUESTION_THRESHOLDS, Policy
from telephony.playback.position import LOST_MARK_S


def test_a_late_answer_is_covered_step_by_step() -> None:
    usual = Policy()
    assert usual.filler_s < usual.bridge_s < usual.bridge_s + usual.filler_again_s < usual.give_up_s


def test_a_goodbye_that_is_heard_late_is_not_cut_off() -> None:
    """Its last mark may be lost: only then the clock speaks."""
    assert policy.GOODBYE_S > LOST_MARK_S


@pytest.mark.parametrize("kind", QUESTION_THRESHOLDS)
def test_what_flux_is_asked_for_is_in_its_range(kind: str) -> None:
    """eot_threshold 0.5 to 0.9, eot_timeout_ms 500 to 10000 (Flux, "Configuration")."""
    threshold, timeout_ms = QUESTION_THRESHOLDS[kind]
    assert 0.5 <= threshold <= 0.9 and 500 <= timeout_ms <= 10_000


def test_a_policy_is_plain_values_for_the_tape() -> None:
    assert all(type(getattr(Policy(), f.name)) in (str, float, int, type(None)) for f in fields(Policy))
