"""What the handlers of one server process work with: one ServerState, reached by its AppKey."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakValueDictionary

from aiohttp import web

from telephony.base.call_slots import CallSlots
from telephony.call.registry import CallRegistry
from telephony.carrier.pending_streams import PendingStreams
from telephony.config.settings import Settings
from telephony.server.call_host import ServerCallHost
from telephony.server.dialler import Dialler
from telephony.server.loop_lag import LoopLagMonitor
from telephony.server.number_routes import Route, Routes
from telephony.server.open_streams import Answer, OpenStreams
from telephony.server.readiness import Check, Readiness, disk_check, store_check
from telephony.server.shared_calls import CONVERSATION_TTL_S
from telephony.server.stream_tokens import StreamTokens

Form = Mapping[str, str]
"""A webhook's fields."""


class CallRecords(Protocol):
    """What /api/calls shows: running and finished calls."""

    def snapshot(self, call_id: str) -> dict[str, Any] | None:
        """A running call by our id or its CallSid."""

    async def load(self, call_id: str) -> dict[str, Any] | None:
        """A finished call."""

    async def recent(self, most: int) -> list[dict[str, Any]]:
        """At most so many calls, the running ones first, then the newest: their records without the turns."""

    async def tape_path(self, call_id: str) -> Path | None:
        """The file of a call's tape."""

    async def delete(self, call_id: str) -> list[str]:
        """Delete a finished call's files, of all its streams; the CallSids of what was deleted."""


@dataclass(slots=True)
class ServerState:
    """One server process. Calls see the part of it that is their `host`."""

    settings: Settings
    host: ServerCallHost
    registry: CallRegistry
    """The calls that run here."""
    answer: Answer
    routes: Routes
    """Which agent answers which number."""
    slots: CallSlots
    streams: OpenStreams
    tokens: StreamTokens
    readiness: Readiness
    """Why calls would not go well now."""
    dialler: Dialler | None
    """Places calls, where there are credentials."""
    lag: LoopLagMonitor
    """How late the event loop is."""
    clock: Callable[[], float] = time.time
    """Unix seconds, for the hours of the routes. What expires follows the shared store's time."""
    pending: PendingStreams = field(default_factory=PendingStreams)
    """Media sockets that are open and have not sent `start` yet."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def base_url(self, request: web.BaseRequest) -> str:
        """Our address as Twilio sees it: PUBLIC_URL, else the local address this request came in on.

        Never the Host header, which anybody can set.
        """
        if self.settings.public_url:
            return self.settings.public_url
        name = request.transport.get_extra_info("sockname") if request.transport else None
        host, port = (name[0], name[1]) if name else ("127.0.0.1", self.settings.port)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def auth_tokens(self) -> list[str]:
        """The tokens that may have signed Twilio's requests; none on a server that stays on this machine."""
        return [secret.reveal() for secret in self.settings.twilio_auth_token]

    def lock(self, call_sid: str) -> asyncio.Lock:
        """Hold this while answering a webhook of the call: the next webhook sees what this one did."""
        return self._locks.setdefault(call_sid, asyncio.Lock())

    async def route_call(self, call_sid: str, form: Form) -> Route | None:
        """The route of a new call, kept for its resumes; None when its caller is blocked."""
        route = self.routes.choose(form.get("To", ""), form.get("From", ""), self.clock())
        if route is not None and route.name:
            await self.host.shared.put(f"route:{call_sid}", {"name": route.name}, CONVERSATION_TTL_S)
        return route

    async def route_of(self, call_sid: str) -> Route:
        """The route that was chosen when the call began, whatever the hour is now."""
        kept = await self.host.shared.get(f"route:{call_sid}") if self.routes.routes else None
        return self.routes.named(str(kept["name"])) if kept else self.routes.default

    async def stream_began(self, call_sid: str) -> None:
        """A stream was admitted: the call keeps its slot."""
        self.host.endings.stream_began(call_sid)
        await asyncio.gather(self.slots.keep(call_sid), self.host.calls.stream_began(call_sid))

    async def call_ended(self, call_sid: str) -> None:
        """The call has ended: nothing can resume it, and what waits for its stream is given back."""
        self.host.endings.call_ended(call_sid)
        self.streams.came(call_sid)
        self.streams.done(call_sid)
        await asyncio.gather(self.host.calls.call_ended(call_sid), self.slots.give_back(call_sid))

    def start_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something that nobody waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def make_state(
    host: ServerCallHost,
    registry: CallRegistry,
    answer: Answer,
    routes: Routes,
    keys: list[bytes],
    checks: Sequence[Check] = (),
) -> ServerState:
    """The state of a server that takes calls.

    `keys` sign the stream tokens. `checks` of readiness are added to those of disk and store.
    """
    settings, store = host.settings, host.store
    slots = CallSlots(store, settings.max_calls)
    own_checks = [disk_check(settings.data_dir), store_check(store)]
    return ServerState(
        settings=settings,
        host=host,
        registry=registry,
        answer=answer,
        routes=routes,
        slots=slots,
        streams=OpenStreams(slots, host.calls, registry, answer),
        tokens=StreamTokens(keys, host.shared),
        readiness=Readiness([*own_checks, *checks], time.monotonic),
        dialler=None if host.rest is None else Dialler(settings, store, host.rest),
        lag=LoopLagMonitor(time.monotonic()),
    )


STATE: web.AppKey[ServerState] = web.AppKey("state", ServerState)
