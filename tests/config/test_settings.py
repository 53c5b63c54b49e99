"""Settings: what is taken, what is refused, and in which words."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.config.binding import binding
from telephony.config.settings import NAMES, SETTINGS, Secret, Settings
from telephony.errors import BadInput, BadSetting

KEY = "dg-1234567890"
TOKEN = {"TWILIO_AUTH_TOKEN": "0123456789abcdef"}
PUBLIC = {**TOKEN, "PUBLIC_URL": "https://phone.example"}


def test_every_row_of_the_table_is_an_attribute_in_lower_case() -> None:
    assert sorted(s.name.lower() for s in SETTINGS) == sorted(f.name for f in fields(Settings))


def test_nothing_set_works_without_any_key() -> None:
    settings = Settings.load({})
    assert settings.deepgram().local
    assert (settings.barge_in, settings.eager, settings.port) == ("patient", "voice", 8080)


def test_an_empty_value_is_an_unset_one() -> None:
    assert Settings.load(dict.fromkeys(NAMES, "  ")) == Settings.load({})


def test_every_default_is_itself_an_allowed_value() -> None:
    assert Settings.load({s.name: s.default for s in SETTINGS}) == Settings.load({})


@pytest.mark.parametrize(
    ("environ", "name", "allowed"),
    [
        ({"FLUX_EOT_THRESHOLD": "0.49"}, "FLUX_EOT_THRESHOLD", "a number from 0.5 to 1"),
        ({"FLUX_EOT_THRESHOLD": "nan"}, "FLUX_EOT_THRESHOLD", "a number from 0.5 to 1"),
        ({"FLUX_EOT_TIMEOUT_MS": "5.0"}, "FLUX_EOT_TIMEOUT_MS", "a whole number from 500 to 60000"),
        ({"FLUX_MODEL": "flux"}, "FLUX_MODEL", "flux-general-en or flux-general-multi"),
        ({"FLUX_ENCODING": "opus"}, "FLUX_ENCODING", "linear16 or mulaw"),
        ({"FLUX_SAMPLE_RATE": "44100"}, "FLUX_SAMPLE_RATE", "8000 or 16000"),
        ({"FLUX_ENCODING": "mulaw", "FLUX_SAMPLE_RATE": "16000"}, "FLUX_SAMPLE_RATE", "8000 with mulaw"),
        ({"FLUX_LANGUAGE_HINTS": "en"}, "FLUX_LANGUAGE_HINTS", "flux-general-multi"),
        ({"FLUX_EAGER_EOT_THRESHOLD": "0.8"}, "FLUX_EAGER_EOT_THRESHOLD", "at most FLUX_EOT_THRESHOLD, 0.7"),
        ({"DEEPGRAM_URL": "api.deepgram.com"}, "DEEPGRAM_URL", "auto, local, or ws://host:port"),
        ({"DEEPGRAM_URL": "wss://x.example/v1/listen"}, "DEEPGRAM_URL", "without a path"),
        ({"DEEPGRAM_URL": "ws://x.example:99999"}, "DEEPGRAM_URL", "ws://host:port"),
        ({"BARGE_IN": "yes"}, "BARGE_IN", "patient, immediate or off"),
        ({"EAGER": "on"}, "EAGER", "voice, text or off"),
        ({"PORT": "-1"}, "PORT", "a whole number from 0 to 65535"),
        ({"PORT": "٣"}, "PORT", "a whole number from 0 to 65535"),
        ({"LOG_LEVEL": "chatty"}, "LOG_LEVEL", "DEBUG, INFO, WARNING or ERROR"),
        ({"PUBLIC_URL": "https://phone.example"}, "PUBLIC_URL", "TWILIO_AUTH_TOKEN"),
        ({**TOKEN, "PUBLIC_URL": "http://phone.example"}, "PUBLIC_URL", "https://host"),
        ({**TOKEN, "PUBLIC_URL": "https://phone.example/?a=b"}, "PUBLIC_URL", "https://host"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_the_value_and_what_is_allowed(
    environ: dict[str, str], name: str, allowed: str
) -> None:
    with pytest.raises(BadSetting) as refused:
        Settings.load(environ)
    message = str(refused.value)
    assert name in message and environ[name] in message and allowed in message
    assert "\n" not in message


@pytest.mark.parametrize("name", [s.name for s in SETTINGS if s.secret])
def test_a_bad_secret_is_refused_without_showing_it(name: str) -> None:
    with pytest.raises(BadSetting) as refused:
        Settings.load({name: "höchst geheim"})
    assert "geheim" not in str(refused.value)


def test_auto_takes_the_cloud_when_a_key_is_set_and_says_why() -> None:
    peer = Settings.load({"DEEPGRAM_API_KEY": KEY}).deepgram()
    assert peer.cloud and peer.url == "wss://api.deepgram.com" and peer.api_key.reveal() == KEY
    assert "DEEPGRAM_API_KEY" in peer.why


def test_local_stays_local_whatever_keys_are_set() -> None:
    assert Settings.load({"DEEPGRAM_API_KEY": KEY, "DEEPGRAM_URL": "local"}).deepgram().local


@pytest.mark.parametrize(
    ("url", "cloud"),
    [
        ("ws://127.0.0.1:9090", False),
        ("http://127.0.0.1:9090/", False),
        ("wss://api.eu.deepgram.com", True),
        ("wss://notdeepgram.com", False),
    ],
)
def test_any_compatible_server_can_be_named(url: str, cloud: bool) -> None:
    peer = Settings.load({"DEEPGRAM_URL": url}).deepgram()
    assert not peer.local and peer.cloud is cloud
    assert peer.url.startswith("ws") and not peer.url.endswith("/")
    assert peer.api_key.reveal(), "the SDK refuses an empty key"


def test_eager_is_off_on_the_cloud_for_its_cost_and_voice_elsewhere() -> None:
    cloud = Settings.load({"DEEPGRAM_API_KEY": KEY})
    assert (cloud.eager, cloud.flux_eager_eot_threshold) == ("off", None)
    local = Settings.load({})
    assert (local.eager, local.flux_eager_eot_threshold) == ("voice", 0.5)
    asked = Settings.load({"DEEPGRAM_API_KEY": KEY, "EAGER": "text"})
    assert (asked.eager, asked.flux_eager_eot_threshold) == ("text", 0.5)
    given_threshold = Settings.load({"FLUX_EAGER_EOT_THRESHOLD": "0.4"})
    assert given_threshold.flux_eager_eot_threshold == 0.4


def test_mulaw_means_8000_hz() -> None:
    assert Settings.load({"FLUX_ENCODING": "mulaw"}).flux_sample_rate == 8000


def test_the_environment_wins_over_the_file_and_an_empty_value_hides_it(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"PORT=1234\nVOICE=aura-2-thalia-en\nDEEPGRAM_API_KEY={KEY}\n", encoding="utf-8")
    settings = Settings.load({"PORT": "4321", "DEEPGRAM_API_KEY": ""}, file)
    assert (settings.port, settings.voice, settings.deepgram_api_key) == (4321, "aura-2-thalia-en", None)
    assert Settings.load({}, tmp_path / "absent") == Settings.load({})


def test_an_unreadable_file_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"PORT=\xff\xfe\x00")
    with pytest.raises(BadInput, match="cannot be read"):
        Settings.load({}, file)


def test_settings_cannot_be_changed() -> None:
    settings = Settings.load({})
    with pytest.raises(FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]


def test_no_secret_prints_or_is_written() -> None:
    environ = {s.name: "s3cret-" + s.name for s in SETTINGS if s.secret}
    settings = Settings.load(environ)
    shown = f"{settings} {settings!r} {settings.deepgram()} {Secret('s3cret')}"
    assert "s3cret" not in shown
    assert set(settings.secret_values()) == set(environ.values())
    with pytest.raises(TypeError):
        pickle.dumps(Secret("s3cret"))


def test_several_tokens_keep_their_order_since_the_first_signs() -> None:
    tokens = Settings.load({"TWILIO_AUTH_TOKEN": "new, old"}).twilio_auth_token
    assert [token.reveal() for token in tokens] == ["new", "old"]


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("é").matches("é") and not Secret("a").matches("\ud800")


def test_without_an_auth_token_only_this_machine_is_listened_on() -> None:
    settings = Settings.load({})
    assert binding(settings).host == "127.0.0.1"
    assert binding(settings, "::1").host == "::1"
    for host in ("0.0.0.0", "::", "phone.example", "10.0.0.1", ""):
        with pytest.raises(BadSetting, match="TWILIO_AUTH_TOKEN"):
            binding(settings, host)


def test_an_auth_token_without_a_public_url_stays_on_this_machine_and_says_so() -> None:
    bound = binding(Settings.load(TOKEN))
    assert bound.host == "127.0.0.1" and "PUBLIC_URL" in bound.note
    with pytest.raises(BadSetting, match="needs PUBLIC_URL"):
        binding(Settings.load(TOKEN), "0.0.0.0")


def test_with_both_the_world_may_call() -> None:
    bound = binding(Settings.load(PUBLIC))
    assert bound.host == "0.0.0.0" and not bound.note
    assert binding(Settings.load(PUBLIC), "127.0.0.1").host == "127.0.0.1"


@given(st.dictionaries(st.sampled_from(sorted(NAMES)), st.text(max_size=30), max_size=4))
def test_whatever_the_environment_holds_settings_are_made_or_refused(environ: dict[str, str]) -> None:
    try:
        Settings.load(environ)
    except BadSetting as refused:
        assert refused.name in NAMES


@pytest.mark.parametrize("voices", ["flux-orion-en", "aura-2-thalia-en, local", "local:joe"])
def test_fall_back_voices_are_the_cloud_s_or_local(voices: str) -> None:
    given = {"DEEPGRAM_URL": "wss://api.deepgram.com", "DEEPGRAM_API_KEY": "k" * 40, "VOICE_FALLBACK": voices}
    assert ", ".join(Settings.load(given).voice_fallback) == voices


@pytest.mark.parametrize("voices", ["joe", "flux-haley-en, ../x", "local:../x"])
def test_a_fall_back_voice_that_can_never_speak_is_refused(voices: str) -> None:
    given = {"DEEPGRAM_URL": "wss://api.deepgram.com", "DEEPGRAM_API_KEY": "k" * 40, "VOICE_FALLBACK": voices}
    with pytest.raises(BadSetting, match="VOICE_FALLBACK"):
        Settings.load(given)
