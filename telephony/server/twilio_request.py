"""A request that says it is Twilio's: read within bounds, verified, taken apart, or refused.

What is cheap to see is looked at first: the headers, then the body's size, and the signature last.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from aiohttp import web

from telephony.carrier import signature
from telephony.server.access import ACCESS, WHY
from telephony.server.state import STATE, Form

BODY_DEADLINE_S = 5.0  # a Twilio form is 1 to 2 kB and comes in one piece
BODY_BYTES = 16_384


async def verified_form(request: web.Request) -> Form:
    """The fields of a webhook that Twilio signed; of a repeated field, the last value.

    A GET has its fields in the query, and its signature covers the URL with them (Twilio, "Security").
    Without an auth token every request is taken that `control_access` let in: it is this machine's own.
    Raises HTTPException: 403 for a bad signature, 400, 408, 413 or 415 for a body that is none.
    """
    _look_at_headers(request)
    if request.method == "GET":
        _verify(request, _urls(request), {})
        return _query_fields(request)
    body = await _body(request)
    json = request.content_type == "application/json"
    fields = {} if json else signature.form_fields(body)
    if fields is None:
        raise web.HTTPBadRequest(text="not a form of Twilio's\n")
    _verify(request, _urls(request), fields)
    if json and request.app[STATE].auth_tokens() and not signature.body_hash_matches(request.raw_path, body):
        raise _refusal(request, _urls(request))
    return {name: values[-1] for name, values in fields.items()}


def verify_handshake(request: web.Request) -> None:
    """Refuse, with HTTPForbidden, a media socket that Twilio did not sign. Nothing is open yet."""
    state = request.app[STATE]
    kept = request.app[ACCESS].prefix_kept(request)
    _verify(request, signature.handshake_urls(state.base_url(request), request.raw_path, kept), {})


def _look_at_headers(request: web.Request) -> None:
    """Refuse what need not be read."""
    if "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType(text="no compressed bodies\n")
    if (request.content_length or 0) > BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(BODY_BYTES, request.content_length or 0)
    given = request.headers.get(signature.HEADER)
    if request.app[STATE].auth_tokens() and not signature.has_shape(given):
        raise _refusal(request, _urls(request))


def _urls(request: web.Request) -> tuple[str, ...]:
    """What Twilio may have signed for this request."""
    base = request.app[STATE].base_url(request)
    return signature.webhook_urls(base, request.raw_path, request.app[ACCESS].prefix_kept(request))


def _verify(request: web.Request, urls: tuple[str, ...], fields: signature.Fields) -> None:
    tokens = request.app[STATE].auth_tokens()
    given = request.headers.get(signature.HEADER)
    if not tokens:
        return
    if not signature.verify(tokens, urls, fields, given):
        raise _refusal(request, urls)
    request.app[ACCESS].connections.prove(request.protocol)


def _refusal(request: web.Request, urls: tuple[str, ...]) -> web.HTTPException:
    """403 to the peer; to the log, which URLs were tried, since a wrong PUBLIC_URL is the usual mistake."""
    given = request.headers.get(signature.HEADER)
    request.app[STATE].host.admission.refused("signature")
    tried = " ".join(url.partition("?")[0] for url in urls)
    request[WHY] = (
        f"X-Twilio-Signature {'is missing' if given is None else 'does not fit'}. If this was Twilio,"
        f" PUBLIC_URL or TWILIO_AUTH_TOKEN differ from what Twilio has. Tried as signed: {tried}"
    )
    refused = web.HTTPForbidden(text="not signed by Twilio\n")
    return request.app[ACCESS].wrong_key(request, "signature", refused) if given else refused


def _query_fields(request: web.Request) -> Form:
    query = request.raw_path.partition("?")[2]
    if query.count("&") >= signature.MOST_FIELDS:
        raise web.HTTPBadRequest(text="not a form of Twilio's\n")
    return dict(parse_qsl(query, keep_blank_values=True))


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            return await _read(request)
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the body did not arrive in time\n") from None


async def _read(request: web.Request) -> bytes:
    """The body; what is sent in chunks says only by its end how long it is."""
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > BODY_BYTES:
            raise web.HTTPRequestEntityTooLarge(BODY_BYTES, len(body))
    return bytes(body)
