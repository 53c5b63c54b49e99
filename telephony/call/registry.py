"""The calls that run in this process, and what others may ask of one without knowing what it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from telephony.call.figures import Measured
from telephony.carrier.media_messages import Started
from telephony.record.recorder import RecordedCall
from telephony.record.store import RecordStore, summary

RECORDS_S = 1.0
"""How long a process that was ordered twice to end goes on writing its calls' records."""


class RunningCall(Measured, RecordedCall, Protocol):
    """One call."""

    started: Started
    """The carrier's `start`."""

    def record(self) -> dict[str, Any]:
        """The call so far, as JSON: what GET /api/calls/{id} gives."""

    def silent_s(self) -> float | None:
        """For how many seconds its stream has brought no frame; None when it has ended."""

    def say_goodbye(self) -> None:
        """Have the call end politely."""

    def stop(self) -> None:
        """The process ends now: write down what is known."""


class CallRegistry:
    """The running calls by our id, and with them the records of finished ones."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        self._calls: dict[str, RunningCall] = {}

    def __iter__(self) -> Iterator[RunningCall]:
        return iter(list(self._calls.values()))

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: RunningCall) -> None:
        """A call begins."""
        self._calls[call.call_id] = call

    def remove(self, call: RunningCall) -> None:
        """It is over."""
        del self._calls[call.call_id]

    def snapshot(self, call_id: str) -> dict[str, Any] | None:
        """A running call by our id or its CallSid, as JSON."""
        call = self._calls.get(call_id) or next((c for c in self if c.started.call_sid == call_id), None)
        return None if call is None else call.record()

    def sounding(self, within_s: float) -> set[str]:
        """The calls whose stream has brought a frame within so many seconds, by CallSid."""
        silent = ((call.started.call_sid, call.silent_s()) for call in self)
        return {sid for sid, silent_s in silent if silent_s is not None and silent_s < within_s}

    async def load(self, call_id: str) -> dict[str, Any] | None:
        """A finished call."""
        return await self._store.load(call_id)

    async def recent(self, most: int) -> list[dict[str, Any]]:
        """The running calls, newest first, then the finished ones: at most so many, without their turns."""
        running = [summary(call.record()) for call in reversed(self._calls.values())][:most]
        known = {call["call_id"] for call in running}
        finished = await self._store.recent(most)
        return [*running, *(call for call in finished if call["call_id"] not in known)][:most]

    def say_goodbye(self) -> None:
        """Have every running call say goodbye and hang up: the server stops."""
        for call in self:
            call.say_goodbye()

    def leave_records(self) -> None:
        """Write the records of the running calls: the process ends now. Blocks, for a moment."""
        for call in self:
            call.stop()
        self._store.flush(RECORDS_S)
