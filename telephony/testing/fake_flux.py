"""A Flux server at the wire, for tests and benches: what it says depends on how much audio it got.

It answers handshakes and control messages as the service does, and can be told what to do wrong.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace

from aiohttp import WSMsgType, web

from telephony.deepgram import flux_codec
from telephony.testing.fake_scripts import Cycle, FakeScript
from telephony.testing.fake_server import FakeServer
from telephony.testing.faults import NONE, Faults, RefusalFault

log = logging.getLogger(__name__)

JUNK = ('{"type":"Weather","sequence_id":0}', "not JSON at all", '["TurnInfo"]', '{"type":"TurnInfo"}')


class FakeFluxSession:
    """One connection to the stand-in, and what came over it."""

    def __init__(self, options: flux_codec.FluxOptions, script: FakeScript, faults: Faults) -> None:
        self.first_options = options
        self.options = options
        self.script = script
        self.faults = faults
        self.authorization = ""
        """What the client showed."""
        self.received: list[flux_codec.ClientMessage] = []
        """Control messages, in order."""
        self.audio = bytearray()
        """What came, if the stand-in keeps it."""
        self.audio_s = 0.0
        self.request_id = str(uuid.uuid4())
        self.odd_sent = False
        self.rubbish_sent = 0
        self.over = asyncio.Event()
        width = 1 if options.encoding == "mulaw" else 2
        self._rate = (options.sample_rate or 16000) * width
        self._bytes = 0
        self._sequence = 0

    def hear(self, chunk: bytes) -> None:
        """Count a chunk of audio."""
        self._bytes += len(chunk)
        self.audio_s = self._bytes / self._rate

    def number(self, message: flux_codec.ServerMessage) -> str:
        """The message's text, with this connection's next sequence number."""
        if not isinstance(message, flux_codec.FatalError | flux_codec.Unknown):
            message = replace(message, sequence_id=self._sequence, request_id=self.request_id)
        elif isinstance(message, flux_codec.FatalError):
            message = replace(message, sequence_id=self._sequence)
        self._sequence += 1
        return flux_codec.encode_server(message)

    def configure(self, change: flux_codec.Configure) -> flux_codec.ServerMessage:
        """Answer a Configure as the service would."""
        try:
            self.options = self.options.configured(change)
        except flux_codec.BadFluxOptions as bad:
            return flux_codec.ConfigureFailure(bad.problems[0].code, str(bad))
        o = self.options
        return flux_codec.ConfigureSuccess(
            o.eot, o.eager_eot_threshold, o.timeout_ms, o.keyterms, o.language_hints or None, bool(o.numerals)
        )


class FakeFlux(FakeServer):
    """Serves `/v2/listen`.

    `script` makes what a connection hears; `faults` are used up one a connection; the last one stays.
    `on_sent(session, message, now)` and `on_audio(session, chunk, now)` see every TurnInfo and every chunk.
    """

    path = "/v2/listen"

    def __init__(
        self,
        script: Callable[[flux_codec.FluxOptions], FakeScript] = lambda options: Cycle(),
        faults: Iterable[Faults] = (NONE,),
        *,
        keep_audio: bool = True,
        on_sent: Callable[[FakeFluxSession, flux_codec.TurnInfo, float], None] | None = None,
        on_audio: Callable[[FakeFluxSession, bytes, float], None] | None = None,
    ) -> None:
        super().__init__(faults)
        self.sessions: list[FakeFluxSession] = []
        self.refused: list[str] = []
        """Why handshakes were refused."""
        self._script = script
        self._keep_audio = keep_audio
        self._on_sent = on_sent
        self._on_audio = on_audio

    def plays(self, script: Callable[[flux_codec.FluxOptions], FakeScript]) -> None:
        """Have the connections from now on hear something else."""
        self._script = script

    def release(self) -> None:
        """Let every handler end that waits on purpose."""
        for session in self.sessions:
            session.over.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One handshake, and its connection."""
        faults = await self.next_faults()
        if faults.refuse is not None:
            return self._refusal(faults.refuse)
        try:
            options = flux_codec.FluxOptions.from_query(request.query.items())
        except flux_codec.BadFluxOptions as bad:
            problem = bad.problems[0]
            body = f'{{"err_code":"{problem.code}","err_msg":"{problem.parameter}"}}'
            return self._refusal(RefusalFault(problem.status, str(bad), body))
        ws = web.WebSocketResponse(compress=False, heartbeat=None)
        await ws.prepare(request)
        session = FakeFluxSession(options, self._script(options), faults)
        session.authorization = request.headers.get("Authorization", "")
        self.sessions.append(session)
        try:
            await self._serve(session, ws, request)
        except (ConnectionError, asyncio.CancelledError):
            log.debug("the client went away")
        finally:
            session.over.set()
        return ws

    def _refusal(self, refusal: RefusalFault) -> web.Response:
        self.refused.append(refusal.dg_error or str(refusal.status))
        headers = {"dg-request-id": str(uuid.uuid4())}
        if refusal.dg_error:
            headers["dg-error"] = refusal.dg_error
        return web.Response(status=refusal.status, headers=headers, text=refusal.body)

    async def _serve(self, session: FakeFluxSession, ws: web.WebSocketResponse, request: web.Request) -> None:
        await ws.send_str(session.number(flux_codec.Connected("")))
        loop = asyncio.get_running_loop()
        async for message in ws:
            if message.type is WSMsgType.BINARY:
                session.hear(message.data)
                if self._keep_audio:
                    session.audio += message.data
                if self._on_audio is not None:
                    self._on_audio(session, message.data, loop.time())
                if session.faults is not NONE and await self._misbehave(session, ws, request):
                    return
                await self._say(session, ws)
            elif message.type is WSMsgType.TEXT and not await self._obey(session, ws, message.data):
                return

    async def _say(self, session: FakeFluxSession, ws: web.WebSocketResponse) -> None:
        faults = session.faults
        if faults.silent_after_s is not None and session.audio_s >= faults.silent_after_s:
            return
        if faults.odd and not session.odd_sent and session.audio_s >= faults.odd_after_s:
            session.odd_sent = True
            for text in faults.odd:
                await ws.send_str(text)
        for info in session.script.due(session.audio_s):
            if faults.rubbish_after_s is not None and session.audio_s >= faults.rubbish_after_s:
                await ws.send_str(faults.rubbish[session.rubbish_sent % len(faults.rubbish)])
                session.rubbish_sent += 1
                continue
            await ws.send_str(session.number(info))
            if self._on_sent is not None:
                self._on_sent(session, info, asyncio.get_running_loop().time())
            if faults.sends_junk:
                for text in JUNK:
                    await ws.send_str(text)
                await ws.send_bytes(b"\x00\x01")

    async def _obey(self, session: FakeFluxSession, ws: web.WebSocketResponse, text: str) -> bool:
        """Answer a control message. False: the connection is over."""
        try:
            message = flux_codec.decode_client(text)
        except flux_codec.FluxProtocolError as error:
            await ws.send_str(session.number(flux_codec.FatalError(flux_codec.UNPARSABLE, str(error))))
            await ws.close()
            return False
        session.received.append(message)
        match message:
            case flux_codec.Configure():
                if not session.faults.never_acknowledges:
                    await ws.send_str(session.number(session.configure(message)))
            case flux_codec.ForceEndTurn():
                forced = session.script.force(session.audio_s)
                answer = forced or flux_codec.Warning(flux_codec.NO_ACTIVE_TURN, "there is no turn to end")
                await ws.send_str(session.number(answer))
            case flux_codec.CloseStream():
                await self._say(session, ws)
                await self._close_without_code(ws)
                return False
        return True

    async def _close_without_code(self, ws: web.WebSocketResponse) -> None:
        """As the service after CloseStream: an empty close frame."""
        await ws.send_frame(b"", WSMsgType.CLOSE)
        while (await ws.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
            pass

    async def _misbehave(
        self, session: FakeFluxSession, ws: web.WebSocketResponse, request: web.Request
    ) -> bool:
        """Do what is due of the connection's faults. True: the connection is over."""
        faults, audio_s = session.faults, session.audio_s
        if faults.stops_reading_after_s is not None and audio_s >= faults.stops_reading_after_s:
            await session.over.wait()
            return True
        if faults.reset_after_s is not None and audio_s >= faults.reset_after_s:
            reset(request)
            return True
        if faults.error_after_s is not None and audio_s >= faults.error_after_s:
            await ws.send_str(session.number(flux_codec.FatalError(faults.error_code, "told to fail")))
            await ws.close(code=1011)
            return True
        if faults.close_after_s is not None and audio_s >= faults.close_after_s:
            await ws.close()
            return True
        return False


def reset(request: web.Request) -> None:
    """Reset the TCP connection of a request: no close frame, no FIN."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
