"""The packages that the local engine runs with. They are an extra, so a deployment may not have them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

PURPOSES = {
    "onnxruntime": "finds speech and ends of turns",
    "soxr": "resamples the audio of both directions",
    "moonshine_voice": "recognizes while the caller speaks",
    "ctranslate2": "makes the final transcripts",
    "tokenizers": "makes the final transcripts",
    "piper": "speaks",
}
"""Each package, by the name that it is imported by, and what it does."""

TO_LISTEN = ("onnxruntime", "soxr", "ctranslate2", "tokenizers")
"""Without one of these no word is recognized. moonshine_voice has models only, which may lie here already."""

QUIET = {"ORT_DISABLE_TELEMETRY": "1"}
"""Environment of what loads onnxruntime. Its official builds report their use to their maker, with a number
of this machine, unless this is set before they start (its Privacy.md, "Disabling Telemetry")."""

INSTALL = "pip install -r requirements-local.txt (in the project's folder)"


def absent(names: Iterable[str] = PURPOSES) -> list[str]:
    """Those of the packages that are not installed. They are looked up, not imported."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def not_installed(names: Iterable[str]) -> str:
    """One line about what is missing and what to do."""
    return f"the local speech engine is not installed ({', '.join(names)} missing): {INSTALL}"
