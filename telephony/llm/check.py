"""Whether the models that the settings name answer: each is asked for one token, and hung up on.

`doctor` tells of each. `serve` refuses to start with what can never work: a wrong key, an unknown model, an
address where no model is. What is busy, slow or in trouble of its own may be well when a call comes.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import aiohttp

from telephony.base.json_codec import loads
from telephony.config.settings import Settings
from telephony.errors import BadInput
from telephony.llm.answer import AGENT, authorization
from telephony.llm.chat import ChatRequest
from telephony.llm.client import ChatClient, open_session
from telephony.llm.endpoints import ChatEndpoint, Deadlines
from telephony.llm.errors import BadModelAnswer, ModelFailed, ModelRefused, ModelUnreachable
from telephony.llm.from_settings import endpoints_of

log = logging.getLogger(__name__)

DEADLINES = Deadlines(connect_s=3.0, first_token_s=10.0, between_s=10.0, total_s=12.0)
"""A model that is on this machine may first have to be loaded."""
QUESTION = ChatRequest([{"role": "user", "content": "Say hello."}], max_tokens=16)
MAY_PASS = frozenset((402, 408, 409, 425, 429))
"""Refusals that have nothing to do with the settings: no credit, too many requests."""
MOST_LISTED = 8
LIST_S = 3.0


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """What came of asking one endpoint."""

    endpoint: ChatEndpoint
    first_token_s: float = 0.0
    fault: ModelFailed | None = None
    """None: it answers."""
    has: tuple[str, ...] = ()
    """Models that the server names, where it does not know ours."""

    @property
    def hopeless(self) -> bool:
        """The settings must be mended before it can answer."""
        if isinstance(self.fault, ModelRefused):
            return self.fault.status < 500 and self.fault.status not in MAY_PASS
        return isinstance(self.fault, ModelUnreachable | BadModelAnswer)

    @property
    def what(self) -> str:
        """What it does, in a line without the remedy."""
        name = f"{self.endpoint.where} {self.endpoint.prefix}MODEL={self.endpoint.model}"
        if self.fault is None:
            return f"{name} answers, its first token after {self.first_token_s:.1f} s"
        return f"{name}: {self.fault.what}"

    @property
    def remedy(self) -> str:
        """What to do; empty: nothing."""
        if self.fault is None:
            return ""
        if self.has:
            return f"{self.endpoint.prefix}MODEL may be {', '.join(self.has)}"
        return self.fault.remedy


async def check_models(settings: Settings) -> list[ModelCheck]:
    """What comes of asking the model and its fallback, both at once; empty where none is set."""
    async with open_session() as session:
        endpoints = endpoints_of(settings)
        return list(await asyncio.gather(*(check_model(session, settings, one) for one in endpoints)))


async def check_model(
    session: aiohttp.ClientSession, settings: Settings, endpoint: ChatEndpoint
) -> ModelCheck:
    """Ask one endpoint for a token."""
    client = ChatClient([endpoint], session, deadlines=DEADLINES, options=settings.llm_options)
    now = asyncio.get_running_loop().time
    began = now()
    try:
        async with aclosing(client.stream(QUESTION)) as parts:
            async for _ in parts:
                break
    except ModelFailed as fault:
        wrong = isinstance(fault, ModelRefused) and fault.status in (400, 404, 422)
        return ModelCheck(endpoint, 0.0, fault, await _listed(session, endpoint) if wrong else ())
    return ModelCheck(endpoint, now() - began)


async def refuse_absent_models(settings: Settings) -> None:
    """Raises BadInput for a model that can never answer; warns of one that does not answer now.

    A server that cannot be reached is refused as well, unless the other one answers: most often its address
    is wrong, or it was not started.
    """
    found = await check_models(settings)
    answers = any(one.fault is None for one in found)
    for one in found:
        if one.hopeless and not (answers and isinstance(one.fault, ModelUnreachable)):
            raise BadInput(f"{one.what}. {one.remedy}")
        if one.fault is not None:
            log.warning("%s. %s", one.what, one.remedy)


async def _listed(session: aiohttp.ClientSession, endpoint: ChatEndpoint) -> tuple[str, ...]:
    """The models that the server names, unless ours is one of them."""
    headers = {"User-Agent": AGENT, **authorization(endpoint)}
    limit = aiohttp.ClientTimeout(total=LIST_S)
    try:
        request = session.get(endpoint.models_url, headers=headers, allow_redirects=False, timeout=limit)
        async with request as response:
            if response.status != 200:
                return ()
            names = _names(loads(await response.content.read(1 << 20)))
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return ()
    return () if endpoint.model in names else names[:MOST_LISTED]


def _names(found: Any) -> tuple[str, ...]:
    data = found.get("data") if isinstance(found, dict) else None
    named = [one.get("id") for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    return tuple(one for one in named if isinstance(one, str) and one.isprintable() and len(one) < 100)
