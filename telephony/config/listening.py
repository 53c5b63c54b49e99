"""What listening is asked for: by the settings, and by each route's language. PURE."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from telephony.deepgram.flux_options import LANGUAGES, FluxOptions, Problem

MULTILINGUAL, ENGLISH = "flux-general-multi", "en"


class ListeningSettings(Protocol):
    """What listening takes from the settings."""

    @property
    def flux_model(self) -> str: ...
    @property
    def flux_encoding(self) -> str: ...
    @property
    def flux_sample_rate(self) -> int: ...
    @property
    def flux_eot_threshold(self) -> float: ...
    @property
    def flux_eager_eot_threshold(self) -> float | None: ...
    @property
    def flux_eot_timeout_ms(self) -> int: ...
    @property
    def flux_keyterms(self) -> tuple[str, ...]: ...
    @property
    def flux_language_hints(self) -> tuple[str, ...]: ...


def chosen(settings: ListeningSettings, language: str = "") -> FluxOptions:
    """The options of a call; `language`: its route's, `de` or `de-CH`, empty where the route says none."""
    options = FluxOptions(
        model=settings.flux_model,
        encoding=settings.flux_encoding,
        sample_rate=settings.flux_sample_rate,
        eot_threshold=settings.flux_eot_threshold,
        eager_eot_threshold=settings.flux_eager_eot_threshold,
        eot_timeout_ms=settings.flux_eot_timeout_ms,
        keyterms=settings.flux_keyterms,
        language_hints=settings.flux_language_hints,
    )
    if not language or (options.model != MULTILINGUAL and primary(language) == ENGLISH):
        return options
    return replace(options, model=MULTILINGUAL, language_hints=(primary(language),))


def primary(language: str) -> str:
    """The language without its region: `de` of `de-CH`."""
    return language.partition("-")[0].lower()


def language_fault(language: str) -> str:
    """Why a route's language cannot work; empty when it can."""
    if primary(language) in LANGUAGES:
        return ""
    return f"{language!r} is not a language that Flux knows: {', '.join(LANGUAGES)}"


def setting_of(problem: Problem) -> str:
    """The setting that makes a problem: FLUX_KEYTERMS for `keyterm`."""
    plural = "s" if problem.parameter in ("keyterm", "language_hint") else ""
    return f"FLUX_{problem.parameter}{plural}".upper()
