"""What the tests of the engine share: a server on a free port, a client of the wire, and sound."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestServer

from telephony.base import json_codec
from telephony.deepgram.flux_codec import Checker, ServerMessage, TurnInfo, decode_client, decode_server

BLOCK = 1280
"""Bytes of 80 ms, linear16 at 8000 Hz."""
QUERY = "model=flux-general-en&encoding=linear16&sample_rate=8000"


def silence(blocks: int) -> bytes:
    return bytes(BLOCK * blocks)


def noise(blocks: int, seed: int = 1) -> bytes:
    """Loud enough for speech."""
    generator = random.Random(seed)
    return b"".join(
        generator.randint(-6000, 6000).to_bytes(2, "little", signed=True) for _ in range(BLOCK // 2 * blocks)
    )


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[TestServer]:
    """The application on 127.0.0.1, at a free port."""
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    try:
        yield server
    finally:
        await server.close()


@dataclass
class FluxClient:
    """A client that holds the server to its guarantees."""

    ws: ClientWebSocketResponse
    checker: Checker
    messages: list[ServerMessage] = field(default_factory=list)
    close_code: int | None = None
    close_data: object = None

    async def audio(self, linear16: bytes, chunk: int = BLOCK) -> None:
        for at in range(0, len(linear16), chunk):
            await self.ws.send_bytes(linear16[at : at + chunk])

    async def say(self, text: str) -> None:
        try:
            self.checker.sent(decode_client(text))
        except Exception as error:
            assert type(error).__name__ == "FluxProtocolError"
        await self.ws.send_str(text)

    async def next(self) -> ServerMessage | None:
        """The next message, None at the end of the stream."""
        message = await self.ws.receive(20)
        if message.type is not WSMsgType.TEXT:
            self.close_code, self.close_data = self.ws.close_code, message.data
            return None
        decoded = decode_server(message.data)
        self.messages.append(decoded)
        assert self.checker.receive(decoded) == []
        return decoded

    async def until(self, event: str) -> TurnInfo:
        """Reads until a TurnInfo of that kind comes."""
        while message := await self.next():
            if isinstance(message, TurnInfo) and message.event == event:
                return message
        raise AssertionError(f"the stream ended without {event}: {self.messages}")

    async def rest(self) -> list[ServerMessage]:
        """Everything to the end of the stream."""
        start = len(self.messages)
        while await self.next():
            pass
        return self.messages[start:]

    async def close_stream(self) -> list[ServerMessage]:
        await self.say('{"type":"CloseStream"}')
        return await self.rest()


@asynccontextmanager
async def listening(
    server: TestServer, query: str = QUERY, eager: bool | None = None
) -> AsyncIterator[FluxClient]:
    async with (
        ClientSession() as session,
        session.ws_connect(server.make_url(f"/v2/listen?{query}"), autoping=True) as ws,
    ):
        yield FluxClient(ws, Checker(eager=eager))


def events(messages: list[ServerMessage]) -> list[str]:
    """The names, without the Updates."""
    names = [m.event if isinstance(m, TurnInfo) else type(m).__name__ for m in messages]
    return [name for name in names if name != "Update"]


async def refused(server: TestServer, path: str) -> tuple[int, str, dict[str, Any]]:
    """Status, dg-error and body of a refused handshake."""
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    async with ClientSession() as session, session.get(server.make_url(path), headers=headers) as response:
        assert response.headers["dg-request-id"]
        return response.status, response.headers["dg-error"], json_codec.loads(await response.read())


async def gather_all(*awaitables: Any) -> list[Any]:
    return list(await asyncio.gather(*awaitables))
