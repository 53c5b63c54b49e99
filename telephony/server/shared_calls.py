"""What processes share of each call: its first answer, its saved conversation, whether it has ended."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any

from telephony.base.shared_store import SharedStore
from telephony.base.shared_store_memory import FailOpen
from telephony.call.unshared_secrets import UnsharedSecrets
from telephony.server.dialler import forget_dialled

KNOWN_TTL_S = 30 * 86_400.0
"""A call begins once and ends once. After this time a captured webhook of it is worth nothing."""
ENDED_TTL_S = KNOWN_TTL_S
CONVERSATION_TTL_S = 3600.0  # a caller may come back from a long transfer
KINDS = ("answer", "after", "away", "next", "route", "conversation")


class SharedCalls:
    """The calls of all processes on one DATA_DIR, by CallSid."""

    def __init__(self, store: SharedStore, shared: FailOpen) -> None:
        """`shared` is `store` as calls use it: they go on when the store fails."""
        self._store = store
        self._shared = shared
        self._secrets = UnsharedSecrets(CONVERSATION_TTL_S, secrets.token_hex(8))

    async def is_ended(self, call_sid: str) -> bool:
        """Whether this call is known to have ended."""
        return await self._shared.get(f"ended:{call_sid}") is not None

    async def first_answer(self, call_sid: str) -> str | None:
        """The TwiML that answered the call's first webhook. None when there was none.

        Empty when the answer must not be repeated: it is too old, or the call's stream has begun.
        """
        kept = await self._shared.get(f"answer:{call_sid}")
        if kept is None:
            return None
        return str(kept["twiml"]) if self._shared.now() < kept.get("until", 0.0) else ""

    async def keep_first_answer(self, call_sid: str, twiml: str, ttl_s: float) -> str:
        """Keep this answer unless another process kept one first; the answer that Twilio gets."""
        answer = {"twiml": twiml, "until": self._shared.now() + ttl_s}
        kept = await self._shared.keep(f"answer:{call_sid}", answer, KNOWN_TTL_S)
        return str(kept.get("twiml", twiml))

    async def stream_began(self, call_sid: str) -> None:
        """A stream was admitted. The answer that opened it is used up: its close is a new request."""
        await asyncio.gather(
            *(self._shared.take(f"{kind}:{call_sid}") for kind in ("after", "away")),
            self._shared.put(f"answer:{call_sid}", {}, KNOWN_TTL_S),
        )

    async def call_ended(self, call_sid: str) -> None:
        """The call has ended: nothing can resume it."""
        self._secrets.forget(call_sid)
        await asyncio.gather(
            self._shared.put(f"ended:{call_sid}", {}, ENDED_TTL_S),
            self._shared.take(f"conversation:{call_sid}"),
        )

    async def save_conversation(self, call_sid: str, state: Mapping[str, Any]) -> None:
        """Keep what a new stream of this call needs to go on where this one stopped.

        What is redacted stays in this process: see `UnsharedSecrets`.
        """
        saved = self._secrets.keep(call_sid, state, time.monotonic())
        key = f"conversation:{call_sid}"
        put = self._shared.put(key, saved, CONVERSATION_TTL_S)
        _, ended = await asyncio.gather(put, self.is_ended(call_sid))
        if ended:  # the carrier reported the end first: nothing can resume the call
            self._secrets.forget(call_sid)
            await self._shared.take(key)

    async def save_conversations(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """Save those of several running calls; calls that are known to have ended are left out."""
        now = time.monotonic()
        rows = [
            (f"conversation:{sid}", self._secrets.keep(sid, state, now), f"ended:{sid}")
            for sid, state in states.items()
        ]
        await self._shared.put_all(rows, CONVERSATION_TTL_S)

    async def forget_conversation(self, call_sid: str) -> None:
        """Delete it: no new stream of this call will come."""
        self._secrets.forget(call_sid)
        await self._shared.take(f"conversation:{call_sid}")

    async def saved_conversation(self, call_sid: str) -> dict[str, Any] | None:
        """What was saved last. It has what was redacted only in the process that saved it."""
        saved = await self._shared.get(f"conversation:{call_sid}")
        return None if saved is None else self._secrets.whole(call_sid, saved)

    async def delete(self, call_sid: str) -> None:
        """Delete what the shared store holds of a call. Raises SharedStoreFailure when it stays there."""
        self._secrets.forget(call_sid)
        dialled = await self._store.get(f"dialled:{call_sid}")
        for key in (f"{kind}:{call_sid}" for kind in KINDS):
            self._shared.forget(key)
            await self._store.take(key)
        await self._shared.put(f"ended:{call_sid}", {}, ENDED_TTL_S)  # its webhooks must not begin it again
        if dialled is not None:
            await forget_dialled(self._store, dialled["dial"])
        await self._store.scrub()
