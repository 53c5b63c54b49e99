"""Units of measure and money: as they are written, and as they are said. PURE."""

from __future__ import annotations

from typing import NamedTuple

UNITS = {
    "kg": "kilogram",
    "g": "gram",
    "mg": "milligram",
    "mcg": "microgram",
    "µg": "microgram",
    "lb": "pound",
    "lbs": "pound",
    "oz": "ounce",
    "km": "kilometer",
    "m": "meter",
    "cm": "centimeter",
    "mm": "millimeter",
    "µm": "micrometer",
    "nm": "nanometer",
    "mi": "mile",
    "ft": "foot",
    "yd": "yard",
    "yds": "yard",
    "ha": "hectare",
    "mph": "mile per hour",
    "kph": "kilometer per hour",
    "kmh": "kilometer per hour",
    "mpg": "mile per gallon",
    "rpm": "revolution per minute",
    "bpm": "beat per minute",
    "fps": "frame per second",
    "l": "liter",
    "dl": "deciliter",
    "cl": "centiliter",
    "ml": "milliliter",
    "gal": "gallon",
    "tbsp": "tablespoon",
    "tsp": "teaspoon",
    "qt": "quart",
    "hr": "hour",
    "hrs": "hour",
    "h": "hour",
    "min": "minute",
    "mins": "minute",
    "sec": "second",
    "secs": "second",
    "ms": "millisecond",
    "yr": "year",
    "yrs": "year",
    "wk": "week",
    "wks": "week",
    "mo": "month",
    "mos": "month",
    "hz": "hertz",
    "khz": "kilohertz",
    "mhz": "megahertz",
    "ghz": "gigahertz",
    "kb": "kilobyte",
    "mb": "megabyte",
    "gb": "gigabyte",
    "tb": "terabyte",
    "pb": "petabyte",
    "kbps": "kilobit per second",
    "mbps": "megabit per second",
    "gbps": "gigabit per second",
    "kbit/s": "kilobit per second",
    "mbit/s": "megabit per second",
    "gbit/s": "gigabit per second",
    "m/s²": "meter per second squared",
    "w": "watt",
    "kw": "kilowatt",
    "mw": "megawatt",
    "kwh": "kilowatt hour",
    "mwh": "megawatt hour",
    "wh": "watt hour",
    "v": "volt",
    "kv": "kilovolt",
    "mv": "millivolt",
    "ma": "milliamp",
    "mah": "milliamp hour",
    "hp": "horsepower",
    "psi": "pound per square inch",
    "kpa": "kilopascal",
    "mmhg": "millimeter of mercury",
    "db": "decibel",
    "cal": "calorie",
    "kcal": "kilocalorie",
    "kj": "kilojoule",
    "px": "pixel",
    "mp": "megapixel",
    "dpi": "dot per inch",
    "sqft": "square foot",
    "ft²": "square foot",
    "m²": "square meter",
    "m2": "square meter",
    "km²": "square kilometer",
    "km2": "square kilometer",
    "cm²": "square centimeter",
    "m³": "cubic meter",
    "m3": "cubic meter",
    "cm³": "cubic centimeter",
    "ω": "ohm",
    "°": "degree",
    "°f": "degree Fahrenheit",
    "°c": "degree Celsius",
    "℃": "degree Celsius",
    "℉": "degree Fahrenheit",
}
PER = {
    "s": "second",
    "d": "day",
    "day": "day",
    "night": "night",
    "week": "week",
    "month": "month",
    "year": "year",
}
"""Behind a slash only, beside UNITS: "m/s", "$5/night"."""

GLUED_UNITS = {
    **UNITS,
    **{"in": "inch", '"': "inch", "'": "foot", "k": "thousand", "s": "second"},
    **{"bn": "billion", "mio": "million", "mn": "million"},
}
"""Units that mean something only right behind a number: "5in", but not "5 in the morning"."""

CAPITAL_UNITS = {"M": "million", "B": "billion", "T": "trillion", "K": "thousand", "A": "amp", "L": "liter"}
"""Where a capital means something else than the small letter: 3.5M users, a 5m rope."""

NO_UNITS = frozenset({"G", "H", "S", "D", "C", "F"})
"""Capitals behind a number that are a code: "5G", "seat 14C"."""

TWO_WORD_UNITS = {"sq": "square", "cu": "cubic", "fl": "fluid"}

SCALES = ("thousand", "million", "billion", "trillion", "mio.", "mrd.")
SHORT_SCALES = {
    "k": "thousand",
    "m": "million",
    "mm": "million",
    "b": "billion",
    "bn": "billion",
    "t": "trillion",
}


class Currency(NamedTuple):
    """What one unit of money and its hundredth are called; "" where there is nothing smaller."""

    unit: str
    cent: str = ""


_DOLLAR, _EURO, _RUPEE = Currency("dollar", "cent"), Currency("euro", "cent"), Currency("rupee", "paisa")
_POUND, _YEN, _KRONA = Currency("pound", "penny"), Currency("yen", "sen"), Currency("krona")
_NAMED_DOLLARS = {
    "Australian": ("A$", "AU$", "AUD$", "AUD"),
    "Canadian": ("C$", "CA$", "CAD$", "CAD"),
    "New Zealand": ("NZ$", "NZD"),
    "Hong Kong": ("HK$", "HKD"),
    "Singapore": ("S$", "SGD"),
    "Taiwan": ("NT$", "TWD"),
}

CURRENCIES = {
    **dict.fromkeys(("$", "US$", "USD$", "USD", "＄"), _DOLLAR),
    **dict.fromkeys(("€", "EUR"), _EURO),
    **dict.fromkeys(("£", "GBP"), _POUND),
    **dict.fromkeys(("¥", "￥", "JPY"), _YEN),
    **dict.fromkeys(("₹", "INR", "Rs", "Rs."), _RUPEE),
    **{sign: Currency(f"{name} dollar", "cent") for name, signs in _NAMED_DOLLARS.items() for sign in signs},
    **{sign: Currency("real", "centavo") for sign in ("R$", "BRL")},
    **{sign: Currency("Mexican peso", "centavo") for sign in ("MX$", "MXN")},
    **{sign: Currency("zloty", "grosz") for sign in ("zł", "PLN")},
    **{sign: Currency("koruna") for sign in ("Kč", "CZK")},
    **{sign: Currency("won") for sign in ("₩", "KRW")},
    **{sign: Currency("ruble", "kopeck") for sign in ("₽", "RUB")},
    **{sign: Currency("lira") for sign in ("₺",)},
    **{sign: Currency("shekel") for sign in ("₪", "ILS")},
    **{sign: Currency("baht") for sign in ("฿", "THB")},
    **{sign: Currency("dong") for sign in ("₫", "VND")},
    **{sign: Currency("hryvnia") for sign in ("₴", "UAH")},
    **{sign: Currency("naira", "kobo") for sign in ("₦", "NGN")},
    **{sign: Currency("peso", "centavo") for sign in ("₱", "PHP")},
    **{sign: Currency("cedi") for sign in ("₵", "GHS")},
    **{sign: Currency("bitcoin") for sign in ("₿", "BTC")},
    **{sign: Currency("yuan") for sign in ("CNY", "RMB")},
    "kr": _KRONA,
    "kr.": _KRONA,
    "SEK": Currency("Swedish krona"),
    "NOK": Currency("Norwegian krone"),
    "DKK": Currency("Danish krone"),
    "ISK": Currency("Icelandic krona"),
    "CHF": Currency("Swiss franc", "centime"),
    "HUF": Currency("forint"),
    "RON": Currency("leu"),
    "ZAR": Currency("rand", "cent"),
    "KES": Currency("Kenyan shilling"),
    "EGP": Currency("Egyptian pound"),
    "AED": Currency("dirham"),
    "MAD": Currency("Moroccan dirham"),
    "SAR": Currency("riyal"),
    "QAR": Currency("Qatari riyal"),
    "KWD": Currency("Kuwaiti dinar"),
    "PKR": Currency("Pakistani rupee"),
    "LKR": Currency("Sri Lankan rupee"),
    "BDT": Currency("taka"),
    "IDR": Currency("rupiah"),
    "MYR": Currency("ringgit"),
    "ARS": Currency("Argentine peso"),
    "CLP": Currency("Chilean peso"),
    "COP": Currency("Colombian peso"),
    "ETH": Currency("ether"),
}

POINT_IS_DECIMAL = frozenset(
    _sign for _sign, _money in CURRENCIES.items() if _money.unit.endswith(("dollar", "pound"))
)
"""With these "1.250" has three decimals; elsewhere it is one thousand two hundred fifty."""


def unit_of(text: str) -> str | None:
    """The singular of a unit as it is written, "km/h" -> "kilometer per hour"; None for anything else."""
    if text == "L":
        return "liter"
    if text in CAPITAL_UNITS or text in NO_UNITS:
        return None
    text = text.replace("º", "°").replace("μ", "µ")
    if text.lower() in UNITS:
        return UNITS[text.lower()]
    counted, slash, per = text.partition("/")
    one, other = unit_of(counted) if slash else None, UNITS.get(per.lower()) or PER.get(per.lower())
    if counted in ("MB", "GB", "kB", "KB") or (one and other):
        return f"{one} per {other}"
    return None
