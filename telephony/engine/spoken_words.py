"""What is written shorter than it is said: letters, abbreviations, units, signs."""

from __future__ import annotations

# Spelled so that any synthesizer says the letter's name, and not the article "a" or the Roman "I".
LETTERS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        "ay bee see dee ee eff gee aitch eye jay kay ell em en oh pee cue ar ess tee you vee double-you "
        "ex why zee".split(),
        strict=True,
    )
)

# With or without its full stop; the full stop of an abbreviation ends no sentence.
ABBREVIATIONS = {
    "mr.": "mister",
    "mrs.": "missus",
    "ms.": "miz",
    "prof.": "professor",
    "jr.": "junior",
    "sr.": "senior",
    "capt.": "captain",
    "sgt.": "sergeant",
    "lt.": "lieutenant",
    "gen.": "general",
    "rev.": "reverend",
    "ave.": "avenue",
    "blvd.": "boulevard",
    "rd.": "road",
    "ln.": "lane",
    "hwy.": "highway",
    "pkwy.": "parkway",
    "apt.": "apartment",
    "ste.": "suite",
    "mt.": "mount",
    "ft.": "fort",
    "dept.": "department",
    "est.": "established",
    "ext.": "extension",
    "tel.": "telephone",
    "approx.": "approximately",
    "appt.": "appointment",
    "vs.": "versus",
    "vs": "versus",
    "etc.": "et cetera",
    "e.g.": "for example",
    "i.e.": "that is",
    "a.k.a.": "also known as",
    "inc.": "incorporated",
    "ltd.": "limited",
    "corp.": "corporation",
    "co.": "company",
    "bros.": "brothers",
    "min.": "minutes",
    "max.": "maximum",
    "hr.": "hour",
    "hrs.": "hours",
    "jan.": "January",
    "feb.": "February",
    "apr.": "April",
    "aug.": "August",
    "sept.": "September",
    "sep.": "September",
    "oct.": "October",
    "nov.": "November",
    "dec.": "December",
    "mon.": "Monday",
    "tue.": "Tuesday",
    "tues.": "Tuesday",
    "wed.": "Wednesday",
    "thu.": "Thursday",
    "thurs.": "Thursday",
    "fri.": "Friday",
    "w/": "with",
    "w/o": "without",
    "&": "and",
    "+": "plus",
    "=": "equals",
    "@": "at",
    "%": "percent",
    "24/7": "twenty-four seven",
    "ok": "okay",
    "ph.d.": "pee aitch dee",
}
SENTENCE_ENDERS = {"etc.", "inc.", "ltd.", "corp.", "co.", "jr.", "sr.", "ave.", "blvd.", "rd.", "ln."}
"""Abbreviations that may also be a sentence's last word."""

UNITS = {
    "kg": "kilogram",
    "g": "gram",
    "mg": "milligram",
    "lb": "pound",
    "lbs": "pound",
    "oz": "ounce",
    "km": "kilometer",
    "m": "meter",
    "cm": "centimeter",
    "mm": "millimeter",
    "mi": "mile",
    "ft": "foot",
    "yd": "yard",
    "mph": "mile per hour",
    "km/h": "kilometer per hour",
    "l": "liter",
    "ml": "milliliter",
    "gal": "gallon",
    "hr": "hour",
    "hrs": "hour",
    "h": "hour",
    "min": "minute",
    "mins": "minute",
    "sec": "second",
    "secs": "second",
    "ms": "millisecond",
    "hz": "hertz",
    "khz": "kilohertz",
    "mhz": "megahertz",
    "ghz": "gigahertz",
    "kb": "kilobyte",
    "mb": "megabyte",
    "gb": "gigabyte",
    "tb": "terabyte",
    "w": "watt",
    "kw": "kilowatt",
    "kwh": "kilowatt hour",
    "v": "volt",
    "sqft": "square foot",
    "°": "degree",
    "°f": "degree Fahrenheit",
    "°c": "degree Celsius",
}
GLUED_UNITS = {**UNITS, "in": "inch", '"': "inch", "'": "foot", "k": "thousand", "s": "second"}
"""Units that mean something only right behind a number: "5in", but not "5 in the morning"."""

CURRENCIES = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny"), "¥": ("yen", "sen")}

SCALES = ("thousand", "million", "billion", "trillion")

SAID_AS_WORDS = frozenset(
    "pin zip sim ram nasa nato covid aids fifa fema osha ikea asap gif laser radar scuba unicef opec hipaa "
    "yes no not and the all new our you any are can but for now out off one two six ten big hot red bad good "
    "do go so up in on at is be to of my we he me or if by as an it was has had may day way who why how get "
    "put let ask see say use end low top car bus box job tax fee pay buy".split()
)
"""Words of up to five letters that stay words in capitals; other short ones are spelled."""

SPELLED = frozenset("usa usps aaa aarp atm ceo iou diy faq eta iban asus url api ipo".split())

ADDRESS_WORDS = {"gmail": "gee mail", "co": "co", "www": "double-you double-you double-you"}
"""Parts of addresses with a way of saying of their own."""

SPELLED_DOMAINS = frozenset("io uk us eu tv ai edu de fr nl html php pdf".split())

ADDRESS_SIGNS = {
    ".": "dot",
    "@": "at",
    "_": "underscore",
    "-": "dash",
    "/": "slash",
    "+": "plus",
    "~": "tilde",
}

NUMBER_IS_A_CODE = frozenset(
    "pin code zip zipcode account confirmation reference tracking extension ext. ext passcode password "
    "order ticket card ending id".split()
)
"""After these a number is read digit by digit, with "number", "is", "#" or "in" between at most."""
