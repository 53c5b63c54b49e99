"""The speaking client against a real server: what is asked for is heard, and what was given up is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from telephony.audio.g711 import ulaw_to_linear16
from telephony.speak.connection import VoiceConnection
from telephony.speak.deepgram import VoiceClient
from telephony.speak.events import (
    PhraseAudio,
    PhraseDone,
    PhraseFailed,
    PhraseInterrupted,
    VoiceDisconnected,
    VoiceEvent,
)
from telephony.speak.voice_state import VoiceDeadlines
from tests.pacing import passed, until
from tests.speak.voice_server import RATE, VoiceServer, tone, voice_server


class Listener:
    """Collects what a voice reports."""

    def __init__(self) -> None:
        self.events: list[VoiceEvent] = []
        self._seen = asyncio.Event()

    def __call__(self, event: VoiceEvent) -> None:
        self.events.append(event)
        self._seen.set()

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def audio(self, reply: int, phrase: int = 0) -> bytes:
        return b"".join(e.ulaw for e in self.of(PhraseAudio) if (e.reply, e.phrase) == (reply, phrase))

    async def until(self, kind: type[Any], count: int = 1, seconds: float = 8) -> Any:
        """Wait for the count-th event of this kind, and return it."""
        async with asyncio.timeout(seconds):
            while len(self.of(kind)) < count:
                self._seen.clear()
                await self._seen.wait()
        return self.of(kind)[count - 1]


@asynccontextmanager
async def call(
    server: VoiceServer, model: str = "flux-haley-en", ahead_s: Any = None, **deadlines: float
) -> AsyncIterator[tuple[VoiceConnection, Listener]]:
    """A call's voice on a running server."""
    client = VoiceClient(server.url, "secret", model, deadlines=VoiceDeadlines(**deadlines))
    listener = Listener()
    voice = client.open(listener, ahead_s)
    running = asyncio.create_task(voice.run())
    try:
        yield voice, listener
    finally:
        voice.close()
        await running
        await client.close()


async def test_a_phrase_is_spoken_whole_with_its_word_times() -> None:
    async with voice_server() as server, call(server) as (voice, listener):
        voice.speak(1, 0, "Hello there.")
        done = await listener.until(PhraseDone)
        assert (done.reply, done.phrase, done.samples) == (1, 0, round(0.05 * 12 * RATE))
        assert len(listener.audio(1)) == done.samples
        (word,) = done.words
        assert (word.text, word.start, word.end, word.estimated) == ("Hello", 80, 160, False)
        (session,) = server.sessions
        assert session.query == {
            "model": "flux-haley-en", "encoding": "linear16", "sample_rate": "8000", "word_times": "true"
        }  # fmt: skip
        assert session.authorization.lower() == "token secret"


async def test_the_socket_is_open_before_it_is_needed_and_serves_the_whole_call() -> None:
    async with voice_server() as server, call(server) as (voice, listener):
        await server.wait_for(lambda: bool(server.sessions))
        for reply in range(3):
            voice.speak(reply, 0, "One.")
            voice.speak(reply, 1, "Two.")
        await listener.until(PhraseDone, 6)
        assert [(e.reply, e.phrase) for e in listener.of(PhraseDone)] == [
            (r, p) for r in range(3) for p in range(2)
        ]
        assert len(server.sessions) == 1


async def test_what_was_asked_before_the_socket_is_open_is_spoken() -> None:
    async with voice_server() as server:
        client, listener = VoiceClient(server.url, "k", "flux-haley-en"), Listener()
        voice = client.open(listener)
        voice.speak(1, 0, "Early.")
        running = asyncio.create_task(voice.run())
        await listener.until(PhraseDone)
        voice.close()
        await running
        await client.close()


async def test_only_one_phrase_is_on_the_wire() -> None:
    async with voice_server(pace=True) as server, call(server) as (voice, listener):
        voice.speak(1, 0, "A longer phrase.")
        voice.speak(1, 1, "Another one.")
        await listener.until(PhraseAudio)
        assert len(server.sessions[0].sent("Speak")) == 1
        server.go.set()
        await listener.until(PhraseDone, 2)


async def test_a_cancelled_phrase_never_leaks_into_the_next() -> None:
    """The next phrase's audio is exactly what it is alone, though late audio of the old one comes."""
    pitch = {"An old one, long enough.": tone(300, 1.2), "New.": tone(900, 0.3)}
    async with voice_server(audio_of=pitch.__getitem__) as server, call(server) as (voice, listener):
        voice.speak(9, 0, "New.")
        await listener.until(PhraseDone)
    alone = listener.audio(9)
    late = tone(300, 0.2)
    async with voice_server(audio_of=pitch.__getitem__, pace=True, late_audio=late) as server:
        async with call(server) as (voice, listener):
            voice.speak(1, 0, "An old one, long enough.")
            voice.speak(1, 1, "New.")
            await listener.until(PhraseAudio)
            heard = len(listener.audio(1))
            voice.cancel(1, 50.0)
            voice.speak(2, 0, "New.")
            server.go.set()
            await listener.until(PhraseDone)
            assert len(listener.audio(1)) == heard and not listener.audio(1, 1)
            assert len(listener.audio(2)) == len(alone)
            assert _pitch(listener.audio(2)) == pytest.approx(900, rel=0.03)
            assert voice.counts.dropped_bytes >= len(late)
            assert len(server.sessions) == 1


def _pitch(ulaw: bytes) -> float:
    """Zero crossings of a tone, as Hz."""
    samples = np.frombuffer(ulaw_to_linear16(ulaw), np.int16)
    return float(np.count_nonzero(np.diff((samples > 0).astype(int)) > 0) / (len(samples) / RATE))


async def test_an_interrupt_carries_what_the_caller_heard_of_the_whole_session() -> None:
    async with voice_server() as server, call(server) as (voice, listener):
        voice.speak(1, 0, "Twenty characters...")
        await listener.until(PhraseDone)  # 1000 ms
        server.pace = True
        voice.speak(2, 0, "Sure, and a lot more words than that.")
        await listener.until(PhraseAudio, len(listener.of(PhraseAudio)) + 1)
        voice.cancel(2, 60.0)
        await server.wait_for(lambda: bool(server.sessions[0].sent("Interrupt")))
        (interrupt,) = server.sessions[0].sent("Interrupt")
        assert interrupt["playback_offset"] == {"type": "time_ms", "value": 1060}
        cut = await listener.until(PhraseInterrupted)
        assert (cut.reply, cut.phrase, cut.text_spoken) == (2, 0, "Sure,")


async def test_without_a_position_in_the_speech_on_the_wire_no_offset_is_claimed() -> None:
    async with voice_server(pace=True) as server, call(server) as (voice, listener):
        voice.speak(1, 1, "The first phrase came from memory.")  # so 60 ms of the reply is not here
        await listener.until(PhraseAudio)
        voice.cancel(1, 60.0)
        await server.wait_for(lambda: bool(server.sessions[0].sent("Interrupt")))
        assert "playback_offset" not in server.sessions[0].sent("Interrupt")[0]


async def test_an_offset_that_the_service_refuses_does_not_hold_up_the_next_phrase() -> None:
    async with voice_server(pace=True, no_offsets=True) as server, call(server) as (voice, listener):
        voice.speak(1, 0, "A phrase of some length.")
        await listener.until(PhraseAudio)
        voice.cancel(1, 50.0)
        voice.speak(2, 0, "Next.")
        await server.wait_for(lambda: len(server.sessions[0].sent("Interrupt")) == 2)
        assert ["playback_offset" in m for m in server.sessions[0].sent("Interrupt")] == [True, False]
        server.go.set()
        assert (await listener.until(PhraseDone)).reply == 2


async def test_a_phrase_cancelled_before_its_first_audio_costs_only_its_socket() -> None:
    async with voice_server(silent=True) as server, call(server) as (voice, listener):
        voice.speak(1, 0, "Never heard.")
        await server.wait_for(lambda: bool(server.sessions and server.sessions[0].sent("Flush")))
        voice.cancel(1)
        server.silent = False
        voice.speak(2, 0, "Heard.")
        await listener.until(PhraseDone)
        assert (
            len(server.sessions) == 2 and not listener.of(VoiceDisconnected) and not listener.of(PhraseFailed)
        )


async def test_a_draft_is_spoken_on_a_spare_socket_that_becomes_the_call_s() -> None:
    async with voice_server() as server, call(server) as (voice, listener):
        voice.speak(1, 0, "Now.")
        await listener.until(PhraseDone)
        voice.speak(2, 0, "Draft.", draft=True)
        await listener.until(PhraseDone, 2)
        voice.release(2)
        voice.speak(3, 0, "After.")
        await listener.until(PhraseDone, 3)
        first, second = server.sessions
        assert [len(s.sent("Speak")) for s in (first, second)] == [1, 2]


async def test_a_draft_thrown_away_takes_its_socket_with_it_and_disturbs_nothing() -> None:
    async with voice_server(pace=True) as server, call(server) as (voice, listener):
        voice.speak(1, 0, "What is being spoken.")
        await listener.until(PhraseAudio)
        voice.speak(2, 0, "A draft of some length.", draft=True)
        await listener.until(PhraseAudio, 2)
        voice.cancel(2, None)
        server.go.set()
        await listener.until(PhraseDone)
        voice.speak(3, 0, "Another draft.", draft=True)
        await listener.until(PhraseDone, 2)
        assert len(server.sessions) == 3
        assert len(listener.audio(2)) < 0.05 * 23 * RATE


async def test_where_a_second_socket_is_refused_drafts_use_the_first() -> None:
    async with voice_server(refuse_after=1) as server, call(server) as (voice, listener):
        voice.speak(1, 0, "Now.")
        await listener.until(PhraseDone)
        voice.speak(2, 0, "Draft.", draft=True)
        voice.speak(2, 1, "More of it.", draft=True)
        await listener.until(PhraseDone, 3)
        assert not listener.of(VoiceDisconnected) and not listener.of(PhraseFailed)


async def test_a_refusal_for_good_is_told_with_the_service_s_own_words() -> None:
    async with voice_server(refuse=(401, "INVALID_AUTH")) as server, call(server) as (voice, listener):
        voice.speak(1, 0, "Anything.")
        down = await listener.until(VoiceDisconnected)
        assert (down.status, down.dg_error) == (401, "INVALID_AUTH")
        await listener.until(PhraseFailed)
        voice.speak(1, 1, "More.")
        await listener.until(PhraseFailed, 2)
        assert server.handshakes == 1


async def test_a_voice_that_says_nothing_fails_in_time() -> None:
    async with voice_server(silent=True) as server, call(server, first_audio_s=0.2) as (voice, listener):
        voice.speak(1, 0, "Never heard.")
        failed = await listener.until(PhraseFailed)
        assert failed.reason == "no audio for 0.2 s"
        server.silent = False
        voice.speak(1, 1, "Heard.")
        await listener.until(PhraseDone)


async def test_a_voice_that_stops_in_a_phrase_fails_in_time() -> None:
    async with (
        voice_server(stop_after_chunks=2) as server,
        call(server, next_audio_s=0.2) as (voice, listener),
    ):
        voice.speak(1, 0, "Half of this is heard.")
        failed = await listener.until(PhraseFailed)
        assert failed.reason == "no audio for 0.2 s" and listener.audio(1)
        server.stop_after_chunks = None
        voice.speak(2, 0, "Heard.")
        await listener.until(PhraseDone)


async def test_a_voice_that_cannot_be_reached_fails_in_time() -> None:
    nobody = VoiceServer(url="ws://127.0.0.1:9")
    async with call(nobody, first_audio_s=0.3) as (voice, listener):
        voice.speak(1, 0, "Never heard.")
        await listener.until(PhraseFailed)
        assert listener.of(VoiceDisconnected)[0].status is None


async def test_a_socket_lost_before_the_first_audio_is_made_good() -> None:
    async with voice_server(drop_after_chunks=0) as server, call(server) as (voice, listener):
        voice.speak(1, 0, "Heard all the same.")
        done = await listener.until(PhraseDone)
        assert done.samples == len(listener.audio(1)) and len(server.sessions) == 2
        assert not listener.of(PhraseFailed)


async def test_a_socket_lost_within_a_phrase_fails_that_phrase_only() -> None:
    async with voice_server(drop_after_chunks=2) as server, call(server) as (voice, listener):
        voice.speak(1, 0, "Half of this is heard.")
        voice.speak(1, 1, "And this.")
        assert (await listener.until(PhraseFailed)).phrase == 0
        assert (await listener.until(PhraseDone)).phrase == 1
        assert len(server.sessions) == 2


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (b"<!DOCTYPE html><html>busy</html>", "HTML"),
        (b'{"error": "no voice"}', "JSON"),
        (b"ID3" + bytes(100), "MP3"),
    ],
)
async def test_what_is_no_audio_is_refused_and_named(garbage: bytes, reason: str) -> None:
    audio = {"Bad.": garbage, "Good.": tone(400, 0.3)}
    async with voice_server(audio_of=audio.__getitem__) as server, call(server) as (voice, listener):
        voice.speak(1, 0, "Bad.")
        voice.speak(1, 1, "Good.")
        assert reason in (await listener.until(PhraseFailed)).reason
        assert (await listener.until(PhraseDone)).phrase == 1


async def test_words_that_cannot_be_spoken_fail_without_harm() -> None:
    async with voice_server(warn={"...": "NO_SYNTHESIZABLE_TEXT"}, error={"x": "DATA-0002"}) as server:
        async with call(server) as (voice, listener):
            voice.speak(1, 0, "...")
            voice.speak(1, 1, "Fine.")
            assert (await listener.until(PhraseDone)).phrase == 1
            voice.speak(2, 0, "x")
            voice.speak(2, 1, "\ud800 Fine.")
            assert "DATA-0002" in (await listener.until(PhraseFailed, 2)).reason
            assert (await listener.until(PhraseDone, 2)).phrase == 1


async def test_aura_is_spoken_on_its_own_path() -> None:
    async with voice_server(pace=True) as server, call(server, "aura-2-thalia-en") as (voice, listener):
        voice.speak(1, 0, "A phrase of some length.")
        await listener.until(PhraseAudio)
        voice.cancel(1, 100.0)
        voice.speak(2, 0, "Another.")
        server.go.set()
        done = await listener.until(PhraseDone)
        (session,) = server.sessions
        assert session.path == "/v1/speak" and "word_times" not in session.query
        assert done.reply == 2 and done.samples == round(0.05 * 8 * RATE)
        assert len(session.sent("Clear")) == 1


async def test_the_voice_waits_while_a_minute_of_audio_is_unheard() -> None:
    ahead, asked = [61.0], list[float]()

    def ahead_s() -> float:
        asked.append(ahead[0])
        return ahead[0]

    async with (
        voice_server() as server,
        call(server, ahead_s=ahead_s, ahead_check_s=0.05) as (voice, listener),
    ):
        voice.speak(1, 0, "Wait for it.")
        await until(lambda: len(asked) > 3)
        assert not server.sessions[0].sent("Speak")
        ahead[0] = 10.0
        await listener.until(PhraseDone)


async def test_closing_before_it_ran_leaves_nothing_behind() -> None:
    client, listener = (
        VoiceClient("ws://127.0.0.1:9", "k", "m", deadlines=VoiceDeadlines(first_audio_s=0.01)),
        Listener(),
    )
    voice = client.open(listener)
    voice.speak(1, 0, "Never heard.")
    voice.close()
    await passed(0.05)
    assert not listener.events
    await voice.run()


async def test_closing_is_prompt_and_final() -> None:
    async with voice_server(silent=True) as server, call(server) as (voice, listener):
        voice.speak(1, 0, "Never heard.")
        await server.wait_for(lambda: bool(server.sessions and server.sessions[0].sent("Flush")))
        voice.close()
        voice.speak(1, 1, "After the end.")
        await server.wait_for(lambda: server.sessions[0].over)
        assert not listener.events
