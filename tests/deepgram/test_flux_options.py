"""A connection is checked here as the service checks it, and the refusal names the parameter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.deepgram import flux_codec

RAW = {"encoding": "linear16", "sample_rate": "16000"}

REFUSED = [
    ({"model": ""}, "model", 400),
    ({"model": "flux"}, "model", 403),
    ({"model": "nova-3"}, "model", 403),
    ({"encoding": "mp3"}, "encoding", 400),
    ({"encoding": "mulaw", "sample_rate": "11025"}, "sample_rate", 400),
    ({"sample_rate": "16 000"}, "sample_rate", 400),
    ({"eot_threshold": "0.49"}, "eot_threshold", 400),
    ({"eot_threshold": "1.01"}, "eot_threshold", 400),
    ({"eot_threshold": "nan"}, "eot_threshold", 400),
    ({"eot_threshold": "high"}, "eot_threshold", 400),
    ({"eager_eot_threshold": "0.29"}, "eager_eot_threshold", 400),
    ({"eager_eot_threshold": "0.91", "eot_threshold": "1.0"}, "eager_eot_threshold", 400),
    ({"eager_eot_threshold": "0.8"}, "eager_eot_threshold", 400),
    ({"eager_eot_threshold": "0.6", "eot_threshold": "0.5"}, "eager_eot_threshold", 400),
    ({"eot_timeout_ms": "499"}, "eot_timeout_ms", 400),
    ({"eot_timeout_ms": "60001"}, "eot_timeout_ms", 400),
    ({"eot_timeout_ms": "5000.0"}, "eot_timeout_ms", 400),
    ({"keyterm": " "}, "keyterm", 400),
    ({"keyterm": "word " * 501}, "keyterm", 400),
    ({"language_hint": "en"}, "language_hint", 400),
    ({"model": "flux-general-multi", "language_hint": ""}, "language_hint", 400),
    ({"model": "flux-general-multi", "language_hint": "tlh"}, "language_hint", 400),
    ({"numerals": "1"}, "numerals", 400),
    ({"profanity_filter": "True"}, "profanity_filter", 400),
    ({"mip_opt_out": ""}, "mip_opt_out", 400),
    ({"redact": "names"}, "redact", 400),
    ({"punctuate": "true"}, "punctuate", 400),
    ({"interim_results": "true"}, "interim_results", 400),
    ({"eot_threshold": "0_7"}, "eot_threshold", 400),
    ({"eot_threshold": ""}, "eot_threshold", 400),
    ({"encoding": ""}, "encoding", 400),
    ({"sample_rate": ""}, "sample_rate", 400),
    ({"tag": ""}, "tag", 400),
]


@pytest.mark.parametrize(("changes", "parameter", "status"), REFUSED, ids=str)
def test_what_the_service_refuses_is_refused_by_name(
    changes: dict[str, str], parameter: str, status: int
) -> None:
    """Every bad value yields one problem, which names its parameter and the status of the handshake."""
    query = {"model": "flux-general-en", **RAW, **changes}
    with pytest.raises(flux_codec.BadFluxOptions) as refused:
        flux_codec.FluxOptions.from_query(query.items())
    assert [(p.parameter, p.status) for p in refused.value.problems] == [(parameter, status)]


@pytest.mark.parametrize("name", ["model", "encoding", "sample_rate", "eot_threshold", "numerals"])
def test_what_can_be_said_once_is_refused_when_said_twice(name: str) -> None:
    """Which of the two would hold? Lists are repeated freely."""
    said = {"model": "flux-general-en", **RAW, "eot_threshold": "0.7", "numerals": "true"}
    with pytest.raises(flux_codec.BadFluxOptions, match=f"^{name}: given twice$"):
        flux_codec.FluxOptions.from_query([*said.items(), (name, said[name])])
    lists = [("keyterm", "a"), ("keyterm", "b"), ("tag", "x"), ("tag", "y")]
    assert flux_codec.FluxOptions.from_query([*said.items(), *lists]).keyterms == ("a", "b")


def test_ogg_says_its_rate_itself() -> None:
    """A container with a name of its own: the rate stands in its header."""
    query = [("model", "flux-general-en"), ("encoding", "ogg-opus")]
    assert flux_codec.FluxOptions.from_query(query).sample_rate is None


@pytest.mark.parametrize(
    ("query", "parameter"),
    [([("encoding", "mulaw")], "sample_rate"), ([("sample_rate", "8000")], "encoding")],
)
def test_raw_audio_needs_encoding_and_rate(query: list[tuple[str, str]], parameter: str) -> None:
    """Either alone is refused; neither means a container."""
    with pytest.raises(flux_codec.BadFluxOptions, match=f"{parameter}: required"):
        flux_codec.FluxOptions.from_query([("model", "flux-general-en"), *query])
    assert flux_codec.FluxOptions.from_query([("model", "flux-general-en")]).encoding is None


def test_the_edges_of_every_range_are_allowed() -> None:
    """Bounds are inclusive."""
    for eot, eager, timeout in ((0.5, 0.3, 500), (1.0, 0.9, 60000), (0.7, 0.7, 5000)):
        options = flux_codec.FluxOptions(
            eot_threshold=eot,
            eager_eot_threshold=eager,
            eot_timeout_ms=timeout,
            encoding="mulaw",
            sample_rate=8000,
        )
        assert options.validate() == []


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


OPTIONS = st.builds(
    flux_codec.FluxOptions,
    model=st.just("flux-general-multi"),
    encoding=st.just("linear16"),
    sample_rate=st.sampled_from([8000, 16000]),
    eot_threshold=maybe(st.floats(0.7, 1.0)),
    eager_eot_threshold=maybe(st.floats(0.3, 0.7)),
    eot_timeout_ms=maybe(st.integers(500, 60000)),
    keyterms=st.lists(st.text(min_size=1, max_size=9).filter(str.strip), max_size=3).map(tuple),
    language_hints=st.lists(st.sampled_from(["en", "es"]), max_size=2).map(tuple),
    numerals=maybe(st.booleans()),
    profanity_filter=maybe(st.booleans()),
    redact=st.lists(st.just("numbers"), max_size=1).map(tuple),
    tags=st.lists(st.text(min_size=1, max_size=4), max_size=2).map(tuple),
)


@given(OPTIONS)
def test_a_query_is_read_as_it_was_written(options: flux_codec.FluxOptions) -> None:
    """Both sides of the handshake agree on every legal connection."""
    assert flux_codec.FluxOptions.from_query(options.to_query()) == options


def test_a_configure_is_all_or_nothing() -> None:
    """One bad value leaves every other value as it was, and the failure has the service's code."""
    options = flux_codec.FluxOptions(eot_threshold=0.7, eager_eot_threshold=0.5)
    with pytest.raises(flux_codec.BadFluxOptions) as refused:
        options.configured(flux_codec.Configure(eot_threshold=0.9, eager_eot_threshold=0.95))
    assert [p.code for p in refused.value.problems] == ["INVALID_THRESHOLD"]
    assert options.eot == 0.7
    with pytest.raises(flux_codec.BadFluxOptions, match="eager_eot_threshold"):
        flux_codec.FluxOptions(eot_threshold=0.9, eager_eot_threshold=0.8).configured(
            flux_codec.Configure(eot_threshold=0.7)
        )


def test_a_configure_changes_only_what_it_names() -> None:
    """Omitted keeps, an empty list clears."""
    options = flux_codec.FluxOptions(eager_eot_threshold=0.5, keyterms=("Acme",), numerals=True)
    changed = options.configured(flux_codec.Configure(eot_timeout_ms=9000))
    assert (changed.timeout_ms, changed.eager_eot_threshold, changed.keyterms) == (9000, 0.5, ("Acme",))
    assert options.configured(flux_codec.Configure(keyterms=())).keyterms == ()


def test_a_configure_takes_a_hundred_keyterms() -> None:
    """The limit of a Configure counts entries."""
    options = flux_codec.FluxOptions()
    hundred = tuple(f"word{n}" for n in range(100))
    assert options.configured(flux_codec.Configure(keyterms=hundred)).keyterms == hundred
    with pytest.raises(flux_codec.BadFluxOptions) as refused:
        options.configured(flux_codec.Configure(keyterms=(*hundred, "more")))
    assert refused.value.problems[0].code == "INVALID_KEYTERMS"
