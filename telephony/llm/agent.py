"""AGENT=llm: a language model answers, with what the caller really heard as its memory.

It speaks as the words come, calls tools in rounds, and is stopped with the caller's first sound. What a draft
must not do (notes, acts, tools with effects) waits with those who carry it out until the draft is released.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Any

from telephony.config.destinations import PERSON
from telephony.errors import ReplyFailed
from telephony.llm.answering import answer
from telephony.llm.chat import ChatMessage, ChatRequest, Finished, TextDelta, ToolCall, ToolSpec
from telephony.llm.client import ChatClient
from telephony.llm.errors import ModelFailed
from telephony.llm.history import Exchange, messages_of, next_number, tokens_of
from telephony.llm.memory import CallMemory, Memory
from telephony.llm.prompt import Prompt, PromptSource
from telephony.llm.style import SPOKEN_STYLE
from telephony.llm.tool_runner import ToolResult, ToolRunner, TurnTools
from telephony.llm.tools import BadArguments, arguments_object
from telephony.reply.agent import EndedCall, HangUp, Note, Notes, Said, Transfer, Turn, Wait, Wording
from telephony.reply.script_state import ACTIVE_SCRIPT
from telephony.reply.scripted import ScriptedAgent

log = logging.getLogger(__name__)

CONTEXT_TOKENS = 16_000
NO_SCRIPTS: Mapping[str, ScriptedAgent] = MappingProxyType({})
HAND_OVER = "hand_over"
TO_A_PERSON = "One moment, please. Somebody else will help you further."
"""Said when the call has used up what it may use of the model, and somebody is there."""
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")
"""OpenAI's API: a function's name is `[a-zA-Z0-9_-]{1,64}`."""
ENDS = (HangUp, Transfer, Wait)
"""Behind such an act of a tool, and words of the model's, there is nothing more to say."""


class LanguageModelAgent:
    """Answers turns with a model. It belongs to the event loop of the calls."""

    def __init__(
        self,
        client: ChatClient,
        prompt: PromptSource,
        tools: ToolRunner | None = None,
        *,
        context_tokens: int = CONTEXT_TOKENS,
        scripts: Mapping[str, ScriptedAgent] = NO_SCRIPTS,
    ) -> None:
        """`context_tokens`: how many the model can take, prompt and answer together; `scripts`: to which it
        may hand the caller, by name; each hands them back with `do: back`."""
        self.scripts = scripts
        self.client = client
        self.prompt = prompt
        self.tools = tools
        self.wording: Wording = prompt.current.wording
        self.hand_overs = (_hand_over_spec(scripts),) if scripts else ()
        self.memory = Memory(client, context_tokens)

    def destination(self, name: str) -> str:
        """Where the settings' destination of this name leads; empty: there is none."""
        return self.tools.destinations.get(name, "") if self.tools is not None else ""

    async def close(self) -> None:
        """At the end of the server, before its client and its tools."""
        await self.memory.close()

    async def ended(self, call: EndedCall) -> None:
        """The call is over."""
        self.memory.forget(call.call.call_id)
        if self.tools is not None:
            self.tools.ended(call)

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """As `Agent.reply`. Raises ReplyFailed where the model fails: the caller is asked again."""
        script = self.scripts.get(str(notes.get(ACTIVE_SCRIPT, "")))
        if script is not None:
            async for one in script.reply(turn, notes):
                yield one
            return
        allowed = self.prompt.current.tools
        tools = await self.tools.begin(turn, notes, allowed) if self.tools is not None else None
        try:
            async with aclosing(_Reply(self, turn, tools).said()) as said:
                async for one in said:
                    yield one
        except ModelFailed as error:
            raise ReplyFailed(str(error)) from error


class _Reply:
    """One reply being made."""

    def __init__(self, agent: LanguageModelAgent, turn: Turn, tools: TurnTools | None) -> None:
        self._agent, self._turn, self._tools = agent, turn, tools
        self._memory: CallMemory = agent.memory.of(turn.call.call_id)
        prompt: Prompt = agent.prompt.current
        self._prompt = prompt
        self._system = f"{prompt.filled(turn.call, self._memory.began)}\n\n{SPOKEN_STYLE}"
        self._spoke = False
        self._ends = False

    async def said(self) -> AsyncGenerator[Said, None]:
        """What is said and done."""
        tools, memory, turn = self._tools, self._memory, self._turn
        system_tokens = tokens_of([{"content": self._system}])
        memory.forget_from(next_number(turn))
        self._agent.memory.fit(memory, turn, system_tokens)
        if tools is not None:
            for note in tools.late_notes():
                yield note
            if used := tools.exhausted:
                sid = turn.call.call_sid
                log.warning("call %s: the model is not asked any more: %s are used up", sid, used)
                person = self._agent.destination(PERSON)
                yield TO_A_PERSON if person else self._agent.wording.farewell
                yield Transfer(person) if person else HangUp()
                return
        made: list[ChatMessage] = []
        async with aclosing(self._rounds(made)) as rounds:
            async for said in rounds:
                yield said
        self._agent.memory.keep_short(memory, turn, system_tokens)

    async def _rounds(self, made: list[ChatMessage]) -> AsyncGenerator[Said, None]:
        begun = self._begun()
        shown: Sequence[ToolSpec] = ()
        while True:
            calls: list[ToolCall] = []
            allowed = (*(self._tools.specs() if self._tools is not None else ()), *self._agent.hand_overs)
            shown = allowed or shown  # which may not be called any more; but the beginning stays the same
            extra = {} if allowed or not shown else {"tool_choice": "none"}
            request = ChatRequest([*begun, *made], tools=shown, extra=extra)
            async with aclosing(answer(self._agent.client, request)) as parts:
                async for part in parts:
                    if isinstance(part, TextDelta):
                        self._spoke = self._spoke or bool(part.text.strip())
                        yield part.text
                    elif isinstance(part, ToolCall):
                        calls.append(part)
                    elif isinstance(part, Finished):
                        self._count(part)
            if not calls or not allowed:
                return
            if handed := next((call for call in calls if call.name == HAND_OVER), None):
                for said in self._hand_over(handed):
                    yield said
                return
            if self._tools is None or not self._tools.specs():
                return  # it may only hand over now, and calls something else
            made.append(_calling(calls))
            async with aclosing(self._run(calls, made)) as outputs:
                async for said in outputs:
                    yield said
            self._memory.exchanges = [
                *(one for one in self._memory.exchanges if one.after != next_number(self._turn)),
                Exchange(next_number(self._turn), tuple(made), self._turn.index),
            ]
            if self._ends and self._spoke:
                return
            yield "\n"  # what comes next is another sentence

    def _hand_over(self, call: ToolCall) -> list[Said]:
        """The script's beginning; nothing where there is no such script: the caller is asked again."""
        try:
            name = str(json.loads(call.arguments)["to"])
            script = self._agent.scripts[name]
        except (ValueError, TypeError, LookupError):
            log.warning("call %s: the model hands over to no script that there is", self._turn.call.call_sid)
            return []
        return ["\n", *script.begin(self._turn), Note.without_secrets(**{ACTIVE_SCRIPT: name})]

    async def _run(self, calls: Sequence[ToolCall], made: list[ChatMessage]) -> AsyncGenerator[Said, None]:
        assert self._tools is not None
        async with aclosing(self._tools.run(calls)) as outputs:
            async for output in outputs:
                if isinstance(output, ToolResult):
                    made.append(output.message())
                else:
                    self._ends = self._ends or isinstance(output, ENDS)
                    self._spoke = self._spoke or isinstance(output, str)
                    yield output

    def _begun(self) -> list[ChatMessage]:
        """What comes before the answer. Nothing in it changes from turn to turn but its end."""
        memory = self._memory
        messages = messages_of(self._turn, memory.summary, memory.exchanges)
        told = {one.turn for one in memory.exchanges}
        reminders = self._tools.reminders(told) if self._tools is not None else ()
        if reminders:
            last = dict(messages[-1])
            last["content"] = "\n".join((*reminders, str(last["content"])))
            messages[-1] = last
        return [{"role": "system", "content": self._system}, *messages]

    def _count(self, finished: Finished) -> None:
        usage = finished.usage
        if self._tools is not None:
            self._tools.count_tokens(usage.prompt_tokens + usage.completion_tokens)
        log.debug("call %s: %s: %d tokens of prompt (%d cached), %d of answer, ended by %s",
                  self._turn.call.call_sid, finished.model, usage.prompt_tokens, usage.cached_tokens,
                  usage.completion_tokens, finished.reason)  # fmt: skip


def _hand_over_spec(scripts: Mapping[str, ScriptedAgent]) -> ToolSpec:
    """How the model is shown that it may hand the caller to a script."""
    named = "; ".join(f"{name}: {one.script.name}" for name, one in scripts.items())
    to = {"type": "string", "enum": list(scripts), "description": named}
    return ToolSpec(
        HAND_OVER,
        "Let a fixed script speak with the caller, which asks and says what has to be said word for word. It"
        " begins at once: say nothing yourself. You go on when it has ended.",
        {"type": "object", "properties": {"to": to}, "required": ["to"], "additionalProperties": False},
    )


def _calling(calls: Sequence[ToolCall]) -> dict[str, Any]:
    """The model's own message in which it called tools; its words stand in the history, as heard.

    Arguments that are not an object, and names that no tool can have, are not sent back: servers parse what
    they are sent, and Ollama, vLLM and llama.cpp's server would refuse this and every later turn of the call.
    """
    functions = [
        {
            **call.extra,
            "id": call.id,
            "type": "function",
            "function": {
                "name": _NOT_IN_NAMES.sub("_", call.name)[:64] or "unknown",
                "arguments": call.arguments if _is_object(call.arguments) else "{}",
            },
        }
        for call in calls
    ]
    return {"role": "assistant", "content": None, "tool_calls": functions}


def _is_object(arguments: str) -> bool:
    try:
        arguments_object(arguments)
        return bool(arguments.strip())
    except BadArguments:
        return False
