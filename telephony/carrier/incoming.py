"""A request that says it is Twilio's: read within bounds, verified, taken apart, or refused."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from telephony.carrier import signature
from telephony.line import LINE, Form

log = logging.getLogger(__name__)

BODY_DEADLINE_S = 5.0  # a Twilio form is 1 to 2 kB and comes in one piece


async def verified_form(request: web.Request) -> Form:
    """The fields of a webhook that Twilio signed; of a repeated field, the last value.

    Without an auth token every request is taken, since the server then listens on this machine only.
    Raises HTTPException: 403 for a bad signature, 400, 408, 413 or 415 for a body that is none.
    """
    body = await _body(request)
    json = request.content_type == "application/json"
    fields = {} if json else signature.form_fields(body)
    if fields is None:
        raise web.HTTPBadRequest(text="not a form\n")
    line = request.app[LINE]
    tokens = line.auth_tokens()
    if tokens:
        urls = signature.webhook_urls(line.base_url(request), request.raw_path)
        genuine = signature.verify(tokens, urls, fields, request.headers.get(signature.HEADER))
        if not genuine or (json and not signature.body_hash_matches(request.raw_path, body)):
            raise refusal(request, urls)
    return {name: values[-1] for name, values in fields.items()}


def verify_handshake(request: web.Request) -> None:
    """Refuse, with HTTPForbidden, a media socket that Twilio did not sign. Nothing is open yet."""
    line = request.app[LINE]
    tokens = line.auth_tokens()
    if tokens:
        urls = signature.handshake_urls(line.base_url(request), request.raw_path)
        if not signature.verify(tokens, urls, {}, request.headers.get(signature.HEADER)):
            raise refusal(request, urls)


def refusal(request: web.Request, urls: tuple[str, ...]) -> web.HTTPForbidden:
    """403 to the peer; to the log, which URLs were tried, since a wrong PUBLIC_URL is the usual mistake."""
    given = "does not fit" if signature.HEADER in request.headers else "is missing"
    request.app[LINE].refused("signature")
    log.warning(
        "refused %s: X-Twilio-Signature %s. Tried as signed: %s. If this was Twilio, PUBLIC_URL or "
        "TWILIO_AUTH_TOKEN differ from what Twilio has",
        request.path[:100],
        given,
        " ".join(url.partition("?")[0] for url in urls),
    )
    return web.HTTPForbidden(text="not signed by Twilio\n")


async def _body(request: web.Request) -> bytes:
    if "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType(text="no compressed bodies\n")
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the body did not arrive in time\n") from None
