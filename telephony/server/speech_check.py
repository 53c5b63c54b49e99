"""Whether a speech service takes what calls would ask of it: connections as a call's, closed again at once.

Nothing is sent, so nothing is charged. `doctor` tells of each; `serve` refuses to start where the service
says that a parameter can never be right, and only then: what is down now may be up when a call comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp

from telephony.config.listening import chosen
from telephony.config.settings import Settings, SpeechPeer
from telephony.config.speech_peer import local_voice
from telephony.deepgram.flux_options import FluxOptions
from telephony.deepgram.refusals import unreached
from telephony.errors import BadInput, PeerRefused
from telephony.server.number_routes import Route, Routes

TIMEOUT_S = 5.0
BAD_REQUEST = 400
LISTEN = "/v2/listen"


@dataclass(frozen=True, slots=True)
class SpeechQuestion:
    """A connection that some calls would open."""

    path: str
    query: tuple[tuple[str, str], ...]
    asker: str
    """Who asks for it, in the words of the settings: `ROUTES, night`; empty: the settings themselves."""
    said: str
    """What the service does where it takes it: `speaks as flux-haley-en`."""


def questions(settings: Settings, routes: Routes) -> list[SpeechQuestion]:
    """What calls ask of speech, each once."""
    asked: dict[tuple[str, tuple[tuple[str, str], ...]], SpeechQuestion] = {}
    for route in (Route(), routes.default, *routes.routes):
        for question in (_listening(chosen(settings, route.language), route), _speaking(settings, route)):
            asked.setdefault((question.path, question.query), question)
    for name in settings.voice_fallback:
        if local_voice(name) is None:
            question = voice_question(name, "VOICE_FALLBACK")
            asked.setdefault((question.path, question.query), question)
    return list(asked.values())


def _listening(options: FluxOptions, route: Route) -> SpeechQuestion:
    languages = f" to {', '.join(options.language_hints)}" if options.language_hints else ""
    return SpeechQuestion(LISTEN, tuple(options.to_query()), _asker(route), f"listens{languages}")


def _speaking(settings: Settings, route: Route) -> SpeechQuestion:
    return voice_question(route.voice or settings.voice, _asker(route))


def voice_question(voice: str, asker: str) -> SpeechQuestion:
    """Whether a service has a voice."""
    path = "/v1/speak" if voice.startswith("aura-") else "/v2/speak"
    query = (("model", voice), ("encoding", "linear16"), ("sample_rate", "24000"))
    return SpeechQuestion(path, query, asker, f"speaks as {voice}")


def _asker(route: Route) -> str:
    if route == Route():
        return ""
    return f"ROUTES, {route.name or 'default'}"


async def ask(
    session: aiohttp.ClientSession, peer: SpeechPeer, question: SpeechQuestion
) -> PeerRefused | None:
    """How the service refuses a connection; None: it takes it. A status of None: it was not reached."""
    try:
        socket = await session.ws_connect(
            peer.url + question.path,
            params=question.query,
            headers={"Authorization": f"Token {peer.api_key.reveal()}"},
            timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
        )
    except aiohttp.WSServerHandshakeError as error:
        reason = error.headers.get("dg-error", "") if error.headers else ""
        return PeerRefused(f"{peer.url}{question.path}", error.status, reason)
    except (aiohttp.ClientError, TimeoutError) as error:
        late = isinstance(error, TimeoutError) and not str(error)
        reason = f"no answer within {TIMEOUT_S:g} s" if late else unreached(error)
        return PeerRefused(f"{peer.url}{question.path}", None, reason)
    await socket.close()
    return None


def session() -> aiohttp.ClientSession:
    """For `ask`: each question is given up after 5 s."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))


async def refuse_what_can_never_work(settings: Settings, routes: Routes) -> None:
    """Raises BadInput when the service refuses what listening or a fall-back voice asks, naming who asked.

    Voices are tried when the greeting is made; the local engine's parameters were checked with the settings.
    """
    peer = settings.deepgram()
    if peer.local:
        return
    async with session() as http:
        asked = [
            question
            for question in questions(settings, routes)
            if question.path == LISTEN or question.asker == "VOICE_FALLBACK"
        ]
        refusals = await asyncio.gather(*(ask(http, peer, question) for question in asked))
    _raise(zip(asked, refusals, strict=True))


def _raise(answers: Iterable[tuple[SpeechQuestion, PeerRefused | None]]) -> None:
    for question, refused in answers:
        if refused is not None and refused.status == BAD_REQUEST:
            who = question.asker or "the FLUX_... settings"
            raise BadInput(
                f"{refused.peer} refuses what {who} ask of it: {refused.reason or 'no reason given'}"
            )
