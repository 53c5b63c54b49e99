"""The doctor's questions over the network: is speech there, and does our public address lead here?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp

from telephony.config import Settings
from telephony.doctor import Finding, bad, good, note
from telephony.listen.flux_options import FluxOptions
from telephony.refusals import remedy

TIMEOUT_S = 5.0


def look(settings: Settings) -> Iterator[Finding]:
    """Asks all peers at once, each for at most 5 s."""
    return iter(asyncio.run(_look(settings)))


async def _look(settings: Settings) -> list[Finding]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
        asked = []
        if not settings.deepgram().local:
            asked.append(_speech(session, settings))
        if settings.public_url:
            asked.append(_public(session, settings))
        return [finding for found in await asyncio.gather(*asked) for finding in found]


async def _speech(session: aiohttp.ClientSession, settings: Settings) -> list[Finding]:
    """Opens the connection that a call opens, and closes it again: nothing is sent, nothing is charged."""
    peer = settings.deepgram()
    options = FluxOptions(
        model=settings.flux_model,
        encoding=settings.flux_encoding,
        sample_rate=settings.flux_sample_rate,
        eot_threshold=settings.flux_eot_threshold,
        eager_eot_threshold=settings.flux_eager_eot_threshold,
        eot_timeout_ms=settings.flux_eot_timeout_ms,
        keyterms=settings.flux_keyterms,
        language_hints=settings.flux_language_hints,
    )
    try:
        socket = await session.ws_connect(
            f"{peer.url}/v2/listen",
            params=options.to_query(),
            headers={"Authorization": f"Token {peer.api_key.reveal()}"},
            timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
        )
    except aiohttp.WSServerHandshakeError as error:
        reason = error.headers.get("dg-error", "") if error.headers else ""
        return [bad(f"{peer.url} refuses to listen: {error.status} {reason}".rstrip(), remedy(error.status))]
    except (aiohttp.ClientError, TimeoutError) as error:
        reason = str(error) or "no answer within 5 s"
        return [bad(f"{peer.url}: {reason}", remedy(None))]
    await socket.close()
    return [good(f"{peer.url} listens ({peer.why})")]


async def _public(session: aiohttp.ClientSession, settings: Settings) -> list[Finding]:
    url = f"{settings.public_url}/healthz"
    try:
        async with session.get(url) as answer:
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        reason = str(error) or "no answer within 5 s"
        return [bad(f"{url}: {reason}", "is the tunnel or proxy running, and PUBLIC_URL its address?")]
    if status == 200:
        return [good(f"{url} answers")]
    if status in (502, 503, 504):
        return [note(f"{url}: {status}", "the way in is there; start the server behind it")]
    return [bad(f"{url}: {status}", "something else answers there: PUBLIC_URL must lead to this server")]
