"""Models that can never answer are refused at start, in one line; others are warned of."""

from __future__ import annotations

import logging
import socket

import pytest
from aiohttp import web

from telephony.config.settings import Settings
from telephony.errors import BadInput
from telephony.llm.check import check_models, refuse_absent_models
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_faults import NAMED, ChatFaults

KEY = "sk-test-0123456789abcdef"


def settings(url: str, **more: str) -> Settings:
    return Settings.load({"LLM_URL": url, "LLM_MODEL": "small", "LLM_API_KEY": KEY, **more})


async def refused(found: Settings) -> str:
    with pytest.raises(BadInput) as refusal:
        await refuse_absent_models(found)
    line = str(refusal.value)
    assert line.isprintable()
    assert KEY not in line
    return line


async def test_a_model_that_answers_is_asked_for_a_token_and_hung_up_on() -> None:
    async with FakeChat(api_key=KEY, models=["small"], faults=[NAMED["endless"]]) as model:
        (found,) = await check_models(settings(model.url))
        await model.idle()
        assert found.fault is None
        assert f"LLM_URL={model.url} LLM_MODEL=small answers" in found.what
        assert all(one.closed_at is not None for one in model.asked)


async def test_a_model_that_is_listed_to_nobody_without_the_key_costs_no_token_at_a_start() -> None:
    async with FakeChat(api_key=KEY, models=["small"]) as model:
        await refuse_absent_models(settings(model.url))
        assert model.asked == []


async def test_a_list_that_everybody_may_see_proves_no_key() -> None:
    async with FakeChat(models=["small"]) as model:
        await refuse_absent_models(settings(model.url))
        assert len(model.asked) == 1
        await refuse_absent_models(Settings.load({"LLM_URL": model.url, "LLM_MODEL": "small"}))
        assert len(model.asked) == 1  # without a key there is nothing to prove


async def test_a_name_that_is_not_listed_may_still_be_answered() -> None:
    """As `llama3.2` is where `llama3.2:latest` is listed."""
    async with FakeChat() as model:
        await refuse_absent_models(settings(model.url))
        assert len(model.asked) == 1


async def test_without_a_model_there_is_nothing_to_check() -> None:
    await refuse_absent_models(Settings.load({}))


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/chat/completions", "/v1/chat/completions"])
async def test_the_address_may_be_given_with_or_without_its_path(path: str) -> None:
    async with FakeChat(models=["small"]) as model:
        await refuse_absent_models(settings(f"http://127.0.0.1:{model.port}{path}"))


async def test_a_wrong_key_is_named() -> None:
    async with FakeChat(api_key="another", models=["small"]) as model:
        line = await refused(settings(model.url))
    assert "401" in line
    assert "check LLM_API_KEY" in line


async def test_an_unknown_model_is_named_with_those_that_there_are() -> None:
    async with FakeChat(models=["tiny", "large"]) as model:
        line = await refused(settings(model.url))
    assert "The model `small` does not exist" in line
    assert line.endswith("LLM_MODEL may be tiny, large")


async def test_an_address_where_nobody_listens_is_named() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    line = await refused(settings(f"http://127.0.0.1:{port}"))
    assert f"LLM_URL=http://127.0.0.1:{port}/v1" in line
    assert "Connection refused" in line
    assert "Is the model's server running, and LLM_URL right?" in line


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "<!doctype html><h1>It works!</h1>", "content_type": "text/html"},
        {"text": "It works!"},
        {"text": ""},
        {"text": '{"status": "ok"}', "content_type": "application/json"},
        {"status": 404, "text": "404: Not Found"},
        {"status": 405},
        {"status": 301, "headers": {"Location": "https://www.example.org/"}},
    ],
)
async def test_a_web_server_that_is_no_models_is_named(answer: dict[str, object]) -> None:
    async def anything(request: web.Request) -> web.Response:
        return web.Response(**answer)  # type: ignore[arg-type]

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", anything)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    line = await refused(settings(f"http://127.0.0.1:{runner.addresses[0][1]}"))
    await runner.cleanup()
    assert "LLM_URL" in line


@pytest.mark.parametrize("fault", ["500", "503", "429:0", "reset:0", "error:0"])
async def test_a_server_in_trouble_is_warned_of(fault: str, caplog: pytest.LogCaptureFixture) -> None:
    name = fault.partition(":")[0]
    async with FakeChat(faults=[NAMED[name] if ":" not in fault else _early(name)]) as model:
        await refuse_absent_models(settings(model.url))
    assert f"LLM_URL={model.url}" in caplog.text
    assert caplog.records[-1].levelno == logging.WARNING


def _early(name: str) -> ChatFaults:
    return {
        "429": ChatFaults(status=429, retry_after="0"),
        "reset": ChatFaults(reset_after=0),
        "error": ChatFaults(error_after=0),
    }[name]


async def test_a_server_that_is_not_there_is_warned_of_while_the_fallback_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with FakeChat() as model:
        fallback = {"LLM_FALLBACK_URL": model.url, "LLM_FALLBACK_MODEL": "other"}
        await refuse_absent_models(settings("http://127.0.0.1:9", **fallback))
    assert "LLM_URL=http://127.0.0.1:9/v1" in caplog.text


async def test_a_wrong_fallback_is_refused_by_its_own_names() -> None:
    async with FakeChat() as model, FakeChat(api_key="another") as other:
        fallback = {"LLM_FALLBACK_URL": other.url, "LLM_FALLBACK_MODEL": "other"}
        line = await refused(settings(model.url, **fallback))
    assert "check LLM_FALLBACK_API_KEY" in line
