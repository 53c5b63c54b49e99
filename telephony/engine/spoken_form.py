"""Text as it is written -> words as a person reads them aloud, each still tied to its place in the text.

    spoken_form("Dr. Lee, 10:05 a.m., $4.50") ->
        Dr. "doctor" · Lee "Lee" · 10:05 "ten oh five" · a.m. "ay em" · $4.50 "four dollars and fifty cents"

Voices read these too, but each in its own way and often wrongly; read here, every voice says the same, and
the words that were heard can be found again in the text that was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from telephony.engine import spoken_numbers
from telephony.engine.number_words import cardinal, digits
from telephony.engine.spoken_words import (
    ABBREVIATIONS,
    ADDRESS_SIGNS,
    ADDRESS_WORDS,
    LETTERS,
    SAID_AS_WORDS,
    SENTENCE_ENDERS,
    SPELLED,
    SPELLED_DOMAINS,
)


@dataclass(frozen=True, slots=True)
class SpokenToken:
    """One word of the text, as written and as said."""

    text: str
    """As it stands in the text, punctuation included."""
    start: int
    """Its first character in the text."""
    end: int
    """One past its last character in the text."""
    spoken: str
    """The words to say, without closing punctuation; empty where nothing is said."""
    pause: str = ""
    """The punctuation that follows: "" , ";" ":" "." "?" "!" or ","."""


_WORD = re.compile(r"\S+")
_OPENING = "\"'([{<*_`“‘«#~|•>"  # quotes, brackets and markup: they are seen, not heard
_CLOSING = "\"')]}>*_`”’»,;:.?!…~|"
_PAUSES = {"…": ",", "—": ",", "–": ",", "--": ","}
_EMAIL = re.compile(r"^[\w.+~-]+@[\w-]+(\.[\w-]+)+$")
_URL = re.compile(r"^(https?://)?([\w-]+\.)+[a-z]{2,}(/\S*)?$", re.IGNORECASE)
_TOP_LEVEL = re.compile(
    r"\.(com|org|net|edu|gov|io|ai|co|us|uk|eu|de|fr|info|biz|tv|app|dev|me|example|ca|au)(/|$)",
    re.IGNORECASE,
)
_INITIALS = re.compile(r"^([A-Za-z]\.){2,}$")
_SPELLED_NAME = re.compile(r"^[A-Za-z0-9](-[A-Za-z0-9]){2,}$")
_CAPITALS = re.compile(r"^([A-Z]{2,})('?s)?$")
_MIXED = re.compile(r"^(?=.*[A-Za-z])(?=.*\d)[A-Za-z0-9]+$")
_SINGLE_CAPITAL = re.compile(r"^[B-HJ-Z]$")
_DASHES = re.compile(r"(?<=\w)(?:—|–|--)(?=\w)")
_UNSAID = re.compile(r"[^\w\s'.,?!-]", re.UNICODE)


def spoken_form(text: str) -> tuple[SpokenToken, ...]:
    """Every word of `text` with what is said for it, in order. Characters of no word are white space."""
    plain = text.replace("’", "'").replace("‘", "'").replace("\u00a0", " ").replace("−", "-")
    matches = list(_pieces(plain))
    words = [_bare(plain[start:end]) for start, end in matches]
    shouted = _is_shouted(words)
    tokens: list[SpokenToken] = []
    for index, (start, end) in enumerate(matches):
        spoken = _say(words, index, shouted)
        pause = _pause_after(plain[start:end], words[index], index + 1 == len(words))
        if not spoken and pause and tokens and not tokens[-1].pause:  # "yes — no": the dash is a pause
            tokens[-1] = replace(tokens[-1], pause=pause)
        tokens.append(SpokenToken(text[start:end], start, end, " ".join(spoken.split()), pause))
    return tuple(tokens)


def _pieces(plain: str) -> Iterator[tuple[int, int]]:
    """Words by white space; a dash between two words separates them too."""
    for match in _WORD.finditer(plain):
        start = match.start()
        for dash in _DASHES.finditer(plain, match.start(), match.end()):
            if not re.match(r"\d", plain[dash.end()]):  # 10–12 is a range
                yield start, dash.end()
                start = dash.end()
        yield start, match.end()


def _bare(word: str) -> str:
    """The word without the punctuation around it; the full stop of an abbreviation stays."""
    word = re.sub(r"(—|–|--)$", "", word)
    if re.fullmatch(r"#\d[\w-]*[,.;:?!]*", word):  # "#5" is a number, "# Heading" is not
        return word.rstrip(_CLOSING)
    left = word.lstrip(_OPENING)
    if word.startswith("'") and re.match(r"\d0s", left):  # '90s
        left = word
    bare = left.rstrip(_CLOSING)
    if word.startswith("(") and re.fullmatch(r"\(\d{3}\)[\d-]*", word.rstrip(",.;:?!")):
        return re.sub(r"[()]", "", word).rstrip(_CLOSING)  # an area code
    stopped = left[: len(bare) + 1]
    if stopped.endswith(".") and (stopped.lower() in ABBREVIATIONS or _INITIALS.match(stopped)):
        return stopped
    if stopped.lower() in ("dr.", "st.", "no.", "mar.", "jun.", "jul.", "sat.", "sun.", "fig."):
        return stopped
    if re.fullmatch(r"(\d+')?\d+['\"]", stopped):  # 6' 2"
        return stopped
    return bare


def _pause_after(raw: str, bare: str, last: bool) -> str:
    tail = raw[raw.rfind(bare) + len(bare) :] if bare else raw
    for mark in tail:
        if mark in ",;:.?!":
            return mark
        if mark in _PAUSES:
            return ","
    if tail.startswith("--"):
        return ","
    # The full stop of "etc." may be the sentence's too.
    return "." if last and bare.lower() in SENTENCE_ENDERS else ""


def _is_shouted(words: Sequence[str]) -> bool:
    letters = [word for word in words if len(word) > 1 and word.isalpha()]
    return len(letters) > 2 and sum(word.isupper() for word in letters) >= 0.8 * len(letters)


def _say(words: Sequence[str], index: int, shouted: bool) -> str:
    """What is said for one word, given its neighbours."""
    word = words[index]
    if not word:
        return ""
    lower = word.lower()
    if lower in ABBREVIATIONS and not (word.isupper() and lower + "." in ABBREVIATIONS):
        return ABBREVIATIONS[lower]
    number = spoken_numbers.say(words, index)
    if number is not None:
        return number
    before = words[index - 1] if index else ""
    after = words[index + 1] if index + 1 < len(words) else ""
    by_place = _by_place(lower, before, after)
    if by_place:
        return by_place
    if _EMAIL.match(word):
        return _address(lower)
    if _URL.match(word) and (_TOP_LEVEL.search(word) or "://" in word or lower.startswith("www.")):
        return _address(re.sub(r"^https?://", "", lower).rstrip("/"))
    return _letters(word, before, shouted)


def _by_place(lower: str, before: str, after: str) -> str:
    """Abbreviations that mean one thing before a name and another behind one."""
    named = after[:1].isupper()
    if lower == "dr.":
        return "doctor" if named or not before[:1].isupper() else "drive"
    if lower == "st.":
        return "saint" if named and not before[:1].isupper() else "street"
    if lower == "no.":
        return "number" if after[:1].isdigit() else "no"
    if lower in ("mar.", "jun.", "jul.", "sat.", "sun.", "fig."):
        names = {"mar.": "March", "jun.": "June", "jul.": "July", "sat.": "Saturday", "sun.": "Sunday"}
        dated = after[:1].isdigit() or lower in ("sat.", "sun.") and named
        return names.get(lower, "figure") if dated else lower[:-1]
    return ""


def _letters(word: str, before: str, shouted: bool) -> str:
    """Initials, spelled names, capitals, codes, and ordinary words."""
    if _INITIALS.match(word):
        return spell(word.replace(".", ""))
    if _SPELLED_NAME.match(word):
        return ", ".join(_letter(letter) for letter in word if letter != "-")
    capitals = _CAPITALS.match(word)
    if capitals and not shouted and _is_spelled(capitals[1].lower()):
        return spell(capitals[1]) + ("s" if capitals[2] else "")
    if capitals:
        return word.capitalize() if shouted else capitals[1].lower() + (capitals[2] or "")
    if _SINGLE_CAPITAL.match(word) and not (word == "O" and before == ""):
        return LETTERS[word.lower()]
    if _MIXED.match(word):
        return _code(word)
    parts = re.split(r"[-/]", word)
    if len(parts) > 1 and any(_CAPITALS.match(part) or part.isdigit() for part in parts):
        return " ".join(_say([part], 0, shouted) for part in parts if part)
    signs = word.replace("&", " and ").replace("@", " at ").replace("_", " ")
    return re.sub(r"\d+", lambda found: f" {_digits(found[0])} ", _UNSAID.sub(" ", signs))


def _is_spelled(lower: str) -> bool:
    if lower in SPELLED:
        return True
    if lower in SAID_AS_WORDS:
        return False
    return len(lower) <= 3 or not re.search(r"[aeiouy]", lower)


def spell(letters: str) -> str:
    """The names of the letters and digits, one by one."""
    return " ".join(_letter(letter) for letter in letters)


def _letter(letter: str) -> str:
    return LETTERS.get(letter.lower()) or (digits(letter) if letter in "0123456789" else letter)


def _digits(text: str) -> str:
    return cardinal(int(text)) if len(text) < 3 and text[0] != "0" else digits(text)


def _code(word: str) -> str:
    """Letters and digits in one: "B12" -> "bee twelve", "X7Q2" -> "ex seven cue two", "iPhone15"."""
    parts = re.findall(r"[A-Za-z]+|\d+", word)
    said = []
    for part in parts:
        if part.isdigit():
            said.append(_digits(part))
        elif len(part) <= 2 or part.isupper() and _is_spelled(part.lower()):
            said.append(spell(part))
        else:
            said.append(part.lower())
    return " ".join(said)


def _address(address: str) -> str:
    """An e-mail or web address: signs by name, digits one by one, ".io" spelled."""
    said = []
    for part in re.findall(r"[a-z]+|\d|[^a-z\d]", address):
        if part.isdigit():
            said.append(digits(part))
        elif part.isalpha() and part.isascii():
            spelled = len(part) == 1 or part in SPELLED_DOMAINS or not re.search(r"[aeiouy]", part)
            said.append(ADDRESS_WORDS.get(part) or (spell(part) if spelled and part != "com" else part))
        else:
            said.append(ADDRESS_SIGNS.get(part, ""))
    return " ".join(said)
