"""Whether an answer means yes or no. PURE.

An utterance is read as a whole: clause by clause, with what negates, what takes back, what only asks, and
with the question that it answers. Where it cannot be told the answer is `UNCLEAR`, to be asked again: the
opposite of what was meant is worse than another question.
"""

from __future__ import annotations

from dataclasses import dataclass

from telephony.reply.clauses import SOFT, Clause, QuestionClause, Says, clauses_of, said_by
from telephony.reply.polarity_words import MISHEARD_NO, MISHEARD_YES, Part


@dataclass(frozen=True, slots=True)
class YesNo:
    """What an utterance means as an answer to a yes/no question."""

    yes: bool | None
    """True yes, False no, None neither: it must be asked again."""
    whole: bool = False
    """True: nothing else was said, so that an act that cannot be undone may follow."""
    wrong: bool = False
    """True: the caller says that something was misunderstood."""


UNCLEAR = YesNo(None)


def answered(text: str, question: str | QuestionClause = "", expected: bool = True) -> YesNo:
    """What `text`, as it was heard, means as the answer to `question`.

    `expected`: whether such an answer is waited for, so that a word misheard for a yes or no counts as one.
    """
    kind = question if isinstance(question, QuestionClause) else QuestionClause.of(question)
    clauses = list(clauses_of(text, kind))
    words = [word for clause in clauses for word in clause.words]
    if expected and len(words) == 1:
        if words[0] in MISHEARD_YES and not clauses[0].asked:
            return YesNo(None if kind.mind else True, whole=True)
        if words[0] in MISHEARD_NO:
            return YesNo(bool(kind.mind), whole=True)
    if kind.keeps and "never" in words:
        return UNCLEAR  # it may be cut from what it denies: "never cancel it"
    if kind.mind:
        return _mind(clauses)
    return _Reading(kind).read(clauses)


# ---- the whole of it


_DECLINES = frozenset(
    "i we do would rather not no want need like to anything something else more any other thing things"
    " thank thanks you please really think so that right now at all the moment today for prefer absolutely"
    " definitely certainly totally obviously surely clearly positively naturally most course of honestly"
    " just oh well um uh sir will ever at all".split()
)
"""A "not" among other words than these may be about anything: "I'm not good at this"."""


def _declines(words: tuple[str, ...]) -> bool:
    return set(words) <= _DECLINES and ("like" not in words or "would" in words)


_CONTENT = frozenset(
    "good fine great perfect lovely wonderful excellent cool brilliant fantastic super".split()
)
""" "That's perfect", said to "anything else?", may close the order or only praise it."""
_TRUE = frozenset("right correct true exactly precisely indeed".split())


def _to_a_denial(clause: Clause, says: Says) -> Says:
    """ "You don't have one, do you?": "that's right" is a no, and a yes alone may be either."""
    if _TRUE & set(clause.words):
        return Says.NO
    return Says.NOTHING if Part.YES_WORD in clause.parts or says is Says.WEAK else says


class _Reading:
    """Reads clauses in order: what was said last counts, unless it only asks or is not understood."""

    def __init__(self, kind: QuestionClause) -> None:
        self.kind = kind
        self.yes: bool | None = None
        self.strong = False
        self.whole = True
        self.wrong = False
        self.turned = ""  # "reset", "turn" or "but": what stands between the answer so far and the next
        self.conditional = False
        self.bare_noes = 0
        self.closed = False

    def read(self, clauses: list[Clause]) -> YesNo:
        for clause in clauses:
            says = self._as_asked(said_by(clause, self.kind), clause)
            if says is not Says.NOTHING:
                self._take(says, clause)
        if self.conditional:
            return UNCLEAR
        if self.turned in ("reset", "but") and self.yes is None:
            return YesNo(None, wrong=self.wrong)
        if self.turned == "reset":
            return UNCLEAR
        if self.yes is False and self.bare_noes > 2:
            self.whole = False
        return YesNo(self.yes, self.whole and self.yes is not None and not self.wrong, self.wrong)

    def _as_asked(self, says: Says, clause: Clause) -> Says:
        """Closing words have their meaning from the question."""
        if self.kind.denies and says in (Says.YES, Says.WEAK):
            return _to_a_denial(clause, says)
        if self.kind.more and says is Says.WEAK and self.yes is not False and set(clause.words) & _CONTENT:
            return Says.NO if "all" in clause.words else Says.UNSURE
        if self.kind.more and self.closed and set(clause.parts) <= {Part.YES_WORD, Part.FILL}:
            return Says.NOTHING  # "that is all, yes"
        self.closed = says is Says.DONE
        if self.kind.are_you and says is Says.UNSURE and "here" in clause.words:
            return Says.YES
        if says is Says.DONE:
            if self.kind.check:
                return Says.YES
            return Says.NO if self.kind.more or self.yes is None or self.yes is False else Says.WEAK
        if says is Says.GOOD:
            if self.kind.are_you:
                return Says.YES
            return Says.NO if self.kind.more or self.yes is not True else Says.UNSURE
        if says is Says.SO_SO:
            if self.kind.check or self.kind.are_you or self.kind.all_right:
                return Says.WEAK
            return Says.UNSURE if self.yes is None else Says.NOTHING
        if says is Says.MORE:
            return Says.YES if self.kind.more else Says.NO if self.kind.are_you else Says.UNSURE
        if says is Says.CHANGED:
            return Says.WRONG if self.kind.more else Says.NO
        if says is Says.WRONG and self.kind.check:
            self.wrong = False
            return Says.NO
        return says

    def _take(self, says: Says, clause: Clause) -> None:
        if says in (Says.BUT, Says.RESET, Says.TURN):
            self.turned = {Says.BUT: "but", Says.RESET: "reset"}.get(says, self.turned or "turn")
            return
        if says is Says.BYE:
            self._left()
            return
        if says is Says.PLEASE:
            if self.yes is not None or not self.whole:
                return
            says = Says.YES
        may = says is Says.MAY
        if may:
            says = Says.YES if self.whole else Says.WEAK
        self.conditional |= says is Says.IF
        turned, self.turned = self.turned, ""
        if says in (Says.YES, Says.WEAK):
            self._agreed(says is Says.YES, turned)
            self.strong = self.strong and not may
        elif says in (Says.NO, Says.YET, Says.WRONG):
            self._refused(says, clause, turned)
        elif says in (Says.ASKS, Says.UNSURE, Says.IF):
            self.yes, self.strong, self.whole = None, False, False
        else:
            self._more_was_said(says, turned)

    def _left(self) -> None:
        """A goodbye is a no to "anything else?", and makes an "okay" before it one; else it says nothing."""
        if self.kind.more and self.yes is not False:
            self.whole = self.whole or self.yes is None
            self.yes, self.strong = False, True
        elif self.yes is True:
            self.yes, self.whole = None, False

    def _agreed(self, strong: bool, turned: str) -> None:
        if self.yes is False and not turned:
            if strong:
                self.yes, self.whole = None, False  # "no, go ahead"
            return
        if self.yes is None and not self.whole and not strong:
            return
        self.yes, self.strong = True, strong or (self.strong and self.yes is True)

    def _refused(self, says: Says, clause: Clause, turned: str) -> None:
        if says is Says.WRONG:
            self.wrong = True
        closes = bool({Part.THAT_IS_ALL, Part.I_AM_GOOD} & set(clause.parts))  # "yes, that's all"
        first = next((part for part in clause.parts if part is not Part.FILL), Part.FILL)
        bare = closes or first in (Part.NO_WORD, Part.NO) or says is Says.YET
        if self.yes is True and self.strong and not turned and not bare:
            self.yes, self.whole = None, False
            return
        if says is Says.YET or not (bare or _declines(clause.words)):
            self.whole = False
        self.bare_noes += sum(word in ("no", "nope") for word in clause.words)
        self.yes, self.strong = False, True

    def _more_was_said(self, says: Says, turned: str) -> None:
        if turned in ("but", "reset"):
            self.yes = None
        elif self.yes is True and (says is Says.OTHER_NOT or not self.strong):
            self.yes = None
        self.whole = False


_BOTH_WAYS = {Says.ASKS, Says.UNSURE, Says.IF, Says.RESET, Says.BUT}
_AGREES = {Says.YES, Says.WEAK, Says.MAY, Says.PLEASE, Says.SO_SO}
_I_DO = frozenset({("i", "do"), ("i", "would"), ("i", "do", "yes"), ("yes", "i", "do")})
_I_DO_NOT = frozenset(
    {("i", "do", "not"), ("i", "would", "not"), ("it", "is", "not"), ("i", "do", "not", "at", "all")}
)


def _mind(clauses: list[Clause]) -> YesNo:
    """ "Do you mind?": yes is that the caller agrees, so a plain no is a yes, and a plain yes is neither."""
    found: set[str] = set()
    whole = True
    for clause in clauses:
        meant = _minds(clause)
        if meant == "unclear":
            return UNCLEAR
        whole = whole and meant != "more"
        found.add(meant)
    if "refused" in found:
        return UNCLEAR if "agreed" in found else YesNo(False, whole)
    if "agreed" in found:
        return YesNo(True, whole)
    return YesNo(True, whole) if "denied" in found and "affirmed" not in found else UNCLEAR


def _minds(clause: Clause) -> str:
    only = set(clause.parts) - SOFT
    says = said_by(clause, QuestionClause())
    if says in _BOTH_WAYS or says is Says.OTHER_NOT or "wait" in clause.words:
        return "unclear"
    if not only:
        return "agreed" if says is Says.PLEASE else "nothing"
    if only == {Part.NO_WORD} or clause.words in _I_DO_NOT or clause.words[:2] == ("no", "thanks"):
        return "denied"
    if only == {Part.YES_WORD} or clause.words in _I_DO:
        return "affirmed"
    if (
        says is Says.NO and Part.YES in only and clause.words[-1] == "not"
    ):  # "absolutely not": that they mind, or that we may not?
        return "unclear"
    if says in (Says.NO, Says.WRONG, Says.YET):
        return "refused"
    return "agreed" if says in _AGREES else "more"
