"""Text as an agent yields it -> phrases worth speaking one at a time.

The first phrase decides how soon the caller hears something, so it may be a clause; what follows goes by
whole sentences, for their melody. A cut is made only where it cannot be heard as a mistake: not inside
numbers, abbreviations, initials, e-mail addresses, links. What is written for the eye (markdown, emoji) is
taken out. A cut waits for the white space after the punctuation ("3." may become "3.50"); `finish` says that
no more comes.
"""

from __future__ import annotations

import html
import re

FIRST_CLAUSE_CHARS = 14  # a shorter first phrase ends before the next one can be rendered: a gap is heard
FIRST_MAX_CHARS = 90  # about 6 s of speech: no first phrase waits for more text than this
MAX_CHARS = 240  # about 16 s of speech: a bound for text without any punctuation
_LINK_MAX_CHARS = 200  # an opening bracket that is not closed within this is not a link

_CLOSERS = "\"'”’)]}»*_`"
_SENTENCE = ".!?…"
_CLAUSE = ",;:–—"
_CJK_SENTENCE = "。！？"  # no white space follows these

# Never the end of a sentence: something always follows.
_TITLES = frozenset("mr mrs ms dr prof st sr jr rev gen col capt lt sgt gov sen rep hon vs fig".split())
_NUMBER_SIGNS = frozenset({"no", "nos"})  # "No. 5", but "The answer is no."
# May end one: it does when a capital follows.
_SHORTENED = frozenset(
    "etc inc ltd co corp dept est approx apt ave blvd rd hwy ext tel jan feb mar apr jun jul aug sep sept oct"
    " nov dec mon tue tues wed thu thur thurs fri sat sun min sec hr hrs lb lbs oz".split()
)
_DOTTED = re.compile(
    r"(?:^|[^\w.])((?:[A-Za-z]\.)+[A-Za-z])$"
)  # a.m, e.g, U.S, J.R: the last dot is not included
_INITIAL = re.compile(r"(?:^|\s)[A-Z]$")  # J. Smith
_LAST_WORD = re.compile(r"[^\W\d_]+$")
_LIST_NUMBER = re.compile(r"^\W*\d{1,2}$")  # "1." at the start of a line

_CONJUNCTION = re.compile(r"\s(?=(?:and|but|or|so|because|which|then|while|when|if|that)\s)", re.IGNORECASE)

_FENCE = re.compile(r"```[\w+-]*")
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*(?:\s\"[^\"]*\")?\)")
_LINE_MARK = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+•][ \t]+|(?:[-*_][ \t]*){3,}$)", re.MULTILINE)
_CHECK_BOX = re.compile(r"^[ \t]*\[[ xX]\][ \t]+", re.MULTILINE)
_SOURCE = re.compile(r"(?<=[\w.,;:!?)])[ \t]?\[\^?\d{1,2}\]|【[^】\n]{0,80}】")
"""The number of a source, behind what was taken from it."""
_STRONG = re.compile(r"\*\*|__|~~|`+")
_EMPHASIS = re.compile(r"(?<![\w*])[*_](?=\S)|(?<=\S)[*_](?![\w*])")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,80}>")
_ENTITY = re.compile(r"&(?:#\d{1,6}|#x[0-9a-fA-F]{1,5}|[A-Za-z][A-Za-z0-9]{1,20});")
_PICTURE = re.compile(
    "[\U0001f000-\U0001faff\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\ufe0e\ufe0f\u200d\u20e3\U000e0020-\U000e007f]+"
)
_SPEAKABLE = re.compile(r"\w")


class Phraser:
    """Cuts one reply into phrases. Text goes in as it comes; phrases come out as soon as they are certain."""

    def __init__(self) -> None:
        self._buffer = ""
        self._first = True

    def feed(self, delta: str) -> list[str]:
        """Take the next piece of text; return the phrases that are complete now."""
        self._buffer += delta
        return self._take()

    def finish(self) -> list[str]:
        """No more text comes: return what is left. The phraser is then ready for another reply."""
        self._buffer += "\n"
        phrases = self._take()
        self._emit(self._buffer, phrases)
        self._buffer, self._first = "", True
        return phrases

    def _take(self) -> list[str]:
        phrases: list[str] = []
        while cut := _find_cut(self._buffer, self._first):
            piece, self._buffer = self._buffer[:cut], self._buffer[cut:]
            self._emit(piece, phrases)
        return phrases

    def _emit(self, piece: str, phrases: list[str]) -> None:
        phrase = speakable(piece)
        if phrase:
            phrases.append(phrase)
            self._first = False


def speakable(text: str) -> str:
    """The text without what is written for the eye; empty when nothing is left to say."""
    text = _FENCE.sub(" ", text)
    text = _LINK.sub(r"\1", text)
    text = _LINE_MARK.sub("", text)
    text = _CHECK_BOX.sub("", text)
    text = _SOURCE.sub("", text)
    text = _STRONG.sub("", text)
    text = _EMPHASIS.sub("", text)
    text = _ENTITY.sub(lambda found: html.unescape(found.group()), _TAG.sub(" ", text))
    text = _PICTURE.sub(" ", text).replace("|", " ")
    text = re.sub(r"\s+([,.;:!?…])(?=\s|$)", r"\1", " ".join(text.split()))
    return text if _SPEAKABLE.search(text) else ""


def _find_cut(text: str, first: bool) -> int:
    """Where the first phrase of `text` ends, or 0 while that is not certain.

    A sentence that is already complete is taken whole; only while its end is still to come may a first phrase
    end at a clause.
    """
    limit = FIRST_MAX_CHARS if first else MAX_CHARS
    clause = 0
    at = 0
    while at < len(text):
        skip = _link_end(text, at)
        if skip < 0:
            return 0  # a link may still be coming
        if skip:
            at = skip
            continue
        if at >= limit and text[at].isspace():
            return clause or _long_cut(text, at)
        end = _sentence_end(text, at)
        if end:
            return end
        if end is None:
            return 0  # the next character decides
        if first and not clause and at >= FIRST_CLAUSE_CHARS and _is_clause_end(text, at):
            clause = at + 1
        at += 1
    return clause


def _link_end(text: str, at: int) -> int:
    """The index after a link that starts here; 0: none starts here; -1: not certain yet."""
    if text[at] != "[":
        return 0
    if link := _LINK.match(text, at):
        return link.end()
    tail = text[at:]
    unfinished = re.fullmatch(r"\[[^\]\n]*(?:\](?:\([^)\s]*)?)?", tail)
    return -1 if unfinished and len(tail) < _LINK_MAX_CHARS else 0


def _sentence_end(text: str, at: int) -> int | None:
    """The index after the sentence that ends at `at`; 0: none ends here; None: not certain yet."""
    char = text[at]
    if char == "\n":
        return at + 1 if _SPEAKABLE.search(text[:at]) else 0
    if char in _CJK_SENTENCE:
        return at + 1
    if char not in _SENTENCE:
        return 0
    end = at + 1
    while end < len(text) and text[end] in _CLOSERS + _SENTENCE:
        end += 1
    if end == len(text):
        return None
    if not text[end].isspace():
        return 0  # 3.50, a@b.com, www.example.com
    if char != "." or text[at - 1 : at] == ".":
        return end
    return _after_dot(text, at, end)


def _after_dot(text: str, at: int, end: int) -> int | None:
    """As `_sentence_end`, for one full stop followed by white space: is it part of an abbreviation?"""
    before = text[:at]
    last = _LAST_WORD.search(before)
    word = last.group().lower() if last else ""
    if word in _TITLES or _INITIAL.search(before) or _LIST_NUMBER.match(before.rsplit("\n", 1)[-1]):
        return 0
    if word in _NUMBER_SIGNS:
        following = text[end:].lstrip(" \t")
        return (0 if following[0].isdigit() else end) if following else None
    if word in _SHORTENED or _DOTTED.search(before):
        following = text[end:].lstrip(" \t")
        if not following:
            return None
        return end if following[0].isupper() or following[0] == "\n" else 0
    return end


def _is_clause_end(text: str, at: int) -> bool:
    if text[at] not in _CLAUSE or at + 2 >= len(text) or not text[at + 1].isspace():
        return False
    return not (text[at - 1].isdigit() and text[at + 2].isdigit())  # "415, 555": one number in groups


def _long_cut(text: str, limit: int) -> int:
    """A place to cut text that has no punctuation before `limit`: before a conjunction, else at a space."""
    for place in reversed(list(_CONJUNCTION.finditer(text, limit // 2, limit))):
        return place.start()
    return limit
