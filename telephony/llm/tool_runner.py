"""Runs the tools that a model calls. What a tool does wrong becomes words to the model, never a call's end.

    tools = await runner.begin(turn, notes)             # one per reply, drafts too
    request = ChatRequest(messages, tools=tools.specs())
    async with contextlib.aclosing(tools.run(calls)) as outputs:    # one round
        async for output in outputs:
            if isinstance(output, ToolResult):
                messages.append(output.message())
            else:
                yield output                            # words and acts of the tool, as they come

An effect happens at most once for a turn, a tool and its arguments: whoever claims its key in the shared
store carries it out, and any other attempt (a barge-in, a retry, the call gone on in another process) is told
what came of it. A tool with effects waits until the caller's turn has surely ended.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from telephony.llm.chat import ToolCall, ToolSpec
from telephony.llm.effects import TTL_S, Claims, Effects, effect_key, whole_call
from telephony.llm.guard_rails import (
    Limits,
    Spent,
    destination,
    exhausted,
    framed,
    identity_of,
    refusal,
    state_of,
)
from telephony.llm.tool_work import Outcome, Status, Work
from telephony.llm.toolbox import Toolbox
from telephony.llm.tools import BadArguments, Tool, ToolContext
from telephony.reply import reply_scope
from telephony.reply.agent import CallInfo, EndedCall, Note, Notes, Said, Transfer, Turn
from telephony.reply.reply_scope import ToolStep

log = logging.getLogger(__name__)

MOST_STREAMS = 4_096  # whose books are kept in memory; beyond any number of calls of one process
MOST_TOLD = 12
"""Tools of earlier turns that the model is reminded of."""
MOST_ARGUMENTS = 300  # characters of a tool's arguments, where the model is reminded of it
CLOSE_S = 5.0  # for tools that run when the server stops
_LIMITS = Limits()
NOBODY: Mapping[str, str] = MappingProxyType({})
NO_LIST: Mapping[str, Iterable[str]] = MappingProxyType({})
TOO_MANY = Outcome("refused", "Too many tools at once: this one was not called.")
NOBODY_THERE = Outcome("refused", "Nobody is transferred: the settings name no such destination.")


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the model is told of one of its calls."""

    call_id: str
    name: str
    content: str
    """In the frame that marks it as data."""
    status: Status

    @property
    def ok(self) -> bool:
        """False: it was refused, failed, was stopped, or nobody knows."""
        return self.status == "done"

    def message(self) -> dict[str, Any]:
        """As a message of the chat-completions API."""
        return {"role": "tool", "tool_call_id": self.call_id, "content": self.content}


@dataclass(slots=True)
class Ran:
    """A tool that the model has to be reminded of: it had effects, or went on when it was interrupted."""

    key: str
    tool: str
    turn: int
    arguments: str
    work: Work | None = None
    """None: it ran on another stream of the call."""
    outcome: Outcome | None = None


@dataclass(slots=True)
class _Books:
    """What is known of one stream of a call."""

    began: float
    spent: Spent = field(default_factory=Spent)
    ran: dict[str, Ran] = field(default_factory=dict)
    late: list[Note] = field(default_factory=list)


class ToolRunner:
    """Runs the tools of one agent in one process."""

    def __init__(
        self,
        toolbox: Toolbox,
        claims: Claims,
        limits: Limits = _LIMITS,
        clock: Callable[[], float] = time.monotonic,
        destinations: Mapping[str, str] = NOBODY,
    ) -> None:
        """`claims` is what processes share, as calls see it (base/shared_store_memory.py); `clock` gives
        seconds, for the budget of minutes; `destinations`: names, and where tools may transfer to."""
        self.toolbox, self.limits, self.effects = toolbox, limits, Effects(claims)
        self.destinations = destinations
        self._claims, self._clock = claims, clock
        self._books: OrderedDict[str, _Books] = OrderedDict()
        self._at_work: set[Work] = set()

    async def begin(
        self, turn: Turn, notes: Notes, allowed: Mapping[str, Iterable[str]] = NO_LIST
    ) -> TurnTools:
        """The tools for one reply, a draft or not. `notes`: those that the reply was given; `allowed`: the
        only tools that there are in a state of the call, see `Toolbox.limited`."""
        books = self._books.get(turn.call.call_id) or await self._opened(turn.call)
        for ran in books.ran.values():
            if ran.work is None and ran.outcome is None:
                ran.outcome = await self.effects.outcome(ran.key)
        return TurnTools(self, self.toolbox.limited(allowed), books, turn, notes)

    def ended(self, call: EndedCall) -> None:
        """The call is over: its books are closed."""
        self._books.pop(call.call.call_id, None)

    async def close(self) -> None:
        """At the end of the server: tools that run may end, for a few seconds."""
        await asyncio.gather(*(work.ended(CLOSE_S) for work in list(self._at_work)))
        await self.effects.close(CLOSE_S)

    def began(self, work: Work) -> Work:
        """A tool is at work: it may outlive its reply."""
        self._at_work.add(work)
        work.outcome.add_done_callback(lambda _: self._at_work.discard(work))
        return work

    def seconds(self, books: _Books) -> float:
        """How long this stream of the call has lasted."""
        return self._clock() - books.began

    async def save(self, turn: Turn, books: _Books) -> None:
        """Keep the books for the call's next stream."""
        ran = [[one.key, one.tool, one.turn] for one in books.ran.values()][-MOST_TOLD:]
        saved = {"spent": books.spent.as_json(self.seconds(books)), "ran": ran}
        await self._claims.put(_shelf(turn), saved, TTL_S)

    async def _opened(self, call: CallInfo) -> _Books:
        books = _Books(self._clock())
        if "resumed" in call.parameters:  # an earlier stream of the call has kept books
            saved = await self._claims.get(_shelf_of(call.call_sid or call.call_id)) or {}
            books.spent = Spent.from_json(saved.get("spent", {}))
            books.ran = {key: Ran(key, tool, index, "") for key, tool, index in saved.get("ran", ())}
        books = self._books.setdefault(call.call_id, books)
        while len(self._books) > MOST_STREAMS:
            self._books.popitem(last=False)
        return books


class TurnTools:
    """The tools for one reply."""

    def __init__(self, runner: ToolRunner, toolbox: Toolbox, books: _Books, turn: Turn, notes: Notes) -> None:
        self._runner, self._toolbox, self._books, self._turn = runner, toolbox, books, turn
        self._notes = dict(notes)
        self._rounds = 0

    # ---- what there is

    def specs(self) -> tuple[ToolSpec, ...]:
        """What the model may be shown now: none when it has to answer."""
        limits, spent = self._runner.limits, self._books.spent
        if self._rounds >= limits.rounds or spent.tool_calls >= limits.tool_calls:
            return ()
        return self._toolbox.specs(state_of(self._notes), identity_of(self._notes))

    @property
    def exhausted(self) -> str:
        """What of the call's budget is used up, as in "1000000 tokens"; "" while the model may be asked."""
        return exhausted(self._runner.limits, self._books.spent, self._runner.seconds(self._books))

    def count_tokens(self, tokens: int) -> None:
        """The model was asked: so many tokens, of prompt and answer."""
        self._books.spent.tokens += tokens

    def late_notes(self) -> tuple[Note, ...]:
        """Notes of tools that ended after they were interrupted: to be yielded at the reply's beginning."""
        late = tuple(self._books.late)
        if reply_scope.current().release.released:
            self._books.late.clear()
        self._note(*late)
        return late

    def reminders(self, told: Collection[int] = ()) -> tuple[str, ...]:
        """What tools did in this call, oldest first, for the model: the history does not say it.

        `told`: turns whose tools the model is shown with what they gave; of those only what was interrupted
        is said.
        """
        left = [
            ran
            for ran in self._books.ran.values()
            if ran.turn not in told or (ran.work is not None and ran.work.interrupted)
        ]
        return tuple(self._reminder(ran) for ran in left[-MOST_TOLD:])

    def _reminder(self, ran: Ran) -> str:
        outcome = ran.work.outcome.result() if ran.work and ran.work.outcome.done() else ran.outcome
        text = outcome.text if outcome else "It was begun, and what came of it is not known yet."
        told = ""
        if ran.work is not None and ran.work.interrupted:
            silent = ran.work.tool.options.on_interrupt == "silent"
            told = (
                " Say nothing of it unless the caller asks."
                if silent
                else " Tell the caller what came of it."
            )
            told = f" The caller interrupted it.{told}"
        frame = framed(ran.tool, text, self._runner.limits.result_chars)
        return f"In turn {ran.turn} of the caller, {ran.tool}({ran.arguments}) was called.{told}\n{frame}"

    # ---- a round

    async def run(self, calls: Sequence[ToolCall]) -> AsyncGenerator[Said | ToolResult, None]:
        """Run what the model called: words and acts of the tools as they come, one result for each call.

        Neighbours without effects run at once, those with effects one after the other. Closing this, or
        cancelling what runs it, is an interruption: close it with `contextlib.aclosing`.
        """
        self._rounds += 1
        limits = self._runner.limits
        for at, batch in _batches(calls, self._toolbox):
            started: list[tuple[ToolCall, Work | Outcome]] = []
            try:
                for call in batch:
                    reply_scope.current().on_tool(ToolStep(call.name, call.arguments, "called"))
                    many = at + len(started) >= limits.calls_at_once
                    started.append((call, TOO_MANY if many else await self._start(call)))
                for call, work in started:
                    async with aclosing(self._told(work)) as told:
                        async for said in told:
                            yield self._result(call, said) if isinstance(said, Outcome) else said
            finally:
                for call, work in started:
                    if isinstance(work, Work):
                        self._leave(call, work)
        await self._runner.save(self._turn, self._books)

    async def _told(self, work: Work | Outcome) -> AsyncGenerator[Said | Outcome, None]:
        """What a tool says and does, as far as it may, and its outcome last."""
        if isinstance(work, Outcome):
            yield work
            return
        refused = False
        async with aclosing(work.told()) as told:
            async for said in told:
                if isinstance(said, Transfer):
                    to = destination(said.to, self._runner.destinations)
                    refused = refused or not to
                    said = Transfer(to)
                    if not to:
                        continue
                self._note(said)
                yield said
        yield NOBODY_THERE if refused else work.outcome.result()

    async def _start(self, call: ToolCall) -> Work | Outcome:
        """Begin one call. Waits for the caller's turn to end where there are effects."""
        books, limits, toolbox = self._books, self._runner.limits, self._toolbox
        words = refusal(toolbox, call.name, self._notes, books.spent, limits, self._rounds)
        books.spent.count(call.name if call.name in toolbox.tools else "")
        if words:
            return self._refused(call, words)
        tool = toolbox.tools[call.name]
        try:
            arguments = tool.check(call.arguments)
        except BadArguments as error:
            return self._refused(call, f"It was not called: {error}")
        context = ToolContext(self._turn.call, self._turn.index, self._notes.copy(), identity_of(self._notes))
        if not tool.options.effects:
            return self._runner.began(Work(tool, context, arguments, limits.result_chars))
        await reply_scope.current().release.wait()
        return self._with_effects(tool, context, arguments, call.arguments)

    def _with_effects(
        self, tool: Tool, context: ToolContext, arguments: Mapping[str, Any], written: str
    ) -> Work:
        effects, books = self._runner.effects, self._books
        key = effect_key(self._turn, tool.name, arguments)
        if (work := effects.at_work(key)) is not None:
            work.join()
            return work
        first = key not in books.ran

        async def before() -> Outcome | None:
            if first:  # written down before it is begun: whatever happens, the next stream knows of it
                await self._runner.save(self._turn, books)
            return await effects.claimed(key, tool.options.timeout_s)

        most = self._runner.limits.result_chars
        work = self._runner.began(Work(tool, replace(context, key=key), arguments, most, before))
        effects.begun(key, work)
        books.ran.setdefault(key, Ran(key, tool.name, self._turn.index, _brief(written), work))
        return work

    def _refused(self, call: ToolCall, words: str) -> Outcome:
        log.info("call %s: a tool was refused: %s", whole_call(self._turn),
                 call.name if call.name in self._toolbox.tools else "of an unknown name")  # fmt: skip
        return Outcome("refused", words)

    def _result(self, call: ToolCall, outcome: Outcome) -> ToolResult:
        step = ToolStep(call.name, call.arguments, outcome.status, outcome.text)
        reply_scope.current().on_tool(step)
        if outcome.status == "refused":  # our own words
            return ToolResult(call.id, call.name, outcome.text, outcome.status)
        content = framed(call.name, outcome.text, self._runner.limits.result_chars)
        return ToolResult(call.id, call.name, content, outcome.status)

    def _leave(self, call: ToolCall, work: Work) -> None:
        """The round is over, or was interrupted."""
        work.interrupt()
        if work.interrupted and not work.outcome.done():
            work.outcome.add_done_callback(lambda _: self._books.late.extend(work.late))
            if not work.tool.options.effects:
                key = f"{self._turn.index} {call.id} {call.name}"
                ran = Ran(key, call.name, self._turn.index, _brief(call.arguments), work)
                self._books.ran.setdefault(key, ran)

    def _note(self, *said: Said) -> None:
        """What a tool notes holds for the rest of the reply: the state of the call, most of all."""
        for one in said:
            if isinstance(one, Note):
                self._notes.update(one.values)


def _batches(calls: Sequence[ToolCall], toolbox: Toolbox) -> list[tuple[int, list[ToolCall]]]:
    """Calls that may run at once, with the place of the first of them."""
    batches: list[tuple[int, list[ToolCall]]] = []
    alone = True
    for at, call in enumerate(calls):
        one = toolbox.tools.get(call.name)
        effects = one is not None and one.options.effects
        if alone or effects:
            batches.append((at, []))
        batches[-1][1].append(call)
        alone = effects
    return batches


def _brief(arguments: str) -> str:
    return arguments if len(arguments) <= MOST_ARGUMENTS else f"{arguments[:MOST_ARGUMENTS]}..."


def _shelf(turn: Turn) -> str:
    return _shelf_of(whole_call(turn))


def _shelf_of(call: str) -> str:
    return f"tools of {call}"
