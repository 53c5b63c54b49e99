"""The agents of one process, those with a model among them: one client and one set of tools for all."""

from __future__ import annotations

from contextlib import AsyncExitStack

from telephony.config.settings import Settings
from telephony.errors import BadAgent
from telephony.llm.agent import LanguageModelAgent
from telephony.llm.client import ChatClient
from telephony.llm.effects import Claims
from telephony.llm.from_settings import chat_client
from telephony.llm.prompt import USUAL, PromptSource
from telephony.llm.tool_loading import check_tools, open_tools
from telephony.llm.tool_runner import ToolRunner
from telephony.reply.agent import Agent
from telephony.reply.loading import USUAL as AGENT
from telephony.reply.loading import load_agent

MODEL = "llm"
"""What AGENT names a language model by."""


def names_own_agent(spec: str) -> bool:
    """Whether it names a user's code, `package.module:Name`."""
    return spec != MODEL and not spec.startswith("scripted:")


def check_agent(spec: str, settings: Settings, where: str = AGENT, prompt: str = "") -> None:
    """Raises BadInput, of one line, for an agent that cannot answer. Nothing is started, nobody asked."""
    if spec == MODEL:
        _check_model(settings, where)
        PromptSource(prompt or settings.llm_prompt, _where_of_prompt(prompt, where))
        check_tools(settings)
    else:
        _check_prompt(spec, prompt, where)
        load_agent(spec, settings, where)


class AgentLoader:
    """Makes agents. What they need is opened with the first that needs it, and closed by the stack."""

    def __init__(self, settings: Settings, claims: Claims, stack: AsyncExitStack) -> None:
        """`claims`: what processes share, as calls see it."""
        self.client: ChatClient | None = None
        """The process's client of models; None while no agent needs one."""
        self._settings, self._claims, self._stack = settings, claims, stack
        self._tools: ToolRunner | None = None

    async def load(self, spec: str, where: str = AGENT, prompt: str = "") -> Agent:
        """The agent of this name, ready to answer; `prompt`: a route's own.

        Raises BadInput, of one line: for a model without an address, a prompt with a mistake, a tool that
        cannot be one, an MCP server that does not start, and as `reply.loading.load_agent` does.
        """
        if spec != MODEL:
            _check_prompt(spec, prompt, where)
            return load_agent(spec, self._settings, where)
        _check_model(self._settings, where)
        source = PromptSource(prompt or self._settings.llm_prompt, _where_of_prompt(prompt, where))
        if self._tools is None:
            opening = open_tools(self._settings, self._claims)
            self._tools = await self._stack.enter_async_context(opening)
        tokens = self._settings.llm_context_tokens
        agent = LanguageModelAgent(await self._opened(), source, self._tools, context_tokens=tokens)
        self._stack.push_async_callback(agent.close)
        return agent

    async def _opened(self) -> ChatClient:
        if self.client is None:
            self.client = chat_client(self._settings)
            self._stack.push_async_callback(self.client.close)
            await self.client.warm()
        return self.client


def _check_model(settings: Settings, where: str) -> None:
    if not settings.llm_url:
        raise BadAgent(f"{where}={MODEL!r} cannot be used: set LLM_URL and LLM_MODEL")


def _check_prompt(spec: str, prompt: str, where: str) -> None:
    if prompt:
        raise BadAgent(f"{_where_of_prompt(prompt, where)} cannot be used: its agent is {spec}, not {MODEL}")


def _where_of_prompt(prompt: str, where: str) -> str:
    """How a message names the prompt: the setting, or the place beside the agent of a route."""
    return where.replace("agent", "prompt", 1) if prompt else USUAL
