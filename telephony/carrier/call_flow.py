"""How a call goes on when its media socket has closed: what /twilio/after answers. PURE.

Twilio asks for this whenever the stream ends while the call is up: because we closed the socket on purpose,
having left word of what is to follow (a Next), because a transfer came back, or because something broke, and
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
    """What the new stream is told."""
    ends: bool = False
    """The call is over with this answer."""


HUNG_UP = FlowAnswer("hangup", ends=True)
ENDED = FlowAnswer("ended", ends=True)


def answer_after(word: NextStep | None, form: Mapping[str, str]) -> FlowAnswer:
    """The answer to a request to /twilio/after, from the word that was left and the request's fields."""
    if form.get("CallStatus") in TERMINAL_STATUSES:
        return ENDED
    if word is None or (word.then is Step.TRANSFER and "DialCallStatus" in form):
        return _unplanned(form)  # a word for a transfer that was then made by REST is void
    if word.then is Step.HANG_UP:
        return HUNG_UP
    if word.then is Step.SAY:
        return FlowAnswer("goodbye", {"text": word.text}, ends=True)
    if word.then is Step.TRANSFER:
        scheme, _, identity = word.to.partition(":")
        template = NOUNS.get(scheme.lower(), "transfer")
        to = identity if template == "transfer_client" else word.to  # <Client> holds the bare identity
        values = {"to": to, "caller_id": word.caller_id or None, "timeout_s": TRANSFER_RING_S}
        return FlowAnswer(template, values)
    if word.then is Step.DIGITS:
        return FlowAnswer("digits", {"digits": word.to}, connects=True, parameters={"resumed": "digits"})
    if word.then is Step.HOLD:
        values = {"text": word.text or None, "loops": word.loops}
        return FlowAnswer("hold", values | ({"music_url": word.music_url} if word.music_url else {}))
    return _resume(word.text or "asked")


def _unplanned(form: Mapping[str, str]) -> FlowAnswer:
    """Nothing was left to do: a transfer has come back, a hold is over, or the socket broke."""
    dialled = form.get("DialCallStatus")
    if dialled == "completed":
        return HUNG_UP  # they have talked
    return _resume(f"transfer {dialled}" if dialled else "socket lost")


def _resume(why: str) -> FlowAnswer:
    return FlowAnswer("answer", connects=True, parameters={"resumed": why})
