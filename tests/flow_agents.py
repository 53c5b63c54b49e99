"""Agents for the control-flow tests. What they remember, they noted."""

from __future__ import annotations

from collections.abc import AsyncIterator

from telephony.reply.agent import (
    EndedCall,
    HangUp,
    Note,
    Notes,
    Said,
    Say,
    SilenceStep,
    Transfer,
    Turn,
    Wording,
    hold,
    press_keys,
)

PERSON = "+14155550199"
QUIET = Wording(greeting=Say("Hi."), silence=(SilenceStep(60.0, "Are you there?"),))


class Desk:
    """First turn: notes a wish and transfers. Afterwards it says what it knows, and goodbye."""

    wording = QUIET
    person = PERSON

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        if "wish" not in notes:
            yield Note(wish="latte")
            yield "One moment."
            yield Transfer(self.person)
        else:
            said = [line.text for line in turn.history if line.who == "agent"]
            yield f"You wanted a {notes['wish']}. I said: {said[0]} {said[1]} Goodbye."
            yield HangUp()


class Premium(Desk):
    person = "+19005551234"


class Abroad(Desk):
    person = "+442071838750"


class Address(Desk):
    person = "sip:desk@example.com"


class Browser(Desk):
    person = "client:Desk"


class National(Desk):
    person = "(415) 555-0199"


class Menu:
    """First turn: presses keys; second turn: parks the caller; then says what it knows, and goodbye."""

    wording = QUIET

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        step = int(str(notes.get("step", 0)))
        yield Note(step=step + 1)
        if step == 0:
            yield "I am dialling the extension."
            yield press_keys("12#")
        elif step == 1:
            yield "One moment."
            yield hold(10, "Please hold.")
        else:
            yield f"Back after {turn.call.parameters['resumed']}."
            yield HangUp()


class Memory:
    """Notes how many turns there were, and says so; hangs up after three."""

    wording = QUIET

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        count = int(str(notes.get("count", 0))) + 1
        yield Note(count=count)
        yield f"That was turn {count}."
        if count >= 3:
            yield HangUp()


ENDED: list[EndedCall] = []
"""What the agents below were told of calls that are over."""


class Noting(Memory):
    """As Memory; it notes who they are, and wants to know when a call is over."""

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        yield Note(name="Ada", order={"drink": "latte", "size": 2})
        async for said in super().reply(turn, notes):
            yield said

    async def ended(self, call: EndedCall) -> None:
        ENDED.append(call)


class NotingDesk(Desk):
    """As Desk, likewise."""

    async def ended(self, call: EndedCall) -> None:
        ENDED.append(call)


class Stumbling(Memory):
    """Trips over the end of a call."""

    async def ended(self, call: EndedCall) -> None:
        ENDED.append(call)
        raise LookupError("no such customer")


class Remembers:
    """Notes the history that it was given, and offers drinks in a sentence that is worth interrupting."""

    wording = Wording(greeting=Say("Hello, what would you like?"), silence=(SilenceStep(60.0, "Hello?"),))

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        given = [[line.who, line.text, line.heard, line.interrupted] for line in turn.history]
        yield Note(**{f"history {turn.index}": given})
        if turn.index == 0:
            yield "We have a large latte, a small mocha, and a pot of green tea with fresh lemon today."
        else:
            yield "Fine. Goodbye."
            yield HangUp()
