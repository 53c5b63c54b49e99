"""A speech service that sends what no call can have costs no call: over the wire, one each in mid-call."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import events as ev
from telephony.deepgram import flux_codec
from telephony.deepgram import speak_messages as wire
from telephony.record import tape
from telephony.reply.agent import Say, Wording
from telephony.speak.voice_state import in_samples
from telephony.testing.faults import Faults
from telephony.testing.virtual_call import VirtualCall
from tests.odd_messages import CONFIGURED, SPOKEN, TURN_INFO, mutations
from tests.real_line import running, verbs

pytestmark = pytest.mark.slow

EVENTS = ("Update", "StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EndOfTurn", "NewOne")
LISTENING = [text for event in EVENTS[:5] for text in mutations({**TURN_INFO, "event": event})]
LISTENING += list(mutations(CONFIGURED))
SPEAKING = list(mutations(SPOKEN))
CALLS = 16
"""At a time, in one server."""


@pytest.mark.parametrize("side", ["listening", "voice"])
async def test_no_call_is_ended_by_any_of_them(
    tmp_path: Path, side: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each call gets its share of them in mid-turn; the conversation goes on to its own end."""
    table = LISTENING if side == "listening" else SPEAKING
    shares = [Faults(odd=tuple(table[at::CALLS]), odd_after_s=0.3 + 0.1 * at) for at in range(CALLS)]
    async with running(tmp_path, AGENT="tests.flow_agents:Memory") as server:
        (server.flux if side == "listening" else server.voice).misbehave(*shares)
        results = await asyncio.gather(*(server.call() for _ in range(CALLS)))
    for result in results:
        assert verbs(result) == ["Connect", "Hangup"] and result.ended_by == "agent", result.flags
        turns = [turn["agent"]["text"] for turn in (result.record or {})["turns"] if turn["agent"]]
        assert "That was turn 3." in turns
    assert "could not be handled" not in caplog.text and "Traceback" not in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def mutated(draw: st.DrawFn, base: dict[str, Any]) -> str:
    """A message of which some fields are anything."""
    message = json.loads(json.dumps(base))
    if "event" in message:
        message["event"] = draw(st.sampled_from(EVENTS))
    for _ in range(draw(st.integers(1, 3))):
        target = message
        inner = target.get("words")
        if (
            isinstance(inner, list)
            and inner
            and isinstance(inner[0], dict)
            and inner[0]
            and draw(st.booleans())
        ):
            target = inner[0]
        target[draw(st.sampled_from(sorted(target)))] = draw(JSON)
    return json.dumps(message)


@given(st.lists(mutated(TURN_INFO), min_size=1, max_size=4))
def test_a_conversation_takes_whatever_the_decoder_lets_through(texts: list[str]) -> None:
    """It goes on, its tape can be written, and its deadlines are moments of a call."""
    talk = VirtualCall(lambda turn, notes: [f"You said {turn.text}."], Wording(greeting=Say("Hi.")))
    talk.run(1.0)
    for text in texts:
        message = flux_codec.decode_server(text)
        if isinstance(message, flux_codec.TurnInfo):
            talk.put(ev.TurnInfoReceived(message))
        talk.run(0.5)
    talk.caller("a small latte please")
    talk.run(8.0)
    for at, event, commands in talk.written:
        tape.entry(at, event, commands)
    json.dumps(talk.conversation.state_to_resume())
    talk.conversation.transcript.turns_json(0.05)
    deadline = talk.conversation.next_deadline()
    assert deadline is None or deadline < 1e5


@given(mutated(SPOKEN), st.sampled_from(wire.Dialect))
def test_the_voice_s_decoder_lets_no_number_through_that_is_no_position(
    text: str, dialect: wire.Dialect
) -> None:
    message = wire.decode(text, dialect)
    if isinstance(message, wire.SpeechEnded):
        for word in in_samples(message.words, 8000):
            assert 0 <= word.start <= word.end <= 8000


@given(JSON, JSON, JSON, JSON)
def test_a_client_s_text_is_a_message_or_a_protocol_error(
    eot: Any, timeout: Any, terms: Any, more: Any
) -> None:
    """What the engine is sent by whoever connects."""
    thresholds = {"eot_threshold": eot, "eot_timeout_ms": timeout}
    for fields in ({"type": "Configure", "thresholds": thresholds, "keyterms": terms}, more, [more]):
        try:
            flux_codec.decode_client(json.dumps(fields))
        except flux_codec.FluxProtocolError:
            pass


async def test_one_odd_message_does_not_make_the_rest_a_duplicate() -> None:
    """A sequence number, or a turn's, that is far away is believed by nobody."""
    talk = VirtualCall(lambda turn, notes: [f"You said {turn.text}."], Wording(greeting=Say("Hi.")))
    talk.run(1.0)
    for odd in ({"sequence_id": 2**40}, {"turn_index": 2**40}):
        message = flux_codec.decode_server(json.dumps({**TURN_INFO, **odd}))
        assert isinstance(message, flux_codec.TurnInfo)
        talk.put(ev.TurnInfoReceived(message))
    talk.caller("a small latte please")
    talk.run(3.0)
    assert talk.said_by_agent[-1] == "You said a small latte please."
