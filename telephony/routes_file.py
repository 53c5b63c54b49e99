"""ROUTES: the YAML file that says who answers which number.

routes:
  - name: night
    to: "+1 415 555 0111"          # or a list; "+1415*" is every number that begins so
    from: ["+44*", "+353*"]        # callers, likewise
    hours: 18:00-08:00             # may pass midnight
    days: [mon, tue, wed, thu, fri]
    timezone: America/Los_Angeles  # UTC unless given
    agent: scripted:night.yaml
    voice: flux-haley-en
    language: en
    greeting: We are closed, but I can take an order for tomorrow.
default: {agent: "scripted:coffee"}  # for everything else; the settings where it says nothing
blocked: ["+1900*"]                  # callers that get a rejection
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from telephony.reply.yaml_lines import Value, read_yaml
from telephony.routes import Hours, Route, Routes, plain_number

ANSWERS = ("agent", "voice", "language", "greeting")
CONDITIONS = ("to", "from", "hours", "days", "timezone")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
NUMBER = re.compile(r"(\+?[0-9*#]{1,20}|[a-z0-9_.+-]+|sips?:[^\s]+)\*?")
TIMES = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9]) ?- ?([01]?[0-9]|2[0-4]):([0-5][0-9])")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
NAME = re.compile(r"[A-Za-z0-9_. -]{1,40}")


def read_routes(path: Path, country: str = "") -> Routes:
    """The routes of a file. Raises BadScript, whose message begins with file:line."""
    fields = read_yaml(path).fields(("routes", "default", "blocked"))
    routes = tuple(
        _route(value, number)
        for number, value in enumerate(fields["routes"].values() if "routes" in fields else [])
    )
    names = [route.name for route in routes]
    for name in names:
        if names.count(name) > 1:
            fields["routes"].wrong(f"two routes have the name {name!r}")
    default = _answered(Route(), fields["default"].fields(ANSWERS)) if "default" in fields else Route()
    return Routes(routes, default, _numbers(fields.get("blocked")))


def _route(value: Value, number: int) -> Route:
    fields = value.fields(("name", *CONDITIONS, *ANSWERS))
    name = fields["name"].text() if "name" in fields else f"route {number + 1}"
    if NAME.fullmatch(name) is None:
        fields["name"].wrong(f"{name!r} is not allowed; up to 40 letters, digits and .-_ are")
    route = Route(name, _numbers(fields.get("to")), _numbers(fields.get("from")), _hours(fields))
    return _answered(route, fields)


def _answered(route: Route, fields: dict[str, Value]) -> Route:
    found = {name: fields[name].text() for name in ANSWERS if name in fields}
    if "language" in found and LANGUAGE.fullmatch(found["language"]) is None:
        fields["language"].wrong(f"{found['language']!r} is no language code; `en` or `en-GB` is")
    return replace(
        route,
        agent=found.get("agent", ""),
        voice=found.get("voice", ""),
        language=found.get("language", ""),
        greeting=found.get("greeting", ""),
    )


def _numbers(value: Value | None) -> tuple[str, ...]:
    found = []
    for one in value.values() if value is not None else []:
        number = plain_number(one.text())
        if NUMBER.fullmatch(number) is None:
            one.wrong(f"{one.text()!r} is no number; +14155550111, or +1415* for all that begin so")
        found.append(number)
    return tuple(found)


def _hours(fields: dict[str, Value]) -> Hours:
    opens, closes = 0, 24 * 60
    if "hours" in fields:
        times = TIMES.fullmatch(fields["hours"].text())
        if times is None:
            fields["hours"].wrong("09:00-17:30 is how hours are written")
        opens, closes = int(times[1]) * 60 + int(times[2]), int(times[3]) * 60 + int(times[4])
    days = frozenset(range(7))
    if "days" in fields:
        days = frozenset(DAYS.index(day.one_of(DAYS)) for day in fields["days"].values())
    return Hours(opens, closes, days, _zone(fields.get("timezone")))


def _zone(value: Value | None) -> tzinfo:
    if value is None:
        return UTC
    try:
        return ZoneInfo(value.text())
    except (OSError, ValueError, KeyError):  # KeyError: ZoneInfoNotFoundError
        value.wrong(f"{value.text()!r} is no time zone known here; Europe/London is how they are written")
