"""The floor: a bare loop that only forwards. No SDK, no state, no record: what any such server must do.

uvloop, orjson, strict base64, audioop, ratecv, 80 ms groups, one aiohttp client socket a call without
deflate, 100 ms outbound pieces. On EndOfTurn it plays 2 s that lie ready, on StartOfTurn it clears.

    PORT=8080 DEEPGRAM_URL=ws://127.0.0.1:9090 python bench/load/floor.py
"""

from __future__ import annotations

import asyncio
import audioop
import binascii
import os
from contextlib import suppress
from typing import Any

import aiohttp
import orjson
import uvloop
from aiohttp import WSMsgType, web

PIECE = 800
LEAD_S = 0.25
TICK_S = 0.02
REPLY = bytes(range(0x20, 0x70)) * 200
QUERY = "model=flux-general-en&encoding=linear16&sample_rate=16000"
SESSION = web.AppKey("session", aiohttp.ClientSession)


class FloorCall:
    """One call."""

    def __init__(self, twilio: web.WebSocketResponse, listen: aiohttp.ClientWebSocketResponse) -> None:
        self.twilio = twilio
        self.listen = listen
        self.sid = ""
        self.reply_at = -1
        self.play_end = 0.0

    async def inbound(self) -> None:
        """Frames in, 80 ms groups out."""
        group: list[bytes] = []
        state: Any = None
        async for message in self.twilio:
            fields = orjson.loads(message.data)
            if fields["event"] == "media":
                group.append(binascii.a2b_base64(fields["media"]["payload"], strict_mode=True))
                if len(group) == 4:
                    linear = audioop.ulaw2lin(b"".join(group), 2)
                    group.clear()
                    linear, state = audioop.ratecv(linear, 2, 1, 8000, 16000, state)
                    await self.listen.send_bytes(linear)
            elif fields["event"] == "start":
                self.sid = fields["streamSid"]
            elif fields["event"] == "stop":
                break
        await self.listen.close()

    async def turns(self) -> None:
        """What Flux says."""
        async for message in self.listen:
            if message.type is not WSMsgType.TEXT:
                continue
            event = orjson.loads(message.data).get("event")
            if event == "EndOfTurn":
                self.reply_at, self.play_end = 0, asyncio.get_running_loop().time()
                await self.pieces(self.play_end)
            elif event == "StartOfTurn" and self.play_end > asyncio.get_running_loop().time():
                self.reply_at = -1
                await self.twilio.send_str(orjson.dumps({"event": "clear", "streamSid": self.sid}).decode())

    async def pieces(self, now: float) -> None:
        """Keep the caller 250 ms ahead."""
        while 0 <= self.reply_at < len(REPLY) and self.play_end - now < LEAD_S:
            piece = REPLY[self.reply_at : self.reply_at + PIECE]
            self.reply_at += PIECE
            self.play_end += len(piece) / 8000
            payload = binascii.b2a_base64(piece, newline=False).decode()
            text = orjson.dumps({"event": "media", "streamSid": self.sid, "media": {"payload": payload}})
            await self.twilio.send_str(text.decode())


CALLS: set[FloorCall] = set()


async def media(request: web.Request) -> web.WebSocketResponse:
    """A call from its first to its last message."""
    twilio = web.WebSocketResponse(compress=False)
    await twilio.prepare(request)
    url = f"{os.environ['DEEPGRAM_URL']}/v2/listen?{QUERY}"
    async with request.app[SESSION].ws_connect(url, compress=0) as listen:
        call = FloorCall(twilio, listen)
        CALLS.add(call)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(call.inbound())
            tasks.create_task(call.turns())
        CALLS.discard(call)
    return twilio


async def wheel() -> None:
    """One clock for all calls."""
    loop = asyncio.get_running_loop()
    while True:
        now = loop.time()
        for call in tuple(CALLS):
            if call.reply_at >= 0 and not call.twilio.closed:
                with suppress(ConnectionError):  # it hangs up just now
                    await call.pieces(now)
        await asyncio.sleep(TICK_S)


async def health(request: web.Request) -> web.Response:
    return web.Response(text="ok")


async def serve() -> None:
    app = web.Application()
    app.router.add_get("/twilio/media", media)
    app.router.add_get("/healthz", health)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        app[SESSION] = session
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", int(os.environ["PORT"])).start()
        await wheel()


if __name__ == "__main__":
    uvloop.run(serve())
