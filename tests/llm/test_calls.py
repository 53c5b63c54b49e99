"""Whole calls to a server with AGENT=llm. The model behind it is a pretend one, all between is real."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from telephony.llm.history import CUT
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_faults import ChatFaults
from telephony.testing.fake_chat_script import Called, Reply, Rule, always, in_turn, rules
from telephony.testing.faults import NONE
from tests.real_line import Lines, running

pytestmark = pytest.mark.slow

STORY = " ".join(f"In year {n} the old man moved house again." for n in range(1, 30))
PROMPT = "---\ngreeting: Hello there.\nsilence: [{after_s: 60, say: Hello}]\n---\nTell stories to {from}."


def lasting(text: str) -> float:
    """A voice as quick as a person."""
    return max(0.2, len(text) / 15)


def server_for(folder: Path, model: FakeChat, *said: tuple[float, str], **environ: str) -> Any:
    prompt = folder / "prompt.md"
    if not prompt.exists():
        prompt.write_text(PROMPT)
    given = {"AGENT": "llm", "LLM_URL": model.url, "LLM_MODEL": "stand-in", "LLM_PROMPT": str(prompt)}
    script = lambda: Lines(said)  # noqa: E731
    return running(folder / "calls", NONE, script, lasting, **{**given, **environ})


def turns(result: Any) -> list[dict[str, Any]]:
    return list((result.record or {})["turns"])


def told(asked: Any) -> list[str]:
    return [str(one["content"]) for one in asked.messages if one["role"] == "assistant"]


async def test_the_model_is_told_what_the_record_says_was_heard(tmp_path: Path) -> None:
    """Interrupted twice, in the middle of long answers that are still being generated."""
    async with FakeChat(always(STORY), pace_s=0.05) as model:
        said = ((3.0, "tell me a story"), (7.0, "no tell me another one"), (12.0, "and now a third one"))
        async with server_for(tmp_path, model, *said) as server:
            result = await server.call(17.0)
        assert not result.flags
        greeting, *answers = turns(result)
        assert greeting["agent"]["text"] == "Hello there."
        assert len(model.asked) == 3
        for asked, answer in zip(model.asked[:2], answers, strict=False):
            assert asked.closed_at is not None, "nobody pays for what nobody hears"
            assert answer["agent"]["interrupted"]
        sent = model.asked[2].messages
        assert "Tell stories to +1" in sent[0]["content"]
        heard = [turn["agent"]["heard"] for turn in (greeting, *answers[:2])]
        assert told(model.asked[2]) == [heard[0], f"{heard[1]}{CUT}", f"{heard[2]}{CUT}"]
        assert 'The caller did not hear: "' in sent[-1]["content"]
        assert sent[: len(model.asked[1].messages)] == model.asked[1].messages


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [(ChatFaults(status=500), 2), (ChatFaults(stall_after=0), 1), (ChatFaults(empty=True), 2)],
    ids=["500", "late", "empty"],
)
async def test_a_model_that_fails_does_not_end_the_call(
    tmp_path: Path, fault: ChatFaults, attempts: int
) -> None:
    async with FakeChat(always("Once upon a time."), faults=(fault,)) as model:
        said = ((3.0, "tell me a story"), (8.0, "tell me a story please"))
        async with server_for(tmp_path, model, *said, LLM_FIRST_TOKEN_SECONDS="1") as server:
            call = asyncio.create_task(server.call(13.0))
            await model.asked_again(attempts)
            await model.idle()
            model.misbehave(ChatFaults())
            result = await call
        texts = [turn["agent"]["text"] for turn in turns(result) if turn["agent"]]
        assert any("Sorry, something went wrong" in text for text in texts)
        assert texts[-1] == "Once upon a time." and result.ended_by == "caller"


async def test_a_goodbye_is_heard_before_the_call_ends(tmp_path: Path) -> None:
    script = rules(Rule(Reply("Goodbye then.", (Called("hang_up"),))))
    async with FakeChat(script) as model, server_for(tmp_path, model, (3.0, "bye bye now")) as server:
        result = await server.call(15.0)
    assert result.ended_by == "agent" and turns(result)[-1]["agent"]["heard"] == "Goodbye then."


async def test_json_fences_and_figures_never_reach_the_voice(tmp_path: Path) -> None:
    script = in_turn('Sure. {"name": "price", "arguments": {}} It is **$4.50** at 9:30 AM. 😀 ```x```')
    async with FakeChat(script) as model, server_for(tmp_path, model, (3.0, "what is the price")) as server:
        await server.call(9.0)
        spoken = " ".join(text for session in server.voice.sessions for text in session.texts)
    assert "It is four dollars and fifty cents at nine thirty ay em." in spoken
    assert not set('{}`*$😀"') & set(spoken)


async def test_each_route_has_a_prompt_of_its_own_and_a_changed_file_counts(tmp_path: Path) -> None:
    night = tmp_path / "night.md"
    night.write_text("---\ngreeting: Good night.\n---\nYou guard the house.")
    routes = tmp_path / "routes.yaml"
    routes.write_text(f"routes: [{{name: night, to: '+1*', agent: llm, prompt: {night}}}]\n")
    async with FakeChat(always("Who is there?")) as model:
        said = ((3.0, "hello it is me"), (7.0, "let me in please"))
        async with server_for(tmp_path, model, *said, ROUTES=str(routes), AGENT="scripted:coffee") as server:
            call = asyncio.create_task(server.call(11.0))
            await model.asked_again(1)
            night.write_text("You guard the garden, and nothing else.")
            result = await call
        first, second = (asked.messages[0]["content"] for asked in model.asked)
        assert first.startswith("You guard the house.") and second.startswith("You guard the garden, and")
        assert turns(result)[0]["agent"]["text"] == "Good night."


async def test_a_draft_is_made_before_the_turn_has_surely_ended(tmp_path: Path) -> None:
    async with FakeChat(always("Once upon a time.")) as model:
        async with server_for(tmp_path, model, (3.0, "tell me a story"), EAGER="voice") as server:
            result = await server.call(8.0)
    assert len(model.asked) == 1 and turns(result)[-1]["eager"]["saved_ms"] is not None
