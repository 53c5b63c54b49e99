"""The tools that every model has: hang up, transfer, press keys, hold, note, ask.

None of them takes a telephone number or an address: where a caller may be sent stands in the settings, and
the model knows the names only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from telephony.llm.tools import Result, Tool, ToolError, renamed, tool, tool_of
from telephony.reply.agent import Expect, ExpectKind, HangUp, Note, Said, Transfer
from telephony.reply.agent import hold as on_hold
from telephony.reply.agent import press_keys as pressed

LONGEST_HOLD_S = 600.0
AFTER = "It is done when the words of this answer have been heard: say them now, if you have not."

Yielded = AsyncIterator[Said | Result]


def builtin_tools(destinations: Mapping[str, str]) -> list[Tool]:
    """All of them; `transfer` only where there is somebody to transfer to: names, and where each leads."""
    plain: list[Callable[..., Any]] = [hang_up, press_keys, hold, note, ask]
    found = [tool_of(one) for one in plain]
    if destinations:
        found.insert(1, _transfer(destinations))
    return found


@tool
async def hang_up() -> Yielded:
    """End the call. Say goodbye in the same answer."""
    yield HangUp()
    yield Result(AFTER)


def _transfer(destinations: Mapping[str, str]) -> Tool:
    names = tuple(destinations)

    async def transfer(to: Literal[names]) -> Yielded:  # type: ignore[valid-type]  # known at run time
        """Hand the caller over to somebody else, and leave the call. Tell the caller so in the same answer.

        Args:
            to: Whom they want, or need.
        """
        yield Transfer(destinations[to])
        yield Result(AFTER)

    transfer.__annotations__["to"] = Literal[names]
    return renamed(tool_of(transfer), "transfer")


@tool
async def press_keys(digits: str) -> Yielded:
    """Press keys of the telephone, as in another line's menu; the conversation goes on after it.

    Args:
        digits: 0 to 9, * and #; w for a pause of half a second. At most 32.
    """
    try:
        action = pressed(digits)
    except ValueError as error:
        raise ToolError(str(error)) from None
    yield action
    yield Result(AFTER)


@tool
async def hold(
    seconds: Annotated[float, Field(ge=1, le=LONGEST_HOLD_S)],
) -> Yielded:
    """Park the caller with music, when they ask for time; the conversation goes on after it.

    Args:
        seconds: For how long.
    """
    yield on_hold(seconds)
    yield Result(AFTER)


@tool
async def note(
    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$")],
    value: str | float | bool | list[str],
) -> Yielded:
    """Write down something that the caller has told, for those who read about the call afterwards.

    Args:
        name: What it is, in one word: order, reason, callback_time.
        value: What they said.
    """
    yield Note(**{name: value})
    yield Result("noted")


@tool
async def ask(
    kind: ExpectKind,
    options: Annotated[list[str], Field(max_length=20)] = [],  # noqa: B006 - pydantic copies it
    sensitive: bool = False,
    length: Annotated[int | None, Field(ge=1, le=64)] = None,
) -> Yielded:
    """Say what kind of answer the question in this answer of yours waits for; listening adapts to it.

    Args:
        kind: yes_no, digits (a number, spoken or keyed in), spelling, address, choice, or open.
        options: For choice, the answers offered.
        sensitive: The answer is a secret, as a PIN or a card's number: it is kept out of all records.
        length: For digits, how many there are.
    """
    yield Expect(kind, tuple(options), sensitive, length=length)
    yield Result("Now ask the question.")
