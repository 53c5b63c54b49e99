"""What can happen in a call, and what the conversation can decide to do about it. PURE.

Events go into the call's one inbox, in order, each with the moment `now` (seconds since the call
began, monotonic). Commands come out of `Conversation.receive`. Together they are the call's tape.
Samples are counted at the phone's rate, 8000 a second: one sample is one byte of mu-law.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any, TypeAlias

from telephony.base.frozen import frozen
from telephony.deepgram.flux_messages import TurnInfo
from telephony.listen.events import SttConnected, SttDisconnected
from telephony.reply.agent import Expect as ExpectAnswer
from telephony.reply.agent import HangUp, Note, Transfer, Turn, Wait


class EndReason(StrEnum):
    """What ended a call's stream: `ended_by` in its record."""

    CALLER = "caller"
    """The carrier said `stop`: the caller hung up, or the call was redirected."""
    AGENT = "agent"
    """We hung up, or handed the caller over."""
    SOCKET_LOST = "socket lost"
    """The media socket closed without a `stop`."""
    ERROR = "error"
    """The stream broke Twilio's protocol, or stalled for too long."""
    STOPPED = "stopped"
    """Our process ended."""
    CRASHED = "crashed"
    """Our process died: written by another process, from the tape."""


class HangUpReason(StrEnum):
    """Why we hang up."""

    GOODBYE = "goodbye"
    GOODBYE_OVERDUE = "goodbye overdue"
    """The goodbye was not heard in time."""
    VOICE_FAILED = "voice failed"
    """Too many phrases in a row could not be spoken."""
    VOICE_REFUSED = "voice refused"
    VOICE_UNREACHABLE = "voice unreachable"

    @property
    def voice_lost(self) -> bool:
        """Whether we have no voice: somebody else must say the last words."""
        return self not in (HangUpReason.GOODBYE, HangUpReason.GOODBYE_OVERDUE)


class Decision(StrEnum):
    """What the conversation decided, for the tape and the record."""

    PAUSE = "pause"
    """The caller may be interrupting: our words stop, and may go on."""
    NO_PAUSE = "no pause"
    GO_ON = "go on"
    """It was no interruption: our words go on."""
    CUT = "cut"
    """It was one: our words are given up."""
    ACKNOWLEDGE = "acknowledge"
    KEEP = "keep"
    """What the caller said is answered later."""
    ASK_AGAIN = "ask again"


# --- events -------------------------------------------------------------------------------------


@frozen
class CallStarted:
    """The media stream began."""

    call_id: str
    call_sid: str
    stream_sid: str
    from_number: str = ""
    to_number: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    resumed: Mapping[str, Any] | None = None
    """What `Conversation.state_to_resume` gave when an earlier stream of this call ended, if any."""


@frozen
class MediaTimestamp:
    """Twilio's timestamp of the newest media frame: at most once a second, and after each gap."""

    stream_ms: int
    gap_ms: int = 0
    """Time without media before this frame, beyond the usual 20 ms; 0 when there was no gap."""


@frozen
class DtmfPressed:
    """A key of the caller's phone. In a sensitive step the tape holds `digit="*"`."""

    digit: str


@frozen
class MarkPlayed:
    """A mark came back: what was queued before it has been played, or was cleared."""

    name: str
    stream_ms: int | None = None
    """Twilio's timestamp of the newest media frame before it: it dates the mark on the caller's clock."""


@frozen
class CallStopped:
    """The stream is over."""

    reason: EndReason


@frozen
class AudioShifted:
    """From second `at_s` of the audio that listening was given, that audio is `seconds` further ahead of the
    caller's stream clock: something was put in. Below zero: time of the stream was left out."""

    at_s: float
    seconds: float


@frozen
class EchoMeasured:
    """How much sound of the turn reported next is our own echo (conversation/acoustic_echo.py)."""

    share: float
    """Of the least part that can be heard."""
    until_s: float = 0.0
    """On the connection's clock: up to here all of it is ours."""


@frozen
class TurnInfoReceived:
    """One of Flux's TurnInfo messages, as it came."""

    info: TurnInfo


@frozen
class Configured:
    """The answer to a Configure; `problem` is empty when it took effect."""

    problem: str = ""


@frozen
class ReplyText:
    """Words that the agent wants to say. `interruptible=False`: the caller cannot interrupt them."""

    reply: int
    text: str
    interruptible: bool = True


@frozen
class ReplyNote:
    """Something the agent wants remembered once this reply is released."""

    reply: int
    note: Note


@frozen
class ReplyAction:
    """Something the agent wants done once its words have been heard."""

    reply: int
    action: HangUp | Transfer | Wait | ExpectAnswer


@frozen
class ReplyEnded:
    """The agent has nothing to add to this reply. `problem` says what went wrong, if anything."""

    reply: int
    problem: str = ""


@frozen
class WordTime:
    """Where a spoken word lies in its phrase's audio, in samples from the phrase's start."""

    text: str
    start: int
    end: int
    estimated: bool = True
    """True: spread over the audio by an estimate. False: the voice itself said so."""


@frozen
class ReplyAudio:
    """More audio of a phrase lies in the call's store."""

    reply: int
    phrase: int
    samples: int


@frozen
class PhraseSpoken:
    """A phrase's audio is complete. `problem` says why it is short or missing, if so."""

    reply: int
    phrase: int
    words: tuple[WordTime, ...] = ()
    problem: str = ""


@frozen
class PhraseCut:
    """A phrase was interrupted, and the voice reports the words that it spoke."""

    reply: int
    phrase: int
    text_spoken: str


@frozen
class TtsDisconnected:
    """The voice cannot be reached, or refused us."""

    reason: str
    status: int | None = None


@frozen
class Sent:
    """Audio of a reply went to the carrier, samples [start, end) of it, and perhaps a mark behind it."""

    reply: int
    start: int
    end: int
    mark: str = ""


@frozen
class MarkSent:
    """A mark went out behind sample `sample` of a reply."""

    name: str
    reply: int
    sample: int


@frozen
class TimerFired:
    """The deadline that `Conversation.next_deadline` named has come."""


@frozen
class OperatorCommand:
    """Somebody in charge (the server that drains, the API) wants something: `say` it, `hang_up` after it."""

    say: str = ""
    hang_up: bool = False
    transfer: str = ""
    reason: str = ""


Event: TypeAlias = (
    CallStarted | MediaTimestamp | DtmfPressed | MarkPlayed | CallStopped | SttConnected | SttDisconnected
    | AudioShifted | EchoMeasured | TurnInfoReceived | Configured | ReplyText | ReplyNote | ReplyAction
    | ReplyEnded | ReplyAudio | PhraseSpoken | PhraseCut | TtsDisconnected | Sent | MarkSent
    | TimerFired | OperatorCommand
)  # fmt: skip

# --- commands -----------------------------------------------------------------------------------


@frozen
class ClearAudio:
    """Empty the carrier's buffer, now. Goes before everything else."""

    reason: str


@frozen
class Play:
    """Feed a reply's audio to the line from sample `start` on. The pacer begins segment `segment`."""

    reply: int
    start: int
    segment: int


@frozen
class StopPlaying:
    """Feed nothing more until the next Play."""


@frozen
class StartReply:
    """Ask the agent for an answer. A draft is made but not spoken until it is released."""

    reply: int
    turn: Turn
    notes: Mapping[str, Any]
    draft: bool = False


@frozen
class Speak:
    """Have a phrase of a reply spoken into the store."""

    reply: int
    phrase: int
    text: str
    draft: bool = False


@frozen
class ReleaseReply:
    """A draft has become the answer."""

    reply: int


@frozen
class PauseReply:
    """The caller makes a sound over a reply that its agent is still making: it need make no more of it."""

    reply: int


@frozen
class ContinueReply:
    """It was nothing: its agent goes on making it."""

    reply: int


@frozen
class CancelReply:
    """Give a reply up: its agent, its voice, its audio. `heard_ms`: how much of it was heard."""

    reply: int
    heard_ms: float
    reason: str


@frozen
class DropAudio:
    """A reply was heard to its end: its audio is not needed any more."""

    reply: int


@frozen
class SetThresholds:
    """Re-configure Flux for what is being asked; None leaves a value as it is."""

    eot_threshold: float | None
    eager_eot_threshold: float | None
    eot_timeout_ms: int | None
    reason: str


@frozen
class EndTurn:
    """Make Flux end the caller's turn (ForceEndTurn)."""

    reason: str


@frozen
class ReopenListening:
    """The listening socket is dead: abort it and open another."""

    reason: str


@frozen
class EndCall:
    """Hang up."""

    reason: HangUpReason


@frozen
class TransferCall:
    """Hand the caller over to a number."""

    to: str


@frozen
class DecisionLogged:
    """Nothing to perform: a decision and its reason, for tape and record."""

    what: Decision
    reason: str


Command: TypeAlias = (
    ClearAudio | Play | StopPlaying | StartReply | Speak | ReleaseReply | PauseReply | ContinueReply
    | CancelReply | DropAudio | SetThresholds | EndTurn | ReopenListening | EndCall | TransferCall
    | DecisionLogged
)  # fmt: skip
