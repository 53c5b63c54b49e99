"""What is written shorter than it is said: letters, abbreviations, units, signs. PURE."""

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
    "max.": "maximum",
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
    "50/50": "fifty fifty",
    "9/11": "nine eleven",
    "20/20": "twenty twenty",
    "401k": "four oh one kay",
    "401(k)": "four oh one kay",
    "1080p": "ten eighty pee",
    "2160p": "twenty-one sixty pee",
    "4x4": "four by four",
    "24x7": "twenty-four seven",
    "=>": "",
    "->": "to",
    "→": "to",
    "×": "times",
    "÷": "divided by",
    "±": "plus or minus",
    "≈": "about",
    "≤": "at most",
    "≥": "at least",
    "<": "less than",
    ">": "more than",
    "asst.": "assistant",
    "assn.": "association",
    "attn.": "attention",
    "bldg.": "building",
    "ca.": "circa",
    "cf.": "compare",
    "dept": "department",
    "esp.": "especially",
    "esq.": "esquire",
    "govt.": "government",
    "gov't": "government",
    "incl.": "including",
    "excl.": "excluding",
    "intl.": "international",
    "int'l": "international",
    "nat'l": "national",
    "hon.": "honorable",
    "col.": "colonel",
    "cpl.": "corporal",
    "cmdr.": "commander",
    "maj.": "major",
    "pvt.": "private",
    "sen.": "senator",
    "gov.": "governor",
    "pres.": "president",
    "mio.": "million",
    "mrd.": "billion",
    "misc.": "miscellaneous",
    "mgr.": "manager",
    "mfg.": "manufacturing",
    "orig.": "originally",
    "qty.": "quantity",
    "qty": "quantity",
    "univ.": "university",
    "temp.": "temperature",
    "vol.": "volume",
    "pg.": "page",
    "pp.": "pages",
    "al.": "al",
    "n/a": "not applicable",
    "b/c": "because",
    "c/o": "care of",
    "a/c": "air conditioning",
    "p.s.": "pee ess",
    "p.o.": "pee oh",
    "u.s.": "you ess",
    "hwy": "highway",
    "blvd": "boulevard",
    "pkwy": "parkway",
    "appt": "appointment",
    "approx": "approximately",
    "mr": "mister",
    "mrs": "missus",
    "№": "number",
    "ok": "okay",
    "ph.d.": "pee aitch dee",
    "phd": "pee aitch dee",
}
SENTENCE_ENDERS = {"etc.", "inc.", "ltd.", "corp.", "co.", "jr.", "sr.", "ave.", "blvd.", "rd.", "ln."}
"""Abbreviations that may also be a sentence's last word."""

SAID_AS_WORDS = frozenset(
    "pin zip sim ram nasa nato covid aids fifa fema osha ikea asap gif laser radar scuba unicef opec hipaa "
    "yes no not and the all new our you any are can but for now out off one two six ten big hot red bad good "
    "do go so up in on at is be to of my we he me or if by as an it was has had may day way who why how get "
    "put let ask see say use end low top car bus box job tax fee pay buy".split()
)
"""Words of up to five letters that stay words in capitals; other short ones are spelled."""

SPELLED = frozenset(
    "cest aest aedt eest usa usps aaa aarp atm ceo iou diy faq eta iban asus url api ipo".split()
)

ADDRESS_WORDS = {"gmail": "gee mail", "co": "co", "www": "double-you double-you double-you"}
"""Parts of addresses with a way of saying of their own."""

SPELLED_DOMAINS = frozenset("io uk us eu tv ai edu de fr nl html php pdf".split())

ADDRESS_SIGNS = {
    "?": "question mark",
    "=": "equals",
    "&": "and",
    "#": "hash",
    "%": "percent",
    ":": "colon",
    ".": "dot",
    "@": "at",
    "_": "underscore",
    "-": "dash",
    "/": "slash",
    "+": "plus",
    "~": "tilde",
}

CODE_WORDS = frozenset(
    "pin code codes zip zipcode account confirmation reference ref tracking extension ext. ext passcode "
    "password order ticket card ending id dial serial invoice booking reservation case claim policy "
    "member membership license plate vin sku otp".split()
)
"""After these a number is read digit by digit, with "number", "is", "#" or "in" between at most."""

PLACE_WORDS = frozenset(
    "room flight gate suite apartment apt ste unit box locker bus route highway press enter text call "
    "ring phone channel terminal platform model station flat door rm exit build bay aisle pier lane".split()
)
"""After these a number of three digits and more is."""

RULERS = frozenset(
    "louis henry edward george richard charles william james john paul pius benedict francis gregory leo "
    "clement urban innocent elizabeth mary catherine frederick philip peter nicholas alexander napoleon "
    "ferdinand carl gustav christian harald haakon albert leopold ramses ptolemy darius xerxes otto "
    "wilhelm ivan boniface".split()
)
"""Behind these a Roman numeral is "the eighth"."""

COUNTED_BY_ROMANS = frozenset(
    "chapter part war volume vol. act scene section phase type class level grade title article figure "
    "table book bowl mark stage tier unit appendix episode group category division factor schedule annex "
    "module lesson".split()
)
"""Behind these a Roman numeral is "eight"."""

LETTERED = frozenset(
    "plan option gate section vitamin grade terminal type exhibit zone hall team group room".split()
)
"""Behind these the letter A is not an article."""

STREETS = {
    "st": "street", "ave": "avenue", "rd": "road", "ln": "lane", "ct": "court", "pl": "place", "sq": "square",
    "dr": "drive", "ter": "terrace", "cir": "circle",
}  # fmt: skip
"""Without a full stop, behind a name that follows a house's number."""

TITLES = {
    "apt": "apartment", "ste": "suite", "rm": "room", "fl": "floor", "ext": "extension", "tel": "telephone",
    "vol": "volume", "ch": "chapter", "p.": "page", "ch.": "chapter", "sec.": "section", "para.": "paragraph",
    "art.": "article", "no": "number", "nos.": "numbers", "ed.": "edition", "ref": "reference",
    "ref.": "reference", "c.": "circa", "rm.": "room", "fl.": "floor", "min.": "minimum",
}  # fmt: skip
"""Before a number only."""
