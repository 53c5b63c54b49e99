"""The strangers of bench/flood.py, part 3: a process of its own, which prints what it saw as JSON.

strangers.py forms|deaf|carriers|keys URL CONNECTIONS SECONDS AUTH_TOKEN
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.load.attack import PARAMETER, start
from bench.load.caller import masked
from bench.load.signing import signed

STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
SHAPED = "A" * 27 + "="
PIPELINED = 40
FRAME_S = 0.02


class Target:
    """Where to, and what was seen of it."""

    def __init__(self, url: str, seconds: float, token: str) -> None:
        parts = urlsplit(url)
        self.url, self.host, self.netloc, self.port = (
            url,
            parts.hostname or "",
            parts.netloc,
            parts.port or 80,
        )
        self.end = time.monotonic() + seconds
        self.token = token
        self.seen: Counter[str] = Counter()

    def head(self, method: str, path: str, **headers: str) -> bytes:
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        return f"{method} {path} HTTP/1.1\r\nHost: {self.netloc}\r\n{lines}\r\n".encode()


async def requests(target: Target, request: bytes) -> None:
    """The same request over and over, each as soon as the last one was answered."""
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        while time.monotonic() < target.end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            found = STATUS.match(head)
            target.seen[found[1].decode() if found else "?"] += 1
            size = re.search(rb"Content-Length: (\d+)", head)
            if size:
                await reader.readexactly(int(size[1]))
    finally:
        writer.close()


async def forms(target: Target) -> None:
    """64 KiB of short names, with a signature that has the shape of one."""
    body = "&".join(f"{number:x}=" for number in range(13_793))[:65_000].rpartition("&")[0].encode()
    head = target.head(
        "POST",
        "/twilio/voice",
        Content_Type="application/x-www-form-urlencoded",
        Content_Length=str(len(body)),
        X_Twilio_Signature=SHAPED,
    )
    await requests(target, head + body)


async def keys(target: Target) -> None:
    """Wrong API keys."""
    await requests(target, target.head("GET", "/api/calls", X_API_Key="wrong-" + "0" * 26))


async def deaf(target: Target) -> None:
    """Asks for the hold music many times in one go, and reads nothing."""
    reader, writer = await asyncio.open_connection(target.host, target.port, limit=1)
    target.seen["opened"] += 1
    try:
        writer.write(target.head("GET", "/twilio/hold.wav") * PIPELINED)
        # The reader's limit is a byte: it stops reading at once, and notices only the end of the connection.
        await asyncio.wait_for(writer.wait_closed(), max(0.1, target.end - time.monotonic()))
    finally:
        writer.close()


async def carriers(target: Target) -> None:
    """A call whose carrier sends its frames and reads nothing of what the agent says."""
    call_sid = f"CAd{target.seen['opened']:031x}"
    target.seen["opened"] += 1
    form = {"CallSid": call_sid, "CallStatus": "ringing", "From": "+15550100"}
    body = urlencode(form).encode()
    kind = "application/x-www-form-urlencoded"
    headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"}
    headers |= signed(target.token, f"{target.url}/twilio/voice", form)
    reader, writer = await asyncio.open_connection(target.host, target.port)
    writer.write(target.head("POST", "/twilio/voice", **headers) + body)
    answer = (await reader.read()).decode()
    writer.close()
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    upgrade |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    upgrade |= signed(target.token, f"ws{target.url.removeprefix('http')}/twilio/media")
    reader, writer = await asyncio.open_connection(target.host, target.port, limit=1)
    begun = time.monotonic()
    try:
        first = json.dumps(start(call_sid, dict(PARAMETER.findall(answer)))).encode()
        writer.write(target.head("GET", "/twilio/media", **upgrade) + masked(1, first))
        number = 0
        while time.monotonic() < target.end:
            number += 1
            media = {"chunk": str(number), "timestamp": str(20 * number), "payload": "/" * 216}
            message = {"event": "media", "sequenceNumber": str(number + 1), "streamSid": "MZ" + call_sid[2:]}
            writer.write(masked(1, json.dumps({**message, "media": {"track": "inbound", **media}}).encode()))
            await writer.drain()
            await asyncio.sleep(FRAME_S)
        target.seen["still there"] += 1
    except OSError:
        target.seen[f"ended after {time.monotonic() - begun:.0f} s"] += 1
    finally:
        writer.close()


KINDS: dict[str, Callable[[Target], Awaitable[None]]] = {
    "forms": forms, "deaf": deaf, "carriers": carriers, "keys": keys
}  # fmt: skip


async def main() -> None:
    kind, url, connections, seconds, token = sys.argv[1:6]
    target = Target(url, float(seconds), token)

    async def one() -> None:
        while time.monotonic() < target.end:
            with contextlib.suppress(OSError, TimeoutError, EOFError, RuntimeError):
                await KINDS[kind](target)
            await asyncio.sleep(0.05)

    tasks = [asyncio.create_task(one()) for _ in range(int(connections))]
    await asyncio.sleep(max(0.0, target.end - time.monotonic() - 0.3))
    await asyncio.wait(tasks, timeout=3.0)
    print(json.dumps({"seen": target.seen}))


if __name__ == "__main__":
    uvloop.run(main())
