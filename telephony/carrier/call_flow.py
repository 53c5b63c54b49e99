"""How a call goes on when its media socket has closed: what /twilio/after answers. PURE.

Twilio asks for this whenever the stream ends while the call is up: because we closed the socket on purpose,
with the next step stored (a NextStep), because a transfer came back, or because something broke, and
then the same conversation is resumed on a new stream.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MAX_RESUMES = 3  # within RESUME_WINDOW_S: more is a loop, and the caller would hear nothing else
RESUME_WINDOW_S = 60.0
TERMINAL_STATUSES = frozenset(
    {"completed", "busy", "failed", "no-answer", "canceled"}
)  # CallStatus of a call that is over
MUSIC_S = 10  # of /twilio/hold.wav
MOST_MUSIC = 180  # times: half an hour
NOUNS = {"sip": "transfer_sip", "sips": "transfer_sip", "client": "transfer_client"}
TRANSFER_RING_S = 25  # for how long the person called may let it ring


class Step(StrEnum):
    """What is to follow the media socket."""

    HANG_UP = "hang_up"
    SAY = "say"
    TRANSFER = "transfer"
    DIGITS = "digits"
    HOLD = "hold"
    RESUME = "resume"


class ResumeReason(StrEnum):
    """Why a call has another stream: the parameter `resumed` that the stream is given."""

    SOCKET_LOST = "socket lost"
    ASKED = "asked"
    """Somebody took the call elsewhere for a while, by REST or with music."""
    DIGITS = "digits"
    """Keys were pressed for the agent."""
    TRANSFER_BUSY = "transfer busy"
    TRANSFER_NO_ANSWER = "transfer no-answer"
    TRANSFER_CANCELED = "transfer canceled"
    TRANSFER_FAILED = "transfer failed"
    TRANSFER_REFUSED = "transfer refused"
    """Our own rules do not allow this number."""

    @property
    def transfer_failed(self) -> bool:
        """Whether the caller was to be handed over, and nobody took the call."""
        return self in _FAILED_TRANSFERS

    @classmethod
    def of(cls, text: str) -> ResumeReason:
        """The reason that a stream's parameter gives."""
        return cls(text) if text in _RESUME_REASONS else cls.SOCKET_LOST

    @classmethod
    def of_dial(cls, status: str) -> ResumeReason:
        """The reason for a DialCallStatus other than `completed` (Twilio, TwiML Dial, "DialCallStatus")."""
        text = f"transfer {status}"
        return cls(text) if text in _RESUME_REASONS else cls.TRANSFER_FAILED


_RESUME_REASONS = frozenset(reason.value for reason in ResumeReason)
_FAILED_TRANSFERS = frozenset(
    {
        ResumeReason.TRANSFER_BUSY,
        ResumeReason.TRANSFER_NO_ANSWER,
        ResumeReason.TRANSFER_CANCELED,
        ResumeReason.TRANSFER_FAILED,
        ResumeReason.TRANSFER_REFUSED,
    }
)


@dataclass(frozen=True, slots=True)
class NextStep:
    """Word left, under the CallSid, before a media socket is closed on purpose."""

    then: Step
    text: str = ""
    """SAY: the last sentence, HOLD: what is said before the music, RESUME: why, where nobody asked for it."""
    to: str = ""
    """TRANSFER: a number, a `sip:` address or `client:NAME`. DIGITS: the keys to press, `w` being half a
    second's pause."""
    caller_id: str = ""
    """TRANSFER: the number to show; empty lets Twilio choose."""
    music_url: str = ""
    """HOLD: what is played, `loops` times; empty: our own /twilio/hold.wav."""
    loops: int = 1

    def as_dict(self) -> dict[str, Any]:
        """For the shared store."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def transfer(cls, to: str) -> NextStep:
        """What an agent's Transfer means: who is called, `digits:12#`, or `hold:SECONDS:WORDS`."""
        kind, _, rest = to.partition(":")
        if kind == "digits":
            return cls(Step.DIGITS, to=rest)
        if kind == "hold":
            seconds, _, text = rest.partition(":")
            rounds = math.ceil(float(seconds) / MUSIC_S)
            return cls(Step.HOLD, text=text, loops=min(max(1, rounds), MOST_MUSIC))
        return cls(Step.TRANSFER, to=to)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> NextStep:
        """What as_dict gave."""
        return cls(**{**value, "then": Step(value["then"])})


@dataclass(frozen=True, slots=True)
class FlowAnswer:
    """A template of twiml/ and its values. `connects`: it opens a stream and needs a token."""

    template: str
    values: Mapping[str, str | int | None] = field(default_factory=dict)
    connects: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the new stream."""
    ends: bool = False
    """The call is over with this answer."""


HUNG_UP = FlowAnswer("hangup", ends=True)
ENDED = FlowAnswer("ended", ends=True)


def answer_after(step: NextStep | None, form: Mapping[str, str]) -> FlowAnswer:
    """The answer to a request to /twilio/after, from the step that was left and the request's fields."""
    if form.get("CallStatus") in TERMINAL_STATUSES:
        return ENDED
    if step is None or (step.then is Step.TRANSFER and "DialCallStatus" in form):
        return _unplanned(form)  # a step for a transfer that was then made by REST is void
    if step.then is Step.HANG_UP:
        return HUNG_UP
    if step.then is Step.SAY:
        return FlowAnswer("goodbye", {"text": step.text}, ends=True)
    if step.then is Step.TRANSFER:
        scheme, _, identity = step.to.partition(":")
        template = NOUNS.get(scheme.lower(), "transfer")
        to = identity if template == "transfer_client" else step.to  # <Client> holds the bare identity
        values = {"to": to, "caller_id": step.caller_id or None, "timeout_s": TRANSFER_RING_S}
        return FlowAnswer(template, values)
    if step.then is Step.DIGITS:
        return FlowAnswer("digits", {"digits": step.to}, connects=True, parameters={"resumed": "digits"})
    if step.then is Step.HOLD:
        values = {"text": step.text or None, "loops": step.loops}
        return FlowAnswer("hold", values | ({"music_url": step.music_url} if step.music_url else {}))
    return _resume(ResumeReason.of(step.text) if step.text else ResumeReason.ASKED)


def _unplanned(form: Mapping[str, str]) -> FlowAnswer:
    """Nothing was left to do: a transfer has come back, a hold is over, or the socket broke."""
    dialled = form.get("DialCallStatus")
    if dialled == "completed":
        return HUNG_UP  # they have talked
    return _resume(ResumeReason.of_dial(dialled) if dialled else ResumeReason.SOCKET_LOST)


def _resume(why: ResumeReason) -> FlowAnswer:
    return FlowAnswer("answer", connects=True, parameters={"resumed": why})
