"""`telephony chat`: talk to an agent by text, without audio: streamed, and interrupted by a key.

Words appear at the speed of speech. Any key interrupts the agent at the word it is at, as a caller would; the
agent's history then holds what was heard and no more.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import uuid
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from telephony.base.shared_store_memory import MemorySharedStore
from telephony.commands.chat_console import Console, open_console
from telephony.commands.chat_session import AgentWords, ChatSession
from telephony.config.settings import Settings
from telephony.llm.loading import AgentLoader
from telephony.logs import one_line
from telephony.reply.agent import (
    Agent,
    CallInfo,
    Expect,
    HangUp,
    Note,
    Said,
    Say,
    Transfer,
    Wait,
    wording_of,
)
from telephony.reply.runner import run_reply
from telephony.speak.spoken_style import SpokenStyle

WORDS_PER_SECOND = 3.0
ENDED_S = 10.0
"""How long an agent's `ended` may take, as after a call."""
HELP = """keys and commands:
  any key while the agent speaks   interrupt it at this word
  /keys 1234#                      press keys of the telephone
  /silence                         say nothing until the agent asks again
  /notes                           show what the agent has noted
  /quit, Ctrl-D                    hang up

examples:
  telephony chat                                   the agent that AGENT names
  telephony chat --agent my.module:Barista         another one
  telephony chat --agent llm --from +14155550132   a language model (LLM_URL, LLM_MODEL), and who calls
  printf 'A latte, please.\\nThat is all.\\n' | telephony chat --pace 0
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `telephony chat`."""
    parser.epilog = HELP
    parser.add_argument("--agent", metavar="SPEC", help="who answers (default: AGENT)")
    parser.add_argument(
        "--from", dest="from_number", default="+12025550143", metavar="NUMBER", help="who calls"
    )
    parser.add_argument(
        "--to", dest="to_number", default="+12025550100", metavar="NUMBER", help="who is called"
    )
    parser.add_argument(
        "--parameter",
        type=_parameter,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the call",
    )
    parser.add_argument(
        "--pace",
        type=_pace,
        default=WORDS_PER_SECOND,
        metavar="N",
        help="words a second (default: %(default)g); 0 shows text as it comes",
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Chat until one of both hangs up. Raises BadInput for an agent that cannot answer."""
    return asyncio.run(_chat(args, settings))


async def _chat(args: argparse.Namespace, settings: Settings) -> int:
    async with AsyncExitStack() as stack:
        spec = args.agent or settings.agent
        where = "--agent" if args.agent else "AGENT"
        agent = await AgentLoader(settings, _Claims(), stack).load(spec, where)
        call = CallInfo(
            f"chat-{uuid.uuid4().hex[:12]}", "", args.from_number, args.to_number, dict(args.parameter)
        )
        console = await stack.enter_async_context(open_console(sys.stdin, sys.stdout))
        talk = _Talk(agent, ChatSession(call), console, args.pace)
        started, begin = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
        ended_by = await talk.run()
        console.line("", f"ended by the {ended_by}")
        ended = getattr(agent, "ended", None)
        if ended is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(ENDED_S):
                    await ended(talk.session.ended(ended_by, started, round(time.monotonic() - begin, 3)))
    return 0


class _Claims:
    """What effects of tools are claimed in: a chat shares nothing with other processes."""

    def __init__(self) -> None:
        self._store = MemorySharedStore()

    async def claim(self, key: str, ttl_s: float) -> bool:
        return self._store.claim(key, ttl_s)

    async def put(self, key: str, value: Mapping[str, Any], ttl_s: float) -> None:
        self._store.put(key, value, ttl_s)

    async def get(self, key: str) -> dict[str, Any] | None:
        return self._store.get(key)


# ---- the conversation


@dataclass(slots=True)
class _Talk:
    agent: Agent
    session: ChatSession
    console: Console
    pace: float
    _silences: int = 0
    _reply: int = 0
    _over: bool = False
    _asides: list[tuple[str, str]] = field(default_factory=list)
    """What is shown behind the words of the reply."""

    async def run(self) -> str:
        """Until it is over; who ended it."""
        wording = wording_of(self.agent)
        await self._notice(wording.greeting.text, "greeting", wording.greeting.interruptible)
        while not self._over:
            line = await self.console.ask()
            if line is None or line == "/quit":
                return "caller"
            await self._take(line)
        return "agent"

    async def _take(self, line: str) -> None:
        if line == "/notes":
            self.console.aside("notes", _values(self.session.notes) or "none")
        elif line == "/silence":
            await self._silence()
        elif line.startswith("/keys"):
            await self._answer("", line.removeprefix("/keys").strip().rstrip("#"))
        elif line.startswith("/"):
            self.console.aside("help", "/keys 123#, /silence, /notes, /quit")
        elif line:
            await self._answer(line)

    async def _silence(self) -> None:
        steps = wording_of(self.agent).silence
        if not steps:
            self.console.aside("silence", "the agent keeps silent, too")
            return
        step = steps[min(self._silences, len(steps) - 1)]
        self._silences += 1
        await self._notice(step.say, "silence prompt", True)
        self._over = step.hang_up

    async def _notice(self, text: str, kind: str, interruptible: bool) -> None:
        """Something that the agent says by itself."""
        words = AgentWords()
        items: asyncio.Queue[Said | None | Exception] = asyncio.Queue()
        items.put_nowait(Say(text, interruptible))
        items.put_nowait(None)
        await self._speak(items, words)
        self.session.said(words, kind)

    async def _answer(self, text: str, digits: str = "") -> None:
        self._silences = 0
        self._reply += 1
        notes = self.session.known()
        turn = self.session.turn(text, digits)
        items: asyncio.Queue[Said | None | Exception] = asyncio.Queue()
        words = AgentWords()
        reply = asyncio.create_task(
            run_reply(self.agent, self._reply, turn, notes, items.put_nowait, on_tool=self.console.tool)
        )
        try:
            await self._speak(items, words)
        finally:
            reply.cancel()
            await asyncio.gather(reply, return_exceptions=True)
        self.session.said(words)

    async def _speak(self, items: asyncio.Queue[Said | None | Exception], words: AgentWords) -> None:
        """Show a reply as it comes. Returns at its end, or when a key interrupted it."""
        style, end = SpokenStyle(), False
        self.console.begin()
        with self.console.keys() as interrupted:
            while True:
                said = await _first(items.get(), interrupted)
                if said is _INTERRUPTED:
                    words.interrupted = True
                    break
                if said is None or isinstance(said, Exception):
                    await self._show(words, words.feed(style.finish(), last=True), interrupted, True)
                    if said is not None:
                        self._later("failed", one_line(f"{type(said).__name__}: {said}"))
                    break
                if isinstance(said, str | Say):
                    text = said if isinstance(said, str) else said.text
                    free = isinstance(said, str) or said.interruptible
                    ready = words.feed(style.feed(text), last=False)
                    if not await self._show(words, ready, interrupted, free):
                        break
                else:
                    end = self._act(said) or end
        self.console.finish(words)
        for what, text in self._asides:
            self.console.aside(what, text)
        self._asides.clear()
        self._over = self._over or (end and not words.interrupted)

    async def _show(
        self, words: AgentWords, ready: list[str], interrupted: asyncio.Event, free: bool
    ) -> bool:
        for word in ready:
            if self.pace and await _passed(1 / self.pace, interrupted if free else None):
                words.interrupted = True
                return False
            self.console.word(word)
            words.show(word)
        return True

    def _later(self, what: str, text: str) -> None:
        self._asides.append((what, text))

    def _act(self, said: Said) -> bool:
        """Something other than words; True: the call ends with it."""
        match said:
            case Note():
                self.session.adopt(said.values)
                self._later("note", _values(said.values))
            case Expect():
                self._later("expects", said.kind + (", sensitive" if said.sensitive else ""))
            case Wait():
                self._later("waits", "until the caller speaks again")
            case HangUp():
                self._later("hangs up", "")
                return True
            case Transfer():
                self._later("transfers", said.to)
                return not said.to.startswith(("digits:", "hold:"))
        return False


_INTERRUPTED = Note()


async def _first(
    getting: Coroutine[Any, Any, Said | None | Exception], interrupted: asyncio.Event
) -> Said | None | Exception:
    """What comes first: the next item, or a key."""
    item = asyncio.ensure_future(getting)
    key = asyncio.ensure_future(interrupted.wait())
    try:
        await asyncio.wait((item, key), return_when=asyncio.FIRST_COMPLETED)
        return item.result() if item.done() else _INTERRUPTED
    finally:
        for task in (item, key):
            task.cancel()
        await asyncio.gather(item, key, return_exceptions=True)


async def _passed(seconds: float, interrupted: asyncio.Event | None) -> bool:
    """Wait so long; True as soon as a key was pressed."""
    if interrupted is None:
        await asyncio.sleep(seconds)
        return False
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await interrupted.wait()
            return True
    return False


def _values(values: Any) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _pace(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 100")
    return value
