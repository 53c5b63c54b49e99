"""The speaking client against the stand-in that ships with the package: the same client, another voice."""

from __future__ import annotations

import asyncio

from telephony.speak.deepgram import VoiceClient
from telephony.speak.events import PhraseAudio, PhraseDone, PhraseFailed, PhraseInterrupted
from telephony.speak.voice_state import VoiceDeadlines
from telephony.testing.fake_speak import FakeSpeak
from telephony.testing.faults import NONE, Faults
from tests.speak.test_deepgram import Listener


async def test_phrases_are_spoken_in_turn_with_word_times() -> None:
    async with FakeSpeak() as server:
        client, listener = VoiceClient(server.url, "k", "flux-haley-en"), Listener()
        voice = client.open(listener)
        running = asyncio.create_task(voice.run())
        voice.speak(1, 0, "One two three.")
        voice.speak(1, 1, "Four.")
        last = await listener.until(PhraseDone, 2)
        assert [e.samples for e in listener.of(PhraseDone)] == [7200, 2400]
        assert [word.text for word in last.words] == ["Four."]
        voice.close()
        await running
        await client.close()


async def test_a_phrase_is_interrupted_where_the_caller_stopped_hearing_it() -> None:
    async with FakeSpeak(pace=4.0) as server:
        client, listener = VoiceClient(server.url, "k", "flux-haley-en"), Listener()
        voice = client.open(listener)
        running = asyncio.create_task(voice.run())
        voice.speak(1, 0, "One two three four five six seven eight.")
        await listener.until(PhraseAudio, 8)
        voice.cancel(1, 650.0)
        voice.speak(2, 0, "Next.")
        assert (await listener.until(PhraseDone)).reply == 2
        cut = listener.of(PhraseInterrupted)[0]
        assert (cut.played_ms, cut.text_spoken.strip()) == (650.0, "One two")
        assert len(server.sessions) == 1
        voice.close()
        await running
        await client.close()


async def test_a_slow_voice_fails_and_the_next_socket_speaks() -> None:
    async with FakeSpeak(faults=(Faults(first_byte_delay_s=30.0), NONE)) as server:
        client = VoiceClient(server.url, "k", "flux-haley-en", deadlines=VoiceDeadlines(first_audio_s=0.2))
        listener = Listener()
        voice = client.open(listener)
        running = asyncio.create_task(voice.run())
        voice.speak(1, 0, "One.")
        voice.speak(1, 1, "Two.")
        assert (await listener.until(PhraseFailed)).phrase == 0
        assert (await listener.until(PhraseDone)).phrase == 1
        voice.close()
        await running
        await client.close()
