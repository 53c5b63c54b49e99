"""Who answers: by called number, caller and hour; and what a mistake in the file is told."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from telephony.config.settings import Settings
from telephony.errors import BadScript, BadSetting
from telephony.server.number_routes import Routes
from telephony.server.number_routes_file import read_routes

FILE = """
routes:
  - name: night
    to: "+1 (415) 555-0111"
    hours: 18:00-08:00
    days: [mon, tue, wed, thu, fri]
    timezone: America/Los_Angeles
    agent: scripted:night.yaml
  - to: [+14155550111, +14155550112]
    agent: scripted:coffee
    greeting: "Hello: it's the coffee line."
  - {name: abroad, to: +44*, from: +353*, voice: flux-x-en, language: en-GB}
default: {agent: "pkg.mod:Agent"}
blocked: ["+1900*", +14155559999, anonymous]
"""


@pytest.fixture
def routes(tmp_path: Path) -> Routes:
    path = tmp_path / "routes.yaml"
    path.write_text(FILE)
    return read_routes(path)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/Los_Angeles")).timestamp()


NOON, EVENING = at("2026-11-20T12:00"), at("2026-11-20T18:00")  # a Friday


def test_the_called_number_decides(routes: Routes) -> None:
    """Punctuation does not matter; what fits no route gets the default."""
    chosen = [routes.choose(to, "+15005550006", NOON) for to in ("+14155550111", "+1 415 555 0112", "+1999")]
    assert [route.name if route else None for route in chosen] == ["route 2", "route 2", ""]
    assert chosen[0] and chosen[0].greeting == "Hello: it's the coffee line."
    assert chosen[2] and chosen[2].agent == "pkg.mod:Agent"


@pytest.mark.parametrize(
    ("when", "name"),
    [
        ("2026-11-20T17:59", "route 2"),
        ("2026-11-20T18:00", "night"),
        ("2026-11-21T07:59", "night"),  # Saturday morning belongs to Friday's night
        ("2026-11-21T08:00", "route 2"),
        ("2026-11-21T18:00", "route 2"),
        ("2026-11-23T03:00", "route 2"),  # Monday's night has not begun
        ("2026-11-24T03:00", "night"),
    ],
)
def test_hours_pass_midnight_in_their_own_time_zone(routes: Routes, when: str, name: str) -> None:
    """The day is the one on which they begin."""
    route = routes.choose("+14155550111", "+15005550006", at(when))
    assert route and route.name == name


def test_callers_choose_too(routes: Routes) -> None:
    """Both conditions have to fit."""
    irish, other = routes.choose("+442071838750", "+3531", NOON), routes.choose("+442071838750", "+1", NOON)
    assert irish and irish.name == "abroad" and irish.language == "en-GB"
    assert other and other.name == ""


@pytest.mark.parametrize("caller", ["+19005551234", "+14155559999", "Anonymous"])
def test_blocked_callers_have_no_route(routes: Routes, caller: str) -> None:
    """Whatever they dialled."""
    assert routes.choose("+14155550111", caller, NOON) is None
    assert Routes().choose("+14155550111", caller, NOON) is not None


def written(folder: Path, text: str, country: str = "US") -> Routes:
    path = folder / "routes.yaml"
    path.write_text(text)
    return read_routes(path, country)


# What people write, and what Twilio says.
KINDS = [
    ("+1 (415) 555-2671", "+14155552671"),
    ("(415) 555-2671", "+14155552671"),
    ("4155552671", "+14155552671"),
    ("1 415 555 2671", "+14155552671"),
    ("0014155552671", "+14155552671"),
    ("011 44 20 7183 8750", "+442071838750"),
    ("+44 (0)20 7183 8750", "+442071838750"),
    ("(415)*", "+14155552671"),
    ("415*", "+14155552671"),
    ("00 44 *", "+442071838750"),
    ("+44 (0)20*", "+442071838750"),
    ("+10000000000", "+10000000000"),
    ("+464", "+464"),
    ("anonymous", "+266696687"),
    ("anonymous", "Anonymous"),
    ("anonymous", ""),
    ("+266696687", "anonymous"),
    ("Restricted", "RESTRICTED"),
    ("restricted", "+7378742833"),
    ("unavailable", "+86282452253"),
    ("Unknown", "+8656696"),
    ("12345", "12345"),
    ("client:Alice", "client:Alice"),
    ("client:alice", "client:Alice"),
    ("client:*", "client:Bob-2"),
    ("whatsapp:+1 415 555 2671", "whatsapp:+14155552671"),
    ("whatsapp:(415) 555-2671", "whatsapp:+14155552671"),
    ("whatsapp:+1*", "whatsapp:+14155552671"),
    ("whatsapp:*", "whatsapp:+14155552671"),
    ("sip:Bob@example.com", "sip:bob@Example.com:5060;transport=udp"),
    ("sip:bob@example.com", "sip:bob@example.com:5080"),
    ("sip:bob@example.com:5060;user=phone", "sip:bob@example.com"),
    ("sip:bob@*", "sip:bob@example.com"),
    ("sip:*", "sip:+14155552671@10.0.0.1"),
    ("sim:DE0123", "sim:DE0123"),
    ("*", "+14155552671"),
]


@pytest.mark.parametrize(("pattern", "caller"), KINDS)
def test_every_kind_of_caller_can_be_blocked_and_routed(tmp_path: Path, pattern: str, caller: str) -> None:
    """However it is written, and however Twilio says it."""
    assert written(tmp_path, f"blocked: ['{pattern}']\n").choose("+14155550111", caller, NOON) is None
    routes = written(tmp_path, f"routes:\n  - {{name: it, from: '{pattern}'}}\n")
    chosen, other = (routes.choose("+1", who, NOON) for who in (caller, "+33123456789"))
    assert chosen and chosen.name == "it"
    assert pattern == "*" or (other and other.name == "")


@pytest.mark.parametrize(
    "to", ["client:Desk", "sip:desk@line.example", "whatsapp:+14155552671", "4155552671"]
)
def test_every_kind_of_called_address_has_a_route(tmp_path: Path, to: str) -> None:
    routes = written(tmp_path, f"routes:\n  - {{name: it, to: '{to}'}}\n")
    chosen = routes.choose("+14155552671" if to[0] == "4" else to, "+1", NOON)
    assert chosen and chosen.name == "it"


@pytest.mark.parametrize(
    ("line", "country", "says"),
    [
        ("blocked: [ok]", "US", "1: .*'ok' is neither a number nor a caller that Twilio reports"),
        ("blocked: ['555 2671']", "US", "1: .*not a number in US, nor in international form"),
        ("blocked: ['4155552671']", "", "1: .*international form.*DIAL_FROM"),
        ("blocked: ['415*']", "", "1: .*international form.*DIAL_FROM"),
        ("blocked: ['+']", "US", "1: .*neither a number nor"),
        ("blocked: ['whatsapp:me']", "US", "1: .*neither a number nor"),
        ("blocked: ['sip:two words@h']", "US", "1: .*not a SIP address"),
        ("blocked: ['bob@example.com']", "US", "1: .*nor a caller that Twilio reports"),
        ("blocked:\n  - '+1 415 555 2671'\n  - (415) 555-2671", "US", "3: .*twice.*line 2"),
        ("blocked:\n  - anonymous\n  - '+266696687'", "US", "3: .*twice.*line 2"),
        ("routes:\n  - to: '+1 415 555 011'", "US", "2: .*length"),
        ("routes:\n  - to: anonymous", "US", "2: .*nobody can dial it"),
        ("routes:\n  - to: '4155552671'\n  - to: '+14155552671'", "US", "3: .*never answers: .*line 2"),
        ("routes:\n  - to: '+1415*'\n  - {to: '+14155552671', from: '+44*'}", "US", "3: .*never answers"),
        ("routes:\n  - from: '+44*'\n  - from: '+4420*'", "US", "3: .*never answers"),
        ("routes:\n  - {hours: 9:00-17:00}\n  - {to: '+1*', hours: 09:00-17:00}", "US", "3: .*never answers"),
        ("routes:\n  - from: '+4420*'\nblocked: ['+44*']", "US", "2: .*never answers: its callers are all"),
        ("routes:\n  - {name: a, to: '+1*'}\n  - {name: a}", "US", "3: .*two routes.*line 2"),
    ],
)
def test_what_could_never_fit_is_refused_with_its_line(
    tmp_path: Path, line: str, country: str, says: str
) -> None:
    """Never accepted and dead."""
    with pytest.raises(BadScript, match=f"routes.yaml:{says}"):
        written(tmp_path, line + "\n", country)


@pytest.mark.parametrize("known", ["+14155550100", "+442071838750", "+4915123456789"])
def test_the_settings_numbers_are_understood_as_people_write_them(known: str) -> None:
    """DIAL_FROM in any international form; HUMAN_NUMBER and DIAL_PREFIXES likewise."""
    spaced = " ".join((known[:4], "(" + known[4:6] + ")", known[6:]))
    for text in (known, spaced, "00" + known[1:]):
        settings = Settings.load(
            {"DIAL_FROM": text, "HUMAN_NUMBER": text, "DIAL_PREFIXES": f"{text[:6]}, +1"}
        )
        assert settings.dial_from == settings.human_number == known
        assert settings.dial_prefixes[0].startswith(known[:3])


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DIAL_FROM", "4155550100", "international form"),
        ("DIAL_FROM", "+1415555010", "that exists"),
        ("DIAL_FROM", "client:me", "international form"),
        ("HUMAN_NUMBER", "the desk", "international form"),
        ("HUMAN_NUMBER", "4155550100", "international form"),
        ("HUMAN_NUMBER", "+19005551234", "premium"),
        ("HUMAN_NUMBER", "whatsapp:+14155552671", "sip: or client:"),
        ("DIAL_PREFIXES", "415", "digits"),
        ("DIAL_PREFIXES", "+0", "digits"),
    ],
)
def test_a_number_that_can_never_work_is_refused_at_the_start(name: str, value: str, says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        Settings.load({name: value})


def test_a_national_human_number_is_of_the_country_dialled_from() -> None:
    """And a premium one only where DIAL_PREFIXES name it as such."""
    settings = Settings.load({"DIAL_FROM": "+14155550100", "HUMAN_NUMBER": "(415) 555-2671"})
    assert settings.human_number == "+14155552671"
    allowed = {"HUMAN_NUMBER": "+19005551234", "DIAL_PREFIXES": "+1 900"}
    assert Settings.load(allowed).human_number == "+19005551234"
    with pytest.raises(BadSetting, match="premium"):
        Settings.load(allowed | {"DIAL_PREFIXES": "+1"})


def test_a_stream_finds_its_route_by_name(routes: Routes) -> None:
    """One that is gone is the default."""
    assert routes.named("night").agent == "scripted:night.yaml"
    assert routes.named("gone") == routes.named("") == routes.default


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("routes:\n  - agnet: x\n", "routes.yaml:2: .*agnet: unknown; name or|agnet: unknown"),
        ("routes:\n  - to: x y!\n", "routes.yaml:2: .*neither a number"),
        ("routes:\n  - hours: 9-17\n", "routes.yaml:2: .*09:00-17:30"),
        ("routes:\n  - days: someday\n", "routes.yaml:2: .*mon"),
        ("routes:\n  - timezone: Mars/Base\n", "routes.yaml:2: .*Mars/Base"),
        ("routes:\n  - language: English!\n", "routes.yaml:2: .*language code"),
        ("routes:\n  - {name: a}\n  - {name: a}\n", "two routes have the name 'a'"),
        ("default: {to: x}\n", "routes.yaml:1: .*unknown"),
        ("- a\n", "routes.yaml:1:"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, text: str, says: str) -> None:
    """And what would be right."""
    path = tmp_path / "routes.yaml"
    path.write_text(text)
    with pytest.raises(BadScript, match=says):
        read_routes(path)
    with pytest.raises(BadScript, match="cannot be read"):
        read_routes(tmp_path / "none.yaml")
