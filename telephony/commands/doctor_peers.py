"""The doctor's questions over the network: are speech, models and the account there, do we lead here?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from telephony.carrier.rest import TwilioRefused, TwilioRest, has_credentials
from telephony.commands.doctor_findings import Finding, bad, good, note
from telephony.config.settings import Settings
from telephony.deepgram.refusals import remedy
from telephony.errors import BadInput
from telephony.llm.check import check_model
from telephony.llm.client import open_session
from telephony.llm.endpoints import ChatEndpoint
from telephony.llm.from_settings import endpoints_of
from telephony.llm.mcp_servers import McpServers
from telephony.server import speech_check
from telephony.server.number_routes import Routes
from telephony.server.number_routes_file import routes_of
from telephony.server.speech_check import LISTEN, SpeechQuestion, ask, questions


def look(settings: Settings) -> Iterator[Finding]:
    """Asks all peers at once, each for at most 5 s; a model for 12 s, MCP servers for 45 s."""
    return iter(asyncio.run(_look(settings)))


async def _look(settings: Settings) -> list[Finding]:
    async with speech_check.session() as session:
        asked = []
        if not settings.deepgram().local:
            asked += [_speech(session, settings, one) for one in questions(settings, _routes(settings))]
        asked += [_model(settings, one) for one in endpoints_of(settings)]
        if settings.mcp_servers is not None:
            asked.append(_mcp(settings.mcp_servers))
        if has_credentials(settings):
            asked.append(_account(settings))
        if settings.public_url:
            asked.append(_public(session, settings))
        return list(await asyncio.gather(*asked))


def _routes(settings: Settings) -> Routes:
    """Those of ROUTES; none where the file is wrong, which another check reports."""
    try:
        return routes_of(settings)
    except BadInput:
        return Routes()


async def _speech(session: aiohttp.ClientSession, settings: Settings, question: SpeechQuestion) -> Finding:
    peer = settings.deepgram()
    refused = await ask(session, peer, question)
    asker = f" ({question.asker})" if question.asker else ""
    if refused is None:
        why = asker or (f" ({peer.why})" if question.path == LISTEN else "")
        return good(f"{peer.url} {question.said}{why}")
    what = f"refuses{asker}: {refused.status} {refused.reason}" if refused.status else refused.reason
    shown = f"{refused.peer} {what}" if refused.status else f"{refused.peer}: {what}"
    return bad(shown.rstrip(), remedy(refused.status))


async def _model(settings: Settings, endpoint: ChatEndpoint) -> Finding:
    """Asks a language model for one token."""
    async with open_session() as session:
        found = await check_model(session, settings, endpoint)
    return good(found.what) if found.fault is None else bad(found.what, found.remedy)


async def _mcp(path: Path) -> Finding:
    """Starts the MCP servers, and stops them."""
    try:
        async with McpServers.open(path) as servers:
            count = len(servers.tools)
            return good(f"MCP_SERVERS: {', '.join(servers.names) or 'no server'}: {count} tools")
    except BadInput as error:
        return bad(str(error), 'mend it, or set "disabled": true for that server')


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
