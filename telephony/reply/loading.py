"""Finds the agent that a setting names, and looks whether it can answer: no call finds out that it cannot."""

from __future__ import annotations

import importlib
import inspect
import math
import os
import sys
from dataclasses import fields
from typing import Any, NoReturn, cast

from telephony.errors import BadAgent
from telephony.reply.agent import Agent, Say, SilenceStep, Wording
from telephony.reply.script_reader import load_script
from telephony.reply.scripted import ScriptedAgent

USUAL = "AGENT"
"""The setting that names the agent of calls that have no route."""


def load_agent(spec: str, settings: object, where: str = USUAL) -> Agent:
    """The agent that AGENT names: `scripted:PATH` or `package.module:Name`; a class is made into an object.

    `settings` gives the values of `${NAME}` in a script (see `script_file.variable`); `where` the agent is
    named. Raises BadAgent with the reason in one line, or BadScript (`file:line: what is wrong`) for a script
    with a mistake.
    """
    place = f"{where}={spec!r} cannot be used"
    kind, colon, name = spec.partition(":")
    if kind == "scripted":
        if not name.strip():
            raise BadAgent(f"{place}: write scripted:coffee, or scripted: and the path of a script")
        return ScriptedAgent(load_script(name, settings))
    if not (kind and colon and name):
        raise BadAgent(f"{place}: write scripted:PATH or package.module:Name")
    found = _found(place, kind, name)
    agent = _made(place, found) if inspect.isclass(found) else found
    _check(agent, name, place)
    return cast(Agent, agent)


def names_class(spec: str) -> bool:
    """Whether `package.module:Name` names a class, of which there can be several objects."""
    module_name, _, name = spec.partition(":")
    return inspect.isclass(_found(f"{USUAL}={spec!r} cannot be used", module_name, name))


def _found(place: str, module_name: str, name: str) -> object:
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)  # a console script's path lacks the user's own directory; `python -m` has it
    try:
        found: object = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # a user's module may raise anything; the line must name it
        _failed(f"{place}: importing {module_name} failed", error)
    for part in name.split("."):
        if not hasattr(found, part):
            raise BadAgent(f"{place}: {module_name} has no {name}")
        found = getattr(found, part)
    return found


def _made(place: str, cls: type[object]) -> object:
    try:
        return cls()
    except (Exception, SystemExit) as error:  # as above
        _failed(f"{place}: {cls.__name__}() failed", error)


def _failed(what: str, error: BaseException) -> NoReturn:
    raise BadAgent(f"{what}: {type(error).__name__}: {' '.join(str(error).split())}") from error


# ---- what can be seen before it is called


def _check(agent: object, name: str, place: str) -> None:
    reply = getattr(agent, "reply", None)
    if not callable(reply):
        raise BadAgent(f"{place}: {name} has no method reply(turn, notes)")
    wrong = _not_yielding(reply) or _not_called_with(reply, "reply", "turn", "notes")
    ended = getattr(agent, "ended", None)
    if not wrong and ended is not None:
        wrong = "ended is not a method" if not callable(ended) else _not_called_with(ended, "ended", "call")
        if not wrong and not _is(inspect.iscoroutinefunction, ended):
            wrong = "ended(call) must be an `async def`"
    wrong = wrong or _wrong_wording(getattr(agent, "wording", None))
    if wrong:
        raise BadAgent(f"{place}: {wrong}")


def _is(kind: Any, function: Any) -> bool:
    """Whether a function, or what a decorator has put its own around, is of this kind."""
    return any(kind(one) for one in (function, inspect.unwrap(function), type(function).__call__))


def _not_yielding(reply: Any) -> str:
    if _is(inspect.isasyncgenfunction, reply):
        return ""
    if _is(inspect.iscoroutinefunction, reply):
        return "reply() must `yield` what it says, not return it"
    if _is(inspect.isgeneratorfunction, reply):
        return "reply() must be an `async def`"
    if "Async" in str(getattr(reply, "__annotations__", {}).get("return", "")):
        return ""  # hands on what another one yields
    return "reply() must be an `async def` that yields, or say `-> AsyncIterator[Said]` if it gives one"


def _not_called_with(function: Any, name: str, *arguments: str) -> str:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of something that is not Python's
        return ""
    try:
        signature.bind(*arguments)
    except TypeError as error:
        return f"{name}{signature} is called as {name}({', '.join(arguments)}): {error}"
    return ""


def _wrong_wording(wording: object) -> str:
    """What is wrong with an agent's wording; "" where there are none, or good ones."""
    if wording is None:
        return ""
    if not isinstance(wording, Wording):
        return f"wording is {type(wording).__name__}, not Wording(...)"
    for field in fields(Wording):
        value, usual = getattr(wording, field.name), getattr(Wording(), field.name)
        if field.name == "silence":
            good = isinstance(value, tuple | list) and all(_is_step(step) for step in value)
        elif isinstance(usual, Say):
            good = isinstance(value, Say) and isinstance(value.text, str)
        elif isinstance(usual, tuple):
            good = isinstance(value, tuple | list) and all(isinstance(text, str) for text in value)
        else:
            good = isinstance(value, str)
        if not good:
            needed = {"silence": "SilenceSteps", "greeting": "Say(...)"}.get(field.name, "")
            needed = needed or ("texts" if isinstance(usual, tuple) else "text")
            return f"wording: {field.name} is {type(value).__name__}; {needed} must stand there"
    return ""


def _is_step(step: object) -> bool:
    if not isinstance(step, SilenceStep) or not isinstance(step.say, str):
        return False
    after = step.after_s
    return isinstance(after, int | float) and math.isfinite(after) and after >= 0
