"""Calls that a language model answers, all in one process: how soon it answers, and how soon it stops.

Each caller asks, is answered, and interrupts the answer while the model is still at it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import web

from telephony.config.settings import Settings
from telephony.deepgram import flux_codec
from telephony.deepgram.flux_messages import Word
from telephony.server.app import make_app
from telephony.server.assembly import open_state
from telephony.simulator.call_options import CallOptions
from telephony.simulator.caller import RecordingCaller
from telephony.simulator.simulator import place_call
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_script import always
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_speak import FakeSpeak
from telephony.testing.faults import NONE

STEP_S = 0.25
TURN_S = 2.0  # from one question to the next, which interrupts the answer to it
FIRST_S = 2.0
ANSWER = "One moment. " + " ".join(f"Here is sentence number {n} of it." for n in range(12))
PACE_S = 0.02
PHRASE_S = 2 * PACE_S
"""From the model's first token to the one that shows that its first phrase, "One moment.", is complete."""
QUESTION = "tell me more about it please"


@dataclass
class Figures:
    """What was seen of the calls of one plan. Milliseconds."""

    answered: list[float] = field(default_factory=list)
    """From the end of the caller's turn to the first sound of the answer."""
    closed: list[float] = field(default_factory=list)
    """From the caller's first sound over an answer to the model's connection closed."""
    wasted: list[int] = field(default_factory=list)
    """Tokens that the model wrote after that sound."""
    drafts: int = 0
    """Thrown away."""


class Interrupting:
    """What the pretend Flux hears: a question every few seconds, each over the answer before it."""

    def __init__(self, turns: int, eager: bool, began: list[float]) -> None:
        self._steps: dict[int, tuple[str, str]] = {}
        for number in range(turns):
            first = round((FIRST_S + number * TURN_S) / STEP_S)
            ends = "EagerEndOfTurn" if eager else "Update"
            events = ("StartOfTurn", "Update", ends, "EndOfTurn")
            self._steps |= {first + at: (event, QUESTION) for at, event in enumerate(events)}
        self._began = began
        self._next, self._turn, self._window = 1, 0, 0.0

    def due(self, audio_s: float) -> Iterable[flux_codec.TurnInfo]:
        while self._next * STEP_S <= audio_s:
            yield self._message(*self._steps.get(self._next, ("Update", "")))
            self._next += 1

    def _message(self, event: str, text: str) -> flux_codec.TurnInfo:
        at, ended = self._next * STEP_S, event == "EndOfTurn"
        if event == "StartOfTurn":
            self._began.append(time.monotonic())
        words = tuple([Word(word, 0.9, at - 0.3, at - 0.1) for word in text.split()])
        info = flux_codec.TurnInfo(
            event, self._turn, text, words, 0.9, self._window, at, "model" if ended else None, 0
        )
        if ended:
            self._turn, self._window = self._turn + 1, at
        return info

    def force(self, audio_s: float) -> flux_codec.TurnInfo | None:
        return None


async def measure(first_token_s: float, *, eager: bool, calls: int, turns: int) -> Figures:
    """Place calls beside each other, and see."""
    figures, began = Figures(), [[] for _ in range(calls)]  # type: tuple[Figures, list[list[float]]]
    async with FakeChat(always(ANSWER), first_token_s=first_token_s, pace_s=PACE_S) as model:
        async with server(model, turns, eager, began) as url:
            caller = [
                RecordingCaller(b"\xff" * int((FIRST_S + turns * TURN_S) * 8000), 0.1) for _ in range(calls)
            ]
            options = CallOptions(server=url)
            results = await asyncio.gather(*(place_call(one, options) for one in caller))
        for result in results:
            _answers(figures, (result.record or {}).get("turns", ()))
        starts = sorted(at for one in began for at in one)
        for asked in model.asked:
            if asked.closed_at is None:
                continue
            before = [at for at in starts if asked.at < at <= asked.closed_at]
            if before and (closed := asked.closed_at - before[-1]) < STEP_S:
                figures.closed.append(closed * 1000)
                figures.wasted.append(asked.written_after(before[-1]))
    return figures


def _answers(figures: Figures, turns: Iterable[dict[str, Any]]) -> None:
    for turn in turns:
        parts = turn.get("latency_ms")
        if parts:
            figures.answered.append(parts["think"] + parts["speak"] + parts["pace"])
        figures.drafts += (turn.get("eager") or {}).get("wasted", {}).get("drafts", 0)


@asynccontextmanager
async def server(model: FakeChat, turns: int, eager: bool, began: list[list[float]]) -> AsyncIterator[str]:
    """The address of a server with this model behind it."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
        left = list(began)
        flux = FakeFlux(lambda options: Interrupting(turns, eager, left.pop() if left else []), (NONE,))
        await flux.start(0, FakeSpeak(lambda text: max(0.2, len(text) / 15), (NONE,)))
        stack.push_async_callback(flux.close)
        given = {
            "AGENT": "llm",
            "LLM_URL": model.url,
            "LLM_MODEL": "stand-in",
            "LLM_PROMPT": "You tell stories.",
        }
        given |= {"DATA_DIR": str(folder), "DEEPGRAM_URL": flux.url, "EAGER": "voice" if eager else "off"}
        state, records = await open_state(Settings.load(given), stack)
        runner = web.AppRunner(make_app(state, records), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
