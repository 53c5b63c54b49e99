"""`kill -9` at random moments of scripted calls: does the agent go on with its memory, and from where?

A real server process is killed in mid call and started again at once, behind a load balancer that holds what
comes meanwhile. The pretend carrier asks how the call goes on, as Twilio does when a stream breaks. Each
sentence of the agent is a tone of its own, so that what the caller heard is read from the sound in the
caller's ear, and from nothing that we claim.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from telephony.audio.g711 import linear16_to_ulaw, ulaw_to_linear16  # noqa: E402
from telephony.deepgram import flux_codec  # noqa: E402
from telephony.simulator.call_options import CallOptions  # noqa: E402
from telephony.simulator.call_report import CallResult  # noqa: E402
from telephony.simulator.caller import RecordingCaller  # noqa: E402
from telephony.simulator.simulator import place_call  # noqa: E402
from telephony.speak.aloud import aloud  # noqa: E402
from telephony.testing.fake_flux import FakeFlux  # noqa: E402
from telephony.testing.fake_speak import FakeSpeak  # noqa: E402

TOKEN = "0123456789abcdef0123456789abcdef"
PUBLIC_URL = "https://line.example.com"
KEY = "key-of-the-crash-bench"
SENTENCES = 3  # of each answer
SENTENCE_S = 0.9
TURN_EVERY_S = 5.5  # the caller says something, and an answer of three sentences has time to end
FIRST_TURN_S = (3.5, 5.5)  # of each stream: what was left to say has been said by then
TURN_S, STEP_S = 0.75, 0.25  # its length, and how often Flux tells of it
FIRST_HZ, STEP_HZ = 350, 45
MOST_SENTENCES = 300
NAMED = {aloud(f"number {number}").spoken: number for number in range(MOST_SENTENCES)}
"""The voice is given a sentence as it is read aloud."""
WINDOW_S = 0.05
KILLS_A_CALL = (
    3  # Twilio's resumes of a call within a minute, of which more are a loop (carrier/call_flow.py)
)
SPARE_S = 4.0  # for the process to start, and the call to come back


# ---- what is said


def length_s(text: str) -> float:
    """A sentence's length names it: a millisecond for each."""
    named = re.search(r"number .*?(?=[.,!?]|$)", text)
    return SENTENCE_S + (NAMED[named[0]] / 1000 if named else 0.0)


def sound(seconds: float, rate: int, encoding: str) -> bytes:
    """The tone of the sentence that is so long."""
    hertz = FIRST_HZ + STEP_HZ * round((seconds - SENTENCE_S) * 1000)
    at = np.arange(round(seconds * rate)) / rate
    linear = (8000 * np.sin(2 * np.pi * hertz * at)).astype("<i2").tobytes()
    return linear16_to_ulaw(linear) if encoding == "mulaw" else linear


def heard(ulaw: bytes) -> list[int]:
    """The sentences in the caller's ear, in order; one that was said again is there again."""
    linear = np.frombuffer(ulaw_to_linear16(ulaw), "<i2").astype(float)
    size = round(8000 * WINDOW_S)
    numbers: list[int | None] = []
    for start in range(0, len(linear) - size + 1, size):
        window = linear[start : start + size]
        if np.sqrt(np.mean(window**2)) < 500:
            numbers.append(None)
            continue
        peak = np.argmax(np.abs(np.fft.rfft(window * np.hanning(size)))) * 8000 / size
        numbers.append(round((peak - FIRST_HZ) / STEP_HZ))
    # A window at a change holds two tones: what is heard in two windows in a row was said.
    steady = [a for a, b in pairwise([*numbers, None]) if a == b or a is None]
    ends = [steady[at] for at in range(len(steady)) if at == 0 or steady[at] != steady[at - 1]]
    return [number for number in ends if number is not None]


class Caller:
    """A caller as the stand-in hears one: a turn every few seconds of its audio, for ever."""

    def __init__(self, phase_s: float) -> None:
        self._phase_s = phase_s
        self._at = 0.0
        self._index = 0
        self._open = False

    def due(self, audio_s: float) -> Iterator[flux_codec.TurnInfo]:
        """A message each quarter of a second, as the service sends them."""
        while self._at + STEP_S <= audio_s:
            self._at += STEP_S
            since = (self._at - self._phase_s) % TURN_EVERY_S if self._at >= self._phase_s else TURN_EVERY_S
            kind = flux_codec.UPDATE
            if since < STEP_S:
                kind, self._open = flux_codec.START_OF_TURN, True
            elif self._open and since >= TURN_S:
                kind = flux_codec.END_OF_TURN
            words = (
                (flux_codec.Word("hello", 0.99, self._at - since, self._at - since + 0.3),)
                if self._open
                else ()
            )
            ended = kind == flux_codec.END_OF_TURN
            yield flux_codec.TurnInfo(
                kind, self._index, "hello" if words else "", words, 0.9 if ended else 0.1, 0.0, self._at,
                "model" if ended else None,
            )  # fmt: skip
            if ended:
                self._index, self._open = self._index + 1, False

    def force(self, audio_s: float) -> None:
        """Nobody asks for it here."""


# ---- the server, and what stands before it


@dataclass
class Server:
    """`telephony serve`, which can be killed and started again at the same port."""

    folder: Path
    speech: str
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    """In place of, or beside, those that the bench has."""
    process: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def start(self) -> None:
        """Returns when it is ready."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environ = {
            **kept, "PYTHONPATH": str(ROOT), "DATA_DIR": str(self.folder / "data"), "EAGER": "off",
            "DEEPGRAM_URL": self.speech, "AGENT": "bench.load.counting:Counting", "LOG_LEVEL": "WARNING",
            "TWILIO_AUTH_TOKEN": TOKEN, "PUBLIC_URL": PUBLIC_URL, "API_KEYS": KEY,
            **self.settings,
        }  # fmt: skip
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "telephony", "serve", "--host", "127.0.0.1", "--port", str(self.port)),
            env=environ,
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while b"ready" not in (line := await self.process.stdout.readline()):
                if not line:
                    raise RuntimeError("the server did not start")

    async def kill(self) -> None:
        """`kill -9`."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


class Balancer:
    """What stands before the server: requests wait while nobody is behind it, and are asked again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._running: set[asyncio.Task[None]] = set()

    async def open(self) -> str:
        """Its URL."""
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Drop everything."""
        self._server.close()
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        with contextlib.suppress(OSError, TimeoutError):
            while request := await reader.read(65536):
                if b"Upgrade: websocket" in request:
                    back, front = await self._connect()
                    front.write(request)
                    await asyncio.gather(_copy(reader, front), _copy(back, writer))
                    break
                writer.write(await self._ask(request))
        writer.close()

    async def _ask(self, request: bytes) -> bytes:
        """One request, until it is answered."""
        while True:
            back, front = await self._connect()
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                front.write(request)
                head = await back.readuntil(b"\r\n\r\n")
                length = re.search(rb"Content-Length: (\d+)", head)
                body = await back.readexactly(int(length[1])) if length else b""
                front.close()
                return head + body

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(20):
            while True:
                try:
                    return await asyncio.open_connection("127.0.0.1", self._port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


# ---- calls, and a process that dies under them


@dataclass
class Outcome:
    """What became of some calls whose process was killed now and then."""

    kills: int = 0
    """Calls times deaths."""
    answered: int = 0
    """Sentences that were heard."""
    said_again: int = 0
    """Of them, a second time, in the sentence that a death cut off."""
    broken: list[str] = field(default_factory=list)
    records: dict[str, int] = field(default_factory=dict)
    """How the streams ended, as their records say."""


async def crash(calls: int, kills: int, seed: int) -> Outcome:
    """So many calls at once, under so many deaths of their process at random moments."""
    chance = random.Random(seed)
    outcome = Outcome(kills=calls * kills)
    async with _stand_ins(chance) as speech, _folder() as folder:
        server, balancer = Server(folder, speech, _free_port()), None
        balancer = Balancer(server.port)
        url = await balancer.open()
        try:
            await server.start()
            moments = [chance.uniform(2.0, 12.0) for _ in range(kills)]
            seconds = sum(moments) + kills * SPARE_S + 8.0
            callers = [asyncio.create_task(_call(url, seconds)) for _ in range(calls)]
            for moment in moments:
                await asyncio.sleep(moment)
                await server.kill()
                await server.start()
            for result in await asyncio.gather(*callers):
                _judge(result, kills, outcome)
            _read_records(folder / "data", calls * (kills + 1), outcome)
        finally:
            await server.kill()
            await balancer.close()
    return outcome


async def _call(url: str, seconds: float) -> CallResult:
    caller = RecordingCaller(b"\xff" * int(seconds * 8000), hang_up_after_s=0.5)
    options = CallOptions(server=url, auth_token=TOKEN, public_url=PUBLIC_URL, api_key=KEY)
    return await place_call(caller, options)


def _judge(result: CallResult, kills: int, outcome: Outcome) -> None:
    """After each death the agent goes on: from the sentence that was cut off, or from the one after it."""
    assert result.phone is not None
    numbers = heard(result.phone.playout.window(0, len(result.phone.said)))
    outcome.answered += len(numbers)
    again = 0
    for before, after in pairwise(numbers):
        again += after == before
        if not before <= after <= before + 1:
            outcome.broken.append(f"{result.call_sid}: sentence {before} was followed by {after}: {numbers}")
    outcome.said_again += again
    if again > kills:
        outcome.broken.append(f"{result.call_sid}: {again} sentences were said again: {numbers}")
    if result.ended_by != "caller":
        outcome.broken.append(f"{result.call_sid}: ended by {result.ended_by} {result.why}")


def _read_records(data: Path, streams: int, outcome: Outcome) -> None:
    folders = [path.parent for path in (data / "calls").glob("*/tape.jsonl")]
    for folder in folders:
        try:
            ended_by = str(json.loads((folder / "call.json").read_bytes())["ended_by"])
        except OSError:
            ended_by = "no record"
        outcome.records[ended_by] = outcome.records.get(ended_by, 0) + 1
    if "no record" in outcome.records or len(folders) != streams:
        outcome.broken.append(f"{streams} streams have these records: {outcome.records}")


@contextlib.asynccontextmanager
async def _stand_ins(chance: random.Random) -> AsyncIterator[str]:
    listening = FakeFlux(lambda options: Caller(chance.uniform(*FIRST_TURN_S)))
    await listening.start(0, FakeSpeak(length_s, audio=sound))
    try:
        yield listening.url
    finally:
        await listening.close()


@contextlib.asynccontextmanager
async def _folder() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 moments in place of 51")
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    calls, kills, rounds = (2, 2, 1) if args.quick else (17, KILLS_A_CALL, 1)
    broken = 0
    for number in range(rounds):
        outcome = asyncio.run(crash(calls, kills, args.seed + number))
        print(f"kill -9 in mid call          {outcome.kills}")
        print(f"sentences heard              {outcome.answered}")
        print(f"said again, being cut off    {outcome.said_again}")
        print(f"how the streams' records end {outcome.records}")
        print(f"broken                       {len(outcome.broken)}")
        for line in outcome.broken:
            print("  ", line)
        broken += len(outcome.broken)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
