"""A stand-in's life on a local port, alone or together with others on one port as the service is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Self

from aiohttp import web

from telephony.testing.faults import Faults

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeServer:
    """Serves one path. `faults` are used up one a connection; the last one stays."""

    path = "/"

    def __init__(self, faults: Iterable[Faults]) -> None:
        self.url = ""
        self._faults = list(faults)
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0, *others: FakeServer, host: str = "127.0.0.1") -> None:
        """Listen, with others on the same port; `url` is then the service's, without a path."""
        together = (self, *others)
        app = web.Application()
        for one in together:
            app.router.add_get(one.path, one.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        for one in together:
            one.url = f"ws://{host}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop listening, and drop every connection."""
        self.release()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One handshake, and its connection."""
        raise NotImplementedError

    def misbehave(self, *faults: Faults) -> None:
        """These are the faults of the connections from now on, one each; the last one stays."""
        self._faults = list(faults)

    def release(self) -> None:
        """Let every handler end that waits on purpose."""

    async def next_faults(self) -> Faults:
        """The faults of the next connection, its slow handshake over."""
        faults = self._faults.pop(0) if len(self._faults) > 1 else self._faults[0]
        await asyncio.sleep(faults.handshake_delay_s)
        return faults
