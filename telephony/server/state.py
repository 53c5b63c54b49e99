"""What the web side of a phone line works with: one Line per server process, reached by its AppKey."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakValueDictionary

from aiohttp import web

from telephony.base.call_slots import CallSlots
from telephony.base.phone_numbers import country_of
from telephony.base.shared_store import SharedStore
from telephony.base.shared_store_memory import FailOpen
from telephony.call.checkpoint import CheckpointWriter
from telephony.call.endings import Endings
from telephony.call.withheld import Withheld
from telephony.carrier import token
from telephony.carrier.call_flow import NextStep, ResumeReason, Step, answer_after
from telephony.carrier.pending_streams import PendingStreams
from telephony.carrier.rest import TwilioRefused, TwilioRest
from telephony.carrier.twiml import render
from telephony.carrier.websocket import FrameSocket
from telephony.config.dial_policy import Forbidden, TransferPolicy, named_targets
from telephony.config.settings import Settings
from telephony.server.dialler import Dialler, forget_dialled
from telephony.server.metrics import Metrics
from telephony.server.number_routes import Route, Routes
from telephony.server.readiness import Readiness, disk_check, store_check

if TYPE_CHECKING:
    from telephony.carrier.media_messages import Started
    from telephony.carrier.media_stream import ServerStream

log = logging.getLogger(__name__)

POLL_S = 0.05
LOOK_S = 0.5
FRAMES_S = 0.4  # Twilio sends 50 frames a second: a stream without one for so long may have ended there
PREWARM_S = 10.0  # speech connections that wait for longer would be paid for nothing
Form = Mapping[str, str]
"""A webhook's fields."""
KNOWN_TTL_S = 30 * 86_400.0
"""A call begins once, and ends once: for so long a captured webhook of it is worth nothing."""
ENDED_TTL_S = KNOWN_TTL_S
CONVERSATION_TTL_S = 3600.0  # a caller may come back from a long transfer
RANDOM_KEY_TTL_S = 30 * 86_400.0
NEXT_TTL_S = 60.0  # Twilio asks for what follows within a second of the socket's close


class CallRecords(Protocol):
    """What /api/calls shows: the calls of now and before. Read only."""

    def snapshot(self, call_id: str) -> dict[str, Any] | None:
        """A running call by our id or its CallSid."""

    async def load(self, call_id: str) -> dict[str, Any] | None:
        """A finished one."""

    async def recent(self, most: int) -> list[dict[str, Any]]:
        """At most so many calls, the running ones first, then the newest: their records without the turns."""

    async def tape_path(self, call_id: str) -> Path | None:
        """Where a call's tape lies."""

    async def delete(self, call_id: str) -> list[str]:
        """Delete a finished call's files, every stream of it; the CallSids of what was deleted."""


class AnswerCall(Protocol):
    """What answers a call whose stream has been let in; returns when its socket is done with."""

    def __call__(self, socket: FrameSocket, stream: ServerStream, started: Started, /) -> Awaitable[None]: ...


@dataclass(slots=True)
class ServerState:
    """One phone line in one process."""

    settings: Settings
    store: SharedStore
    """What processes share. Its failure is one: for dialling, and for deletion."""
    seats: CallSlots
    answer: AnswerCall
    keys: list[bytes]
    """Sign the stream tokens; the first one signs, all verify."""
    clock: Callable[[], float] = time.time
    """Unix seconds, for the hours of the routes. What expires goes by the shared store's time."""
    draining: bool = False
    """Set by SIGTERM: running calls go on, new ones are turned away."""
    waiting: PendingStreams = field(default_factory=PendingStreams)
    """Media sockets that are open and have not said `start` yet."""
    sockets: dict[FrameSocket, str] = field(default_factory=dict)
    """The media sockets of running calls, with their CallSids."""
    rest: TwilioRest | None = None
    """Twilio's REST API, where there are credentials."""
    dialler: Dialler | None = None
    """Places calls, where there are credentials."""
    routes: Routes = field(default_factory=Routes)
    """Who answers which number."""
    prewarm_s: float = PREWARM_S
    prewarm: Callable[[str, Mapping[str, str]], None] = lambda call_sid, about: None
    """Opens speech for a call whose stream is on its way; gets what the stream will be told."""
    forget: Callable[[str], None] = lambda call_sid: None
    """Closes what prewarm opened for a stream that did not come."""
    sounding: Callable[[float], set[str]] = lambda within_s: set()
    """The calls whose stream in this process has brought a frame within so many seconds."""
    lag_s: Callable[[], float] = lambda: 0.0
    """How late the event loop is."""
    say_goodbye: Callable[[], None] = lambda: None
    """Has every running call say goodbye and hang up: the server stops."""
    leave_records: Callable[[], None] = lambda: None
    """Writes the records of the running calls: the process ends now."""
    counters: dict[str, int] = field(default_factory=dict)
    """Refusals by reason, since the start."""
    shared: FailOpen = field(init=False)
    """The same as calls see it, which go on when the store fails."""
    saver: CheckpointWriter = field(init=False)
    """Saves the conversations of the calls that are running."""
    readiness: Readiness = field(init=False)
    """Why calls would not go well now."""
    transfers: TransferPolicy = field(init=False)
    """Where callers may be sent."""
    endings: Endings = field(init=False)
    """Tells agents of calls that are over."""
    withheld: Withheld = field(init=False)
    """What callers said that is not to be saved."""
    metrics: Metrics = field(init=False)
    """What this process measures."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _expected: dict[str, asyncio.TimerHandle] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shared = FailOpen(self.store)
        self.saver = CheckpointWriter(self._save_conversations)
        checks = [disk_check(self.settings.data_dir), store_check(self.store)]
        self.readiness = Readiness(checks, time.monotonic)
        self.endings = Endings(self.is_ended, CONVERSATION_TTL_S)
        self.withheld = Withheld(CONVERSATION_TTL_S, secrets.token_hex(8))
        self.metrics = Metrics(self)
        settings = self.settings
        self.transfers = TransferPolicy(settings.dial_from, settings.dial_prefixes)
        self.allow_transfers((settings.human_number, *dict(settings.transfer_to).values()))

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
        """What Twilio's signatures are checked with; none on a server that stays on this machine."""
        return [secret.reveal() for secret in self.settings.twilio_auth_token]

    def issue_token(self, call_sid: str) -> str:
        """A one-time token for one media stream of this call."""
        return token.issue(self.keys[0], call_sid, secrets.token_urlsafe(16), self.shared.now())

    async def admit_stream(self, text: str, call_sid: str) -> None:
        """Check a stream's token and use it up. Raises BadToken."""
        now = self.shared.now()
        ticket = token.check(self.keys, text, call_sid, now)
        if not await self.shared.claim(f"token:{ticket.nonce}", ticket.remaining_s(now) + 1):
            raise token.BadToken("the stream token was used before")

    async def begin_stream(self, call_sid: str) -> None:
        """A stream was admitted: the call keeps its seat.

        The answer that opened the stream has done its work: when it closes, Twilio asks anew.
        """
        self.endings.stream_began(call_sid)
        await asyncio.gather(
            self.seats.keep(call_sid),
            *(self.shared.take(f"{kind}:{call_sid}") for kind in ("after", "away")),
            self.shared.put(f"answer:{call_sid}", {}, KNOWN_TTL_S),
        )

    async def first_answer(self, call_sid: str) -> str | None:
        """What Twilio was told when the call came in, if that may be told again; None: nothing was.

        Empty: that was long ago, or the call's stream has begun.
        """
        kept = await self.shared.get(f"answer:{call_sid}")
        if kept is None:
            return None
        return str(kept["twiml"]) if self.shared.now() < kept.get("until", 0.0) else ""

    async def keep_first_answer(self, call_sid: str, twiml: str, ttl_s: float) -> str:
        """Keep it, unless another process was quicker; what Twilio is to be told."""
        answer = {"twiml": twiml, "until": self.shared.now() + ttl_s}
        kept = await self.shared.keep(f"answer:{call_sid}", answer, KNOWN_TTL_S)
        return str(kept.get("twiml", twiml))

    async def set_next_step(self, call_sid: str, word: NextStep) -> None:
        """Say how the call goes on. To be awaited before its media socket is closed: Twilio asks at once.

        A transfer is made by REST where that is possible: then Twilio ends the stream, and asks nothing.
        The word is there all the same until REST has answered, should it never do.
        """
        if word.then is Step.TRANSFER:
            word = NextStep.transfer(word.to)
        if word.then is Step.TRANSFER:
            await self.shared.put(f"away:{call_sid}", {"with": "dial"}, CONVERSATION_TTL_S)
        await self.shared.put(f"next:{call_sid}", word.as_dict(), NEXT_TTL_S)
        await self.shared.take(f"after:{call_sid}")  # what is asked next is no repetition
        if word.then is Step.TRANSFER and self.rest is not None and self.settings.public_url:
            answer = answer_after(word, {})
            after_url = f"{self.settings.public_url}/twilio/after"
            try:
                await self.rest.redirect(
                    call_sid, render(answer.template, after_url=after_url, **answer.values)
                )
            except TwilioRefused as error:
                log.warning("call %s: no transfer by REST, closing the socket does it: %s", call_sid, error)
                return
            await self.shared.take(f"next:{call_sid}")

    def allow_transfers(self, named: Iterable[str]) -> None:
        """Callers may be sent to these, too: the operator wrote them down."""
        targets = named_targets(named, country_of(self.transfers.own))
        self.transfers = replace(self.transfers, named=self.transfers.named | targets)

    def transfer(self, call_sid: str, to: str, called: str) -> NextStep:
        """What becomes of an agent's Transfer in a call to our number `called`.

        Where it may not go, the conversation goes on, and the caller is told that nobody could be reached.
        """
        if NextStep.transfer(to).then is not Step.TRANSFER:  # keys, or music
            return NextStep(Step.TRANSFER, to=to)
        try:
            return NextStep(Step.TRANSFER, to=self.transfers.target(to, called))
        except Forbidden as error:
            log.warning("call %s: no transfer: %s", call_sid, error)
            self.refused("transfer")
            return NextStep(Step.RESUME, text=ResumeReason.TRANSFER_REFUSED)

    def one_by_one(self, call_sid: str) -> asyncio.Lock:
        """To be held by what answers a webhook of this call: the next one sees what it did."""
        return self._turns.setdefault(call_sid, asyncio.Lock())

    async def pop_next_step(self, call_sid: str) -> NextStep | None:
        """What set_next_step left, once."""
        left = await self.shared.take(f"next:{call_sid}")
        return None if left is None else NextStep.from_dict(left)

    async def route_call(self, call_sid: str, form: Form) -> Route | None:
        """The route of a new call, kept for its resumes; None when its caller is blocked."""
        route = self.routes.choose(form.get("To", ""), form.get("From", ""), self.clock())
        if route is not None and route.name:
            await self.shared.put(f"route:{call_sid}", {"name": route.name}, CONVERSATION_TTL_S)
        return route

    async def route_of(self, call_sid: str) -> Route:
        """The route that was chosen when the call began, whatever the hour is now."""
        kept = await self.shared.get(f"route:{call_sid}") if self.routes.routes else None
        return self.routes.named(str(kept["name"])) if kept else self.routes.default

    async def save_conversation(self, call_sid: str, state: Mapping[str, Any]) -> None:
        """Keep what a new stream of this call would need to go on where this one stopped.

        What is withheld stays in this process: see `Withheld`.
        """
        saved = self.withheld.keep(call_sid, state, time.monotonic())
        key = f"conversation:{call_sid}"
        put = self.shared.put(key, saved, CONVERSATION_TTL_S)
        _, ended = await asyncio.gather(put, self.is_ended(call_sid))
        if ended:  # the carrier said so first: nothing can resume it
            self.withheld.forget(call_sid)
            await self.shared.take(key)

    async def _save_conversations(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        """The same for several calls that are running; what is known to be over is left out."""
        now = time.monotonic()
        rows = [
            (f"conversation:{sid}", self.withheld.keep(sid, state, now), f"ended:{sid}")
            for sid, state in states.items()
        ]
        await self.shared.put_all(rows, CONVERSATION_TTL_S)

    async def forget_conversation(self, call_sid: str) -> None:
        """No new stream of this call is to come."""
        self.withheld.forget(call_sid)
        await self.shared.take(f"conversation:{call_sid}")

    async def saved_conversation(self, call_sid: str) -> dict[str, Any] | None:
        """What save_conversation kept last; what was withheld only where this process did."""
        saved = await self.shared.get(f"conversation:{call_sid}")
        return None if saved is None else self.withheld.whole(call_sid, saved)

    async def forget_call(self, call_sid: str) -> None:
        """Delete what the shared store knows of a call. Raises SharedStoreFailure when it stays there."""
        self.withheld.forget(call_sid)
        dialled = await self.store.get(f"dialled:{call_sid}")
        keys = [f"{kind}:{call_sid}" for kind in ("answer", "after", "away", "next", "route", "conversation")]
        for key in keys:
            self.shared.forget(key)
            await self.store.take(key)
        await self.shared.put(f"ended:{call_sid}", {}, ENDED_TTL_S)  # its webhooks must not begin it again
        if dialled is not None:
            await forget_dialled(self.store, dialled["dial"])
        await self.store.scrub()

    async def call_ended(self, call_sid: str) -> None:
        """The call is over: nothing can resume it, and what waits for its stream is given back."""
        self.withheld.forget(call_sid)
        self.endings.call_ended(call_sid)
        self.stream_came(call_sid)
        self.stream_done(call_sid)
        await asyncio.gather(
            self.shared.put(f"ended:{call_sid}", {}, ENDED_TTL_S),
            self.shared.take(f"conversation:{call_sid}"),
            self.seats.give_back(call_sid),
        )

    async def end_streams(self, call_sid: str, within_s: float, *, but: object = None) -> None:
        """Have the call's streams in this process end by themselves, and close those that do not in time."""
        end = asyncio.get_running_loop().time() + within_s
        while others := [one for one, sid in self.sockets.items() if sid == call_sid and one is not but]:
            if asyncio.get_running_loop().time() >= end:
                log.warning("call %s: its stream is closed, since it did not end by itself", call_sid)
                await asyncio.gather(*(one.close() for one in others), return_exceptions=True)
                return
            await asyncio.sleep(POLL_S)

    async def streams(self, call_sid: str) -> bool:
        """Whether a stream of the call brings sound: it has not ended for Twilio then, which asks nothing.

        The other processes know of one that has just fallen silent after LOOK_S.
        """
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while True:
            here = call_sid in self.sounding(FRAMES_S)
            if not here and not await self.seats.sounds_elsewhere(call_sid):
                return False
            if loop.time() >= begin + FRAMES_S + (0.0 if here else 2 * LOOK_S):
                return True
            await asyncio.sleep(FRAMES_S / 10)

    async def is_ended(self, call_sid: str) -> bool:
        """Whether this call is known to be over."""
        return await self.shared.get(f"ended:{call_sid}") is not None

    def expect_stream(self, call_sid: str, about: Mapping[str, str]) -> None:
        """A stream of an admitted call is on its way: have speech ready, for `prewarm_s`."""
        if call_sid not in self._expected:
            self.prewarm(call_sid, about)
            loop = asyncio.get_running_loop()
            self._expected[call_sid] = loop.call_later(self.prewarm_s, self._not_come, call_sid)

    def stream_came(self, call_sid: str) -> None:
        """It is here; what was opened for it is its own now."""
        timer = self._expected.pop(call_sid, None)
        if timer is not None:
            timer.cancel()

    async def watch_calls(self) -> None:
        """To be run while the server runs: other processes hear of our calls, and tell of their end."""
        while True:
            await asyncio.sleep(LOOK_S)
            sounding = self.sounding(FRAMES_S)
            await asyncio.gather(*(self.seats.sounds(sid, sid in sounding) for sid in self.sockets.values()))
            for call_sid in list(self._expected):
                if await self.is_ended(call_sid):
                    self.stream_came(call_sid)
                    self.stream_done(call_sid)
                    await self.seats.give_back(call_sid)

    def stream_done(self, call_sid: str) -> None:
        """A stream is over, or none will come: what was opened for it is closed, if it was not taken over."""
        if call_sid not in self._expected:
            self.forget(call_sid)

    @property
    def busy(self) -> bool:
        """Whether there are streams of calls, or some are on their way."""
        return bool(self.sockets or self._expected)

    def _not_come(self, call_sid: str) -> None:
        del self._expected[call_sid]
        log.warning("call %s: no stream came within %g s of our answer", call_sid, self.prewarm_s)
        self.forget(call_sid)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done that nobody waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refused(self, reason: str) -> None:
        """Count a refusal."""
        self.counters[reason] = self.counters.get(reason, 0) + 1


async def make_line(settings: Settings, shared: SharedStore) -> ServerState:
    """A line on which nobody answers yet. Raises SharedStoreFailure when the store cannot be used."""
    stream_secrets = [secret.reveal() for secret in settings.stream_secret]
    auth_tokens = [secret.reveal() for secret in settings.twilio_auth_token]
    # On loopback, where there may be neither, the key is random, and the same for all on one DATA_DIR.
    random_key = await shared.keep("stream key", {"hex": secrets.token_hex(32)}, RANDOM_KEY_TTL_S)
    keys = token.derive_keys(stream_secrets, auth_tokens, bytes.fromhex(random_key["hex"]))
    return ServerState(settings, shared, CallSlots(shared, settings.max_calls), nobody, keys)


async def nobody(socket: FrameSocket, stream: ServerStream, started: Started) -> None:
    """Answers a call by hanging up."""


LINE: web.AppKey[ServerState] = web.AppKey("line", ServerState)
