"""Who answers: by called number, caller and hour; and what a mistake in the file is told."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from telephony.errors import BadScript
from telephony.routes import Routes
from telephony.routes_file import read_routes

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


def test_a_stream_finds_its_route_by_name(routes: Routes) -> None:
    """One that is gone is the default."""
    assert routes.named("night").agent == "scripted:night.yaml"
    assert routes.named("gone") == routes.named("") == routes.default


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("routes:\n  - agnet: x\n", "routes.yaml:2: .*agnet: unknown; name or|agnet: unknown"),
        ("routes:\n  - to: x y!\n", "routes.yaml:2: .*no number"),
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
