"""Whether callers can be heard, and hear something: from what calls met lately, and a look when it is asked.

A look is a handshake as a call makes it, closed at once: nothing is sent, so nothing is charged. The local
engine is asked how it is, since a handshake would take one of its few streams.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

from telephony.config.settings import Settings
from telephony.deepgram.breaker import Breaker
from telephony.deepgram.flux_options import FluxOptions
from telephony.deepgram.health import Health
from telephony.server.readiness import Check

LOOK_S = 1.2
TOO_MANY = 429  # it is there, and busy
LOADING = "loading"


def speech_check(
    settings: Settings, options: FluxOptions, url: str, listening: Health, voice: Health
) -> Check:
    """Says what is wrong with speech at `url`; `listening` and `voice` know what calls met."""

    async def speech() -> str:
        if settings.deepgram().local:
            return await _judged(listening, lambda: _engine(url)) or voice.trouble(_now())
        key = settings.deepgram().api_key.reveal()
        path = "/v1/speak" if settings.voice.startswith("aura-") else "/v2/speak"
        query = [("model", settings.voice), ("encoding", "linear16"), ("sample_rate", "24000")]
        found = await asyncio.gather(
            _judged(listening, lambda: _handshake(url + "/v2/listen", options.to_query(), key)),
            _judged(voice, lambda: _handshake(url + path, query, key)),
        )
        return "; ".join(reason for reason in found if reason)

    return speech


def breaker_check(breaker: Breaker) -> Check:
    """Says whether calls wait for a probe of theirs to find listening again."""

    async def listening_circuit() -> str:
        if not breaker.is_open(_now()):
            return ""
        return f"nobody can be heard: the circuit is open after {breaker.failures} failed connections"

    return listening_circuit


async def _judged(health: Health, look: Callable[[], Awaitable[str]]) -> str:
    if health.wants_look(_now()):
        health.looked(await look(), _now())
    return health.trouble(_now())


async def _handshake(url: str, query: list[tuple[str, str]], key: str) -> str:
    timeout = aiohttp.ClientTimeout(total=LOOK_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            socket = await session.ws_connect(
                url,
                params=query,
                headers={"Authorization": f"Token {key}"},
                timeout=aiohttp.ClientWSTimeout(ws_close=0.1),
            )
            await socket.close()
    except aiohttp.WSServerHandshakeError as error:
        return "" if error.status == TOO_MANY else f"refuses with {error.status}"
    except (aiohttp.ClientError, OSError, TimeoutError):
        return "cannot be reached"
    return ""


async def _engine(url: str) -> str:
    """The local engine's own word."""
    timeout = aiohttp.ClientTimeout(total=LOOK_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            async with session.get("http" + url.removeprefix("ws") + "/healthz") as answer:
                state = await answer.json()
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return "the local engine cannot be reached"
    return "the local engine is not ready yet" if state.get("recognition") == LOADING else ""


def _now() -> float:
    return asyncio.get_running_loop().time()
