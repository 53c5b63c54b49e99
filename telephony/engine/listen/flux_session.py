"""Flux's state machine, the service's side: blocks and a client's messages in, Flux messages out. PURE.

READY --StartOfTurn--> TURN --EagerEndOfTurn--> MAYBE_END --TurnResumed--> TURN; EndOfTurn leads to READY.
Recognition measures, the session decides: it has the thresholds, and orders and numbers the messages.
"""

from __future__ import annotations

from dataclasses import replace

from telephony.deepgram.flux_codec import (
    EAGER_END_OF_TURN,
    END_OF_TURN,
    NO_ACTIVE_TURN,
    START_OF_TURN,
    TURN_RESUMED,
    UPDATE,
    Configure,
    ConfigureFailure,
    ConfigureSuccess,
    Connected,
    FatalError,
    ServerMessage,
    TurnInfo,
    Warning,
    Word,
)
from telephony.deepgram.flux_options import BadFluxOptions, FluxOptions
from telephony.deepgram.flux_protocol_check import TRANSITIONS, ServerTurnState
from telephony.engine.listen.masking import masked
from telephony.engine.listen.recognized import BLOCK_S, Block, RecognitionOptions, RecognizedWord
from telephony.errors import LocalProtocolError

UPDATE_EVERY_S = 0.24
"""Seconds of audio from one TurnInfo to the next: the step of the service's captures outside of a pause."""

MANUAL, MODEL, TIMEOUT = "manual", "model", "timeout"
MULTILINGUAL = "flux-general-multi"


class FluxSession:
    """One stream. Every method returns the messages that are due, in order."""

    def __init__(self, options: FluxOptions, request_id: str) -> None:
        self.options = options
        self.request_id = request_id
        self.phase = ServerTurnState.READY
        self.turn_index = 0
        self.turn_ended = False
        """The last call ended a turn: recognition must end it, too, before it gets more audio."""
        self._sequence = 0
        self._window_start = 0.0
        self._last = Block(0.0, 0.0, False, "", (), 0.0, 0.0, False)
        self._reported_s = 0.0
        """Audio up to here is covered by a TurnInfo."""
        self._reported_text = ""
        self._eager_text = ""

    def connected(self) -> Connected:
        """The first message of a stream."""
        return Connected(self.request_id, self._next_id())

    def recognition_options(self) -> RecognitionOptions:
        """What recognition must know of the options in force."""
        options = self.options
        return RecognitionOptions(
            eot_threshold=options.eot,
            eager_eot_threshold=options.eager_eot_threshold,
            eot_timeout_ms=options.timeout_ms,
            keyterms=options.keyterms,
            numerals=bool(options.numerals),
        )

    def block(self, block: Block) -> list[ServerMessage]:
        """The messages due after another 80 ms of audio."""
        block = self._take(block)
        out = [*self._changes(block), *self._endings(block)]
        # A change of state takes the place of the Update (deepgram docs, "state"). Where a forced end came in
        # the middle of a block the steps are shorter: with the next block it would be too late.
        if not out and block.audio_end_s + BLOCK_S - self._reported_s > UPDATE_EVERY_S + 1e-6:
            out.append(self._info(UPDATE, block))
        return out

    def force_end_turn(self, latest: Block | None) -> list[ServerMessage]:
        """The client wants the turn ended; `latest` is all that is known of it by now.

        It supersedes an Eager, and has the text of the message before it.
        """
        block = self._take(latest)
        if not block.in_turn:
            return [self._warning(NO_ACTIVE_TURN, "There is no active turn to end.")]
        out: list[ServerMessage] = []
        if self.phase is ServerTurnState.READY:
            out.append(self._info(START_OF_TURN, block))
        elif block.text != self._reported_text:
            out.append(self._info(TURN_RESUMED if self.phase is ServerTurnState.MAYBE_END else UPDATE, block))
        out.append(self._info(END_OF_TURN, block, MANUAL))
        return out

    def close_stream(self, latest: Block | None) -> list[ServerMessage]:
        """The audio is over: what was not reported yet. An EndOfTurn never follows a CloseStream."""
        block = self._take(latest)
        out: list[ServerMessage] = []
        if self.phase is ServerTurnState.MAYBE_END and block.text != self._eager_text:
            out.append(self._info(TURN_RESUMED, block))
        elif block.audio_end_s > self._reported_s or block.text != self._reported_text:
            out.append(self._info(UPDATE, block))
        return out

    def configure(self, change: Configure) -> list[ServerMessage]:
        """Adopts a change as a whole or not at all, and says which."""
        try:
            wanted = self.options.configured(change)
        except BadFluxOptions as error:
            return [self._refusal(error.problems[0].code, str(error))]
        self.options = wanted
        return [
            ConfigureSuccess(
                wanted.eot,
                wanted.eager_eot_threshold,
                wanted.timeout_ms,
                wanted.keyterms,
                wanted.language_hints if wanted.model == MULTILINGUAL else None,
                bool(wanted.numerals),
                bool(wanted.profanity_filter),
                self._next_id(),
                self.request_id,
            )
        ]

    def failed(self, code: str, description: str) -> FatalError:
        """The last message before the stream is closed."""
        return FatalError(code, description, self._next_id())

    def _take(self, block: Block | None) -> Block:
        self.turn_ended = False
        if block is None:
            return self._last
        if self.phase is not ServerTurnState.READY and not (block.in_turn and block.text):
            raise LocalProtocolError("the recognizer dropped a turn that had begun")
        self._last = block = self._shown(block)
        return block

    def _shown(self, block: Block) -> Block:
        """The block as the client wants to see it."""
        options = self.options
        if not (options.redact or options.profanity_filter) or not block.words:
            return block
        words = masked(block.words, options.redact, bool(options.profanity_filter))
        return replace(block, words=words, text=" ".join(word.word for word in words))

    def _changes(self, block: Block) -> list[ServerMessage]:
        """StartOfTurn, or TurnResumed where the Eager's text does not hold any more."""
        if self.phase is ServerTurnState.READY and block.in_turn:
            return [self._info(START_OF_TURN, block)]
        if self.phase is ServerTurnState.MAYBE_END and not (block.final and block.text == self._eager_text):
            return [self._info(TURN_RESUMED, block)]
        return []

    def _endings(self, block: Block) -> list[ServerMessage]:
        """EagerEndOfTurn and EndOfTurn.

        Where Eagers are wanted a sure end is reported twice: a client that drafts on them has one path then.
        """
        options, out = self.options, list[ServerMessage]()
        eager = options.eager_eot_threshold
        if not (block.in_turn and block.final):
            return out
        if eager is not None and self.phase is ServerTurnState.TURN and block.confidence >= eager:
            self._eager_text = block.text
            out.append(self._info(EAGER_END_OF_TURN, block))
        if not block.confirmed:
            return out
        if block.confidence >= options.eot:
            out.append(self._info(END_OF_TURN, block, MODEL))
        elif block.silence_s >= options.timeout_ms / 1000:
            out.append(self._info(END_OF_TURN, block, TIMEOUT))
        return out

    def _info(self, event: str, block: Block, trigger: str | None = None) -> TurnInfo:
        following = TRANSITIONS.get((self.phase, event))
        if following is None or (event != UPDATE and not block.text):
            raise LocalProtocolError(f"{event} of {block.text!r} in phase {self.phase.name}")
        languages, hinted = self._languages(block)
        info = TurnInfo(
            event,
            self.turn_index,
            block.text,
            tuple(self._word(word, block) for word in block.words),
            round(block.confidence, 4),
            self._window_start,
            round(block.audio_end_s, 4),
            trigger,
            self._next_id(),
            self.request_id,
            languages,
            hinted,
        )
        self.phase, self._reported_s, self._reported_text = following, block.audio_end_s, block.text
        if event == END_OF_TURN:
            self._end_turn(block, info.audio_window_end)
        return info

    def _end_turn(self, block: Block, window_end: float) -> None:
        self.turn_ended = True
        self.turn_index += 1
        self._window_start = window_end
        self._reported_text = ""
        self._last = replace(block, in_turn=False, text="", words=(), silence_s=0.0, final=False)

    def _word(self, word: RecognizedWord, block: Block) -> Word:
        """A word's times lie in the turn's window, whatever the recognizer thought."""
        end = min(max(word.end, self._window_start), block.audio_end_s)
        start = min(max(word.start, self._window_start), end)
        return Word(word.word, round(word.confidence, 4), round(start, 4), round(end, 4))

    def _languages(self, block: Block) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
        """What flux-general-multi adds; this engine recognizes English only."""
        if self.options.model != MULTILINGUAL:
            return None, None
        return ("en",) if block.text else (), self.options.language_hints

    def _warning(self, code: str, description: str) -> Warning:
        return Warning(code, description, self._next_id(), self.request_id)

    def _refusal(self, code: str, description: str) -> ConfigureFailure:
        return ConfigureFailure(code, description, self._next_id(), self.request_id)

    def _next_id(self) -> int:
        number = self._sequence
        self._sequence += 1
        return number
