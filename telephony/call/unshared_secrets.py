"""Sensitive answers that stay in this process, for calls that may go on in it. In memory only. PURE.

A call whose stream broke goes on from the shared store. What its caller said in answer to a sensitive
question is not there: it waits here, and is lost with the process; then the caller is asked again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from telephony.conversation.resume import split_secrets

MOST_CALLS = 10_000


class UnsharedSecrets:
    """By CallSid, what belongs over the newest state that was saved of a call."""

    def __init__(self, ttl_s: float, process: str) -> None:
        """`ttl_s`: for how long, as the saved states themselves; `process`: a name that no other one has."""
        self._ttl_s = ttl_s
        self._process = process
        self._count = 0
        self._calls: OrderedDict[str, tuple[float, str, dict[str, Any]]] = OrderedDict()

    def keep(self, call_sid: str, state: Mapping[str, Any], now: float) -> dict[str, Any]:
        """What may be saved of a state; the rest is kept."""
        saved, redacted = split_secrets(state)
        self._forget_old(now)
        self.forget(call_sid)
        if not redacted:
            return saved
        self._count += 1
        # A state that another process saves later is another one: nothing of this belongs to it.
        which = f"{self._process}-{self._count}"
        self._calls[call_sid] = (now + self._ttl_s, which, redacted)
        return {**saved, "redacted_by": which}

    def whole(self, call_sid: str, saved: Mapping[str, Any]) -> dict[str, Any]:
        """A state as it was before it was saved, if that was here."""
        state = {name: value for name, value in saved.items() if name != "redacted_by"}
        _, which, redacted = self._calls.get(call_sid, (0.0, "", {}))
        if which == saved.get("redacted_by"):
            state |= redacted
        return state

    def forget(self, call_sid: str) -> None:
        """The call is over, or was deleted."""
        self._calls.pop(call_sid, None)

    def _forget_old(self, now: float) -> None:
        while self._calls:
            call_sid, (expires, _, _) = next(iter(self._calls.items()))
            if expires > now and len(self._calls) < MOST_CALLS:
                return
            del self._calls[call_sid]
