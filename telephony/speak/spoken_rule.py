"""What reading rules share: a pattern for one word, what is said for it, the words around it. PURE."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

Words = Sequence[str]
Rule = Callable[[re.Match[str], Words, int], str | None]
"""(match, all words, index of this one) -> what is said, or None: the next rule is tried."""
Rules = tuple[tuple[re.Pattern[str], Rule], ...]

AMERICAN = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_INDIAN = r"\d{1,2}(?:,\d\d)+,\d{3}(?:\.\d+)?"
_CONTINENTAL = r"\d{1,3}(?:[.']\d{3})+(?:[.,]\d+)?|\d+,\d+"
NUMBER = rf"(?:\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?(?![\d,])|{_INDIAN}|{_CONTINENTAL}|\d+(?:\.\d+)?|\.\d+)"
"""An amount as it is written in America, India, or on the European continent."""


def rules(*pairs: tuple[str, Rule]) -> Rules:
    """Patterns that must match a whole word, whatever its case."""
    return tuple((re.compile(f"^(?:{pattern})$", re.IGNORECASE), rule) for pattern, rule in pairs)


def first_said(table: Iterable[tuple[re.Pattern[str], Rule]], words: Words, index: int) -> str | None:
    """What the first rule that applies says for the word."""
    for pattern, rule in table:
        match = pattern.match(words[index])
        if match:
            said = rule(match, words, index)
            if said is not None:
                return said
    return None


def at(words: Words, index: int) -> str:
    """The word at `index`; "" beyond either end."""
    return words[index] if 0 <= index < len(words) else ""


def is_number(word: str) -> bool:
    return bool(re.fullmatch(rf"[-+]?[$€£¥]?{NUMBER}", word))


def american(text: str, *, point_is_decimal: bool = True) -> str:
    """An amount written in any way -> digits with a decimal point at most: "1.234,56" -> "1234.56".

    `point_is_decimal`: whether "1.250" has three decimals or is above a thousand.
    """
    text = text.replace("'", "")
    if "," in text and "." in text:
        grouping = "," if text.rfind(".") > text.rfind(",") else "."
        return text.replace(grouping, "").replace(",", ".")
    if "," in text:
        grouped = re.fullmatch(rf"\d{{1,3}}(?:,\d{{3}})+|{_INDIAN}", text)
        return text.replace(",", "" if grouped else ".")
    if text.count(".") > 1 or not point_is_decimal and re.fullmatch(r"\d{1,3}\.\d{3}", text):
        return text.replace(".", "")
    return text
