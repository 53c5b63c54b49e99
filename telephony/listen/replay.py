"""The audio that the next connection would have to hear again. PURE.

Positions are bytes of the caller's stream since the call began, so that any connection's times can be put on
the caller's clock.
"""

from __future__ import annotations

from collections import deque


class ReplayBuffer:
    """The newest chunks of a stream: what was not sent yet, and what was sent but not yet settled."""

    def __init__(self, limit: int) -> None:
        """`limit`: the most bytes kept."""
        self.limit = limit
        self.start = 0
        """Position of the oldest byte kept."""
        self.end = 0
        """Position after the newest byte."""
        self.next = 0
        """Position of the first byte not sent on the current connection."""
        self.dropped = 0
        """Bytes that were dropped without having been sent on any connection."""
        self._sent_ever = 0
        self._chunks: deque[bytes] = deque()
        self._unsent = 0
        """Number of chunks from `next` on."""

    def append(self, chunk: bytes) -> bool:
        """Keep a chunk; the oldest ones go when there are too many.

        True: the current connection will miss some audio, so that its clock is no longer the caller's.
        """
        self._chunks.append(chunk)
        self._unsent += 1
        self.end += len(chunk)
        missed = False
        while self.end - self.start > self.limit:
            missed = missed or self.next == self.start
            self._drop()
        return missed

    def append_sent(self, chunk: bytes) -> None:
        """Keep a chunk that goes out at once: append and take in one, when nothing else waits to be sent."""
        self._chunks.append(chunk)
        self.end += len(chunk)
        self.next = self._sent_ever = self.end
        while self.end - self.start > self.limit:
            self._drop()

    def take(self) -> bytes | None:
        """The next chunk to send, which stays kept; None when all were sent."""
        if not self._unsent:
            return None
        chunk = self._chunks[len(self._chunks) - self._unsent]
        self._unsent -= 1
        self.next += len(chunk)
        self._sent_ever = max(self._sent_ever, self.next)
        return chunk

    def settle(self, position: int) -> None:
        """What lies before this position need not be heard again; what was not sent yet is kept."""
        while len(self._chunks) > self._unsent and self.start + len(self._chunks[0]) <= position:
            self._drop()

    def rewind(self) -> int:
        """A new connection: everything kept is sent again. Returns the position where it begins."""
        self._unsent = len(self._chunks)
        self.next = self.start
        return self.start

    def _drop(self) -> None:
        chunk = self._chunks.popleft()
        self.start += len(chunk)
        self.dropped += max(0, self.start - max(self._sent_ever, self.start - len(chunk)))
        if self.next < self.start:
            self.next = self.start
            self._unsent = len(self._chunks)
