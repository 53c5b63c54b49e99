"""The usual mistakes are named before anything is opened."""

from __future__ import annotations

import argparse

import pytest

from telephony.commands.transcribe import add_arguments
from telephony.commands.transcribe_options import flux_options, speech_peer
from telephony.config.settings import Settings
from telephony.deepgram.flux_options import FluxOptions
from telephony.errors import BadInput


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(["talk.wav", *words])


def options(*words: str, **environ: str) -> FluxOptions:
    return flux_options(parsed(*words), Settings.load(environ))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "flux"), "flux-general-en"),
        (("--model", "nova-3"), "/v1/listen"),
        (("--language", "en"), "Flux takes no language"),
        (("--param", "language=en"), "Flux takes no language"),
        (("--encoding", "opus"), "left out with a container"),
        (("--sample-rate", "8000"), "16000 Hz"),
        (("--param", "container=wav"), "may be in any"),
        (("--param", "encoding=mulaw"), "left out with a container"),
        (("--param", "sample_rate=44100"), "16000 Hz"),
        (("--param", "interim_results=true"), "always sends updates"),
        (("--param", "eot_threshold=0.4"), "eot_threshold"),
        (("--param", "eager_eot_threshold=0.8"), "eager_eot_threshold"),
        (("--param", "nonsense=1"), "nonsense"),
        (("--param", "keyterm"), "NAME=VALUE"),
        (("--param", "language_hint=de"), "language_hint"),
    ],
)
def test_a_mistake_is_refused_in_words_that_help(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        options(*words)


@pytest.mark.parametrize(
    "url", ["ws://127.0.0.1:1/v1/listen", "wss://api.deepgram.com/v1", "api.deepgram.com"]
)
def test_a_server_is_named_by_its_bare_address(url: str) -> None:
    with pytest.raises(BadInput, match="/v1 has no Flux"):
        speech_peer(parsed("--url", url), Settings.load({}))


def test_what_is_sent_is_linear16_at_16000_hz_whatever_calls_use() -> None:
    made = options(FLUX_ENCODING="mulaw")
    assert (made.encoding, made.sample_rate, made.model) == ("linear16", 16000, "flux-general-en")


def test_parameters_replace_settings_and_may_repeat() -> None:
    made = options(
        "--param",
        "eot_threshold=0.8",
        "--param",
        "keyterm=a b",
        "--param",
        "keyterm=c",
        FLUX_EOT_THRESHOLD="0.9",
    )
    assert (made.eot_threshold, made.keyterms) == (0.8, ("a b", "c"))


def test_url_wins_over_the_settings() -> None:
    assert speech_peer(parsed("--url", "http://127.0.0.1:9"), Settings.load({})).url == "ws://127.0.0.1:9"
    assert speech_peer(parsed(), Settings.load({})).local
