"""/readyz knows of a model that does not answer, and that it answers again."""

from __future__ import annotations

import pytest

from telephony.llm.chat import ChatRequest
from telephony.llm.client import ChatClient, open_session
from telephony.llm.endpoints import ChatEndpoint, chat_url
from telephony.llm.errors import ModelFailed
from telephony.llm.health import model_check
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_faults import NAMED, NONE, ChatFaults

ASKED = ChatRequest([{"role": "user", "content": "hi"}])


async def turn(client: ChatClient) -> None:
    async for _ in client.stream(ASKED):
        pass


async def test_a_model_that_fails_is_told_of_until_it_is_there_again() -> None:
    model = FakeChat()
    await model.start()
    port = model.port
    async with open_session() as session:
        client = ChatClient([ChatEndpoint(chat_url(model.url), "m")], session)
        look = model_check(client)
        await turn(client)
        assert await look() == ""
        await model.close()
        with pytest.raises(ModelFailed):
            await turn(client)
        assert "Connection refused" in await look()
        again = FakeChat()
        await again.start(port)
        assert await look() == ""
        assert again.asked == []
        await again.close()


async def test_a_model_that_is_not_there_at_the_start_is_told_of() -> None:
    model = FakeChat()
    await model.start()
    port = model.port
    await model.close()
    async with open_session() as session:
        client = ChatClient([ChatEndpoint(chat_url(model.url), "m")], session)
        await client.warm()
        assert "Connection refused" in await model_check(client)()
        again = FakeChat()
        await again.start(port)
        assert await model_check(client)() == ""
        await again.close()


async def test_while_turns_go_well_nothing_is_asked() -> None:
    async with FakeChat() as model, open_session() as session:
        client = ChatClient([ChatEndpoint(chat_url(model.url), "m")], session)
        assert await model_check(client)() == ""
        assert model.connections == 0


@pytest.mark.parametrize(("status", "wrong"), [(400, False), (422, False), (401, True), (500, True)])
async def test_a_request_that_is_itself_wrong_says_nothing_of_the_model(status: int, wrong: bool) -> None:
    async with FakeChat(faults=[ChatFaults(status=status)]) as model, open_session() as session:
        client = ChatClient([ChatEndpoint(chat_url(model.url), "m")], session)
        with pytest.raises(ModelFailed):
            await turn(client)
        assert bool(client.failure) == wrong


async def test_a_fallback_that_answers_is_enough() -> None:
    async with FakeChat(faults=[NAMED["500"]]) as one, FakeChat(faults=[NONE]) as two:
        async with open_session() as session:
            ends = [ChatEndpoint(chat_url(model.url), "m") for model in (one, two)]
            client = ChatClient(ends, session)
            await turn(client)
            assert await model_check(client)() == ""
