"""One stream to a Flux server: audio there, its messages back, in the order and the words of the wire.

The calls' client reconnects, drops what is too late and never waits; here nothing may be lost, a refusal ends
the run, and the raw messages are the output. So this is a plain socket around the same codec.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp

from telephony.base.tasks import closed_on_failure
from telephony.commands.transcribe_source import CHUNK_BYTES, CHUNK_S
from telephony.config.settings import SpeechPeer
from telephony.deepgram.flux_codec import decode_server, encode_client
from telephony.deepgram.flux_messages import CloseStream, FatalError, ForceEndTurn, ServerMessage, TurnInfo
from telephony.deepgram.flux_options import FluxOptions
from telephony.deepgram.refusals import remedy
from telephony.errors import BadInput, PeerLost

HEARTBEAT_S = 20.0  # a peer that is gone is noticed in 30 s; a busy one may take seconds, and nobody waits
AHEAD_S = 5.0  # how far --fast may be ahead of what the server has heard
SILENCE_AT_END_S = 0.96  # lets the server find the last words before it is asked to end the turn
CLOSING_S = 15.0  # for what the server still has to say
ENDS = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.ERROR)


class TranscriptionStream:
    """A connection that was accepted."""

    def __init__(self, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._session = session
        self._socket = socket
        self._sent_s = 0.0
        self._heard_s = 0.0
        self._heard_more = asyncio.Event()
        self._finished = False
        self._last_message = asyncio.get_running_loop().time()

    def silent_s(self) -> float:
        """Seconds since the server's last message."""
        return asyncio.get_running_loop().time() - self._last_message

    @classmethod
    async def open(
        cls, peer: SpeechPeer, url: str, options: FluxOptions, timeout_s: float
    ) -> TranscriptionStream:
        """Connects. Raises BadInput in plain words when the server refuses or does not answer in time."""
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        async with closed_on_failure(session.close):
            try:
                async with asyncio.timeout(timeout_s):
                    socket = await session.ws_connect(
                        f"{url}/v2/listen",
                        params=options.to_query(),
                        headers={"Authorization": f"Token {peer.api_key.reveal()}"},
                        heartbeat=HEARTBEAT_S,
                        max_msg_size=1 << 20,
                        # Flux closes without a code, which aiohttp takes for a broken connection.
                        autoclose=False,
                        timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                    )
            except (aiohttp.ClientError, OSError) as error:
                raise _refusal(url, error, timeout_s) from error
        return cls(session, socket)

    async def send(self, chunks: AsyncIterator[bytes], stop: asyncio.Event, *, fast: bool) -> None:
        """Sends everything, or what came until `stop`; then ends the turn and the stream.

        A connection that breaks meanwhile ends the sending: the reader says how.
        """
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            await self._send(chunks, stop, fast=fast)

    async def _send(self, chunks: AsyncIterator[bytes], stop: asyncio.Event, *, fast: bool) -> None:
        async for chunk in chunks:
            if stop.is_set() or self._socket.closed:
                break
            await self._socket.send_bytes(chunk)
            self._sent_s += CHUNK_S
            while fast and self._sent_s - self._heard_s > AHEAD_S and not self._socket.closed:
                await self._wait_for_progress()
        await self.finish()

    async def finish(self) -> None:
        """Ends the turn and the stream; once only."""
        if self._finished or self._socket.closed:
            return
        self._finished = True
        for _ in range(round(SILENCE_AT_END_S / CHUNK_S)):
            await self._socket.send_bytes(bytes(CHUNK_BYTES))
        # In this order: CloseStream alone decodes what is left but ends no turn.
        await self._socket.send_str(encode_client(ForceEndTurn()))
        await self._socket.send_str(encode_client(CloseStream()))

    async def _wait_for_progress(self) -> None:
        """Until the server has heard more; one that reports nothing gets its audio in real time."""
        self._heard_more.clear()
        try:
            async with asyncio.timeout(CHUNK_S):
                await self._heard_more.wait()
        except TimeoutError:
            self._heard_s += CHUNK_S

    async def messages(self) -> AsyncIterator[tuple[str, ServerMessage]]:
        """Each message as it came and as data, until the server closes. Raises PeerLost on `Error`."""
        while (frame := await self._socket.receive()).type not in ENDS:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            self._last_message = asyncio.get_running_loop().time()
            message = decode_server(frame.data)
            if isinstance(message, TurnInfo):
                self._heard_s = max(self._heard_s, message.audio_window_end)
                self._heard_more.set()
            yield frame.data, message
            if isinstance(message, FatalError):
                raise PeerLost(f"the speech server gave up: {message.code}: {message.description}")
        if frame.type is not aiohttp.WSMsgType.CLOSE:
            reason = self._socket.exception() or "no closing message came"
            raise PeerLost(f"the connection to the speech server broke: {reason}")
        if not self._finished:
            code = frame.data or "none"
            raise PeerLost(f"the speech server closed the stream before its end (code {code})")

    async def close(self) -> None:
        await self._socket.close()
        await self._session.close()


def _refusal(url: str, error: Exception, timeout_s: float) -> BadInput:
    if isinstance(error, aiohttp.WSServerHandshakeError):
        reason = error.headers.get("dg-error", "") if error.headers else ""
        shown = f"{error.status} {reason}".rstrip()
        return BadInput(f"{url} refuses to listen: {shown}. {remedy(error.status)}")
    if isinstance(error, TimeoutError):
        return BadInput(f"{url} did not answer within {timeout_s:g} s (--timeout allows more)")
    why = error.strerror if isinstance(error, aiohttp.ClientConnectorError) else error
    return BadInput(f"{url} cannot be reached: {why}. {remedy(None)}")
