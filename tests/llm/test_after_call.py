"""After the call: a summary and the fields of a user's own schema, out of the record alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pydantic
import pytest

from telephony.config.kinds import chat_url
from telephony.errors import BadSetting
from telephony.llm.after_call import AfterCall, schema_named, transcript
from telephony.llm.client import ChatClient
from telephony.llm.endpoints import ChatEndpoint
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_script import Reply, in_turn
from tests.real_line import running
from tests.twilio_side import until


class Order(pydantic.BaseModel):
    """What was ordered."""

    drink: str | None = None
    cups: int | None = None


RECORD: dict[str, Any] = {
    "call_sid": "CA1",
    "turns": [
        {"caller": None, "agent": {"text": "Hello there.", "heard": "Hello there.", "interrupted": False}},
        {"caller": {"text": "Two lattes."}, "agent": {"text": "a b c", "heard": "a b", "interrupted": True}},
    ],
}
GOOD = json.dumps({"summary": "Two lattes were ordered.", "fields": {"drink": "latte", "cups": 2}})
BAD = json.dumps({"summary": "Two lattes.", "fields": {"cups": "many"}})


async def made(*answers: str) -> tuple[dict[str, Any] | None, FakeChat]:
    async with FakeChat(in_turn(*(Reply(one) for one in answers))) as model:
        client = ChatClient([ChatEndpoint(chat_url(model.url), "stand-in")])
        try:
            return await AfterCall(client, Order).made_of(RECORD), model
        finally:
            await client.close()


async def test_the_model_fills_in_the_schema() -> None:
    found, model = await made(GOOD)
    assert found == {"summary": "Two lattes were ordered.", "fields": {"drink": "latte", "cups": 2}}
    [asked] = model.asked
    assert "caller: Two lattes." in asked.text and "agent: a b [interrupted]" in asked.text
    assert asked.body["response_format"]["type"] == "json_schema"


async def test_what_does_not_fit_is_asked_for_once_more() -> None:
    found, model = await made(BAD, f"Here you are:\n```json\n{GOOD}\n```")
    assert found is not None and found["fields"]["cups"] == 2
    assert "fields.cups" in model.asked[1].text


async def test_a_model_that_does_not_manage_it_costs_the_summary_only() -> None:
    found, model = await made(BAD, BAD, BAD)
    assert found is None and len(model.asked) == 2


async def test_nothing_is_asked_of_a_call_without_words() -> None:
    assert transcript([{"caller": None, "agent": None}]) == ""


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("Order", "must be package.module:Name"),
        ("no.such.module:Order", "importing no.such.module failed"),
        ("tests.llm.test_after_call:RECORD", "has no pydantic model RECORD"),
    ],
)
def test_a_schema_that_is_none_is_refused_at_the_start(spec: str, says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        schema_named(spec)


async def test_a_calls_record_gets_it(tmp_path: Path) -> None:
    async with FakeChat(in_turn(Reply(GOOD), Reply(GOOD))) as model:
        given = {
            "LLM_URL": model.url,
            "LLM_MODEL": "stand-in",
            "AFTER_CALL": "tests.llm.test_after_call:Order",
        }
        async with running(tmp_path, AGENT="tests.flow_agents:Memory", **given) as server:
            result = await server.call(8.0)
            await until(lambda: len(model.asked) == 1 and model.asked[0].over)

            def kept() -> bool:
                files = list((tmp_path / "calls").glob("*/call.json"))
                return any("after_call" in json.loads(file.read_text()) for file in files)

            await until(kept)
            record = await server.records.load(result.call_sid)
    assert record is not None and record["after_call"]["fields"] == {"drink": "latte", "cups": 2}
