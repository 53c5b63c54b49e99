"""Scripts with a model: it understands under a schema and the script answers, or it finds the words."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from telephony import CallInfo, Expect, HangUp, Message, Note, Said, Say, Transfer, Turn
from telephony.config.settings import Settings
from telephony.errors import BadAgent, BadScript
from telephony.llm.client import ChatClient
from telephony.llm.endpoints import ChatEndpoint, Deadlines
from telephony.llm.loading import check_agent
from telephony.llm.script_agent import ScriptWithModel
from telephony.llm.script_understanding import USUAL, schema_of
from telephony.reply.script_reader import READY, load_script
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_faults import ChatFaults
from telephony.testing.fake_chat_script import Reply

SAID = Path(__file__).parents[1] / "reply" / "said" / "meant.yaml"
NUMBER = "+14155550132"
QUICK = Deadlines(connect_s=1.0, hedge_s=0.2, first_token_s=0.5, between_s=0.3, total_s=5.0)


def coffee(folder: Path, **fields: Any) -> Path:
    """The ready script, with a model that understands."""
    script = yaml.safe_load((READY / "coffee.yaml").read_text())
    file = folder / "coffee.yaml"
    file.write_text(yaml.safe_dump({**script, "understand": "llm", **fields}, sort_keys=False))
    return file


def meaning(intent: str, **slots: str | None) -> str:
    return json.dumps({"intent": intent, **slots})


class Talk:
    """A conversation with a script whose model understands as it is told to."""

    def __init__(self, agent: ScriptWithModel, model: FakeChat) -> None:
        self.agent, self.model = agent, model
        self.notes: dict[str, object] = {}
        self.history: tuple[Message, ...] = ()
        self.said: list[Said] = []

    async def say(self, text: str, means: str = "", digits: str | None = None) -> str:
        """What the script answers to these words, which the model takes for `means`."""
        self.model.script = lambda body: Reply(means)
        turn = Turn(text, len(self.history) // 2, self.history, digits, CallInfo("c"))
        self.said = [said async for said in self.agent.reply(turn, self.notes)]
        for said in self.said:
            if isinstance(said, Note):
                self.notes |= json.loads(json.dumps(dict(said.values)))
        words = "".join(s if isinstance(s, str) else s.text for s in self.said if isinstance(s, str | Say))
        self.history += (Message("caller", text, text), Message("agent", words, words))
        return words


@asynccontextmanager
async def talking(script: Path, *faults: ChatFaults) -> AsyncIterator[Talk]:
    async with FakeChat(faults=faults or (ChatFaults(),)) as model:
        client = ChatClient([ChatEndpoint(f"{model.url}/chat/completions", "m")], deadlines=QUICK)
        try:
            loaded = load_script(str(script), {"HUMAN_NUMBER": NUMBER})
            yield Talk(ScriptWithModel(loaded, client), model)
        finally:
            await client.close()


# ---- understanding


async def test_the_model_chooses_and_the_scripts_own_words_answer(tmp_path: Path) -> None:
    async with talking(coffee(tmp_path)) as talk:
        answer = await talk.say(
            "could you do me one of those rose lattes in a big cup",
            meaning("order", drink="latte", size="large"),
        )
        assert answer == "A large latte. Anything else?"
        assert Expect("yes_no") in talk.said
        answer = await talk.say("and what would that set me back", meaning("price"))
        assert answer == "Every drink is four dollars. Would you like one?", (
            "whatever the model says of prices"
        )


async def test_it_is_asked_under_a_schema_made_of_the_script(tmp_path: Path) -> None:
    async with talking(coffee(tmp_path)) as talk:
        await talk.say("give me something with chocolate", meaning("order", drink="mocha"))
        body = talk.model.asked[0].body
        schema = body["response_format"]["json_schema"]["schema"]
        assert {"order", "price", "bye", *USUAL} <= set(schema["properties"]["intent"]["enum"])
        assert schema["properties"]["size"]["enum"][:3] == ["small", "medium", "large"]
        assert schema["required"] == list(schema["properties"]) and schema["additionalProperties"] is False
        assert body["temperature"] == 0.0 and "tools" not in body
        system, user = talk.model.asked[0].messages
        assert "never answer" in system["content"] and "give me something with chocolate" in user["content"]


async def test_what_rules_know_for_sure_is_not_asked(tmp_path: Path) -> None:
    """Keys, a bare yes or no, a wish for a person, a correction: they cost no time and no token."""
    async with talking(coffee(tmp_path)) as talk:
        await talk.say("a big one of those lattes", meaning("order", drink="latte", size="large"))
        asked = len(talk.model.asked)
        assert await talk.say("no, I said small") == "Okay, a small latte. Anything else?"
        assert "take your time" in await talk.say("hold on")
        assert "One moment." in await talk.say("I'd like to speak to customer support")
        assert Transfer(NUMBER) in talk.said
        await talk.say("", digits="0")
        await talk.say("No.")
        assert HangUp() in talk.said
        assert len(talk.model.asked) == asked


async def test_an_open_question_gets_its_slot(tmp_path: Path) -> None:
    async with talking(coffee(tmp_path)) as talk:
        assert await talk.say("i fancy a hot drink", meaning("order")) == "Which drink would you like?"
        answer = await talk.say("the one with the chocolate", meaning("order", drink="mocha"))
        assert answer == "Small, medium or large?"
        assert "drink" in talk.model.asked[1].text
        assert (
            await talk.say("whatever is biggest", meaning("other", size="large"))
            == "A large mocha. Anything else?"
        )


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ("don't hang up yet", meaning("bye")),
        ("what does a latte cost?", meaning("bye")),
        ("I don't want to talk to a person", meaning("person")),
        ("I never said goodbye", meaning("bye")),
        ("please do not cancel anything", meaning("start_over")),
    ],
)
async def test_what_cannot_be_undone_is_not_done_on_the_models_word_alone(
    tmp_path: Path, said: str, taken: str
) -> None:
    async with talking(coffee(tmp_path)) as talk:
        await talk.say("a latte of the big sort", meaning("order", drink="latte", size="large"))
        await talk.say(said, taken)
        assert not [one for one in talk.said if isinstance(one, HangUp | Transfer)]
        assert talk.notes["items"], "nor is the order dropped"


async def test_a_number_that_was_not_said_is_not_believed(tmp_path: Path) -> None:
    async with talking(coffee(tmp_path)) as talk:
        await talk.say("put me down for the raffle", meaning("number", number="4155550132"))
        assert "noted" not in str(talk.notes)
        assert not any("noted" in str(said) for said in talk.said)


@pytest.mark.parametrize(
    "answer",
    [
        "I think they want a latte.",
        '{"intent": "buy"}',
        '{"intent": "order", "size": "gigantic"}',
        '["order"]',
        '{"intent": ["order"]}',
        '{"intent": "order", "drink": {"a": 1}}',
        "",
        "{",
    ],
)
async def test_an_answer_outside_the_schema_leaves_it_to_the_rules(
    tmp_path: Path, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with talking(coffee(tmp_path)) as talk:
        with caplog.at_level(logging.WARNING):
            assert await talk.say("I'd like a small latte please", answer) == "A small latte. Anything else?"
        assert "small latte" not in caplog.text


@pytest.mark.parametrize(
    "fault",
    [ChatFaults(status=500), ChatFaults(stall_after=0), ChatFaults(reset_after=1), ChatFaults(status=401)],
    ids=["500", "late", "reset", "401"],
)
async def test_without_the_model_the_rules_understand(tmp_path: Path, fault: ChatFaults) -> None:
    async with talking(coffee(tmp_path), fault) as talk:
        assert await talk.say("I'd like a small latte please") == "A small latte. Anything else?"


async def test_a_server_that_knows_no_schemas_is_asked_in_words(tmp_path: Path) -> None:
    refuses = ChatFaults(refuses=("response_format",))
    async with talking(coffee(tmp_path), refuses) as talk:
        answer = await talk.say(
            "a bucket of mocha", f"Sure:\n```json\n{meaning('order', drink='mocha', size='large')}\n```"
        )
        assert answer == "A large mocha. Anything else?"
        await talk.say("and one more of the same", meaning("order", drink="mocha", size="large"))
        assert ["response_format" in asked.body for asked in talk.model.asked][-2:] == [False, False]


# ---- words that are left to a model

SHOP = """
name: a shoe shop
greeting: Hello.
slots:
  when: {type: llm, about: "the day of the visit, as YYYY-MM-DD"}
intents:
  hours: {match: ["open"], say: "Nine to five."}
  story: {match: ["story"], say: {llm: "Tell of a shoe."}, otherwise: "I know none.", expects: yes_no}
  visit:
    match: ["visit"]
    asks: {when: "When will you come?"}
    item: "{when}"
    say: "See you on {when}."
fallback: llm
"""


def shop(folder: Path, text: str = SHOP) -> Path:
    file = folder / "shop.yaml"
    file.write_text(text)
    return file


async def test_an_intent_a_fallback_and_a_slot_may_be_left_to_the_model(tmp_path: Path) -> None:
    async with talking(shop(tmp_path)) as talk:
        assert await talk.say("when are you open") == "Nine to five."
        assert talk.model.asked == []
        assert await talk.say("tell me a story", "A shoe went for a walk.") == "A shoe went for a walk."
        assert Expect("yes_no") in talk.said
        assert "Tell of a shoe." in talk.model.asked[0].messages[0]["content"]
        assert await talk.say("do you like jazz", "I do. Shoes?") == "I do. Shoes?"
        assert await talk.say("I want to visit you") == "When will you come?"
        answer = await talk.say("the day after christmas", meaning("other", when="2026-12-26"))
        assert answer == "See you on 2026-12-26."


async def test_without_the_model_the_scripts_own_words_stand_in(tmp_path: Path) -> None:
    async with talking(shop(tmp_path), ChatFaults(status=500)) as talk:
        assert await talk.say("tell me a story") == "I know none."
        assert await talk.say("do you like jazz") != ""


async def test_a_model_that_only_writes_a_tool_call_has_no_words(tmp_path: Path) -> None:
    call = '{"name": "note", "arguments": {}}'
    async with talking(shop(tmp_path)) as talk:
        assert await talk.say("tell me a story", call) == call + "I know none."


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SHOP.replace("fallback: llm", "fallback: {lm: x}"), "fallback.lm: unknown; llm can stand here"),
        (SHOP.replace('{llm: "Tell', '{model: "Tell'), "say.model: unknown; llm can stand here"),
        (
            SHOP.replace("name: a shoe shop", "understand: model"),
            "understand: 'model' is not allowed; rules or llm",
        ),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadScript) as raised:
        load_script(str(shop(tmp_path, text)), {})
    assert says in str(raised.value) and "\n" not in str(raised.value)


def test_a_script_that_needs_a_model_says_so_at_the_start(tmp_path: Path) -> None:
    settings = Settings.load({})
    with pytest.raises(BadAgent, match="shop.yaml' cannot be used: it needs a language model; set LLM_URL"):
        check_agent(f"scripted:{shop(tmp_path)}", settings)
    check_agent("scripted:coffee", settings)


# ---- a real model


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_real_model_keeps_the_schema_in_a_hundred_of_a_hundred_turns(
    tmp_path: Path, model_server: str
) -> None:
    """Its words are nonsense, the grammar is real: every answer can be used."""
    said: Mapping[str, Any] = yaml.safe_load(SAID.read_text())
    texts = [text for text in _texts(said) if text.strip()][:100]
    assert len(texts) == 100
    script = load_script(str(coffee(tmp_path)), {})
    deadlines = Deadlines(connect_s=2, hedge_s=60, first_token_s=60, between_s=60, total_s=120)
    client = ChatClient([ChatEndpoint(f"{model_server}/v1/chat/completions", "smollm2")], deadlines=deadlines)
    agent = ScriptWithModel(script, client)
    try:
        for text in texts:
            taken = await agent._understood(Turn(text, 0, (), None, CallInfo("c")), "")
            assert taken is not None, text
    finally:
        await client.close()
    assert schema_of(script)["properties"]["intent"]["enum"]


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in parts for text in _texts(part)]
