"""What an agent is: it is given a turn and yields what to say and do.

    class Barista:                                   # AGENT=my.module:Barista
        async def reply(self, turn, notes):
            if "bye" in turn.text.lower():
                yield "Thank you, goodbye."
                yield HangUp()                       # carried out when the goodbye has been heard
            else:
                yield Note(order=turn.text)
                yield f"So that's {turn.text}. Anything else?"

An agent keeps nothing between turns. A reply may be a draft, made before the caller is known to have finished
and thrown away if they go on; so it must have no effect of its own. What has to be remembered is yielded as a
`Note`: it is adopted when the reply is released to be spoken, and given back as `notes` on the next turn.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from telephony.reply import reply_scope

ExpectKind: TypeAlias = Literal["yes_no", "digits", "spelling", "address", "choice", "open"]
KEYS = frozenset("0123456789*#ABCDwW")
MOST_KEYS = 32
PAUSE_S = (0.5, 60.0)
"""The least and the longest pause that may end what is keyed in."""
MOST_DIGITS = 64
EXPECT_KINDS: tuple[ExpectKind, ...] = ("yes_no", "digits", "spelling", "address", "choice", "open")

Notes: TypeAlias = Mapping[str, object]
"""What the agent has noted so far in this call, merged, the newest of each name. Read only."""

NO_NOTES: Notes = MappingProxyType({})


# ---- what an agent may yield


@dataclass(frozen=True, slots=True)
class Say:
    """Words to speak. A plain string is the same as `Say(text)`."""

    text: str
    interruptible: bool = True
    """False: spoken to its end whatever the caller says; what they said meanwhile is answered after it."""


@dataclass(frozen=True, slots=True, init=False)
class Note:
    """Something to remember: `Note(order="latte")`. Adopted only when the reply is released to be spoken.

    Values are what JSON can hold: text, numbers, True, False, None, and lists and dicts of them.
    What is noted in answer to a sensitive question is redacted from all that is saved.
    """

    values: Mapping[str, object]
    clean: bool
    """Nothing of a sensitive answer is in it: see `Note.without_secrets`."""

    def __init__(self, **values: object) -> None:
        object.__setattr__(self, "values", MappingProxyType(values))
        object.__setattr__(self, "clean", False)

    @classmethod
    def without_secrets(cls, **values: object) -> Note:
        """A note that may be saved also when it is made of a sensitive answer: "given", not what was given.

        Without it such a note is lost when the call goes on in another process.
        """
        note = cls(**values)
        object.__setattr__(note, "clean", True)
        return note

    def __repr__(self) -> str:
        return f"Note({', '.join(f'{name}={value!r}' for name, value in self.values.items())})"


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call, once everything said so far has been heard."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller to somebody else, once everything said so far has been heard."""

    to: str
    """A telephone number in E.164 form (+14155550132); see also press_keys and hold.

    It is under the policy of outbound calls (DIAL_FROM, DIAL_PREFIXES). What HUMAN_NUMBER or a script names
    may be in any country, or a `sip:` or `client:` address. Where it may not go, the caller is told that
    nobody could be reached, and the conversation goes on.
    """


def press_keys(digits: str) -> Transfer:
    """Press keys on the caller's line, `w` being half a second's pause; the conversation goes on after it.

    Raises ValueError for anything that is not a key.
    """
    if not 1 <= len(digits) <= MOST_KEYS or not set(digits) <= KEYS:
        raise ValueError(f"{digits!r} cannot be pressed: 1 to {MOST_KEYS} of {''.join(sorted(KEYS))}")
    return Transfer(f"digits:{digits}")


def hold(seconds: float, say: str = "") -> Transfer:
    """Park the caller with music for so long; the same conversation goes on after it."""
    return Transfer(f"hold:{seconds:g}:{say}")


@dataclass(frozen=True, slots=True)
class Wait:
    """The caller asked for a moment: keep quiet until they speak again; the silence ladder rests."""


@dataclass(frozen=True, slots=True)
class Expect:
    """What the question just asked waits for. It lasts until the caller's next turn has ended.

    Listening adapts to it: more patience while digits, letters or an address are dictated; the keypad may
    answer `digits`; a "yeah" is an answer and not a backchannel. Keys are masked in all that is saved,
    unless `digits` were asked for that are not sensitive.
    """

    kind: ExpectKind
    options: tuple[str, ...] = ()
    """For `choice`: the answers offered. They are never mistaken for an echo of the agent's own voice."""
    sensitive: bool = False
    """True: the answer is kept out of all that is saved and logged.

    Such a question lasts until it is answered ("one second" is not a card number), until the agent expects
    something else, or for three turns.
    """
    pause_s: float | None = None
    """For `digits`: a pause of so many seconds behind a key ends the entry (0.5 to 60). None: of 5 seconds,
    as with TwiML's `<Gather timeout>`. `#` ends it at once."""
    length: int | None = None
    """For `digits`: the entry ends with this many keys (1 to 64), without waiting; None: any number."""


Said: TypeAlias = str | Say | Note | HangUp | Transfer | Wait | Expect


# ---- what an agent is given


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation so far."""

    who: Literal["caller", "agent"]
    text: str
    """What was said; for the agent, all that it meant to say."""
    heard: str
    """For the agent, the words that the caller can have heard; for the caller, the same as `text`."""
    interrupted: bool = False
    """The agent was cut short: `heard` is what came before."""
    kind: str = field(default="", compare=False)
    """Why the agent spoke: `greeting`, `answer`, `silence prompt` (the caller was silent), `re-ask` or
    `notice`."""
    digits: str = ""
    """The keys that the caller pressed, `(redacted)` where those are not to be written down."""
    backchannels: tuple[str, ...] = field(default=(), compare=False)
    """What the caller said while the agent spoke that asked nothing: "mm-hm", "yeah"."""
    noise: bool = field(default=False, compare=False)
    """Whether a sound came meanwhile that was nobody's words: its own echo, the tone of a key."""
    number: int = field(default=0, compare=False)
    """Its place in the call: each line's is greater than the one before it."""


@dataclass(frozen=True, slots=True)
class CallInfo:
    """Which call this is."""

    call_id: str
    """Ours."""
    call_sid: str = ""
    """The carrier's."""
    from_number: str = ""
    to_number: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """The `<Parameter>`s of the stream, without the token."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What the caller said, and all that went before."""

    text: str
    """The caller's words; empty when they only pressed keys."""
    index: int
    """The number of this turn in the call, from 0; the greeting is not counted."""
    history: tuple[Message, ...]
    """The conversation before this turn, oldest first."""
    digits: str | None
    """The keys pressed in this turn, without the terminator; None: none."""
    call: CallInfo
    first: int | None = None
    """The number of the earliest turn that is answered with this one, since nothing was heard of its answer.
    None: there is none before it."""

    async def released(self) -> None:
        """Wait until this turn has surely ended. Until then the reply is a draft, and must have no effects.

        In a draft that is thrown away, the reply is cancelled here.
        """
        await reply_scope.current().release.wait()

    @property
    def heard(self) -> str:
        """What the caller heard of the agent's last line; cut at the word where it was interrupted."""
        last = self._last
        return last.heard if last is not None else ""

    @property
    def unheard(self) -> str:
        """The rest of that line, which the caller did not hear; empty when it was not interrupted."""
        last = self._last
        if last is None or not last.interrupted:
            return ""
        return " ".join(last.text.split()[len(last.heard.split()) :])

    @property
    def interrupted(self) -> bool:
        """Whether the agent's last line was cut short."""
        return self._last is not None and self._last.interrupted

    @property
    def _last(self) -> Message | None:
        return next((line for line in reversed(self.history) if line.who == "agent"), None)


@dataclass(frozen=True, slots=True)
class EndedCall:
    """A call that is over: what an agent's optional method `ended` is told."""

    call: CallInfo
    """Which call it was, of its last stream."""
    notes: Notes
    """All that was noted, sensitive answers too."""
    history: tuple[Message, ...]
    """All that was said, oldest first; of the agent's lines `heard` is what the caller heard."""
    ended_by: str
    """`agent`, `caller`, or what broke: `error`, `socket lost`."""
    started: str
    """When the last stream began: ISO 8601, UTC."""
    duration_s: float
    """Of the last stream, in seconds."""


class Agent(Protocol):
    """Answers turns. Anything that has `reply` will do; an attribute `wording` is optional.

    So is a method `async def ended(self, call: EndedCall) -> None`. It is called once when a call is over,
    beside the calls that run; after 10 s it is cancelled, and what it raises is logged. A call that was
    transferred is over when the carrier says so. It is not called for a call whose process was killed.
    """

    def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """Yield text as it comes, notes and actions.

        Closing the iterator cancels the reply. An exception becomes a spoken re-ask; so does something that
        may not be yielded, which is left out and named in the log. Anything that takes
        time must be awaited: code that blocks the event loop stops the audio of every call, and is named in
        the log.
        """
        ...


# ---- what an agent does by itself


@dataclass(frozen=True, slots=True)
class SilenceStep:
    """One step of the ladder that is climbed while the caller stays silent."""

    after_s: float
    """Seconds of silence, counted from when the step before it (or the reply) had been heard."""
    say: str
    hang_up: bool = False
    """True: end the call when `say` has been heard."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What to say when the caller has not asked anything. An agent's optional attribute `wording`."""

    greeting: Say = Say("Hello, how can I help you?")
    """The first words of a call. Empty text: the caller begins."""
    silence: tuple[SilenceStep, ...] = (
        SilenceStep(6.0, "Are you still there?"),
        SilenceStep(8.0, "I'll let you go. Goodbye.", hang_up=True),
    )
    fillers: tuple[str, ...] = ("Let me see.", "One moment.")
    """Said in turn when a reply is late."""
    bridge: str = "I'm still working on that. Please stay on the line."
    """Said when a reply is later still."""
    reask: tuple[str, ...] = ("Sorry, something went wrong there. Could you say that again?",)
    """Said in turn when a reply failed, was empty or never came."""
    farewell: str = "We have to stop here. Thank you for calling, goodbye."
    """Said before the server ends the call by itself: at its greatest length, or because the server stops."""
    warning: str = "We have about a minute left."
    """Said shortly before a call reaches its greatest length."""
    acknowledge: tuple[str, ...] = ("Mm-hm.",)
    """Said once in a caller's long monologue, at a pause."""


@runtime_checkable
class HasWording(Protocol):
    """An agent that says what it does by itself."""

    wording: Wording


def wording_of(agent: object) -> Wording:
    """The agent's own wording, or the ordinary ones."""
    return agent.wording if isinstance(agent, HasWording) else Wording()
