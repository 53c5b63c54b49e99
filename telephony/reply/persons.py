"""Whether a caller wants to speak to a person, and whether they ask if they do. PURE.

A wish for a person has a frame ("I would like to"), a verb ("speak to") and who is wanted. A frame
of unknown words, one that negates or only asks, or talk of another time is not a wish.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from telephony.reply.polarity_words import expanded
from telephony.reply.understanding import plain


def _one_of(words: str) -> str:
    return "(?:" + "|".join(" ".join(each.split()) for each in words.split("|")) + ")"


POLITE = (
    _one_of(
        """sorry | excuse me | please | um+ | uh+ | er+ | well | oh | no | nope | yes | yeah | yep |
    hey | hi | hello | okay | ok | wait | but | and | so | look | listen | actually | just | now |
    then | right | alright | all right | thanks | thank you | no thanks | good morning | good day |
    good afternoon | good evening | i said | i told you | honestly | first | in that case |
    if possible | if i may | if you do not mind | my god | god | come on | hmm+ | ah |
    that is not right | that is wrong"""
    )
    + r"\b ?"
)
END = r"(?: (?:please|again|for me|thanks|thank you|now|sorry|one more time|once more|then|sir|ma'am))*"

END = r"(?: (?:please|again|for me|thanks|thank you|now|sorry|one more time|once more|then|sir|ma'am))*"

# ---- who is wanted

_HEAD = _one_of(
    """human beings? | humans? | persons? | operators? | agents? | representatives? | reps? |
    staff members? | members? of (?:the |your )?(?:staff|team) | team members? | employees? |
    managers? | supervisors? | customer (?:services?|support|care|relations) | support | help ?desk |
    service desk | front desk | receptionists? | reception | specialists? | advis[eo]rs? | associates?
    | attendants? | switchboard | dispatchers? | staff | call cent(?:er|re) agents? | live support |
    tech(?:nical)? support | (?:person|people|somebody|someone|whoever|who(?:ever)? is) in charge |
    whoever is in charge | your boss | a? ?real one | a live one | a human one"""
)
_VAGUE = _one_of("somebody | someone | anybody | anyone | people | colleagues? | boss | department | team")
_WITH = _one_of(
    """real | live | living | actual | human | breathing | proper | customer | service | services
    | support | sales | technical | tech | senior | different | other | flesh and blood | care |
    call center | duty"""
)
_DETERMINER = r"(?:(?:a|an|the|some|any|your|another|one of (?:your|the)|somebody|someone|one) )?"
_STRICT = (
    rf"{_DETERMINER}(?:{_WITH} )*{_HEAD}(?: (?:real|human|else|live|in person|agents?|reps?"
    rf"|representatives?|team|person))*"
)
_REAL_SOMEBODY = rf"{_VAGUE} (?:real|human|alive|live|actual|in the flesh|else|who is (?:real|human))"
_UNIT = _one_of(
    """billing | accounts? | accounting | payments | sales | returns | refunds | shipping | deliveries |
    dispatch | complaints | claims | reservations | bookings | human resources | personnel | security"""
)
_PLACE = rf"{_DETERMINER}(?:{_UNIT}|(?:\w+ )?(?:office|desk|shop|store|branch|owner|technicians?))"
"""Whom one only asks for with a verb: "connect me with billing"."""
_LOOSE = (
    rf"(?:{_STRICT}|{_REAL_SOMEBODY}|{_DETERMINER}(?:(?!my\b|his\b|her\b|their\b)\w+"
    rf" ){{0,2}}(?:{_HEAD}|{_VAGUE}|(?:real )?(?:man|woman|voice))|{_PLACE})"
)
_NOUN = rf"(?:{_STRICT}|{_REAL_SOMEBODY})"

# ---- what is asked for: a frame ("I would like to"), a verb ("speak to"), then who

_TALK = (
    r"(?:(?:speak|talk|chat|deal|communicate)(?: directly)? (?:to|with)|hear from|be helped by"
    r"|have a (?:word|chat|talk|conversation) with|be (?:speaking|talking) (?:to|with)"
    r"|be (?:transferred|connected|put through|forwarded|passed|handed over|switched|redirected)"
    r"(?: over| through| on)? (?:to|with)|get connected (?:to|with)|get transferred to"
    r"|get (?:a ?)?hold of|get through to|get to|get on the (?:phone|line) with)"
)
_HAND = (
    r"(?:(?:transfer|connect|put|patch|pass|hand|switch|forward|send|direct|redirect|route)"
    r" (?:me|us|this|this call|my call|the call|it)(?: (?:straight|right|back|directly))?"
    r" (?:over to|through to|through with|across to|on to|onto|on with|over with|to|with|in touch with)"
    r"|get (?:me|us) (?:on the (?:phone|line) with|through to|over to|to|in touch with)"
    r"|(?:transfer|connect|escalate|forward) to|let (?:me|us) (?:speak|talk) (?:to|with)"
    r"|escalate (?:this|me) to|let me have)"
)
_REACH = "get me|get us|give me|give us|find me|bring me|send me|get|have|reach|contact|see|find|put"
_VERB = re.compile(rf"\b(?:{_TALK}|{_HAND}) ")
_SHORT_VERB = re.compile(
    rf"\b(?:{_REACH}|want|need|would like|demand|require|prefer|would rather have|rather have"
    rf"|request|insist on|how about|like) "
)
_GERUND = re.compile(
    r"(?:speaking|talking|transferring me|connecting me|putting me through|being"
    r" (?:transferred|connected|put through)) (?:to|with) "
)
_FRAME = frozenset(
    """i we you me us it would like want need to can could may might will please just really let
    have got be is there any way possible how do go ahead and must wish rather prefer much only simply
    definitely am calling trying been hoping asking demanding insist demand request ask that now then
    so maybe perhaps possibly kindly immediately instead get able a the would're should better
    absolutely honestly actually still allow allowed chance love gonna going okay or either at least
    someone somebody directly if possible i'm mind desperately seriously dying this call time for
    right again both not""".split()
)
_HOPING = re.compile(
    r"\bi (?:was|am) (?:just )?(?:hoping|wondering|asking|looking)(?: (?:if|whether)(?: (?:i"
    r"|we) (?:can|could|may|might))?)?\b"
    r"|^i (?:think|guess|believe|suppose)(?: that)? (?=i )"
)
_YOU_ASKED = re.compile(
    r"^(?:can|could|will|would|why can not|why do not) (?:you|someone|somebody)\b|\b(?:want"
    r"|need|like|ask|asking|rather|prefer|demand|demanding|insist|request)(?: that)? you\b"
    r"|^you (?:can|may|should|need|have|better|must|will)\b"
)
_I_ASK = re.compile(
    r"\b(?:i|we|me|us)\b|^(?:please|kindly|just|go ahead)?$|\bplease\b|^(?:just |now |then |so"
    r" )*$|^is (?:it|there)\b|^would it be (?:possible|okay|ok|all right)\b"
    r"|^any (?:chance|way)\b|^(?:can|could) (?:somebody|someone)\b"
    r"|^(?:want|need|would like|like) to$"
)
_ONLY_ASKS = re.compile(
    r"^(?:do|does|did|am|are|should|shall|must|may you|will i|will we|is that|would i|have)\b"
    r"|^(?:when|what|why|who|where|which)\b"
)
_MAY_ASK = re.compile(
    r"^how (?:do|can|could|would|may) (?:i|we)\b|^why (?:can|could) not (?:i|we)\b|^do you"
    r" mind if i\b|^(?:can|could|may|might) (?:i|we)\b|^would you mind\b|^why do not you\b|^am"
    r" i able\b"
)
_ASKED_NOT = re.compile(
    r"^(?:why )?(?:can|could|will|would) not (?:i|we|you|somebody|someone)\b|^(?:can|could"
    r"|may) (?:i|we|you) not\b|^why do not you\b|^is there not\b"
)
_VETO = re.compile(
    r"\b(?:not|never|no|without|hate|stop|avoid|refuse|instead of|rather than|neither|nor"
    r"|decline|cancel|used|if|unless"
    r"|before|when|until|till|after|while|once|was|were|had|did|said|told|says|tell|ask|asked|message|afraid"
    r"|worried|pretend|imagine|suppose|wonder|wondering|think|know|whether|he|she|they|wants|needs|wanted)\b"
)
_AFTER = _one_of(
    """about | regarding | concerning | because | since | who | that | which | in | from | at |
    with | on | over | as | so | and | instead | right | now | please | rather | immediately | asap |
    again | thanks | thank you | directly | or | then | quickly | sir | ma'am | okay | ok | period |
    already | for (?:god|heaven|pete|goodness)'s sake |
    straight | this | available | there | here | like | i | for me | not |
    if (?:possible|you do not mind|that is|i may|you can|you could|you please) |
    to (?:help|talk|speak|discuss|sort|fix|resolve|solve|handle|answer) | today | cause | could | can
    | is that"""
)
_NOT_NOW = re.compile(
    r"\b(?:yesterday|tomorrow|later|earlier|(?:last|next) (?:week|time|night|month|year"
    r"|\w+day)|ago|call (?:me|us) back"
    r"|callback|call back|some ?day|another (?:day|time)|tonight|eventually|in (?:an|a|one|two"
    r"|\w+) (?:hour|minute|day|week)s?)\b"
)
_NAMED_ALONE = re.compile(
    rf"(?!no )(?:{POLITE})*(?:(?:{_NOUN})(?: |$))+(?:please|now|again|thanks|thank you|sir"
    rf"|ma'am| )*"
)
_ONLY_POLITE = re.compile(rf"(?:{POLITE})*")
_SOMEBODY = r"(?:someone|somebody|anyone|anybody)"
_SOMEBODY_ALONE = re.compile(
    rf"(?:{POLITE})*(?:"
    rf"(?:i (?:just |really )*(?:need|want|would like)(?: to have)? |get me |give me |can i (?:get|have) )?"
    rf"(?:someone|somebody)(?: (?:else"
    rf"|(?:to|who can|that can) (?:help|assist|talk|speak)(?: (?:to|with))?(?: me| us)?"
    rf"|from (?:your|the) (?:team|staff|company|office)|on the (?:phone|line)))*"
    rf"|(?:can|could|will|would) {_SOMEBODY} (?:please )?(?:just )?(?:help|assist)(?: me| us)?"
    rf"|(?:i (?:need|want|would like) |can i (?:get|have) )?(?:human|personal) (?:assistance|help|support)"
    rf"|(?:(?!\b(?:my|his|her|their)\b)\w+ )?department"
    rf"){END}"
)
""" "Somebody, please": the whole of what is said, since the word says so little."""
_ABOUT_WHAT = re.compile(r" (?:about|regarding|concerning) .*")
_SUBJECT = re.compile(r"(?:about|regarding|concerning|because|it is about|this is about)\b.*")
_TRANSFER_ME = re.compile(
    rf"(?:{POLITE})*(?:(?:can|could|will|would) you )?(?:please )?(?:just )?(?:transfer"
    rf"|connect) me{END}"
)
_IS_THERE = re.compile(
    rf"(?:{POLITE})*(?:(?:is|are|is not) there (?:{_LOOSE})|is {_SOMEBODY} there)"
    rf"(?: (?:there|here|available|around|else|who|that|at))*"
    r"(?: (?:i|we|who|that|to|can|could|may|might|just|please|actually|speak|talk))*? (?:speak|talk|chat)\b.*"
)
_MACHINE = (
    r"(?:machines?|robots?|bots?|computers?|recordings?|ai|a i|automated \w+|voice ?mail"
    r"|(?:voice|chat) ?bots?|programs?"
    r"|systems?|thing|virtual \w+)"
)
_NO_MACHINE = re.compile(
    r"(?:^| )(?:i|we) (?:\w+ ){0,3}?(?:not|hate|refuse|am (?:tired|sick) of|am done)(?:"
    r" \w+){0,4}? (?:talk|speak|talking|speaking|deal|dealing|chat|chatting)"
    rf" (?:to|with) (?:(?:a|an|the|this|your|some|any|another|stupid|damn|dumb|bloody|automated"
    rf"|voice) )*{_MACHINE}\b"
)
_LONGEST = 300
"""Letters of one sentence: a longer one is a story, not a request."""
_FINE_WITH_IT = re.compile(r"\b(?:mind|care|hate to|people|persons?|humans?)\b")


# ---- a person


def wants_person(text: str) -> bool:
    """Whether the caller asks to be put through to a person, now."""
    clauses = list(clauses_of(text))
    if any(
        re.search(r"\b(?:never mind|scratch that|forget it|forget that)\b", words) for words, _ in clauses
    ):
        return False
    asking = [_asks_for_person(words) for words, _ in clauses]
    if any(asking):
        return True
    named = [len(words) <= _LONGEST and _is_named(words, asked) for words, asked in clauses]
    rest = [words for (words, _), is_named in zip(clauses, named, strict=True) if not is_named]
    polite = all(
        _ONLY_POLITE.fullmatch(words)
        or _SUBJECT.fullmatch(words)
        or re.match(r"not? (?:a|an|the|this)\b", words)
        for words in rest
    )
    return any(named) and polite


def _is_named(words: str, asked: bool) -> bool:
    """Whether a clause does nothing but name a person, and perhaps what about."""
    words = _ABOUT_WHAT.sub("", words)
    return bool(_SOMEBODY_ALONE.fullmatch(words)) or (bool(_NAMED_ALONE.fullmatch(words)) and not asked)


def _asks_for_person(words: str) -> bool:
    if len(words) > _LONGEST:
        return False
    if _NO_MACHINE.search(words) and not _FINE_WITH_IT.search(words):
        return True
    if _TRANSFER_ME.fullmatch(words) or (_IS_THERE.fullmatch(words) and not _NOT_NOW.search(words)):
        return True
    for verb, who in ((_VERB, _LOOSE), (_GERUND, _LOOSE), (_SHORT_VERB, _NOUN)):
        for found in verb.finditer(words):
            rest = words[found.end() :]
            wanted = re.match(rf"{who}(?![\w'])", rest)
            if wanted and _wished(words[: found.start()], verb, found.group().strip()):
                if _goes_on(rest[wanted.end() :]):
                    return True
    return False


def _wished(frame: str, verb: re.Pattern[str], said: str) -> bool:
    """Whether what stands before a person asks for them: "i would like to" before "speak to"."""
    frame = _HOPING.sub("i would like ", frame.strip()).strip()
    while (polite := re.match(rf"{POLITE}(?:\b|$)", frame)) and polite.end():
        frame = frame[polite.end() :].strip()
    if (
        verb is _SHORT_VERB
        and not (said in ("get", "find") and not frame)
        and said in ("have", "get", "see", "find", "like", "contact", "reach")
        and not re.search(r"\b(?:can|could|may|let|would|want|rather|prefer|need|how|to|please)\b", frame)
    ):
        return False
    if verb is _GERUND and not re.search(r"\b(?:rather|prefer|insist|mind|like|feel)\b", f"{frame} {said}"):
        return False
    return _is_request(frame, f"{frame} {said}")


def _is_request(frame: str, whole: str) -> bool:
    if _ASKED_NOT.match(frame):
        frame = re.sub(r"\bnot\b ?", "", frame, count=1).strip()
        frame = frame.removeprefix("why ")
    elif _ONLY_ASKS.match(frame) and not _MAY_ASK.match(frame):
        return False
    own = _own_sentence(frame)
    if own is None or (re.search(r"\byou\b", own) and not _YOU_ASKED.search(own) and not _MAY_ASK.match(own)):
        return False
    if _I_ASK.search(own) or _YOU_ASKED.search(own):
        return True
    return bool(
        re.match(
            r"(?:transfer|connect|put|patch|get|give|let|find|bring|send|pass|hand|switch|forward"
            r"|direct|route|redirect|escalate|need|want)",
            whole,
        )
    )


def _own_sentence(frame: str) -> str | None:
    """The request itself, where it follows another sentence without a stop; None when it is not one."""
    words = frame.split()
    for at in range(len(words) + 1):
        rest, earlier = words[at:], " ".join(words[:at])
        if set(rest) <= _FRAME and "not" not in rest:
            if at and (
                at > 12
                or _VETO.search(earlier)
                or (rest and rest[0] not in ("i", "we", "can", "could", "please", "let"))
            ):
                return None
            return " ".join(rest)
    return None


def _goes_on(after: str) -> bool:
    """Whether what follows a person leaves it a wish: "about my bill", not "tomorrow"."""
    rest = after.strip()
    if _NOT_NOW.search(rest) or re.match(r"to (?:call|tell|send|do|make|be)\b", rest):
        return False
    return not rest or bool(re.match(rf"{_AFTER}\b", rest))


# ---- "are you a robot?"

_BEING = (
    r"(?:robots?|bots?|machines?|computers?|ai|a i|artificial intelligence|recording|recorded"
    r" \w+|(?:voice|chat) ?bot"
    r"|program|software|automated(?: \w+)?|automation|virtual \w+|human beings?|humans?"
    r"|persons?|real|android|alive"
    r"|somebody|someone|operator|representative|agent|man|woman|siri|alexa|voice ?mail"
    r"|answering machine|language model"
    r"|llm|chat ?gpt|gpt|living|people|employee)"
)
_KIND = (
    r"(?:(?:a|an|the|some|just|only|actually|really|even|like|kind of|sort of|another|your|one"
    r" of those|still|now|here"
    r"|by any chance|in fact|not|talking|speaking|chatting|to|with|real|live|living|actual"
    r"|human|automated|robot|ai"
    r"|computer|virtual|recorded|machine|i am|you) )*"
)
_ABOUT = re.compile(
    rf"(?:are (?:not )?you(?: guys)?|is (?:this|it|that)|am i|you are|are we|was that|i am)"
    rf" {_KIND}{_BEING}\b(?P<rest>.*)"
)
_ABOUT_OTHER = re.compile(
    rf"(?:{POLITE})*(?:(?:who|what) (?:exactly |the hell |on earth )?(?:am i (?:talking"
    rf"|speaking) (?:to|with)|are you)"
    rf"|(?:why|how come|do|you|you really|it|this)? ?(?:sounds?|seems?|talk|speak) (?:\w+"
    rf" )?like (?:a |an )?{_KIND}{_BEING}"
    r"|(?:a )?human or (?:a )?(?:robot|machine|bot|computer)|(?:a )?(?:robot|machine|bot"
    r"|computer) or (?:a )?human"
    r"|why am i (?:talking|speaking) (?:to|with) (?:a |an )?(?:robot|machine|bot|computer|recording))"
    r"(?: (?:exactly|please|here|right now|now))?"
)


def asks_about(text: str) -> bool:
    """Whether the caller asks if they speak with a machine or with a person."""
    for words, asked in clauses_of(text):
        if len(words) > _LONGEST:
            continue
        if _ABOUT_OTHER.fullmatch(words) or (asked and _NAMED_ALONE.fullmatch(words)):
            return True
        match = _ABOUT.search(words)
        if not match or not _ONLY_POLITE.fullmatch(words[: match.start()]):
            continue
        inverted = not words[match.start() :].startswith(("you are", "i am"))
        rest = match.group("rest").strip()
        short = not rest or bool(
            re.match(
                r"(?:or|on|are|right|here|there|by|talking|speaking|i|that|who|too|please|at|am|is)\b", rest
            )
        )
        if short and (inverted or asked or re.match(r"(?:are|right|am)\b", rest)):
            return True
    return False


_TAG = re.compile(
    r",\s*((?:are|is|am)(?:n't)? (?:you|it|i|this|that)(?: not)?|right|correct|huh)\s*\?", re.IGNORECASE
)


def clauses_of(text: str) -> Iterator[tuple[str, bool]]:
    """The clauses of a text, plain, contractions written out, and whether a question mark ends it."""
    soft = r"(?<=\w),\s*(?=(?:please|thanks|thank you|now|instead|if you|um|uh)\b)"
    joined = re.sub(soft, " ", text, flags=re.IGNORECASE)
    joined = re.sub(_TAG, r" \1?", joined)
    joined = re.sub(r"\b(um|uh|er|well|please|so|actually),", r"\1", joined, flags=re.IGNORECASE)
    for words, stop in re.findall(r"([^.,;:!?…—–]+)([.,;:!?…—–]*)", joined):
        parts = re.split(r"\b(?:but|and then)\b", expanded(plain(words)))
        for at, part in enumerate(parts):
            if part.strip():
                yield " ".join(part.split()), "?" in stop and at == len(parts) - 1


_ANY_NAME = re.compile(rf"\b(?:{_HEAD}|{_VAGUE})\b")


def names_person(text: str) -> bool:
    """Whether these words name a person as callers ask for one: "operator"; not "florist"."""
    return bool(_ANY_NAME.search(expanded(plain(text))))
