"""One endpoint's answer to one request: a connection that is read as tokens come, and closed at any time."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from telephony import __version__
from telephony.base.json_codec import dumps
from telephony.deepgram.refusals import unreached
from telephony.errors import RemoteProtocolError, forget_frames
from telephony.llm.chat import ChatPart
from telephony.llm.chunks import ChunkReader, ErrorEvent
from telephony.llm.endpoints import ChatEndpoint, Deadlines
from telephony.llm.errors import BadModelAnswer, ModelFailed, ModelLost, ModelTooSlow, ModelUnreachable
from telephony.llm.refusal import clean, redacted, refused_by

AFTER_REASON_S = 0.5
"""How long the token counts may come after the end of the text."""
AFTER_DONE_S = 0.05
"""How long the connection may take to be free for the next turn, once the stream is complete."""
MOST_BYTES = 8 << 20
"""Of one answer. A token comes in about 250 bytes."""
MOST_WHOLE_BYTES = 1 << 20
JSON, HTML = "application/json", "text/html"
AGENT = f"telephony/{__version__}"


@dataclass
class ModelAnswer:
    """Begun with `begin`, read with `read` until `over`; `close` may come at any time."""

    endpoint: ChatEndpoint
    deadlines: Deadlines
    started: float
    """When the caller's turn was given to the model, by the loop's clock."""
    most_tokens: int
    body: Mapping[str, Any]
    """What is asked."""
    over: bool = False
    ready: list[ChatPart] = field(default_factory=list)
    """What came with the first token."""
    refused_body: bytes = b""
    """What the server sent with a refusal."""
    reader: ChunkReader = field(default_factory=lambda: ChunkReader(_new_id))
    _response: aiohttp.ClientResponse | None = None
    _bytes: int = 0
    _token_at: float = 0.0
    _until: float = math.inf
    _timer: asyncio.TimerHandle | None = None
    _late: bool = False

    async def begin(self, session: aiohttp.ClientSession) -> None:
        """Ask, and wait for the first token of something to say or to do, which is then in `ready`.

        Raises ModelFailed.
        """
        until = self.started + self.deadlines.first_token_s
        try:
            async with asyncio.timeout_at(until):
                self._response = response = await self._post(session)
                if response.status != 200:
                    self.refused_body = await _some(response)
                    raise refused_by(self.endpoint, response, self.refused_body, self.body)
                if response.content_type == JSON:
                    await self._whole(response)
                elif response.content_type == HTML:
                    raise self._bad("a web page, not a model's answer", "Check {url}")
                while not self.reader.answered and not self.over:
                    self.ready += await self._next()
        except TimeoutError:
            what = f"no first token within {self.deadlines.first_token_s:g} s"
            advice = "Choose a faster model, or raise LLM_FIRST_TOKEN_SECONDS"
            raise ModelTooSlow(self.endpoint.where, what, advice) from None

    async def read(self) -> list[ChatPart]:
        """The next parts; with the last of them the answer is over. Raises ModelFailed."""
        until = min(self._token_at + self.deadlines.between_s, self.started + self.deadlines.total_s)
        if self.reader.reason:
            until = min(until, asyncio.get_running_loop().time() + AFTER_REASON_S)
        self._wait_until(until)
        try:
            return await self._next()
        finally:
            self._until = math.inf

    def close(self) -> None:
        """Close the connection, unless the answer was read to its end: then it serves the next turn."""
        self.over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._response is not None:
            self._response.close()

    def _wait_until(self, until: float) -> None:
        """Break off a wait that lasts longer than that.

        The timer stays as it is while tokens come, and finds out when it fires that there is time left: an
        `asyncio.timeout` for each token would cost a tenth of the whole.
        """
        self._until = until
        if self._timer is None or until < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_at(until, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if asyncio.get_running_loop().time() < self._until:
            if self._until < math.inf:
                self._wait_until(self._until)
        elif self._response is not None:
            self._late = True
            self._response.close()  # which ends the wait

    async def _post(self, session: aiohttp.ClientSession) -> aiohttp.ClientResponse:
        headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",  # compression would keep tokens back
            "Content-Type": JSON,
            "User-Agent": AGENT,
            **authorization(self.endpoint),
        }
        try:
            return await session.post(
                self.endpoint.url,
                data=dumps(self.body).encode(),
                headers=headers,
                allow_redirects=False,  # the key and the conversation go where they were sent only
                timeout=aiohttp.ClientTimeout(total=None, connect=self.deadlines.connect_s),
            )
        except aiohttp.ConnectionTimeoutError as error:
            forget_frames(error)
            raise self._unreachable(f"no connection within {self.deadlines.connect_s:g} s") from None
        except aiohttp.ClientConnectionError as error:
            why = unreached(error)
            connected = not isinstance(error, aiohttp.ClientConnectorError)
            forget_frames(error)
            raise (self._hung_up() if connected else self._unreachable(why)) from None
        except (aiohttp.ClientError, ValueError) as error:
            forget_frames(error)
            raise self._bad("an answer that is not HTTP", "Check {url}") from None

    async def _next(self) -> list[ChatPart]:
        """What has come by now, or comes next."""
        if self.reader.fault is not None:
            raise self._faulty(self.reader.fault)
        assert self._response is not None
        try:
            data = await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            forget_frames(error)
            if self.reader.reason:
                return self._end()
            raise self._too_late() if self._late else self._lost("the answer broke off") from None
        self._bytes += len(data)
        before = self.reader.pieces
        try:
            parts = self.reader.feed(data) if data else self._end()
        except RemoteProtocolError as error:
            raise self._faulty(error) from None
        if self.reader.pieces > before:
            self._token_at = asyncio.get_running_loop().time()
        if self.over:
            return parts
        if self.reader.done:
            await self._free()
            return [*parts, *self._end()]
        if self.reader.pieces > self.most_tokens or self._bytes > MOST_BYTES:
            self.close()
            return [*parts, *self.reader.cut("length")]
        return parts

    def _end(self) -> list[ChatPart]:
        self.over = True
        try:
            return self.reader.end()
        except RemoteProtocolError as error:
            if not self.reader.seen:
                raise self._bad(str(error), "Check {url}") from None
            raise self._lost(str(error)) from None

    async def _free(self) -> None:
        """Read to the end of the body, so that the connection can be used again."""
        assert self._response is not None
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(AFTER_DONE_S):
                while not self._response.content.at_eof() and await self._response.content.readany():
                    pass

    async def _whole(self, response: aiohttp.ClientResponse) -> None:
        """An answer in one piece, from a server that does not stream."""
        body = await _some(response, MOST_WHOLE_BYTES)
        try:
            if body.lstrip().startswith(b"data:"):  # a stream under a wrong name
                self.ready += [*self.reader.feed(body), *self.reader.end()]
            else:
                self.ready += self.reader.whole(body)
        except RemoteProtocolError as error:
            raise self._faulty(error) from None
        self.over = True

    def _faulty(self, fault: RemoteProtocolError) -> ModelFailed:
        words = redacted(clean(str(fault), self.endpoint), self.body)
        if isinstance(fault, ErrorEvent):
            return self._lost(f"the server failed while it answered: {words or 'it does not say why'}")
        return self._bad(words)

    def _bad(self, what: str, remedy: str = "") -> BadModelAnswer:
        return BadModelAnswer(self.endpoint.where, what, self.endpoint.remedy(remedy))

    def _lost(self, what: str, remedy: str = "") -> ModelLost:
        return ModelLost(self.endpoint.where, what, self.endpoint.remedy(remedy))

    def _hung_up(self) -> ModelLost:
        return self._lost("it hung up without an answer", "Is {url} right, with http or https?")

    def _unreachable(self, why: str) -> ModelUnreachable:
        advice = self.endpoint.remedy("Is the model's server running, and {url} right?")
        return ModelUnreachable(self.endpoint.where, why, advice)

    def _too_late(self) -> ModelFailed:
        now = asyncio.get_running_loop().time()
        if now >= self.started + self.deadlines.total_s:
            what, name = f"no end within {self.deadlines.total_s:g} s", "LLM_TOTAL_SECONDS"
        else:
            what, name = f"no token for {self.deadlines.between_s:g} s", "LLM_BETWEEN_TOKENS_SECONDS"
        return ModelTooSlow(self.endpoint.where, what, f"Choose a faster model, or raise {name}")


def authorization(endpoint: ChatEndpoint) -> dict[str, str]:
    """The header that holds the key; none without one."""
    key = endpoint.api_key
    return {"Authorization": f"Bearer {key.reveal()}"} if key else {}


async def _some(response: aiohttp.ClientResponse, most: int = 1 << 16) -> bytes:
    """A body, or as much of it as may be. What breaks off is short."""
    body = bytearray()
    with contextlib.suppress(aiohttp.ClientError, OSError):
        while len(body) < most and (data := await response.content.readany()):
            body += data
    return bytes(body[:most])


def _new_id() -> str:
    return f"call_{secrets.token_hex(8)}"
