"""A line that stands still and then brings everything at once: nothing that arrived is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony.simulator.call_options import CallOptions
from telephony.simulator.caller import RecordingCaller
from telephony.simulator.network import Impairments
from telephony.simulator.simulator import place_call
from tests.real_line import running
from tests.twilio_side import AUTH_TOKEN, PUBLIC_URL

STALLS = ((1.0, 0.3), (2.5, 0.8), (4.5, 3.0))
SOUND = b"".join(bytes([1 + n % 120]) * 160 for n in range(500))
"""Ten seconds in which each frame can be told from its neighbours."""


@pytest.mark.slow
async def test_listening_and_the_recording_get_all_that_a_stalled_line_brings(tmp_path: Path) -> None:
    """In its order and on its clock; the turn that was open stays open."""
    async with running(tmp_path, FLUX_ENCODING="mulaw", FLUX_SAMPLE_RATE="8000", RECORD="on") as server:
        options = CallOptions(
            server=server.url,
            auth_token=AUTH_TOKEN,
            public_url=PUBLIC_URL,
            api_key="key-one",
            impairments=Impairments(stalls=STALLS),
        )
        result = await place_call(RecordingCaller(SOUND, hang_up_after_s=0.5), options)
        sessions = server.flux.sessions
    assert result.record is not None and result.record["turns"]
    media = result.record["media"]
    assert (media["stalled_samples"], media["dropped_samples"], media["filled_samples"]) == (0, 0, 0)
    assert len(sessions) == 1, "the silence was not taken for a dead service"
    assert bytes(sessions[0].audio).startswith(SOUND)
    assert callers_channel(tmp_path).startswith(SOUND)


def callers_channel(folder: Path) -> bytes:
    recorded = next(folder.rglob("call.wav")).read_bytes()
    return recorded[recorded.index(b"data") + 8 :: 2]
