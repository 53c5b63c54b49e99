"""`POST /v1/speak` and `/v2/speak`: one text in, its audio out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import web

from telephony.audio.wav import wav_head
from telephony.base import json_codec
from telephony.engine.sockets import refuse
from telephony.engine.speak.speak_audio import WAV_TAGS, SpeechEncoder
from telephony.engine.speak.speak_options import SpeakOptions
from telephony.engine.speak.synthesizer_pool import VoiceSource
from telephony.errors import VoiceFailed

log = logging.getLogger(__name__)

MAX_TEXT = 2400
"""Characters of a text; the service answers 413 above."""


BODY_S = 10.0
"""Longest time that a body may take."""


class BadBody(Exception):
    """A request's body cannot be spoken; `status` is the answer's."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def speak_once(
    request: web.Request, options: SpeakOptions, voices: VoiceSource, voice: str, request_id: str
) -> web.StreamResponse:
    """Answers with the audio: bare, streamed as it is made; or a whole WAV, whose header says its length."""
    try:
        text = await _text(request)
    except BadBody as error:
        return refuse(error.status, "INVALID_BODY", str(error), request_id)
    headers = {
        "dg-request-id": request_id,
        "dg-model-name": options.model,
        "dg-char-count": str(len(text)),
        "Content-Type": "audio/wav" if options.container == "wav" else _bare_type(options),
    }
    log.info("speak %s: %s, %s, one text", request_id, voice, _bare_type(options))
    async with aclosing(_frames(voices, text, voice, options)) as frames:
        try:
            if options.container == "wav":
                audio = b"".join([frame async for frame in frames])
                head = wav_head(WAV_TAGS[options.encoding], len(audio), rate=options.sample_rate)
                return web.Response(body=head + audio, headers=headers)
            first = await anext(frames, b"")  # before the status goes out: it may yet be 500
        except VoiceFailed as error:
            log.warning("speak %s: %s", request_id, error)
            return refuse(500, "INTERNAL_SERVER_ERROR", f"the voice failed: {error}", request_id)
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        if first:
            await response.write(first)
        async for frame in frames:
            await response.write(frame)
        await response.write_eof()
    return response


async def _frames(
    voices: VoiceSource, text: str, voice: str, options: SpeakOptions
) -> AsyncGenerator[bytes, None]:
    encoder = SpeechEncoder(options.encoding, options.sample_rate)
    async with aclosing(voices.render(text, voice, options.speed)) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            for frame in encoder.feed(chunk.linear16, chunk.rate):
                yield frame
    for frame in encoder.flush():
        yield frame


async def _text(request: web.Request) -> str:
    try:
        async with asyncio.timeout(BODY_S):
            body = json_codec.loads(await request.read())
    except TimeoutError:
        raise BadBody(408, f"the body did not come within {BODY_S:.0f} s") from None
    except ConnectionError:
        raise BadBody(400, "the client went away") from None
    except web.HTTPRequestEntityTooLarge:
        raise BadBody(413, "the body is too long") from None
    except ValueError:
        raise BadBody(400, 'the body must be JSON: {"text": "..."}') from None
    text = body.get("text") if isinstance(body, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise BadBody(400, 'the body has no text: {"text": "..."}')
    if len(text) > MAX_TEXT:
        raise BadBody(413, f"the text has {len(text)} characters, at most {MAX_TEXT} can be spoken at once")
    return text


def _bare_type(options: SpeakOptions) -> str:
    kind = "l16" if options.encoding == "linear16" else options.encoding
    return f"audio/{kind};rate={options.sample_rate}"
