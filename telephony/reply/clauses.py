"""The clauses of an answer, and what each of them says. PURE."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from telephony.reply.polarity_words import (
    ASKING_VERBS,
    NOUNS_OF_TROUBLE,
    PHRASES,
    QUESTION_WORDS,
    SUBJECTS,
    Part,
    expanded,
)

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'"})
_CLAUSE = re.compile(r"([^.,;:!?…—–]+)([.,;:!?…—–]*)")
_NOT_A_WORD = re.compile(r"[^\w'% ]+|_")
_MIND = re.compile(
    r"\b(?:do|would) you mind\b|\bany (?:objections?|problems?)\b|\bdo you object\b|\bwould you object\b"
    r"|\b(?:is|would) (?:it|that|this) (?:be )?a problem\b|\bwould (?:it|that) bother you\b"
)
_CHECK = re.compile(
    r"\b(?:right|correct)$|\bis (?:that|this|it|everything)\b.*\b(?:right|correct|okay|ok|good|so|it|all)$"
    r"|\b(?:did|have) i (?:get|got)\b"
)
_ELSE = re.compile(
    r"\b(?:any|some)(?:thing|body|one)? (?:else|more)\b|\banother\b|\banything\b|\bwhat else\b"
)
_ALL_RIGHT = re.compile(
    r"\b(?:is|would|will) (?:it|that|this) (?:be )?(?:okay|ok|fine|all right|alright|good)\b"
    r"|\b(?:okay|ok|all right) (?:if|with you)\b"
)
_KEEPS = re.compile(r"\b(?:keep|leave|continue|retain|renew|stay)\b")
_NEGATIVE = re.compile(r"\b(?:not|never|no|nothing|nobody)\b")
_INVERTED = re.compile(
    r"^(?:and |so |but |well |then )*(?:do|does|did|is|are|was|were"
    r"|would|could|should|can|has|have|had|will)\b"
)
_ARE_YOU = re.compile(r"\bare you\b")
_ARTICLES = frozenset("a an the my your any some our".split())
_KEPT_OUT = frozenset(
    "want would like need shall should will can could may have does did is are was were that this these those"
    " your mine then what when where which with from for and the you now please right correct okay sure yes"
    " also just there here still today really about into them they something anything else one some more any"
    " not get got let know tell say mind problem".split()
)


class Says(Enum):
    """What one clause says."""

    YES = 1
    WEAK = 2
    MAY = 3  # "I do", "that would be": yes, unless there was more to it
    PLEASE = 4
    NO = 5
    WRONG = 6
    CHANGED = 7  # "I changed my mind"
    DONE = 8  # "that's all"
    GOOD = 9  # "I'm good"
    YET = 10  # "not yet"
    MORE = 11  # "that's not all"
    BYE = 12
    SO_SO = 22  # "it's okay"
    ASKS = 13
    UNSURE = 14
    IF = 15
    OTHER = 16
    OTHER_NOT = 17
    BUT = 18
    RESET = 19
    TURN = 20
    NOTHING = 21


@dataclass(frozen=True, slots=True)
class Clause:
    """Parts of one clause, in order."""

    parts: tuple[Part, ...]
    words: tuple[str, ...]
    asked: bool = False
    """It ended with a question mark."""
    lengths: tuple[int, ...] = ()
    """How many words each part has."""

    def spread(self) -> list[tuple[Part, str]]:
        """Each word with the part that it belongs to."""
        each = [part for part, length in zip(self.parts, self.lengths, strict=True) for _ in range(length)]
        return list(zip(each, self.words, strict=True))


@dataclass(frozen=True, slots=True)
class QuestionClause:
    """What kind of question an answer belongs to."""

    mind: bool = False
    """"Do you mind?": a plain no agrees."""
    check: bool = False
    """"Is that right?"."""
    more: bool = False
    """"Anything else?"."""
    are_you: bool = False
    all_right: bool = False
    """"Is that okay?"."""
    keeps: bool = False
    """"Would you like to keep it?": what stays as it is agrees."""
    denies: bool = False
    """"You don't have one, do you?": "that's right" is a no."""
    named: frozenset[str] = frozenset()
    """The words of the question that an answer may take up: "cancel"."""
    things: frozenset[str] = frozenset()
    """Those of them that are things: "no receipt"."""

    @classmethod
    def of(cls, text: str) -> QuestionClause:
        """The kind of the last question in a text; without one, a plain question."""
        asked = [part for part in re.split(r"(?<=[.?!])\s+", text.lower()) if "?" in part]
        last = expanded(_NOT_A_WORD.sub(" ", (asked or [""])[-1].translate(_APOSTROPHES)).strip())
        words = last.split()
        named = {word for word in words if len(word) > 2 and word not in _KEPT_OUT and not _means(word)}
        return cls(
            mind=bool(_MIND.search(last)),
            check=bool(_CHECK.search(last)),
            more=bool(_ELSE.search(last)),
            are_you=bool(_ARE_YOU.search(last)),
            all_right=bool(_ALL_RIGHT.search(last)),
            keeps=bool(_KEEPS.search(last)) and "or" not in words,
            denies=bool(_NEGATIVE.search(last)) and not _INVERTED.match(last) and not _ELSE.search(last),
            named=frozenset() if "or" in words else frozenset(named),
            things=frozenset(b for a, b in pairwise(words) if a in _ARTICLES and b in named),
        )


def _means(word: str) -> bool:
    """Whether a word alone has a part in answers."""
    return any(phrase == (word,) for phrase, _ in PHRASES.get(word, ()))


# ---- from text to clauses


def clauses_of(text: str, kind: QuestionClause) -> Iterator[Clause]:
    """The clauses of what was heard, in order."""
    lower = text.lower().translate(_APOSTROPHES).replace("-", " ")
    found = [(expanded(_NOT_A_WORD.sub(" ", words)), stop) for words, stop in _CLAUSE.findall(lower)]
    for words, asked in _rejoined([(words.split(), "?" in stop) for words, stop in found if words.strip()]):
        lexed = list(_lexed(words, kind.named))
        groups = list(_split(lexed if not _without(words, kind) else [(Part.NO, tuple(words))]))
        for at, group in enumerate(groups):
            last = at == len(groups) - 1
            yield Clause(
                tuple(part for part, _ in group),
                tuple(word for _, said in group for word in said),
                asked and last,
                tuple(len(said) for _, said in group),
            )


def _without(words: list[str], kind: QuestionClause) -> bool:
    """ "No receipt, please": a no to what was asked about, in one breath."""
    rest = [word for word in words if word not in ("please", "thanks")]
    return len(rest) == 2 and rest[0] == "no" and rest[1] in kind.things


_JOINED = (["why"], ["thanks"], ["thank", "you"])


def _rejoined(pieces: list[tuple[list[str], bool]]) -> list[tuple[list[str], bool]]:
    """Phrases that hold a comma stay one: "thanks, but no thanks" and "well, yes"; "why, of course"."""
    out: list[tuple[list[str], bool]] = []
    for words, asked in pieces:
        if out and out[-1][0] in _JOINED and not out[-1][1]:
            before = out.pop()[0]
            words = words if before == ["why"] else before + words
        if words == ["right"] and out and out[-1][0] == ["yeah"]:
            words = out.pop()[0] + words
        out.append((words, asked))
    return out


_Lexed = tuple[Part, tuple[str, ...]]


def _lexed(words: Sequence[str], named: frozenset[str]) -> Iterator[_Lexed]:
    at = 0
    while at < len(words):
        word = words[at]
        for phrase, part in PHRASES.get(word, ()):
            after = at + len(phrase)
            if part is Part.YES and phrase[-1] in ASKING_VERBS and words[after : after + 1] == ["not"]:
                continue  # "please do not"
            if tuple(words[at:after]) == phrase:
                yield part, phrase
                at += len(phrase)
                break
        else:
            yield (Part.NAMED if word in named else Part.OTHER), (word,)
            at += 1


_PLAIN = {Part.YES, Part.YES_WORD, Part.WEAK, Part.NO, Part.NO_WORD, Part.THAT_IS_ALL, Part.I_AM_GOOD}
_PLAIN |= {Part.WRONG, Part.NOT_YET}
_BETWEEN = {Part.BUT, Part.RESET, Part.TURN, Part.LINK}
SOFT = {Part.FILL, Part.PLEASE}
_OPENERS = {Part.YES_WORD, Part.NO_WORD, Part.WEAK, Part.THAT_IS_ALL, Part.I_AM_GOOD, Part.NOT_YET}
"""What may be a whole answer with more behind it; "absolutely" belongs to what follows it."""
_MORE = frozenset({"better", "more", "happier", "surer", "greater"})
_NO_THANKS = frozenset({"thanks", "you", "way", "chance", "mind", "never"})
_SIGHS = frozenset(
    "oh um uh er erm uhm umm ah ahh ooh hmm hm mm mmm well look listen hey honestly gosh gee".split()
)


def _split(lexed: list[_Lexed]) -> Iterator[list[_Lexed]]:
    """A clause is cut after answers it begins with, and at words that join or take back."""
    group: list[_Lexed] = []
    for at, (part, said) in enumerate(lexed):
        if part in _BETWEEN:
            if group:
                yield group
            if part is not Part.LINK:
                yield [(part, said)]
            group = []
            continue
        if _is_answer(group) and not all(p in SOFT for p, _ in lexed[at:]):
            yield group
            group = []
        group.append((part, said))
    if group:
        yield group


def _is_answer(group: list[_Lexed]) -> bool:
    """Whether these are an answer by themselves: "oh no", "yes", "okay"."""
    opens = [part in _OPENERS or (part is Part.NO and said[-1] in _NO_THANKS) for part, said in group]
    return any(opens) and all(
        opened or set(said) <= _SIGHS for opened, (_, said) in zip(opens, group, strict=True)
    )


# ---- what one clause says


def said_by(clause: Clause, kind: QuestionClause) -> Says:
    parts = clause.parts
    only = set(parts) - SOFT
    alone = {
        Part.BUT: Says.BUT,
        Part.RESET: Says.RESET,
        Part.TURN: Says.TURN,
        Part.THAT_IS_ALL: Says.DONE,
        Part.I_AM_GOOD: Says.GOOD,
        Part.NOT_YET: Says.YET,
        Part.CHANGED: Says.CHANGED,
        Part.NOT_DONE: Says.MORE,
        Part.SO_SO: Says.SO_SO,
        Part.FAREWELL: Says.BYE,
    }
    if len(only) == 1 and not clause.asked and (found := alone.get(next(iter(only)))):
        return found
    if not clause.asked and only - {Part.YES_WORD, Part.WEAK} in ({Part.THAT_IS_ALL}, {Part.I_AM_GOOD}):
        return Says.DONE if Part.THAT_IS_ALL in only else Says.GOOD  # "I think that's everything, yeah"
    if kind.keeps and not _asks(clause) and (kept := _keeps(clause)):
        return kept
    if not only:
        return Says.PLEASE if Part.PLEASE in parts else Says.NOTHING
    if _requests(clause):
        return Says.NO if Part.NOT in parts else Says.YES
    if _asks(clause) or only & {Part.QUESTION, Part.HEARSAY}:
        return Says.ASKS
    if Part.CONDITION in only:
        return Says.IF
    if only & {Part.UNSURE, Part.NOT_DONE}:
        return Says.UNSURE
    if Part.FAREWELL in only:
        only.remove(Part.FAREWELL)
    if (
        Part.YES not in only
        and {"nothing", "never"} & set(clause.words)
        and _MORE & set(clause.words)
        and clause.words[1:2] != ("more",)
    ):
        return Says.UNSURE  # "nothing would be better"
    negated = parts.count(Part.NOT)
    if _untroubled(clause):
        return Says.YES
    if _stays(clause):
        return Says.UNSURE if negated else Says.YES if kind.keeps else Says.NO
    if Part.OTHER in only:
        refuses = negated or only & {Part.NO, Part.NO_WORD, Part.NOT_YET}
        return Says.OTHER_NOT if refuses else Says.OTHER
    return _composed(only, negated, kind)


def _composed(only: set[Part], negated: int, kind: QuestionClause) -> Says:
    """As `said_by`, for a clause of known parts only."""
    refuses = only & {Part.NO, Part.NO_WORD, Part.NOT_YET}
    if negated > 1 or (negated and only & {Part.NO, Part.NOT_YET, Part.WRONG, Part.NO_WORD}):
        return Says.UNSURE
    if Part.WRONG in only:
        return Says.WRONG
    if negated or refuses:
        return Says.NO
    if only & {Part.YES, Part.YES_WORD} or Part.NAMED in only:
        return Says.YES
    if Part.WEAK in only:
        return Says.WEAK
    return Says.MAY if Part.GOOD in only else Says.NOTHING


def _asks(clause: Clause) -> bool:
    """A question of the caller's own: "is that a yes?", "how much". "Why not?" is an answer."""
    only = set(clause.parts) - SOFT
    if only <= {Part.YES, Part.NO} and len(clause.words) > 1:  # a phrase that looks like a question
        return False
    words = clause.words
    while words and words[0] in _SIGHS:
        words = words[1:]
    if clause.asked:
        return bool(only)
    return bool(words) and (words[0] in QUESTION_WORDS or _inverted(words))


def _inverted(words: tuple[str, ...]) -> bool:
    """A verb before its subject: "is it", "don't you"; not "do that"."""
    verb, *rest = words
    if rest[:1] == ["not"]:
        rest = rest[1:]
    if verb not in ASKING_VERBS or not rest or rest[0] not in SUBJECTS:
        return False
    return verb != "do" or rest[0] in ("i", "you", "we", "they", "he", "she")


def _requests(clause: Clause) -> bool:
    """ "Could you do that, please?": asked for what was offered."""
    words = tuple(word for word in clause.words if word not in _SIGHS)
    known = {Part.NAMED, Part.YES, Part.GOOD, Part.PLEASE, Part.FILL, Part.NOT}
    asks_for = {Part.NAMED, Part.PLEASE, Part.YES, Part.NOT} & set(clause.parts)
    return (
        words[:1] in (("can",), ("could",), ("would",), ("will",))
        and words[1:2] == ("you",)
        and set(clause.parts) <= known
        and bool(asks_for)
    )


def _stays(clause: Clause) -> bool:
    """ "Keep my subscription": things must stay as they are."""
    rest = [(part, word) for part, word in clause.spread() if part is not Part.FILL]
    words = [word for _, word in rest if word not in ("want", "would", "like", "will", "please", "not", "do")]
    if not words or words[0] not in ("keep", "leave", "continue", "retain", "renew"):
        return False
    return all(
        part is not Part.OTHER or word in ("keep", "leave", "retain", "renew", "alone") for part, word in rest
    ) and (Part.NAMED in clause.parts)


_UNDOES = frozenset("cancel remove delete drop end stop close".split())


def _keeps(clause: Clause) -> Says | None:
    """What "keep it", "don't cancel it" mean where it was asked whether something shall be kept."""
    words = set(clause.words)
    known = _UNDOES | {"keep", "leave", "continue", "retain", "renew", "stay"}
    if not words & known or any(part is Part.OTHER and word not in known for part, word in clause.spread()):
        return None
    denied = bool(words & {"not", "never", "no", "without"})
    return Says.YES if denied is bool(words & _UNDOES) else Says.NO


def _untroubled(clause: Clause) -> bool:
    """ "I don't have a problem with that", "I have no objection": nothing stands against it."""
    words = clause.words
    for at, (part, word) in enumerate(clause.spread()):
        if part in (Part.OTHER, Part.YES) and word in NOUNS_OF_TROUBLE:
            before = words[max(0, at - 6) : at]
            if "not" in before or "no" in before or "without" in before or "never" in before:
                return not {"my", "your"} & set(before[-1:])
    return False
