"""GET /metrics as Prometheus reads it, and who may; the lag that turns callers away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from telephony.call.figures import CallOutcome, Traffic
from telephony.playback.pacer import LEAD_S, Pacer
from telephony.server.admission import Admission
from telephony.server.loop_lag import TICK_S, TICKS, LoopLagMonitor
from telephony.server.metrics import Metrics
from tests.real_line import HERE, running
from tests.twilio_side import PUBLIC, late, phone_line, until

TOKEN = {"Authorization": "Bearer for-prometheus"}
PROTECTED = {"METRICS_TOKEN": "for-prometheus"}
Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(text: str) -> Samples:
    """Every value by its name and its labels' values."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def read(url: str) -> tuple[str, Samples]:
    async with ClientSession() as session, session.get(url + "/metrics", headers=TOKEN) as response:
        assert response.status == 200 and response.content_type == "text/plain"
        text = await response.text()
        return text, samples(text)


@pytest.mark.slow
async def test_a_call_moves_the_counters_and_leaves_no_name(tmp_path: Path) -> None:
    """Frames of both directions, answers, interruptions and their latencies, the loop's lag."""
    async with running(tmp_path, **PROTECTED, BARGE_IN="immediate") as server:
        _, before = await read(server.url)
        assert before["voice_calls_active", ()] == 0 and before["voice_media_frames_total", ("in",)] == 0
        result = await server.call(8.0)
        await until(lambda: not server.state.streams.sockets)
        text, after = await read(server.url)
    assert result.record is not None
    answered = [turn for turn in result.record["turns"] if turn["latency_ms"]]
    assert answered
    assert after["voice_calls_active", ()] == 0
    assert sum(value for (name, _), value in after.items() if name == "voice_calls_total") == 1
    assert after["voice_media_frames_total", ("in",)] == result.record["media"]["frames"] > 100
    assert after["voice_media_frames_total", ("out",)] > 10
    assert after["voice_turn_response_latency_seconds_count", ()] == len(answered)
    assert after["voice_call_duration_seconds_count", ()] == 1
    clears = result.as_json()["clears_s"]
    assert 0 < after["voice_barge_in_latency_seconds_count", ()] <= len(clears)
    assert after["voice_event_loop_lag_seconds_count", ()] > 10
    assert after["voice_drain_state", ()] == 0
    assert after["process_open_fds", ()] > 0
    assert "python_gc_collections_total" in text
    labels = "".join(value for _, values in after for value in values)
    assert not re.search("CA[0-9a-f]{8}", text) and HERE not in text and "hello" not in labels
    assert result.call_sid not in text


async def test_this_machine_needs_no_token_where_none_is_set(tmp_path: Path) -> None:
    """But what came through a proxy here is from elsewhere."""
    async with phone_line(tmp_path) as phone:
        assert (await phone.client.get("/metrics")).status == 200
        for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP"):
            assert (await phone.client.get("/metrics", headers={name: "127.0.0.1"})).status == 403


async def test_a_public_server_without_a_token_tells_nobody(tmp_path: Path) -> None:
    """A tunnel's requests come from this machine too."""
    async with phone_line(tmp_path, **PUBLIC) as phone:
        assert (await phone.client.get("/metrics")).status == 403
        assert (await phone.client.get("/metrics", headers={"Authorization": "Bearer key-one"})).status == 403


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer for", "Basic for-prometheus", "Bearer fôr-prometheus"]
)
@pytest.mark.parametrize("public", [True, False])
async def test_with_a_token_set_it_is_asked_of_everybody(tmp_path: Path, given: str, public: bool) -> None:
    """This machine included."""
    environ = {**(PUBLIC if public else {}), **PROTECTED}
    async with phone_line(tmp_path, **environ) as phone:
        headers = {"Authorization": given} if given else {}
        assert (await phone.client.get("/metrics", headers=headers)).status == 401
        assert (await phone.client.get("/metrics", headers=TOKEN)).status == 200


def test_one_stall_is_no_lag_but_a_loop_that_is_always_late_is() -> None:
    """The median of the last beats, and back to nothing as quickly as it came."""
    now = 100.0
    pulse = LoopLagMonitor(now)

    def beat(late: float) -> None:
        nonlocal now
        due = now + TICK_S
        now = due + late
        assert pulse.tick(due, now) == pytest.approx(late)
        assert pulse.last == now

    beat(5.0)
    assert pulse.lag_s() == 0
    for _ in range(TICKS // 2):
        assert pulse.lag_s() == 0
        beat(0.3)
    assert pulse.lag_s() == pytest.approx(0.3)
    for _ in range(TICKS):
        beat(0.0)
    assert pulse.lag_s() == pytest.approx(0)


async def test_a_late_loop_turns_new_calls_away_and_says_why(tmp_path: Path) -> None:
    """They hear that the line is busy, nothing is opened, and a call that was answered before goes on."""
    async with phone_line(tmp_path) as phone:
        late(phone.state, 0.3)
        answer = await phone.twiml("/twilio/voice")
        assert answer.find("Connect") is None and not phone.state.streams.busy
        values = samples(await (await phone.client.get("/metrics")).text())
        assert values["voice_admission_refused_total", ("lag",)] == 1
        assert values["voice_admission_refused_total", ("full",)] == 0
        late(phone.state, 0.1)
        assert (await phone.twiml("/twilio/voice")).find("Connect") is not None


async def test_what_was_not_let_in_is_counted(tmp_path: Path) -> None:
    """By its reason; so is that the server is stopping."""
    async with phone_line(tmp_path, **PUBLIC, **PROTECTED) as phone:
        assert (await phone.client.post("/twilio/voice", data={"CallSid": "CA1"})).status == 403
        phone.state.host.admission.drain()
        values = samples(await (await phone.client.get("/metrics", headers=TOKEN)).text())
    assert values["voice_webhook_rejected_total", ("signature",)] == 1
    assert values["voice_drain_state", ()] == 1


class Ending:
    """A call with these counts and this end."""

    def __init__(self, traffic: Traffic, outcome: CallOutcome) -> None:
        self._traffic, self._outcome = traffic, outcome

    def traffic(self) -> Traffic:
        return self._traffic

    def outcome(self) -> CallOutcome:
        return self._outcome


def test_what_a_call_counted_stays_when_it_is_gone() -> None:
    """No counter ever falls; an end that has no name of its own is `cut`."""
    metrics = Metrics(Admission(draining=True), lambda: 0)
    traffic = Traffic(50, 1600, 320, 160, underruns=1, stt_lost=2, stt_failed=3)
    call = Ending(traffic, CallOutcome(True, None, 3.0, [0.55]))
    metrics.began(call)
    live = samples(metrics.text().decode())
    metrics.ended(call)
    gone = samples(metrics.text().decode())
    for values in (live, gone):
        assert values["voice_media_frames_total", ("in",)] == 50
        assert values["voice_media_frames_total", ("out",)] == 10
        assert values["voice_media_frames_lost_total", ()] == 2
        assert values["voice_media_frames_late_total", ()] == 1
        assert values["voice_playout_underruns_total", ()] == 1
        assert values["voice_stt_reconnects_total", ("lost",)] == 2
        assert values["voice_stt_reconnects_total", ("handshake",)] == 3
    assert (live["voice_calls_active", ()], gone["voice_calls_active", ()]) == (1, 0)
    assert gone["voice_calls_total", ("outbound", "cut")] == 1
    assert gone["voice_turn_response_latency_seconds_bucket", ("0.5",)] == 0
    assert gone["voice_turn_response_latency_seconds_bucket", ("0.6",)] == 1


def test_a_gap_within_a_reply_is_an_underrun_and_its_beginning_is_none() -> None:
    """Nor is audio that came while what was sent ahead still played."""
    pacer = Pacer()
    pacer.play(1, 0, 1, 800, [])
    assert pacer.due(10.0) and pacer.underruns == 0
    pacer.extend(1, 1600)
    assert pacer.due(10.05) and pacer.underruns == 0
    pacer.extend(1, 2400)
    assert pacer.due(10.0 + LEAD_S) and pacer.underruns == 1
    pacer.play(2, 0, 1, 800, [])
    assert pacer.due(20.0) and pacer.underruns == 1
