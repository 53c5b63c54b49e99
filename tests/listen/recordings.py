"""The recorded sessions of the live Flux service, decoded."""

from __future__ import annotations

import json
from pathlib import Path

from telephony.deepgram import flux_codec
from tests.shared import shared_path

CAPTURE = "facts/captures/flux-frames.json"
TRACES = tuple(
    f"calls/flux_traces/dograh_{name}.flux.json"
    for name in ("multi_speaker", "nope", "not_so_sure", "vad", "yes")
)
SESSIONS = (CAPTURE, *TRACES)


def texts(name: str) -> list[str]:
    """The JSON texts of a recorded session, in order."""
    recorded = json.loads(Path(shared_path(name)).read_text())
    if "frames" in recorded:
        return list(recorded["frames"])
    return [json.dumps(event["data"]) for event in recorded["events"]]


def session(name: str) -> list[flux_codec.ServerMessage]:
    """The messages of a recorded session, in order."""
    return [flux_codec.decode_server(text) for text in texts(name)]
