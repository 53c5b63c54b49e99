"""Every setting, once: its name, what it may be, its default and its meaning.

The table is the `Settings` class itself: each field carries its kind, default and help, and `SETTINGS` lists
them for the docs, `.env.example` and `telephony doctor`. Values are text, as in an environment; an empty
value means the default. A value that cannot work is refused here, before anything starts.

Why not pydantic-settings: it reads `os.environ` itself, and here the environment is passed in; its errors are
reports of several lines, and ours is one line that says what must be there; it takes 130 ms to import, and
this table takes 50, which every `telephony --help` waits for. What it would replace is `_parse` and `_table`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from telephony.config.destinations import PERSON, destination, destinations
from telephony.config.env_file import read_env_file
from telephony.config.event_settings import EventSettings, check_events
from telephony.config.kinds import (
    api_url,
    choice,
    dial_prefixes,
    named_texts,
    number,
    path,
    phone_number,
    public_url,
    secret,
    secrets,
    speech_url,
    text,
    texts,
    voice_fault,
    whole,
)
from telephony.config.listening import chosen, setting_of
from telephony.config.model_settings import ModelSettings, check_model
from telephony.config.secret import Secret
from telephony.config.setting import Setting, parse, setting, short
from telephony.config.speech_peer import CLOUD_URL, LOCAL, SpeechPeer, local_voice
from telephony.errors import BadSetting

__all__ = ["NAMES", "SETTINGS", "Secret", "Setting", "Settings", "SpeechPeer"]

EAGER_THRESHOLD_WHEN_ON = 0.5  # what EAGER means without FLUX_EAGER_EOT_THRESHOLD
ACCOUNT_SID = re.compile("AC[0-9a-fA-F]{32}")
MULAW_RATE = 8000  # G.711 knows no other

BargeIn = Literal["patient", "immediate", "off"]
Eager = Literal["voice", "text", "off"]
Record = Literal["on", "off"]
Isolation = Literal["loop", "thread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ModelSettings, EventSettings):
    """All settings, checked. Make one with `Settings.load`."""

    deepgram_api_key: Secret | None = setting(secret(), "", "API key of the speech service")
    deepgram_url: str = setting(
        speech_url(),
        "auto",
        "speech service: `auto` (Deepgram when a key is set, else `local`), `local` (the engine in this"
        " package), or any compatible server, `ws://host:port`",
    )
    flux_model: str = setting(
        choice("flux-general-en", "flux-general-multi"), "flux-general-en", "listening model"
    )
    flux_eot_threshold: float = setting(
        number(0.5, 1.0),
        "0.7",
        "confidence at which the caller's turn ends; with 1.0 only the time-out ends it",
    )
    flux_eager_eot_threshold: float | None = setting(
        number(0.3, 0.9, optional=True),
        "",
        "confidence at which a reply is drafted early, at most FLUX_EOT_THRESHOLD; 0.5 when `EAGER` is on",
    )
    flux_eot_timeout_ms: int = setting(
        whole(500, 60_000), "5000", "milliseconds of silence that end a turn at any confidence"
    )
    flux_keyterms: tuple[str, ...] = setting(
        texts(100), "", "words to listen for, such as names and products, comma separated"
    )
    flux_language_hints: tuple[str, ...] = setting(
        texts(), "", "language codes, comma separated; only with `flux-general-multi`"
    )
    flux_encoding: str = setting(
        choice("linear16", "mulaw"),
        "linear16",
        "encoding of the audio sent to Flux; `mulaw` forwards the caller's bytes unchanged",
    )
    flux_sample_rate: int = setting(
        whole(8000, 16_000, only=(8000, 16_000)),
        "16000",
        "sample rate of the audio sent to Flux, in Hz; 8000 with `mulaw`",
    )
    voice: str = setting(
        text(),
        "flux-haley-en",
        "voice model, `flux-...` or `aura-2-...`; the local engine answers to any of them with one of its own"
        " voices",
    )
    voice_fallback: tuple[str, ...] = setting(
        texts(5),
        "",
        "voices that speak when VOICE is late or fails, in order: models of the same service, `local`, or"
        " `local:NAME` for the local engine's. The name of VOICE itself is a second connection",
    )
    pronunciations: Path | None = setting(
        path(optional=True),
        "",
        "YAML file of words that a voice would say wrongly, and how they are said: `Nguyen: win`, one a line",
    )
    agent: str = setting(text(), "scripted:coffee", "who answers: `scripted:PATH` or `package.module:Name`")
    agent_isolation: Isolation = setting(
        choice("loop", "thread"),
        "loop",
        "where your agent runs: `loop` (the event loop of the calls) or `thread` (event loops of its own,"
        " so that an agent that blocks does not stop the audio of other calls)",
    )
    routes: Path | None = setting(
        path(optional=True),
        "",
        "YAML file that says which agent, voice, language and greeting answer which number, and who is"
        " blocked",
    )
    human_number: str = setting(
        text(), "", "phone number, `sip:` or `client:` address that a script's `${HUMAN_NUMBER}` transfers to"
    )
    transfer_to: tuple[tuple[str, str], ...] = setting(
        named_texts(),
        "",
        "where a language model may transfer callers, by name: `sales=+14155550132,"
        " support=sip:desk@example.com`; HUMAN_NUMBER is `person`",
    )
    twilio_account_sid: str = setting(
        text(), "", "account SID, `AC...`; needed for the REST API: dialling, transfers, numbers"
    )
    twilio_auth_token: tuple[Secret, ...] = setting(
        secrets(),
        "",
        "verifies that webhooks come from Twilio; several, comma separated, while you rotate it (the first"
        " signs). Without it the server listens on this machine only",
    )
    twilio_api_key: str = setting(
        text(),
        "",
        "API key SID, `SK...`; used with TWILIO_API_SECRET instead of the auth token for the REST API",
    )
    twilio_api_secret: Secret | None = setting(secret(), "", "the secret that belongs to TWILIO_API_KEY")
    twilio_region: str = setting(
        text(), "", "region where calls are processed, such as `ie1` or `au1`; set it with TWILIO_EDGE"
    )
    twilio_edge: str = setting(
        text(), "", "Twilio edge location, such as `dublin`; set it with TWILIO_REGION"
    )
    twilio_api_url: str = setting(
        api_url(),
        "",
        "another address of the REST API, such as a stand-in for tests at `http://127.0.0.1:port`",
    )
    public_url: str = setting(public_url(), "", "public URL of this server as Twilio sees it, `https://host`")
    stream_secret: tuple[Secret, ...] = setting(
        secrets(),
        "",
        "signs the one-time tokens of media streams; several, comma separated (the first signs). Unset:"
        " derived from TWILIO_AUTH_TOKEN, or random without one",
    )
    api_keys: tuple[Secret, ...] = setting(
        secrets(),
        "",
        "keys that may use `/api`, comma separated. Unset: this machine may read, and nobody may when"
        " PUBLIC_URL is set",
    )
    metrics_token: Secret | None = setting(
        secret(),
        "",
        "bearer token that may read `/metrics`. Unset: this machine only, and nobody when PUBLIC_URL is set",
    )
    dial_from: str = setting(
        phone_number(), "", "number of your account that outbound calls come from, `+14155550100`"
    )
    dial_prefixes: tuple[str, ...] = setting(
        dial_prefixes(), "", "prefixes that may be dialled, `+1415,+44`. Unset: the country of DIAL_FROM"
    )
    dial_max_per_minute: int = setting(whole(0, 10_000), "10", "maximum outbound calls in a minute")
    dial_max_per_day: int = setting(whole(0, 1_000_000), "100", "maximum outbound calls in a day")
    barge_in: BargeIn = setting(
        choice("patient", "immediate", "off"),
        "patient",
        "what happens when the caller speaks over the agent: `patient` stops at once and goes on after a mere"
        " mm-hm, `immediate` always gives way, `off` never stops",
    )
    eager: Eager = setting(
        choice("voice", "text", "off", optional=True),
        "",
        "draft a reply before the end of turn is certain: `voice` (the default with the local engine),"
        " `text`, or `off` (the default on the cloud, because drafts cost money)",
    )
    data_dir: Path = setting(path(), "calls", "folder where calls are kept")
    record: Record = setting(
        choice("on", "off"), "off", "`on` keeps the audio of both sides of every call beside its tape"
    )
    record_notice: str = setting(
        text(), "", "notice spoken in full before the greeting, for example that the call is recorded"
    )
    record_stop_words: tuple[str, ...] = setting(
        texts(),
        "",
        "more words that stop a recording and delete it, comma separated; plain objections (\"I don't want"
        " to be"
        ' recorded") always do',
    )
    retention_days: int = setting(
        whole(0, 36_500), "30", "days after which the server deletes a call; 0 keeps all calls"
    )
    max_calls: int = setting(
        whole(1, 10_000),
        "50",
        "maximum concurrent calls; further callers hear that the line is busy. With the local engine at"
        " most what it can carry",
    )
    max_call_seconds: int = setting(whole(10, 86_400), "3600", "maximum length of a call")
    drain_seconds: int = setting(
        whole(0, 3600), "25", "seconds that running calls may go on after a request to stop"
    )
    port: int = setting(whole(0, 65_535), "8080", "port of the server; 0 picks a free one")
    log_level: str = setting(choice("DEBUG", "INFO", "WARNING", "ERROR"), "INFO", "minimum level to log")

    @classmethod
    def load(cls, environ: Mapping[str, str], dotenv: Path | None = None) -> Settings:
        """Settings from `environ`, and under it from the file `dotenv` if it is there.

        Raises BadSetting, naming the setting, its value (never a secret's) and what is allowed.
        """
        given = _given(environ, dotenv)
        values: dict[str, Any] = {s.name.lower(): parse(s, given.get(s.name, "")) for s in SETTINGS}
        return _checked(cls(**values), given)

    def deepgram(self) -> SpeechPeer:
        """Which speech is used: resolves `auto`."""
        key = self.deepgram_api_key or Secret("local")
        if self.deepgram_url != "auto":
            return SpeechPeer(self.deepgram_url, key, "DEEPGRAM_URL says so")
        if self.deepgram_api_key:
            return SpeechPeer(CLOUD_URL, key, "DEEPGRAM_API_KEY is set")
        return SpeechPeer(LOCAL, key, "no DEEPGRAM_API_KEY is set")

    def secret_values(self) -> tuple[str, ...]:
        """Everything that no log and no error may show."""
        values = (getattr(self, s.name.lower()) for s in SETTINGS if s.secret)
        return tuple(one.reveal() for value in values for one in each_secret(value))


def _table() -> tuple[Setting, ...]:
    own = Settings.__annotations__  # before those of its parts
    ordered = sorted(fields(Settings), key=lambda field: field.name not in own)
    rows = ((f.name.upper(), f.metadata) for f in ordered)
    return tuple(Setting(name, row["kind"], row["default"], row["help"]) for name, row in rows)


SETTINGS: tuple[Setting, ...] = _table()
NAMES = frozenset(s.name for s in SETTINGS)


def _given(environ: Mapping[str, str], dotenv: Path | None) -> dict[str, str]:
    """What the user set, stripped; an empty value in the environment hides the file's."""
    filed = read_env_file(dotenv, NAMES) if dotenv is not None else {}
    both = {**filed, **environ}
    return {name: value.strip() for name in NAMES if (value := both.get(name)) and value.strip()}


def _checked(settings: Settings, given: Mapping[str, str]) -> Settings:
    """The checks that need more than one setting, and the defaults that follow from others."""
    for check in (_mulaw_rate, _eager, _speech, _model, _events, _public, _rest, _human_number, _transfer_to):
        settings = check(settings, given)
    return settings


def _mulaw_rate(settings: Settings, given: Mapping[str, str]) -> Settings:
    if settings.flux_encoding != "mulaw" or settings.flux_sample_rate == MULAW_RATE:
        return settings
    if "FLUX_SAMPLE_RATE" in given:
        raise BadSetting("FLUX_SAMPLE_RATE", given["FLUX_SAMPLE_RATE"], "must be 8000 with mulaw")
    return replace(settings, flux_sample_rate=MULAW_RATE)


def _eager(settings: Settings, given: Mapping[str, str]) -> Settings:
    """EAGER's default depends on who listens; being on, it needs a threshold.

    The service refuses an eager threshold above the final one, its default of 0.7 included.
    """
    if not settings.eager:
        settings = replace(settings, eager="off" if settings.deepgram().cloud else "voice")
    if settings.flux_eager_eot_threshold is None and settings.eager != "off":
        settings = replace(settings, flux_eager_eot_threshold=EAGER_THRESHOLD_WHEN_ON)
    eager, final = settings.flux_eager_eot_threshold, settings.flux_eot_threshold
    if eager is not None and eager > final:
        allowed = f"must be at most FLUX_EOT_THRESHOLD, {final:g}"
        raise BadSetting("FLUX_EAGER_EOT_THRESHOLD", f"{eager:g}", allowed)
    return settings


def _speech(settings: Settings, given: Mapping[str, str]) -> Settings:
    """What the speech service would refuse at every call is refused now, by its own rules."""
    for problem in chosen(settings).validate():
        name = setting_of(problem)
        raise BadSetting(name, short(given.get(name, "")), problem.reason)
    if fault := voice_fault(settings.voice, settings.deepgram().cloud):
        raise BadSetting("VOICE", given.get("VOICE", settings.voice), fault)
    for name in settings.voice_fallback:
        local = local_voice(name)
        if fault := voice_fault(local or name, settings.deepgram().cloud and local is None):
            raise BadSetting("VOICE_FALLBACK", given.get("VOICE_FALLBACK", name), fault)
    return settings


def _model(settings: Settings, given: Mapping[str, str]) -> Settings:
    check_model(settings, settings.agent, given)
    return settings


def _events(settings: Settings, given: Mapping[str, str]) -> Settings:
    check_events(settings, given)
    return settings


def _public(settings: Settings, given: Mapping[str, str]) -> Settings:
    """Nobody can call in from outside unless we can tell that it is Twilio."""
    if settings.public_url and not settings.twilio_auth_token:
        raise BadSetting(
            "PUBLIC_URL", given["PUBLIC_URL"], "it needs TWILIO_AUTH_TOKEN, to tell Twilio from others"
        )
    return settings


def _rest(settings: Settings, given: Mapping[str, str]) -> Settings:
    """What belongs together is given together."""
    if bool(settings.twilio_region) != bool(settings.twilio_edge):
        name = "TWILIO_REGION" if settings.twilio_region else "TWILIO_EDGE"
        # Hosts with a region alone were switched off; with an edge alone the region is a guess.
        raise BadSetting(name, given[name], "TWILIO_REGION and TWILIO_EDGE are set together")
    if settings.twilio_api_key and not settings.twilio_api_secret:
        raise BadSetting("TWILIO_API_KEY", settings.twilio_api_key, "it needs TWILIO_API_SECRET")
    if settings.twilio_account_sid and not ACCOUNT_SID.fullmatch(settings.twilio_account_sid):
        allowed = "an account begins with AC (a key, SK..., goes into TWILIO_API_KEY)"
        raise BadSetting("TWILIO_ACCOUNT_SID", given["TWILIO_ACCOUNT_SID"], allowed)
    return settings


def each_secret(value: Secret | tuple[Secret, ...] | None) -> tuple[Secret, ...]:
    """One, several or none, as a tuple."""
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _human_number(settings: Settings, given: Mapping[str, str]) -> Settings:
    """As the carrier needs it, whatever punctuation it has; of DIAL_FROM's country where it says none."""
    to = destination("HUMAN_NUMBER", settings.human_number, settings.dial_from, settings.dial_prefixes)
    return replace(settings, human_number=to)


def _transfer_to(settings: Settings, given: Mapping[str, str]) -> Settings:
    """As HUMAN_NUMBER, each of them; that one is `person`."""
    found = destinations(settings.transfer_to, settings.dial_from, settings.dial_prefixes)
    if settings.human_number:
        if PERSON in found:
            raise BadSetting("TRANSFER_TO", short(given["TRANSFER_TO"]), "`person` is HUMAN_NUMBER's name")
        found[PERSON] = settings.human_number
    return replace(settings, transfer_to=tuple(found.items()))
