"""The agents of one process, those with a model among them: one client and one set of tools for all."""

from __future__ import annotations

from contextlib import AsyncExitStack

from telephony.config.settings import Settings
from telephony.errors import BadAgent, BadScript
from telephony.llm.after_call import AfterCall, schema_named
from telephony.llm.agent import LanguageModelAgent
from telephony.llm.client import ChatClient
from telephony.llm.effects import Claims
from telephony.llm.from_settings import chat_client
from telephony.llm.prompt import USUAL, PromptSource
from telephony.llm.script_agent import ScriptWithModel
from telephony.llm.tool_loading import check_tools, open_tools
from telephony.llm.tool_runner import ToolRunner
from telephony.reply.agent import Agent
from telephony.reply.loading import USUAL as AGENT
from telephony.reply.loading import load_agent
from telephony.reply.script import Do
from telephony.reply.script_reader import load_script
from telephony.reply.scripted import ScriptedAgent

MODEL = "llm"
"""What AGENT names a language model by."""


def names_own_agent(spec: str) -> bool:
    """Whether it names a user's code, `package.module:Name`."""
    return spec != MODEL and not spec.startswith("scripted:")


def check_agent(spec: str, settings: Settings, where: str = AGENT, prompt: str = "") -> None:
    """Raises BadInput, of one line, for an agent that cannot answer. Nothing is started, nobody asked."""
    if spec == MODEL:
        _check_model(settings, f"{where}={spec!r}")
        scripts_of(PromptSource(prompt or settings.llm_prompt, _where_of_prompt(prompt, where)), settings)
        check_tools(settings)
    else:
        _check_prompt(spec, prompt, where)
        agent = load_agent(spec, settings, where)
        if isinstance(agent, ScriptedAgent) and agent.script.needs_model:
            _check_model(settings, f"{where}={spec!r}")


def transfers_of(agent: Agent) -> tuple[str, ...]:
    """Everybody whom the scripts that an agent follows may transfer a caller to."""
    scripts = [agent.script] if isinstance(agent, ScriptedAgent | ScriptWithModel) else []
    if isinstance(agent, LanguageModelAgent):
        scripts += [one.script for one in agent.scripts.values()]
    return tuple(to for script in scripts for to in script.transfers)


def scripts_of(source: PromptSource, settings: Settings) -> dict[str, ScriptedAgent]:
    """The scripts that a prompt names. Raises BadScript for one with a mistake, or that never hands back."""
    found = {}
    for name, path in source.current.scripts.items():
        script = load_script(path, settings)
        if script.needs_model or script.by_action(Do.BACK) is None:
            wrong = "it asks a model itself" if script.needs_model else "no intent of it has `do: back`"
            raise BadScript(f"{source.where}: scripts.{name}: {path} cannot be handed to: {wrong}")
        found[name] = ScriptedAgent(script)
    return found


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
            agent = load_agent(spec, self._settings, where)
            if isinstance(agent, ScriptedAgent) and agent.script.needs_model:
                _check_model(self._settings, f"{where}={spec!r}")
                return ScriptWithModel(agent.script, await self._opened())
            return agent
        _check_model(self._settings, f"{where}={spec!r}")
        source = PromptSource(prompt or self._settings.llm_prompt, _where_of_prompt(prompt, where))
        if self._tools is None:
            opening = open_tools(self._settings, self._claims)
            self._tools = await self._stack.enter_async_context(opening)
        self._tools.toolbox.check(source.current.tools, source.where)
        tokens = self._settings.llm_context_tokens
        scripts = scripts_of(source, self._settings)
        client = await self._opened()
        made = LanguageModelAgent(client, source, self._tools, context_tokens=tokens, scripts=scripts)
        self._stack.push_async_callback(made.close)
        return made

    async def after_call(self) -> AfterCall | None:
        """What sums up calls that are over; None where AFTER_CALL is not set. Raises BadSetting."""
        if not self._settings.after_call:
            return None
        schema = schema_named(self._settings.after_call)
        return AfterCall(await self._opened(), schema)

    async def _opened(self) -> ChatClient:
        if self.client is None:
            self.client = chat_client(self._settings)
            self._stack.push_async_callback(self.client.close)
            await self.client.warm()
        return self.client


def _check_model(settings: Settings, place: str) -> None:
    if not settings.llm_url:
        raise BadAgent(f"{place} cannot be used: it needs a language model; set LLM_URL and LLM_MODEL")


def _check_prompt(spec: str, prompt: str, where: str) -> None:
    if prompt:
        raise BadAgent(f"{_where_of_prompt(prompt, where)} cannot be used: its agent is {spec}, not {MODEL}")


def _where_of_prompt(prompt: str, where: str) -> str:
    """How a message names the prompt: the setting, or the place beside the agent of a route."""
    return where.replace("agent", "prompt", 1) if prompt else USUAL
