"""A prompt with a mistake ends `serve` in one line with status 2, and `doctor` knows of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony.testing.fake_chat import FakeChat
from tests.commands.test_models_at_start import ended, telephony

PROMPTS = {
    "missing": ("none.md", "there is no such file"),
    "unknown name": ("prompt.md", "prompt.md:2: {customer} is not known"),
    "missing knowledge": ("knows.md", "knows.md:1: {file:menu.md} cannot be read"),
    "script": ("hands.md", "no such script"),
}


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    (tmp_path / "prompt.md").write_text("You sell.\nHello {customer}.")
    (tmp_path / "knows.md").write_text("{file:menu.md}")
    (tmp_path / "hands.md").write_text("---\nscripts: {pay: nowhere.yaml}\n---\nYou sell.")
    return tmp_path


@pytest.mark.parametrize("command", ["serve", "doctor"])
@pytest.mark.parametrize("case", PROMPTS)
async def test_a_prompt_with_a_mistake(prompts: Path, command: str, case: str) -> None:
    name, says = PROMPTS[case]
    async with FakeChat() as model:
        given = {"AGENT": "llm", "LLM_URL": model.url, "LLM_MODEL": "m", "LLM_PROMPT": str(prompts / name)}
        status, text = await ended(await telephony(command, folder=prompts, **given))
    assert status == (2 if command == "serve" else 1)
    (line,) = [line for line in text.splitlines() if says in line]


@pytest.mark.parametrize("command", ["serve", "doctor"])
async def test_a_routes_prompt_and_an_agent_without_a_model(prompts: Path, command: str) -> None:
    routes = prompts / "routes.yaml"
    routes.write_text(f"routes: [{{name: night, to: '+1*', agent: llm, prompt: {prompts / 'prompt.md'}}}]\n")
    status, text = await ended(await telephony(command, folder=prompts, ROUTES=str(routes)))
    assert status == (2 if command == "serve" else 1)
    assert "agent (ROUTES, night)='llm' cannot be used: it needs a language model; set LLM_URL" in text
    async with FakeChat() as model:
        given = {"ROUTES": str(routes), "LLM_URL": model.url, "LLM_MODEL": "m"}
        status, text = await ended(await telephony(command, folder=prompts, **given))
    assert status == (2 if command == "serve" else 1)
    assert "prompt.md:2: {customer} is not known" in text
