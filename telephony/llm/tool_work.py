"""One tool at work: its words as they come, one outcome, and what an interruption does to it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from typing import Any, Literal, TypeAlias

from pydantic_core import PydanticSerializationError, to_jsonable_python

from telephony.llm.tools import ACTS, Result, Tool, ToolContext, ToolError
from telephony.reply.agent import Note, Said, Say

log = logging.getLogger(__name__)

FILLER_S = 0.6
"""A tool that takes longer says its filler; a pause of so much within a turn does not strike anybody."""
CLOSE_S = 1.0  # how long a tool may take to end when it is stopped, before it is left to itself
MOST_WORDS = 32  # texts that a tool may be ahead of its listener
MOST_LINES = 4  # of a traceback; its text may be what a caller said, and is not logged

Status: TypeAlias = Literal["done", "failed", "stopped", "refused", "unknown"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a tool, in words for the model."""

    status: Status
    text: str


async def at_once() -> None:
    """Nothing has to be done before a tool begins."""


class Work:
    """A tool that runs. It belongs to the process, not to the reply: it may outlive that."""

    def __init__(
        self,
        tool: Tool,
        context: ToolContext,
        arguments: Mapping[str, Any],
        most_chars: int,
        before: Callable[[], Awaitable[Outcome | None]] = at_once,
    ) -> None:
        """`before` is awaited first; an outcome that it gives is this one's, and the tool does not run."""
        self.tool = tool
        self.late: list[Note] = []
        """What it noted when the reply was gone."""
        self.interrupted = False
        """The reply that it ran for is gone."""
        loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[Outcome] = loop.create_future()
        self._context, self._arguments, self._most = context, arguments, most_chars
        self._before = before
        self._words: deque[Said] = deque()
        self._changed, self._room = asyncio.Event(), asyncio.Event()
        self._began = time.monotonic()
        self._task = loop.create_task(self._run(), name=f"tool {tool.name}")

    # ---- for the reply

    async def told(self) -> AsyncGenerator[Said, None]:
        """Its words and acts, as they come, until there is an outcome; its filler when none come."""
        filler = self.tool.options.filler
        while True:
            while self._words:
                filler = ""
                self._room.set()
                yield self._words.popleft()
            if self.outcome.done():
                return
            self._changed.clear()
            wait_s = max(0.0, self._began + FILLER_S - time.monotonic()) if filler else None
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                said, filler = filler, ""
                yield Say(said)

    def interrupt(self) -> None:
        """The reply is gone: the tool is stopped, or goes on without a word, as it says itself."""
        if self.outcome.done():
            return
        self.interrupted = True
        self._drop_words()
        if self.tool.options.on_interrupt == "cancel":
            self.stop()

    def join(self) -> None:
        """Another reply waits for the same outcome."""
        self.interrupted = False

    def stop(self) -> None:
        """Stop it, whatever it says of itself."""
        unsure = " Whether it had its effect is not known." if self.tool.options.effects else ""
        self._settle("stopped", f"It was stopped before it had ended.{unsure}")
        self._task.cancel()

    def _drop_words(self) -> None:
        self.late += [said for said in self._words if isinstance(said, Note)]
        self._words.clear()
        self._room.set()

    # ---- the tool

    async def _run(self) -> None:
        options, limit = self.tool.options, asyncio.timeout(None)
        overdue: asyncio.TimerHandle | None = None
        try:
            outcome = await self._before()
            if outcome is None:
                loop = asyncio.get_running_loop()
                overdue = loop.call_later(options.timeout_s + CLOSE_S, self._left_to_itself)
                async with limit:
                    limit.reschedule(loop.time() + options.timeout_s)
                    outcome = Outcome("done", self._worded(await self._result()))
            self._settle(outcome.status, outcome.text)
        except ToolError as error:
            self._settle("failed", self._cut(str(error)))
        except asyncio.CancelledError:
            self._settle("failed", "The tool stopped of its own accord.")  # stop() has settled before
            raise
        except BaseException as error:
            # A user's code may raise anything, and to exit would end every call.
            late = isinstance(error, TimeoutError) and limit.expired()
            unsure = " Whether it had its effect is not known." if options.effects else ""
            text = f"It took longer than {options.timeout_s:g} s." if late else "The tool failed."
            self._settle("failed", f"{text}{unsure}")
            log.error("tool %s: %s at %s", self.tool.name, "time-out" if late else type(error).__name__,
                      _lines_of(error))  # fmt: skip
        finally:
            if overdue is not None:
                overdue.cancel()

    async def _result(self) -> object:
        outputs = self.tool.call(self._context, self._arguments)
        try:
            acted = False
            async for output in outputs:
                if isinstance(output, Result):
                    return output.value
                acted = acted or isinstance(output, ACTS)
                await self._hand_on(output)
            return "done" if acted else None
        finally:
            aclose = getattr(outputs, "aclose", None)
            if aclose is not None:
                await aclose()

    async def _hand_on(self, output: Said) -> None:
        if not self.interrupted:
            self._words.append(output)
            self._changed.set()
        elif isinstance(output, Note):
            self.late.append(output)
        while len(self._words) >= MOST_WORDS and not self.interrupted:
            self._room.clear()
            await self._room.wait()

    def _worded(self, value: object) -> str:
        return self._cut(worded(value, self._most))

    def _cut(self, text: str) -> str:
        return text[: self._most + 1]  # one more, so that the frame knows of the cut

    def _settle(self, status: Status, text: str) -> None:
        if not self.outcome.done():
            self.outcome.set_result(Outcome(status, text))
            took_ms = round((time.monotonic() - self._began) * 1000)
            call = self._context.call
            whose = call.call_sid or call.call_id
            log.info("call %s: tool %s: %s after %d ms", whose, self.tool.name, status, took_ms)
        self._changed.set()

    def _left_to_itself(self) -> None:
        if not self.outcome.done():
            log.warning("tool %s: has not ended %g s after its time-out; is CancelledError caught?",
                        self.tool.name, CLOSE_S)  # fmt: skip
            unsure = " Whether it had its effect is not known." if self.tool.options.effects else ""
            self._settle("failed", f"It took longer than {self.tool.options.timeout_s:g} s.{unsure}")

    async def ended(self, within_s: float) -> None:
        """Wait for its task; stop it when it takes longer."""
        await asyncio.wait((self._task,), timeout=within_s)
        if not self._task.done():
            self.stop()
            await asyncio.wait((self._task,), timeout=CLOSE_S)


def worded(value: object, most: int) -> str:
    """A tool's result as text: text as it is, anything else as JSON, no more of it than is shown."""
    if value is None:
        return "done"
    if isinstance(value, str):
        return value
    parts: list[str] = []
    length = 0
    for part in json.JSONEncoder(ensure_ascii=False, default=_plain).iterencode(value):
        parts.append(part)
        length += len(part)
        if length > most:
            break
    return "".join(parts)


def _plain(value: object) -> object:
    """What JSON does not know, in types that it knows."""
    try:
        return to_jsonable_python(value)
    except PydanticSerializationError:
        raise ToolError(f"the tool gave {type(value).__name__}, which cannot be told") from None


def _lines_of(error: BaseException) -> str:
    """Where an exception was raised: files and lines, without its text."""
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(error.__traceback__)]
    shown = [f"{file.name}:{line}" for file, line in frames if file != Path(__file__)]
    return ", ".join(shown[-MOST_LINES:]) or "the runner"
