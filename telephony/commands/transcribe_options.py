"""The command line's options as Flux's parameters. The usual mistakes are named before anything is opened."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

from telephony.commands.transcribe_source import RATE
from telephony.config.kinds import speech_url
from telephony.config.settings import Settings, SpeechPeer
from telephony.deepgram.flux_options import BadFluxOptions, FluxOptions
from telephony.errors import BadInput, BadSetting

ALWAYS_ON = "Flux needs no such switch: leave it out"
MISTAKES = {
    "language": "Flux takes no language: --model flux-general-en is English; for others flux-general-multi,"
    " with --param language_hint=de",
    "encoding": "it is ours: SOURCE is converted to linear16. It belongs to raw audio, and is left out"
    " with a container (WAV, Ogg, WebM)",
    "sample_rate": f"it is ours: SOURCE is converted to {RATE} Hz",
    "punctuate": "Flux always punctuates: leave it out",
    "smart_format": "Flux always punctuates; for digits say --param numerals=true",
    "interim_results": "Flux always sends updates: leave it out",
    "endpointing": "Flux decides by eot_threshold and eot_timeout_ms",
    "utterance_end_ms": "Flux decides by eot_threshold and eot_timeout_ms",
    "vad_events": "Flux always sends StartOfTurn: leave it out",
    "diarize": "Flux knows no speakers",
    "container": "SOURCE may be in any; it is converted to linear16",
    "channels": "Flux hears one channel",
    "multichannel": "Flux hears one channel",
    "model": "say --model",
}


def flux_options(args: argparse.Namespace, settings: Settings) -> FluxOptions:
    """Settings, and over them the command line. Raises BadInput, naming the parameter."""
    model = args.model or settings.flux_model
    for name in ("language", "encoding", "sample_rate"):
        if (value := getattr(args, name)) is not None:
            raise BadInput(f"--{name.replace('_', '-')} {value}: {MISTAKES[name]}")
    if not model.startswith("flux-"):
        where = (
            "is a model of /v1/listen, which does not have Flux" if "nova" in model else "is not a model name"
        )
        raise BadInput(f"--model {model} {where}: say flux-general-en or flux-general-multi")
    query = [*_from_settings(settings, model).to_query()]
    for name, value in _parameters(args.param):
        query = [*(pair for pair in query if pair[0] != name or _repeatable(name)), (name, value)]
    try:
        options = FluxOptions.from_query(query)
    except BadFluxOptions as error:
        raise BadInput(f"the server would refuse: {error}") from error
    return options


def speech_peer(args: argparse.Namespace, settings: Settings) -> SpeechPeer:
    """Which server: `--url`, else the settings'."""
    if args.url is None:
        return settings.deepgram()
    try:
        url = speech_url().parse(args.url)
    except ValueError as error:
        raise BadSetting("--url", args.url, f"must be {error}") from error
    return replace(settings, deepgram_url=url).deepgram()


def _from_settings(settings: Settings, model: str) -> FluxOptions:
    eager = None if settings.eager == "off" else settings.flux_eager_eot_threshold
    return FluxOptions(
        model=model,
        encoding="linear16",
        sample_rate=RATE,
        eot_threshold=settings.flux_eot_threshold,
        eager_eot_threshold=eager,
        eot_timeout_ms=settings.flux_eot_timeout_ms,
        keyterms=settings.flux_keyterms,
        language_hints=settings.flux_language_hints if model == "flux-general-multi" else (),
    )


def _parameters(given: list[str]) -> Iterator[tuple[str, str]]:
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise BadInput(f"--param {one}: write NAME=VALUE")
        if name in MISTAKES:
            raise BadInput(f"--param {one}: {MISTAKES[name]}")
        yield name, value


def _repeatable(name: str) -> bool:
    return name in ("keyterm", "language_hint", "tag", "redact")
