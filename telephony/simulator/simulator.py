"""A pretend carrier: asks the webhook, carries out the TwiML, opens the media stream, and plays the caller.

As faithful as is known: Twilio's parameters, signatures, user agent and messages; 20 ms frames from the first
to the last second; marks and `clear` on a playout clock; after the server closes the socket the call goes on
with `<Connect action>` or the next verb. What it found wrong is in the result, with Twilio's codes.
One difference: `ws://` to this machine is allowed, since a server here has no certificate.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from urllib.parse import urljoin, urlsplit

import aiohttp

from telephony.config.kinds import host_is_loopback
from telephony.simulator import twiml_reader as twiml
from telephony.simulator.call_options import CallOptions
from telephony.simulator.call_report import CallResult, recordings, speech_problems
from telephony.simulator.caller import Caller
from telephony.simulator.carrier_stream import CarrierStream
from telephony.simulator.media_leg import CallClock, End, LegEnd, MediaLeg, open_socket
from telephony.simulator.network import NetworkModel
from telephony.simulator.phone import Phone
from telephony.simulator.webhook_client import HttpError, WebhookClient, WebhookUnanswered

HANDSHAKE_REFUSED = 31920
BROKEN_PIPE = 31903
SERVER_CLOSED = 31921
ORDINARY_CLOSE = (1000, 1001, 1005, 1012)
"""Close codes of a server that is done, or goes away; 1005 is a close without a code."""
MAX_VERBS = 100
"""A call whose documents redirect to each other for ever is ended (Twilio does so, too)."""
SAY_S_PER_WORD = 0.35
LONGEST_SAY_S = 20.0
DIGIT_S = 0.2


async def place_call(caller: Caller, options: CallOptions) -> CallResult:
    """Place one call. Raises BadInput where the server does not answer the webhook, or not with TwiML."""
    return await _Call(caller, options).place()


class _Call:
    """One call, from the webhook to the end."""

    def __init__(self, caller: Caller, options: CallOptions) -> None:
        self._options = options
        self._caller = caller
        self._sid = options.call_sid or "CA" + uuid.uuid4().hex
        self._phone = Phone(caller, NetworkModel(options.impairments))
        self._clock = CallClock(options.impairments.drift_ppm)
        self._result = CallResult(self._sid, options.source, phone=self._phone)
        self._streams = 0
        self._dials = 0

    async def place(self) -> CallResult:
        options = self._options
        bare = ("User-Agent", "Accept")
        async with (
            aiohttp.ClientSession(skip_auto_headers=bare) as session,
            aiohttp.ClientSession(skip_auto_headers=bare) as self._media,
        ):
            self._web = WebhookClient(session, options, self._sid, self._caller.learn)
            watching = asyncio.create_task(self._web.watch())
            try:
                await self._live()
                if not self._phone.dropped:  # else a server must find out by itself
                    await self._web.completed(self._phone.duration_s)
                self._result.record = await self._web.final_record()
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                self._result.flags = self._phone.facts.flags
                self._result.duration_s = self._phone.duration_s
                self._result.broken = self._caller.broken(self._result.as_json())
                self._result.broken += speech_problems(self._result)
                await asyncio.to_thread(self._write)
        return self._result

    async def _live(self) -> None:
        """From document to document, until one of them ends the call."""
        url, method = self._web.voice_url, "POST"
        more: dict[str, str] = {"CallStatus": "ringing"}
        for _ in range(MAX_VERBS):
            try:
                document = await self._web.fetch(url, method, more)
            except (HttpError, WebhookUnanswered, twiml.BadTwiML) as error:
                if not self._streams:
                    raise self._web.bad_input(url, error) from error
                code = error.code if isinstance(error, twiml.BadTwiML) else error.twilio_code
                self._flag(code, str(error))
                self._end("error", str(error))
                return
            for warning in document.warnings:
                self._flag(twiml.SCHEMA, warning)
            following = await self._until_ordered(document, url)
            if following is None:
                return
            url, method, more = following
        self._end("error", "the TwiML redirects for ever")

    async def _until_ordered(
        self, document: twiml.Document, base: str
    ) -> tuple[str, str, dict[str, str]] | None:
        """Run a document's verbs; an order by REST ends whatever it is at, and its TwiML runs instead."""
        orders = self._options.orders
        if orders is None:
            return await self._carry_out(document, base)
        while True:
            running = asyncio.create_task(self._carry_out(document, base))
            ordered = asyncio.create_task(orders.get())
            try:
                await asyncio.wait((running, ordered), return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    return running.result()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                if not ordered.result():
                    self._end("agent", "hung up by REST")
                    return None
                document = twiml.read_twiml(ordered.result().encode())
            finally:
                running.cancel()
                ordered.cancel()
                await asyncio.gather(running, ordered, return_exceptions=True)

    async def _carry_out(self, document: twiml.Document, base: str) -> tuple[str, str, dict[str, str]] | None:
        """Run a document's verbs. Where the call goes on: URL, method, parameters; None when it is over."""
        for verb in document.verbs:
            self._result.verbs.append(
                {"verb": twiml.verb_name(verb), "at_s": round(self._clock.now(), 3), **_detail(verb)}
            )
            match verb:
                case twiml.HangupVerb():
                    self._end("agent")
                    return None
                case twiml.RejectVerb():
                    self._end("refused", verb.reason)
                    return None
                case twiml.RedirectVerb():
                    return urljoin(base, verb.url), verb.method, {}
                case twiml.ConnectVerb():
                    if await self._connect(verb, base):
                        return None
                    if verb.action is not None:
                        return urljoin(base, verb.action), verb.method, {}
                case twiml.DialVerb():
                    following = await self._dial(verb, base)
                    if following is not None:
                        return following
                case _:
                    await self._wait(_seconds(verb))
            if self._phone.hung_up:
                self._end("caller")
                return None
        self._end("agent")
        return None

    async def _connect(self, verb: twiml.ConnectVerb, base: str) -> bool:
        """Run a media stream. True when the call is over with it."""
        url = urljoin(base.replace("http", "ws", 1), verb.url)
        if not _secure_or_local(url):
            self._flag(twiml.BAD_STREAM_URL, f"<Stream url> {url} does not begin with wss://")
            return False
        stream = CarrierStream("MZ" + uuid.uuid4().hex, self._sid, self._options.account_sid)
        try:
            socket = await open_socket(self._media, self._web.route(url), self._web.handshake_headers(url))
        except (aiohttp.ClientError, TimeoutError) as error:
            self._flag(HANDSHAKE_REFUSED, f"no media stream at {url}: {_why(error)}")
            await self._web.stream_status(verb, stream, "stream-error", _why(error))
            return False
        self._streams += 1
        await self._web.stream_status(verb, stream, "stream-started")
        leg = MediaLeg(socket, self._phone, self._clock)
        ended = await leg.run(stream, dict(verb.parameters), self._cut)
        await socket.close()
        await self._web.stream_status(verb, stream, "stream-stopped")
        self._note_end(ended)
        if ended.end in (End.CALLER, End.DROPPED):
            self._end("caller", "the line was cut" if ended.end is End.DROPPED else "")
        return ended.end in (End.CALLER, End.DROPPED)

    def _note_end(self, ended: LegEnd) -> None:
        if ended.end is End.BROKEN:
            self._flag(BROKEN_PIPE, "the media stream's connection broke")
        elif ended.end is End.SERVER and ended.code not in ORDINARY_CLOSE:
            self._flag(
                SERVER_CLOSED, f"the server closed the media stream with {ended.code} {ended.reason}".rstrip()
            )

    async def _cut(self) -> None:
        """Break the connection: the server sees the end of it, without `stop` and without a close frame."""
        if self._media.connector is not None:
            await self._media.connector.close()

    async def _dial(self, verb: twiml.DialVerb, base: str) -> tuple[str, str, dict[str, str]] | None:
        self._dials += 1
        self._options.report(f"(dialled: {self._options.dial_status})")
        if verb.action is None:
            return None
        answered = self._options.dial_status == "completed"
        more = {"DialCallStatus": self._options.dial_status, "DialBridged": str(answered).lower()}
        if answered:
            more |= {"DialCallSid": "CA" + uuid.uuid4().hex, "DialCallDuration": "0"}
        return urljoin(base, verb.action), verb.method, more

    async def _wait(self, seconds: float) -> None:
        """Time passes without a stream; the caller may hang up meanwhile."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self._clock.started and loop.time() < end and not self._phone.hung_up:
            self._phone.step(self._clock.now())
            await asyncio.sleep(min(0.1, max(0.0, end - loop.time())))
        if not self._clock.started:
            await asyncio.sleep(seconds)

    def _end(self, ended_by: str, why: str = "") -> None:
        self._result.ended_by, self._result.why = ended_by, why

    def _flag(self, code: int, reason: str) -> None:
        self._phone.flag(self._clock.now(), code, reason)

    def _write(self) -> None:
        """Put the recordings, and the tape if it is in reach, into the call's folder."""
        folder, result = self._options.out_dir, self._result
        if folder is None or not self._streams:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, data in recordings(self._phone).items():
                (folder / name).write_bytes(data)
                key = "stereo" if name == "call.wav" else name.removesuffix(".wav")
                result.files[key] = str(folder / name)
        except OSError as error:
            result.broken.append(f"the recordings cannot be written to {folder}: {error.strerror}")
            return
        call_id = (result.record or {}).get("call_id")
        if self._options.data_dir is None or not isinstance(call_id, str) or not call_id.isalnum():
            return
        with contextlib.suppress(OSError):  # a server on another machine, or without records
            tape = self._options.data_dir / "calls" / call_id / "tape.jsonl"
            (folder / "tape.jsonl").write_bytes(tape.read_bytes())
            result.files["tape"] = str(folder / "tape.jsonl")


def _secure_or_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "wss" or (parts.scheme == "ws" and host_is_loopback(parts.hostname or ""))


def _seconds(verb: twiml.Verb) -> float:
    """About how long a verb takes that only makes a sound."""
    match verb:
        case twiml.PauseVerb():
            return verb.seconds
        case twiml.SayVerb():
            return min(LONGEST_SAY_S, SAY_S_PER_WORD * len(verb.text.split()))
        case twiml.PlayVerb():
            return sum(0.5 if digit in "wW" else DIGIT_S for digit in verb.digits)
    return 0.0


def _detail(verb: twiml.Verb) -> dict[str, str]:
    match verb:
        case twiml.SayVerb():
            return {"text": verb.text}
        case twiml.RejectVerb():
            return {"reason": verb.reason}
        case twiml.RedirectVerb() | twiml.ConnectVerb():
            return {"url": verb.url}
        case twiml.DialVerb():
            return {"target": verb.target}
        case twiml.PlayVerb():
            return {"digits": verb.digits} if verb.digits else {"url": verb.url}
    return {}


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"status {error.status}"
    return str(error) or type(error).__name__
