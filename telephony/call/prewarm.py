"""Speech that is connected while Twilio connects: opened at the webhook, taken over by the call's stream.

Twilio needs about half a second from our answer to `start`. Handshakes with listening and the voice fit into
that. What they report meanwhile is kept, and reported to the call when it takes them over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Generic, TypeVar

from telephony.call.resources import CallResources
from telephony.deepgram.flux_options import FluxOptions
from telephony.listen.client import ListenConnection
from telephony.listen.events import ListenEvent
from telephony.speak.client import SpeakConnection
from telephony.speak.events import VoiceEvent

log = logging.getLogger(__name__)
T = TypeVar("T")

CLOSE_S = 2.0


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


class PrewarmedListening:
    """A ListenClient for one call, whose connection is open already."""

    def __init__(self, resources: CallResources) -> None:
        self.taken = False
        self._relay: Relay[ListenEvent] = Relay()
        self._connection = resources.listen.open(resources.listen_options, self._relay)
        self._connection.start()

    def open(self, options: FluxOptions, on_event: Callable[[ListenEvent], None]) -> ListenConnection:
        """Hand the connection over; its options were given when it was opened."""
        self.taken = True
        asyncio.get_running_loop().call_soon(self._relay.to, on_event)  # when the call is complete
        return self._connection

    async def close(self) -> None:
        """No call has taken it over."""
        await self._connection.close()
        await _ended(self._connection)


class PrewarmedVoice:
    """A SpeakClient for one call, whose connection is open already."""

    def __init__(self, resources: CallResources) -> None:
        self.taken = False
        self.url, self.model = resources.speak.url, resources.speak.model
        self.pronunciations = resources.speak.pronunciations
        self._relay: Relay[VoiceEvent] = Relay()
        self._ahead_s: Callable[[], float] = lambda: 0.0
        self._connection = resources.speak.open(self._relay, lambda: self._ahead_s())
        self._connection.start()

    def open(
        self, on_event: Callable[[VoiceEvent], None], ahead_s: Callable[[], float] | None = None
    ) -> SpeakConnection:
        """Hand the connection over."""
        self.taken = True
        self._ahead_s = ahead_s or self._ahead_s
        asyncio.get_running_loop().call_soon(self._relay.to, on_event)
        return self._connection

    async def close(self) -> None:
        """No call has taken it over."""
        self._connection.close()
        await _ended(self._connection)


async def _ended(connection: ListenConnection | SpeakConnection) -> None:
    """Wait for the end of a connection that was closed; one that does not end in time is cancelled."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await connection.run()


class Prewarmed:
    """Listening and a voice for one call to come."""

    def __init__(self, resources: CallResources) -> None:
        self._resources = resources
        self._listening = PrewarmedListening(resources)
        self._voice = PrewarmedVoice(resources)

    @property
    def taken(self) -> bool:
        """Whether a call has taken over both."""
        return self._listening.taken and self._voice.taken

    def for_the_call(self) -> CallResources:
        """The resources with these connections as what `open` gives, once each."""
        return replace(self._resources, listen=self._listening, speak=self._voice)

    async def close(self) -> None:
        """No stream came, or its call did not come so far."""
        left = [one for one in (self._listening, self._voice) if not one.taken]
        await asyncio.gather(*(one.close() for one in left), return_exceptions=True)


class PrewarmedCalls:
    """The calls that are expected, by CallSid."""

    def __init__(self, resources_for: Callable[[Mapping[str, str]], CallResources]) -> None:
        """`resources_for` gives the resources for the parameters that a stream will have."""
        self._resources_for = resources_for
        self._expected: dict[str, Prewarmed] = {}
        self._handed_over: dict[str, list[Prewarmed]] = {}
        """To streams that are there."""
        self._closing: set[asyncio.Task[None]] = set()

    def prewarm(self, call_sid: str, about: Mapping[str, str]) -> None:
        """Connect for this call."""
        if call_sid not in self._expected:
            self._expected[call_sid] = Prewarmed(self._resources_for(about))

    def take(self, call_sid: str) -> CallResources | None:
        """The resources with the open connections, for the stream that has come."""
        prewarmed = self._expected.pop(call_sid, None)
        if prewarmed is None:
            return None
        self._handed_over.setdefault(call_sid, []).append(prewarmed)
        return prewarmed.for_the_call()

    def forget(self, call_sid: str) -> None:
        """No stream came, or it is over: close what was opened and that no call has taken over."""
        expected = self._expected.pop(call_sid, None)
        for prewarmed in [*self._handed_over.pop(call_sid, ()), *((expected,) if expected else ())]:
            if prewarmed.taken:
                continue
            task = asyncio.create_task(prewarmed.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """At the end of the process."""
        for call_sid in list(self._expected):
            self.forget(call_sid)
        await asyncio.gather(*self._closing)
