"""Whether a model would answer now: what turns met lately, and a look when that was a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

from telephony.llm.answer import AGENT, authorization
from telephony.llm.client import ChatClient
from telephony.llm.endpoints import ChatEndpoint

LOOK_S = 1.2
OUR_FAULT = frozenset((401, 402, 403, 429))
"""A server that answers so is there, and still answers no turn."""


def model_check(client: ChatClient) -> Callable[[], Awaitable[str]]:
    """For /readyz: says what is wrong with the model; empty: nothing.

    Nothing is asked while turns go well. After a turn that got no answer the endpoints are looked at, without
    a token being paid for; one that answers is enough.
    """

    async def the_model() -> str:
        if client.failure and any(await asyncio.gather(*(_there(client, one) for one in client.endpoints))):
            client.failure = ""
        return client.failure

    return the_model


async def _there(client: ChatClient, endpoint: ChatEndpoint) -> bool:
    headers = {"User-Agent": AGENT, **authorization(endpoint)}
    limit = aiohttp.ClientTimeout(total=LOOK_S)
    try:
        request = client.session.get(
            endpoint.models_url, headers=headers, allow_redirects=False, timeout=limit
        )
        async with request as response:
            return response.status < 500 and response.status not in OUR_FAULT
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return False
