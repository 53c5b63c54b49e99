"""The whole server in the test's own process, with stand-ins for speech, and pretend calls to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from telephony.config.settings import Settings
from telephony.deepgram import flux_codec
from telephony.deepgram.flux_messages import Word
from telephony.listen.deepgram import FluxClient
from telephony.server.answering import RoutedAnswers
from telephony.server.app import make_app
from telephony.server.assembly import open_state
from telephony.server.state import CallRecords, ServerState
from telephony.simulator.call_options import CallOptions
from telephony.simulator.call_report import CallResult
from telephony.simulator.caller import RecordingCaller
from telephony.simulator.simulator import place_call
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_scripts import Cycle, FakeScript
from telephony.testing.fake_speak import FakeSpeak
from telephony.testing.faults import NONE, Faults
from tests.pacing import until
from tests.twilio_side import AUTH_TOKEN, PUBLIC_URL

SILENCE = b"\xff"
CALL_S = 25.0
STEP_S = 0.25
HERE = "+14155550100"


@dataclass
class Running:
    """A public server, and calls to it."""

    state: ServerState
    url: str
    records: CallRecords
    flux: FakeFlux
    voice: FakeSpeak

    @property
    def answers(self) -> RoutedAnswers:
        """What answers its calls."""
        assert isinstance(self.state.answer, RoutedAnswers)
        return self.state.answer

    @property
    def listening(self) -> FluxClient:
        """What its calls listen through."""
        listen = self.answers.resources_for({}).listen
        assert isinstance(listen, FluxClient)
        return listen

    async def call(self, seconds: float = CALL_S, **options: Any) -> CallResult:
        """A caller who listens for a while; what the stand-in hears does not depend on it."""
        caller = RecordingCaller(SILENCE * int(seconds * 8000), hang_up_after_s=0.5)
        given = CallOptions(server=self.url, auth_token=AUTH_TOKEN, public_url=PUBLIC_URL, api_key="key-one")
        return await place_call(caller, replace(given, **options))


@asynccontextmanager
async def running(
    folder: Path,
    faults: Faults = NONE,
    script: Callable[[], FakeScript] = lambda: Cycle(texts=("hello", "hello")),
    length_s: Callable[[str], float] = lambda text: 0.3,
    /,
    **environ: str,
) -> AsyncIterator[Running]:
    """`faults` are listening's and the voice's both; `script` is what is heard, `length_s` how long said."""
    async with AsyncExitStack() as stack:
        flux_codec = FakeFlux(lambda options: script(), (faults,))
        voice = FakeSpeak(length_s, (faults,))
        await flux_codec.start(0, voice)
        stack.push_async_callback(flux_codec.close)
        given = {"TWILIO_AUTH_TOKEN": AUTH_TOKEN, "PUBLIC_URL": PUBLIC_URL, "API_KEYS": "key-one"}
        given |= {"DATA_DIR": str(folder), "DEEPGRAM_URL": flux_codec.url, "EAGER": "off", "DIAL_FROM": HERE}
        state, records = await open_state(Settings.load({**given, **environ}), stack)
        runner = web.AppRunner(make_app(state, records), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield Running(state, f"http://127.0.0.1:{runner.addresses[0][1]}", records, flux_codec, voice)


async def until_turns(server: Running, count: int) -> None:
    """The running call has so many turns, the agent's greeting among them."""
    await _until_turns(server, lambda turns: len(turns) >= count)


async def until_heard(server: Running, text: str) -> None:
    """The running call's caller has heard this to its end, and it was all that was said in that turn."""

    def has_heard(turns: list[dict[str, Any]]) -> bool:
        return any(turn["agent"] and turn["agent"]["heard"] == text for turn in turns)

    await _until_turns(server, has_heard)


async def _until_turns(server: Running, enough: Callable[[list[dict[str, Any]]], bool]) -> None:
    await until(lambda: bool(server.state.streams.sockets))
    call_sid = next(iter(server.state.streams.sockets.values()))

    def so() -> bool:
        record = server.records.snapshot(call_sid)
        return record is not None and enough(record["turns"])

    await until(so, 20)


def verbs(result: CallResult) -> list[str]:
    return [verb["verb"] for verb in result.verbs]


def said(result: CallResult) -> str:
    """What the agent said in the call's last stream."""
    turns = (result.record or {}).get("turns", [])
    return " ".join(turn["agent"]["text"] for turn in turns if turn.get("agent"))


class Lines:
    """A caller's turns at their times, each of 0.75 s; a message each 0.25 s, as Flux sends them."""

    def __init__(self, said: Sequence[tuple[float, str]]) -> None:
        self._steps: dict[int, tuple[str, str]] = {}
        for at, text in said:
            first = round(at / STEP_S)
            self._steps[first] = ("StartOfTurn", " ".join(text.split()[:2]))
            self._steps[first + 1] = ("Update", text)
            self._steps[first + 2] = ("EagerEndOfTurn", text)
            self._steps[first + 3] = ("EndOfTurn", text)
        self._next = 1
        self._turn = 0
        self._window_start = 0.0

    def due(self, audio_s: float) -> Iterable[flux_codec.TurnInfo]:
        while self._next * STEP_S <= audio_s:
            yield self._message(*self._steps.get(self._next, ("Update", "")))
            self._next += 1

    def _message(self, event: str, text: str) -> flux_codec.TurnInfo:
        at, ended = self._next * STEP_S, event == "EndOfTurn"
        words = tuple([Word(word, 0.9, at - 0.3, at - 0.1) for word in text.split()])
        trigger = "model" if ended else None
        info = flux_codec.TurnInfo(event, self._turn, text, words, 0.9, self._window_start, at, trigger, 0)
        if ended:
            self._turn, self._window_start = self._turn + 1, at
        return info

    def force(self, audio_s: float) -> flux_codec.TurnInfo | None:
        return None


class KeyingCaller(RecordingCaller):
    """Presses keys at their times, and listens."""

    def __init__(self, seconds: float, pressed: Sequence[tuple[float, str]]) -> None:
        super().__init__(SILENCE * int(seconds * 8000), hang_up_after_s=0.1)
        self._pressed = [
            (at + 0.05 * number, key) for at, entry in pressed for number, key in enumerate(entry + "#")
        ]

    def keys(self, now: float) -> str:
        due = [key for at, key in self._pressed if at <= now]
        self._pressed = self._pressed[len(due) :]
        return "".join(due)
