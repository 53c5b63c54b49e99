"""A stand-in for a chat-completions server, with scripts, a pace, and faults on demand.

    async with FakeChat(rules(Rule(Reply("One latte."), caller="latte"))) as model:
        ...                                     # LLM_URL=model.url LLM_MODEL=stand-in
        assert model.asked[0].text == "a latte, please"

It records each request, when its connection closed, and when each token was written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from telephony.testing.fake_chat_faults import NONE, ChatFaults
from telephony.testing.fake_chat_script import Reply, Script, always, last_message, text_of
from telephony.testing.fake_chat_wire import (
    MODEL,
    PromptCounts,
    chunk,
    deltas,
    event,
    first_tool,
    refusal,
    whole,
)

GARBAGE = b"data: {garbage\n\n"
ERROR = "the model ran out of memory"
WORDS = {
    401: "Incorrect API key provided",
    403: "Not allowed",
    404: "The model does not exist",
    429: "Slow down",
}


class _BrokenOff(Exception):
    """The connection is gone, on purpose."""


@dataclass
class Asked:
    """One request and what became of it. Times are of the monotonic clock, as an event loop's are."""

    body: dict[str, Any]
    headers: dict[str, str]
    at: float
    tokens: list[float] = field(default_factory=list)
    """When each was written."""
    closed_at: float | None = None
    """When the client left before the end; None: it did not."""
    complete: bool = False
    """All of the answer was written."""
    broken_off: bool = False
    """The stand-in cut the connection, as a fault has it."""
    _more: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def text(self) -> str:
        """The last message's."""
        return text_of(last_message(self.body))

    @property
    def messages(self) -> list[dict[str, Any]]:
        found = self.body.get("messages")
        return found if isinstance(found, list) else []

    @property
    def over(self) -> bool:
        return self.complete or self.broken_off or self.closed_at is not None

    async def token(self, count: int) -> None:
        """Wait until so many tokens are written."""
        while len(self.tokens) < count:
            self._more.clear()
            await self._more.wait()

    def wrote(self) -> None:
        """One more token is on its way."""
        self.tokens.append(time.monotonic())
        self._more.set()

    def written_after(self, at: float) -> int:
        """How many tokens were written later than that: what nobody hears, once the caller has spoken."""
        return sum(1 for one in self.tokens if one > at)


class FakeChat:
    """Serves `/v1/chat/completions` and `/v1/models` on a local port."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        faults: Iterable[ChatFaults] = (NONE,),
        first_token_s: float = 0.0,
        pace_s: float = 0.0,
        api_key: str = "",
        models: Sequence[str] = (),
    ) -> None:
        """`faults` are used up one a request; the last one stays. Without `models` each name is answered."""
        self.script = script or always("Hello.")
        self.asked: list[Asked] = []
        self.port = 0
        self._faults = list(faults)
        self._first_token_s = first_token_s
        self._pace_s = pace_s
        self._api_key = api_key
        self._models = tuple(models)
        self._prompts = PromptCounts()
        self._changed = asyncio.Event()
        self._released = asyncio.Event()
        self._peers: set[str] = set()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """What LLM_URL has to be."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def connections(self) -> int:
        """How many have brought requests so far."""
        return len(self._peers)

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        app = web.Application(client_max_size=16 << 20)
        for prefix in ("/v1", ""):
            app.router.add_post(f"{prefix}/chat/completions", self._completions)
            app.router.add_get(f"{prefix}/models", self._list)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop listening, and drop every connection."""
        self._released.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def misbehave(self, *faults: ChatFaults) -> None:
        """These are the faults of the requests from now on, one each; the last one stays."""
        self._faults = list(faults) or [NONE]

    async def asked_again(self, times: int) -> Asked:
        """Wait until so many requests have come; gives the last of them."""
        await self._until(lambda: len(self.asked) >= times)
        return self.asked[times - 1]

    async def idle(self) -> None:
        """Wait until no request is being answered."""
        await self._until(lambda: all(one.over for one in self.asked))

    async def _until(self, holds: Any) -> None:
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    def _note(self) -> None:
        self._changed.set()

    # ---- answering

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self._count(request)
        if refused := self._refuse_key(request):
            return refused
        data = [{"id": name, "object": "model"} for name in self._models or (MODEL,)]
        return web.json_response({"object": "list", "data": data})

    def _count(self, request: web.Request) -> None:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        self._peers.add(str(peer))

    def _refuse_key(self, request: web.Request) -> web.Response | None:
        if self._api_key and request.headers.get("Authorization") != f"Bearer {self._api_key}":
            return refusal(401, WORDS[401], "invalid_api_key")
        return None

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        self._count(request)
        faults = self._faults.pop(0) if len(self._faults) > 1 else self._faults[0]
        try:
            body = await request.json()
        except ValueError:
            return refusal(400, "We could not parse the JSON body of your request", "invalid_json")
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return refusal(400, "you must provide a list of messages", "invalid_request_error")
        asked = Asked(body, dict(request.headers), time.monotonic())
        self.asked.append(asked)
        self._note()
        try:
            answer = await self._answer(request, asked, faults)
            asked.complete = True
            return answer
        except _BrokenOff:
            asked.broken_off = True
            return web.Response()  # which goes nowhere
        except (asyncio.CancelledError, ConnectionError):
            asked.closed_at = time.monotonic()
            raise
        finally:
            self._note()

    async def _answer(self, request: web.Request, asked: Asked, faults: ChatFaults) -> web.StreamResponse:
        await asyncio.sleep(faults.headers_s)
        if refused := self._refuse_key(request) or self._refuse(asked.body, faults):
            return refused
        if faults.not_http:
            assert request.transport is not None
            request.transport.write(faults.not_http)
            request.transport.close()
            raise _BrokenOff
        reply = self.script(asked.body)
        if faults.only_tool_calls:
            reply = Reply(calls=(first_tool(asked.body),))
        usage = self._prompts.usage(asked.body, reply)
        if faults.ignores_stream or not asked.body.get("stream"):
            return web.json_response(whole(asked.body, reply, usage))
        return await self._stream(request, asked, reply, faults, usage)

    def _refuse(self, body: dict[str, Any], faults: ChatFaults) -> web.Response | None:
        for name in faults.refuses:
            if name in body:
                words = faults.refuses_with or f"Unrecognized request argument supplied: {name}"
                return refusal(faults.refuses_status, words, "invalid_request_error")
        if faults.status != 200:
            headers = {"Retry-After": faults.retry_after} if faults.retry_after else {}
            if faults.location:
                headers["Location"] = faults.location
            words = faults.body or WORDS.get(faults.status, "The server had an error")
            return refusal(faults.status, words, "fault", headers)
        if faults.body and faults.error_after is None:
            return web.Response(text=faults.body, content_type=faults.content_type)
        if self._models and body.get("model") not in self._models:
            return refusal(404, f"The model `{body.get('model')}` does not exist", "model_not_found")
        return None

    async def _stream(
        self, request: web.Request, asked: Asked, reply: Reply, faults: ChatFaults, usage: dict[str, Any]
    ) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        await response.prepare(request)
        if faults.empty:
            await response.write_eof()
            return response
        first = self._first_token_s if reply.first_token_s is None else reply.first_token_s
        await asyncio.sleep(first + faults.first_token_s)
        if reply.recorded:
            await response.write(reply.recorded)
            await response.write_eof()
            return response
        number = 0
        async for one in self._events(asked.body, reply, faults):
            if await self._misbehaved(request, response, number, faults):
                return response
            asked.wrote()
            await response.write(one)
            number += 1
        if await self._misbehaved(request, response, number, faults):
            return response
        await self._finish(response, asked.body, reply, faults, usage)
        return response

    async def _events(self, body: dict[str, Any], reply: Reply, faults: ChatFaults) -> AsyncIterator[bytes]:
        """The tokens of an answer, at its pace."""
        pace = self._pace_s if reply.pace_s is None else reply.pace_s
        began = False
        while not began or faults.endless:
            for delta in deltas(reply, with_role=not began):
                if began and (pace or faults.endless):
                    await asyncio.sleep(pace)
                began = True
                yield event(chunk(body, delta))
            if not began:
                return

    async def _misbehaved(
        self, request: web.Request, response: web.StreamResponse, number: int, faults: ChatFaults
    ) -> bool:
        """Whether the stream ends here, as its fault has it."""
        if number == faults.stall_after:
            await self._released.wait()
        elif number == faults.reset_after:
            assert request.transport is not None
            request.transport.abort()
            raise _BrokenOff
        elif number == faults.garbage_after:
            await response.write(GARBAGE)
        elif number == faults.truncated_after:
            await response.write(GARBAGE.rstrip())
        elif number == faults.error_after:
            await response.write(event({"error": {"message": faults.body or ERROR, "code": 500}}))
        elif number != faults.end_after:
            return False
        await response.write_eof()
        return True

    async def _finish(
        self,
        response: web.StreamResponse,
        body: dict[str, Any],
        reply: Reply,
        faults: ChatFaults,
        usage: dict[str, Any],
    ) -> None:
        await response.write(event(chunk(body, {}, reply.reason)))
        if faults.stays_open:
            await self._released.wait()
        if not faults.without_done:
            options = body.get("stream_options")
            if isinstance(options, dict) and options.get("include_usage"):
                await response.write(event({**chunk(body, {}), "choices": [], "usage": usage}))
            await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
