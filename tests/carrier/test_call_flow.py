"""Why a call has another stream: one of a fixed list of reasons, whatever Twilio or a parameter says."""

from __future__ import annotations

import pytest

from telephony.carrier.call_flow import NextStep, ResumeReason, Step, answer_after


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("busy", ResumeReason.TRANSFER_BUSY),
        ("no-answer", ResumeReason.TRANSFER_NO_ANSWER),
        ("canceled", ResumeReason.TRANSFER_CANCELED),
        ("failed", ResumeReason.TRANSFER_FAILED),
        ("something new", ResumeReason.TRANSFER_FAILED),
    ],
)
def test_a_transfer_that_came_back_says_why_in_words_that_are_known(
    status: str, reason: ResumeReason
) -> None:
    answer = answer_after(None, {"DialCallStatus": status})
    assert answer.parameters == {"resumed": reason} and reason.transfer_failed


def test_a_parameter_that_is_not_a_reason_counts_as_a_lost_socket() -> None:
    """It comes from a stream's start message: it may be missing, or anything."""
    assert ResumeReason.of("transfer busy") is ResumeReason.TRANSFER_BUSY
    assert ResumeReason.of("") is ResumeReason.of("transfer of my money") is ResumeReason.SOCKET_LOST


def test_a_step_back_to_the_agent_keeps_its_reason() -> None:
    assert answer_after(NextStep(Step.RESUME), {}).parameters == {"resumed": "asked"}
    refused = NextStep(Step.RESUME, text=ResumeReason.TRANSFER_REFUSED)
    assert answer_after(refused, {}).parameters == {"resumed": "transfer refused"}
