"""The client of chat completions: streamed, with deadlines, one retry, and a fallback that is asked in time.

Leaving the stream closes the connection, so that no token is paid for that nobody hears.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import aiohttp

from telephony.base.tasks import undone_on_failure
from telephony.deepgram.refusals import unreached
from telephony.llm.answer import AGENT, ModelAnswer, authorization
from telephony.llm.chat import ChatPart, ChatRequest, Finished
from telephony.llm.endpoints import ChatEndpoint, Deadlines
from telephony.llm.errors import BadModelAnswer, ModelFailed, ModelLost, ModelRefused, ModelUnreachable
from telephony.llm.request_body import body_of, refused_fields

log = logging.getLogger(__name__)

KEEPALIVE_S = 60.0
"""How long a connection waits for the next turn."""
DNS_S = 60
MAX_TOKENS = 600
"""Of an answer, where the request says nothing: four minutes of speech."""
SLACK_TOKENS = 64
"""A server may count otherwise than we do."""
PAUSE_S = 0.15
"""Before a retry, where a server is reached and fails."""
AGAIN = frozenset((408, 409, 425, 429))
"""Statuses below 500 that a second attempt may mend."""
ITS_OWN = frozenset((400, 413, 414, 422, 431))
"""Refusals that are about the request itself: another endpoint would refuse it, too."""
OF_FIELDS = frozenset((400, 404, 422, 500, 501))
"""With which a field is refused. OpenRouter says 404 where no endpoint has tools, llama.cpp's server 500."""
NO_QUOTA = "quota"
"""In the reason of a 429 that no waiting mends."""
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass
class ChatCounts:
    """What the client did, for metrics."""

    requests: int = 0
    retries: int = 0
    hedges: int = 0
    """The fallback was asked because the first token was late."""
    fallovers: int = 0
    """The fallback was asked because the first endpoint failed."""
    by_fallback: int = 0
    """Answers that came from the fallback."""
    failed: int = 0
    cut: int = 0
    """Answers that were closed before their end."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


def open_session() -> aiohttp.ClientSession:
    """The one session of a process. It follows nothing, keeps no cookies, and reads no proxy settings."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S, ttl_dns_cache=DNS_S)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


class ChatClient:
    """Asks models. The first endpoint is the one that is wanted; a second is its fallback."""

    def __init__(
        self,
        endpoints: Sequence[ChatEndpoint],
        session: aiohttp.ClientSession | None = None,
        *,
        deadlines: Deadlines | None = None,
        max_tokens: int = MAX_TOKENS,
        options: Mapping[str, Any] = NOTHING,
    ) -> None:
        """`session`: see `open_session`; None: one of its own, opened with the first request.

        `options` are fields of every request, such as `temperature`.
        """
        if not 1 <= len(endpoints) <= 2:
            raise ValueError("one endpoint, or two")
        self.endpoints = tuple(endpoints)
        self.deadlines = deadlines or Deadlines()
        self.counts = ChatCounts()
        self.failure = ""
        """Why the last turn had no answer; empty: it had one, or was itself what the model refused."""
        self.on_first_token: Callable[[float], None] = lambda seconds: None
        """Told after how many seconds the first token came."""
        self._session = session
        self._own = session is None
        self._max_tokens = max_tokens
        self._options = options
        self._without: dict[ChatEndpoint, frozenset[str]] = {}

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatPart, None]:
        """Texts and tool calls as they come, then one `Finished`. Raises ModelFailed.

        Closing the iterator, leaving it, or cancelling the task that reads it closes the connection at once.
        """
        answer: ModelAnswer | None = None
        try:
            answer = await self._first(request)
            self.counts.by_fallback += answer.endpoint is not self.endpoints[0]
            self.on_first_token(asyncio.get_running_loop().time() - answer.started)
            for part in answer.ready:
                yield self._counted(part)
            while not answer.over:
                for part in await answer.read():
                    yield self._counted(part)
            self.failure = ""
        except ModelFailed as error:
            self.counts.failed += 1
            if not _is_about_the_request(error):
                self.failure = str(error)
            raise
        except (GeneratorExit, asyncio.CancelledError):
            self.counts.cut += answer is None or not answer.over
            raise
        finally:
            if answer is not None:
                answer.close()

    async def warm(self) -> None:
        """Open a connection to each endpoint, so that the first turn need not. Raises nothing.

        `failure` says so when no endpoint is there.
        """
        failures = await asyncio.gather(*(self._warm(one) for one in self.endpoints))
        if all(failures):
            self.failure = failures[0]

    async def close(self) -> None:
        """Close the session, where it is the client's own."""
        if self._own and self._session is not None:
            await self._session.close()
            self._session = None

    async def _warm(self, endpoint: ChatEndpoint) -> str:
        """Why the endpoint is not there; empty: it is."""
        headers = {"User-Agent": AGENT, **authorization(endpoint)}
        limit = aiohttp.ClientTimeout(total=self.deadlines.connect_s + 1.0, connect=self.deadlines.connect_s)
        try:
            request = self.session.get(
                endpoint.models_url, headers=headers, allow_redirects=False, timeout=limit
            )
            async with request as response:
                await response.read()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return f"{endpoint.where}: {unreached(error)}"
        return f"{endpoint.where}: {response.status}" if response.status >= 500 else ""

    @property
    def session(self) -> aiohttp.ClientSession:
        """Through which it asks."""
        if self._session is None or (self._own and self._session.closed):
            self._session = open_session()
        return self._session

    def _counted(self, part: ChatPart) -> ChatPart:
        if isinstance(part, Finished):
            self.counts.prompt_tokens += part.usage.prompt_tokens
            self.counts.completion_tokens += part.usage.completion_tokens
            self.counts.cached_tokens += part.usage.cached_tokens
        return part

    async def _first(self, request: ChatRequest) -> ModelAnswer:
        """An answer whose first token is there, from whoever has it first."""
        started = asyncio.get_running_loop().time()
        if len(self.endpoints) == 1:
            return await self._ask(self.endpoints[0], request, started, retry=True)
        return await self._race(request, started)

    async def _race(self, request: ChatRequest, started: float) -> ModelAnswer:
        first, second = self.endpoints
        wanted = asyncio.create_task(self._ask(first, request, started))
        tasks = [wanted]
        winner: ModelAnswer | None = None
        try:
            await asyncio.wait(tasks, timeout=self.deadlines.hedge_s)
            failed = _failure(wanted) if wanted.done() else None
            if wanted.done() and not _other_may_answer(failed):
                winner = wanted.result()
                return winner
            self._note_fallback(first, failed)
            tasks.append(asyncio.create_task(self._ask(second, request, started)))
            winner = await _first_good(tasks)
            return winner
        finally:
            await _drop(tasks, winner)

    def _note_fallback(self, first: ChatEndpoint, failed: BaseException | None) -> None:
        if failed is None:
            self.counts.hedges += 1
            log.info("%s: no token yet, so the fallback is asked as well", first.where)
        else:
            self.counts.fallovers += 1
            log.warning("%s. The fallback is asked", failed)

    async def _ask(
        self, endpoint: ChatEndpoint, request: ChatRequest, started: float, *, retry: bool = False
    ) -> ModelAnswer:
        """One endpoint's answer, its first token there. Raises ModelFailed."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await self._attempt(endpoint, request, started)
            except (ModelUnreachable, ModelRefused, ModelLost, BadModelAnswer) as error:
                wait = _pause(error)
                until = started + self.deadlines.first_token_s
                if not retry or wait is None or loop.time() + wait >= until:
                    raise
                log.info("%s. It is asked once more", error)
            retry = False
            self.counts.retries += 1
            await asyncio.sleep(wait)

    async def _attempt(self, endpoint: ChatEndpoint, request: ChatRequest, started: float) -> ModelAnswer:
        """One answer. A server that does not know a field is asked again without it."""
        while True:
            without = self._without.get(endpoint, frozenset())
            body = body_of(request, endpoint.model, self._max_tokens, self._options, without)
            most = (request.max_tokens or self._max_tokens) + SLACK_TOKENS
            answer = ModelAnswer(endpoint, self.deadlines, started, most, body)
            self.counts.requests += 1
            try:
                with undone_on_failure(answer.close):
                    await answer.begin(self.session)
                return answer
            except ModelRefused as refused:
                words = answer.refused_body.decode("utf-8", "replace")
                unknown = refused_fields(body, words) - without if refused.status in OF_FIELDS else None
                if not unknown:
                    raise
                self._without[endpoint] = without | unknown
                log.log(
                    logging.WARNING if "tools" in unknown else logging.INFO,
                    "%s %sMODEL=%s does not know %s: left out",
                    endpoint.where,
                    endpoint.prefix,
                    endpoint.model,
                    ", ".join(sorted(unknown)),
                )


def _pause(error: ModelFailed) -> float | None:
    """Seconds to wait before the same endpoint is asked once more; None: it is not."""
    if not isinstance(error, ModelRefused):
        return 0.0 if isinstance(error, ModelLost) else PAUSE_S
    if error.status not in AGAIN and error.status < 500:
        return None
    if error.status == 429 and NO_QUOTA in error.reason.lower() and error.retry_after_s is None:
        return None
    return PAUSE_S if error.retry_after_s is None else error.retry_after_s


def _is_about_the_request(failed: BaseException | None) -> bool:
    """No other request, and no other time, would fail so."""
    return isinstance(failed, ModelRefused) and failed.status in ITS_OWN


def _failure(task: asyncio.Task[ModelAnswer]) -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()


def _other_may_answer(failed: BaseException | None) -> bool:
    return isinstance(failed, ModelFailed) and not _is_about_the_request(failed)


async def _first_good(tasks: Sequence[asyncio.Task[ModelAnswer]]) -> ModelAnswer:
    """The first answer of several; the first endpoint's failure where there is none."""
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in done and _failure(task) is None:
                return task.result()
    return tasks[0].result()


async def _drop(tasks: Sequence[asyncio.Task[ModelAnswer]], winner: ModelAnswer | None) -> None:
    """End what is not wanted, its connection too."""
    for task in tasks:
        task.cancel()
    for answer in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(answer, ModelAnswer) and answer is not winner:
            answer.close()
