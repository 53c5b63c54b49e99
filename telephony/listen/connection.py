"""One call's connection to Flux, over as many sockets as it takes.

It never blocks the caller's audio, notices a dead peer within seconds, and comes back with the audio that was
not settled, on the caller's clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING, Protocol

import aiohttp

from telephony.base.tasks import guarded
from telephony.deepgram import flux_codec
from telephony.deepgram.breaker import PROBE_S, Breaker
from telephony.deepgram.health import Health, describe_end
from telephony.deepgram.retry import FINAL_STATUSES, STEADY_S, connect_s, pause_s
from telephony.deepgram.transport import HandshakeRefused, SpeechSocket, connected
from telephony.errors import SocketLost
from telephony.listen.client import ListenCounts
from telephony.listen.configure_queue import ACK_S, ConfigureQueue
from telephony.listen.events import ListenEvent, SttConnected, SttDisconnected
from telephony.listen.liveness import Liveness
from telephony.listen.replay import ReplayBuffer

if TYPE_CHECKING:
    from deepgram.listen.v2.socket_client import AsyncV2SocketClient

log = logging.getLogger(__name__)

KEPT_S = 10.0
"""Of audio that is not settled; what is older is dropped."""
QUIET_S = 1.2
"""Kept of audio in which nothing was heard: StartOfTurn comes 0.6 s after the onset in recorded sessions."""
AHEAD_S = 1.0
"""How far a TurnInfo may be ahead of the audio that was sent: Flux rounds to blocks of its own."""
CLOSE_S = 1.0
MAX_ERRORS = 3
TOO_MANY = 429  # the service is there, and busy
ERRORS_WITHIN_S = 10.0

_BYTES_PER_SAMPLE = {"linear16": 2, "mulaw": 1}


class FluxPeer(Protocol):
    """What a connection needs of the process's Flux client."""

    health: Health
    connect_s: tuple[float, ...]
    """Deadlines of successive handshakes, seconds."""
    hedge_s: float | None
    breaker: Breaker

    @property
    def session(self) -> aiohttp.ClientSession:
        """The HTTP session of all connections."""

    def connect(self, options: flux_codec.FluxOptions, /) -> AbstractAsyncContextManager[AsyncV2SocketClient]:
        """The SDK's connection, not yet made."""

    def watch(self, connection: FluxConnection, /) -> None:
        """Call the connection's `check` four times a second."""

    def unwatch(self, connection: FluxConnection, /) -> None:
        """No more of it."""


class FluxConnection:
    """One call's listening, over as many sockets as it takes."""

    def __init__(
        self, client: FluxPeer, options: flux_codec.FluxOptions, on_event: Callable[[ListenEvent], None]
    ) -> None:
        self.counts = ListenCounts()
        self._client = client
        self._options = options
        self._on_event = on_event
        width = _BYTES_PER_SAMPLE[options.encoding or "linear16"]
        self._rate = (options.sample_rate or 16000) * width
        self._audio = ReplayBuffer(int(KEPT_S * self._rate))
        self._controls: deque[tuple[int, flux_codec.ClientMessage]] = deque()
        self._configure = ConfigureQueue()
        self._owed: flux_codec.ConfigureSuccess | None = None
        """The answer to Configures that became part of a handshake."""
        self._wake = asyncio.Event()
        self._idle = False
        """The sender task waits, and nothing waits for it: audio may be written without it."""
        self._over = asyncio.Event()
        self._finished = asyncio.Event()
        self._socket: SpeechSocket | None = None
        self._base = 0
        self._up = False
        self._answered = False  # on the newest connection
        self._told_down = False
        self._closing = False
        self._errors: deque[float] = deque(maxlen=MAX_ERRORS)
        self._liveness = Liveness(self._rate)
        self._running: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        """The service has answered on the current connection."""
        return self._up

    @property
    def dropped_s(self) -> float:
        """Seconds of audio that were too old to be sent when a connection came."""
        return self._audio.dropped / self._rate

    def send_audio(self, chunk: bytes) -> None:
        """Give the next audio, in the encoding of the options. Never waits; the last 10 s are kept."""
        if self._closing or not chunk:
            return
        # Waking the sender's task costs more than the sending.
        if self._idle and self._socket is not None and self._socket.send_now(chunk):
            self._audio.append_sent(chunk)
            return
        if self._audio.append(chunk):
            self.reopen(f"it is {KEPT_S:g} s behind")
        self._wake_sender()

    def send(self, message: flux_codec.Configure | flux_codec.ForceEndTurn) -> None:
        """Send after the audio given so far. One Configure waits for its answer at a time; the last wins."""
        if self._closing:
            return
        if isinstance(message, flux_codec.Configure):
            self._configure.put(message)
            self._next_configure()
        else:
            self._put(message)

    def reopen(self, reason: str) -> None:
        """Give the current socket up; a new one hears again what was not settled."""
        if self._socket is not None and not self._closing:
            self._socket.abort(reason)

    def start(self) -> None:
        """Connect now, in a task of its own; `run` waits for its end."""
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="listening")

    async def run(self) -> None:
        """Stay connected until `close()`, or until the service refuses for good; cancelling ends it."""
        self.start()
        assert self._running is not None
        try:
            await self._running
        finally:
            self._running = None  # a task that was cancelled knows us by its traceback

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        attempt = 0
        try:
            while await self._may_try():
                began = loop.time()
                down = await self._connect_once(attempt)
                if self._closing:
                    return
                self._fell(down, loop.time())
                if not down.retry:
                    return
                attempt = 0 if loop.time() - began > STEADY_S else attempt + 1
                pause = pause_s(max(attempt - 1, 0))
                await self._pause(pause if down.status == TOO_MANY else min(pause, PROBE_S))
        finally:
            self._over.set()
            self._finished.set()

    async def _may_try(self) -> bool:
        """Wait until a handshake may be tried. False: the call is over."""
        loop = asyncio.get_running_loop()
        while not self._closing:
            if not (wait := self._client.breaker.wait_s(loop.time())):
                return True
            if not self._told_down:  # a call that begins now must know that it is not heard
                self._told_down = True
                self._on_event(SttDisconnected("the service is down for all calls, which take turns to try"))
            await self._pause(wait)
        return False

    def _fell(self, down: SttDisconnected, now: float) -> None:
        self._client.health.failed(describe_end(down.status), now)
        if not self._answered and down.retry and down.status != TOO_MANY:
            self._client.breaker.failed(now)
        self._told_down = True
        self._on_event(down)

    async def close(self) -> None:
        """The call is over: CloseStream, and the socket is gone within about a second."""
        if self._closing:
            return
        self._closing = True
        self._over.set()
        if self._up:
            self._put(flux_codec.CloseStream())
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._finished.wait()
        if self._socket is not None:
            self._socket.abort("the call is over")
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._finished.wait()

    def check(self, now: float) -> None:
        """Look for a dead peer and for a Configure without an answer; called four times a second."""
        if self._socket is None or self._closing:
            return
        trouble = self._liveness.trouble(self._audio.next, now)
        if trouble:
            self._socket.abort(trouble)
        elif self._configure.overdue(now):
            self._settle_configure(flux_codec.ConfigureFailure("NO_ANSWER", f"no answer in {ACK_S:g} s"))

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()

    async def _connect_once(self, attempt: int) -> SttDisconnected:
        """One socket from its handshake to its end, and how it ended."""
        options = self._adopt_configure()
        self._base = self._audio.rewind()
        self._answered = False
        self._client.watch(self)
        try:
            async with connected(
                lambda: self._client.connect(options),
                self._client.session,
                connect_s=connect_s(attempt, self._client.connect_s),
                text_as_bytes=True,
                # beside a service that is in trouble a second handshake would make the trouble worse
                hedge_s=None if self._client.breaker.failures else self._client.hedge_s,
                on_socket=self._opened,
            ) as (connection, socket):
                self.counts.connections += 1
                retry = await self._serve(connection)
                self.counts.lost += not self._closing
                return SttDisconnected(socket.ended or "over", retry=retry)
        except HandshakeRefused as refused:
            self.counts.failures += 1
            return SttDisconnected(
                str(refused), refused.status, refused.dg_error, refused.status not in FINAL_STATUSES
            )
        except SocketLost as lost:
            self.counts.failures += 1
            return SttDisconnected(str(lost))
        finally:
            self._client.unwatch(self)
            self._socket, self._up = None, False

    def _opened(self, socket: SpeechSocket) -> None:
        self._socket = socket
        self._liveness.connected(self._base, asyncio.get_running_loop().time())

    async def _serve(self, connection: AsyncV2SocketClient) -> bool:
        """Send and receive until the socket is over. Returns whether another one is worth trying."""
        assert self._socket is not None
        self._liveness.connected(self._base, asyncio.get_running_loop().time())
        sender = asyncio.create_task(self._send_all(connection))
        retry = True
        try:
            # The SDK hands bytes through as they are. Our codec parses them at a sixth of its models' cost.
            async for text in connection:
                retry = self._take(text) and retry
        finally:
            sender.cancel()
            (ended,) = await asyncio.gather(sender, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended
        return retry

    async def _send_all(self, connection: AsyncV2SocketClient) -> None:
        """What was given, in its order, each as soon as the socket takes it."""
        loop = asyncio.get_running_loop()
        assert self._socket is not None
        try:
            while True:
                self._liveness.sending(loop.time())
                if self._controls and self._controls[0][0] <= self._audio.next:
                    await self._send_control(connection, self._controls.popleft()[1])
                elif (chunk := self._audio.take()) is not None:
                    await connection.send_media(chunk)
                else:
                    self._liveness.sending(None)
                    self._wake.clear()
                    self._idle = True
                    await self._wake.wait()
        except SocketLost:
            pass  # the reader sees it too
        finally:
            self._idle = False
            self._socket.abort("its sender ended")

    def _wake_sender(self) -> None:
        self._idle = False
        self._wake.set()

    async def _send_control(self, connection: AsyncV2SocketClient, message: flux_codec.ClientMessage) -> None:
        match message:
            case flux_codec.Configure():
                self._configure.sent(asyncio.get_running_loop().time())
                await connection.send_configure(flux_codec.configure_fields(message))
            case flux_codec.ForceEndTurn():
                await connection.send_force_end_turn()
            case flux_codec.CloseStream():
                await connection.send_close_stream()

    def _take(self, text: str | bytes) -> bool:
        """Receive a message. Whatever one holds, it costs no more than itself: the call goes on."""
        return guarded(self._defect, self._receive_text, text)

    def _receive_text(self, text: str | bytes) -> bool:
        return self._receive(flux_codec.decode_server(text))

    def _defect(self, error: Exception) -> bool:
        self.counts.defects += 1
        if self.counts.defects == 1:
            log.error("a message of Flux could not be handled; the call goes on", exc_info=error)
        else:
            log.error("again a message of Flux could not be handled: %s", type(error).__name__)
        return True

    def _receive(self, message: flux_codec.ServerMessage) -> bool:
        """Act on a message and hand it on. False: no further connection would fare better."""
        if not self._up:
            self._up = self._answered = True
            self._told_down = False
            self._client.breaker.worked()
            self._client.health.worked(asyncio.get_running_loop().time())
            self._on_event(SttConnected(self.counts.connections, self._base / self._rate))
            if self._owed is not None:
                owed, self._owed = self._owed, None
                self._on_event(owed)
        retry = True
        match message:
            case flux_codec.TurnInfo():
                if not self._settle(message):
                    self.counts.unknown += 1
                    log.debug("Flux has heard more than it was sent")
                    return True
            case flux_codec.ConfigureSuccess() | flux_codec.ConfigureFailure():
                if self._configure.on_its_way:
                    self._liveness.answered(asyncio.get_running_loop().time())
                self._settle_configure(message)
                return True
            case flux_codec.FatalError(code):
                log.warning("Flux ended the stream: %s %s", code, message.description)
                retry = self._survives(code)
            case flux_codec.Warning(code):
                log.info("Flux warns: %s %s", code, message.description)
            case flux_codec.Unknown(kind, reason):
                self.counts.unknown += 1
                log.debug("Flux sent %r: %s", kind, reason)
        self._on_event(message)
        return retry

    def _settle(self, info: flux_codec.TurnInfo) -> bool:
        """Note how far it has heard. False: further than there is audio, so it cannot be believed."""
        heard = self._base + int(info.audio_window_end * self._rate)
        if heard > self._audio.next + int(AHEAD_S * self._rate):
            return False
        self._liveness.heard(heard, asyncio.get_running_loop().time())
        if info.event == flux_codec.END_OF_TURN:
            self._audio.settle(heard)
        elif not info.transcript:
            # Nothing was heard since the last turn's end; what may be the start of a word is kept.
            self._audio.settle(heard - int(QUIET_S * self._rate))
        return True

    def _survives(self, code: str) -> bool:
        now = asyncio.get_running_loop().time()
        self._errors.append(now)
        if code == flux_codec.UNPARSABLE:
            # what it could not read must not be said again: a ForceEndTurn to an older build, most likely
            self._configure.forget()
        return len(self._errors) < MAX_ERRORS or now - self._errors[0] > ERRORS_WITHIN_S

    def _put(self, message: flux_codec.ClientMessage) -> None:
        self._controls.append((self._audio.end, message))
        self._wake_sender()

    def _next_configure(self) -> None:
        message = self._configure.next()
        if message is not None:
            self._put(message)

    def _settle_configure(self, answer: flux_codec.ConfigureSuccess | flux_codec.ConfigureFailure) -> None:
        self._configure.answered(isinstance(answer, flux_codec.ConfigureSuccess))
        self._on_event(answer)
        self._next_configure()

    def _adopt_configure(self) -> flux_codec.FluxOptions:
        """The options of the next handshake: what was configured since the first one is part of them."""
        kept = [entry for entry in self._controls if not isinstance(entry[1], flux_codec.Configure)]
        self._controls = deque(kept)
        try:
            options = self._options.configured(self._configure.everything())
        except flux_codec.BadFluxOptions as bad:
            self._configure.forget()
            self._on_event(flux_codec.ConfigureFailure(bad.problems[0].code, str(bad)))
            return self._options.configured(self._configure.active)
        if self._configure.unanswered:
            self._configure.adopt()
            self._owed = flux_codec.ConfigureSuccess(
                options.eot,
                options.eager_eot_threshold,
                options.timeout_ms,
                options.keyterms,
                options.language_hints or None,
                bool(options.numerals),
                bool(options.profanity_filter),
            )
        return options
