"""Whatever a client does, in whatever pieces, the engine's wire keeps Flux's guarantees."""

from __future__ import annotations

import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.deepgram.flux_codec import (
    Checker,
    ConfigureFailure,
    ConfigureSuccess,
    FatalError,
    TurnInfo,
    Warning,
)
from telephony.engine.listen.loudness import LoudnessPool
from telephony.engine.server import Engine, make_app
from telephony.engine.speak.synthesizer_pool import SynthesizerPool
from tests.engine.engine_client import FluxClient, events, listening, noise, serving, silence
from tests.engine.tone_voice import ToneVoices

NOISE = noise(20)

STEPS = st.one_of(
    st.tuples(st.just("speech"), st.integers(1, 20)),
    st.tuples(st.just("silence"), st.integers(1, 20)),
    st.tuples(st.just("bytes"), st.binary(max_size=700)),
    st.just(("force", 0)),
    st.tuples(
        st.just("configure"),
        st.fixed_dictionaries(
            {},
            optional={
                "thresholds": st.fixed_dictionaries(
                    {},
                    optional={
                        "eot_threshold": st.sampled_from([0.4, 0.5, 0.9, 1.0]),
                        "eager_eot_threshold": st.sampled_from([0.2, 0.3, 0.6, 0.9]),
                        "eot_timeout_ms": st.sampled_from([100, 500, 700]),
                    },
                ),
                "keyterms": st.lists(st.text(min_size=1, max_size=5).filter(str.strip), max_size=3),
                "numerals": st.booleans(),
            },
        ),
    ),
)


async def converse(client: FluxClient, steps: list[tuple[str, object]], cut: int) -> None:
    for step in steps:
        match step:
            case ("speech", int(blocks)):
                await client.audio(NOISE[: 1280 * blocks], chunk=cut)
            case ("silence", int(blocks)):
                await client.audio(silence(blocks), chunk=cut)
            case ("bytes", bytes(garbage)) if garbage:
                await client.ws.send_bytes(garbage)
            case ("force", _):
                await client.say('{"type":"ForceEndTurn"}')
            case ("configure", dict(change)):
                await client.say(json.dumps({"type": "Configure", **change}))


def asked(steps: list[tuple[str, object]], kind: str) -> int:
    return sum(step[0] == kind for step in steps)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=15), cut=st.sampled_from([1280, 333, 5000]), eager=st.booleans())
def test_random_sessions_keep_the_guarantees(steps: list[tuple[str, object]], cut: int, eager: bool) -> None:
    async def run() -> None:
        query = "model=flux-general-en&encoding=linear16&sample_rate=8000"
        query += "&eager_eot_threshold=0.4" if eager else ""
        app = make_app(Engine(LoudnessPool(), SynthesizerPool(ToneVoices())))
        async with serving(app) as server, listening(server, query, eager=eager) as client:
            await converse(client, steps, cut)
            await client.close_stream()
            assert client.checker.finish() == []
            half = sum(len(given) for _, given in steps if isinstance(given, bytes)) % 2  # of a sample
            assert sum(isinstance(message, FatalError) for message in client.messages) == half
            answers = [m for m in client.messages if isinstance(m, ConfigureSuccess | ConfigureFailure)]
            assert len(answers) == asked(steps, "configure")
            forced = [m for m in client.messages if getattr(m, "trigger", None) == "manual"]
            warned = [m for m in client.messages if isinstance(m, Warning)]
            assert len(forced) + len(warned) == asked(steps, "force")

    asyncio.run(run())


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(1, 9000), min_size=1, max_size=10))
def test_the_same_audio_gives_the_same_messages_however_it_is_cut(cuts: list[int]) -> None:
    audio = silence(5) + NOISE[: 1280 * 9] + silence(18) + NOISE[: 1280 * 5] + silence(9)

    async def run(pieces: list[int]) -> list[object]:
        app = make_app(Engine(LoudnessPool(), SynthesizerPool(ToneVoices())))
        async with serving(app) as server, listening(server) as client:
            at, number = 0, 0
            while at < len(audio):
                size = pieces[number % len(pieces)]
                await client.ws.send_bytes(audio[at : at + size])
                at, number = at + size, number + 1
            await client.close_stream()
            return [
                (m.event, m.turn_index, m.audio_window_end, m.transcript)
                for m in client.messages
                if isinstance(m, TurnInfo)
            ]

    assert asyncio.run(run(cuts)) == asyncio.run(run([1280]))


def test_the_checker_is_not_blind() -> None:
    assert Checker().receive(FatalError("X", "y", 0)) != []
    assert events([]) == []
