"""Kinds of values a setting may have: each reads text, and says what is allowed by raising ValueError."""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from telephony.base.phone_numbers import exists, international, international_prefix
from telephony.config.secret import Secret


@dataclass(frozen=True, slots=True)
class SettingKind:
    """`parse` turns text ("" where nothing is set) into a value, or raises ValueError(what is allowed)."""

    parse: Callable[[str], Any]
    allowed: str
    secret: bool = False


def fields_of_json() -> SettingKind:
    """A JSON object; an empty one if unset."""
    allowed = 'a JSON object: {"temperature": 0.3}'

    def parse(value: str) -> dict[str, Any]:
        try:
            found = json.loads(value) if value else {}
        except (ValueError, RecursionError):
            raise ValueError(allowed) from None
        if not isinstance(found, dict):
            raise ValueError(allowed)
        return found

    return SettingKind(parse, allowed)


def text() -> SettingKind:
    """Any one line."""
    allowed = "text on one line, without control characters"

    def parse(value: str) -> str:
        if not value.isprintable():
            raise ValueError(allowed)
        return value

    return SettingKind(parse, allowed)


def texts(most: int = 20) -> SettingKind:
    """Comma separated texts."""
    allowed = f"at most {most} texts, comma separated"

    def parse(value: str) -> tuple[str, ...]:
        found = _split(value)
        if len(found) > most or not value.isprintable():
            raise ValueError(allowed)
        return found

    return SettingKind(parse, allowed)


NAMED = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,39})\s*=\s*(\S(?:.*\S)?)")


def named_texts(most: int = 50) -> SettingKind:
    """Comma separated `name=text`, each name once."""
    allowed = f"at most {most} of name=text, comma separated, each name of letters, digits, _ and -, once"

    def parse(value: str) -> tuple[tuple[str, str], ...]:
        found = [NAMED.fullmatch(one) for one in _split(value)]
        pairs = tuple((one[1], one[2]) for one in found if one)
        if len(pairs) < len(found) or len(dict(pairs)) < len(pairs) or len(pairs) > most:
            raise ValueError(allowed)
        if not value.isprintable():
            raise ValueError(allowed)
        return pairs

    return SettingKind(parse, allowed)


def budget(**bounds: tuple[float, float]) -> SettingKind:
    """Comma separated `name=number`; of each name that is left out the second of its bounds, which is usual.

    The first of its bounds is the least that it may be.
    """
    allowed = "name=number, comma separated; " + ", ".join(
        f"{name} (at least {least:g})" for name, (least, _) in bounds.items()
    )

    def parse(value: str) -> dict[str, float]:
        try:
            given = {name: float(text) for name, text in named_texts().parse(value)}
        except ValueError:
            raise ValueError(allowed) from None
        if not given.keys() <= bounds.keys():
            raise ValueError(allowed)
        if not all(math.isfinite(one) and one >= bounds[name][0] for name, one in given.items()):
            raise ValueError(allowed)
        return {name: given.get(name, usual) for name, (_, usual) in bounds.items()}

    return SettingKind(parse, allowed)


def choice(*names: str, optional: bool = False) -> SettingKind:
    """One of `names`, in any case; "" if optional and unset."""
    allowed = ", ".join(names[:-1]) + " or " + names[-1]
    known = {name.lower(): name for name in names}

    def parse(value: str) -> str:
        if optional and not value:
            return ""
        try:
            return known[value.lower()]
        except KeyError:
            raise ValueError(allowed) from None

    return SettingKind(parse, allowed)


def number(least: float, most: float, *, optional: bool = False) -> SettingKind:
    """A decimal number in a range; None if optional and unset."""
    allowed = f"a number from {least:g} to {most:g}"

    def parse(value: str) -> float | None:
        if optional and not value:
            return None
        try:
            found = float(value)
        except ValueError:
            raise ValueError(allowed) from None
        if not math.isfinite(found) or not least <= found <= most:
            raise ValueError(allowed)
        return found

    return SettingKind(parse, allowed)


def whole(least: int, most: int, *, only: tuple[int, ...] = ()) -> SettingKind:
    """A whole number in a range, or one of `only`."""
    allowed = " or ".join(map(str, only)) or f"a whole number from {least} to {most}"

    def parse(value: str) -> int:
        if not (value.isascii() and value.isdigit() and len(value) < 12):
            raise ValueError(allowed)
        found = int(value)
        if not least <= found <= most or (only and found not in only):
            raise ValueError(allowed)
        return found

    return SettingKind(parse, allowed)


def path(*, optional: bool = False) -> SettingKind:
    """A path; `~` is the home folder. None if optional and unset."""

    def parse(value: str) -> Path | None:
        return Path(value).expanduser() if value or not optional else None

    return SettingKind(parse, "a path")


VOICE = re.compile(r"[^\s/?#&=]{1,100}")
CLOUD_VOICE = re.compile(r"(?:flux|aura|aura-2)-(?!general-)[^-]+-[a-z]{2}")
SECRET_ALLOWED = "printable ASCII without spaces"


def _one_secret(value: str) -> Secret:
    # They travel in HTTP headers: anything else would fail later and further away.
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise ValueError(SECRET_ALLOWED)
    return Secret(value)


def secret() -> SettingKind:
    """One secret; None if unset."""

    def parse(value: str) -> Secret | None:
        return _one_secret(value) if value else None

    return SettingKind(parse, SECRET_ALLOWED, secret=True)


def secrets() -> SettingKind:
    """Comma separated secrets."""

    def parse(value: str) -> tuple[Secret, ...]:
        return tuple(_one_secret(one) for one in _split(value))

    return SettingKind(parse, SECRET_ALLOWED + ", comma separated", secret=True)


def voice_fault(name: str, cloud: bool) -> str:
    """Why a voice can never speak; empty when it may. What it is called elsewhere only the service knows."""
    if VOICE.fullmatch(name) is None:
        return f"{name!r} is not a voice name; an example is flux-haley-en"
    if cloud and CLOUD_VOICE.fullmatch(name) is None:
        return f"{name!r} is not a voice of the cloud: their names look like flux-haley-en"
    return ""


def speech_url() -> SettingKind:
    """`auto`, `local`, or where a server is. http(s) is taken as ws(s); an SDK needs the bare address."""
    allowed = (
        "auto, local, or ws://host:port (wss:// for one that is encrypted), without a path:"
        " /v2/listen is added, and /v1 has no Flux"
    )

    def parse(value: str) -> str:
        if value.lower() in ("auto", "local"):
            return value.lower()
        url = value.rstrip("/")
        for plain, socket in (("http://", "ws://"), ("https://", "wss://")):
            if url.lower().startswith(plain):
                url = socket + url[len(plain) :]
        if _address_fault(url, ("ws", "wss")):
            raise ValueError(allowed)
        return url

    return SettingKind(parse, allowed)


def public_url() -> SettingKind:
    """`https://host`; plain http only for this machine, where a carrier stand-in calls."""
    allowed = "https://host as Twilio sees it, without a query"

    def parse(value: str) -> str:
        if not value:
            return ""
        url = value.rstrip("/")
        if _address_fault(url, ("https", "http"), with_path=True):
            raise ValueError(allowed)
        parts = urlsplit(url)
        if parts.scheme == "http" and not host_is_loopback(parts.hostname or ""):
            raise ValueError(allowed)
        if parts.path.endswith("/twilio/voice"):  # the webhook's address, as it stands in Twilio's console
            raise ValueError(f"{allowed}, and without /twilio/voice, which is added")
        return url

    return SettingKind(parse, allowed)


def phone_number() -> SettingKind:
    """A number in international form, in E.164 whatever punctuation it has; "" if unset."""
    allowed = "a number that exists, in international form: +14155550100"

    def parse(value: str) -> str:
        if not value:
            return ""
        number = international(value)
        if not exists(number):
            raise ValueError(allowed)
        return number

    return SettingKind(parse, allowed)


def dial_prefixes() -> SettingKind:
    """Comma separated beginnings of numbers, `+44`."""
    allowed = "+ and 1 to 15 digits, comma separated"

    def parse(value: str) -> tuple[str, ...]:
        found = tuple(international_prefix(one) for one in _split(value))
        if not all(found):
            raise ValueError(allowed)
        return found

    return SettingKind(parse, allowed)


def api_url() -> SettingKind:
    """`https://host`, or `http://` on this machine; "" if unset."""
    allowed = "https://host, or http://127.0.0.1:port"

    def parse(value: str) -> str:
        if not value:
            return ""
        url = value.rstrip("/")
        plain = not _address_fault(url, ("https", "http"))
        if not plain or (url.startswith("http:") and not host_is_loopback(urlsplit(url).hostname or "")):
            raise ValueError(allowed)
        return url

    return SettingKind(parse, allowed)


def hook_url() -> SettingKind:
    """Where events are posted; "" if unset. Whether it may be reached is checked elsewhere."""
    allowed = "a URL like https://host/path, without a name or password in it"

    def parse(value: str) -> str:
        if not value:
            return ""
        bare = value.partition("?")[0]
        if "#" in value or _address_fault(bare, ("https", "http"), with_path=True):
            raise ValueError(allowed)
        return value

    return SettingKind(parse, allowed)


COMPLETIONS = "/chat/completions"
API_VERSION = re.compile(r"v\d+[a-z]*\d*")
"""A segment such as v1 or v1beta: what stands behind it is the API's."""
OTHER_APIS = (
    "/completions",
    "/responses",
    "/embeddings",
    "/models",
    "/api/chat",
    "/api/generate",
    "/messages",
)
"""Ends of addresses that people have at hand, and that take no chat completions."""
ALLOWED_MODEL_URL = (
    "the address of a chat-completions server, https://host/v1 or http://127.0.0.1:port, without a key"
)


def model_url() -> SettingKind:
    """Where a model answers, as the address of its chat completions; "" if unset."""

    def parse(value: str) -> str:
        return chat_url(value) if value else ""

    return SettingKind(parse, ALLOWED_MODEL_URL)


def chat_url(given: str) -> str:
    """The address of chat completions, from what a user gave. Raises ValueError(what is allowed).

    `https://host`, `https://host/v1` and `https://host/v1/chat/completions` come to the same.
    """
    parts = _split_url(given)
    path = parts.path.rstrip("/")
    if path.endswith(COMPLETIONS):
        return urlunsplit(parts._replace(path=path))
    if path.endswith(OTHER_APIS):
        raise ValueError(f"{ALLOWED_MODEL_URL}; {path} is another API's path")
    segments = path.split("/")
    versioned = any(API_VERSION.fullmatch(one) for one in segments) or "deployments" in segments
    return urlunsplit(parts._replace(path=path + ("" if versioned else "/v1") + COMPLETIONS))


def _split_url(given: str) -> SplitResult:
    try:
        parts = urlsplit(given)
        good = parts.port != 0  # reading it raises for a bad one
    except ValueError:
        raise ValueError(ALLOWED_MODEL_URL) from None
    plain = given.isascii() and given.isprintable() and " " not in given
    if not (good and plain and parts.scheme in ("http", "https") and parts.hostname):
        raise ValueError(ALLOWED_MODEL_URL)
    if parts.username or parts.password or parts.fragment:
        raise ValueError(ALLOWED_MODEL_URL)
    return parts


def host_is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. A name other than localhost may lead anywhere."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _address_fault(url: str, schemes: tuple[str, ...], *, with_path: bool = False) -> bool:
    try:
        parts = urlsplit(url)
        port_is_good = parts.port != 0  # reading it raises for a bad one
    except ValueError:
        return True
    extra = parts.query or parts.fragment or parts.username or (parts.path and not with_path)
    plain = url.isascii() and url.isprintable() and " " not in url
    return bool(parts.scheme not in schemes or not parts.hostname or extra or not plain or not port_is_good)


def _split(value: str) -> tuple[str, ...]:
    return tuple(one for part in value.split(",") if (one := part.strip()))
