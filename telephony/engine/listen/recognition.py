"""One caller's audio -> one `Block` per 80 ms of it: is a turn open, what was said, has it ended.

This is the seam between the models and the wire. The wire's session (Flux's state machine) owns the
protocol: it pulls blocks and decides by the thresholds; this module measures. Time is audio time: the same
audio gives the same blocks however fast it is fed, because a model's result is used at the block where it is
*due*, and a block waits for what is due at it (on a live stream only briefly, then it comes a block late).

How the session uses it, in one task per stream::

    recognition = Recognition(models, RecognitionOptions(...))
    async for block in recognition.recognize(linear16_at_8000):  # any length, also pieces of a block
        send(session.block(block))
        if session.turn_just_ended:                       # by model, time-out or hand
            recognition.end_turn()                        # BEFORE the next block is pulled
    recognition.configure(options)                        # Configure, between blocks
    block = await recognition.flush()                     # ForceEndTurn, CloseStream: all there is
    recognition.close()                                   # the stream is over; the models stay

What the session may rely on:

* `in_turn` becomes true at the block where StartOfTurn is due: speech was found and `text` is not empty. It
  stays true, with text never empty again, until `end_turn()`. Between turns `text` is "" and `words` ().
* `final`: `text` has everything said in this turn and nobody has spoken since. It becomes false when speech
  has come back (160 ms of it), and that is where TurnResumed is due if an Eager was sent.
* `confirmed`: the `final` text is the final decode's, or an interim one that the final decode confirmed.
  From then on `text` and `words` do not change while `final` stays true. Until then the words' times and
  confidence are the interim decode's, and the text changes once where the final decode found other words:
  TurnResumed is due there, too.
* Eager is due at the first block with `in_turn and final and confidence >= eager_eot_threshold`, EndOfTurn
  at the first with `in_turn and final and confirmed and confidence >= eot_threshold` (model) or, the same,
  `silence_s >= eot_timeout_ms / 1000` (time-out). The final decode is started in time for the lowest
  threshold of the options, so it is there, or follows within a few blocks on a loaded machine.
* Hence EndOfTurn's text equals that of the Eager or TurnResumed before it; the session need not compare.
* `confidence` never reaches 1.0 (eot_threshold 1.0 suppresses it); between turns it means nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import Future
from typing import Final

import numpy as np

from telephony.conversation.backchannel import spoken_words
from telephony.engine.listen.decodes import DecodeJob, Decodes
from telephony.engine.listen.features import Floats
from telephony.engine.listen.interim_transcripts import InterimTranscripts
from telephony.engine.listen.recognition_models import ModelPaths, RecognitionModels
from telephony.engine.listen.recognized import BLOCK_S, Block, RecognitionOptions, RecognizedWord
from telephony.engine.listen.recognizer import Decoded
from telephony.engine.listen.turn_audio import SpeechTrack, TurnAudio
from telephony.engine.listen.turn_detector import (
    DetectorPhase,
    Evidence,
    SoundEvidence,
    TurnClock,
    confidence,
    time_to_reach,
)
from telephony.engine.listen.turn_text import is_dictated, is_spelled
from telephony.engine.listen.turn_words import TurnWords, place
from telephony.engine.listen.vad import BLOCK, VadResult, VoiceActivity

__all__ = [
    "BLOCK_S",
    "Block",
    "RecognizedWord",
    "Recognition",
    "RecognitionModels",
    "RecognitionOptions",
    "ModelPaths",
]

_BEFORE_ONSET_S: Final = 0.35
"""Audio taken before the first block of speech: a soft consonant begins before the detector hears it."""

_SOUND_BLOCKS: Final = frozenset({2, 4, 6, 8, 11, 14})  # of a pause: when smart-turn is asked
_FINAL_AFTER_S: Final = 0.16  # of silence: the final decode begins at the earliest
_FINAL_SOON_S: Final = 0.32  # at the first silent block, where the turn could end as soon as this
_LIKELY: Final = 0.4
"""An interim transcript of which every word is at least this probable is likely to be the final one. It is
shown as final until the final decode, which takes long, has confirmed it."""
_FINAL_LEAD_S: Final = 0.5  # and this long before its text is needed
_FINAL_DUE_S: Final = 0.32  # and its text is shown this much later, needed or not
_SHORT_S: Final = 2.0  # of audio: a word or two
_SETTLE_S: Final = 3.0
_SETTLE_DICTATION_S: Final = 8.0
"""An open segment as long as this is settled at the next pause: given more than a few phrases, Whisper may
leave one out. Numbers and names are recognized better as a whole."""
_CUT_S: Final = 12.0  # and cut without a pause before it outgrows the window of 15 s
_CUT_LOOK_BACK_S: Final = 3.0

# How long a block of a live stream waits for what it needs; later the result comes with a later block.
_ONSET_PATIENCE_S: Final = 0.12
_SOUND_PATIENCE_S: Final = 0.12
_FINAL_PATIENCE_S: Final = 0.3


def _sound(vad: VadResult) -> SoundEvidence:
    if not vad.speech:
        return SoundEvidence.SILENCE
    return SoundEvidence.SPEECH if vad.sure else SoundEvidence.UNSURE


def _loose_words(text: str) -> tuple[str, ...]:
    return spoken_words(text.replace("-", " "))


class Recognition:
    """The recognition of one stream. Not for two tasks at once."""

    def __init__(
        self, models: RecognitionModels, options: RecognitionOptions, live: bool | None = None
    ) -> None:
        """`live` False: wait for every result, however slow the machine; None: found out by the clock."""
        self._options = options
        self._pending = b""
        self._waited = False
        self._voice = VoiceActivity(models.silero)
        self._audio = TurnAudio()
        self._clock = TurnClock()
        self._decodes = Decodes(models, self._audio, live)
        self._speech = SpeechTrack()
        self._words = TurnWords()
        self._interim = InterimTranscripts(self._decodes)
        self._final_job: DecodeJob | None = None
        self._likely = False
        self._final = False
        self._in_turn = False
        self._turn_start_s = 0.0
        self._shown_until_s = 0.0
        """The text has all that was said until then."""
        self._pause_began_s = 0.0
        self._be_quiet()

    async def recognize(self, linear16: bytes, waited: bool = False) -> AsyncIterator[Block]:
        """Take linear16 at 8000 Hz, any number of bytes; yield a block for each 80 ms completed.

        `waited`: all audio before it was processed when it came, so that a delay is the line's, not ours.
        """
        self._pending += linear16
        self._waited = waited
        while len(self._pending) >= 2 * BLOCK:
            raw, self._pending = self._pending[: 2 * BLOCK], self._pending[2 * BLOCK :]
            yield await self._step(np.frombuffer(raw, "<i2").astype(np.float32) / 32768.0)

    async def flush(self) -> Block | None:
        """The final decode of what the open turn has; None outside a turn.

        What is less than a block is left out: it is too short to be a word.
        """
        if self._clock.phase in (DetectorPhase.QUIET, DetectorPhase.STIRRING):
            return None
        if not self._final:
            job = self._final_job
            if job is None or job.end_s < self._clock.speech_end_s or job.cut:
                await self._show_cut(None)
                self._start_final_decode(self._audio.end_s)
            await self._show_final(None)
        if not self._words.text:
            return None
        self._in_turn = True
        return self._block(0.0)

    def end_turn(self) -> None:
        """The session has ended the turn: what comes belongs to the next."""
        self._clock.end_turn()
        self._be_quiet()

    def configure(self, options: RecognitionOptions) -> None:
        """New options, from the next block on."""
        self._options = options

    def close(self) -> None:
        """Give up what is being decoded for this stream."""
        self._interim.cancel()
        self._drop_final_job()

    def _be_quiet(self) -> None:
        self.close()
        self._words.begin(self._audio.end_s)
        self._in_turn = False
        self._likely = False
        self._final = False
        self._sounds: list[float] = []
        self._sound: Future[float] | None = None
        # The last turn's final transcript has all that was said until here.
        self._not_before_s = min(self._audio.end_s, self._clock.speech_end_s + _FINAL_AFTER_S)

    async def _step(self, samples: Floats) -> Block:
        self._decodes.arrived(self._audio.end_s, self._waited)
        self._waited = False
        vad = await self._decodes.listen(lambda: self._take(samples))
        self._speech.add(self._audio.end_s, vad.probability)
        before = self._clock.phase
        match before, self._clock.step(self._audio.end_s, _sound(vad)):
            case DetectorPhase.STIRRING, DetectorPhase.SPEAKING:
                await self._begin()
            case DetectorPhase.BACK, DetectorPhase.SPEAKING:
                await self._resume()
            case _, DetectorPhase.SPEAKING:
                await self._go_on()
            case _, DetectorPhase.PAUSE | DetectorPhase.BACK:
                await self._pause()
        return self._block(vad.probability)

    def _take(self, samples: Floats) -> VadResult:
        vad = self._voice.receive(samples)
        self._audio.append(vad.samples)
        return vad

    async def _begin(self) -> None:
        self._words.begin(max(self._not_before_s, self._clock.onset_s - _BEFORE_ONSET_S))
        self._turn_start_s = self._words.start_s
        self._interim.begin(self._words.start_s, self._audio.end_s)
        await self._show_interim(_ONSET_PATIENCE_S)

    async def _resume(self) -> None:
        """Speech is back after a pause: what the final decode covers is settled, if it is long enough."""
        pause_s, back_s = self._pause_began_s, self._clock.onset_s
        shown = self._final
        self._likely = False
        self._final = False
        self._sounds = []
        self._sound = None
        # A gap between two words is not a place to settle at: both sides are recognized better together.
        long = self._is_long(pause_s) and back_s - pause_s >= _FINAL_AFTER_S - 1e-6
        if self._final_job is not None and not self._final_job.cut:
            shown = long and await self._show_final(_FINAL_PATIENCE_S)
            self._drop_final_job()
        self._final = False
        if shown and long:
            self._settle(max(pause_s, back_s - _BEFORE_ONSET_S))
        self._interim.resume(self._audio.end_s)

    async def _go_on(self) -> None:
        """Speech goes on: an interim transcript now and then, and a cut before it outgrows the window."""
        now_s = self._audio.end_s
        await self._show_interim(0.0)
        if self._final_job is not None and now_s >= self._final_job.due_s - 1e-6:
            await self._show_cut(0.0)
        self._interim.tick(now_s)
        if self._final_job is None and now_s - self._words.start_s > _CUT_S:
            cut_s = self._speech.weakest_s(now_s - _CUT_LOOK_BACK_S)
            self._start_final_decode(cut_s, cut=True, urgent=False)

    async def _pause(self) -> None:
        silence_s = self._clock.silence_s
        await self._show_interim(0.0)
        if self._clock.phase is DetectorPhase.PAUSE:
            self._pause_began_s = self._clock.speech_end_s
            self._prepare_at_once(silence_s)
            await self._ask_smart_turn(silence_s)
            if silence_s >= _FINAL_AFTER_S - 1e-6:
                await self._prepare_final_decode(silence_s)
        await self._show_final_in_time()
        if self._final and not self._in_turn:
            self.end_turn()  # nothing was said after all

    def _prepare_at_once(self, silence_s: float) -> None:
        """A final decode takes three blocks: where drafts are wanted it begins at the first silence.

        Not of a single word: a first letter spelled alone must not become a "yes".
        """
        if self._final or self._final_job is not None or self._options.eager_eot_threshold is None:
            return
        if len(self._words.words) < 2 and self._audio.end_s - self._words.start_s < _SHORT_S:
            return
        soonest = Evidence(silence_s, (1.0,), self._words.text)
        if time_to_reach(self._options.first_threshold, soonest) <= _FINAL_SOON_S:
            self._interim.close_up(self._audio.end_s)
            self._start_final_decode(self._audio.end_s)

    async def _prepare_final_decode(self, silence_s: float) -> None:
        """Not in every short pause: where the turn may be over soon, or a long segment can be settled."""
        if self._final or not (self._final_job is None or self._final_job.cut):
            return
        reach_s = time_to_reach(self._options.first_threshold, self._evidence())
        near = silence_s >= min(reach_s, self._options.eot_timeout_ms / 1000) - _FINAL_LEAD_S
        if near or self._is_long(self._clock.speech_end_s):
            await self._show_cut(None)
            self._start_final_decode(self._audio.end_s, urgent=near)

    async def _show_final_in_time(self) -> None:
        job = self._final_job
        if job is not None and self._needed():
            self._decodes.hurry(job)
            if not await self._show_final(_FINAL_PATIENCE_S) and self._decodes.is_overdue(job):
                self._do_without(job)
        elif job is not None and self._audio.end_s >= job.due_s - 1e-6:
            await self._show_final(0.0)

    def _do_without(self, job: DecodeJob) -> None:
        """The machine is overloaded: the interim transcript is the final one, if it has all that was said."""
        if self._shown_until_s < self._clock.speech_end_s - 1e-6:
            if not self._interim.covers(self._clock.speech_end_s):
                self._interim.close_up(self._audio.end_s)
        elif self._decodes.is_overdue(job, is_dictated(self._words.text)):
            self._drop_final_job()
            self._final = True

    def _is_long(self, end_s: float) -> bool:
        """Whether the open segment is worth settling."""
        least = _SETTLE_DICTATION_S if is_dictated(self._words.text) else _SETTLE_S
        return end_s - self._words.start_s >= least

    async def _ask_smart_turn(self, silence_s: float) -> None:
        """Now and then in a pause: does it sound like an end? An answer that comes late still counts."""
        if self._sound is None and round(silence_s / BLOCK_S) in _SOUND_BLOCKS:
            self._sound = self._decodes.sound(self._turn_start_s)
        if self._sound is not None:
            sound = await self._decodes.within(self._sound, _SOUND_PATIENCE_S)
            if sound is not None:
                self._sounds.append(sound)
                self._sound = None

    def _needed(self) -> bool:
        """The session may act on this block: its text must be confirmed, for an Eager at least likely."""
        options = self._options
        threshold = options.eot_threshold if self._likely else options.first_threshold
        return self._confidence() >= threshold or self._clock.silence_s >= options.eot_timeout_ms / 1000

    def _start_final_decode(self, end_s: float, cut: bool = False, urgent: bool = True) -> None:
        now_s = self._audio.end_s
        # The interim transcript of a short turn is a guess: the final one is shown at once.
        due_s = now_s + (BLOCK_S if now_s - self._words.start_s < _SHORT_S else _FINAL_DUE_S)
        spelled = is_spelled(self._words.text)
        self._final_job = self._decodes.final(
            self._words.start_s, end_s, due_s, self._options, spelled=spelled, urgent=urgent
        )
        self._final_job.cut = cut

    def _drop_final_job(self) -> None:
        if self._final_job is not None:
            self._final_job.future.cancel()
            self._final_job = None

    async def _show_interim(self, patience_s: float) -> None:
        found = await self._interim.take(self._audio.end_s, patience_s)
        if found is not None and not self._final:  # a final transcript that came meanwhile is better
            self._show(*found)
            self._likely = self._is_likely(*found)

    def _is_likely(self, decoded: Decoded, job: DecodeJob) -> bool:
        """Whether an interim transcript may be the final one."""
        return (
            self._clock.phase is DetectorPhase.PAUSE
            and self._final_job is not None
            and job.end_s >= self._clock.speech_end_s + BLOCK_S - 1e-6
            and all(piece.probability >= _LIKELY for piece in decoded.pieces)
            and bool(self._words.text)
            and not is_dictated(self._words.text)
        )

    async def _show_final(self, patience_s: float | None) -> bool:
        job = self._final_job
        if job is None:
            return False
        decoded = await self._decodes.result(job, patience_s)
        if decoded is None:
            return False
        self._final_job = None
        if self._likely and self._same_words(decoded, job):
            self._words.confirm(self._placed(decoded, job))
        else:
            self._show(decoded, job)
        self._likely = False
        self._final = True
        return True

    async def _show_cut(self, patience_s: float | None) -> None:
        """The beginning of a long segment is decoded: settle it."""
        job = self._final_job
        if job is None or not job.cut:
            return
        decoded = await self._decodes.result(job, patience_s)
        if decoded is None:
            return
        self._final_job = None
        self._show(decoded, job)
        self._settle(job.end_s)

    def _settle(self, at_s: float) -> None:
        self._words.settle(at_s)
        self._interim.move(at_s, self._audio.end_s)

    def _show(self, decoded: Decoded, job: DecodeJob) -> None:
        self._words.set_open(self._placed(decoded, job))
        self._shown_until_s = job.end_s
        self._in_turn = self._in_turn or bool(self._words.text)

    def _placed(self, decoded: Decoded, job: DecodeJob) -> list[RecognizedWord]:
        spans = self._speech.spans(job.start_s, job.end_s)
        return place(decoded.pieces, job.start_s, spans, self._options.numerals)

    def _same_words(self, decoded: Decoded, job: DecodeJob) -> bool:
        """Whether the text shown has these very words; how they are written does not matter."""
        text = " ".join(word.word for word in self._placed(decoded, job))
        return _loose_words(text) == _loose_words(self._words.open_text)

    def _evidence(self) -> Evidence:
        return Evidence(self._clock.silence_s, tuple(self._sounds), self._words.text)

    def _confidence(self) -> float:
        return confidence(self._clock.phase, self._evidence())

    def _block(self, probability: float) -> Block:
        return Block(
            audio_end_s=self._audio.end_s,
            speech=probability,
            in_turn=self._in_turn,
            text=self._words.text if self._in_turn else "",
            words=self._words.words if self._in_turn else (),
            confidence=self._confidence(),
            silence_s=self._clock.silence_s if self._in_turn else 0.0,
            final=(self._final or self._likely) and self._in_turn,
            confirmed=self._final,
        )
