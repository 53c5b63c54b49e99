"""One call's inbound frames, from text to Flux: decoded, put in order, and handed on in chunks of 80 ms.

A socket's texts come by way of the process's batch (inbound_batch.py); where they cannot, and for everything
that is not a text, this reads the socket itself. Both ways end in `receive_frame`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import WSMsgType

from telephony import events as ev
from telephony.audio.g711 import FRAME_SAMPLES
from telephony.call.inbound_batch import InboundBatch
from telephony.call.sound_observer import SoundObserver
from telephony.carrier.media_messages import Dtmf, MarkReceived, Media, Stopped
from telephony.carrier.media_stream import Fatal, ServerStream
from telephony.carrier.websocket import FrameSocket
from telephony.listen.caller_audio import AudioCounts, CallerAudio

log = logging.getLogger(__name__)

TIMESTAMP_EVERY_MS = 1000
GAP_MS = 60
"""A skip of more than two frames is reported to the conversation."""
FRAMES_STOPPED_S = 0.12
"""Four frames take 80 ms: without one for so long, what waits in the kernel is read."""
CLOSE_S = 2.0


class Inbound:
    """`listen` gets the caller's audio in chunks, `put` gets events, `observer` hears each frame."""

    def __init__(
        self,
        socket: FrameSocket,
        stream: ServerStream,
        batch: InboundBatch,
        listen: Callable[[bytes], None],
        put: Callable[[ev.Event], None],
        observer: SoundObserver | None = None,
    ) -> None:
        self._socket = socket
        self._stream = stream
        self._batch = batch
        self._audio = CallerAudio(lambda at_s, seconds: put(ev.AudioShifted(at_s, seconds)))
        self._listen = listen
        self._put = put
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._reported_ms = -TIMESTAMP_EVERY_MS
        self._last_ms: int | None = None
        self._last_media = self._loop.time()
        self._end: Stopped | Fatal | None = None
        self._frame_bytes, self._frame_samples = 0, FRAME_SAMPLES
        """Of the last frame, as a message and as sound."""
        self._fresh = False
        """There was one since the last `flush`."""
        self._awaited = 0
        """How many frames the kernel waits for; 0: for anything."""
        self._over = False
        """Nothing that comes is looked at any more."""

    async def run(self) -> None:
        """Read until the stream or its socket ends, and put that in too."""
        self._socket.tap(partial(self._batch.add, self))
        try:
            reason = await self._read()
        finally:
            self._socket.tap(None)
            self._socket.wake_at(1)
            self._over = True
        self._put(ev.CallStopped(reason))

    def receive_frame(self, text: str | bytes, now: float) -> None:
        """One message of the carrier. `now` is the loop's time."""
        if self._over:
            return
        event = self._stream.receive(text)
        if type(event) is Media:  # fifty a second; everything else is rare
            self._frame_bytes, self._frame_samples = len(text), len(event.payload) or FRAME_SAMPLES
            self._media(event.timestamp_ms, event.payload, now)
        elif isinstance(event, MarkReceived):
            self._put(ev.MarkPlayed(event.name, self._last_ms))
        elif isinstance(event, Dtmf):
            self._put(ev.DtmfPressed(event.digit))
        elif isinstance(event, Stopped | Fatal):
            self._end, self._over = event, True
            if isinstance(text, str):
                self._socket.give_back(text)  # to wake the reader, which ends

    def flush(self) -> None:
        """All messages that had come were received."""
        if self._fresh and not self._over:
            self._fresh = False
            self._report_timestamp()
            self._await_chunk()

    def fail(self, error: Exception) -> None:
        """A message could not be handled: the stream ends."""
        self._socket.fail(error)

    def silent_s(self, now: float) -> float:
        """For how many seconds no media has come, by the loop's clock."""
        return now - self._last_media

    @property
    def counts(self) -> AudioCounts:
        """What came in."""
        return self._audio.counts

    def media_record(self) -> dict[str, Any]:
        """What came in, for the call's record."""
        counts = self._audio.counts
        return {
            "frames": counts.frames,
            "gaps": counts.gaps,
            "filled_samples": counts.filled,
            "stalled_samples": counts.stalled,
            "late_samples": counts.late,
            "dropped_samples": counts.dropped,
            "faults": dict(self._stream.counters.faults),
        }

    def watch(self, now: float, turn_open: bool = False) -> None:
        """Call every 100 ms or so.

        When no frames come, what waits in the kernel is read, and what waits for an overtaken frame goes to
        listening; so does silence, after a while, in a turn that is open.
        """
        for chunk in self._audio.stalled(now, turn_open):
            self._listen(chunk)
        if self._awaited and not self._over and now - self._last_media > FRAMES_STOPPED_S:
            self._awaited = 0
            self._socket.wake_at(1)

    async def _read(self) -> ev.EndReason:
        """Whatever is not tapped; returns how the stream ended."""
        while True:
            message = await self._socket.receive()
            self._batch.deliver()  # what came before it
            if not self._over:
                if message.type is not WSMsgType.TEXT and message.type is not WSMsgType.BINARY:
                    return ev.EndReason.SOCKET_LOST
                self.receive_frame(message.data, self._loop.time())
                self.flush()
            end = self._end
            if isinstance(end, Stopped):
                return ev.EndReason.CALLER
            if end is not None:
                log.warning("stream %s: ended: %s", self._stream.stream_sid, end.reason)
                with contextlib.suppress(ConnectionError, TimeoutError):
                    async with asyncio.timeout(CLOSE_S):
                        await self._socket.close(code=end.code, message=end.reason.encode()[:120])
                return ev.EndReason.ERROR

    def _media(self, stamp: int, ulaw: bytes, now: float) -> None:
        """One frame of the caller: the hot path, 50 a second."""
        if self._observer is not None:
            self._observer.caller(stamp, ulaw)
        self._last_media, self._fresh = now, True
        chunks = self._audio.receive(stamp, ulaw, now)
        if chunks:
            for chunk in chunks:
                self._listen(chunk)
        last, self._last_ms = self._last_ms, stamp
        gap = 0 if last is None else stamp - last
        if gap > GAP_MS:
            self._reported_ms = stamp
            self._put(ev.MediaTimestamp(stamp, gap - 20))

    def _report_timestamp(self) -> None:
        """Of the newest frame only: those before it may have waited for it."""
        stamp = self._last_ms
        if stamp is not None and stamp - self._reported_ms >= TIMESTAMP_EVERY_MS:
            self._reported_ms = stamp
            self._put(ev.MediaTimestamp(stamp))

    def _await_chunk(self) -> None:
        """Let the kernel keep what comes until it completes a chunk.

        Four frames are read at once then, for a quarter of the system calls and of the loop's turns, and no
        chunk is any later. A mark or a key waits for the frame behind it.
        """
        frames = -(-self._audio.missing // self._frame_samples)
        if frames != self._awaited:
            self._awaited = frames
            # half a frame less: their sizes differ by some digits, and a mark is smaller than a frame
            self._socket.wake_at(frames * self._frame_bytes - self._frame_bytes // 2)
