"""What an agent yields is checked when it yields it, and put into the plainest form. PURE.

Behind this door nobody looks again: the tape, the record and the shared store write it as JSON, the carrier
dials it. So a note holds what JSON gives back exactly as it was, and a transfer names somebody who can be
called. An error says where, and which type was found; never the value, which may be the caller's secret.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from telephony.reply.agent import (
    EXPECT_KINDS,
    KEYS,
    MOST_DIGITS,
    MOST_KEYS,
    PAUSE_S,
    Expect,
    HangUp,
    Note,
    Said,
    Say,
    Transfer,
    Wait,
)

MOST_NESTED = 20  # lists and dicts within each other
MOST_NOTED = 65_536  # characters of a note's names and texts; numbers and brackets count as 8
MOST_TARGET = 255  # characters of a SIP address: Twilio, "<Sip>"
MOST_WORDS = 4_096  # characters in a `<Say>`: Twilio, "<Say>"; also of all options of a question
MOST_HOLD_S = 86_400.0  # a day: what is longer is a mistake in a unit
_WHOLE = range(-(2**63), 2**64)  # what all JSON libraries here can write
_NUMBER = re.compile(r"\+?[0-9]{2,15}")  # E.164 has 15 digits at most; local numbers are the carrier's affair
_PUNCTUATION = re.compile(r"[\s().\-/]")
_SIP = re.compile(r"sips?:[^\s<>\"\x00-\x1f\x7f]+", re.IGNORECASE)
_CLIENT = re.compile(r"client:[^\s<>\"\x00-\x1f\x7f]+", re.IGNORECASE)
_ALLOWED = "text, Say, Note, Expect, Wait, Transfer and HangUp are allowed"


class NotAllowed(TypeError):
    """An agent yielded what cannot be used. The message names the place and the type, not the value."""


def checked(said: object) -> Said:
    """What was yielded, in plain types. Raises NotAllowed."""
    try:
        return _checked(said)
    except NotAllowed:
        raise
    except Exception as error:  # the agent's own types have code of their own
        found = type(error).__name__
        raise NotAllowed(f"reply() yielded {type(said).__name__}; reading it failed with {found}") from error


def _checked(said: object) -> Said:
    if isinstance(said, str):
        return _text(said)
    if isinstance(said, Say):
        _must(isinstance(said.text, str), "Say.text", said.text, "text")
        _must(isinstance(said.interruptible, bool), "Say.interruptible", said.interruptible, "True or False")
        return Say(_text(said.text), said.interruptible)
    if isinstance(said, Note):
        return _note(said)
    if isinstance(said, Expect):
        return _expect(said)
    if isinstance(said, Transfer):
        _must(isinstance(said.to, str), "Transfer.to", said.to, "text")
        return Transfer(_target(_text(said.to)))
    if isinstance(said, Wait | HangUp):
        return Wait() if isinstance(said, Wait) else HangUp()
    if isinstance(said, type):
        raise NotAllowed(f"reply() yielded the class {said.__name__}: write {said.__name__}(...)")
    raise NotAllowed(f"reply() yielded {type(said).__name__}; {_ALLOWED}")


def _must(right: bool, place: str, value: object, needed: str) -> None:
    if not right:
        raise NotAllowed(f"{place} is {type(value).__name__}; {needed} is needed")


def _text(text: str) -> str:
    """A plain string; half of a surrogate pair, which no JSON and no XML can carry, becomes `?`."""
    return str.__str__(text).encode("utf-8", "replace").decode()


def _expect(said: Expect) -> Expect:
    kinds = ", ".join(EXPECT_KINDS)
    if said.kind not in EXPECT_KINDS:
        raise NotAllowed(f"Expect.kind is none of {kinds}")
    options = said.options
    _must(isinstance(options, list | tuple), "Expect.options", options, "a tuple of texts")
    for option in options:
        _must(isinstance(option, str), "one of Expect.options", option, "text")
    options = tuple([_text(option) for option in options])
    if sum(map(len, options)) > MOST_WORDS:
        raise NotAllowed(f"Expect.options have more than {MOST_WORDS} characters")
    _must(isinstance(said.sensitive, bool), "Expect.sensitive", said.sensitive, "True or False")
    pause_s, length = said.pause_s, said.length
    if pause_s is not None:
        number = isinstance(pause_s, int | float) and not isinstance(pause_s, bool)
        _must(number, "Expect.pause_s", pause_s, "a number of seconds")
        if not PAUSE_S[0] <= pause_s <= PAUSE_S[1]:
            raise NotAllowed(
                f"Expect.pause_s is {pause_s!s:.20}: {PAUSE_S[0]:g} to {PAUSE_S[1]:g} s may end an entry"
            )
        pause_s = float(pause_s)
    if length is not None:
        _must(
            isinstance(length, int) and not isinstance(length, bool),
            "Expect.length",
            length,
            "a whole number",
        )
        if not 1 <= length <= MOST_DIGITS:
            raise NotAllowed(f"Expect.length is {length}: an entry has 1 to {MOST_DIGITS} keys")
        length = int(length)
    return Expect(said.kind, options, said.sensitive, pause_s, length)


# ---- transfers


def _target(to: str) -> str:
    """Somebody who can be called, or one of the forms that `press_keys` and `hold` make."""
    to = to.strip()
    kind, _, rest = to.partition(":")
    if kind == "digits":
        if 1 <= len(rest) <= MOST_KEYS and set(rest) <= KEYS:
            return to
        raise NotAllowed(
            f"Transfer.to presses something that is not a key: 1 to {MOST_KEYS} of {''.join(sorted(KEYS))}"
        )
    if kind == "hold":
        seconds, _, words = rest.partition(":")
        if len(words) > MOST_WORDS:
            raise NotAllowed(f"Transfer.to says more than {MOST_WORDS} characters before it holds")
        if 0 <= _seconds(seconds) <= MOST_HOLD_S:
            return to
        raise NotAllowed("Transfer.to holds for no number of seconds: hold(30) is how it is written")
    if len(to) <= MOST_TARGET and (_SIP.fullmatch(to) or _CLIENT.fullmatch(to)):
        return to
    number = _PUNCTUATION.sub("", to)
    if number.isascii() and _NUMBER.fullmatch(number):
        return number
    raise NotAllowed("Transfer.to is neither a number like +14155550132, nor `sip:...`, nor `client:...`")


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


# ---- notes


def _note(said: Note) -> Note:
    _must(isinstance(said.values, Mapping), "Note.values", said.values, "Note(name=value)")
    room = [MOST_NOTED]
    values = {_name(name, "Note", room): _plain(value, name, 1, room) for name, value in said.values.items()}
    return Note.without_secrets(**values) if said.clean else Note(**values)


def _plain(value: object, place: str, depth: int, room: list[int]) -> object:
    """The same in JSON's own types, copied: what the agent does to it afterwards is its own affair."""
    if isinstance(value, str):
        text = _text(value)
        _take(room, len(text), place)
        return text
    _take(room, 8, place)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _plain_number(value, place)
    if isinstance(value, list | tuple | Mapping):
        if depth > MOST_NESTED:
            raise NotAllowed(f"Note({place}=...) is nested more than {MOST_NESTED} deep, or holds itself")
        if isinstance(value, Mapping):
            return {_name(n, place, room): _plain(v, place, depth + 1, room) for n, v in value.items()}
        return [_plain(one, place, depth + 1, room) for one in value]
    found = type(value).__name__
    raise NotAllowed(f"Note({place}=...) holds {found}; text, numbers, True, False, None, lists and dicts"
                     " of them can be noted")  # fmt: skip


def _plain_number(value: float, place: str) -> float:
    if isinstance(value, int):
        whole = int.__pos__(value)
        if whole in _WHOLE:
            return whole
        raise NotAllowed(f"Note({place}=...) holds int of more than 64 bits: note it as text")
    number = float.__pos__(value)
    if math.isfinite(number):
        return number
    raise NotAllowed(f"Note({place}=...) holds a float that is not a finite number")


def _name(name: object, place: str, room: list[int]) -> str:
    if not isinstance(name, str):
        raise NotAllowed(f"a name in {place} is {type(name).__name__}; in JSON names are text")
    text = _text(name)
    _take(room, len(text), place)
    return text


def _take(room: list[int], characters: int, place: str) -> None:
    room[0] -= characters
    if room[0] < 0:
        raise NotAllowed(f"Note({place}=...) has more than {MOST_NOTED} characters")
