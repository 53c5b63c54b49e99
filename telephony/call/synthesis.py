"""One call's voice: phrases go in, their audio comes out in the order of each reply."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from telephony import events as ev
from telephony.call.speech_state import SpeechState
from telephony.deepgram import refusals
from telephony.playback.word_times import broken_off, estimate_words, listen, spoken_letters
from telephony.speak.aloud import Aloud, aloud, is_english
from telephony.speak.client import SpeakClient
from telephony.speak.events import (
    PhraseAudio,
    PhraseDone,
    PhraseFailed,
    PhraseInterrupted,
    VoiceDisconnected,
    VoiceEvent,
)
from telephony.speak.phrase_cache import PhraseAudioCache
from telephony.speak.phrase_order import OrderedAudio, Part, PhraseOrder

PACE_LETTERS = 40
"""From so many letters on, the pace of a voice is known."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _SpokenPart:
    """The part of a phrase that was spoken before the voice broke off."""

    words: tuple[ev.WordTime, ...]
    samples: int

    def text(self) -> str:
        return " ".join([word.text for word in self.words])

    def with_rest(self, rest: tuple[ev.WordTime, ...]) -> tuple[ev.WordTime, ...]:
        """The words of the whole phrase, on its own clock."""
        later = [ev.WordTime(w.text, w.start + self.samples, w.end + self.samples, w.estimated) for w in rest]
        return (*self.words, *later)


@dataclass(slots=True)
class _SpokenPhrase:
    """A phrase on its way."""

    written: Aloud
    """As it is written, and as it is spoken."""
    text: str
    """What the voice still has to say of it, as it is spoken."""
    audio: bytearray = field(default_factory=bytearray)
    """What the voice has made of that text."""
    spoken: _SpokenPart | None = None
    """Set when the voice broke off in the middle, and now says the rest."""


@dataclass(slots=True)
class _SpokenReply:
    """A reply's phrases."""

    order: PhraseOrder = field(default_factory=PhraseOrder)
    phrases: dict[int, _SpokenPhrase] = field(default_factory=dict)


class Synthesis:
    """`on_parts(reply, [(phrase, part)])` gets audio and ends of phrases in order; `put` gets all else."""

    def __init__(
        self,
        client: SpeakClient,
        cache: PhraseAudioCache,
        call_sid: str,
        put: Callable[[ev.Event], None],
        on_parts: Callable[[int, Sequence[tuple[int, Part]]], None],
        ahead_s: Callable[[], float],
    ) -> None:
        """`ahead_s`: how much audio, in seconds, the call holds and has not sent yet."""
        self._call_sid = call_sid
        self._put = put
        self._on_parts = on_parts
        self._cache = cache
        self._english = is_english(client.model)
        self._pronunciations = client.pronunciations
        self._replies: dict[int, _SpokenReply] = {}
        self._pace = (0, 0.0)
        """Samples and letters of the phrases that this voice has made."""
        self.state = SpeechState()
        """Whether the voice is there."""
        self._voice = client.open(self._receive, ahead_s)

    async def run(self) -> None:
        """Keep the voice's connection."""
        await self._voice.run()

    def close(self) -> None:
        """The call is over: no event comes any more."""
        self._voice.close()

    # what the conversation commands

    def speak(self, command: ev.Speak) -> None:
        """Have a phrase spoken; one that was spoken before is there at once."""
        reply = self._replies.setdefault(command.reply, _SpokenReply())
        written = aloud(command.text, self._english, self._pronunciations)
        reply.phrases[command.phrase] = _SpokenPhrase(written, written.spoken)
        reply.order.expect(command.phrase)
        known = self._cache.get(written.spoken)
        if known is None:
            self._voice.speak(command.reply, command.phrase, written.spoken, draft=command.draft)
            return
        self._hand_on(command.reply, command.phrase, known.ulaw)
        self._hand_on(command.reply, command.phrase, OrderedAudio(known.words))

    def release(self, reply: int) -> None:
        """A draft has become the answer."""
        self._voice.release(reply)

    def cancel(self, reply: int, heard_ms: float) -> None:
        """Give a reply up; `heard_ms`: how much of it was heard."""
        self._voice.cancel(reply, heard_ms)
        self.forget(reply)

    def forget(self, reply: int) -> None:
        """Nothing more of a reply is needed."""
        self._replies.pop(reply, None)

    # what the voice brings

    def _find(self, reply: int, phrase: int) -> _SpokenPhrase | None:
        of = self._replies.get(reply)
        return None if of is None else of.phrases.get(phrase)

    def _receive(self, event: VoiceEvent) -> None:
        if isinstance(event, PhraseAudio):
            if self.state.works():
                log.warning("call %s: the voice is back", self._call_sid)
            phrase = self._find(event.reply, event.phrase)
            if phrase is not None:
                phrase.audio += event.ulaw
                self._hand_on(event.reply, event.phrase, event.ulaw)
        elif isinstance(event, PhraseDone):
            self._done(event)
        elif isinstance(event, PhraseFailed):
            self._missed(event.reason)
            self._failed(event)
        elif isinstance(event, PhraseInterrupted):
            self._interrupted(event)
        elif isinstance(event, VoiceDisconnected):
            why = refusals.describe("the voice", event.status, event.dg_error, event.reason)
            if self.state.down(why):
                log.warning("call %s: %s", self._call_sid, why)
            self._put(ev.TtsDisconnected(event.reason, event.status))

    def _done(self, event: PhraseDone) -> None:
        phrase = self._find(event.reply, event.phrase)
        if phrase is None:
            return
        if not phrase.audio:
            self._missed("it gave no audio")
            self._hand_on(event.reply, event.phrase, OrderedAudio(problem="the voice gave no audio"))
            return
        ulaw, phrase.audio = bytes(phrase.audio), bytearray()
        # A voice that does not report where its words lie: once a phrase, when all of it is here.
        # One that reports other words than it was given is not believed.
        reported = event.words if len(event.words) == len(phrase.text.split()) else ()
        words = reported or estimate_words(phrase.text, len(ulaw), listen(ulaw))
        if not event.stand_in:
            self._pace = (self._pace[0] + len(ulaw), self._pace[1] + spoken_letters(phrase.text))
        if phrase.spoken is None and not event.stand_in:
            self._cache.put(phrase.text, ulaw, words)
        elif phrase.spoken is not None:
            words = phrase.spoken.with_rest(words)
        self._hand_on(event.reply, event.phrase, OrderedAudio(words))

    def _failed(self, event: PhraseFailed) -> None:
        """The voice broke off. Once, it says the rest; what was said of a phrase is known in any case."""
        phrase = self._find(event.reply, event.phrase)
        if phrase is None:
            return
        ulaw, phrase.audio = bytes(phrase.audio), bytearray()
        before = phrase.spoken
        samples, letters = self._pace
        words, rest = broken_off(phrase.text, ulaw, samples / letters if letters >= PACE_LETTERS else 0.0)
        if before is not None:
            words = before.with_rest(words)
        if not rest:
            self._hand_on(event.reply, event.phrase, OrderedAudio(words))
        elif before is None and ulaw:
            log.info("call %s: the voice broke off (%s): it says the rest", self._call_sid, event.reason)
            phrase.spoken, phrase.text = _SpokenPart(words, len(ulaw)), rest
            self._voice.speak(event.reply, event.phrase, rest, rest=True)
        else:
            self._hand_on(event.reply, event.phrase, OrderedAudio(words, event.reason))

    def _interrupted(self, event: PhraseInterrupted) -> None:
        """The voice's own account of a phrase that was given up; of a rest, with what was said before it."""
        phrase = self._find(event.reply, event.phrase)
        said = event.text_spoken
        if phrase is not None and phrase.spoken is not None and said:
            said = f"{phrase.spoken.text()} {said}".strip()
        if phrase is not None:
            said = phrase.written.written_of(said)
        self._put(ev.PhraseCut(event.reply, event.phrase, said))

    def _missed(self, reason: str) -> None:
        """A phrase could not be spoken."""
        why = f"the voice failed: {reason}"
        if not self.state.why and self.state.down(why):
            log.warning("call %s: %s", self._call_sid, why)
        self.state.missed = True

    def _hand_on(self, number: int, phrase: int, part: Part) -> None:
        """More of a phrase: out as soon as all before it is there."""
        reply = self._replies.get(number)
        if reply is None:
            return
        ready = [
            (at, self._as_written(reply.phrases[at], part)) for at, part in reply.order.add(phrase, part)
        ]
        self._on_parts(number, ready)

    @staticmethod
    def _as_written(phrase: _SpokenPhrase, part: Part) -> Part:
        """The words of a phrase's end as they are written."""
        if isinstance(part, bytes):
            return part
        return OrderedAudio(phrase.written.times(part.words), part.problem)
