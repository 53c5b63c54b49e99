"""RECORD=on, over the pretend carrier: what is in the file is what was said and heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from telephony.audio.wav import read_wav
from telephony.deepgram import flux_codec
from telephony.record.consent import STOPPED
from telephony.simulator.call_options import CallOptions
from telephony.simulator.simulator import place_call
from telephony.testing.fake_scripts import Cycle
from telephony.testing.faults import NONE
from tests.real_line import KeyingCaller, Lines, Running, running, said
from tests.twilio_side import AUTH_TOKEN, PUBLIC_URL, until

pytestmark = pytest.mark.slow

AGENT = "tests.flow_agents:Memory"


def recordings(folder: Path) -> list[Path]:
    return list((folder / "calls").glob("*/call.wav"))


def tapes(folder: Path) -> list[Path]:
    return list((folder / "calls").glob("*/tape.jsonl"))


def channel(path: Path, number: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    wav = read_wav(path.read_bytes())
    return np.frombuffer(wav.linear16, "<i2")[number :: wav.channels]


async def recorded(server: Running, folder: Path) -> tuple[Path, Path]:
    """The server's recording, and the carrier's own of the same call."""
    await server.call(out_dir=folder / "carrier")
    [ours] = recordings(folder)
    return ours, folder / "carrier" / "call.wav"


async def test_the_recording_is_what_the_carrier_heard(tmp_path: Path) -> None:
    """Within a frame: each stretch of the agent's sound begins and ends where the caller heard it."""
    async with running(tmp_path, AGENT=AGENT, RECORD="on") as server:
        ours, carriers = await recorded(server, tmp_path)
        mine, theirs = channel(ours, 1), channel(carriers, 1)
    assert abs(len(mine) - len(theirs)) < 8000
    edges = [np.flatnonzero(np.diff((np.abs(sound) > 50).astype(int))) for sound in (mine, theirs)]
    first, last = [edge[0] for edge in edges], [edge[-1] for edge in edges]
    assert abs(first[0] - first[1]) < 800 and abs(last[0] - last[1]) < 800


async def test_nothing_is_recorded_unless_asked(tmp_path: Path) -> None:
    """Off is the default."""
    async with running(tmp_path, AGENT=AGENT) as server:
        await server.call(3.0)
    assert not recordings(tmp_path)


async def test_the_notice_comes_first(tmp_path: Path) -> None:
    """Before the greeting."""
    async with running(tmp_path, AGENT=AGENT, RECORD="on", RECORD_NOTICE="Calls are recorded.") as server:
        result = await server.call(3.0)
    assert said(result).startswith("Calls are recorded. Hi.")


async def test_a_notice_is_said_without_a_recording_too(tmp_path: Path) -> None:
    """That this is a machine may have to be said in any case."""
    async with running(tmp_path, AGENT=AGENT, RECORD_NOTICE="This is a machine.") as server:
        result = await server.call(3.0)
    assert said(result).startswith("This is a machine. Hi.") and not recordings(tmp_path)


@pytest.mark.parametrize("words", ["hello", "xyz,hello"])
async def test_a_caller_can_have_it_stopped(tmp_path: Path, words: str) -> None:
    """The stand-in's caller says hello: nothing is left of the recording."""
    async with running(tmp_path, AGENT=AGENT, RECORD="on", RECORD_STOP_WORDS=words) as server:
        result = await server.call(6.0)
    assert STOPPED in said(result) and not recordings(tmp_path)


class LastWords(Lines):
    """Says what it has to say when it is told that no more sound comes."""

    def __init__(self, said: str) -> None:
        super().__init__([])
        self._said = said
        self._audio_s = 0.0

    def due(self, audio_s: float) -> Iterable[flux_codec.TurnInfo]:
        if audio_s == self._audio_s:
            return [flux_codec.TurnInfo("StartOfTurn", 0, self._said, (), 0.9, 0.0, audio_s, None, 0)]
        self._audio_s = audio_s
        return super().due(audio_s)


TONE = bytes([0x10]) * 8000


class Humming(KeyingCaller):
    """Makes a sound all the time, and presses keys."""

    def __init__(self, seconds: float, pressed: Sequence[tuple[float, str]]) -> None:
        super().__init__(seconds, pressed)
        self.ulaw = TONE * int(seconds)


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "said later"])
async def test_what_turns_out_to_be_secret_is_silent_in_the_recording(tmp_path: Path, keyed: bool) -> None:
    """Keys that nobody asked for; a number that is said again when the question is long answered."""
    pressed = [(5.0, "4172")] if keyed else [(2.6, "4172836491")]
    said = [(1.0, "hello there")] + ([] if keyed else [(7.0, "it is four one seven two eight three")])
    agent = "tests.flow_agents:Memory" if keyed else "tests.secretive_agents:Till"
    async with running(tmp_path, AGENT=agent, RECORD="on") as server:
        server.flux.plays(lambda options: Lines(said))
        options = CallOptions(server=server.url, auth_token=AUTH_TOKEN, public_url=PUBLIC_URL)
        await place_call(Humming(10.0, pressed), options)
        await until(lambda: not server.state.streams.sockets)
    [ours] = recordings(tmp_path)
    caller = np.abs(channel(ours, 0).astype(int)) > 1000
    hidden, heard = (slice(4.6, 5.6), slice(0.5, 4.0)) if keyed else (slice(7.0, 7.7), slice(0.2, 0.8))
    assert not caller[int(hidden.start * 8000) : int(hidden.stop * 8000)].any()
    assert caller[int(heard.start * 8000) : int(heard.stop * 8000)].all(), "the rest is there"
    assert caller[int(9.0 * 8000) : int(9.5 * 8000)].all()


OBJECTION = "please do not record me"
BREATHS: dict[str, tuple[Callable[[], Lines], float]] = {
    "in mid turn": (lambda: Lines([(1.5, OBJECTION)]), 1.9),
    "at the end of the turn": (lambda: Lines([(1.5, OBJECTION)]), 2.4),
    "before it was heard": (lambda: LastWords(OBJECTION), 2.0),
}


@pytest.mark.parametrize("breath", BREATHS)
async def test_who_objects_and_hangs_up_in_the_same_breath_is_not_recorded(
    tmp_path: Path, breath: str
) -> None:
    script, seconds = BREATHS[breath]
    async with running(tmp_path, AGENT=AGENT, RECORD="on", RECORD_STOP_WORDS="not record") as server:
        server.flux.plays(lambda options: script())
        await server.call(seconds)
        await until(lambda: not server.state.streams.sockets)
        assert not recordings(tmp_path)
        server.flux.plays(lambda options: Lines([(1.5, "hello there")]))
        await server.call(seconds)
        await until(lambda: not server.state.streams.sockets)
    assert len(recordings(tmp_path)) == 1, "others are"


NOTICES = {"I don't agree to that.": "This call is recorded.", "No.": "This call is recorded. Is that okay?"}


@pytest.mark.parametrize("breath", ["at the end of the turn", "before it was heard"])
@pytest.mark.parametrize("objection", NOTICES)
async def test_who_objects_to_the_notice_and_hangs_up_is_not_recorded(
    tmp_path: Path, objection: str, breath: str
) -> None:
    """Their words need not name the recording: they were told of it just before."""
    script = LastWords(objection) if breath == "before it was heard" else Lines([(1.5, objection)])
    async with running(tmp_path, AGENT=AGENT, RECORD="on", RECORD_NOTICE=NOTICES[objection]) as server:
        server.flux.plays(lambda options: script)
        await server.call(2.4)
        await until(lambda: not server.state.streams.sockets)
        assert not recordings(tmp_path)
        server.flux.plays(lambda options: Lines([(1.5, "hello there")]))
        await server.call(2.4)
        await until(lambda: not server.state.streams.sockets)
    assert len(recordings(tmp_path)) == 1, "others are"


async def test_who_objects_on_a_later_stream_is_not_recorded_on_the_earlier_ones(tmp_path: Path) -> None:
    scripts = [Lines([(1.0, "hello there")]), Lines([(1.0, OBJECTION)])]
    async with running(tmp_path, AGENT=AGENT, RECORD="on", RECORD_STOP_WORDS="not record") as server:
        server.flux.plays(lambda options: scripts.pop(0) if scripts else Lines([]))
        calling = asyncio.create_task(server.call(9.0))
        await until(lambda: bool(recordings(tmp_path)))
        [socket] = server.state.streams.sockets
        await socket.close()
        await calling
        await until(lambda: not server.state.streams.sockets)
    assert not recordings(tmp_path) and len(tapes(tmp_path)) == 2


async def test_a_recording_that_was_deleted_does_not_come_back(tmp_path: Path) -> None:
    """Not with the last of its sound either."""
    async with running(tmp_path, AGENT=AGENT, RECORD="on") as server:
        calling = asyncio.create_task(server.call(6.0))
        await until(lambda: bool(recordings(tmp_path)))
        [ours] = recordings(tmp_path)
        ours.unlink()
        await calling
        await until(lambda: not server.state.streams.sockets)
    assert not recordings(tmp_path)


@pytest.mark.parametrize(
    ("hears", "notice"),
    [
        ("Uh-huh, okay, but turn off the recording.", ""),
        ("No, I don't consent to that.", "This call is recorded."),
    ],
)
async def test_an_objection_in_plain_words_stops_it(tmp_path: Path, hears: str, notice: str) -> None:
    """With the default settings, and while the notice is still being said."""
    async with running(
        tmp_path, NONE, lambda: Cycle(texts=(hears, "hello")), AGENT=AGENT, RECORD="on", RECORD_NOTICE=notice
    ) as server:
        result = await server.call(8.0)
    assert STOPPED in said(result) and not recordings(tmp_path)


@pytest.mark.parametrize("hears", ["I don't mind being recorded."])
async def test_what_is_no_objection_goes_on_being_recorded(tmp_path: Path, hears: str) -> None:
    async with running(
        tmp_path, NONE, lambda: Cycle(texts=(hears, "hello")), AGENT=AGENT, RECORD="on"
    ) as server:
        result = await server.call(6.0)
    assert STOPPED not in said(result) and recordings(tmp_path)
