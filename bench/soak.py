"""Many short calls, one after another: does anything stay behind?

A real server process, stand-ins for speech, and calls that go as quickly as they can: the caller's audio
comes all at once, the agent answers, the caller hangs up when the answer sounds. Now and then a call asks the
agent, which lives in the server's process, how many tasks and objects there are.

    python bench/soak.py            10,000 calls
    python bench/soak.py --quick    2,100 calls, under two minutes

Exit status 1: memory, tasks, descriptors or objects climb.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import re
import sys
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import aiohttp
import numpy as np
import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from bench.load.process import ServerProcess, our_server  # noqa: E402
from telephony.testing.fake_flux import FakeFlux  # noqa: E402
from telephony.testing.fake_scripts import Cycle  # noqa: E402
from telephony.testing.fake_speak import FakeSpeak  # noqa: E402

AGENT = "bench.load.agent:Census"
WARM_UP = 100  # calls that fill caches and pools
AT_A_TIME = 8
MOST_KIB = 1.0  # that a call may leave behind
CALL_S = 20.0
FRAMES = 80  # 1.6 s: a whole turn of the stand-in's
SILENCE = base64.b64encode(b"\xff" * 160).decode()
COUNTED = re.compile(r"(\d+) tasks, (\d+) objects")
SETTLE_S = 2.0


@dataclass(frozen=True)
class Look:
    """The server after so many calls."""

    calls: int
    rss_kib: float
    descriptors: int
    tasks: int
    objects: int


class Caller:
    """Places calls at a server, and hears what the voice was asked to say."""

    def __init__(self, server: ServerProcess, session: aiohttp.ClientSession, voice: FakeSpeak) -> None:
        self._server = server
        self._session = session
        self._voice = voice

    async def call(self, number: str = "+14155550100") -> None:
        """One call, from the webhook to the status callback."""
        sid = f"CA{uuid.uuid4().hex}"
        form = {"CallSid": sid, "CallStatus": "ringing", "From": number, "To": "+14155550199"}
        async with self._session.post(f"{self._server.url}/twilio/voice", data=form) as response:
            stream = ElementTree.fromstring(await response.text()).find(".//Stream")
        if stream is None:
            raise SystemExit("the server took no call")
        parameters = {p.get("name", ""): p.get("value", "") for p in stream.iter("Parameter")}
        async with self._session.ws_connect(stream.get("url", ""), compress=0) as socket:
            await self._talk(socket, sid, parameters)
        done = {**form, "CallStatus": "completed"}
        async with self._session.post(f"{self._server.url}/twilio/status", data=done) as response:
            await response.read()

    async def _talk(
        self, socket: aiohttp.ClientWebSocketResponse, sid: str, parameters: dict[str, str]
    ) -> None:
        stream_sid = f"MZ{uuid.uuid4().hex}"
        media_format = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {
            "accountSid": "AC" + "0" * 32,
            "callSid": sid,
            "streamSid": stream_sid,
            "tracks": ["inbound"],
        }
        start |= {"customParameters": parameters, "mediaFormat": media_format}  # type: ignore[dict-item]
        await socket.send_json({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        await socket.send_json(
            {"event": "start", "sequenceNumber": "1", "streamSid": stream_sid, "start": start}
        )
        for at in range(FRAMES):
            media = {"track": "inbound", "chunk": str(at + 1), "timestamp": str(at * 20), "payload": SILENCE}
            await socket.send_json(
                {"event": "media", "sequenceNumber": str(at + 2), "streamSid": stream_sid, "media": media}
            )
        async with asyncio.timeout(CALL_S):
            while (await socket.receive_json())["event"] != "media":
                pass
        stop = {"accountSid": "AC" + "0" * 32, "callSid": sid}
        await socket.send_json(
            {"event": "stop", "sequenceNumber": str(FRAMES + 2), "streamSid": stream_sid, "stop": stop}
        )

    async def look(self, calls: int) -> Look:
        """Ask the agent, when all is quiet."""
        await asyncio.sleep(SETTLE_S)
        process = Path(f"/proc/{self._server.process.pid}")
        rss, descriptors = self._server.memory_mb() * 1024, len(list((process / "fd").iterdir()))
        self._voice.sessions.clear()
        await self.call("+14155550111")
        said = " ".join(text for session in self._voice.sessions for text in session.texts)
        self._voice.sessions.clear()
        counted = COUNTED.search(said)
        tasks, objects = (int(counted[1]), int(counted[2])) if counted else (-1, -1)
        return Look(calls, rss, descriptors, tasks, objects)

    async def soak(self, calls: int) -> AsyncIterator[Look]:
        """So many calls, with a look after each tenth of them."""
        placed = 0
        for target in [WARM_UP, *range(WARM_UP + calls // 10, WARM_UP + calls + 1, calls // 10)]:
            left = iter(range(target - placed))

            async def place(left: object = left) -> None:
                for _ in left:  # type: ignore[attr-defined]
                    await self.call()

            await asyncio.gather(*(place() for _ in range(AT_A_TIME)))
            placed = target
            yield await self.look(placed)


async def run(calls: int) -> bool:
    """Soak a server; whether it stayed as it was."""
    flux = FakeFlux(lambda options: Cycle(texts=("hello there", "hello")), keep_audio=False)
    voice = FakeSpeak(lambda text: 0.3)
    await flux.start(0, voice)
    server = await ServerProcess.start(
        our_server(), flux.url, None, AGENT=AGENT, EAGER="off", MALLOC_ARENA_MAX="2"
    )
    looks: list[Look] = []
    began = time.monotonic()
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            print(" calls  RSS MiB  descriptors  tasks  objects")
            async for look in Caller(server, session, voice).soak(calls):
                flux.sessions.clear()
                looks.append(look)
                print(
                    f"{look.calls:6d} {look.rss_kib / 1024:8.1f} {look.descriptors:12d} {look.tasks:6d}"
                    f" {look.objects:8d}",
                    flush=True,
                )
    finally:
        await server.stop()
        await flux.close()
    slope = float(np.polyfit([look.calls for look in looks], [look.rss_kib for look in looks], 1)[0])
    first, last = looks[0], looks[-1]
    print(f"memory      {slope:+.2f} KiB a call (at most {MOST_KIB:g})")
    print(f"objects     {(last.objects - first.objects) / calls:+.2f} a call")
    print(f"descriptors {first.descriptors} to {last.descriptors}, tasks {first.tasks} to {last.tasks}")
    print(f"{calls} calls after the first {WARM_UP} in {time.monotonic() - began:.0f} s")
    steady = last.descriptors <= first.descriptors + 2 and last.tasks <= first.tasks + 2
    return slope < MOST_KIB and steady and last.objects - first.objects < calls


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2,000 calls after the first 100")
    args = parser.parse_args()
    return 0 if uvloop.run(run(2000 if args.quick else 10_000)) else 1


if __name__ == "__main__":
    sys.exit(main())
