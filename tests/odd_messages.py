"""Messages of speech services with a value that no call can have, one mutation each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

TURN_INFO: dict[str, Any] = {
    "type": "TurnInfo",
    "request_id": "r",
    "event": "Update",
    "turn_index": 0,
    "audio_window_start": 0.0,
    "audio_window_end": 1.0,
    "transcript": "hello there",
    "words": [
        {"word": "hello", "confidence": 0.9, "start": 0.1, "end": 0.4},
        {"word": "there", "confidence": 0.9, "start": 0.4, "end": 0.8},
    ],
    "end_of_turn_confidence": 0.1,
    "sequence_id": 5,
}
CONFIGURED: dict[str, Any] = {
    "type": "ConfigureSuccess",
    "thresholds": {"eot_threshold": 0.7, "eager_eot_threshold": 0.5, "eot_timeout_ms": 5000},
    "keyterms": [],
    "sequence_id": 6,
}
SPOKEN: dict[str, Any] = {
    "type": "SpeechMetadata",
    "speech_id": "SPEECH_ID",
    "words": [{"word": "Hi.", "start": 0.0, "end": 0.2}],
}
VALUES: tuple[Any, ...] = (
    1e308, -1e308, 1e9, 10**30, 2**63, 2**53 + 1, -1, -0.5, True, "1e400", "NaN", "inf", "-1", "", None, [],
    [1.0], {}, {"a": 1}, "x" * 5000, "\u0000", 0,
)  # fmt: skip
RAW = ("NaN", "Infinity", "-Infinity", "1e999", "1" * 5000, "[" * 2000 + "]" * 2000)
"""Put in place of a number, as no JSON library of ours would write them."""


def mutations(message: dict[str, Any]) -> Iterator[str]:
    """The message with each of its values, inner ones too, replaced by each of VALUES, RAW, and left out."""
    text = json.dumps(message)
    for path in _paths(message):
        for value in VALUES:
            changed = json.loads(text)
            _set(changed, path, value)
            yield json.dumps(changed)
        changed = json.loads(text)
        _set(changed, path, "HERE")
        for raw in RAW:
            yield json.dumps(changed).replace('"HERE"', raw)
        changed = json.loads(text)
        _delete(changed, path)
        yield json.dumps(changed)


def _paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        if name != "type":
            yield (*before, name)
        yield from _paths(one, (*before, name))


def _set(value: Any, path: tuple[Any, ...], to: Any) -> None:
    for name in path[:-1]:
        value = value[name]
    value[path[-1]] = to


def _delete(value: Any, path: tuple[Any, ...]) -> None:
    for name in path[:-1]:
        value = value[name]
    del value[path[-1]]
