"""A voice that breaks off in an answer: the record says what was heard, and the rest is said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from telephony.audio.g711 import linear16_to_ulaw
from telephony.config.settings import Settings
from telephony.deepgram import flux_codec
from telephony.errors import BadInput, BadSetting
from telephony.playback.word_times import broken_off
from telephony.reply.agent import HangUp, Notes, Said, Say, SilenceStep, Turn, Wording
from telephony.server.number_routes import Routes
from telephony.server.speech_check import refuse_what_can_never_work
from telephony.testing.fake_flux import FakeFlux
from telephony.testing.fake_scripts import RecordedScript
from telephony.testing.fake_speak import FakeSpeak, tone
from telephony.testing.faults import NONE, Faults, RefusalFault
from telephony.testing.virtual_call import VirtualCall
from tests.real_line import running, said, verbs

pytestmark = pytest.mark.slow

STORY = "Once upon a time there was a little girl who lived near a big forest."
WORDS = STORY.split()
WORD_S = 0.25
QUIET = Wording(greeting=Say("Hi."), silence=(SilenceStep(60.0, "Are you there?"),))


FAULTS = [Faults(reset_after_s=1.3), Faults(silent_after_s=1.3)]


class Teller:
    """Tells its story; asked again, it says what of it was heard."""

    wording = QUIET

    async def reply(self, turn: Turn, notes: Notes) -> AsyncIterator[Said]:
        if turn.index == 0:
            yield STORY
        else:
            (line,) = [line for line in turn.history if line.text == STORY]
            yield f"You heard {len(line.heard.split())} words."
            yield HangUp()


def two_turns(second_s: float) -> RecordedScript:
    """The caller says something after a second, and again much later."""
    steps: list[flux_codec.ServerMessage] = []
    for at in range(1, 200):
        now = at * 0.25
        for index, began in enumerate((0.5, second_s)):
            event = {0.5: "StartOfTurn", 1.0: "EndOfTurn"}.get(now - began + 0.5)
            if event is not None:
                words = (flux_codec.Word("hello", 0.9, began, began + 0.4),)
                start = 0.0 if index == 0 else 1.0
                steps.append(flux_codec.TurnInfo(event, index, "hello", words, 0.8, start, now, None))
                break
        else:
            index, start = (
                (0, 0.0) if now < 1.0 else (1, 1.0) if now < second_s + 0.5 else (2, second_s + 0.5)
            )
            steps.append(flux_codec.TurnInfo("Update", index, "", (), 0.1, start, now))
    return RecordedScript(steps)


def script() -> RecordedScript:
    return two_turns(10.5)


def length_s(text: str) -> float:
    return WORD_S * len(text.split())


@pytest.mark.parametrize("fault", FAULTS, ids=["reset", "silent"])
async def test_the_rest_is_said_when_the_voice_breaks_off(tmp_path: Path, fault: Faults) -> None:
    """The caller is not asked to say again what they said well; everything was heard in the end."""
    async with running(tmp_path, NONE, script, length_s, AGENT=f"{__name__}:Teller") as server:
        server.voice.misbehave(fault, NONE)
        result = await server.call()
        texts = [text for session in server.voice.sessions[-2:] for text in session.texts]
    assert verbs(result) == ["Connect", "Hangup"] and not result.flags
    answer = _answer(result)
    assert answer["heard"] == STORY and not answer["interrupted"]
    assert f"You heard {len(WORDS)} words." in said(result) and "again" not in said(result)
    first = next(text for text in texts if STORY.startswith(text))
    rest = next(text for text in texts if first.endswith(text) and text != first)
    assert 0 < len(first.split()) - len(rest.split()) <= 1.3 / WORD_S


@pytest.mark.parametrize("fault", FAULTS, ids=["reset", "silent"])
async def test_what_never_sounded_was_not_heard(tmp_path: Path, fault: Faults) -> None:
    """The voice breaks off again and again: record and history hold no word that was not sent."""
    async with running(tmp_path, NONE, script, length_s, AGENT=f"{__name__}:Teller") as server:
        server.voice.misbehave(fault)
        result = await server.call()
    answer = _answer(result)
    heard = str(answer["heard"]).split()
    assert answer["text"] == STORY and answer["interrupted"]
    left = iter(WORDS)
    assert all(word in left for word in heard), "in their order, with holes where nothing sounded"
    assert 4 <= len(heard) <= 2 * 1.3 / WORD_S < len(WORDS)
    assert f"You heard {len(heard)} words." in said(result)


LATE = Faults(first_byte_delay_s=60.0)


@pytest.mark.parametrize("fault", [*FAULTS, LATE], ids=["reset", "silent", "late"])
async def test_another_voice_goes_on_where_the_first_broke_off(tmp_path: Path, fault: Faults) -> None:
    """Each word is heard once; what the first voice did not say, VOICE_FALLBACK says."""
    environ = {"AGENT": f"{__name__}:Teller", "VOICE_FALLBACK": "flux-other-en"}
    async with running(tmp_path, NONE, script, length_s, **environ) as server:
        server.voice.misbehave(fault, NONE)
        result = await server.call()
        others = [one for one in server.voice.sessions if one.query["model"] == "flux-other-en"]
    assert verbs(result) == ["Connect", "Hangup"] and not result.flags
    answer = _answer(result)
    assert answer["heard"] == STORY and not answer["interrupted"]
    assert f"You heard {len(WORDS)} words." in said(result) and "again" not in said(result)
    rest = " ".join(text for session in others for text in session.texts if text in STORY)
    assert STORY.endswith(rest)
    left_out = len(WORDS) - len(rest.split())
    assert left_out == 0 if fault == LATE else 0 < left_out <= 1.3 / WORD_S


async def test_a_local_voice_speaks_when_the_service_s_is_late(tmp_path: Path) -> None:
    """The engine is started beside the service; a voice that it has not is refused at start."""
    environ = {"AGENT": f"{__name__}:Teller", "VOICE_FALLBACK": "local"}
    async with running(tmp_path, NONE, script, length_s, **environ) as server:
        server.voice.misbehave(LATE)
        result = await server.call()
    answer = _answer(result)
    assert answer["heard"] == STORY and not answer["interrupted"]
    with pytest.raises(BadSetting, match="VOICE_FALLBACK='nobody'"):
        async with running(tmp_path, NONE, script, length_s, VOICE_FALLBACK="local:nobody"):
            pass


async def test_a_fall_back_voice_that_is_not_there_is_refused_at_start(tmp_path: Path) -> None:
    flux, speak = FakeFlux(), FakeSpeak(faults=(Faults(refuse=RefusalFault(400, "no such voice")),))
    await flux.start(0, speak)
    settings = Settings.load({"DEEPGRAM_URL": flux.url, "VOICE_FALLBACK": "flux-nobody-en"})
    try:
        with pytest.raises(BadInput, match="VOICE_FALLBACK.*no such voice"):
            await refuse_what_can_never_work(settings, Routes())
    finally:
        await flux.close()


def _answer(result: object) -> dict[str, object]:
    turns = (result.record or {})["turns"]  # type: ignore[attr-defined]
    return next(turn["agent"] for turn in turns if turn["agent"] and turn["agent"]["text"] == STORY)


@pytest.mark.parametrize("phrases", [1, 2, 3])
def test_the_record_of_a_broken_reply_is_what_the_ear_played(phrases: int) -> None:
    """A word more or less: where in a word the voice broke off, nobody knows."""
    text = "Here is one sentence of mine. And there is another one. This is the third of them."
    talk = VirtualCall(lambda turn, notes: [text], QUIET)
    talk.run(3.0)
    talk.breaking_phrases = phrases
    talk.caller("tell me a story please")
    talk.run(20.0)
    part = next(r.agent for r in talk.conversation.transcript.records if r.agent and r.agent.text == text)
    truly = [
        word.text
        for word, played in talk.truly_heard()
        if word.samples == played and word.text in text.split()
    ]
    assert part.interrupted and part.heard != text
    assert abs(len(part.heard.split()) - len(truly)) <= phrases
    assert part.heard.split() == [word for word in part.heard.split() if word in text.split()]
    line = next(line for line in talk.conversation.transcript.history if line.text == text)
    assert line.heard == part.heard and line.interrupted


@pytest.mark.parametrize("text", [STORY, "Your code is 847261 and it is valid for ten minutes.", "Yes."])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 0.8])
def test_no_word_is_taken_for_said_that_a_voice_of_usual_pace_has_not_begun(text: str, share: float) -> None:
    words = text.split()
    seconds = share * sum(0.06 * len(w) + 0.24 * sum(c.isdigit() for c in w) for w in words)
    ulaw = linear16_to_ulaw(tone(seconds, 8000, "linear16"))
    said_words, rest = broken_off(text, ulaw)
    assert [w.text for w in said_words] + rest.split() == words
    assert len(said_words) <= share * len(words) + 1
