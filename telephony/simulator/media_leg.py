"""The simulator's media websocket: carries messages between a Phone and the server, by absolute deadlines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

import aiohttp
from aiohttp import WSMsgType

from telephony.simulator.carrier_stream import CarrierStream
from telephony.simulator.phone import Phone

USER_AGENT = "Twilio.TmeWs/1.0"
OUTBOX_MESSAGES = 500
"""Ten seconds of frames that the server did not read."""
CONGESTED = 31930
CLOSE_S = 2.0
HANDSHAKE_S = 10.0


class CallClock:
    """Seconds since the call's first frame. `drift_ppm` above zero: the line's second is longer than ours."""

    def __init__(self, drift_ppm: float = 0.0) -> None:
        self._rate = 1 + drift_ppm * 1e-6
        self._zero: float | None = None

    def start(self) -> None:
        """The first frame begins now; later calls change nothing."""
        if self._zero is None:
            self._zero = asyncio.get_running_loop().time()

    @property
    def started(self) -> bool:
        """Whether there has been a stream yet."""
        return self._zero is not None

    def now(self) -> float:
        """The call's time; 0 before it has begun."""
        return 0.0 if self._zero is None else (asyncio.get_running_loop().time() - self._zero) / self._rate

    def when(self, at: float) -> float:
        """The event loop's time at which the call's time is `at`."""
        return (self._zero or 0.0) + at * self._rate


class End(Enum):
    """How a stream ended."""

    CALLER = "the caller hung up"
    SERVER = "the server closed the socket"
    BROKEN = "the connection broke"
    DROPPED = "the line was cut"


@dataclass(frozen=True, slots=True)
class LegEnd:
    """The end of one stream."""

    end: End
    code: int | None = None
    """The server's close code."""
    reason: str = ""


class MediaLeg:
    """One stream of a call, from `connected` to the close."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, phone: Phone, clock: CallClock) -> None:
        self._socket = socket
        self._phone = phone
        self._clock = clock
        self._outbox: asyncio.Queue[str | None] = asyncio.Queue(OUTBOX_MESSAGES)
        self._woken = asyncio.Event()
        self._congested = False

    async def run(
        self, stream: CarrierStream, parameters: dict[str, str], cut: Callable[[], Awaitable[None]]
    ) -> LegEnd:
        """Until either side ends the stream. `cut` breaks the connection without a closing handshake."""
        self._clock.start()
        for text in self._phone.connect(self._clock.now(), stream, parameters):
            self._put(text)
        reading = asyncio.create_task(self._read())
        writing = asyncio.create_task(self._write())
        pacing = asyncio.create_task(self._pace())
        try:
            await asyncio.wait((reading, pacing), return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                return reading.result()
            if self._phone.dropped:
                await cut()
                return LegEnd(End.DROPPED)
            await self._hang_up(writing)
            return LegEnd(End.CALLER)
        except asyncio.CancelledError:  # REST has other plans for the call: its stream is stopped
            await self._hang_up(writing)
            raise
        finally:
            self._phone.disconnect(self._clock.now())
            for task in (reading, writing, pacing):
                task.cancel()
            await asyncio.gather(reading, writing, pacing, return_exceptions=True)

    async def _pace(self) -> None:
        """Send what is due, when it is due; returns when the caller hangs up."""
        while True:
            self._pump()
            if self._phone.hung_up:
                return
            self._woken.clear()
            try:
                async with asyncio.timeout_at(self._clock.when(self._phone.next_deadline())):
                    await self._woken.wait()
            except TimeoutError:
                pass

    def _pump(self) -> None:
        for text in self._phone.step(self._clock.now()):
            self._put(text)

    def _put(self, text: str) -> None:
        try:
            self._outbox.put_nowait(text)
        except asyncio.QueueFull:
            if not self._congested:  # Twilio warns once a stream
                self._congested = True
                self._phone.flag(self._clock.now(), CONGESTED, "the server does not read: sound is dropped")

    async def _read(self) -> LegEnd:
        while True:
            message = await self._socket.receive()
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._phone.receive(self._clock.now(), message.data)
                self._woken.set()
            else:
                return self._closed()

    def _closed(self) -> LegEnd:
        code = self._socket.close_code
        # 1006 is never sent: the connection ended without a closing handshake (RFC 6455, 7.1.5).
        broken = code in (None, 1006) or self._socket.exception() is not None
        return LegEnd(End.BROKEN if broken else End.SERVER, code)

    async def _write(self) -> None:
        while (text := await self._outbox.get()) is not None:
            try:
                await self._socket.send_str(text)
            except (ConnectionError, RuntimeError):  # closing: the reader learns why and how
                return

    async def _hang_up(self, writing: asyncio.Task[None]) -> None:
        text = self._phone.stop()
        if text is not None:
            self._put(text)
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._outbox.put(None)
                await writing
                await self._socket.close()
        except TimeoutError:
            return


async def open_socket(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str]
) -> aiohttp.ClientWebSocketResponse:
    """Shake hands as Twilio does: no Origin, no subprotocol, no deflate.

    Raises aiohttp.ClientError or TimeoutError.
    """
    async with asyncio.timeout(HANDSHAKE_S):
        return await session.ws_connect(
            url,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **headers},
            compress=0,
            max_msg_size=0,
            autoclose=True,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
        )
