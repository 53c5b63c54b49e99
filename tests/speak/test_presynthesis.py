"""The standing sentences, spoken before the first call."""

from __future__ import annotations

import pytest

from telephony.errors import PeerRefused
from telephony.reply.agent import Wording
from telephony.speak.deepgram import VoiceClient
from telephony.speak.phrase_cache import PhraseAudioCache
from telephony.speak.presynthesis import phrases_of, prepare_phrases, standing_lines
from tests.speak.voice_server import voice_server

LINES = standing_lines(Wording())
NOBODY = "ws://127.0.0.1:9"  # the discard port


async def test_all_standing_lines_are_spoken() -> None:
    memory = PhraseAudioCache()
    async with voice_server() as server:
        client = VoiceClient(server.url, "key", "flux-haley-en")
        await prepare_phrases(client, memory, LINES)
        await client.close()
    assert all(memory.get(phrase) for line in LINES for phrase in phrases_of(line))


async def test_a_phrase_that_fails_is_left_out_and_the_others_are_spoken() -> None:
    memory = PhraseAudioCache()
    bad = phrases_of(LINES[0])[0]
    async with voice_server(error={bad: "NET-0000"}) as server:
        client = VoiceClient(server.url, "key", "flux-haley-en")
        await prepare_phrases(client, memory, LINES)
        await client.close()
    assert memory.get(bad) is None
    assert memory.get(phrases_of(LINES[-1])[-1]) is not None


async def test_a_service_that_refuses_for_good_is_asked_once() -> None:
    async with voice_server(refuse=(400, "no such model")) as server:
        client = VoiceClient(server.url, "key", "flux-nobody-en")
        with pytest.raises(PeerRefused, match="no such model") as refused:
            await prepare_phrases(client, PhraseAudioCache(), LINES)
        await client.close()
        assert refused.value.status == 400
        assert server.handshakes == 1


@pytest.mark.parametrize("busy", [True, False])
async def test_a_service_that_is_busy_or_not_there_now_is_left_alone(
    busy: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The first call will ask it again; one line in the log, not one for each sentence."""
    async with voice_server(refuse=(503, "busy")) as server:
        client = VoiceClient(server.url if busy else NOBODY, "key", "flux-haley-en")
        await prepare_phrases(client, PhraseAudioCache(), LINES)
        await client.close()
    assert len(caplog.records) == 1
