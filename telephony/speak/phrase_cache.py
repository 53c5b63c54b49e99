"""Phrases that were spoken before, ready to be heard at once: greetings, fillers, re-asks."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from telephony.events import WordTime

LONGEST_S = 12
"""Longer phrases are hardly said twice."""


@dataclass(frozen=True, slots=True)
class RememberedPhrase:
    """A phrase's audio, mu-law 8 kHz, and where its words lie in it."""

    ulaw: bytes
    words: tuple[WordTime, ...]


class PhraseAudioCache:
    """The newest phrases of one voice, up to `limit_bytes` of audio. One per process."""

    def __init__(self, limit_bytes: int = 4_000_000) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._phrases: OrderedDict[str, RememberedPhrase] = OrderedDict()

    def get(self, text: str) -> RememberedPhrase | None:
        phrase = self._phrases.get(text)
        if phrase is not None:
            self._phrases.move_to_end(text)
        return phrase

    def put(self, text: str, ulaw: bytes, words: tuple[WordTime, ...]) -> None:
        if not ulaw or len(ulaw) > LONGEST_S * 8000 or text in self._phrases:
            return
        self._phrases[text] = RememberedPhrase(ulaw, words)
        self._bytes += len(ulaw)
        while self._bytes > self._limit:
            _, old = self._phrases.popitem(last=False)
            self._bytes -= len(old.ulaw)
