"""A language model as an agent, with a pretend server: words as they come, tools in rounds, faults told."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from telephony.base.shared_store import SqliteSharedStore
from telephony.llm.agent import TO_A_PERSON, LanguageModelAgent
from telephony.llm.builtin_tools import builtin_tools
from telephony.llm.client import ChatClient
from telephony.llm.endpoints import ChatEndpoint, Deadlines
from telephony.llm.guard_rails import Limits
from telephony.llm.prompt import PromptSource
from telephony.llm.style import GO_ON, SPOKEN_STYLE, SUMMARISE
from telephony.llm.tool_runner import ToolRunner
from telephony.llm.toolbox import Toolbox
from telephony.llm.tools import tool
from telephony.reply.agent import CallInfo, EndedCall, HangUp, Message, Note, Said, Transfer, Turn
from telephony.reply.reply_scope import Pause, Release
from telephony.reply.runner import run_reply
from telephony.reply.script_reader import load_script
from telephony.reply.scripted import ScriptedAgent
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_faults import ChatFaults
from telephony.testing.fake_chat_script import Called, Reply, Rule, Script, always, in_turn, rules

CALL = CallInfo("call", "CA1", "+14155550100", "+14155550111")
QUICK = Deadlines(connect_s=1.0, hedge_s=0.2, first_token_s=0.4, between_s=0.3, total_s=5.0)
SALES = {"sales": "+14155550199"}
LONG = " ".join(f"word{n}" for n in range(200))


def turn(text: str, index: int = 0, *history: Message) -> Turn:
    numbered = tuple(replace(line, number=number) for number, line in enumerate(history))
    return Turn(text, index, numbered, None, CALL)


def caller(text: str) -> Message:
    return Message("caller", text, text)


def agent_said(text: str) -> Message:
    return Message("agent", text, text, kind="answer")


@asynccontextmanager
async def answering(
    script: Script,
    *faults: ChatFaults,
    prompt: str = "You sell coffee.",
    tools: Toolbox | None = None,
    folder: Path | None = None,
    pace_s: float = 0.0,
    context_tokens: int = 16_000,
    limits: Limits | None = None,
) -> AsyncIterator[tuple[LanguageModelAgent, FakeChat]]:
    async with FakeChat(script, faults=faults or (ChatFaults(),), pace_s=pace_s) as model:
        client = ChatClient([ChatEndpoint(f"{model.url}/chat/completions", "m")], deadlines=QUICK)
        store = SqliteSharedStore(folder / "shared.db") if folder else None
        runner = ToolRunner(tools, store, limits or Limits(), destinations=SALES) if tools and store else None
        agent = LanguageModelAgent(client, PromptSource(prompt), runner, context_tokens=context_tokens)
        try:
            yield agent, model
        finally:
            await agent.close()
            await client.close()
            if store is not None:
                await store.close()


class Running:
    """One reply under way."""

    def __init__(
        self, agent: LanguageModelAgent, of: Turn, *, draft: bool = False, notes: Any = None
    ) -> None:
        self.said: list[Said | None | Exception] = []
        self.pause, self.release = Pause(), Release(released=not draft)
        self._came = asyncio.Event()
        reply = run_reply(agent, 1, of, notes or {}, self._put, lambda: False, self.release, self.pause)
        self.task = asyncio.create_task(reply)

    def _put(self, said: Said | None | Exception) -> None:
        self.said.append(said)
        self._came.set()

    async def until(self, holds: Callable[[str], bool]) -> None:
        while not holds(self.text):
            self._came.clear()
            await self._came.wait()

    @property
    def text(self) -> str:
        return "".join(said for said in self.said if isinstance(said, str))


async def replied(agent: LanguageModelAgent, of: Turn, **how: Any) -> Running:
    running = Running(agent, of, **how)
    await running.task
    return running


async def test_its_words_are_given_as_they_come_and_it_knows_what_it_is() -> None:
    async with answering(always("A small latte, then."), prompt="You sell coffee to {from}.") as (
        agent,
        model,
    ):
        running = await replied(agent, turn("a latte please", 0, agent_said("Hi!")))
        assert [said for said in running.said if said] == ["A", " small", " latte,", " then."]
        assert running.said[-1] is None
        system, *rest = model.asked[0].messages
        assert system == {"role": "system", "content": f"You sell coffee to +14155550100.\n\n{SPOKEN_STYLE}"}
        assert rest[-1] == {"role": "user", "content": "a latte please"}
        assert rest[-2] == {"role": "assistant", "content": "Hi!"}


async def test_what_is_sent_first_is_sent_again_so_that_prompt_caches_hit() -> None:
    async with answering(always("One latte."), prompt="It is {time} on {date}.") as (agent, model):
        await replied(agent, turn("a latte", 0))
        await replied(agent, turn("and a mocha", 1, caller("a latte"), agent_said("One latte.")))
        first, second = (asked.messages for asked in model.asked)
        assert second[: len(first)] == first


async def test_a_reply_that_is_cancelled_closes_the_connection_at_once() -> None:
    async with answering(always(LONG), pace_s=0.01) as (agent, model):
        running = Running(agent, turn("tell me all"))
        await running.until(lambda text: "word5" in text)
        began = time.monotonic()
        running.task.cancel()
        await model.idle()
        closed = model.asked[0].closed_at
        assert closed is not None and closed - began < 0.05
        assert model.asked[0].written_after(closed) == 0


async def test_the_callers_first_sound_stops_the_model_and_a_backchannel_lets_it_go_on() -> None:
    script = in_turn(LONG, "and the rest.")
    async with answering(script, pace_s=0.01) as (agent, model):
        running = Running(agent, turn("tell me all"))
        await running.until(lambda text: "word5" in text)
        began = time.monotonic()
        running.pause.begin()
        await model.idle()
        closed = model.asked[0].closed_at
        assert closed is not None and closed - began < 0.05
        assert len(model.asked) == 1
        said = running.text
        running.pause.end()
        await running.task
        assert running.text == f"{said}and the rest."
        assert running.said[-1] is None
        assert model.asked[1].messages[-2:] == [
            {"role": "assistant", "content": said.strip()},
            {"role": "user", "content": GO_ON},
        ]


async def test_a_sound_before_the_first_word_stops_the_model_too() -> None:
    async with answering(in_turn(Reply("late", first_token_s=0.3), "Here I am.")) as (agent, model):
        running = Running(agent, turn("hello"))
        await model.asked_again(1)
        running.pause.begin()
        await model.idle()
        running.pause.end()
        await running.task
        assert (running.text, len(model.asked)) == ("Here I am.", 2)
        assert model.asked[0].messages == model.asked[1].messages


@pytest.mark.parametrize(
    "fault",
    [
        ChatFaults(status=401),
        ChatFaults(status=500),
        ChatFaults(status=429),
        ChatFaults(first_token_s=9),
        ChatFaults(stall_after=2),
        ChatFaults(reset_after=2),
        ChatFaults(garbage_after=1),
        ChatFaults(error_after=1),
        ChatFaults(truncated_after=1),
    ],
    ids=str,
)
async def test_whatever_is_wrong_with_the_model_the_reply_ends_in_one_line(
    fault: ChatFaults, caplog: pytest.LogCaptureFixture
) -> None:
    async with answering(always("one two three four"), fault) as (agent, _):
        with caplog.at_level(logging.WARNING):
            running = await replied(agent, turn("what the caller said"))
        assert isinstance(running.said[-1], Exception)
        (line,) = [record for record in caplog.records if record.name.endswith("runner")]
        assert line.exc_info is None and line.levelname == "WARNING"
        assert "LLM_URL=" in line.getMessage() and "the caller said" not in caplog.text


# ---- tools


async def test_a_call_whose_budget_is_used_up_is_offered_a_person_where_there_is_one(
    tmp_path: Path, booked: list[str]
) -> None:
    async with answering(BOOKING, tools=toolbox(booked), folder=tmp_path, limits=Limits(tokens=10)) as (
        agent,
        model,
    ):
        assert agent.tools is not None
        agent.tools.destinations = {"person": "+14155550142"}
        await replied(agent, turn("hello"))
        running = await replied(agent, turn("hello again", 1))
        assert running.said == [TO_A_PERSON, Transfer("+14155550142"), None]


@pytest.fixture
def booked() -> list[str]:
    return []


def toolbox(booked: list[str], *, slow_s: float = 0.0) -> Toolbox:
    @tool(effects=True)
    async def book(day: str) -> str:
        """Book a table."""
        await asyncio.sleep(slow_s)
        booked.append(day)
        return f"booked for {day}, number 7"

    async def opening_hours() -> str:
        """When we are open."""
        return "nine to five"

    return Toolbox([book, opening_hours], builtin=builtin_tools(SALES))


BOOKING = rules(
    Rule(Reply("It is booked."), tool="book"),
    Rule(Reply("Nine to five."), tool="opening_hours"),
    Rule(Reply("Goodbye.", (Called("hang_up"),)), caller="bye"),
    Rule(Reply("One moment.", (Called("transfer", {"to": "sales"}),)), caller="sales"),
    Rule(Reply(calls=(Called("note", {"name": "who", "value": "Ann"}),)), caller="ann"),
    Rule(Reply("Noted."), tool="note"),
    Rule(Reply("Let me see.", (Called("opening_hours"),)), caller="open"),
    Rule(Reply("", (Called("book", {"day": "Friday"}),)), caller="book"),
    Rule(Reply("Sorry?")),
)


async def test_a_tool_is_called_and_its_result_answered(tmp_path: Path, booked: list[str]) -> None:
    async with answering(BOOKING, tools=toolbox(booked), folder=tmp_path) as (agent, model):
        running = await replied(agent, turn("when do you open"))
        assert running.text.split() == "Let me see. Nine to five.".split()
        *_, calling, result = model.asked[1].messages
        assert calling["tool_calls"][0]["function"]["name"] == "opening_hours"
        assert result["role"] == "tool" and "nine to five" in result["content"]
        assert {one["function"]["name"] for one in model.asked[0].body["tools"]} >= {
            "book",
            "hang_up",
            "transfer",
        }


async def test_tools_of_earlier_turns_stay_in_what_the_model_is_told(
    tmp_path: Path, booked: list[str]
) -> None:
    async with answering(BOOKING, tools=toolbox(booked), folder=tmp_path) as (agent, model):
        first = await replied(agent, turn("book it for friday"))
        history = (caller("book it for friday"), agent_said(first.text.strip()))
        await replied(agent, turn("what", 1, *history))
        before, after = model.asked[1].messages, model.asked[2].messages
        assert after[: len(before)] == before
        assert after[len(before) :][0] == {"role": "assistant", "content": "It is booked."}
        assert "number 7" in str(before[-1]["content"])


async def test_a_draft_has_no_effect_before_it_is_the_answer(tmp_path: Path, booked: list[str]) -> None:
    async with answering(BOOKING, tools=toolbox(booked), folder=tmp_path) as (agent, model):
        draft = Running(agent, turn("book it"), draft=True)
        await model.asked_again(1)
        await model.idle()
        for _ in range(20):
            await asyncio.sleep(0)
        assert booked == [] and not draft.task.done()
        draft.release.set()
        await draft.task
        assert booked == ["Friday"] and draft.text.strip() == "It is booked."


async def test_a_draft_that_is_thrown_away_leaves_nothing(tmp_path: Path, booked: list[str]) -> None:
    async with answering(BOOKING, tools=toolbox(booked), folder=tmp_path) as (agent, model):
        draft = Running(agent, turn("book it"), draft=True)
        await model.asked_again(1)
        await model.idle()
        draft.task.cancel()
        await asyncio.gather(draft.task, return_exceptions=True)
        await replied(agent, turn("no wait", 0))
        assert booked == []
        assert [message["role"] for message in model.asked[1].messages] == ["system", "user"]


@pytest.mark.parametrize(
    ("said", "act"),
    [
        ("bye", HangUp()),
        ("sales please", Transfer("+14155550199")),
        ("it is for ann", Note(who="Ann")),
    ],
)
async def test_acts_are_yielded_with_the_words(
    tmp_path: Path, booked: list[str], said: str, act: Said
) -> None:
    async with answering(BOOKING, tools=toolbox(booked), folder=tmp_path) as (agent, model):
        running = await replied(agent, turn(said))
        assert act in running.said and running.text.strip()
        assert len(model.asked) == (2 if isinstance(act, Note) else 1), "a goodbye is not asked for twice"


async def test_a_broken_call_is_not_sent_back_to_servers_that_parse_it(
    tmp_path: Path, booked: list[str]
) -> None:
    broken = Reply(calls=(Called("no such.tool", "{broken"), Called("book", '["four"]')))
    script = in_turn(broken, "Sorry, for how many?")
    async with answering(script, tools=toolbox(booked), folder=tmp_path) as (agent, model):
        assert (await replied(agent, turn("a table"))).text.strip() == "Sorry, for how many?"
        calls = [call["function"] for one in model.asked[1].messages for call in one.get("tool_calls", ())]
        assert calls == [
            {"name": "no_such_tool", "arguments": "{}"},
            {"name": "book", "arguments": "{}"},
        ]


async def test_a_model_that_only_calls_tools_is_made_to_answer(tmp_path: Path, booked: list[str]) -> None:
    fault = ChatFaults(only_tool_calls=True)
    async with answering(always("x"), fault, tools=toolbox(booked), folder=tmp_path) as (agent, model):
        running = await replied(agent, turn("hello"))
        assert len(model.asked) <= Limits().rounds + 1
        assert model.asked[-1].body["tool_choice"] == "none"
        assert model.asked[-1].body["tools"] == model.asked[0].body["tools"], "the prompt's beginning stays"
        assert running.said[-1] is None


async def test_a_call_whose_budget_is_used_up_is_ended_politely(
    tmp_path: Path, booked: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(tokens=10)
    async with answering(BOOKING, tools=toolbox(booked), folder=tmp_path, limits=limits) as (agent, model):
        await replied(agent, turn("hello"))
        running = await replied(agent, turn("hello again", 1))
        assert running.said == [agent.wording.farewell, HangUp(), None]
        assert len(model.asked) == 1


# ---- long calls


def long_history(lines: int) -> tuple[Message, ...]:
    return tuple(
        (caller if n % 2 == 0 else agent_said)(f"line number {n} of the call " * 8) for n in range(lines)
    )


async def test_a_long_call_is_summarised_beside_the_call(tmp_path: Path) -> None:
    def script(body: Any) -> Reply:
        summary = body["messages"][0]["content"] == SUMMARISE
        return Reply("They want two lattes.", first_token_s=0.2) if summary else Reply("All right.")

    async with answering(script, context_tokens=3_000) as (agent, model):
        history = long_history(36)
        began = time.monotonic()
        running = await replied(agent, turn("and then", 18, *history))
        assert running.text == "All right." and time.monotonic() - began < 0.2, "nobody waits for a summary"
        await model.asked_again(2)
        await model.idle()
        assert "line number 0" in model.asked[1].text and "line number 35" not in model.asked[1].text
        memory = agent.memory.of(CALL.call_id)
        if memory.summarising is not None:
            await memory.summarising
        await replied(agent, turn("what was it", 19, *history, caller("and then"), agent_said("All right.")))
        sent = model.asked[2].messages
        assert sent[1]["content"].startswith("[The call so far, in short: They want two lattes.]")
        assert len(sent) < 20 and "line number 35" in str(sent) and "line number 1 " not in str(sent)


async def test_a_context_that_is_full_loses_its_oldest_lines_rather_than_the_answer() -> None:
    async with answering(always("Yes."), context_tokens=2_000) as (agent, model):
        running = await replied(agent, turn("are you there", 40, *long_history(80)))
        assert running.text == "Yes."
        assert sum(len(str(one["content"])) for one in model.asked[0].messages[1:]) / 3.5 < 2_000
        assert model.asked[0].messages[-1]["content"].endswith("are you there")
        assert "left out" in model.asked[0].messages[1]["content"]


async def test_a_call_that_is_over_is_forgotten() -> None:
    async with answering(always("Yes.")) as (agent, _):
        await replied(agent, turn("hello"))
        memory = agent.memory.of(CALL.call_id)
        await agent.ended(EndedCall(CALL, {}, (), "caller", "", 1.0))
        assert agent.memory.of(CALL.call_id) is not memory


# ---- scripts

PAYMENT = """
name: taking a payment
intents:
  start:
    say: "I take your card now. This call is not recorded. Do you agree?"
    expects: yes_no
    on_yes: {then: number}
    on_no: {then: leave}
  number:
    match: ["{card}"]
    asks: {card: {say: "The number, please.", sensitive: true}}
    say: "[{card}]Thank you."
    do: back
  leave: {match: ["stop"], say: "All right, no card.", do: back}
slots: {card: {type: digits, least: 12, most: 19}}
fallback: "Please say that again."
"""


async def test_a_script_takes_over_and_hands_back(tmp_path: Path) -> None:
    file = tmp_path / "payment.yaml"
    file.write_text(PAYMENT)
    scripts = {"payment": ScriptedAgent(load_script(str(file), {}))}
    handing = Rule(Reply("One moment.", (Called("hand_over", {"to": "payment"}),)), caller="pay")
    async with answering(rules(handing, Rule(Reply("Anything else?")))) as (first, model):
        agent = LanguageModelAgent(first.client, first.prompt, scripts=scripts)
        notes: dict[str, Any] = {}
        history: list[Message] = []

        async def say(text: str) -> str:
            running = await replied(agent, turn(text, len(history) // 2, *history), notes=notes)
            for said in running.said:
                notes.update(dict(said.values) if isinstance(said, Note) else {})
            history.extend((caller(text), agent_said(running.text.strip())))
            return running.text.strip()

        assert "This call is not recorded. Do you agree?" in await say("I want to pay")
        assert model.asked[0].body["tools"][0]["function"]["name"] == "hand_over"
        assert await say("no") == "All right, no card."
        assert len(model.asked) == 1, "the script says what is fixed, and no model is asked"
        assert await say("thanks") == "Anything else?"
        assert "This call is not recorded" in str(model.asked[1].messages)


async def test_a_script_that_there_is_not_is_not_handed_to(tmp_path: Path) -> None:
    file = tmp_path / "payment.yaml"
    file.write_text(PAYMENT)
    scripts = {"payment": ScriptedAgent(load_script(str(file), {}))}
    script = in_turn(Reply("", (Called("hand_over", {"to": "refund"}),)))
    async with answering(script) as (first, _):
        running = await replied(LanguageModelAgent(first.client, first.prompt, scripts=scripts), turn("pay"))
        assert running.said == [None], "an empty reply: the caller is asked again"
