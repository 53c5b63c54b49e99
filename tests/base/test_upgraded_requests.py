"""Whatever fails after a websocket's handshake, its peer reads frames and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from telephony.base.upgraded_requests import frames_only, upgrading

FAILURES: dict[str, Callable[[], Exception]] = {
    "a defect": lambda: KeyError("a defect"),
    "a full disk": lambda: OSError(28, "No space left on device"),
    "a refusal": lambda: web.HTTPBadRequest(text="no\n"),
    "a lost peer": lambda: ConnectionResetError(),
}


@pytest.mark.parametrize("why", FAILURES)
async def test_a_handler_that_fails_closes_with_a_frame(why: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        upgrading(request, socket)
        await socket.prepare(request)
        raise FAILURES[why]()

    app = web.Application(middlewares=[frames_only])
    app.router.add_get("/", handler)
    async with TestClient(TestServer(app)) as client, client.ws_connect("/") as socket:
        message = await socket.receive()
        assert message.type is WSMsgType.CLOSE and message.data == 1011
