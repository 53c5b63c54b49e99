"""Numbers as an American says them. PURE.

num2words 0.5.14 was tried in their place. It says "one hundred and one" and puts commas behind thousands: of
the numbers below 10,000 it says 9,882 otherwise, and the voices here pause at each comma.
"""

from __future__ import annotations

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_LARGE = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_TOO_LARGE = 10**15
MONTHS = ("January February March April May June July August September October November December").split()


def cardinal(number: int) -> str:
    """1234 -> "one thousand two hundred thirty-four". Beyond 10^15 digit by digit."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if number >= _TOO_LARGE:
        return digits(str(number))
    if number < 20:
        return _SMALL[number]
    if number < 100:
        tens, ones = _TENS[number // 10 - 2], number % 10
        return f"{tens}-{_SMALL[ones]}" if ones else tens
    value, name = next(pair for pair in _LARGE if number >= pair[0])
    rest = number % value
    words = f"{cardinal(number // value)} {name}"
    return f"{words} {cardinal(rest)}" if rest else words


def ordinal(number: int) -> str:
    """22 -> "twenty-second"."""
    words = cardinal(number)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[cut:]
    if last in _ORDINALS:
        return words[:cut] + _ORDINALS[last]
    return words[:cut] + (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")


def digits(text: str) -> str:
    """The digits of a text, one by one: "0199" -> "zero one nine nine"."""
    return " ".join(_SMALL[int(digit)] for digit in text if digit in "0123456789")


def decimal(text: str) -> str:
    """ "3.14" -> "three point one four"; "1,000" -> "one thousand"; ".5" -> "point five"."""
    whole, _, part = text.replace(",", "").partition(".")
    words = cardinal(int(whole)) if whole else ""
    return f"{words} point {digits(part)}".strip() if part else words


def year(number: int) -> str:
    """1984 -> "nineteen eighty-four", 1905 -> "nineteen oh five", 2005 -> "two thousand five"."""
    century, rest = divmod(number, 100)
    if number % 1000 < 10:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def decade(number: int) -> str:
    """1990 -> "nineteen nineties", 90 -> "nineties", 2000 -> "two thousands"."""
    words = year(number) if number >= 1000 else cardinal(number)
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def money(amount: str, unit: str, cent: str) -> str:
    """money("4.50", "dollar", "cent") -> "four dollars and fifty cents"."""
    whole, _, part = amount.replace(",", "").partition(".")
    part = "" if not cent and not part.strip("0") else part
    if part and (len(part) != 2 or not cent):
        return f"{decimal(amount)} {plural(unit)}"
    units, cents = int(whole or 0), int(part or 0)
    spoken_cents = f"{cardinal(cents)} {cent if cents == 1 else plural(cent)}"
    if cents and not units:
        return spoken_cents
    spoken_units = f"{cardinal(units)} {unit if units == 1 else plural(unit)}"
    return f"{spoken_units} and {spoken_cents}" if cents else spoken_units


_PLURALS = {
    **{"foot": "feet", "inch": "inches", "penny": "pence", "leu": "lei", "real": "reais", "paisa": "paise"},
    **{"krona": "kronor", "krone": "kroner", "century": "centuries"},
}
_SAME_IN_PLURAL = frozenset(
    "yen yuan won baht rand sen dong ringgit bitcoin ether horsepower mercury".split()
)


def plural(unit: str) -> str:
    """The plural of a unit of measure or money: "foot" -> "feet", "mile per hour" -> "miles per hour"."""
    counted, per, rest = unit.partition(" per ")
    if counted.startswith("degree "):
        return f"degrees {counted[7:]}{per}{rest}"
    before, space, last = counted.rpartition(" ")
    if last in _SAME_IN_PLURAL or last.endswith("hertz"):
        return unit
    return f"{before}{space}{_PLURALS.get(last, f'{last}s')}{per}{rest}"


def clock(hour: int, minute: int, *, half_named: bool) -> str:
    """10, 5 -> "ten oh five". On the hour "ten", or "ten o'clock" where no a.m. or p.m. follows."""
    if hour in (0, 24) and not half_named:
        return f"twelve {clock(1, minute, half_named=True)[4:]} ay em" if minute else "midnight"
    if minute == 0:
        if half_named:
            return cardinal(hour)
        return f"{cardinal(hour)} o'clock" if 1 <= hour <= 12 else f"{cardinal(hour)} hundred hours"
    return f"{cardinal(hour)} {'oh ' if minute < 10 else ''}{cardinal(minute)}"


def date(month: int, day: int, in_year: int | None = None) -> str:
    """5, 3, 2024 -> "May third, twenty twenty-four"."""
    words = f"{MONTHS[month - 1]} {ordinal(day)}"
    return f"{words}, {year(in_year)}" if in_year is not None else words


def fraction(upper: int, lower: int) -> str:
    """3, 4 -> "three quarters"."""
    name = {2: "half", 4: "quarter"}.get(lower, ordinal(lower))
    if upper == 1:
        return f"one {name}"
    return f"{cardinal(upper)} {'halves' if lower == 2 else f'{name}s'}"
