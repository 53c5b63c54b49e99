"""Whether the voice works: phrases that it cannot speak, and a voice that cannot be reached. PURE."""

from __future__ import annotations

from telephony import events as ev
from telephony.conversation.policy import VOICE_FAILURES
from telephony.conversation.state import ConversationState
from telephony.conversation.timers import Timer

TOO_MANY_REQUESTS = 429


class VoiceWatch:
    """Counts failures of one call's voice, and hangs up when there is none."""

    def __init__(self, state: ConversationState) -> None:
        self.missing = False
        """It was lost before anything was heard of it."""
        self._state = state
        self._failures = 0
        """Phrases in a row that it could not speak."""
        self._last_words = False
        """It has been given our last words, and nothing was heard of it yet."""

    def sounded(self) -> None:
        """It brings audio."""
        self._failures, self.missing, self._last_words = 0, False, False

    def phrase_failed(self) -> None:
        """It could not speak a phrase. After too many in a row we hang up."""
        self._failures += 1
        if self._failures >= VOICE_FAILURES:
            self._state.end_call(ev.HangUpReason.VOICE_FAILED)

    def given_last_words(self) -> None:
        """It must say why the call ends. If it is lost now, the call ends without a word."""
        self._last_words = True

    def on_down(self, event: ev.TtsDisconnected) -> None:
        """It is gone. A refusal is final, unless too many speak at once; so is a start without a voice."""
        state = self._state
        refused = event.status is not None and 400 <= event.status < 500
        if refused and event.status != TOO_MANY_REQUESTS:
            state.end_call(ev.HangUpReason.VOICE_REFUSED)
        elif self._last_words:
            state.end_call(ev.HangUpReason.VOICE_UNREACHABLE)
        elif not state.ledger.play_end:
            self.missing = True
            state.timers.set_if_unset(Timer.NO_SPEECH, max(state.now, state.policy.no_speech_s))
