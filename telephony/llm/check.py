"""Whether the models that the settings name are there: each is asked for one token, and hung up on.

`doctor` tells of each. `serve` refuses to start with what can never work: a wrong key, an unknown model, an
address where no model is. What is busy, slow or in trouble of its own may be well when a call comes. A model
that its server lists, to nobody without the key, is there: no token is paid for at each start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
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
MOST_BYTES = 4 << 20
"""Of a list of models: some providers have hundreds, described at length."""
KEY_NEEDED = (401, 403)


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """What came of asking one endpoint."""

    endpoint: ChatEndpoint
    first_token_s: float = 0.0
    fault: ModelFailed | None = None
    """None: it is there."""
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
            took = f" answers, its first token after {self.first_token_s:.1f} s"
            return name + (took if self.first_token_s else " is there")
        return f"{name}: {self.fault.what}"

    @property
    def remedy(self) -> str:
        """What to do; empty: nothing."""
        if self.fault is None:
            return ""
        if self.has:
            return f"{self.endpoint.prefix}MODEL may be {', '.join(self.has)}"
        return self.fault.remedy


async def check_models(settings: Settings, *, thorough: bool = True) -> list[ModelCheck]:
    """What comes of asking the model and its fallback, both at once; empty where none is set."""
    async with open_session() as session:
        asked = (check_model(session, settings, one, thorough=thorough) for one in endpoints_of(settings))
        return list(await asyncio.gather(*asked))


async def check_model(
    session: aiohttp.ClientSession, settings: Settings, endpoint: ChatEndpoint, *, thorough: bool = True
) -> ModelCheck:
    """Ask one endpoint for a token; unless `thorough`, only where its list of models leaves a doubt."""
    if not thorough and await _is_listed(session, endpoint):
        return ModelCheck(endpoint)
    client = ChatClient([endpoint], session, deadlines=DEADLINES, options=settings.llm_options)
    now = asyncio.get_running_loop().time
    began = now()
    try:
        async with aclosing(client.stream(QUESTION)) as parts:
            async for _ in parts:
                break
    except ModelFailed as fault:
        wrong = isinstance(fault, ModelRefused) and fault.status in (400, 404, 422)
        return ModelCheck(endpoint, 0.0, fault, await _others(session, endpoint) if wrong else ())
    return ModelCheck(endpoint, now() - began)


async def refuse_absent_models(settings: Settings) -> None:
    """Raises BadInput for a model that can never answer; warns of one that does not answer now.

    A server that cannot be reached is refused as well, unless the other one answers: most often its address
    is wrong, or it was not started.
    """
    found = await check_models(settings, thorough=False)
    answers = any(one.fault is None for one in found)
    for one in found:
        if one.hopeless and not (answers and isinstance(one.fault, ModelUnreachable)):
            raise BadInput(f"{one.what}. {one.remedy}")
        if one.fault is not None:
            log.warning("%s. %s", one.what, one.remedy)


async def _others(session: aiohttp.ClientSession, endpoint: ChatEndpoint) -> tuple[str, ...]:
    """The models that the server names, unless ours is one of them."""
    _, names = await _list(session, endpoint, authorization(endpoint))
    return () if endpoint.model in names else names[:MOST_LISTED]


async def _is_listed(session: aiohttp.ClientSession, endpoint: ChatEndpoint) -> bool:
    """Whether the server names our model, and to nobody without the key."""
    _, names = await _list(session, endpoint, authorization(endpoint))
    if endpoint.model not in names:
        return False
    return endpoint.api_key is None or (await _list(session, endpoint, {}))[0] in KEY_NEEDED


async def _list(
    session: aiohttp.ClientSession, endpoint: ChatEndpoint, headers: Mapping[str, str]
) -> tuple[int, tuple[str, ...]]:
    """The status and the names of the server's list of models; 0 where there is no answer."""
    limit = aiohttp.ClientTimeout(total=LIST_S)
    try:
        async with session.get(
            endpoint.models_url,
            headers={"User-Agent": AGENT, **headers},
            allow_redirects=False,
            timeout=limit,
        ) as response:
            if response.status != 200:
                return response.status, ()
            body = bytearray()
            while len(body) < MOST_BYTES and (data := await response.content.readany()):
                body += data
            return 200, _names(loads(bytes(body)))
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return 0, ()


def _names(found: Any) -> tuple[str, ...]:
    data = found.get("data") if isinstance(found, dict) else None
    named = [one.get("id") for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    return tuple(one for one in named if isinstance(one, str) and one.isprintable() and len(one) < 100)
