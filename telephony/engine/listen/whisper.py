"""The model of final transcripts: Whisper base int8 through ctranslate2.

The encoder gets a window of 15 s instead of the 30 s it was trained on: a third of the cost for the same
errors (10 s and less break it). Three beams make a tenth less errors than one and cost a tenth more of the
decoder's time; a cap on tokens ends a loop soon. Words' probabilities and times come from one more pass of
the decoder over the found text, which aligns it with the audio.

Numbers come as digits (ITN is Whisper's own): forbidding digits doubles the errors in dictated ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from telephony.engine.listen.features import FRAMES_PER_S, Floats, log_mel
from telephony.engine.listen.recognizer import Decoded, pieces_of
from telephony.engine.listen.turn_words import WordPiece

WINDOW_S: Final = 15.0
_WINDOW_FRAMES: Final = int(WINDOW_S * FRAMES_PER_S)
_BEAMS: Final = 3
_TOKENS_FIXED: Final = 20
_TOKENS_PER_S: Final = 8
_PROMPT_TOKENS: Final = 60  # a longer list of expected words slows every step
_TEXT_TOKENS: Final = 50257  # ids from here on are marks
_CALL: Final = " Okay. Yes. Go ahead."
_LETTERS: Final = " A, B, C, D, E."
"""What the caller seems to have said before. Any talk makes a tenth less errors in noise, and the next text
is cased and punctuated like it; after letters, letters come as such and not as a word that sounds alike."""
_ALIGN_STEP_S: Final = 0.02  # one step of the encoder's output


class Whisper:
    """Whisper in a 15 s window."""

    def __init__(self, folder: Path, at_once: int = 1) -> None:
        """`at_once`: how many threads may decode at the same time; each one more takes 30 MB."""
        import ctranslate2
        import tokenizers

        self._model = ctranslate2.models.Whisper(
            str(folder), device="cpu", compute_type="int8", intra_threads=1, inter_threads=at_once
        )
        self._storage = ctranslate2.StorageView
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._start = self._ids("<|startoftranscript|>", "<|en|>", "<|transcribe|>")
        self._prompt = [*self._start, *self._ids("<|notimestamps|>")]
        self._before = self._ids("<|startofprev|>")

    def decode(self, power: Floats, keyterms: Sequence[str] = (), spelled: bool = False) -> Decoded:
        """`power`: mel power of at most 15 s; `spelled`: letters are being dictated."""
        seconds = len(power) / FRAMES_PER_S
        features = self._storage.from_array(log_mel(power, _WINDOW_FRAMES)[None])
        encoded = self._model.encode(features)
        prompt = [*self._expecting(keyterms, spelled), *self._prompt]
        result = self._model.generate(
            encoded,
            [prompt],
            beam_size=_BEAMS,
            max_length=len(prompt) + _TOKENS_FIXED + int(_TOKENS_PER_S * seconds),
        )[0]
        tokens = [token for token in result.sequences_ids[0] if token < _TEXT_TOKENS]
        if not tokens:
            return Decoded(())
        return Decoded(tuple(self._aligned(encoded, tokens, len(power))))

    def _aligned(self, encoded: Any, tokens: list[int], frames: int) -> list[WordPiece]:
        aligned = self._model.align(encoded, self._start, [tokens], [min(frames, _WINDOW_FRAMES)])[0]
        starts = _token_starts(aligned.alignments, len(tokens))
        texts = self._texts(tokens)
        return [
            WordPiece(word, probability, starts[first], starts[after])
            for word, probability, first, after in pieces_of(texts, aligned.text_token_probs)
        ]

    def _texts(self, tokens: list[int]) -> list[str]:
        """Each token's text; a letter cut over tokens goes to the last of them."""
        texts: list[str] = []
        done = 0
        for count in range(1, len(tokens) + 1):
            text = self._tokenizer.decode(tokens[:count])
            if text.endswith("\ufffd"):
                texts.append("")
                continue
            texts.append(text[done:])
            done = len(text)
        return texts

    def _expecting(self, keyterms: Sequence[str], spelled: bool) -> list[int]:
        """The text before this one: words like its words become likelier."""
        terms = f" {', '.join(keyterms)}." if keyterms else ""
        text = _LETTERS if spelled else terms + _CALL
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return [*self._before, *ids[-_PROMPT_TOKENS:]]

    def _ids(self, *marks: str) -> list[int]:
        vocabulary: dict[str, int] = self._tokenizer.get_vocab(with_added_tokens=True)
        return [vocabulary[mark] for mark in marks]


def _token_starts(path: Sequence[tuple[int, int]], count: int) -> list[float]:
    """Where each of `count` tokens, and the end after them, begins, seconds; from (token, step) pairs."""
    starts = np.full(count + 1, -1.0)
    for token, step in path:
        if token <= count and starts[token] < 0:
            starts[token] = step * _ALIGN_STEP_S
    if path:
        last = max(step for _, step in path) * _ALIGN_STEP_S
        starts[count] = starts[count] if starts[count] >= 0 else last
    for index in range(count - 1, -1, -1):
        if starts[index] < 0:
            starts[index] = starts[index + 1]
    return [float(value) for value in np.maximum.accumulate(np.maximum(starts, 0.0))]
