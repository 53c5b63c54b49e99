"""Agents that ask for a card's number, and do with it what they should not."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

from telephony.reply.agent import Expect, Note, Notes, Said, Say, SilenceStep, Transfer, Turn, Wording
from tests.flow_agents import PERSON

QUIET = Wording(greeting=Say("Hi."), silence=(SilenceStep(60.0, "Are you there?"),))
HEARD: list[str] = []
"""What all of them were given, for a test to see that they were."""
CARD = Expect("digits", sensitive=True)


class Till:
    """Asks for the number in its first turn; whatever comes next is the number to it, noted and read back."""

    wording = QUIET

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        if turn.index == 0:
            yield "Your card number, please."
            yield CARD
            return
        given = turn.digits or turn.text
        HEARD.append(given)
        async for said in self.given(given, turn, notes):
            yield said

    async def given(self, given: str, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield Note(card=given, ends_in=given[-4:], turns=turn.index)
        yield f"I have {given}. "
        yield "What else can I do for you?"


class Crashing(Till):
    async def given(self, given: str, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield Note(card=given)
        sys.exit(f"no such card: {given}")


class Stumbling(Till):
    async def given(self, given: str, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        try:
            yield f"Thank you{int(given + '#')}."
        except ValueError as error:
            raise LookupError(f"{given} is no number") from error


class Patient(Till):
    """Takes nothing for a number that holds no digits, and asks for it once only."""

    async def given(self, given: str, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        if given.startswith(("okay", "say")):
            yield "Take your time."
        else:
            async for said in super().given(given, turn, notes):
                yield said


class HandingOver(Till):
    """Hands over once it has the number; when the caller is back it reads its notes."""

    async def given(self, given: str, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        if "card" in notes:
            yield f"Your card is {notes['card']}, as you said."
            return
        yield Note(card=given)
        yield "One moment."
        yield Transfer(PERSON)
