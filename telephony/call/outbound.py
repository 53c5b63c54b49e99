"""One call's voice: phrases go in, audio lies in the store, and pieces of it come out when they are due."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from telephony import events as ev
from telephony.audio.g711 import PHONE_RATE
from telephony.call.resources import CallResources
from telephony.call.speech_state import SpeechState
from telephony.deepgram import refusals
from telephony.playback.pacer import Due, Mark, PacedPiece, Pacer, SpokenStore
from telephony.playback.word_times import broken_off, estimate_words, listen, spoken_letters
from telephony.speak.aloud import Aloud, aloud, is_english
from telephony.speak.deepgram import (
    PhraseAudio,
    PhraseDone,
    PhraseFailed,
    PhraseInterrupted,
    VoiceDisconnected,
    VoiceEvent,
)
from telephony.speak.phrase_order import OrderedAudio, Part, PhraseOrder

PACE_LETTERS = 40
"""From so many on a voice's pace can be told."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Begun:
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
class _SpokenReply:
    """A reply's phrases on their way."""

    order: PhraseOrder = field(default_factory=PhraseOrder)
    written: dict[int, Aloud] = field(default_factory=dict)
    """Its phrases, as they are written and as they are spoken."""
    texts: dict[int, str] = field(default_factory=dict)
    """What the voice is given of each: all else here is about those words."""
    ends: list[int] = field(default_factory=list)
    """Where its phrases end, in samples."""
    fresh: dict[int, bytearray] = field(default_factory=dict)
    """The audio of phrases that the voice is making, to be remembered when they are complete."""
    begun: dict[int, _Begun] = field(default_factory=dict)
    """Phrases of which the voice broke off in the middle, and now says the rest."""


class Outbound:
    """`put` takes what happened; `write_due` is called when new audio is due at once."""

    def __init__(
        self,
        services: CallResources,
        call_sid: str,
        put: Callable[[ev.Event], None],
        write_due: Callable[[], None],
    ) -> None:
        self._call_sid = call_sid
        self._put = put
        self._write_due = write_due
        self._memory = services.phrases
        self._english = is_english(services.voice.model)
        self._store = SpokenStore()
        self._pacer = Pacer()
        self._replies: dict[int, _SpokenReply] = {}
        self._spoken = (0, 0.0)
        """Samples and letters of the phrases that this voice has made: its pace."""
        self.state = SpeechState()
        """Whether the voice is there."""
        self._voice = services.voice.open(self._voiced, lambda: self._store.samples / PHONE_RATE)

    async def run(self) -> None:
        """Keep the voice's connection."""
        await self._voice.run()

    def close(self) -> None:
        self._voice.close()

    # what the conversation commands

    def speak(self, command: ev.Speak) -> None:
        """Have a phrase spoken; one that was spoken before is there at once."""
        reply = self._replies.setdefault(command.reply, _SpokenReply())
        phrase = aloud(command.text, self._english)
        reply.written[command.phrase], reply.texts[command.phrase] = phrase, phrase.spoken
        reply.order.expect(command.phrase)
        known = self._memory.get(phrase.spoken)
        if known is None:
            self._voice.speak(command.reply, command.phrase, phrase.spoken, draft=command.draft)
            return
        self._part(command.reply, command.phrase, known.ulaw)
        self._part(command.reply, command.phrase, OrderedAudio(known.words))

    def release(self, command: ev.ReleaseReply) -> None:
        self._voice.release(command.reply)

    def cancel(self, command: ev.CancelReply) -> None:
        self._voice.cancel(command.reply, command.heard_ms)
        self._forget(command.reply)

    def drop(self, command: ev.DropAudio) -> None:
        self._forget(command.reply)

    def _forget(self, reply: int) -> None:
        self._store.drop(reply)
        self._replies.pop(reply, None)

    def play(self, command: ev.Play) -> None:
        """Feed a reply to the line from now on."""
        reply = self._replies.get(command.reply)
        ends = reply.ends if reply is not None else []
        available = self._store.available(command.reply)
        self._pacer.play(command.reply, command.start, command.segment, available, ends)
        self._write_due()

    def stop(self, now: float) -> None:
        """The line was cleared: feed nothing more."""
        self._pacer.stop(now, cleared=True)

    @property
    def feeding(self) -> bool:
        """Whether a reply is on its way to the line, so that something may be due."""
        return self._pacer.reply is not None

    def due(self, now: float) -> list[Due]:
        """What is to be written to the line now."""
        return self._pacer.due(now)

    @property
    def underruns(self) -> int:
        """Times that a reply's audio was not there when it was due."""
        return self._pacer.underruns

    def ends_phrase(self, mark: Mark) -> bool:
        """Whether a mark lies at the end of a phrase."""
        reply = self._replies.get(mark.reply)
        return reply is not None and mark.sample in reply.ends

    def playing_s(self, now: float) -> float:
        """How long what was sent is played for, from now."""
        return self._pacer.playing_s(now)

    def audio(self, piece: PacedPiece) -> bytes:
        """The mu-law of a piece."""
        return self._store.read(piece.reply, piece.start, piece.end)

    # what the voice brings

    def _voiced(self, event: VoiceEvent) -> None:
        if isinstance(event, PhraseAudio):
            reply = self._replies.get(event.reply)
            if self.state.works():
                log.warning("call %s: the voice is back", self._call_sid)
            if reply is not None and event.phrase in reply.texts:
                reply.fresh.setdefault(event.phrase, bytearray()).extend(event.ulaw)
                self._part(event.reply, event.phrase, event.ulaw)
        elif isinstance(event, PhraseDone):
            self._done(event)
        elif isinstance(event, PhraseFailed):
            self._unspoken(event.reason)
            self._failed(event)
        elif isinstance(event, PhraseInterrupted):
            self._interrupted(event)
        elif isinstance(event, VoiceDisconnected):
            told = refusals.told("the voice", event.status, event.dg_error, event.reason)
            if self.state.down(told):
                log.warning("call %s: %s", self._call_sid, told)
            self._put(ev.TtsDisconnected(event.reason, event.status))

    def _done(self, event: PhraseDone) -> None:
        reply = self._replies.get(event.reply)
        if reply is None or event.phrase not in reply.texts:
            return
        audio = reply.fresh.pop(event.phrase, None)
        if audio is None:
            self._unspoken("it gave no audio")
            self._part(event.reply, event.phrase, OrderedAudio(problem="the voice gave no audio"))
            return
        text, ulaw = reply.texts[event.phrase], bytes(audio)
        # A voice that does not say where its words lie: once a phrase, when all of it is here.
        # One that tells of other words than it was given is not believed.
        told = event.words if len(event.words) == len(text.split()) else ()
        words = told or estimate_words(text, len(ulaw), listen(ulaw))
        self._spoken = (self._spoken[0] + len(ulaw), self._spoken[1] + spoken_letters(text))
        begun = reply.begun.get(event.phrase)
        if begun is None:
            self._memory.put(text, ulaw, words)
        else:
            words = begun.with_rest(words)
        self._part(event.reply, event.phrase, OrderedAudio(words))

    def _failed(self, event: PhraseFailed) -> None:
        """The voice broke off. Once, it says the rest; what was said of a phrase is known in any case."""
        reply = self._replies.get(event.reply)
        if reply is None or event.phrase not in reply.texts:
            return
        ulaw = bytes(reply.fresh.pop(event.phrase, b""))
        before = reply.begun.get(event.phrase)
        samples, letters = self._spoken
        pace = samples / letters if letters >= PACE_LETTERS else 0.0
        words, rest = broken_off(reply.texts[event.phrase], ulaw, pace)
        if before is not None:
            words = before.with_rest(words)
        if not rest:
            self._part(event.reply, event.phrase, OrderedAudio(words))
        elif before is None and ulaw:
            log.info("call %s: the voice broke off (%s): it says the rest", self._call_sid, event.reason)
            reply.begun[event.phrase] = _Begun(words, len(ulaw))
            reply.texts[event.phrase] = rest
            self._voice.speak(event.reply, event.phrase, rest, rest=True)
        else:
            self._part(event.reply, event.phrase, OrderedAudio(words, event.reason))

    def _interrupted(self, event: PhraseInterrupted) -> None:
        """The voice's own account of a phrase that was given up; of a rest, with what was said before it."""
        reply = self._replies.get(event.reply)
        begun = reply.begun.get(event.phrase) if reply is not None else None
        said = event.text_spoken
        if begun is not None and said:
            said = f"{begun.text()} {said}".strip()
        if reply is not None and event.phrase in reply.written:
            said = reply.written[event.phrase].written_of(said)
        self._put(ev.PhraseCut(event.reply, event.phrase, said))

    def _unspoken(self, reason: str) -> None:
        """A phrase could not be spoken."""
        told = f"the voice failed: {reason}"
        if not self.state.why and self.state.down(told):
            log.warning("call %s: %s", self._call_sid, told)
        self.state.missed = True

    def _part(self, number: int, phrase: int, part: Part) -> None:
        """More of a phrase: into the store as soon as all before it is there."""
        reply = self._replies.get(number)
        if reply is None:
            return
        for at, ready in reply.order.add(phrase, part):
            if isinstance(ready, bytes):
                self._pacer.extend(number, self._store.append(number, ready))
                self._put(ev.ReplyAudio(number, at, len(ready)))
            else:
                self._phrase_ended(number, reply, at, ready)
        if self._pacer.reply == number:
            self._write_due()

    def _phrase_ended(self, number: int, reply: _SpokenReply, phrase: int, spoken: OrderedAudio) -> None:
        end = self._store.available(number)
        if end:
            reply.ends.append(end)
            self._pacer.phrase_end(number, end)
        words = reply.written[phrase].times(spoken.words)
        self._put(ev.PhraseSpoken(number, phrase, words, spoken.problem))
