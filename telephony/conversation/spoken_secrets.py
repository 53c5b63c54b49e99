"""Numbers in what people say, and how secret ones are hidden: a card's, a PIN. PURE.

A number may be written in digits, with blanks or hyphens between them, or in words. What is compared is its
digits, so that a number that was keyed in is also found where it is said, in whole or in part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from telephony.conversation.backchannel import is_backchannel
from telephony.conversation.turn_record import REDACTED

PART = 4
"""So many digits in a row of a secret number give it away: "the card that ends in 1111"."""
SHORTEST = 3
"""Secret numbers shorter than this are hidden only where they stand alone."""
MOST_KNOWN = 100
"""How many secret answers of a call are remembered, until it ends."""

_ONES = "zero one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_DIGITS = {word: str(digit) for digit, word in enumerate(_ONES)} | {"oh": "0", "o": "0", "nought": "0"}
_DIGITS |= {word: str(10 + at) for at, word in enumerate(_TEENS)}
_DIGITS |= {word: str(20 + 10 * at) for at, word in enumerate(_TENS)}
_TIMES = {"double": 2, "triple": 3}
NUMBER_WORDS = frozenset({*_DIGITS, *_TIMES, "hundred", "thousand"})

_TOKEN = re.compile(r"[^\W\d_]+|\d+")
_BETWEEN = re.compile(r"(?:[\s.,;:/()#*_+-]|\b(?:and|um+|uh+|er+|then)\b)*", re.IGNORECASE)
"""What may stand between the parts of one number."""
ANSWER, NO_ANSWER = "n", "x"
"""How a redacted word is written on a tape, before its place in the turn: as part of an answer to a sensitive
question, or of something else. Run again, the tape must give the same decisions."""
_STANDS_FOR_A_WORD = re.compile(rf"\b([{ANSWER}{NO_ANSWER}])\d+(?:-\d+)?\b")
_WORDS = re.compile(
    rf"(?<![^\W\d_])(?:{'|'.join(sorted(NUMBER_WORDS, key=len, reverse=True))})(?![^\W\d_])", re.IGNORECASE
)
_PLEASE = frozenset("please thanks thank you sir madam okay ok that's it is all yes right done there".split())


class _Number:
    """One number in a text: where it stands, what its digits are, of how many words it is made."""

    __slots__ = ("digits", "end", "parts", "start", "_tens", "_times")

    def __init__(self, start: int) -> None:
        self.start = self.end = start
        self.digits = ""
        self.parts = 0
        self._tens = False
        self._times = 1

    def add(self, word: str, end: int) -> None:
        """The next of its words: "ninety two" is 92, "double five" 55."""
        self.end = end
        self.parts += 1
        if word in _TIMES:
            self._times = _TIMES[word]
            return
        one = word if word.isdigit() else _DIGITS.get(word, "")
        if self._tens and len(one) == 1 and one != "0":
            self.digits = self.digits[:-1] + one
        else:
            self.digits += one * self._times
        self._tens, self._times = word in _TENS, 1


def _numbers(text: str) -> Iterator[_Number]:
    number: _Number | None = None
    for token in _TOKEN.finditer(text):
        word = token[0].lower()
        if not (word.isdigit() or word in NUMBER_WORDS):
            continue
        if number is not None and not _BETWEEN.fullmatch(text, number.end, token.start()):
            yield number
            number = None
        if number is None:
            number = _Number(token.start())
        number.add(word, token.end())
    if number is not None:
        yield number


def is_long(text: str, least: int) -> bool:
    """Whether a text has so many digits, dictated in one go or with words between them.

    Words that were redacted on a tape count as digits: run again, it must give the same decisions.
    """
    found = sum(len(number.digits) for number in _numbers(text))
    return found >= least or _STANDS_FOR_A_WORD.search(text) is not None


def answers_with_a_number(text: str) -> bool:
    """Whether a text may be what was asked for, and not "one second" or "give me two minutes"."""
    for number in _numbers(text):
        if number.parts > 1 or len(number.digits) > 1:
            return True
        rest = text[number.end :].lower()
        if number.digits != "1" and set(_TOKEN.findall(rest)) <= _PLEASE:
            return True
    return False


def written_answer(text: str) -> bool | None:
    """Whether redacted words are part of an answer; None where no word is redacted."""
    kinds = set(_STANDS_FOR_A_WORD.findall(text))
    return ANSWER in kinds if kinds else None


def without_numbers(text: str) -> str:
    """A text of ours whose numbers are hidden, as long as it was and cut in phrases at the same places."""

    def hidden(found: re.Match[str]) -> str:
        return "".join("X" if letter.isupper() else "x" for letter in found[0])

    return _WORDS.sub(hidden, "".join("0" if letter.isdigit() else letter for letter in text))


class Secrets:
    """What must be hidden in one call, wherever it turns up. Kept in memory only."""

    def __init__(self) -> None:
        self._numbers: list[str] = []
        self._texts: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._numbers or self._texts)

    def add(self, text: str, digits: str = "") -> None:
        """A secret answer: what was said, and the keys that were pressed."""
        spoken = [number.digits for number in _numbers(text)]
        for number in (digits, *(one for one in ("".join(spoken), *spoken) if len(one) >= SHORTEST)):
            if number and number not in self._numbers:
                self._numbers.append(number)
        said = text.strip().lower()
        if len(said) >= PART and not is_backchannel(said) and said not in self._texts:
            self._texts.append(said)
        del self._numbers[:-MOST_KNOWN], self._texts[:-MOST_KNOWN]

    def known(self) -> list[list[str]]:
        """All of it, for the next stream of the same call: see `learn`."""
        return [self._numbers.copy(), self._texts.copy()]

    def learn(self, known: Sequence[Sequence[str]]) -> None:
        """What an earlier stream of the call knew."""
        for mine, theirs in zip((self._numbers, self._texts), known, strict=False):
            mine += [one for one in theirs if one not in mine]

    def hide(self, value: Any) -> Any:
        """The value as it may be written: in JSON's types, without the secrets."""
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return REDACTED if self._known("".join(c for c in str(value) if c.isdigit())) else value
        if isinstance(value, Mapping):
            return {self._text(str(name)): self.hide(one) for name, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.hide(one) for one in value]
        return self._text(repr(value))

    def _text(self, text: str) -> str:
        if not self:
            return text
        for said in self._texts:
            at = text.lower().find(said)
            while at >= 0:
                text = text[:at] + REDACTED + text[at + len(said) :]
                at = text.lower().find(said, at + len(REDACTED))
        alone = text.strip()
        if any(alone == number for number in self._numbers):
            return REDACTED
        for number in reversed(list(_numbers(text))):
            if self._known(number.digits):
                text = text[: number.start] + REDACTED + text[number.end :]
        return text

    def _known(self, digits: str) -> bool:
        """Whether these digits give a secret number away."""
        for number in self._numbers:
            if len(number) < SHORTEST:
                continue
            size = min(PART, len(number))
            if any(digits[at : at + size] in number for at in range(len(digits) - size + 1)):
                return True
        return False
