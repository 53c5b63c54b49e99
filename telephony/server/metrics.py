"""What one process counts and measures, in Prometheus's words, for `GET /metrics`.

Nothing is done per frame: calls keep integers of their own anyway, which are added up when somebody asks.
What is observed is rare: a turn, an interruption, a late tick of the loop. No label tells who called or what
was said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, GCCollector, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from telephony.audio.g711 import FRAME_SAMPLES
from telephony.call.figures import Measured, Traffic
from telephony.events import EndReason
from telephony.server.admission import Admission

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
RESPONSE_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0)
BARGE_IN_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0)
LAG_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # 0.2: new calls are refused
DURATION_S = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
REFUSED = ("blocked", "draining", "full", "lag")
"""Reasons to turn a call away at the webhook."""
REJECTED = ("signature", "sockets", "stream", "host", "forwarded", "origin", "peer", "brake")
"""Reasons not to let a request or a media socket in, which is not, or not yet, a call."""
WRONG_KEYS = ("api_key", "metrics_token", "signature", "stream_token")
"""Kinds of keys that were given and were wrong."""
END_REASONS = {
    EndReason.CALLER: "caller",
    EndReason.AGENT: "agent",
    EndReason.ERROR: "error",
    EndReason.SOCKET_LOST: "lost",
}
CUT = "cut"  # by the end of the server, by a newer stream of the same call, or by a failure of ours


class Metrics(Collector):
    """The measures of one process, with a registry of their own."""

    def __init__(self, admission: Admission, unwritten: Callable[[], int]) -> None:
        """`unwritten` counts the events and records of calls that could not be written."""
        self._admission = admission
        self._unwritten = unwritten
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._running: set[Measured] = set()
        self._past = Traffic()
        self._ended: Counter[tuple[str, str]] = Counter()
        self._duration = self._histogram("voice_call_duration_seconds", "Length of a stream", DURATION_S)
        self._response = self._histogram(
            "voice_turn_response_latency_seconds",
            "From the caller's last sound to our first at the caller's ear; counted at the call's end",
            RESPONSE_S,
        )
        self._barge_in = self._histogram(
            "voice_barge_in_latency_seconds",
            "From StartOfTurn received to the carrier's clear written",
            BARGE_IN_S,
        )
        self._lag = self._histogram(
            "voice_event_loop_lag_seconds", "By how much the event loop was late, ten times a second", LAG_S
        )
        self.registry.register(self)

    def _histogram(self, name: str, meaning: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(name, meaning, buckets=buckets, registry=self.registry)

    def began(self, call: Measured) -> None:
        """A stream has begun."""
        self._running.add(call)

    def ended(self, call: Measured) -> None:
        """It is over: what it counted is kept, the call is not."""
        self._running.discard(call)
        self._past += call.traffic()
        outcome = call.outcome()
        direction = "outbound" if outcome.dialled else "inbound"
        label = CUT if outcome.ended_by is None else END_REASONS.get(outcome.ended_by, CUT)
        self._ended[direction, label] += 1
        self._duration.observe(outcome.duration_s)
        for seconds in outcome.responses_s:
            self._response.observe(seconds)

    def barged_in(self, seconds: float) -> None:
        """The caller spoke, and this much later the order to fall silent was written to the carrier."""
        self._barge_in.observe(seconds)

    def late(self, seconds: float) -> None:
        """The event loop came back to a timer by so much too late."""
        self._lag.observe(seconds)

    def text(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """What is added up at the moment of asking."""
        yield from _admission_metrics(self._admission)
        traffic = sum((call.traffic() for call in self._running), self._past)
        yield GaugeMetricFamily("voice_calls_active", "Streams of calls that run now", len(self._running))
        calls = CounterMetricFamily(
            "voice_calls", "Streams of calls that have ended", labels=("direction", "end_reason")
        )
        for labels, count in self._ended.items():
            calls.add_metric(labels, count)
        yield calls
        frames = CounterMetricFamily("voice_media_frames", "Media, in frames of 20 ms", labels=("dir",))
        frames.add_metric(("in",), traffic.frames_in)
        frames.add_metric(("out",), traffic.samples_out // FRAME_SAMPLES)
        yield frames
        lost, late = traffic.samples_lost // FRAME_SAMPLES, traffic.samples_late // FRAME_SAMPLES
        yield CounterMetricFamily(
            "voice_media_frames_lost", "Frames that the caller's timestamps skipped", lost
        )
        yield CounterMetricFamily("voice_media_frames_late", "Frames that came too late, or twice", late)
        yield CounterMetricFamily(
            "voice_playout_underruns", "Gaps within a reply, its audio not being there", traffic.underruns
        )
        yield CounterMetricFamily(
            "voice_record_left_out",
            "Events and records of calls that could not be written",
            self._unwritten(),
        )
        reconnects = CounterMetricFamily(
            "voice_stt_reconnects", "Listening connections that had to be made again", labels=("reason",)
        )
        reconnects.add_metric(("lost",), traffic.stt_lost)
        reconnects.add_metric(("handshake",), traffic.stt_failed)
        yield reconnects


def _admission_metrics(admission: Admission) -> Iterator[Metric]:
    """Refusals by reason, and whether the process is stopping."""
    refused = CounterMetricFamily(
        "voice_admission_refused", "Calls turned away at the webhook", labels=("reason",)
    )
    rejected = CounterMetricFamily(
        "voice_webhook_rejected", "Requests and media sockets that were not let in", labels=("reason",)
    )
    for family, reasons in ((refused, REFUSED), (rejected, REJECTED)):
        for reason in reasons:
            family.add_metric((reason,), admission.counters[reason])
        yield family
    wrong = CounterMetricFamily(
        "voice_wrong_keys", "Keys, tokens and signatures that were given and were wrong", labels=("kind",)
    )
    for kind in WRONG_KEYS:
        wrong.add_metric((kind,), admission.counters[f"wrong {kind}"])
    yield wrong
    draining = int(admission.draining)
    yield GaugeMetricFamily("voice_drain_state", "1: running calls go on, new ones do not", draining)
