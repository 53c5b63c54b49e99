"""Python functions as tools of a model: what it is shown, what is checked, how each is called.

    from telephony.llm.tools import tool

    @tool(effects=True, filler="Let me book that.")
    async def book(day: date, people: int, about: ToolContext) -> str:
        \"""Book a table.

        Args:
            day: The day of the visit.
            people: How many will come.
        \"""
        return await diary.book(day, people, key=about.key)

The schema is made of the type hints by pydantic, its texts of the docstring. A function without the decorator
is a tool without effects. A parameter that is hinted as `ToolContext` is not the model's to fill.
"""

from __future__ import annotations

import inspect
import json
import re
import typing
import warnings
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NoReturn, TypeAlias, TypeVar, overload

import docstring_parser
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError

from telephony.base.tasks import guarded
from telephony.errors import BadAgent
from telephony.llm.chat import ToolSpec
from telephony.llm.tool_thread import in_thread
from telephony.reply.agent import NO_NOTES, CallInfo, Expect, HangUp, Note, Notes, Said, Say, Transfer, Wait

STATE_NOTE = "_state"
IDENTITY_NOTE = "_identity"
"""Notes of the guard rails' own. A model can write no note whose name begins with `_`."""

OnInterrupt: TypeAlias = Literal["cancel", "finish", "silent"]
ON_INTERRUPT: tuple[OnInterrupt, ...] = ("cancel", "finish", "silent")
TIMEOUT_S = 10.0
LONGEST_S = 600.0
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What chat-completions servers take as a function's name (OpenAI's API reference, "Function calling")."""
STARS: dict[object, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
MOST_MISTAKES = 5  # of a call's arguments, told to the model

F = TypeVar("F", bound=Callable[..., Any])


class BadTool(BadAgent):
    """A function that cannot be a tool: one line that says which, and what to do."""


class BadArguments(Exception):
    """A model called a tool with what it does not take; the message is for the model."""


class ToolError(Exception):
    """Raised by a tool: its words are told to the model. Of any other exception only that there was one."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may know beside its arguments: a parameter hinted with this type is given it."""

    call: CallInfo
    """Which call it is. `from_number` is what the network said, which anybody can forge: not who calls."""
    turn_index: int = 0
    notes: Notes = field(default_factory=lambda: NO_NOTES)
    """What was noted in this call so far."""
    identity: str = ""
    """Who the caller has proven to be: what a tool of yours yielded as `identified(...)`; "" before that."""
    key: str = ""
    """The same for the same effect in the same turn, however often it is tried: hand it to services that take
    an idempotency key."""


def to_state(name: str) -> Note:
    """Yielded by a tool of yours: from now on the call is in this state, which says what tools there are."""
    return Note(**{STATE_NOTE: name})


def identified(who: str) -> Note:
    """Yielded by a tool of yours that has checked it: the caller is proven to be this customer."""
    return Note(**{IDENTITY_NOTE: who})


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool that yields has found out: the last that it yields. It is told to the model, not spoken."""

    value: object


Output: TypeAlias = Said | Result
Call: TypeAlias = Callable[[ToolContext, Mapping[str, Any]], AsyncIterator[Output]]
"""Runs a tool with checked arguments: yields words and acts as they come, and a Result last."""


@dataclass(frozen=True, slots=True)
class ToolOptions:
    """How a tool is treated."""

    effects: bool = False
    """It changes something outside the call: it runs at most once per turn for the same arguments, and never
    in a draft."""
    on_interrupt: OnInterrupt = "cancel"
    """When the caller interrupts while it runs. `cancel`: it is stopped. `finish`: it goes on to its end, and
    the next turn's answer tells what came of it. `silent`: it goes on to its end, and nothing is said of it
    unless the caller asks."""
    timeout_s: float = TIMEOUT_S
    filler: str = ""
    """Said when it takes longer than a moment."""
    states: frozenset[str] = frozenset()
    """In which states of the call the model may use it; empty: in all."""
    identified: bool = False
    """Only once the caller's identity is proven: see `ToolContext.identity`."""
    most_per_call: int | None = None
    """How often it may be called in one call; None: as the call's budget allows."""


@dataclass(frozen=True, slots=True)
class Tool:
    """Something a model may call."""

    spec: ToolSpec
    call: Call
    check: Callable[[str], Mapping[str, Any]]
    """The arguments out of the JSON that the model wrote. Raises BadArguments."""
    options: ToolOptions = field(default_factory=ToolOptions)

    @property
    def name(self) -> str:
        return self.spec.name


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(
    *,
    effects: bool = ...,
    on_interrupt: OnInterrupt | None = ...,
    timeout_s: float = ...,
    filler: str = ...,
    states: Iterable[str] = ...,
    identified: bool = ...,
    most_per_call: int | None = ...,
    name: str = ...,
) -> Callable[[F], F]: ...
def tool(
    function: F | None = None,
    /,
    *,
    effects: bool = False,
    on_interrupt: OnInterrupt | None = None,
    timeout_s: float = TIMEOUT_S,
    filler: str = "",
    states: Iterable[str] = (),
    identified: bool = False,
    most_per_call: int | None = None,
    name: str = "",
) -> F | Callable[[F], F]:
    """Say how a function is treated as a tool: see ToolOptions. The function itself stays as it is.

    `on_interrupt` is `finish` for a tool with effects unless it says otherwise, and `cancel` for others.
    """
    states = (states,) if isinstance(states, str) else tuple(states)
    usual: OnInterrupt = "finish" if effects else "cancel"
    options = ToolOptions(
        effects, on_interrupt or usual, timeout_s, filler, frozenset(states), identified, most_per_call
    )

    def mark(marked: F) -> F:
        marked.__tool__ = (name, options)  # type: ignore[attr-defined]  # read by tool_of
        return marked

    return mark if function is None else mark(function)


def is_tool(thing: object) -> bool:
    """Whether a function carries the decorator."""
    return callable(thing) and hasattr(thing, "__tool__")


def tool_of(function: Callable[..., Any] | Tool) -> Tool:
    """The tool that a function is. Raises BadTool."""
    if isinstance(function, Tool):
        return function
    if not callable(function):
        raise BadTool(f"{function!r} is not a function: a tool must be one")
    own = getattr(function, "__name__", type(function).__name__)
    given, options = getattr(function, "__tool__", ("", ToolOptions()))
    name = given or own
    _check_options(name, options)
    model, context = _arguments_of(name, function)
    description, _ = _documented(function)
    spec = ToolSpec(name, description or name.replace("_", " "), _schema(name, model))
    return Tool(spec, _caller(function, context), lambda text: _checked(model, text), options)


def _check_options(name: str, options: ToolOptions) -> None:
    if NAME.fullmatch(name) is None:
        raise BadTool(f"tool {name!r}: its name must be 1 to 64 letters, digits, _ or -")
    if options.on_interrupt not in ON_INTERRUPT:
        raise BadTool(
            f"tool {name}: on_interrupt={options.on_interrupt!r}; cancel, finish or silent is meant"
        )
    if not 0 < options.timeout_s <= LONGEST_S:
        raise BadTool(f"tool {name}: timeout_s={options.timeout_s!r}; more than 0, at most {LONGEST_S:g}")


# ---- the schema


def _arguments_of(name: str, function: Callable[..., Any]) -> tuple[type[BaseModel], str]:
    """A model of what the function takes, and the name of the parameter that gets the ToolContext."""

    def unreadable(error: Exception) -> NoReturn:  # a hint may be any expression
        raise BadTool(f"tool {name}: its type hints cannot be read: {_line(error)}") from error

    hints = guarded(unreadable, typing.get_type_hints, function, include_extras=True)
    _, texts = _documented(function)
    fields: dict[str, Any] = {}
    context = ""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            shown = f"{STARS.get(parameter.kind, '')}{parameter.name}"
            raise BadTool(f"tool {name}: {shown} cannot be filled by a model: name each parameter")
        hint = hints.get(parameter.name)
        if _is_context(hint):
            context = parameter.name
            continue
        if hint is None:
            raise BadTool(f"tool {name}: parameter {parameter.name} needs a type hint: {parameter.name}: str")
        default = ... if parameter.default is parameter.empty else parameter.default
        text = texts.get(parameter.name)
        fields[parameter.name] = (hint, Field(default, description=text) if text else default)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a parameter may well be called `schema` or `copy`
            model = create_model(name, __config__=ConfigDict(extra="forbid", title=None), **fields)
    except (PydanticUserError, TypeError, ValueError, NameError) as error:
        raise BadTool(f"tool {name}: its hints cannot be a schema: {_line(error)}") from error
    if left := [field for field in fields if field not in model.model_fields]:
        raise BadTool(f"tool {name}: {left[0]} cannot be filled by a model: rename it, without _ in front")
    return model, context


def _is_context(hint: object) -> bool:
    """Whether a parameter gets the ToolContext, which may also be optional: a model must never fill it."""
    return hint is ToolContext or any(_is_context(one) for one in typing.get_args(hint))


def _schema(name: str, model: type[BaseModel]) -> dict[str, Any]:
    try:
        schema = model.model_json_schema()
    except (PydanticUserError, TypeError, ValueError) as error:
        raise BadTool(f"tool {name}: its hints cannot be a schema: {_line(error)}") from error
    cleaned: dict[str, Any] = _without_titles(schema)
    return cleaned


def _without_titles(schema: Any) -> Any:
    """A schema without the titles that pydantic makes of names: they say nothing, and cost tokens."""
    if isinstance(schema, list):
        return [_without_titles(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    return {
        key: {name: _without_titles(one) for name, one in value.items()}
        if key in ("properties", "$defs") and isinstance(value, dict)
        else value
        if key in ("default", "const", "enum", "examples")
        else _without_titles(value)
        for key, value in kept.items()
    }


def _documented(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """What the docstring says of the function, and of each parameter."""
    parsed = docstring_parser.parse(inspect.getdoc(function) or "")
    parts = (parsed.short_description, parsed.long_description)
    texts = {one.arg_name: one.description for one in parsed.params if one.description}
    return "\n\n".join(part for part in parts if part), {
        name: " ".join(t.split()) for name, t in texts.items()
    }


def _checked(model: type[BaseModel], text: str) -> Mapping[str, Any]:
    found = arguments_object(text)
    try:
        made = model.model_validate(found)
    except ValidationError as error:
        raise BadArguments(_mistakes(error)) from error
    return {name: getattr(made, name) for name in type(made).model_fields}


def arguments_object(text: str) -> dict[str, Any]:
    """The JSON object that a model wrote as a tool's arguments. Raises BadArguments."""
    try:
        found = json.loads(text.strip() or "{}")
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        raise BadArguments(f"the arguments are not JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadArguments("the arguments must be a JSON object")
    return found


def _mistakes(error: ValidationError) -> str:
    told = error.errors(include_url=False, include_input=False, include_context=False)
    texts = [f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}" for one in told[:MOST_MISTAKES]]
    return "; ".join(texts)


def _line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


# ---- how it is called


def _caller(function: Callable[..., Any], context: str) -> Call:
    """Whatever kind of function it is, called as one that yields."""
    yields = _is(inspect.isasyncgenfunction, function)
    awaited = _is(inspect.iscoroutinefunction, function)
    if _is(inspect.isgeneratorfunction, function):
        raise BadTool(f"tool {function.__name__}: a function that yields must be an `async def`")

    async def call(about: ToolContext, arguments: Mapping[str, Any]) -> AsyncIterator[Output]:
        given = {**arguments, context: about} if context else arguments
        if yields:
            async for output in _outputs(function(**given)):
                yield output
        else:
            found = await (function(**given) if awaited else in_thread(lambda: function(**given)))
            yield found if isinstance(found, ACTS) else Result(found)

    return call


ACTS = (Note, HangUp, Transfer, Wait, Expect)
"""What a tool may return in the place of a result: it is done, and the model is told so."""


async def _outputs(made: Any) -> AsyncIterator[Output]:
    """What a function yields: text is words, acts are acts, anything else is the result, and ends it."""
    try:
        async for output in made:
            if isinstance(output, (str, Say, *ACTS)):
                yield output
            else:
                yield output if isinstance(output, Result) else Result(output)
                return
    finally:
        await made.aclose()


def _is(kind: Any, function: Any) -> bool:
    """Whether a function, an object's `__call__`, or what a decorator was put around, is of a kind."""
    return any(kind(one) for one in (function, inspect.unwrap(function), type(function).__call__))


def renamed(one: Tool, name: str) -> Tool:
    """The same tool under another name."""
    return replace(one, spec=replace(one.spec, name=name))
