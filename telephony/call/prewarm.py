"""Speech that is connected while Twilio connects: opened at the webhook, taken over by the call's stream.

Twilio needs about half a second from our answer to `start`. Handshakes with listening and the voice fit into
that. What they report meanwhile is kept, and told to the call when it takes them over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, cast

from telephony.call.resources import CallResources
from telephony.listen.deepgram import FluxClient
from telephony.speak.deepgram import VoiceClient

log = logging.getLogger(__name__)
T = TypeVar("T")


class Relay(Generic[T]):
    """Keeps what is reported until somebody takes it."""

    def __init__(self) -> None:
        self._kept: list[T] = []
        self._target: Callable[[T], None] | None = None

    def __call__(self, event: T) -> None:
        if self._target is None:
            self._kept.append(event)
        else:
            self._target(event)

    def to(self, target: Callable[[T], None]) -> None:
        """Everything so far, and from now on, goes there."""
        self._target = target
        kept, self._kept = self._kept, []
        for event in kept:
            target(event)


class Running:
    """A connection that runs already; its `run` waits for the end of that, all else is its own."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._task = asyncio.create_task(connection.run())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def run(self) -> None:
        """As the connection's own: until it is closed; cancelling ends it."""
        try:
            await self._task
        finally:
            self._task.cancel()

    async def drop(self) -> None:
        """Nobody came for it."""
        closing = self._connection.close()  # the voice's is not a coroutine
        if closing is not None:
            await closing
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@dataclass(slots=True)
class Prewarmed:
    """Listening and a voice for one call to come."""

    services: CallResources
    heard: Relay[Any] = field(default_factory=Relay)
    voiced: Relay[Any] = field(default_factory=Relay)
    ahead_s: Callable[[], float] = lambda: 0.0
    listening: Running = field(init=False)
    voice: Running = field(init=False)
    _taken: list[Running] = field(default_factory=list)

    def __post_init__(self) -> None:
        services = self.services
        self.listening = Running(services.flux.open(services.flux_options, self.heard))
        self.voice = Running(services.voice.open(self.voiced, lambda: self.ahead_s()))

    def unused(self) -> list[Running]:
        """The connections that no call took over."""
        return [one for one in (self.listening, self.voice) if one not in self._taken]

    def for_the_call(self) -> CallResources:
        """The services with these connections as what `open` gives, once each."""
        flux = cast(FluxClient, Opened(self._take_listening))
        voice = cast(VoiceClient, Opened(self._take_voice, self.services.voice.model))
        return replace(self.services, flux=flux, voice=voice)

    def _take_listening(self, _: object, on_event: Callable[[Any], None]) -> Running:
        asyncio.get_running_loop().call_soon(self.heard.to, on_event)  # when the call is complete
        self._taken.append(self.listening)
        return self.listening

    def _take_voice(
        self, on_event: Callable[[Any], None], ahead_s: Callable[[], float] | None = None
    ) -> Running:
        self.ahead_s = ahead_s or self.ahead_s
        asyncio.get_running_loop().call_soon(self.voiced.to, on_event)
        self._taken.append(self.voice)
        return self.voice

    async def drop(self) -> None:
        """No stream came, or its call did not come so far."""
        await asyncio.gather(*(one.drop() for one in self.unused()), return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Opened:
    """A client whose connection is open already."""

    open: Callable[..., Running]
    model: str = ""
    """The voice's name."""


class PrewarmedCalls:
    """The calls that are expected, by CallSid."""

    def __init__(self, way_of: Callable[[Mapping[str, str]], CallResources]) -> None:
        """`way_of` gives the services for what a stream will be told."""
        self._way_of = way_of
        self._warm: dict[str, Prewarmed] = {}
        self._given: dict[str, list[Prewarmed]] = {}  # to streams that are there
        self._dropping: set[asyncio.Task[None]] = set()

    def prewarm(self, call_sid: str, about: Mapping[str, str]) -> None:
        """Connect for this call."""
        if call_sid not in self._warm:
            self._warm[call_sid] = Prewarmed(self._way_of(about))

    def take(self, call_sid: str) -> CallResources | None:
        """The services with the open connections, for the stream that has come."""
        warm = self._warm.pop(call_sid, None)
        if warm is None:
            return None
        self._given.setdefault(call_sid, []).append(warm)
        return warm.for_the_call()

    def forget(self, call_sid: str) -> None:
        """No stream came, or it is over: close what was opened and is no call's."""
        waiting = self._warm.pop(call_sid, None)
        for warm in [*self._given.pop(call_sid, ()), *((waiting,) if waiting else ())]:
            if not warm.unused():
                continue
            task = asyncio.create_task(warm.drop())
            self._dropping.add(task)
            task.add_done_callback(self._dropping.discard)

    async def close(self) -> None:
        """At the end of the process."""
        for call_sid in list(self._warm):
            self.forget(call_sid)
        await asyncio.gather(*self._dropping)
