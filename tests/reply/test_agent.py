"""An agent is anything with `reply`; it is found by name, and a name that cannot be used is explained."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telephony import CallInfo, HangUp, Note, Notes, Said, Say, Turn, Wording
from telephony.errors import BadAgent
from telephony.reply.agent import NO_NOTES, wording_of
from telephony.reply.loading import load_agent

# As in the README: nothing but the import line is added.
BARISTA = '''
from collections.abc import AsyncIterator
from telephony import HangUp, Note, Notes, Said, Turn

class Barista:                                   # AGENT=my.module:Barista
    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        """Yield text as it comes, notes, and actions."""
        if "bye" in turn.text.lower():
            yield "Thank you, goodbye."
            yield HangUp()                       # carried out when the goodbye has been heard
        else:
            yield Note(order=turn.text)
            yield f"So that's {turn.text}. Anything else?"
'''


def turn(text: str) -> Turn:
    return Turn(text, 0, (), None, CallInfo("c1"))


async def said(iterator: AsyncIterator[Said]) -> list[Said]:
    return [one async for one in iterator]


@pytest.fixture
def module_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    return tmp_path


async def test_the_barista_of_the_readme_runs_unchanged(module_dir: Path) -> None:
    (module_dir / "shop_barista.py").write_text(BARISTA)
    agent = load_agent("shop_barista:Barista", {})
    first, second = await said(agent.reply(turn("a small latte"), NO_NOTES))
    assert isinstance(first, Note) and dict(first.values) == {"order": "a small latte"}
    assert second == "So that's a small latte. Anything else?"
    assert await said(agent.reply(turn("Bye!"), NO_NOTES)) == ["Thank you, goodbye.", HangUp()]
    assert wording_of(agent) == Wording()


def test_an_agent_may_bring_its_own_wording() -> None:
    class Polite:
        wording = Wording(greeting=Say("Good evening."))

        async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
            yield "Yes."

    assert wording_of(Polite()).greeting.text == "Good evening."


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("nonsense", "write scripted:PATH or package.module:Name"),
        (":Name", "write scripted:PATH or package.module:Name"),
        ("no_such_module_at_all:Name", "importing no_such_module_at_all failed: ModuleNotFoundError"),
        ("bad_agents:Missing", "bad_agents has no Missing"),
        ("bad_agents:NoReply", "has no method reply"),
        ("bad_agents:NeedsArguments", "NeedsArguments() failed: TypeError"),
        ("broken_agents:Any", "importing broken_agents failed: ZeroDivisionError"),
    ],
)
def test_an_agent_that_cannot_be_used_is_explained_in_one_line(
    module_dir: Path, spec: str, reason: str
) -> None:
    (module_dir / "bad_agents.py").write_text(
        "class NoReply: pass\nclass NeedsArguments:\n    def __init__(self, x): pass\n"
    )
    (module_dir / "broken_agents.py").write_text("1 / 0\n")
    with pytest.raises(BadAgent) as caught:
        load_agent(spec, {})
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_notes_show_what_they_hold_and_are_equal_by_value() -> None:
    assert Note(size="small") == Note(size="small") != Note(size="large")
    assert repr(Note(size="small")) == "Note(size='small')"


BAD = """\
import functools, sys
from collections.abc import AsyncIterator
from telephony import Wording, Say, SilenceStep

class Returns:
    async def reply(self, turn, notes): return "One."
class Plain:
    def reply(self, turn, notes): return ["One."]
class Generator:
    def reply(self, turn, notes): yield "One."
class TooFew:
    async def reply(self, turn): yield "One."
class TooMany:
    async def reply(self, turn, notes, more): yield "One."
class Keywords:
    async def reply(self, *, turn, notes): yield "One."
class NoMethod:
    reply = "One."
class Raises:
    def __init__(self): raise ValueError("no\\ndatabase")
    async def reply(self, turn, notes): yield "One."
class Exits(Raises):
    def __init__(self): sys.exit("no database")
class Good:
    async def reply(self, turn, notes): yield "One."
class OddWording(Good):
    wording = "polite"
class OddGreeting(Good):
    wording = Wording(greeting="Hi.")
class OddSilence(Good):
    wording = Wording(silence=(SilenceStep(float("nan"), "Hello?"),))
class OddFillers(Good):
    wording = Wording(fillers="Let me see.")
class OddEnd(Good):
    def ended(self, call): pass
class OddEndCall(Good):
    async def ended(self): pass
number = 7

def logged(function):
    @functools.wraps(function)
    def around(*arguments): return function(*arguments)
    return around
class Decorated:
    @logged
    async def reply(self, turn, notes): yield "One."
class HandsOn:
    def reply(self, turn, notes) -> AsyncIterator[str]: return Good().reply(turn, notes)
class Optional:
    async def reply(self, turn, notes, more=None): yield "One."
class Any:
    async def reply(self, *arguments, **named): yield "One."
class Callable:
    class _Reply:
        async def __call__(self, turn, notes): yield "One."
    reply = _Reply()
an_object = Good()
"""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Returns", "reply() must `yield` what it says, not return it"),
        ("Plain", "reply() must be an `async def` that yields"),
        ("Generator", "reply() must be an `async def`"),
        ("TooFew", "reply(turn) is called as reply(turn, notes)"),
        ("TooMany", "missing a required argument: 'more'"),
        ("Keywords", "is called as reply(turn, notes)"),
        ("NoMethod", "has no method reply(turn, notes)"),
        ("Raises", "Raises() failed: ValueError: no database"),
        ("Exits", "Exits() failed: SystemExit: no database"),
        ("OddWording", "wording is str, not Wording(...)"),
        ("OddGreeting", "wording: greeting is str; Say(...) must stand there"),
        ("OddSilence", "wording: silence"),
        ("OddFillers", "wording: fillers is str; texts must stand there"),
        ("OddEnd", "ended(call) must be an `async def`"),
        ("OddEndCall", "is called as ended(call)"),
        ("number", "number has no method reply(turn, notes)"),
    ],
)
def test_what_no_call_could_use_is_refused_before_the_first(module_dir: Path, name: str, reason: str) -> None:
    (module_dir / "badly_written.py").write_text(BAD)
    with pytest.raises(BadAgent) as caught:
        load_agent(f"badly_written:{name}", {})
    message = str(caught.value)
    assert reason in message and f"badly_written:{name}" in message and "\n" not in message


@pytest.mark.parametrize("name", ["Good", "Decorated", "HandsOn", "Optional", "Any", "Callable", "an_object"])
async def test_what_can_answer_is_taken(module_dir: Path, name: str) -> None:
    (module_dir / "badly_written.py").write_text(BAD)
    assert await said(load_agent(f"badly_written:{name}", {}).reply(turn("x"), NO_NOTES)) == ["One."]


@pytest.mark.parametrize("spec", ["scripted", "scripted:", "scripted: "])
def test_a_script_without_a_name_is_no_script(spec: str) -> None:
    """It would be the coffee script, in silence."""
    with pytest.raises(BadAgent, match="write scripted:coffee"):
        load_agent(spec, {})
