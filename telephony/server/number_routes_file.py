"""ROUTES: the YAML file that says who answers which number.

routes:
  - name: night
    to: "+1 415 555 0111"          # or a list; "+1415*" is every number that begins so
    from: ["+44*", "sip:*", anonymous]  # callers: also whatsapp:+..., client:NAME, short codes
    hours: 18:00-08:00             # may pass midnight
    days: [mon, tue, wed, thu, fri]
    timezone: America/Los_Angeles  # UTC unless given
    agent: scripted:night.yaml
    voice: flux-haley-en
    language: en
    greeting: We are closed, but I can take an order for tomorrow.
default: {agent: "scripted:coffee"}  # for everything else; the settings where it says nothing
blocked: ["+1900*"]                  # callers that get a rejection

Numbers are understood as people write them: with a plus, with 00 or 011, or, where DIAL_FROM is set, as in
its country. `anonymous`, `restricted`, `blocked`, `unknown`, `unavailable` and `private` are callers that are
withheld.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from telephony.base.phone_numbers import (
    IDENTITY,
    MOST_DIGITS,
    SHORT_CODE,
    WITHHELD,
    WRITTEN,
    address,
    country_of,
    international_prefix,
    possible,
)
from telephony.config.kinds import voice_fault
from telephony.config.listening import language_fault
from telephony.config.settings import Settings
from telephony.config.yaml_file import Value, read_yaml
from telephony.server.number_routes import Hours, Route, Routes, covers

ANSWERS = ("agent", "voice", "language", "greeting", "prompt")
CONDITIONS = ("to", "from", "hours", "days", "timezone")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ANYBODY = "*"
SIP = re.compile(r"([^\s@]+@)?[^\s@:]+(:[0-9]{1,5})?|[^\s@]*@?\[[0-9a-f:]+\](:[0-9]{1,5})?")
INTERNATIONAL = re.compile(rf"\+[1-9][0-9]{{1,{MOST_DIGITS - 1}}}")
TIMES = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9]) ?- ?([01]?[0-9]|2[0-4]):([0-5][0-9])")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
NAME = re.compile(r"[A-Za-z0-9_. -]{1,40}")


def read_routes(path: Path, country: str = "", *, cloud: bool = False) -> Routes:
    """The routes of a file. Raises BadScript, whose message begins with file:line.

    `country` (as `US`): whose national numbers are understood. `cloud`: only the cloud's voices can speak.
    """
    fields = read_yaml(path, what="the file of ROUTES").fields(("routes", "default", "blocked"))
    values = fields["routes"].values() if "routes" in fields else []
    routes = tuple(_route(value, number, country, cloud) for number, value in enumerate(values))
    names = [route.name for route in routes]
    for number, name in enumerate(names):
        if name in names[:number]:
            first = values[names.index(name)].line
            values[number].wrong(f"two routes have the name {name!r}; the other is on line {first}")
    blocked = _callers(fields.get("blocked"), country)
    _check_reached(values, routes, blocked)
    default = Route()
    if "default" in fields:
        default = _answered(default, fields["default"].fields(ANSWERS), cloud)
    return Routes(routes, default, blocked, country)


def routes_of(settings: Settings) -> Routes:
    """The routes of ROUTES; none where it is not set. Raises BadScript, as read_routes does."""
    if settings.routes is None:
        return Routes()
    return read_routes(settings.routes, country_of(settings.dial_from), cloud=settings.deepgram().cloud)


def _check_reached(values: list[Value], routes: tuple[Route, ...], blocked: tuple[str, ...]) -> None:
    """Each route can answer some call."""
    for number, route in enumerate(routes):
        if route.callers and all(any(covers(one, caller) for one in blocked) for caller in route.callers):
            values[number].wrong("never answers: its callers are all blocked")
        for earlier, value in zip(routes[:number], values, strict=False):
            if _takes_all(earlier, route):
                values[number].wrong(f"never answers: the route on line {value.line} takes all of its calls")


def _takes_all(earlier: Route, later: Route) -> bool:
    """Whether no call is left for a later route."""
    pairs = ((earlier.to, later.to), (earlier.callers, later.callers))
    return earlier.hours in (Hours(), later.hours) and all(
        not mine or (theirs and all(any(covers(one, other) for one in mine) for other in theirs))
        for mine, theirs in pairs
    )


def _route(value: Value, number: int, country: str, cloud: bool) -> Route:
    fields = value.fields(("name", *CONDITIONS, *ANSWERS))
    name = fields["name"].text() if "name" in fields else f"route {number + 1}"
    if NAME.fullmatch(name) is None:
        fields["name"].wrong(f"{name!r} is not allowed; up to 40 letters, digits and .-_ are")
    called = _patterns(fields.get("to"), country, _called)
    route = Route(name, called, _callers(fields.get("from"), country), _hours(fields))
    return _answered(route, fields, cloud)


def _answered(route: Route, fields: dict[str, Value], cloud: bool) -> Route:
    found = {name: fields[name].text() for name in ANSWERS if name in fields}
    if "language" in found and LANGUAGE.fullmatch(found["language"]) is None:
        fields["language"].wrong(f"{found['language']!r} is not a language code; `en` or `en-GB` is")
    if "language" in found and (fault := language_fault(found["language"])):
        fields["language"].wrong(fault)
    if "voice" in found and (fault := voice_fault(found["voice"], cloud)):
        fields["voice"].wrong(fault)
    return replace(
        route,
        agent=found.get("agent", ""),
        voice=found.get("voice", ""),
        language=found.get("language", ""),
        greeting=found.get("greeting", ""),
        prompt=found.get("prompt", ""),
    )


def _callers(value: Value | None, country: str) -> tuple[str, ...]:
    return _patterns(value, country, _caller)


def _patterns(value: Value | None, country: str, read: Callable[[Value, str, str], str]) -> tuple[str, ...]:
    """What stands in a list, as `phone_numbers.address` gives it, or the beginning of it with a * behind."""
    found: dict[str, int] = {}
    for one in value.values() if value is not None else []:
        text = one.text()
        pattern = (
            _beginning(one, text[:-1].strip(), country) if text.endswith("*") else read(one, text, country)
        )
        if pattern in found:
            one.wrong(f"{text!r} stands here twice: it is the same as on line {found[pattern]}")
        found[pattern] = one.line
    return tuple(found)


def _beginning(value: Value, text: str, country: str) -> str:
    identity = IDENTITY.fullmatch(text) or IDENTITY.fullmatch(text + "x")  # `client:*` is every client
    if not text:
        return ANYBODY
    if identity is None or text.lower().startswith("whatsapp:+"):
        scheme, _, number = text.rpartition(":")
        prefix = international_prefix(number, country)
        if not prefix:
            value.wrong(_no_number(text + "*", country))
        return f"{scheme.lower()}:{prefix}*" if scheme else f"{prefix}*"
    return f"{text.lower()}*"


def _called(value: Value, text: str, country: str) -> str:
    """A number that is called, or an address."""
    found = _caller(value, text, country)
    if found in WITHHELD:
        value.wrong(f"{text!r} is a caller who is withheld; nobody can dial it")
    if found.startswith("+") and not possible(found):
        value.wrong(f"{text!r} has not the length of a number of its country")
    return found


def _caller(value: Value, text: str, country: str) -> str:
    """A caller, of any kind that Twilio reports."""
    found = address(text, country)
    identity = IDENTITY.fullmatch(found)
    if identity is not None:
        if identity[1] == "whatsapp" and not INTERNATIONAL.fullmatch(identity[2]):
            value.wrong(_no_number(text, country))
        if identity[1].startswith("sip") and not SIP.fullmatch(identity[2]):
            value.wrong(f"{text!r} is not a SIP address; sip:name@example.com is")
        return found
    if INTERNATIONAL.fullmatch(found) or SHORT_CODE.fullmatch(found) or found in WITHHELD:
        return found
    value.wrong(_no_number(text, country))


def _no_number(text: str, country: str) -> str:
    if WRITTEN.fullmatch(text.removesuffix("*")) is None:
        return (
            f"{text!r} is neither a number nor a caller that Twilio reports; write +14155550111, +1415*, "
            f"a short code, whatsapp:+14155550111, client:NAME, sip:NAME@HOST, or {', '.join(WITHHELD)}"
        )
    where = f"in {country}, nor in international form" if country else "in international form"
    more = "" if country else "; national numbers are understood where DIAL_FROM is set"
    return f"{text!r} is not a number {where}, +14155550111{more}"


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
        value.wrong(f"{value.text()!r} is not a time zone that is known here; write it like Europe/London")
