"""The default agent: it follows a script and needs no key.

Nothing is kept between turns but the notes: the order so far, the question that is open, how often the caller
was not understood. Some wishes are always understood, whatever the script says: to hear the last thing again,
to wait a moment, to speak to a person, to know whether this is a machine. What cannot be undone is done when
an utterance as a whole means it, and never on a word in it; a correction replaces what it names.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from telephony.reply import understanding
from telephony.reply.acts import lasting
from telephony.reply.agent import Notes, Said, Turn, Wording
from telephony.reply.builtin_intents import BuiltinIntent, wish_among, wish_of
from telephony.reply.corrections import Correction, correction
from telephony.reply.matching import Match
from telephony.reply.mentions import meant
from telephony.reply.numbers import spoken_digits
from telephony.reply.polarity import YesNo, answered
from telephony.reply.replies import MAX_ASKS, Replies
from telephony.reply.script import Ask, Do, Script, dictated, find_slots
from telephony.reply.script_state import State

_BEHIND_ANSWER = re.compile(r"^(?:(?:yes|yeah|yep|yup|sure|okay|ok|oh|um|uh|well|please) )+")
_OPERATOR = "0"  # the key that callers press to reach a person


class ScriptedAgent:
    """Follows a script. `reply` has no effect of its own, so that it may be drafted and thrown away."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.wording: Wording = script.wording
        self._vocabulary = {
            word for slot in script.slots.values() for form in slot.forms for word in form.split()
        }

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """As `agent.Agent.reply`."""
        for said in self.answer(turn, notes):
            yield said

    def answer(self, turn: Turn, notes: Notes) -> list[Said]:
        """All that is said and done in answer to a turn."""
        return list(_Answer(self.script, turn, State.of(notes), self._vocabulary).make())


class _Answer(Replies):
    """Finds what was meant, then says and does it."""

    # ---- what was meant

    def make(self) -> Iterator[Said]:
        if self.turn.digits:
            yield from self._keys(self.turn.digits)
            return
        if wish := wish_of(self.turn.text):
            yield from self._wish(wish)
            return
        if self.ask and self.state.checking:
            yield from self._check(self.ask)
            return
        if self.ask and (value := self._dictation(self.ask)):
            yield from self._answered(self.ask, value)
            return
        if self.ask and self._is_unclear(self.ask):
            yield from self._not_understood()
            return
        answer = answered(self.turn.text, self._question(), self._expects_yes_no)
        if wrong := self._correction(answer):
            yield from self._correct(wrong)
        elif self._may_branch(answer) and answer.whole and answer.yes is not None and not self._leaves():
            yield from self._run_branch(answer.yes)
        else:
            yield from self._meaning(answer)

    def _meaning(self, answer: YesNo) -> Iterator[Said]:
        """As `make`, for more than a yes or no: the script's intents, then looser readings of the words."""
        as_heard = [self.text, understanding.corrected(self.text, self.vocabulary)]
        if answer.yes is not None and (more := _BEHIND_ANSWER.sub("", self.text)):  # "yes, with milk"
            as_heard.append(more)
        matches = [match for text in dict.fromkeys(as_heard) for match in self.finder.matches(text)]
        if complete := next((match for match in matches if match.complete), None):
            yield from self._run(complete, closing=self.finder.closing(matches, complete))
        elif self.ask and (value := self._chosen(as_heard[1], self.ask)):
            yield from self._answered(self.ask, value)
        elif self.ask and self._said_of(self.ask):
            yield from self._not_understood()  # "not the small one", "small or large"
        elif self.ask and (answer.yes is False or understanding.NO_PREFERENCE.search(self.text)):
            yield from self._answered(self.ask, "")
        elif self._expects_yes_no and (open_ := next((m for m in matches if _names(m)), None)):
            yield from self._run(open_)  # "yes, a filling": more than the answer was said
        elif self._goes_on(answer) and answer.yes is not None:
            yield from self._run_branch(answer.yes)
        elif wish := wish_among(self.turn.text):
            yield from self._wish(wish)
        elif matches:
            yield from self._run(matches[0])
        else:
            yield from self._not_understood()

    def _may_branch(self, answer: YesNo) -> bool:
        """Whether a yes or no has something to answer."""
        if self.ask or answer.yes is None or self.state.mending:
            return False
        return self._expects_yes_no or bool(self._named(answer.yes))

    def _leaves(self) -> bool:
        """A goodbye where nothing was asked that it could be a no to."""
        return not self._expects_yes_no and any(
            match.intent.step.do is Do.HANG_UP for match in self.finder.matches(self.text)
        )

    def _goes_on(self, answer: YesNo) -> bool:
        """A yes or no with more behind it answers, unless what follows from it cannot be undone."""
        if answer.yes is None or not self._expects_yes_no or self.ask or answer.wrong:
            return False
        return not lasting(self._resolved(self._branch(answer.yes)))

    # ---- reading back

    def _check(self, ask: Ask, keys: str = "") -> Iterator[Said]:
        """The answer to "I have ... Is that right?"."""
        slot, had = self.script.slots[ask.slot], self.state.partial[ask.slot]
        now = self._keyed(keys, ask) if keys else find_slots(self.text, {ask.slot: slot}).get(ask.slot, "")
        answer = (
            answered(self.turn.text, self._question()).yes if not keys else {"1": True, "2": False}.get(keys)
        )
        assert self.intent is not None  # it is what asked
        if now and now != had and answer is not True:
            found = {**self.state.partial, ask.slot: now}
            yield from self._run(Match(self.intent, (found,)), new=False)
        elif answer is not True and (others := self._others(ask)):
            partial = {**self.state.partial, **others}
            changed = ", ".join(others.values())
            yield f"{changed[0].upper()}{changed[1:]}."
            yield from self._run(Match(self.intent, (partial,)), new=False)
        elif answer or (now and now == had):
            self.state = replace(self.state, checked=(*self.state.checked, ask.slot), checking=False)
            yield from self._run(Match(self.intent, (self.state.partial,)), new=False)
        elif self.state.tries > 2 * MAX_ASKS:
            yield from self._answered(ask, "")
        elif answer is False or self.state.tries >= MAX_ASKS + 1:
            partial = {name: value for name, value in self.state.partial.items() if name != ask.slot}
            state = replace(self.state, partial=partial, checking=False, tries=self.state.tries + 1)
            yield self.wording.filled(ask.say, partial, state)
            yield ask.expect
            yield state.note()
        else:
            yield from self._not_understood()

    def _others(self, ask: Ask) -> dict[str, str]:
        """Other parts of the item that are named while one is read back: "no, Wednesday"."""
        assert self.intent is not None  # it is what asked
        found = find_slots(
            meant(self.turn.text, self.text, self.script.slots).text,
            {
                name: slot
                for name, slot in self.script.slots.items()
                if name in self.state.partial and slot.kind == "words"
            },
        )
        return {name: value for name, value in found.items() if self.state.partial[name] != value}

    # ---- corrections

    def _correction(self, answer: YesNo) -> Correction | None:
        ends = self._expects_yes_no and lasting(self._resolved(self._branch(False)))
        ends = ends and not any(match.complete for match in self.finder.matches(self.text))
        question = self.intent, self.ask
        return correction(self.script, self.state, self.turn.text, answer, question, ends)

    def _correct(self, wrong: Correction) -> Iterator[Said]:
        if wrong.named:
            yield from self._replace(wrong.intent, wrong.values, wrong.dropped, wrong.item)
        elif wrong.part:
            yield from self._ask_again(wrong.intent, wrong.part)
        elif wrong.nothing:
            yield from self._read_back(wrong.intent, self.state)
        else:
            yield self.script.correct
            yield from self._still_open()
            yield replace(self.state, mending=True).note()

    def _dictation(self, ask: Ask) -> str:
        """The answer to a question for digits, letters or free text."""
        slot = self.script.slots[ask.slot]
        return self.text if slot.kind == "text" else dictated(self.text, slot, alone=True)

    def _is_unclear(self, ask: Ask) -> bool:
        """Whether a number was said that could be another one."""
        return self.script.slots[ask.slot].kind == "digits" and spoken_digits(self.text) is None

    def _chosen(self, text: str, ask: Ask) -> str:
        words = meant(self.turn.text, text, self.script.slots).text
        return find_slots(words, {ask.slot: self.script.slots[ask.slot]}).get(ask.slot, "")

    def _said_of(self, ask: Ask) -> str:
        return find_slots(self.text, {ask.slot: self.script.slots[ask.slot]}).get(ask.slot, "")

    # ---- keys

    def _keys(self, keys: str) -> Iterator[Said]:
        if self.ask and self.state.checking and (keys in ("1", "2") or self._keyed(keys, self.ask)):
            yield from self._check(self.ask, keys)
        elif self.ask and (value := self._keyed(keys, self.ask)):
            yield from self._answered(self.ask, value)
        elif self._expects_yes_no and keys in ("1", "2"):
            yield from self._run_branch(keys == "1")
        elif intent := next((one for one in self.script.intents.values() if keys in one.keys), None):
            yield from self._run(Match(intent, ({},)))
        elif keys == _OPERATOR:
            yield from self._wish(BuiltinIntent.PERSON)
        else:
            yield from self._not_understood()

    def _keyed(self, keys: str, ask: Ask) -> str:
        slot = self.script.slots[ask.slot]
        if slot.kind == "words":
            options = ask.expect.options or slot.options
            return options[int(keys) - 1] if keys.isdecimal() and 1 <= int(keys) <= len(options) else ""
        return keys if slot.kind == "digits" and slot.least <= len(keys) <= slot.most else ""


def _names(match: Match) -> bool:
    """Whether what was said names a part of what the intent orders."""
    return bool(match.intent.item and match.found[-1])
