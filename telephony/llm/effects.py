"""Effects of tools, each at most once: who may carry it out, and what came of it, for all processes.

Whoever claims an effect's key in the shared store carries it out. What came of it is put beside the claim, so
that a later attempt, also in another process, is told. A process that dies in between leaves a claim without
an outcome: then nobody knows, nothing is done again, and the model is told so.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Protocol

from pydantic_core import to_jsonable_python

from telephony.llm.tool_work import Outcome, Work
from telephony.reply import reply_scope
from telephony.reply.agent import Turn

TTL_S = 86_400.0
"""Longer than any call, with its transfers and resumes."""
LOOK_AGAIN_S = 0.1
"""How often the outcome of another process's attempt is looked for."""
MOST_KNOWN = 4_096  # outcomes in memory; a forgotten one is read from the shared store
MOST_SAVED = 4_096  # characters of an outcome in the shared store
UNKNOWN = Outcome("unknown", "It was begun before, and what came of it is not known. It is not done again.")


class Claims(Protocol):
    """What of the shared store is used here: see telephony.base.shared_store.SharedStore."""

    async def claim(self, key: str, ttl_s: float) -> bool: ...

    async def put(self, key: str, value: Mapping[str, Any], ttl_s: float) -> None: ...

    async def get(self, key: str) -> dict[str, Any] | None: ...


def whole_call(turn: Turn) -> str:
    """What names a call in all its streams and processes."""
    return turn.call.call_sid or turn.call.call_id


def effect_key(turn: Turn, tool: str, arguments: Mapping[str, Any]) -> str:
    """The same for the same tool and arguments in answer to the same words of the caller."""
    plain = to_jsonable_python(arguments, fallback=repr)
    first = turn.index if turn.first is None else turn.first
    text = json.dumps([whole_call(turn), first, tool, plain], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


class Effects:
    """The effects that this process carries out, or knows of."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._works: dict[str, Work] = {}
        self._known: OrderedDict[str, Outcome] = OrderedDict()
        self._saving: set[asyncio.Task[None]] = set()

    def at_work(self, key: str) -> Work | None:
        """The attempt that runs in this process now."""
        return self._works.get(key)

    def begun(self, key: str, work: Work) -> None:
        """An attempt begins in this process."""
        self._works[key] = work
        secret = reply_scope.current().redacting
        work.outcome.add_done_callback(lambda outcome: self._ended(key, outcome.result(), secret()))

    async def claimed(self, key: str, within_s: float) -> Outcome | None:
        """None: it is ours to carry out. Otherwise what came of an earlier attempt.

        One that runs in another process is waited for, so many seconds.
        """
        if (known := self._known.get(key)) is not None:
            return _again(known)
        if await self._claims.claim(f"tool {key}", TTL_S):
            return None
        try:
            async with asyncio.timeout(within_s):
                while (known := await self.outcome(key)) is None:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(LOOK_AGAIN_S)
        except TimeoutError:
            return UNKNOWN
        return _again(known)

    async def outcome(self, key: str) -> Outcome | None:
        """What came of an effect, as far as anybody knows."""
        if (known := self._known.get(key)) is not None:
            return known
        saved = await self._claims.get(f"tool outcome {key}")
        if saved is None:
            return None
        known = Outcome(saved["status"], str(saved["text"]))
        self._know(key, known)
        return known

    async def close(self, within_s: float) -> None:
        """The server stops, and nothing runs any more: what is being saved may take so many seconds."""
        if self._saving:
            await asyncio.wait(self._saving, timeout=within_s)

    def _ended(self, key: str, outcome: Outcome, secret: bool) -> None:
        self._works.pop(key, None)
        if outcome.status == "unknown":
            return
        self._know(key, outcome)
        text = "It ended; what it said is not written down." if secret else outcome.text[:MOST_SAVED]
        self._soon(self._claims.put(f"tool outcome {key}", {"status": outcome.status, "text": text}, TTL_S))

    def _soon(self, saving: Any) -> None:
        task = asyncio.get_running_loop().create_task(saving)
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)

    def _know(self, key: str, outcome: Outcome) -> None:
        self._known[key] = outcome
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)


def _again(known: Outcome) -> Outcome:
    """The outcome of an earlier attempt, for one that came to nothing."""
    done = "done" if known.status == "done" else "tried"
    return Outcome(
        known.status, f"It was {done} already for this turn, and is not {done} again. {known.text}"
    )
