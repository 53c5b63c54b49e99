"""The attacker of bench/flood.py: a process of its own, which prints what it saw as one JSON object."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import uvloop

PARAMETER = re.compile(r'<Parameter name="([^"]*)" value="([^"]*)"')
KEPT_S = 3.0
HANDSHAKE = (
    "GET /twilio/media HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ZERO_MASK = b"\0\0\0\0"


async def flood(url: str, visitors: int) -> dict[str, Any]:
    """Webhooks and sockets, all at once."""
    statuses: Counter[str] = Counter()
    sockets: Counter[str] = Counter()
    decided: list[float] = []
    begun = time.monotonic()

    async def visit(session: aiohttp.ClientSession, number: int) -> bool:
        form = {"CallSid": f"CAf{number:031x}", "CallStatus": "ringing", "From": "+15550100"}
        async with session.post(f"{url}/twilio/voice", data=form) as answer:
            twiml = await answer.text()
            decided.append(time.monotonic() - begun)
        statuses[str(answer.status)] += 1
        parameters = dict(PARAMETER.findall(twiml)) or {"token": "v1.1.x.y"}
        sockets[await stream(session, form["CallSid"], parameters)] += 1
        return "<Connect" in twiml

    async def stream(session: aiohttp.ClientSession, call_sid: str, parameters: dict[str, str]) -> str:
        try:
            async with session.ws_connect(f"{url}/twilio/media") as socket:
                await socket.send_json(start(call_sid, parameters))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(KEPT_S):
                        async for _ in socket:
                            pass
                return f"closed {socket.close_code}" if socket.closed else "open"
        except aiohttp.WSServerHandshakeError as error:
            return str(error.status)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        admitted = sum(await asyncio.gather(*(visit(session, number) for number in range(visitors))))
    busy = visitors - admitted
    return {
        "statuses": statuses, "sockets": sockets, "decided_s": decided, "admitted": admitted, "busy": busy
    }  # fmt: skip


def start(call_sid: str, parameters: dict[str, str]) -> dict[str, Any]:
    """Twilio's `start`."""
    sid = "MZ" + call_sid[2:]
    media = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
    about: dict[str, Any] = {
        "streamSid": sid,
        "accountSid": "AC" + "0" * 32,
        "callSid": call_sid,
        "tracks": ["inbound"],
    }
    about |= {"customParameters": parameters, "mediaFormat": media}
    return {"event": "start", "sequenceNumber": "1", "streamSid": sid, "start": about}


async def noise(url: str, sockets: int, seconds: float) -> dict[str, Any]:
    """Keep so many bad sockets open for a while, opening another for each that is closed."""
    kinds = (silent, half_a_request, slow_body, idle_stream, junk_stream, huge_frame)
    opened: Counter[str] = Counter()
    end = time.monotonic() + seconds

    async def one(number: int) -> None:
        kind = kinds[number % len(kinds)]
        while time.monotonic() < end:
            opened[kind.__name__] += 1
            # RuntimeError: uvloop's word for writing to what the other side has closed
            with contextlib.suppress(OSError, TimeoutError, RuntimeError):
                async with asyncio.timeout(max(0.1, end - time.monotonic())):
                    await _connected(url, kind)
            await asyncio.sleep(0.1)

    await asyncio.gather(*(one(number) for number in range(sockets)))
    return {"opened": opened}


Bad = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]


async def _connected(url: str, kind: Bad) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        await kind(reader, writer, parts.netloc)
        await reader.read()  # until the server has had enough
    finally:
        writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    """Connects, and says nothing."""


async def half_a_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    """A byte of a header a second."""
    for byte in f"POST /twilio/voice HTTP/1.1\r\nHost: {host}\r\nX-Slow: {'x' * 40}":
        writer.write(byte.encode())
        await writer.drain()
        await asyncio.sleep(1)


async def slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    """A form that never ends."""
    head = f"POST /twilio/voice HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5000\r\n\r\nCallSid=CA"
    writer.write(head.encode())


async def idle_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    """A media socket without a start."""
    writer.write(HANDSHAKE.format(host=host).encode())


async def junk_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    """A media socket that sends what is no message, as fast as it may."""
    await idle_stream(reader, writer, host)
    junk = (b'{"event":"media","media":{"payload":"!!!"}}', b"\xff\xfe", b"[" * 100, b'{"event":5}', b"")
    for _ in range(10):
        for text in junk:
            writer.write(bytes([0x81, 0x80 | len(text)]) + ZERO_MASK + text)
        await writer.drain()
        await asyncio.sleep(0.01)


async def huge_frame(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
    """A media socket whose first frame claims 2^63 - 1 bytes."""
    await idle_stream(reader, writer, host)
    writer.write(b"\x81\xff" + (2**63 - 1).to_bytes(8, "big") + ZERO_MASK + b"x" * 1000)


async def main() -> None:
    """attack.py flood|noise URL SOCKETS SECONDS"""
    kind, url, sockets, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    report = await (flood(url, sockets) if kind == "flood" else noise(url, sockets, seconds))
    print(json.dumps(report))


if __name__ == "__main__":
    uvloop.run(main())
