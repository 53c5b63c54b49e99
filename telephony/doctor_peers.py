"""The doctor's questions over the network: is speech there, the account, and does our address lead here?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp

from telephony.carrier.rest import TwilioRefused, TwilioRest, has_credentials
from telephony.config import Settings, SpeechPeer
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
            asked += [_listening(session, settings), _speaking(session, settings)]
        if has_credentials(settings):
            asked.append(_account(settings))
        if settings.public_url:
            asked.append(_public(session, settings))
        return list(await asyncio.gather(*asked))


async def _listening(session: aiohttp.ClientSession, settings: Settings) -> Finding:
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
    peer = settings.deepgram()
    broken = await _handshake(session, peer, "/v2/listen", options.to_query())
    return broken or good(f"{peer.url} listens ({peer.why})")


async def _speaking(session: aiohttp.ClientSession, settings: Settings) -> Finding:
    peer = settings.deepgram()
    path = "/v1/speak" if settings.voice.startswith("aura-") else "/v2/speak"
    query = [("model", settings.voice), ("encoding", "linear16"), ("sample_rate", "24000")]
    broken = await _handshake(session, peer, path, query)
    return broken or good(f"{peer.url} speaks as {settings.voice}")


async def _handshake(
    session: aiohttp.ClientSession, peer: SpeechPeer, path: str, query: list[tuple[str, str]]
) -> Finding | None:
    """Opens a connection as a call does, and closes it again: nothing is sent, so nothing is charged."""
    try:
        socket = await session.ws_connect(
            peer.url + path,
            params=query,
            headers={"Authorization": f"Token {peer.api_key.reveal()}"},
            timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
        )
    except aiohttp.WSServerHandshakeError as error:
        reason = error.headers.get("dg-error", "") if error.headers else ""
        return bad(f"{peer.url}{path} refuses: {error.status} {reason}".rstrip(), remedy(error.status))
    except (aiohttp.ClientError, TimeoutError) as error:
        return bad(f"{peer.url}{path}: {str(error) or 'no answer within 5 s'}", remedy(None))
    await socket.close()
    return None


async def _account(settings: Settings) -> Finding:
    """Signs in to Twilio's REST API and reads one page of a list."""
    rest = await TwilioRest.open(settings)
    try:
        await rest.queued(limit=1)
    except TwilioRefused as refused:
        return bad(f"account {settings.twilio_account_sid}", str(refused))
    finally:
        await rest.close()
    return good(f"account {settings.twilio_account_sid}")


async def _public(session: aiohttp.ClientSession, settings: Settings) -> Finding:
    url = f"{settings.public_url}/healthz"
    try:
        async with session.get(url) as answer:
            status = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        reason = str(error) or "no answer within 5 s"
        return bad(f"{url}: {reason}", "is the tunnel or proxy running, and PUBLIC_URL its address?")
    if status == 200:
        return good(f"{url} answers")
    if status in (502, 503, 504):
        return note(f"{url}: {status}", "the way in is there; start the server behind it")
    return bad(f"{url}: {status}", "something else answers there: PUBLIC_URL must lead to this server")
