"""Whether one call's speech is there, in words for the record and for one line of the log. PURE."""

from __future__ import annotations

from dataclasses import dataclass, field

from telephony.events import HangUpReason

MOST_LOGGED = 10


@dataclass(slots=True)
class SpeechState:
    """Listening, or the voice, of one call."""

    why: str = ""
    """Why it is not there; empty while it is, or before anything is known."""
    worked: bool = False
    """Whether it ever did what it is for."""
    missed: bool = False
    """Whether something was wanted of it while it was not there, and has not been had since."""

    logged: set[str] = field(default_factory=set)
    """What the log has: what comes and goes, or is tried again and again, is said once."""

    def down(self, why: str) -> bool:
        """It is not there. True: log that."""
        self.why = why
        return self._news(why)

    def works(self) -> bool:
        """It did what it is for. True: it had been down; log that it is back."""
        back = bool(self.why)
        self.why, self.worked, self.missed = "", True, False
        return back and self._news("back")

    def _news(self, what: str) -> bool:
        if what in self.logged or len(self.logged) > MOST_LOGGED:
            return False
        self.logged.add(what)
        return True


def problems(
    listening: SpeechState, voice: SpeechState, hang_up_reason: HangUpReason | None
) -> dict[str, str | None]:
    """What the call's record says of its speech: None where it was as it should be.

    Listening must be there to the end. A voice that is away while nothing has to be said does no harm.
    """
    hung_up = hang_up_reason is not None and hang_up_reason.voice_lost
    silent = voice.why and (voice.missed or not voice.worked or hung_up)
    return {"listening": listening.why or None, "voice": voice.why if silent else None}
