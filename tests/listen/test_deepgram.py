"""The Flux client against a Flux server at the wire: real SDK, real sockets, every fault it may meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from telephony.deepgram import flux_codec
from telephony.deepgram.breaker import FAILURES, PROBE_S
from telephony.deepgram.retry import HEDGE_S
from telephony.listen.connection import FluxConnection
from telephony.listen.deepgram import FluxClient
from telephony.listen.events import ListenEvent, SttConnected, SttDisconnected
from telephony.listen.turns import TurnEvent, TurnKind, TurnTracker
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_scripts import FIRST, Cycle, RecordedScript
from telephony.testing.faults import Faults, RefusalFault
from tests.listen.recordings import CAPTURE, texts
from tests.pacing import paced, until

OPTIONS = flux_codec.FluxOptions(encoding="linear16", sample_rate=16000, eager_eot_threshold=0.5)
CHUNK = 2560  # 80 ms
Event = TypeVar("Event")


@dataclass
class Line:
    """A call's listening and all it said, turned into turns as a call would."""

    connection: FluxConnection
    events: list[ListenEvent] = field(default_factory=list)
    turns: list[TurnEvent] = field(default_factory=list)
    caller: TurnTracker = field(default_factory=TurnTracker)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def receive(self, event: ListenEvent) -> None:
        self.events.append(event)
        match event:
            case SttConnected():
                self.turns += self.caller.connected(event.offset_s)
            case flux_codec.TurnInfo():
                self.turns += self.caller.receive(event)
        self.changed.set()

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def ended(self) -> list[str]:
        return [turn.text for turn in self.turns if turn.kind is TurnKind.ENDED]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for events until the condition holds; the test fails after 10 s."""
        async with asyncio.timeout(10):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def heard_s(self) -> float:
        """Seconds of audio that the service has spoken of."""
        return max((info.audio_window_end for info in self.of(flux_codec.TurnInfo)), default=0.0)

    async def until_heard(self, seconds: float) -> None:
        await self.until(lambda: self.heard_s() >= seconds)

    def speak(self, seconds: float) -> None:
        """Give so much audio at once."""
        for _ in range(round(seconds / 0.08)):
            self.connection.send_audio(bytes(CHUNK))


@asynccontextmanager
async def listening(
    server: FakeFlux,
    options: flux_codec.FluxOptions = OPTIONS,
    key: str = "",
    connect_s: tuple[float, ...] = (1.5,),
) -> AsyncIterator[Line]:
    client = FluxClient(server.url, key, connect_s=connect_s)
    line: list[Line] = []
    connection = client.open(options, lambda event: line[0].receive(event))
    line.append(Line(connection))
    running = asyncio.create_task(connection.run())
    try:
        yield line[0]
    finally:
        await connection.close()
        await running
        await client.close()


async def test_a_recorded_session_is_heard_through_the_sdk() -> None:
    """The capture of the live service, played by audio: every TurnInfo arrives, in order, with its words."""
    recorded = [flux_codec.decode_server(text) for text in texts(CAPTURE)]
    async with FakeFlux(lambda _: RecordedScript(recorded)) as server, listening(server) as line:
        for reached in (7.2, 14.4, 21.6):
            line.speak(7.36)
            await line.until_heard(reached)
        expected = [m for m in recorded if isinstance(m, flux_codec.TurnInfo)]
        await line.until(lambda: len(line.of(flux_codec.TurnInfo)) == len(expected))
        heard = [(m.event, m.transcript, m.words) for m in line.of(flux_codec.TurnInfo)]
        assert heard == [(m.event, m.transcript, m.words) for m in expected]
        assert line.ended()[0].startswith("We the people of the United States, in order")
        assert line.of(SttConnected) == [SttConnected(1, 0.0)]


async def test_the_handshake_asks_for_what_was_chosen() -> None:
    """Every option reaches the service through the SDK, repeated ones each by itself."""
    options = flux_codec.FluxOptions(
        "flux-general-multi", "mulaw", 8000, 0.8, 0.4, 6000, ("Acme, Inc", "a&b"), ("en", "es"), False, True,
        ("numbers",), True, ("x", "y"),
    )  # fmt: skip
    async with FakeFlux() as server, listening(server, options) as line:
        await line.until(lambda: line.of(SttConnected))
        assert server.sessions[0].first_options == options


async def test_a_bad_option_is_refused_before_anything_is_opened() -> None:
    """The error names the parameter."""
    client = FluxClient("ws://127.0.0.1:1")
    with pytest.raises(flux_codec.BadFluxOptions, match="eager_eot_threshold: 0.8 is above the default"):
        client.open(flux_codec.FluxOptions(eager_eot_threshold=0.8), lambda event: None)


async def test_audio_arrives_whole_and_in_order() -> None:
    """Every byte given reaches the service once."""
    async with FakeFlux() as server, listening(server) as line:
        chunks = [bytes([n]) * CHUNK for n in range(100)]
        for chunk in chunks:
            line.connection.send_audio(chunk)
        await line.until(lambda: line.heard_s() == 8.0)
        assert bytes(server.sessions[0].audio) == b"".join(chunks)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404])
async def test_a_final_refusal_is_not_asked_again(status: int) -> None:
    """Its status and the service's own words are reported; run() ends by itself."""
    refusal = RefusalFault(status, "eot_threshold must be 0.5-1.0", '{"err_msg":"eot_threshold"}')
    async with FakeFlux(faults=[Faults(refuse=refusal)]) as server, listening(server) as line:
        await line.until(lambda: line.of(SttDisconnected))
        down = line.of(SttDisconnected)[0]
        assert (down.status, down.dg_error, down.retry) == (status, refusal.dg_error, False)
        assert "eot_threshold must be" in down.reason
    assert len(server.refused) == 1


async def test_a_refusal_without_dg_error_gives_the_reason_of_its_body() -> None:
    """Proxies and older builds answer with a body only."""
    faults = [Faults(refuse=RefusalFault(403, None, '{"err_code":"X","err_msg":"no such model"}'))]
    async with FakeFlux(faults=faults) as server, listening(server) as line:
        await line.until(lambda: line.of(SttDisconnected))
        assert "no such model" in line.of(SttDisconnected)[0].reason


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_passing_refusal_is_asked_again(status: int) -> None:
    """The audio given meanwhile is heard, from its first second."""
    faults = [Faults(refuse=RefusalFault(status)), Faults(refuse=RefusalFault(status)), Faults()]
    async with FakeFlux(faults=faults) as server, listening(server) as line:
        line.speak(1.6)
        await line.until(lambda: line.ended())
        assert [(d.status, d.retry) for d in line.of(SttDisconnected)] == [(status, True)] * 2
        assert line.of(SttConnected)[0].offset_s == 0.0
        assert server.sessions[0].audio_s == pytest.approx(1.6)


async def test_a_slow_handshake_is_given_up() -> None:
    """The next try has its own deadline."""
    faults = [Faults(handshake_delay_s=30), Faults()]
    async with FakeFlux(faults=faults) as server, listening(server, connect_s=(0.1, 5)) as line:
        await line.until(lambda: line.of(SttConnected))
        assert line.of(SttDisconnected)[0].reason == "no handshake within 0.1 s"


async def test_a_slow_handshake_gets_another_beside_it() -> None:
    """The one that is answered is used, and the call never learns of the other."""
    faults = [Faults(handshake_delay_s=30), Faults()]
    async with FakeFlux(faults=faults) as server, listening(server) as line:
        began = asyncio.get_running_loop().time()
        line.speak(1.6)
        await line.until(lambda: line.of(SttConnected))
        assert HEDGE_S <= asyncio.get_running_loop().time() - began < 1.5
        await line.until(lambda: line.ended())
        assert not line.of(SttDisconnected)
        assert len(server.sessions) == 1
        assert server.sessions[0].audio_s == pytest.approx(1.6)


async def test_two_hundred_calls_do_not_hammer_a_service_that_is_down() -> None:
    """One call at a time asks again; when the service is back, all are up within a second."""
    down, calls = Faults(refuse=RefusalFault(503)), 200
    async with FakeFlux(faults=[down]) as server:
        client = FluxClient(server.url)
        lines: list[Line] = []

        def receiver(number: int) -> Callable[[ListenEvent], None]:
            return lambda event: lines[number].receive(event)

        lines += [Line(client.open(OPTIONS, receiver(number))) for number in range(calls)]
        loop = asyncio.get_running_loop()
        for line in lines:
            line.connection.start()
        await until(lambda: all(line.of(SttDisconnected) for line in lines))
        assert client.breaker.is_open(loop.time())
        began, before = loop.time(), len(server.refused)
        await until(lambda: len(server.refused) >= before + 3)
        probes = (loop.time() - began) / PROBE_S
        assert before <= 2 * calls  # what was under way when the first failed
        assert len(server.refused) - before <= probes + 1
        server.misbehave(Faults())
        back = loop.time()
        for line in lines:
            line.speak(0.08)
        await until(lambda: all(line.of(SttConnected) for line in lines))
        assert loop.time() - back < 3.0  # two hundred handshakes on a busy machine
        assert not client.breaker.is_open(loop.time())
        await asyncio.gather(*(line.connection.close() for line in lines))
        await asyncio.gather(*(line.connection.run() for line in lines))
        await client.close()


async def test_a_call_that_begins_while_the_service_is_down_knows_it() -> None:
    """It did not try by itself; without the news it would wait in silence."""
    async with FakeFlux() as server:
        client = FluxClient(server.url)
        for _ in range(FAILURES):
            client.breaker.failed(asyncio.get_running_loop().time())
        line: list[Line] = []
        line.append(Line(client.open(OPTIONS, lambda event: line[0].receive(event))))
        line[0].connection.start()
        line[0].speak(1.6)
        await line[0].until(lambda: line[0].ended())
        assert [type(event) for event in line[0].events[:2]] == [SttDisconnected, SttConnected]
        assert line[0].of(SttDisconnected)[0].retry
        assert line[0].of(SttConnected)[0].offset_s == 0.0
        await line[0].connection.close()
        await line[0].connection.run()
        await client.close()


LOSSES = {
    "reset": Faults(reset_after_s=0.8),
    "closed": Faults(close_after_s=0.8),
    "error": Faults(error_after_s=0.8),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_connection_lost_mid_word_loses_no_word(loss: str) -> None:
    """The audio since the last turn's end is heard again; the turn is one turn, on the caller's clock."""
    async with FakeFlux(faults=[LOSSES[loss], Faults()]) as server, listening(server) as line:
        line.speak(0.8)
        await line.until(lambda: line.of(SttDisconnected))
        line.speak(0.8)
        await line.until(lambda: line.ended())
        assert [turn.kind for turn in line.turns].count(TurnKind.STARTED) == 1
        assert line.ended() == ["can I get a large latte please"]
        assert line.turns[-1].audio_end == pytest.approx(1.5, abs=0.01)
        assert server.sessions[1].audio_s == pytest.approx(1.6)


async def test_what_is_settled_is_not_sent_again() -> None:
    """After an EndOfTurn a new connection begins at that end; the caller's clock goes on."""
    faults = [Faults(reset_after_s=2.4), Faults()]
    async with FakeFlux(lambda _: Cycle(), faults) as server, listening(server) as line:
        line.speak(2.0)
        await line.until(lambda: line.ended())
        line.speak(2.0)
        await line.until(lambda: len(line.of(SttConnected)) == 2)
        offset = line.of(SttConnected)[1].offset_s
        assert offset == pytest.approx(1.44)  # the chunk that holds 1.5 s, the end of the turn
        await line.until(lambda: len(line.ended()) == 2)
        ends = [turn.audio_end for turn in line.turns if turn.kind is TurnKind.ENDED]
        assert ends == pytest.approx([1.5, offset + 1.5])
        assert bytes(server.sessions[1].audio)[:1] == b"\x00"


async def test_a_service_that_stops_reading_is_noticed_and_left() -> None:
    """pipecat 5796: the peer stops reading. The caller's audio is never held up, and the next one gets it."""
    faults = [Faults(stops_reading_after_s=0.4), Faults()]
    async with FakeFlux(faults=faults) as server, listening(server) as line:
        line.speak(8)
        await line.until(lambda: line.ended())
        assert "no message" in line.of(SttDisconnected)[0].reason
        await line.until(lambda: line.heard_s() == 8.0)
        assert server.sessions[1].audio_s == pytest.approx(8)


async def test_a_silent_service_is_noticed_and_left() -> None:
    """pipecat 5735: the socket lives, audio flows, and no event comes for 23 s. Here: for 2 s."""
    async with (
        FakeFlux(faults=[Faults(silent_after_s=0.7), Faults()]) as server,
        listening(server) as line,
    ):
        loop = asyncio.get_running_loop()
        began = loop.time()
        line.speak(4)
        await line.until(lambda: line.ended())
        assert 2.0 <= loop.time() - began < 3.5
        assert "no message for 2 s" in line.of(SttDisconnected)[0].reason


STALE = '{"type":"TurnInfo","event":"Update","turn_index":0,"transcript":"","words":[],"sequence_id":0,'
STALE += '"end_of_turn_confidence":0.1,"audio_window_start":0.0,"audio_window_end":0.25}'
AHEAD = STALE.replace('"audio_window_end":0.25', '"audio_window_end":900.0')
NO_NUMBER = STALE.replace("0.25", '"NaN"')
WARNING = '{"type":"Warning","code":"X","description":"y"}'


@pytest.mark.parametrize(
    "rubbish",
    [
        ("not JSON at all",), ("", "[]", '{"type":"TurnInfo"}'), ('{"type":"Weather"}',), (STALE,),
        (AHEAD,), (WARNING,), ('{"type":"ConfigureFailure"}',), ('{"type":"Connected"}', NO_NUMBER),
    ],
    ids=["no JSON", "no message", "unknown type", "stale clock", "clock ahead", "warnings", "answers", "NaN"],
)  # fmt: skip
async def test_a_service_that_sends_rubbish_is_as_dead_as_a_silent_one(rubbish: tuple[str, ...]) -> None:
    """Also where its messages look like life: the audio's clock stands still. The next one hears the turn."""
    async with (
        FakeFlux(faults=[Faults(rubbish_after_s=0.7, rubbish=rubbish), Faults()]) as server,
        listening(server) as line,
    ):
        line.speak(0.8)
        await line.until(lambda: line.of(flux_codec.TurnInfo))
        sending = asyncio.create_task(_go_on(line))
        await line.until(lambda: line.of(SttDisconnected))
        sending.cancel()
        assert "no message for 2 s" in line.of(SttDisconnected)[0].reason
        assert server.sessions[0].audio_s < 4.0 and server.sessions[0].rubbish_sent >= 4
        await line.until(lambda: line.ended())
        assert line.ended()[0] == FIRST


async def _go_on(line: Line) -> None:
    """Audio as it comes, as from a caller."""
    async for _ in paced(0.08):
        line.connection.send_audio(bytes(CHUNK))


async def test_a_defect_in_taking_a_message_costs_that_message_only(caplog: pytest.LogCaptureFixture) -> None:
    """It is counted, told once with its stack, and listening goes on."""
    async with FakeFlux() as server, listening(server) as line:
        take, failed = line.receive, list[flux_codec.TurnInfo]()

        def receive(event: ListenEvent) -> None:
            if isinstance(event, flux_codec.TurnInfo) and len(failed) < 3:
                failed.append(event)
                raise ZeroDivisionError
            take(event)

        line.receive = receive  # type: ignore[method-assign]
        line.speak(1.6)
        await line.until(lambda: line.ended())
        assert line.connection.counts.defects == 3 and not line.of(SttDisconnected)
        assert caplog.text.count("Traceback") == 1


async def test_silence_from_both_sides_is_no_fault() -> None:
    """Without audio the service has nothing to say, and pings keep the socket."""
    async with FakeFlux() as server, listening(server) as line:
        await line.until(lambda: line.of(SttConnected))
        line.connection.check(asyncio.get_running_loop().time() + 3600)
        line.speak(0.3)
        await line.until(lambda: line.of(flux_codec.TurnInfo))
        assert not line.of(SttDisconnected)


async def test_the_call_can_ask_for_a_new_socket() -> None:
    """reopen() drops the socket at once, says why, and the audio is heard again."""
    async with FakeFlux() as server, listening(server) as line:
        line.speak(0.8)
        await line.until(lambda: line.of(flux_codec.TurnInfo))
        line.connection.reopen("the turn does not end")
        await line.until(lambda: len(line.of(SttConnected)) == 2)
        assert line.of(SttDisconnected)[0].reason == "the turn does not end"


async def test_junk_is_counted_and_does_no_harm() -> None:
    """Unknown types, broken JSON and binary messages between the real ones."""
    async with FakeFlux(faults=[Faults(sends_junk=True)]) as server, listening(server) as line:
        line.speak(1.6)
        await line.until(lambda: line.ended())
        assert line.connection.counts.unknown >= 20
        assert not line.of(SttDisconnected)


async def test_one_configure_waits_for_its_answer_at_a_time() -> None:
    """A burst becomes two: the first, and then the last value of each."""
    async with FakeFlux() as server, listening(server) as line:
        await line.until(lambda: line.of(SttConnected))
        for eot in (0.8, 0.9, 0.6):
            line.connection.send(flux_codec.Configure(eot_threshold=eot))
        line.connection.send(flux_codec.Configure(keyterms=("Acme",)))
        await line.until(lambda: len(line.of(flux_codec.ConfigureSuccess)) == 2)
        assert server.sessions[0].received == [
            flux_codec.Configure(eot_threshold=0.8),
            flux_codec.Configure(eot_threshold=0.6, keyterms=("Acme",)),
        ]


async def test_a_configure_without_an_answer_does_not_hold_up_the_next() -> None:
    """After 5 s it is reported as failed, and what waits is sent."""
    async with FakeFlux(faults=[Faults(never_acknowledges=True)]) as server, listening(server) as line:
        await line.until(lambda: line.of(SttConnected))
        line.connection.send(flux_codec.Configure(eot_threshold=0.8))
        line.connection.send(flux_codec.Configure(eot_threshold=0.9))
        line.speak(0.3)
        await line.until(lambda: line.of(flux_codec.TurnInfo))
        line.connection.check(asyncio.get_running_loop().time() + 5.5)
        assert line.of(flux_codec.ConfigureFailure)[0].code == "NO_ANSWER"
        line.speak(0.3)
        await line.until(lambda: line.heard_s() >= 0.5)
        assert [
            m.eot_threshold for m in server.sessions[0].received if isinstance(m, flux_codec.Configure)
        ] == [
            0.8,
            0.9,
        ]


async def test_a_configure_outlives_its_connection() -> None:
    """A new connection is opened with what was configured, answered or not."""
    faults = [Faults(never_acknowledges=True, reset_after_s=0.4), Faults()]
    async with FakeFlux(faults=faults) as server, listening(server) as line:
        await line.until(lambda: line.of(SttConnected))
        line.connection.send(flux_codec.Configure(eot_threshold=0.9))
        line.connection.send(flux_codec.Configure(eot_timeout_ms=9000))
        line.speak(0.8)
        await line.until(lambda: len(line.of(SttConnected)) == 2)
        assert (server.sessions[1].first_options.eot, server.sessions[1].first_options.timeout_ms) == (
            0.9,
            9000,
        )
        await line.until(lambda: line.of(flux_codec.ConfigureSuccess))
        assert line.of(flux_codec.ConfigureSuccess)[0].eot_timeout_ms == 9000


async def test_a_configure_before_the_connection_is_part_of_the_handshake() -> None:
    """Nothing is lost for having been said too early."""
    async with FakeFlux() as server:
        client = FluxClient(server.url)
        up = asyncio.Event()
        connection = client.open(OPTIONS, lambda event: up.set())
        connection.send(flux_codec.Configure(eot_threshold=0.9))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(connection.run())
            await up.wait()
            await connection.close()
        assert server.sessions[0].first_options.eot == 0.9
        await client.close()


async def test_a_refused_configure_changes_nothing() -> None:
    """It is reported, and the next connection is opened without it."""
    async with FakeFlux(faults=[Faults(reset_after_s=0.4), Faults()]) as server, listening(server) as line:
        await line.until(lambda: line.of(SttConnected))
        line.connection.send(flux_codec.Configure(eot_threshold=0.1))
        await line.until(lambda: line.of(flux_codec.ConfigureFailure))
        assert line.of(flux_codec.ConfigureFailure)[0].code == "INVALID_THRESHOLD"
        line.speak(0.8)
        await line.until(lambda: len(line.of(SttConnected)) == 2)
        assert server.sessions[1].first_options == OPTIONS


async def test_a_turn_is_ended_by_force_after_the_audio_given_before() -> None:
    """ForceEndTurn keeps its place in the stream; without a turn it is a warning."""
    async with FakeFlux() as server, listening(server) as line:
        line.connection.send(flux_codec.ForceEndTurn())
        line.speak(0.8)
        line.connection.send(flux_codec.ForceEndTurn())
        await line.until(lambda: line.ended())
        assert [w.code for w in line.of(flux_codec.Warning)] == [flux_codec.NO_ACTIVE_TURN]
        assert line.turns[-1].trigger == "manual"
        assert line.turns[-1].audio_end == pytest.approx(0.8)


async def test_a_message_it_cannot_read_is_not_said_again() -> None:
    """UNPARSABLE is a defect of ours: the new connection does not repeat it."""
    faults = [Faults(error_after_s=0.4, error_code=flux_codec.UNPARSABLE, never_acknowledges=True), Faults()]
    async with FakeFlux(faults=faults) as server, listening(server) as line:
        await line.until(lambda: line.of(SttConnected))
        line.connection.send(flux_codec.Configure(eot_threshold=0.9))
        line.speak(0.8)
        await line.until(lambda: len(line.of(SttConnected)) == 2)
        assert server.sessions[1].first_options == OPTIONS


async def test_a_service_that_fails_at_once_again_and_again_is_given_up() -> None:
    """Three errors within 10 s are final."""
    async with FakeFlux(faults=[Faults(error_after_s=0.1)]) as server, listening(server) as line:
        line.speak(0.8)
        await line.until(lambda: line.of(SttDisconnected) and not line.of(SttDisconnected)[-1].retry)
        assert len(server.sessions) == 3


async def test_the_end_of_a_call_is_said_and_never_reconnects() -> None:
    """CloseStream goes out after the last audio; what comes late is not sent; nothing is opened again."""
    async with FakeFlux() as server, listening(server) as line:
        await line.until(lambda: line.of(SttConnected))
        line.speak(0.8)
        await line.connection.close()
        line.speak(0.8)
        session = server.sessions[0]
        await session.over.wait()
        assert session.received == [flux_codec.CloseStream()]
        assert session.audio_s == pytest.approx(0.8)
    assert len(server.sessions) == 1
    assert not line.of(SttDisconnected)


async def test_the_end_of_a_call_waits_for_nobody() -> None:
    """A service that stops reading is dropped after a second, a handshake under way at once."""
    loop = asyncio.get_running_loop()
    async with FakeFlux(faults=[Faults(stops_reading_after_s=0.1)]) as server, listening(server) as line:
        line.speak(0.4)
        await line.until(lambda: line.of(SttConnected))
        began = loop.time()
        await line.connection.close()
        assert loop.time() - began < 2.5
    async with FakeFlux(faults=[Faults(handshake_delay_s=30)]) as server, listening(server) as line:
        began = loop.time()
    assert loop.time() - began < 0.5


async def test_audio_older_than_ten_seconds_is_dropped_and_the_clock_stays_true() -> None:
    """After a long outage the newest 10 s are heard, at their own times."""
    faults = [Faults(refuse=RefusalFault(503)), Faults()]
    async with FakeFlux(faults=faults) as server, listening(server) as line:
        line.speak(12)
        await line.until(lambda: line.heard_s() == 10.0)
        assert line.of(SttConnected) == [SttConnected(1, 2.0)]
        assert line.connection.dropped_s == pytest.approx(2.0)


async def test_a_connection_that_misses_audio_is_given_up() -> None:
    """A gap would put every later time of that connection wrong; the next one begins at a known second."""
    async with FakeFlux() as server, listening(server) as line:
        line.speak(0.8)
        await line.until(lambda: line.heard_s() > 0.7)
        line.connection.send(
            flux_codec.ForceEndTurn()
        )  # the sender has this to do first, and does not come to it
        line.speak(14.4)
        await line.until(lambda: len(line.of(SttConnected)) == 2)
        assert line.of(SttDisconnected)[0].reason == "it is 10 s behind"
        assert line.of(SttConnected)[1].offset_s == pytest.approx(5.2)


async def test_audio_goes_out_in_its_order_with_and_without_the_sender() -> None:
    """While the sender has nothing to do each chunk is written as it is given; else it takes its turn."""
    async with FakeFlux() as server, listening(server) as line:
        chunks = [bytes([n]) * CHUNK for n in range(60)]
        for at, chunk in enumerate(chunks):
            line.connection.send_audio(chunk)
            if at % 20 == 9:
                line.connection.send(flux_codec.Configure(eot_threshold=0.8))
            if at % 10 == 4:
                await line.until(lambda: line.of(SttConnected))
                await line.until_heard(0.08 * max(0, at - 3))
        await line.until_heard(0.08 * 57)
        assert b"".join(chunks).startswith(bytes(server.sessions[0].audio[: 57 * CHUNK]))
