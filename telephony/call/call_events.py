"""What is reported of a call while it runs and when it is over, for WEBHOOK_URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

from telephony.conversation.turn_record import REDACTED
from telephony.reply.reply_scope import ToolStep

Json = Mapping[str, Any]


MOST_SHOWN = 4_000
"""Characters of a tool's arguments and of its result."""


class CallEventKind(StrEnum):
    """What happened."""

    STARTED = "call.started"
    TURN = "call.turn"
    """A turn is complete: what the caller said, and what was heard of the answer."""
    TOOL = "call.tool"
    """A tool was called, or ended."""
    TRANSFERRED = "call.transferred"
    ENDED = "call.ended"
    """The call is over; with its record."""


class CallEvents(Protocol):
    """Takes events of calls. It never raises and never waits."""

    wanted: bool
    """False: nobody asked, and nothing has to be made for it."""

    def emit(self, call_sid: str, kind: CallEventKind, data: Json) -> None:
        """Report one; `data` must hold nothing that is redacted."""


class NoCallEvents:
    """Nobody asked."""

    wanted = False

    def emit(self, call_sid: str, kind: CallEventKind, data: Json) -> None:
        """Do nothing."""


class CallEventReporter:
    """Reports one call's events, each once."""

    def __init__(self, events: CallEvents, call_id: str, call_sid: str) -> None:
        self._events, self._call_sid = events, call_sid
        self.wanted = events.wanted
        self._whose = {"call_id": call_id, "call_sid": call_sid}
        self._turns = 0

    def started(self, about: Json) -> None:
        """The call began; `about`: who called whom, when, and who answers."""
        self._emit(CallEventKind.STARTED, about)

    def look(self, begun: int, turns: Callable[[], Sequence[Json]]) -> None:
        """So many turns have begun: those before the last one are complete. Called often, so it is cheap."""
        if self.wanted and begun - 1 > self._turns:
            self._report(turns()[: begun - 1])

    def tool(self, step: ToolStep, redacting: bool) -> None:
        """A step of a tool; what it was given and gave may be what must not be written down."""
        shown = (step.arguments[:MOST_SHOWN], step.text[:MOST_SHOWN])
        if redacting:
            shown = (REDACTED, REDACTED if step.text else "")
        self._emit(
            CallEventKind.TOOL,
            {"name": step.name, "state": step.state, "arguments": shown[0], "result": shown[1]},
        )

    def transferred(self, to: str) -> None:
        """The caller is sent to somebody else."""
        self._emit(CallEventKind.TRANSFERRED, {"to": to})

    def stream_over(self, turns: Sequence[Json]) -> None:
        """The stream is over: what turns there are is complete."""
        self._report(turns)

    def ended(self, record: Json) -> None:
        """The call is over."""
        self._emit(CallEventKind.ENDED, {"record": record})

    def _report(self, turns: Sequence[Json]) -> None:
        for turn in turns[self._turns :]:
            self._emit(CallEventKind.TURN, {"turn": turn})
        self._turns = max(self._turns, len(turns))

    def _emit(self, kind: CallEventKind, data: Json) -> None:
        self._events.emit(self._call_sid, kind, {**self._whose, **data})
