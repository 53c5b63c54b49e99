"""What Flux guarantees about the order and content of its messages, as a checker. PURE.

Every rule holds in the recorded sessions of the live service; the local engine is held to the same ones.
"""

from __future__ import annotations

from enum import Enum

from telephony.deepgram.flux_messages import (
    EAGER_END_OF_TURN,
    END_OF_TURN,
    START_OF_TURN,
    TURN_RESUMED,
    UPDATE,
    ClientMessage,
    Configure,
    ConfigureFailure,
    ConfigureSuccess,
    Connected,
    FatalError,
    ForceEndTurn,
    ServerMessage,
    TurnInfo,
    Unknown,
)

STEP_S = 0.25  # "Update every 0.25 s of transcribed audio"; 0.24 in every recording
CLOCK_S = 0.001  # the service's times are 32-bit floats: 1.6800001


class ServerTurnState(Enum):
    """Where the service is in a turn."""

    READY = "ready"
    TURN = "turn"
    MAYBE_END = "maybe end"


TRANSITIONS = {
    (ServerTurnState.READY, UPDATE): ServerTurnState.READY,
    (ServerTurnState.READY, START_OF_TURN): ServerTurnState.TURN,
    (ServerTurnState.TURN, UPDATE): ServerTurnState.TURN,
    (ServerTurnState.TURN, EAGER_END_OF_TURN): ServerTurnState.MAYBE_END,
    (ServerTurnState.TURN, END_OF_TURN): ServerTurnState.READY,
    (ServerTurnState.MAYBE_END, UPDATE): ServerTurnState.MAYBE_END,
    (ServerTurnState.MAYBE_END, TURN_RESUMED): ServerTurnState.TURN,
    (ServerTurnState.MAYBE_END, END_OF_TURN): ServerTurnState.READY,
}
"""An unlisted pair is a broken rule."""


class Checker:
    """Reads one connection's messages, in order, and says which guarantee each one breaks."""

    def __init__(self, *, eager: bool | None = None) -> None:
        """`eager`: whether an eager threshold was set; None: not known."""
        self.problems: list[str] = []
        self.state = ServerTurnState.READY
        self._eager = eager
        self._next_sequence = 0
        self._request_id: str | None = None
        self._turn_index = 0
        self._window_start = 0.0
        self._window_end = 0.0
        self._latest = ""
        self._eager_text: str | None = None
        self._unanswered = 0
        self._forced = False
        self._dead = False

    def sent(self, message: ClientMessage) -> None:
        """The client said this: a Configure is owed an answer, a ForceEndTurn may be obeyed."""
        match message:
            case Configure(eager_eot_threshold=eager):
                self._unanswered += 1
                self._eager = True if eager is not None else self._eager
            case ForceEndTurn():
                self._forced = True

    def receive(self, message: ServerMessage) -> list[str]:
        """The rules that this message breaks; they are kept in `problems` as well."""
        broken = [f"message {self._next_sequence}: {rule}" for rule in self._check(message)]
        self.problems += broken
        return broken

    def _check(self, message: ServerMessage) -> list[str]:
        if isinstance(message, Unknown):
            return [f"{message.type!r} {message.reason}"]
        broken = self._check_envelope(message)
        match message:
            case TurnInfo():
                broken += self._check_turn_info(message)
            case ConfigureSuccess() | ConfigureFailure():
                self._unanswered -= 1
            case FatalError():
                self._dead = True
        return broken

    def _check_envelope(self, message: ServerMessage) -> list[str]:
        assert not isinstance(message, Unknown)
        broken = []
        if self._dead:
            broken.append("a message after Error")
        if (self._next_sequence == 0) != isinstance(message, Connected):
            broken.append("Connected is the first message and no other")
        if message.sequence_id != self._next_sequence:
            broken.append(f"sequence_id {message.sequence_id} instead of {self._next_sequence}")
        self._next_sequence = message.sequence_id + 1
        if not isinstance(message, FatalError):
            if self._request_id not in (None, message.request_id):
                broken.append("request_id changed")
            self._request_id = message.request_id
        return broken

    def _check_turn_info(self, m: TurnInfo) -> list[str]:
        broken = [*self._check_window(m), *self._check_text(m)]
        following = TRANSITIONS.get((self.state, m.event))
        if following is None:
            return [*broken, f"{m.event} while {self.state.value}"]
        if m.event in (EAGER_END_OF_TURN, TURN_RESUMED) and self._eager is False:
            broken.append(f"{m.event} without eager_eot_threshold")
        if m.event == END_OF_TURN:
            broken += self._check_end(m)
        elif m.trigger is not None:
            broken.append(f"trigger on {m.event}")
        self.state = following
        self._latest = m.transcript
        if following is not ServerTurnState.MAYBE_END:
            self._eager_text = None
        elif m.event == EAGER_END_OF_TURN:
            self._eager_text = m.transcript
        if m.event == END_OF_TURN:
            self._turn_index += 1
            self._window_start = m.audio_window_end
            self._latest = ""
        return broken

    def _check_window(self, m: TurnInfo) -> list[str]:
        broken = []
        if m.turn_index != self._turn_index:
            broken.append(f"turn_index {m.turn_index} instead of {self._turn_index}")
        if abs(m.audio_window_start - self._window_start) > CLOCK_S:
            broken.append(f"audio_window_start {m.audio_window_start} instead of {self._window_start}")
        step = m.audio_window_end - self._window_end
        if step < -CLOCK_S:
            broken.append(f"audio_window_end went back by {-step:.3f} s")
        if step > STEP_S + CLOCK_S:
            broken.append(f"nothing was said about {step:.3f} s of audio")
        self._window_end = m.audio_window_end
        return broken

    def _check_text(self, m: TurnInfo) -> list[str]:
        broken = []
        if m.event in (START_OF_TURN, EAGER_END_OF_TURN) and not m.transcript:
            broken.append(f"{m.event} without text")
        if " ".join(word.word for word in m.words) != m.transcript:
            broken.append("the words are not the transcript's")
        if not 0.0 <= m.end_of_turn_confidence <= 1.0:
            broken.append(f"confidence {m.end_of_turn_confidence}")
        for word in m.words:
            if word.start is None or word.end is None:
                continue
            inside = m.audio_window_start - CLOCK_S <= word.start <= word.end <= m.audio_window_end + CLOCK_S
            if not inside:
                broken.append(f"{word.word!r} at {word.start}-{word.end} outside the window")
        if m.event == UPDATE and self._eager_text is not None and m.transcript != self._eager_text:
            broken.append("the text changed after EagerEndOfTurn without TurnResumed")
        return broken

    def _check_end(self, m: TurnInfo) -> list[str]:
        broken = []
        manual = m.trigger == "manual"
        if manual and not self._forced:
            broken.append("a manual EndOfTurn that nobody asked for")
        if manual and m.transcript != self._latest:
            broken.append("a manual EndOfTurn has the text of the latest Update")
        if not manual and self._eager_text is not None and m.transcript != self._eager_text:
            broken.append("EndOfTurn's text is not its EagerEndOfTurn's")
        return broken

    def finish(self) -> list[str]:
        """At the end of the connection: what was still owed."""
        owed = [] if self._unanswered <= 0 else [f"{self._unanswered} Configure without an answer"]
        if self._unanswered < 0:
            owed = ["an answer to a Configure that was never sent"]
        self.problems += owed
        return owed
