"""Money as it is written -> as it is said: any currency, before or behind the amount. PURE."""

from __future__ import annotations

import re

from telephony.speak.number_words import decimal, money, plural
from telephony.speak.spoken_rule import NUMBER, Rules, Words, american, at, rules
from telephony.speak.spoken_units import CURRENCIES, PER, POINT_IS_DECIMAL, SCALES, SHORT_SCALES, UNITS

_SIGN = "|".join(sorted((re.escape(sign) for sign in CURRENCIES), key=len, reverse=True))
_SIGN = f"(?-i:{_SIGN})"  # "kr" and "Rs" as they are written
_SCALE = r"k|mm|bn|[mbt]"
_AMOUNT = re.compile(rf"([-+]?)({NUMBER})((?-i:[KkMB]|bn|mm)?)")
_SIGN_EACH = re.compile(rf"({_SIGN})(?:/([a-z]+))?", re.IGNORECASE)


def say(words: Words, index: int) -> str | None:
    """An amount whose currency is a word of its own, and that word, which then says nothing more."""
    word, before, after = words[index], at(words, index - 1), at(words, index + 1)
    amount = _AMOUNT.fullmatch(word)
    if amount:
        sign = _SIGN_EACH.fullmatch(after)
        if sign and not _is_sign_before(words, index + 1):
            return _said(sign[1], amount[1], amount[2], amount[3])
        if before in CURRENCIES and _is_sign_before(words, index - 1):
            return _said(before, amount[1], amount[2], amount[3], more=after)
        return None
    if word in CURRENCIES and _is_sign_before(words, index):
        return ""
    sign = _SIGN_EACH.fullmatch(word)
    if sign and _AMOUNT.fullmatch(before):
        return _each(sign[2])
    if word.lower() in SCALES:
        return _scaled(words, index)
    if sign and before.lower() in SCALES and _AMOUNT.fullmatch(at(words, index - 2)):
        return plural(CURRENCIES[sign[1]].unit) + _each(sign[2])
    return None


def _is_sign_before(words: Words, index: int) -> bool:
    """ "EUR 12.50", and not the sign of "12.50 EUR 8 times": a sign belongs to the amount before it."""
    if words[index] not in CURRENCIES or not _AMOUNT.fullmatch(at(words, index + 1)):
        return False
    return not _AMOUNT.fullmatch(at(words, index - 1)) or at(words, index - 2) in CURRENCIES


def _scaled(words: Words, index: int) -> str | None:
    """ "million" in "$3.5 million" and "EUR 3.5 million"."""
    before = at(words, index - 1)
    glued = re.fullmatch(rf"[-+]?({_SIGN})[-+]?{NUMBER}", before, re.IGNORECASE)
    sign = glued[1] if glued else at(words, index - 2) if _AMOUNT.fullmatch(before) else ""
    return f"{words[index]} {plural(CURRENCIES[sign].unit)}" if sign in CURRENCIES else None


def _said(sign: str, plus: str, text: str, scale: str | None, more: str = "") -> str:
    """`more`: the word behind, which may be the amount's scale and then names the currency."""
    amount = american(text, point_is_decimal=sign in POINT_IS_DECIMAL)
    currency = CURRENCIES[sign]
    if scale:
        said = f"{decimal(amount)} {SHORT_SCALES[scale.lower()]} {plural(currency.unit)}"
    elif more.lower() in SCALES:
        said = decimal(amount)
    else:
        said = money(amount, currency.unit, currency.cent)
    return {"-": "minus ", "+": "plus "}.get(plus, "") + said


def _each(each: str | None) -> str:
    """ " a month" for "/month"."""
    if not each:
        return ""
    name = UNITS.get(each.lower()) or PER.get(each.lower()) or each
    return f" {'an' if name[0] in 'aeio' or name == 'hour' else 'a'} {name}"


def _before(match: re.Match[str], words: Words, index: int) -> str:
    return _said(match[2], match[1] or match[3], match[4], match[5], at(words, index + 1)) + _each(match[6])


def _behind(match: re.Match[str], words: Words, index: int) -> str:
    return _said(match[4], match[1], match[2], match[3]) + _each(match[5])


def _range(match: re.Match[str], words: Words, index: int) -> str:
    """ "$20-30", "$5k–$10k", "5-10€": the currency once, and the scale of the second for both."""
    sign, scale = match[1] or match[4] or match[7], match[3] or match[6]
    point = sign in POINT_IS_DECIMAL
    if re.search(r"[.,]\d\d$", match[2]) and not scale:
        return f"{_said(sign, '', match[2], None)} to {_said(sign, '', match[5], None)}{_each(match[8])}"
    low = decimal(american(match[2], point_is_decimal=point))
    if match[3] and match[3].lower() != (match[6] or "").lower():
        low += f" {SHORT_SCALES[match[3].lower()]}"
    end = _said(sign, "", match[5], scale, at(words, index + 1))
    return f"{low} to {end}{_each(match[8])}"


RULES: Rules = rules(
    (rf"([-+]?)({_SIGN})([-+]?)({NUMBER})({_SCALE})?(?:/([a-z]+))?", _before),
    (rf"([-+]?)({NUMBER})({_SCALE})?({_SIGN})(?:/([a-z]+))?", _behind),
    (rf"({_SIGN})({NUMBER})({_SCALE})?[-–]({_SIGN})?({NUMBER})({_SCALE})?()(?:/([a-z]+))?", _range),
    (rf"()({NUMBER})({_SCALE})?()[-–]({NUMBER})({_SCALE})?({_SIGN})(?:/([a-z]+))?", _range),
    (rf"({NUMBER})¢", lambda match, words, index: money(f"0.{int(float(match[1])):02d}", "dollar", "cent")),
    (r"(\d{1,2})(?-i:p)", lambda match, words, index: money(f"0.{int(match[1]):02d}", "pound", "penny")),
)
