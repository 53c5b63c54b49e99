"""Recognition with its real models: what it promises the wire's session, on recorded calls."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from dataclasses import replace

import pytest

from telephony.audio.wav import read_wav
from telephony.engine.listen.recognized import BLOCK_S, Block, RecognitionOptions
from telephony.errors import MissingModel
from tests.shared import shared_path
from tests.speech_models import model_path

pytest.importorskip("onnxruntime", reason="the local engine is not installed")
pytest.importorskip("ctranslate2", reason="the local engine is not installed")

from telephony.engine.listen.decodes import Decodes
from telephony.engine.listen.recognition import ModelPaths, Recognition, RecognitionModels
from telephony.engine.listen.turn_audio import TurnAudio

pytestmark = pytest.mark.slow

OPTIONS = RecognitionOptions(eot_threshold=0.7, eager_eot_threshold=0.5)
SECOND = 16000  # bytes
DIGITS = {word: str(n) for n, word in enumerate("zero one two three four five six seven eight nine".split())}


@pytest.fixture(scope="module")
def paths() -> ModelPaths:
    return ModelPaths(
        silero=model_path("silero-vad/silero_vad.onnx"),
        smart_turn=model_path("smart-turn/smart-turn-v3.2-cpu.onnx"),
        moonshine=model_path("moonshine-tiny-en"),
        whisper=model_path("whisper-base"),
    )


@pytest.fixture(scope="module")
def models(paths: ModelPaths) -> Iterator[RecognitionModels]:
    loaded = RecognitionModels.load(paths)
    yield loaded
    loaded.close()


def call(name: str, start_s: float = 0.0, end_s: float = 1e6) -> bytes:
    """A stretch of a recorded call, linear16 at 8000 Hz."""
    wav = read_wav(shared_path(f"calls/open/{name}.wav").read_bytes())
    return wav.linear16[int(start_s * 8000) * 2 : int(end_s * 8000) * 2]


async def listen(
    recognition: Recognition, audio: bytes, options: RecognitionOptions = OPTIONS, chunk: int = 1280
) -> AsyncIterator[tuple[Block, bool]]:
    """Each block, and whether the turn ends with it, as the session would decide."""
    for at in range(0, len(audio), chunk):
        async for block in recognition.recognize(audio[at : at + chunk]):
            final = block.in_turn and block.final and block.confirmed
            ends = final and block.confidence >= options.eot_threshold
            if ends:
                recognition.end_turn()
            yield block, ends


async def blocks_of(
    models: RecognitionModels, audio: bytes, options: RecognitionOptions = OPTIONS, chunk: int = 1280
) -> list[tuple[Block, bool]]:
    recognition = Recognition(models, options, live=False)
    try:
        return [step async for step in listen(recognition, audio, options, chunk)]
    finally:
        recognition.close()


def digits_of(text: str) -> str:
    return "".join(DIGITS.get(word.strip(".,?!"), "") for word in text.lower().replace("-", " ").split())


def endings(steps: list[tuple[Block, bool]]) -> list[str]:
    return [block.text for block, ends in steps if ends]


async def test_a_call_is_recognized_turn_by_turn(models: RecognitionModels) -> None:
    steps = await blocks_of(models, call("open_01_clean_bargein"))
    texts = [text.lower().strip(".?!") for text in endings(steps)]
    truth = json.loads(shared_path("calls/open/open_01_clean_bargein.json").read_text())["turns"]
    assert len(texts) == len(truth)
    assert (texts[3], texts[5]) == ("yes", "nope")
    ends = [block.audio_end_s for block, ended in steps if ended]
    for turn, end_s in zip(truth, ends, strict=True):
        assert -0.1 < end_s - turn["end_s"] < 1.5


async def test_what_the_session_relies_on(models: RecognitionModels) -> None:
    """One block per 80 ms; text as long as the turn; a confirmed text does not change; ends are confirmed."""
    previous: Block | None = None
    for number, (block, ended) in enumerate(await blocks_of(models, call("open_02_midturn_pauses"))):
        assert block.audio_end_s == pytest.approx((number + 1) * BLOCK_S)
        assert bool(block.text) == block.in_turn == bool(block.words)
        assert " ".join(word.word for word in block.words) == block.text
        assert not block.final or block.in_turn
        assert 0.0 <= block.confidence < 1.0
        if previous is not None and previous.final and previous.confirmed and block.final:
            assert (block.text, block.words) == (previous.text, previous.words)
        if previous is not None and previous.in_turn:
            assert block.in_turn
        previous = None if ended else block


async def test_a_sure_interim_transcript_is_final_before_it_is_confirmed_and_stays(
    models: RecognitionModels,
) -> None:
    """Some blocks sooner, so that a reply can be drafted meanwhile."""
    steps = await blocks_of(models, call("open_01_clean_bargein", 9.0, 15.0))
    final = [block for block, _ in steps if block.in_turn and block.final]
    assert [block.confirmed for block in (final[0], final[1], final[-1])] == [False, False, True]
    assert len({block.text for block in final}) == 1


async def test_without_eager_threshold_every_final_transcript_is_confirmed(models: RecognitionModels) -> None:
    audio = call("open_01_clean_bargein", 9.0, 15.0)
    steps = await blocks_of(models, audio, replace(OPTIONS, eager_eot_threshold=None))
    assert all(block.confirmed for block, _ in steps if block.final) and len(endings(steps)) == 1


async def test_words_have_times_in_order_and_measured_confidence(models: RecognitionModels) -> None:
    steps = await blocks_of(models, call("open_01_clean_bargein", 0.0, 8.0))
    (block,) = [block for block, ended in steps if ended]
    times = [moment for word in block.words for moment in (word.start, word.end)]
    assert times == sorted(times) and 2.3 < times[0] and times[-1] < 6.3
    assert all(0.0 < word.confidence <= 1.0 for word in block.words)
    assert len({word.confidence for word in block.words}) > 5


async def test_the_same_audio_gives_the_same_blocks_however_it_is_cut(models: RecognitionModels) -> None:
    """A recording fed fast waits for its models: neither pieces nor the machine change a result."""
    audio = call("open_01_clean_bargein", 9.0, 21.0)
    steps = await blocks_of(models, audio)
    assert steps == await blocks_of(models, audio, chunk=331)
    assert steps == await blocks_of(models, audio, chunk=len(audio))


async def test_dictation_is_one_turn_and_digits_come_only_when_asked_for(models: RecognitionModels) -> None:
    audio = call("open_03_digits_dtmf", 0.0, 13.0)
    (words,) = endings(await blocks_of(models, audio))
    assert not any(letter.isdigit() for letter in words)
    (digits,) = endings(await blocks_of(models, audio, replace(OPTIONS, numerals=True)))
    assert "".join(letter for letter in digits if letter.isdigit()) == "4155550132"


async def test_keyterms_bias_the_final_text(models: RecognitionModels) -> None:
    audio = call("open_02_midturn_pauses", 2.0, 10.0)
    expecting = replace(OPTIONS, keyterms=("skim milk", "espresso"))
    assert "skim milk" in " ".join(endings(await blocks_of(models, audio, expecting))).lower()


async def test_music_ringback_and_dtmf_start_no_turn(models: RecognitionModels) -> None:
    steps = await blocks_of(models, call("open_06_hold_music", 0.0, 14.5))
    steps += await blocks_of(models, call("open_03_digits_dtmf", 28.5, 33.3))
    assert not any(block.in_turn for block, _ in steps)


async def test_flush_gives_the_final_transcript_of_a_turn_cut_off(models: RecognitionModels) -> None:
    """ForceEndTurn and CloseStream lose no word."""
    recognition = Recognition(models, OPTIONS, live=False)
    steps = [step async for step in listen(recognition, call("open_01_clean_bargein", 0.0, 5.95))]
    assert not any(ended for _, ended in steps)
    block = await recognition.flush()
    assert block is not None and block.final and "brown sugar" in block.text
    recognition.end_turn()
    assert await recognition.flush() is None
    recognition.close()


async def test_on_a_machine_that_does_not_keep_up_no_text_is_final_that_lacks_what_was_said(
    models: RecognitionModels,
) -> None:
    """The recognizers stand still in mid-dictation: the turn waits for them, and has all its digits."""
    audio, quiet = call("open_03_digits_dtmf", 1.5, 10.2), bytes(1280)
    recognition, loop, going = (
        Recognition(models, OPTIONS, live=True),
        asyncio.get_running_loop(),
        threading.Event(),
    )
    began = [block async for block, _ in listen(recognition, audio[: 4 * SECOND])]
    assert began[-1].in_turn or await recognition.flush() is not None
    stuck = [
        models.interim_thread.submit(going.wait),
        *(models.final_threads.submit(going.wait) for _ in range(2)),
    ]
    try:
        steps = [step async for step in listen(recognition, audio[4 * SECOND :] + 15 * quiet)]
        overdue = loop.time() + 2.0
        while loop.time() < overdue:
            steps += [step async for step in listen(recognition, quiet)]
        assert endings(steps) == []
    finally:
        going.set()
        await asyncio.wait([asyncio.wrap_future(future) for future in stuck])
    while not endings(steps):
        steps += [step async for step in listen(recognition, quiet)]
    recognition.close()
    assert digits_of(endings(steps)[0]) == "4155550132"


async def test_what_a_line_brings_at_once_has_the_time_that_it_would_have_had(
    models: RecognitionModels,
) -> None:
    decodes = Decodes(models, TurnAudio(), None)
    decodes.arrived(3.0, waited=True)
    decodes.arrived(0.0, waited=True)  # 3 s late
    assert decodes.live and not decodes.behind
    decodes.arrived(0.6, waited=False)  # with 0.6 s of what had piled up
    text: Future[str] = Future()
    asyncio.get_running_loop().call_later(0.3, text.set_result, "four")
    assert await decodes.within(text, 0.0) == "four"
    assert await decodes.within(Future[str](), 0.0) is None, "and no more time than that"
    decodes.arrived(0.6, waited=True)
    assert await decodes.within(Future[str](), 0.0) is None
    decodes.arrived(0.0, waited=False)
    assert decodes.behind, "what came in time, and was not looked at for 0.6 s"


async def test_silence_is_nothing(models: RecognitionModels) -> None:
    recognition = Recognition(models, OPTIONS, live=False)
    steps = [block async for block, _ in listen(recognition, bytes(3 * SECOND + 7))]
    assert len(steps) == 37 and not any(block.in_turn or block.text for block in steps)
    assert await recognition.flush() is None
    recognition.close()


async def test_a_turn_longer_than_the_recognizers_window_keeps_its_beginning(
    models: RecognitionModels,
) -> None:
    audio = call("open_07_real_call_b", 0.0, 37.0)
    recognition = Recognition(models, OPTIONS, live=False)
    async for _ in recognition.recognize(audio):  # nobody ends the turn
        pass
    block = await recognition.flush()
    recognition.close()
    assert block is not None
    text = block.text.lower()
    assert "as soon as possible" in text and "call my boss" in text and text.endswith("chance.")
    assert len(text.split()) > 80


@pytest.mark.parametrize("absent", ["smart_turn", "moonshine", "whisper"])
async def test_without_a_model_a_weaker_way_is_used_and_said(paths: ModelPaths, absent: str) -> None:
    left = {name: getattr(paths, name) for name in ("silero", "smart_turn", "moonshine", "whisper")}
    models = RecognitionModels.load(ModelPaths(**(left | {absent: None})))
    try:
        assert len(models.missing) == 1
        (text,) = endings(await blocks_of(models, call("open_01_clean_bargein", 9.0, 16.0)))
        assert "latte" in text
    finally:
        models.close()


def test_without_any_recognizer_nothing_starts(paths: ModelPaths) -> None:
    with pytest.raises(MissingModel, match="recognizer"):
        RecognitionModels.load(replace(paths, moonshine=None, whisper=None))
