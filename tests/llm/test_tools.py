"""Python functions as tools: the schema, what is refused at start, and how arguments are checked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from telephony.llm import tool_thread
from telephony.llm.builtin_tools import builtin_tools
from telephony.llm.tool_thread import TooManyThreads, in_thread
from telephony.llm.toolbox import Toolbox
from telephony.llm.tools import (
    BadArguments,
    BadTool,
    Output,
    Result,
    ToolContext,
    identified,
    to_state,
    tool,
    tool_of,
)
from telephony.reply.agent import CallInfo, Expect, HangUp, Note, Transfer

CONTEXT = ToolContext(CallInfo("c", "CA1"))


class Guest(BaseModel):
    """Who comes."""

    name: str
    """Not in the schema: pydantic reads no such texts."""
    allergies: list[str] = []


async def book(
    day: date, size: Literal["small", "large"], guests: list[Guest], about: ToolContext, people: int = 2
) -> str:
    """Book a table.

    Only for today and tomorrow.

    Args:
        day: The day of
            the visit.
        people: How many come.
    """
    return f"{size} table on {day:%A} for {people}, {guests[0].name}, key {about.key!r}"


def test_the_schema_is_made_of_hints_and_docstring() -> None:
    spec = tool_of(book).spec
    assert spec.name == "book" and spec.description == "Book a table.\n\nOnly for today and tomorrow."
    assert spec.parameters == {
        "type": "object",
        "additionalProperties": False,
        "required": ["day", "size", "guests"],
        "properties": {
            "day": {"type": "string", "format": "date", "description": "The day of the visit."},
            "size": {"type": "string", "enum": ["small", "large"]},
            "guests": {"type": "array", "items": {"$ref": "#/$defs/Guest"}},
            "people": {"type": "integer", "default": 2, "description": "How many come."},
        },
        "$defs": {
            "Guest": {
                "type": "object",
                "description": "Who comes.",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "allergies": {"type": "array", "items": {"type": "string"}, "default": []},
                },
            }
        },
    }


def test_a_parameter_called_title_keeps_its_name() -> None:
    def add(title: str, description: str = "") -> None:
        """Add a book."""

    assert set(tool_of(add).spec.parameters["properties"]) == {"title", "description"}


async def result_of(function: Any, arguments: str, context: ToolContext = CONTEXT) -> list[Output]:
    one = tool_of(function)
    return [output async for output in one.call(context, one.check(arguments))]


async def test_arguments_arrive_as_the_hints_say() -> None:
    written = '{"day": "2026-11-28", "size": "large", "guests": [{"name": "Ada"}], "people": "4"}'
    [result] = await result_of(book, written)
    assert result == Result("large table on Saturday for 4, Ada, key ''")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('{"day": "2026-11-28", "size": "huge", "guests": []}', "size: Input should be 'small' or 'large'"),
        ('{"day": "soon", "size": "small", "guests": []}', "day: "),
        ('{"size": "small", "guests": []}', "day: Field required"),
        ('{"day": "2026-11-28", "size": "small", "guests": [], "pay": 1}', "pay: Extra inputs are not"),
        ('{"day": "2026-11-28", "size": "small", "guests": [{}]}', "guests.0.name: Field required"),
        ('{"about": {}, "day": "2026-11-28", "size": "small", "guests": []}', "about: Extra inputs"),
        ("[1]", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ('{"day": ', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"day": ' + "1" * 5_000 + "}", "not JSON"),
    ],
)
def test_wrong_arguments_become_words(written: str, told: str) -> None:
    with pytest.raises(BadArguments, match="^.*" + told.replace(".", r"\.")):
        tool_of(book).check(written)


@pytest.mark.parametrize("hint", [ToolContext | None, Annotated[ToolContext, "about"]])
async def test_a_context_is_never_the_models_to_fill(hint: Any) -> None:
    async def book(about: Any = None) -> str:
        return "" if about is None else str(about.key)

    book.__annotations__["about"] = hint
    made = tool_of(book)
    assert made.spec.parameters["properties"] == {}
    with pytest.raises(BadArguments, match="about: Extra inputs"):
        made.check('{"about": {"key": "forged"}}')


def test_a_parameter_may_have_the_name_of_something_of_pydantics(recwarn: pytest.WarningsRecorder) -> None:
    def find(schema: str, copy: int) -> str:
        return schema * copy

    assert tool_of(find).check('{"schema": "a", "copy": 2}') == {"schema": "a", "copy": 2}
    assert not recwarn.list


async def test_a_tool_without_arguments_takes_what_models_write_for_none() -> None:
    @tool
    def now() -> str:
        return "noon"

    for written in ("", "{}", " { } "):
        assert await result_of(now, written) == [Result("noon")]


# ---- kinds of functions


async def test_a_sync_function_runs_in_a_thread() -> None:
    def where(x: int) -> str:
        return threading.current_thread().name

    assert await result_of(where, '{"x": 1}') == [Result("tool")]


async def test_an_object_that_can_be_called_and_a_method_are_tools() -> None:
    class Shop:
        async def price(self, drink: str) -> str:
            """What a drink costs."""
            return f"{drink}: 3"

    assert await result_of(Shop().price, '{"drink": "tea"}') == [Result("tea: 3")]


async def test_a_tool_may_yield_words_acts_and_a_result() -> None:
    async def look(x: int) -> AsyncIterator[Any]:
        yield "Let me look."
        yield Note(seen=x)
        yield {"found": x}
        yield "never reached"

    assert await result_of(look, '{"x": 1}') == ["Let me look.", Note(seen=1), Result({"found": 1})]


async def test_a_tool_may_return_an_act() -> None:
    async def check_pin(pin: str) -> Note | str:
        return identified("customer 17") if pin == "4711" else "wrong"

    assert await result_of(check_pin, '{"pin": "4711"}') == [Note(_identity="customer 17")]


async def test_what_a_thread_raises_is_raised_and_exits_exit_nothing() -> None:
    def fail() -> None:
        raise KeyError("x")

    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(KeyError):
        await in_thread(fail)
    with pytest.raises(RuntimeError, match="SystemExit in a tool"):
        await in_thread(leave)


async def test_threads_that_hang_are_bounded() -> None:
    """A tool that hangs holds one thread; when all are held, the next is refused, and later it is not."""
    gate = threading.Event()
    held = [asyncio.create_task(in_thread(gate.wait)) for _ in range(tool_thread.MOST)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyThreads):
        await in_thread(lambda: None)
    gate.set()
    await asyncio.gather(*held)
    assert await in_thread(lambda: 1) == 1


# ---- what is refused at start


def unhinted(x) -> str:  # type: ignore[no-untyped-def]
    return str(x)


def unknown_hint(x: Nowhere) -> str:  # type: ignore[name-defined]  # noqa: F821
    return str(x)


def no_schema(x: threading.Thread) -> str:
    return str(x)


def callback(x: Callable[[], int]) -> str:
    return str(x)


def splat(*x: int) -> str:
    return str(x)


def splats(**x: int) -> str:
    return str(x)


def positional(x: int, /) -> str:
    return str(x)


def plain_generator(x: int) -> Any:
    yield x


@tool(name="no good")
def badly_named(x: int) -> str:
    return str(x)


@tool(timeout_s=0)
def hasty(x: int) -> str:
    return str(x)


def hidden(_x: int) -> str:
    return str(_x)


def configured(model_config: str) -> str:
    return model_config


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (hidden, "hidden: _x cannot be filled by a model: rename it"),
        (configured, "configured: model_config cannot be filled"),
        (unhinted, "unhinted: parameter x needs a type hint"),
        (unknown_hint, "unknown_hint: its type hints cannot be read: name 'Nowhere' is not defined"),
        (no_schema, "no_schema: its hints cannot be a schema"),
        (callback, "callback: its hints cannot be a schema"),
        (splat, r"splat: \*x cannot be filled"),
        (splats, r"splats: \*\*x cannot be filled"),
        (positional, "positional: x cannot be filled"),
        (plain_generator, "plain_generator: a function that yields must be an `async def`"),
        (badly_named, "'no good': its name must be"),
        (hasty, "hasty: timeout_s=0"),
        ("book", "'book' is not a function"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_in_one_line(function: Any, told: str) -> None:
    with pytest.raises(BadTool, match=told) as refused:
        Toolbox([function])
    assert "\n" not in str(refused.value)


def test_decorating_leaves_the_function_as_it_is() -> None:
    @tool(effects=True)
    def twice(x: int) -> int:
        return 2 * x

    assert twice(2) == 4 and tool_of(twice).options.on_interrupt == "finish"
    assert tool_of(book).options.on_interrupt == "cancel"


def test_two_tools_of_one_name_are_refused() -> None:
    @tool(name="book")
    def other(x: int) -> str:
        return ""

    with pytest.raises(BadTool, match="two tools are called book"):
        Toolbox([book, other])


@pytest.mark.parametrize("name", ["hang_up", "transfer", "press_keys", "hold", "note", "ask"])
def test_the_names_of_built_in_tools_are_taken(name: str) -> None:
    """`transfer` also where nobody is named to transfer to: what it did would change with the settings."""

    @tool(name=name)
    def mine(x: int) -> str:
        return ""

    with pytest.raises(BadTool, match=f"{name}.*built in"):
        Toolbox([mine], builtin=builtin_tools({}))


def test_a_state_that_allows_what_is_not_there_is_refused() -> None:
    with pytest.raises(BadTool, match="state paying allows bok: there is no such tool"):
        Toolbox([book], {"paying": ["bok"]})


# ---- which tools there are


def names(box: Toolbox, state: str = "", identity: str = "") -> list[str]:
    return [spec.name for spec in box.specs(state, identity)]


def test_tools_by_state_and_identity() -> None:
    @tool(states="paying")
    def pay(amount: float) -> str:
        return ""

    @tool(identified=True)
    def balance() -> str:
        return ""

    box = Toolbox([book, pay, balance])
    assert names(box) == ["book"] and names(box, "paying") == ["book", "pay"]
    assert names(box, "", "customer 17") == ["book", "balance"]
    listed = Toolbox([book, pay, balance], {"": [], "paying": ["pay"]})
    assert names(listed) == [] and names(listed, "paying", "x") == ["pay"]
    assert names(listed, "anywhere else") == ["book"], "a state that is not listed allows what tools say"
    assert to_state("paying") == Note(_state="paying")


# ---- the built-in ones


async def built_in(name: str, arguments: str) -> list[Output]:
    one = {one.name: one for one in builtin_tools({"sales": "+14155550132", "person": "sip:a@b.c"})}[name]
    return [output async for output in one.call(CONTEXT, one.check(arguments))]


@pytest.mark.parametrize(
    ("name", "arguments", "act"),
    [
        ("hang_up", "{}", HangUp()),
        ("transfer", '{"to": "sales"}', Transfer("+14155550132")),
        ("transfer", '{"to": "person"}', Transfer("sip:a@b.c")),
        ("press_keys", '{"digits": "1w2#"}', Transfer("digits:1w2#")),
        ("hold", '{"seconds": 30}', Transfer("hold:30:")),
        ("note", '{"name": "order", "value": "latte"}', Note(order="latte")),
        ("ask", '{"kind": "digits", "length": 4, "sensitive": true}', Expect("digits", (), True, length=4)),
        ("ask", '{"kind": "choice", "options": ["tea", "milk"]}', Expect("choice", ("tea", "milk"))),
    ],
)
async def test_built_in_tools_do_what_agents_may_do(name: str, arguments: str, act: object) -> None:
    outputs = await built_in(name, arguments)
    assert outputs[0] == act and isinstance(outputs[-1], Result)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("transfer", '{"to": "+19005551234"}'),
        ("transfer", '{"to": "Sales"}'),
        ("transfer", '{"to": "sales", "number": "+19005551234"}'),
        ("hold", '{"seconds": 1e9}'),
        ("hold", '{"seconds": "NaN"}'),
        ("note", '{"name": "_identity", "value": "boss"}'),
        ("note", '{"name": "_state", "value": "paying"}'),
        ("ask", '{"kind": "anything"}'),
    ],
)
async def test_built_in_tools_take_nothing_else(name: str, arguments: str) -> None:
    with pytest.raises(BadArguments):
        await built_in(name, arguments)


def test_without_destinations_there_is_no_transfer() -> None:
    assert "transfer" not in {one.name for one in builtin_tools({})}


def test_field_texts_are_kept() -> None:
    def pick(count: Annotated[int, Field(ge=1, le=3, description="How many.")]) -> str:
        return ""

    [(_, schema)] = tool_of(pick).spec.parameters["properties"].items()
    assert schema == {"type": "integer", "minimum": 1, "maximum": 3, "description": "How many."}


def test_an_allow_list_of_a_prompt_takes_away_and_adds_nothing() -> None:
    @tool(states="paying")
    def pay(amount: float) -> str:
        return ""

    box = Toolbox([book, pay], {"": ["book"]})
    assert box.limited({}) is box
    assert names(box.limited({"*": ["pay"]})) == [] and names(box.limited({"*": ["pay"]}), "paying") == [
        "pay"
    ]
    by_state = box.limited({"": [], "paying": ["book"]})
    assert names(by_state) == [] and names(by_state, "paying") == ["book"]
    assert names(by_state, "elsewhere") == ["book"], "as without it"
    with pytest.raises(BadTool, match="LLM_PROMPT: tools: state start allows bok: there is no such tool"):
        box.check({"": ["bok"]}, "LLM_PROMPT")
