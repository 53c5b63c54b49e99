"""`/v2/listen`: a client's audio and messages to recognizer and session, their answers to the client.

One task a stream, which reads, works and writes in turn: messages are obeyed in the order in which they came
among the audio, and a client that sends faster than it can be recognized is held up by TCP, not stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from aiohttp import web

from telephony.deepgram.flux_codec import (
    INTERNAL_ERROR,
    UNPARSABLE,
    BadFluxOptions,
    CloseStream,
    Configure,
    FatalError,
    FluxOptions,
    ForceEndTurn,
    Problem,
    ServerMessage,
    decode_client,
    encode_server,
)
from telephony.deepgram.flux_protocol_check import ServerTurnState
from telephony.engine.listen.audio_input import LISTEN_ENCODINGS, AudioInput
from telephony.engine.listen.flux_session import MULTILINGUAL, FluxSession
from telephony.engine.listen.recognizer_stream import RecognizerLost, RecognizerPool, RecognizerStream
from telephony.engine.sockets import EngineSocket, Gone, Idle
from telephony.errors import BadAudio, FluxProtocolError, LocalProtocolError

log = logging.getLogger(__name__)

IDLE = "NET-0001"  # the service's code on /v1/listen, too
BAD_AUDIO = "DATA-0000"  # the service's code on /v1/listen; what /v2 says is not documented


def read_options(request: web.Request) -> FluxOptions:
    """The validated query. Raises BadFluxOptions where the service would refuse it, or we cannot serve it."""
    options = FluxOptions.from_query(request.query.items())
    if options.encoding is not None and options.encoding not in LISTEN_ENCODINGS:
        can = ", ".join(LISTEN_ENCODINGS)
        reason = (
            f"{options.encoding!r} is not supported by the local engine: {can}, or a WAV without encoding"
        )
        raise BadFluxOptions([Problem("encoding", reason)])
    # Recognition derives its own thresholds: what was left to the service is filled in here.
    return replace(options, eot_threshold=options.eot, eot_timeout_ms=options.timeout_ms)


class ListenStream:
    """One client."""

    def __init__(
        self, socket: EngineSocket, options: FluxOptions, recognizers: RecognizerPool, request_id: str
    ) -> None:
        self._socket = socket
        self._recognizers = recognizers
        self._recognizer: RecognizerStream | None = None
        self._input = AudioInput(options.encoding, options.sample_rate)
        self._session = FluxSession(options, request_id)
        self._audio_s = 0.0

    async def run(self) -> None:
        """Serves the stream to its end, and writes the log line about it."""
        session = self._session
        self._note_options()
        try:
            ending = await self._serve()
        except Gone as gone:
            ending = str(gone)
        except Idle:
            ending = await self._fail(IDLE, "nothing was received for 60 s, not even a ping", 1011)
        except BadAudio as error:
            ending = await self._fail(BAD_AUDIO, str(error), 1008)
        except FluxProtocolError as error:
            ending = await self._fail(UNPARSABLE, f"Unparsable client message: {error}", 1008)
        except (RecognizerLost, LocalProtocolError) as error:
            ending = await self._fail(INTERNAL_ERROR, str(error), 1011)
        finally:
            if self._recognizer is not None:
                self._recognizer.close()
        log.info(
            "listen %s: %s, %.1f s of audio, %d turns, %s",
            session.request_id,
            self._input.form or "no audio",
            self._audio_s,
            session.turn_index,
            ending,
        )

    async def _serve(self) -> str:
        await self._send([self._session.connected()])
        self._recognizer = recognizer = await self._recognizers.open(self._session.recognition_options())
        try:
            async with asyncio.timeout(None) as until_lost:
                # Else a stream that waits for its client would learn of a crash with the next audio only.
                recognizer.when_lost(lambda: until_lost.reschedule(0.0))
                try:
                    return await self._converse(recognizer)
                finally:
                    recognizer.when_lost(lambda: None)
        except TimeoutError:
            raise RecognizerLost from None

    async def _converse(self, recognizer: RecognizerStream) -> str:
        while True:
            data = await self._socket.receive()
            if isinstance(data, bytes):
                await self._recognize(recognizer, self._input.feed(data), self._socket.waited)
                continue
            match decode_client(data):
                case Configure() as change:
                    await self._send(self._session.configure(change))
                    recognizer.configure(self._session.recognition_options())
                case ForceEndTurn():
                    await self._send(self._session.force_end_turn(await recognizer.flush()))
                    self._end_turn(recognizer)
                case CloseStream():
                    await self._recognize(recognizer, self._input.flush())
                    await self._send(self._session.close_stream(await recognizer.flush()))
                    fault = self._input.fault()
                    if fault is not None:
                        raise BadAudio(fault)
                    self._note_open_turn()
                    await self._socket.close_without_code()
                    return "closed by CloseStream"

    async def _recognize(self, recognizer: RecognizerStream, linear16: bytes, waited: bool = False) -> None:
        if not linear16:
            return
        async for block in recognizer.recognize(linear16, waited):
            self._audio_s = block.audio_end_s
            messages = self._session.block(block)
            # Before the next block is asked for: what it holds belongs to the next turn.
            self._end_turn(recognizer)
            await self._send(messages)

    def _end_turn(self, recognizer: RecognizerStream) -> None:
        if self._session.turn_ended:
            recognizer.end_turn()

    async def _send(self, messages: Sequence[ServerMessage]) -> None:
        for message in messages:
            await self._socket.send(encode_server(message))

    async def _fail(self, code: str, description: str, close_code: int) -> str:
        failure: FatalError = self._session.failed(code, description)
        try:
            await self._send([failure])
            await self._socket.close(close_code)
        except Gone:
            pass
        return f"{code}: {description}"

    def _note_open_turn(self) -> None:
        """Clients are often written without this, and miss their last turn on the service, too."""
        if self._session.phase is not ServerTurnState.READY:
            log.info(
                "listen %s: CloseStream left a turn open, as on Flux; ForceEndTurn before it ends the turn",
                self._session.request_id,
            )

    def _note_options(self) -> None:
        options = self._session.options
        if options.model == MULTILINGUAL:
            log.info("listen %s: %s is recognized as English", self._session.request_id, MULTILINGUAL)
