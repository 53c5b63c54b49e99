"""How patient Flux is asked to be, question by question. PURE."""

from __future__ import annotations

from telephony.conversation.policy import QUESTION_THRESHOLDS, Policy
from telephony.events import SetThresholds
from telephony.reply.agent import Expect


class Thresholds:
    """What Flux is configured to at the moment."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._eot = policy.eot_threshold
        self._timeout_ms = policy.eot_timeout_ms

    def for_question(self, question: Expect | None) -> SetThresholds | None:
        """What to tell Flux for this question (None: for no question in particular), if anything changes.

        It waits longer while digits, letters or an address are dictated, less long for a yes or no. An eager
        threshold cannot be unset on the wire, only be kept at most equal to the other.
        """
        policy = self._policy
        usual = (policy.eot_threshold, policy.eot_timeout_ms)
        eot, timeout = QUESTION_THRESHOLDS.get(question.kind, usual) if question else usual
        if (eot, timeout) == (self._eot, self._timeout_ms):
            return None
        self._eot, self._timeout_ms = eot, timeout
        eager = policy.eager_eot_threshold
        reason = f"a question for {question.kind}" if question else "as usual"
        return SetThresholds(eot, None if eager is None else min(eager, eot), timeout, reason)

    def stuck_after_s(self) -> float:
        """A turn without an end this long after its last new word is stuck: Flux would have timed it out."""
        return max(3.0, self._timeout_ms / 1000 + 2.0)
