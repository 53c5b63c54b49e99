"""Several voices as one, on real sockets: the caller hears each word once, whoever says it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from telephony.speak.deepgram import VoiceClient
from telephony.speak.events import PhraseAudio, PhraseDone, PhraseFailed, VoiceDisconnected
from telephony.speak.fallback import FallbackClient, FallbackConnection
from telephony.speak.voice_state import VoiceDeadlines
from tests.speak.test_deepgram import Listener
from tests.speak.voice_server import VoiceServer, voice_server

LATE_S = 0.15


@asynccontextmanager
async def voices(
    *servers: VoiceServer, late_s: float = LATE_S, ahead_s: Any = None, **deadlines: float
) -> AsyncIterator[tuple[FallbackConnection, Listener]]:
    async with AsyncExitStack() as stack:
        clients = []
        for server in servers:
            client = VoiceClient(server.url, "secret", "flux-haley-en", deadlines=VoiceDeadlines(**deadlines))
            stack.push_async_callback(client.close)
            clients.append(client)
        listener = Listener()
        voice = FallbackClient(clients[0], clients[1:], late_s).open(listener, ahead_s)
        running = asyncio.create_task(voice.run())
        try:
            yield voice, listener
        finally:
            voice.close()
            await running


async def test_the_first_voice_speaks_while_it_can() -> None:
    async with voice_server() as first, voice_server() as second:
        async with voices(first, second, late_s=5) as (voice, heard):
            voice.speak(0, 0, "Hello there.")
            voice.speak(0, 1, "And again.")
            await heard.until(PhraseDone, 2)
        assert not heard.of(PhraseDone)[0].stand_in
        assert second.handshakes == 0


async def test_a_late_voice_is_hedged_and_the_first_audio_is_heard() -> None:
    async with voice_server(silent=True) as first, voice_server() as second:
        async with voices(first, second) as (voice, heard):
            voice.speak(0, 0, "Hello there.")
            voice.speak(0, 1, "And again.")
            done = await heard.until(PhraseDone, 2)
            assert done.stand_in
            assert [event.phrase for event in heard.of(PhraseDone)] == [0, 1]
            assert heard.audio(0, 0) and heard.audio(0, 1)
            # The next reply does not wait for the late one again.
            voice.speak(1, 0, "Quick.")
            await heard.until(PhraseDone, 3)
        assert [len(server.sessions) for server in (first, second)] in ([1, 1], [2, 1])
        spoken = [message["text"] for session in first.sessions for message in session.sent("Speak")]
        assert "Quick." not in spoken
        assert heard.of(PhraseFailed) == []


async def test_a_voice_that_breaks_off_leaves_the_rest_to_the_other() -> None:
    async with voice_server(drop_after_chunks=2) as first, voice_server() as second:
        async with voices(first, second, late_s=5) as (voice, heard):
            voice.speak(0, 0, "One two three four five six.")
            voice.speak(0, 1, "Seven eight.")
            await heard.until(PhraseFailed)
            voice.speak(0, 0, "three four five six.", rest=True)  # as a call does, which knows what was heard
            await heard.until(PhraseDone, 2)
        said = [message["text"] for session in second.sessions for message in session.sent("Speak")]
        assert said == ["three four five six.", "Seven eight."]


async def test_a_refused_voice_is_replaced_and_the_call_does_not_learn_of_it() -> None:
    async with voice_server(refuse=(402, "ASR_PAYMENT_REQUIRED")) as first, voice_server() as second:
        async with voices(first, second) as (voice, heard):
            voice.speak(0, 0, "Hello there.")
            await heard.until(PhraseDone)
        assert heard.of(VoiceDisconnected) == []
        assert heard.of(PhraseFailed) == []


async def test_where_no_voice_is_left_the_call_learns_of_it() -> None:
    refused = {"refuse": (402, "ASR_PAYMENT_REQUIRED")}
    async with voice_server(**refused) as first, voice_server(**refused) as second:
        async with voices(first, second) as (voice, heard):
            voice.speak(0, 0, "Hello there.")
            assert (await heard.until(VoiceDisconnected)).status == 402
            await heard.until(PhraseFailed)
        assert len(heard.of(PhraseFailed)) == 1


async def test_what_is_no_audio_is_spoken_by_the_other() -> None:
    html = b"<!doctype html><title>Sign in</title>"
    async with voice_server(audio_of=lambda text: html) as first, voice_server() as second:
        async with voices(first, second, late_s=5) as (voice, heard):
            voice.speak(0, 0, "Hello there.")
            await heard.until(PhraseDone)
            assert heard.of(PhraseFailed) == []


async def test_nobody_is_hedged_while_the_caller_hears_enough() -> None:
    async with voice_server(silent=True) as first, voice_server() as second:
        asked = asyncio.Event()

        def ahead() -> float:
            asked.set()
            return 10.0

        async with voices(first, second, ahead_s=ahead, late_s=0.02) as (voice, _):
            voice.speak(0, 0, "Hello there.")
            await asyncio.wait_for(asked.wait(), 5)
            await first.wait_for(lambda: bool(first.sessions and first.sessions[0].sent("Flush")))
        assert second.handshakes == 0


async def test_a_reply_that_is_given_up_is_given_up_everywhere() -> None:
    async with voice_server(silent=True) as first, voice_server(silent=True) as second:
        async with voices(first, second) as (voice, heard):
            voice.speak(0, 0, "Hello there.")
            await second.wait_for(lambda: bool(second.sessions and second.sessions[0].sent("Flush")))
            voice.cancel(0)
            second.silent = False
            voice.speak(1, 0, "Something else.")
            await heard.until(PhraseDone)
        assert {event.reply for event in heard.of(PhraseAudio)} == {1}


async def test_a_draft_is_not_hedged_before_it_is_the_answer() -> None:
    async with voice_server(silent=True) as first, voice_server() as second:
        async with voices(first, second, late_s=0.02) as (voice, heard):
            voice.speak(0, 0, "Hello there.", draft=True)
            await first.wait_for(lambda: any(session.sent("Flush") for session in first.sessions))
            assert second.handshakes == 0
            voice.release(0)
            await heard.until(PhraseDone)
