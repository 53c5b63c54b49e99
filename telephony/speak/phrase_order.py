"""Puts the phrases of a reply in order, whatever order their audio comes in. PURE.

A phrase that was spoken before is there at once, while the voice is still busy with the one before it.
"""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from telephony.base.frozen import frozen
from telephony.events import WordTime


@frozen
class OrderedAudio:
    """A phrase is complete, or failed for `problem`."""

    words: tuple[WordTime, ...] = ()
    problem: str = ""


Part: TypeAlias = bytes | OrderedAudio
"""Audio of a phrase, mu-law; or its end."""


class PhraseOrder:
    """One reply's phrases: what may be appended to its audio now."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[Part]] = {}
        self._order: deque[int] = deque()

    def expect(self, phrase: int) -> None:
        """A phrase was asked for. One that is asked for again keeps its place, or goes to the end."""
        if phrase not in self._waiting:
            self._order.append(phrase)
        self._waiting[phrase] = []

    def add(self, phrase: int, part: Part) -> list[tuple[int, Part]]:
        """More of a phrase came; returns what is next in order, of this phrase and those behind it."""
        if phrase not in self._waiting:
            return []
        self._waiting[phrase].append(part)
        ready: list[tuple[int, Part]] = []
        while self._order:
            head = self._order[0]
            parts, self._waiting[head] = self._waiting[head], []
            ready += [(head, p) for p in parts]
            if not (parts and isinstance(parts[-1], OrderedAudio)):
                break
            self._order.popleft()
            del self._waiting[head]
        return ready
