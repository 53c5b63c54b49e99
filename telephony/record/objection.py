"""Whether a caller objects to being recorded. PURE.

An objection is a sentence about recording that denies it, stops it or stands against it. "I don't mind being
recorded", "is this call recorded?" and "there's no record of my order" are none.
"""

from __future__ import annotations

import re

from telephony.reply.polarity import answered
from telephony.reply.polarity_words import expanded
from telephony.reply.understanding import clauses

_THING = (
    r"(?:me|us|this|that|it|the call|this call|our call|my call|calls?|the (?:conversation|phone call|line)"
    r"|this (?:conversation|phone call)|our conversation|my (?:voice|conversation|words)"
    r"|any(?:thing| of)|what i|a word)"
)
_ABOUT = re.compile(
    r"\b(?:recorded|recording|recordings|recorder|unrecorded|taped|taping|wiretap\w*|recored)\b"
    rf"|\b(?:records?|tape) {_THING}\b|\bno tape\b(?! measure)"
    r"|\b(?:to|not|never|you|please|stop|nobody) (?:\w+ly )?(?:record|tape)\b(?! (?:of|player"
    r"|store|label|measure|deck))"
    r"|\bon (?:the )?tape\b|\boff the record\b|\bthe tape\b|\b(?:monitored|monitoring)\b"
    rf"|\b(?:save|store|keep|log|capture|saved|stored) (?:my voice|my call|this call|the call|the"
    rf" audio|this conversation"
    r"|the conversation|my audio)\b|\bmy voice (?:\w+ ){0,2}(?:saved|stored|kept)\b|\blisten(?:ing)? in\b"
)
_OTHER_RECORDING = re.compile(
    r"\b(?:talk|talking|speak|speaking|listen|listening) (?:to|with) (?:a |an |the |your |this "
    r"|another |some )?"
    r"record(?:ing|ings|ed \w+)\b|\bhear(?:ing)? (?:a |the |your )?record(?:ing|ed \w+)\b"
    r"|\b(?:is this|are you|this is|you are) (?:just )?a recording\b|\brecorded (?:message|music"
    r"|voice|announcement)s?\b"
    r"|\bfor the record\b|\brecords? of\b|\brecording (?:studio|session|artist|contract|industry"
    r"|equipment)\b"
    r"|\brecord(?:ing)?(?: \w+){0,2} (?:on|with|from) my (?:phone|computer|laptop|camera|tv|device)\b"
    r"|^(?:my|the|our) (?:\w+ )?\w+ (?:does|did|will|can|is|was) not (?:\w+ )?record(?:ing)?\b"
    r"|\brecord(?:er|ing)s? (?:does|do|is|did|are) not (?:work|working|playing|play)\b"
    r"|\b(?:a|an|my|tape|video|voice) (?:tape |video |voice )?recorders?\b"
    r"|\brecord (?:a|an|my|the|another) (?:new )?(?:message|greeting|voice ?mail|song|video|memo)\b"
)
_STOPS = re.compile(
    r"\b(?:stop|stops|quit|cease|end|disable|deactivate|pause|halt|kill|remove|delete|erase"
    r"|destroy|wipe|discard|cancel"
    r"|suspend|refrain|opt(?:ing)? out|get rid|turn off|turn (?:\w+ ){1,4}off|switch off"
    r"|switch (?:\w+ ){1,4}off|shut (?:\w+ ){0,4}(?:off|down)|cut (?:\w+ ){0,3}(?:out|off)|take me"
    r" off|no more|turning off|deleting"
    r"|(?:want|like|need|have|get|see) (?:\w+ ){0,4}(?:stopped|deleted|erased|removed|turned off"
    r"|switched off)|prevent|put away|knock (?:it|that) off|drop)\b"
)
_AGAINST = re.compile(
    r"\b(?:i|we) (?:strongly |do |really |also |must |would |have to )*(?:object|mind|protest|disagree)\b"
    r"|\b(?:refuse|decline|oppose|opposed|against|uncomfortable|unhappy|revoke|withdraw|without"
    r"|hate|dislike|deny|forbid|prohibit"
    r"|disapprove|disagree|illegal|unlawful|unwilling|no right|not legal|not allowed|off the"
    r" record|object|objection|disallow|withdrawn|revoked|unrecorded|take back"
    r"|(?:have|got|is) (?:a |an |some |my )?(?:problem|issue|objection|concern)|privacy|makes me"
    r" nervous|bothers me|rather nobody)\b"
)
_NOT = re.compile(r"\b(?:not|never|no|nobody|none|nor|neither)\b")
_FINE = re.compile(
    r"\b(?:mind|minds|object|care|cares|problem|problems|objection|objections|issue|issues|worry"
    r"|worried|bother|bothers|matter"
    r"|matters|against|opposed|oppose|hate|dislike|refuse|harm|concern|concerns|disagree"
    r"|uncomfortable|unhappy|illegal)\b"
)
_WISH = re.compile(
    r"\b(?:want|like|wish|consent|consented|agreed?|wanted|willing|allow|allowed|permit|permission"
    r"|authoriz\w+|authoris\w+"
    r"|okay|ok|comfortable|happy|accept"
    r"|approve|should|must|may|rather|prefer|supposed|right|appreciate|need|fine|give|let|make sure)\b"
)
_ONLY_TELLS = re.compile(
    r"\b(?:i|we|he|she|they) (?:do|did|can|could|will|would|have|had|should|am|was|were)? ?(?:not"
    r"|never) (?:\w+ly )?"
    r"(?:record|recorded|recording|tape|taped|taping)\b"
    r"|\b(?:was|were|did|has|had|have|is|are) (?:not|never) (?:been |being |get |even )?(?:record"
    r"|recorded|taped|recording|recorder)\b"
    r"|\b(?:no|not) (?:\w+ )?recordings? (?:was|were|is|of|available|there|yet)\b|\bthere (?:is"
    r"|was|are) (?:no|not a) recording\b"
)
_KNOWS = re.compile(
    r"\b(?:know|think|remember|sure|hear|heard|understand|find|found|believe"
    r"|notice|understood|aware|knew"
    r"|(?:see|have|got|get) (?:a|an|the|any|my|your|that|this) (?:\w+ )?"
    r"(?:record|recording|recordings|tape|recorder))\b"
)
_ASKS = re.compile(
    r"^(?:(?:and|so|but|well|oh|um|uh|okay|ok|hey|hi|hello|sorry|wait|excuse me) )*"
    r"(?:(?:what|why|when|where|who|which|how)\b"
    r"|(?:do|does|did|is|are|was|were|am|has|have|should|shall|must|will|would|can|could|may"
    r"|might)(?: not)?"
    r" (?:i|you|it|this|that|there|we|they|he|she|the|your|my|all|somebody|someone|anyone)\b)"
)
_FORBIDS = re.compile(r"^(?:please |and |but )*do not you (?:dare )?(?:record|tape) (?:me|this|any|a word)\b")
_REQUESTS = re.compile(
    r"^(?:(?:and|so|but|well|oh|um|uh|okay|ok|hey|hi|hello|sorry|wait|excuse me) )*"
    r"(?:(?:can|could|would|will|may|might)(?: not)? (?:i|you|we|this|it|the|that|my|somebody"
    r"|someone)\b|is it possible|is there (?:a|any) way"
    r"|how (?:do|can|could) (?:i|we)\b|why (?:do|can|will) not you\b|would you mind|do you mind not)"
)
_THAT = re.compile(
    r"\b(?:want|like|consent|agree|allow|accept|permit|okay|ok|rather|stop|turn|switch|shut|delete"
    r"|erase|object|refuse|do not"
    r"|not with|may not|mind|against|comfortable|decline|approve|permission|opt)\b"
)
_OF_CONSENT = re.compile(
    r"\b(?:consent|agree|permission|object|objection|accept|authoriz\w+|authoris\w+|opt out"
    r"|approve|disagree|refuse|decline|okay with|ok with"
    r"|fine with|comfortable with|want that|like that|allow that|rather you did not|rather not|may"
    r" not|permit)\b"
)
_WITHOUT_CONSENT = re.compile(
    r"\bwithout (?:my|our|any) (?:consent|permission|knowledge|agreement|approval)\b"
)
_UNDER_PROTEST = re.compile(
    r"\b(?:hang up|hanging up|leave|end (?:this|the) call|only (?:talk|continue|speak)|will not"
    r" (?:talk|continue|speak))\b"
    r".*\b(?:if|unless)\b.*\brecord"
    r"|\brecord(?:ing|er) off\b|\b(?:take|get) (?:\w+ ){1,2}recording off\b"
)
_RUN_ON = re.compile(
    r"(?<=\w) (?=(?:(?:so|and|but) )?(?:please |just )?(?:stop|turn|switch|shut|delete|erase|do"
    r" not|i (?:do|object|want|would|refuse)|you (?:may|can|must|do))\b)"
)


_OKAY = "Is it okay that this call is recorded?"
_NAMED = re.compile(r"(?:(?:oh|wait|a|the) )*(?:recording|recorded|taping)(?: (?:me|this|it))?")
"""A recording that is only named: "recording?"."""
_ASKS_TO_STOP = re.compile(
    r"(?:can|could|would|will) you (?:please |just )*(?:stop|turn|switch|shut)"
    r" (?:it|that|this)\b(?: off)?(?: please)?$"
)
_WONDERS = re.compile(
    r"(?:and |but |so |well )?(?:what|how|when|do|does|must|should) (?:if|do|does|will|would|i|we)\b"
)


def objects(said: str, noticed: bool = False) -> bool:
    """Whether the words object to being recorded.

    `noticed`: the caller heard of a recording just before, so that "I don't agree to that" is about it.
    """
    noted, named = noticed, False
    for words, asked in clauses(said):
        for clause in _sentences(expanded(words)):
            if noted and _is_against_it(clause, asked):
                return True
            if named and answered(clause, _OKAY).yes is False:
                return True  # "Recording? No, thank you."
            named = asked and bool(_NAMED.fullmatch(clause))
            if _speaks_of_it(clause):
                if _objects(clause, asked):
                    return True
                noted = True
    return False


def _sentences(words: str) -> list[str]:
    """The sentences that follow each other without a stop: "i don't want to be recorded stop recording"."""
    found: list[str] = []
    for piece in _RUN_ON.split(words):
        if found and not (_speaks_of_it(found[-1]) and _speaks_of_it(piece)):
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return found


def _speaks_of_it(clause: str) -> bool:
    return bool(_ABOUT.search(_OTHER_RECORDING.sub("", clause)))


def _objects(clause: str, asked: bool) -> bool:
    clause = _OTHER_RECORDING.sub("", clause)
    if _WITHOUT_CONSENT.search(clause):
        return True
    if _UNDER_PROTEST.search(clause):
        return True
    stops, against, denied = (bool(found.search(clause)) for found in (_STOPS, _AGAINST, _NOT))
    if (_ASKS.match(clause) and not _FORBIDS.match(clause)) or asked:
        if not _REQUESTS.match(clause):
            return asked and not _ASKS.match(clause) and _states(clause, stops, against, denied)
        return (
            stops
            or "not" in re.sub(r"^\W*(?:can|could|would|will) not\b", "", clause).split()
            or "without" in clause
        )
    return _states(clause, stops, against, denied)


def _states(clause: str, stops: bool, against: bool, denied: bool) -> bool:
    """As `_objects`, for a statement or a demand."""
    if (
        re.search(r"\b(?:if|when|whether|until|before|after|because|unless)\b.*\brecord", clause)
        and not denied
    ):
        return False
    if not denied:
        return stops or against
    if re.search(r"\b(?:not|never|nobody) (?:say|said|saying|told)\b", clause):
        return False
    if _ONLY_TELLS.search(clause) and not re.search(
        r"\b(?:rather|prefer|appreciate|grateful|wish|better|make sure|hope|should|must)\b", clause
    ):
        return False
    if stops:  # "don't stop recording", but "do not record, stop it"
        stop = _STOPS.search(clause)
        no = _NOT.search(clause)
        return bool(stop and no and (stop.start() < no.start() or no.group() == "no" and "no more" in clause))
    if _FINE.search(clause):
        return bool(
            re.search(r"\bnot (?:be|to be|being) record|\brather not\b|\bprefer not\b|\bno right\b", clause)
        )
    return bool(_WISH.search(clause)) or not _KNOWS.search(clause)


def _is_against_it(clause: str, asked: bool) -> bool:
    """ "I don't want that", right after recording was spoken of."""
    if _ASKS_TO_STOP.match(clause):
        return True
    if (
        asked
        or _WONDERS.match(clause)
        or not (_THAT.search(clause) if not _OF_CONSENT.search(clause) else True)
    ):
        return False
    if re.fullmatch(r"(?:please |no |just )*do not(?: do (?:that|it|this))?(?: please)?", clause):
        return True
    if answered(clause, _OKAY).yes is False:
        return bool(
            _OF_CONSENT.search(clause)
            or re.search(r"\b(?:stop|turn|switch|shut|delete|erase|that|it)\b", clause)
        )
    negated = _NOT.search(clause) and _OF_CONSENT.search(clause) and not _FINE.search(clause)
    stops = re.match(
        r"(?:please |no |just |then )*(?:stop|turn|switch|shut|delete|erase) (?:it|that|this)\b", clause
    )
    return bool(
        negated
        or stops
        or re.search(r"\bi (?:object|refuse|protest|opt out|decline)\b", clause)
        and not _NOT.search(clause)
    )
