"""The model of interim transcripts: Moonshine tiny-en, while the caller is still speaking.

Its two networks run straight in onnxruntime (the package's own library hides the token probabilities, and its
voice detector clips words). A decode costs about 20 ms of CPU per second of audio: one every half second is
affordable. The last text is used as a guess: the decoder checks the whole guess in one step
and goes on from where it differs. That saves most of the steps, and changes a result only by the rounding of
the int8 network, which scales a step as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr

from telephony.engine.listen.features import RATE, Floats
from telephony.engine.listen.onnx import load_network
from telephony.engine.listen.turn_words import WordPiece

_START: Final = 1
_END: Final = 2
_TOKENS_PER_S: Final = 6.5  # the model's card: more is a loop, not speech
_SILENCE_AFTER: Final = 4800  # samples at 16 kHz: after a word cut off at 0.5 s it makes fewer words up
_LAYERS: Final = 6
_HEADS: Final = 8
_HEAD_SIZE: Final = 36


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a recognizer made of some audio."""

    pieces: tuple[WordPiece, ...]
    tokens: tuple[int, ...] = ()
    """For the next decode of the same, longer audio as its guess."""

    @property
    def text(self) -> str:
        return " ".join(piece.word for piece in self.pieces)


def pieces_of(texts: Sequence[str], probabilities: Sequence[float]) -> list[tuple[str, float, int, int]]:
    """Token texts -> words: (word, mean probability of its letters' tokens, first token, after the last)."""
    words: list[tuple[str, list[float], int, int]] = []
    for index, (text, probability) in enumerate(zip(texts, probabilities, strict=True)):
        if text.startswith(" ") or not words:
            words.append((text.strip(), [probability], index, index + 1))
            continue
        word, known, first, _ = words[-1]
        if any(letter.isalnum() for letter in text):
            known = [*known, probability]
        words[-1] = (word + text, known, first, index + 1)
    return [
        (word, sum(known) / len(known), first, after)
        for word, known, first, after in words
        if any(letter.isalnum() for letter in word)
    ]


def _read_vocabulary(path: Path) -> list[str]:
    """tokenizer.bin: for each token its length (one byte, two from 128 on) and its bytes."""
    data = path.read_bytes()
    tokens: list[bytes] = []
    at = 0
    while at < len(data):
        length = data[at]
        at += 1
        if length >= 128:
            length += data[at] * 128 - 128
            at += 1
        tokens.append(data[at : at + length])
        at += length
    return [token.decode("utf-8", "ignore").replace("\u2581", " ") for token in tokens]


class Moonshine:
    """Moonshine tiny-en, 8 kHz audio to text."""

    def __init__(self, folder: Path) -> None:
        self._encoder = load_network(folder / "encoder_model.ort", log_severity=4)
        self._decoder = load_network(folder / "decoder_model_merged.ort", log_severity=4)
        self._outputs = [output.name for output in self._decoder.get_outputs()]
        self._vocabulary = _read_vocabulary(folder / "tokenizer.bin")

    def decode(self, samples: Floats, guess: Sequence[int] = ()) -> Decoded:
        """`samples` at 8000 Hz in -1 to 1; `guess`: the tokens of the last decode of this audio's start."""
        audio = np.asarray(soxr.resample(samples, RATE, 2 * RATE, quality="MQ"), dtype=np.float32)
        limit = int(len(audio) / (2 * RATE) * _TOKENS_PER_S) + 2
        audio = np.pad(audio, (0, _SILENCE_AFTER))
        tokens, probabilities = self._greedy(audio, list(guess[:limit]), limit)
        texts = [self._text(token) for token in tokens]
        found = pieces_of(texts, probabilities)
        return Decoded(
            tuple(WordPiece(word, probability) for word, probability, _, _ in found), tuple(tokens)
        )

    def _text(self, token: int) -> str:
        text = self._vocabulary[token]
        byte = re.fullmatch(r"<0x([0-9A-F]{2})>", text)
        return chr(int(byte[1], 16)) if byte else text

    def _greedy(self, audio: Floats, guess: list[int], limit: int) -> tuple[list[int], list[float]]:
        state = self._encode(audio)
        step = [_START, *guess]
        tokens: list[int] = []
        probabilities: list[float] = []
        while len(tokens) < limit:
            logits = self._advance(state, step)
            accepted = 0
            ended = False
            for position in range(len(step)):
                token, probability = _best(logits[position])
                if token == _END:
                    ended = True
                    break
                tokens.append(token)
                probabilities.append(probability)
                accepted += 1
                if position + 1 < len(step) and step[position + 1] != token:
                    break
            if ended:
                break
            _keep(state, len(tokens))
            step = [tokens[-1]]
        return tokens[:limit], probabilities[:limit]

    def _encode(self, audio: Floats) -> dict[str, Any]:
        mask = np.ones((1, len(audio)), np.int64)
        hidden = self._encoder.run(None, {"input_values": audio[None], "attention_mask": mask})[0]
        state: dict[str, Any] = {"encoder_attention_mask": mask, "encoder_hidden_states": hidden}
        empty = np.zeros((1, _HEADS, 0, _HEAD_SIZE), np.float32)
        for layer in range(_LAYERS):
            for part in ("decoder.key", "decoder.value", "encoder.key", "encoder.value"):
                state[f"past_key_values.{layer}.{part}"] = empty
        return state

    def _advance(self, state: dict[str, Any], step: list[int]) -> Floats:
        """Run the decoder over `step`; its memory moves into `state`."""
        first = state["past_key_values.0.decoder.key"].shape[2] == 0
        values = self._decoder.run(
            None,
            {**state, "input_ids": np.array([step], np.int64), "use_cache_branch": np.array([not first])},
        )
        outputs = dict(zip(self._outputs, values, strict=True))
        for name, value in outputs.items():
            # The audio's own keys come out of the first step only; later ones give a dummy.
            if name.startswith("present") and (first or ".decoder." in name):
                state[name.replace("present", "past_key_values")] = value
        logits: Floats = outputs["logits"][0]
        return logits


def _best(logits: Floats) -> tuple[int, float]:
    token = int(logits.argmax())
    return token, float(1.0 / np.exp(logits - logits[token]).sum())


def _keep(state: dict[str, Any], count: int) -> None:
    """Forget what the decoder remembers of refused guesses: keep its first `count` steps."""
    for name, value in state.items():
        if ".decoder." in name and value.shape[2] > count:
            state[name] = np.ascontiguousarray(value[:, :, :count])
