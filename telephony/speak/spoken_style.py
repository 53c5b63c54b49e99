"""Keeps what is written for machines out of an agent's words: calls of tools, code, JSON, thoughts. PURE.

Text goes in as it comes, and what may be spoken comes out at once; only a character that may begin something
unspeakable waits until the next one decides. Markup that stands around words is taken off later, where
phrases are cut (`phrases.speakable`); here goes what has no words of its own.

    words = SpokenStyle()
    words.feed('Sure. {"name": "book", "argu') + words.feed('ments": {}} One moment.') + words.finish()
    == "Sure.   One moment."
"""

from __future__ import annotations

import re
from typing import Protocol

_SPECIAL = re.compile(r"[`{\[<~]")
_FENCE = re.compile(r"`{3,}|~{3,}")
_JSON = re.compile(r"\[?\s*\{+\s*(?:[\"']|[A-Za-z_]\w{0,40}\s*:)")
"""An object, also as Python or JavaScript write one."""
_CALL_LIST = re.compile(r"\[\s*[A-Za-z_][\w.]{0,60}\([\w\")\[{']")
"""`[book(day="Friday")]`: so Llama's models write calls."""
_JSON_MAY_COME = re.compile(r"(?:\[\s*(?:[A-Za-z_][\w.]{0,60}\(?)?|\[?\s*\{+\s*(?:[A-Za-z_]\w{0,40}\s*)?)\Z")
_TAG_NAMES = tuple("tool function invoke parameter think thought reason reflect scratchpad".split())
_TAG = re.compile(rf"<(?P<name>{'|'.join(_TAG_NAMES)})(?P<rest>[\w-]*)[^<>]*>", re.IGNORECASE)
_TAG_OPEN = re.compile(rf"<(?:{'|'.join(_TAG_NAMES)})[^<>]*\Z", re.IGNORECASE)
_CONTROL = re.compile(r"<[|｜](?P<name>[^|｜<>\n]{1,40})[|｜]>")  # DeepSeek's bars are wide ones
_CONTROL_OPEN = re.compile(r"<[|｜][^|｜<>\n]{0,40}[|｜]?\Z")
_CALLS = "[TOOL_CALLS]"
"""What Mistral's models write before calls that a server has not parsed."""
_BEGINS_CALL = ("tool", "python", "function")


class _Unspeakable(Protocol):
    """Something that is being left out."""

    def end_in(self, text: str) -> int:
        """Take its next piece; the index behind its end in it, or -1 when it goes on."""
        ...


class SpokenStyle:
    """Filters one reply's text. `feed` it the pieces, then `finish`."""

    def __init__(self) -> None:
        self._buffer = ""
        self._inside: _Unspeakable | None = None

    def feed(self, text: str) -> str:
        """Take the next piece; return what may be spoken now."""
        if not self._buffer and self._inside is None and not _SPECIAL.search(text):
            return text
        self._buffer += text
        return self._take(last=False)

    def finish(self) -> str:
        """No more text comes: return what was still in the buffer. What was not closed is not spoken."""
        spoken = self._take(last=True)
        self._buffer, self._inside = "", None
        return spoken

    def _take(self, last: bool) -> str:
        spoken: list[str] = []
        while self._buffer:
            if self._inside is not None:
                end = self._inside.end_in(self._buffer)
                self._buffer = self._buffer[end:] if end >= 0 else ""
                if end >= 0:
                    self._inside = None
                    spoken.append(" ")
                continue
            special = _SPECIAL.search(self._buffer)
            at = special.start() if special else len(self._buffer)
            spoken.append(self._buffer[:at])
            self._buffer = self._buffer[at:]
            if not self._buffer:
                break
            if not last and _undecided(self._buffer):
                break
            self._begin(spoken)
        return "".join(spoken)

    def _begin(self, spoken: list[str]) -> None:
        """What is in the buffer begins with a special character, and it is decided what that is."""
        text = self._buffer
        control = _CONTROL.match(text)
        tag = _TAG.match(text)
        if fence := _FENCE.match(text):
            self._leave_out(_Until(fence.group()[:3]), fence.end())
        elif _JSON.match(text) or _CALL_LIST.match(text):
            self._leave_out(_Json(), 0)
        elif text.startswith(_CALLS) or (control and control["name"].lower().startswith(_BEGINS_CALL)):
            self._leave_out(_ToTheEnd(), 0)
        elif control:
            self._buffer = text[control.end() :]
            spoken.append(" ")
        elif tag:
            self._leave_out(_Until(f"</{tag['name']}{tag['rest']}>".lower()), tag.end())
        elif _TAG_OPEN.match(text):
            self._leave_out(_ToTheEnd(), 0)
        else:
            spoken.append(text[0])
            self._buffer = text[1:]

    def _leave_out(self, inside: _Unspeakable, begun: int) -> None:
        self._inside, self._buffer = inside, self._buffer[begun:]


def _undecided(text: str) -> bool:
    """Whether the next characters decide what a special one begins."""
    if text[0] in "`~":
        return len(text) < 3 and set(text) == {text[0]}
    if text[0] == "[":
        return _CALLS.startswith(text) or bool(_JSON_MAY_COME.fullmatch(text))
    if text[0] == "{":
        return bool(_JSON_MAY_COME.fullmatch(text))
    name = text[1:].lower()
    begins_tag = any(tag.startswith(name) for tag in _TAG_NAMES)
    return begins_tag or bool(_TAG_OPEN.fullmatch(text) or _CONTROL_OPEN.fullmatch(text))


class _Until:
    """Goes on to a closing mark."""

    def __init__(self, closing: str) -> None:
        self._closing = closing
        self._tail = ""

    def end_in(self, text: str) -> int:
        seen = self._tail + text.lower()
        end = seen.find(self._closing)
        if end >= 0:
            return end + len(self._closing) - len(self._tail)
        self._tail = seen[1 - len(self._closing) :]
        return -1


_BEFORE_TEXT = frozenset("{[(,:=")


class _Json:
    """Goes on to where its brackets are closed; those inside of texts do not count."""

    def __init__(self) -> None:
        self._depth, self._escaped = 0, False
        self._quoted = ""
        """The mark that ends the text; empty: not in one."""
        self._last = ""

    def end_in(self, text: str) -> int:
        for at, char in enumerate(text):
            before, self._last = self._last, char if not char.isspace() else self._last
            if self._quoted:
                self._quoted = self._quoted if self._escaped or char != self._quoted else ""
                self._escaped = char == "\\" and not self._escaped
            elif char == '"' or (char == "'" and before in _BEFORE_TEXT):  # not that of "it's"
                self._quoted = char
            elif char in "{[":
                self._depth += 1
            elif char in "}]":
                self._depth -= 1
                if self._depth == 0:
                    return at + 1
        return -1


class _ToTheEnd:
    """Has no end."""

    def end_in(self, text: str) -> int:
        return -1
