"""What Twilio is answered, by the state of the call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from telephony.audio.wav import read_wav
from telephony.carrier.call_flow import NextStep, Step
from telephony.carrier.token import check
from telephony.server.number_routes import Route, Routes
from tests.twilio_side import CALL, PUBLIC, Phone, late, parameters_of, phone_line, until


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone_line(tmp_path, MAX_CALLS="2") as line:
        yield line


@pytest.fixture
async def public(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone_line(tmp_path, **PUBLIC) as line:
        yield line


async def test_a_call_is_connected_to_a_stream(public: Phone) -> None:
    """The TwiML names wss on PUBLIC_URL, a token that opens this call, who calls, and what follows."""
    answer = await public.twiml("/twilio/voice", To="+14155550111", CallerName='A & "B" <é>')
    stream = answer.find("Connect/Stream")
    assert stream is not None and stream.get("url") == "wss://line.example.com/twilio/media"
    assert stream.get("statusCallback") == "https://line.example.com/twilio/stream-status"
    assert answer.find("Connect").get("action") == "https://line.example.com/twilio/after"  # type: ignore[union-attr]
    assert answer.findtext("Redirect") == "https://line.example.com/twilio/after"
    told = parameters_of(answer)
    assert check(public.state.tokens.keys, told.pop("token"), CALL, public.state.host.shared.now())
    assert told == {"from": "+14155550100", "to": "+14155550111", "caller_name": 'A & "B" <é>'}


async def test_on_this_machine_the_url_is_the_one_that_was_called(phone: Phone) -> None:
    """ws and the real port, whatever the Host header says."""
    stream = (await phone.twiml("/twilio/voice")).find("Connect/Stream")
    assert stream is not None and stream.get("url") == f"ws://127.0.0.1:{phone.client.port}/twilio/media"


async def test_a_repeated_webhook_gets_the_same_answer(phone: Phone) -> None:
    """Ten at once: one token between them, one slot."""
    responses = await asyncio.gather(*(phone.post("/twilio/voice") for _ in range(10)))
    assert len({await response.text() for response in responses}) == 1
    assert await phone.state.slots.free() == 1


async def test_when_all_lines_are_taken_the_caller_hears_busy(phone: Phone) -> None:
    """MAX_CALLS is decided at the webhook; a call that ends makes room."""
    calls = [await phone.twiml("/twilio/voice", CallSid=f"CA{n}") for n in range(3)]
    assert [call.find("Connect") is not None for call in calls] == [True, True, False]
    assert calls[2].find("Reject").get("reason") == "busy"  # type: ignore[union-attr]
    socket = await phone.start(parameters_of(calls[0]), "CA0")
    await phone.answering.arrival.wait()
    await socket.close()
    await until(lambda: not phone.state.streams.sockets)
    assert (await phone.twiml("/twilio/voice", CallSid="CA3")).find("Connect") is not None


async def test_when_the_machine_cannot_keep_up_the_caller_hears_busy(phone: Phone) -> None:
    """An event loop that is late decides like a full house."""
    late(phone.state, 0.3)
    assert [verb.tag for verb in await phone.twiml("/twilio/voice")] == ["Reject"]
    late(phone.state, 0.01)
    assert (await phone.twiml("/twilio/voice")).find("Connect") is not None


async def test_speech_is_opened_once_for_a_call_that_was_admitted(public: Phone) -> None:
    """Repeats, refusals and unsigned requests open nothing."""
    await public.client.post("/twilio/voice", data={"CallSid": "CA2"})
    for _ in range(3):
        await public.post("/twilio/voice")
    await public.post("/twilio/status", CallStatus="ringing")
    assert [(sid, about["from"]) for sid, about in public.answering.prewarmed] == [(CALL, "+14155550100")]


async def test_what_was_opened_for_a_stream_that_does_not_come_is_closed(phone: Phone) -> None:
    """And what was opened for one that came is not."""
    phone.state.streams.prewarm_s = 0.05
    await phone.twiml("/twilio/voice", CallSid="CA2")
    socket = await phone.call()
    await until(lambda: bool(phone.answering.cancelled))
    assert phone.answering.cancelled == ["CA2"]
    await socket.close()


async def test_the_route_of_a_call_is_chosen_once(phone: Phone) -> None:
    """The stream is told its name, also after a resume; a blocked caller is rejected at once."""
    phone.state.routes = Routes((Route("night", to=("+14155550111",)),), blocked=("+1900*",))
    told = parameters_of(await phone.twiml("/twilio/voice", To="+14155550111"))
    assert told["route"] == "night"
    phone.state.routes = Routes((Route("night", to=("+1",)),), blocked=("+1900*",))
    assert parameters_of(await phone.twiml("/twilio/after", CallStatus="in-progress"))["route"] == "night"
    assert "route" not in parameters_of(await phone.twiml("/twilio/voice", CallSid="CA2", To="+14155550112"))
    rejected = await phone.twiml("/twilio/voice", CallSid="CA3", From="+19005550000")
    assert [verb.get("reason") for verb in rejected] == ["rejected"]
    assert await phone.state.slots.free() == 0


async def test_a_call_that_is_over_gets_an_empty_answer(phone: Phone) -> None:
    """Late and repeated requests about it do nothing."""
    assert (await phone.post("/twilio/status", CallStatus="completed")).status == 204
    for path in ("/twilio/voice", "/twilio/after"):
        assert len(await phone.twiml(path, CallStatus="in-progress")) == 0
    assert len(await phone.twiml("/twilio/voice", CallSid="CA9", CallStatus="completed")) == 0


NEXTS = [
    (NextStep(Step.HANG_UP), ["Hangup"]),
    (NextStep(Step.SAY, text="No voice & all <that>."), ["Say", "Hangup"]),
    (NextStep(Step.TRANSFER, to="+14155550199"), ["Dial"]),
    (NextStep(Step.TRANSFER, to="sip:desk@example.com"), ["Dial"]),
    (NextStep(Step.TRANSFER, to="client:desk"), ["Dial"]),
    (NextStep(Step.DIGITS, to="ww12#"), ["Play", "Connect", "Redirect"]),
    (NextStep(Step.HOLD, text="One moment.", music_url="https://h/m.wav"), ["Say", "Play", "Redirect"]),
    (NextStep(Step.RESUME), ["Connect", "Redirect"]),
]


@pytest.mark.parametrize(("word", "verbs"), NEXTS, ids=lambda value: str(getattr(value, "then", "")))
async def test_the_word_that_was_left_says_how_the_call_goes_on(
    phone: Phone, word: NextStep, verbs: list[str]
) -> None:
    """And it is used once: the next close of the socket finds none."""
    await phone.state.host.steps.set(CALL, word)
    assert [verb.tag for verb in await phone.twiml("/twilio/after", CallStatus="in-progress")] == verbs
    assert await phone.state.host.steps.pop(CALL) is None


@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
@pytest.mark.parametrize("word", [word for word, _ in NEXTS], ids=lambda word: str(word.then))
async def test_a_repeated_request_for_what_follows_gets_the_same_answer(
    phone: Phone, word: NextStep, named: bool
) -> None:
    """At once and later, by Twilio's name for the request and without: what was left is not lost."""
    headers = {"I-Twilio-Idempotency-Token": "one"} if named else {}
    await phone.state.host.steps.set(CALL, word)
    form = {"CallStatus": "in-progress"}
    responses = await asyncio.gather(*(phone.post("/twilio/after", form, headers) for _ in range(5)))
    responses.append(await phone.post("/twilio/after", form, headers))
    assert len({await response.text() for response in responses}) == 1


async def test_the_next_request_for_what_follows_gets_an_answer_of_its_own(phone: Phone) -> None:
    """It has another name, or a stream has come since, or other fields."""
    form = {"CallStatus": "in-progress"}
    await phone.state.host.steps.set(CALL, NextStep(Step.DIGITS, to="1"))
    digits = await phone.twiml("/twilio/after", form)
    async with await phone.start(parameters_of(digits)):
        await phone.answering.arrival.wait()
    assert [verb.tag for verb in await phone.twiml("/twilio/after", form)] == ["Connect", "Redirect"]
    await phone.state.host.steps.set(CALL, NextStep(Step.TRANSFER, to="+14155550199"))
    assert [verb.tag for verb in await phone.twiml("/twilio/after", form)] == ["Dial"]
    back = await phone.twiml("/twilio/after", form, DialCallStatus="busy")
    assert parameters_of(back)["resumed"] == "transfer busy"
    await phone.state.host.steps.set(CALL, NextStep(Step.HOLD, text="One moment."))
    held = await phone.twiml("/twilio/after", form)
    redirect = held.findtext("Redirect") or ""
    assert [verb.tag for verb in held] == ["Say", "Play", "Redirect"]
    goes_on = await phone.twiml(redirect[redirect.index("/twilio") :], form)
    assert parameters_of(goes_on)["resumed"] == "asked"


async def test_two_names_are_two_requests(phone: Phone) -> None:
    await phone.state.host.steps.set(CALL, NextStep(Step.DIGITS, to="1"))
    verbs = []
    for name in ("one", "two"):
        response = await phone.post(
            "/twilio/after", {"CallStatus": "in-progress"}, {"I-Twilio-Idempotency-Token": name}
        )
        verbs.append([verb.tag for verb in ElementTree.fromstring(await response.text())])
    assert verbs == [["Play", "Connect", "Redirect"], ["Connect", "Redirect"]]


async def test_the_hold_music_is_a_telephone_recording(phone: Phone) -> None:
    """Ten seconds, and as loud as speech."""
    response = await phone.client.get("/twilio/hold.wav")
    wav = read_wav(await response.read())
    samples = np.frombuffer(wav.linear16, "<i2")
    assert response.content_type == "audio/wav" and wav.rate == 8000 and len(samples) == 80_000
    level = 20 * np.log10(np.sqrt(np.mean(samples.astype(float) ** 2)) / 32768)
    assert -26 < level < -18 and abs(int(samples[0])) < 10 > abs(int(samples[-1]))


async def test_a_lost_socket_resumes_the_call_but_not_for_ever(phone: Phone) -> None:
    """Three times within a minute the stream is opened again, with a fresh token each; then it is goodbye."""
    answers = [await phone.twiml("/twilio/after", CallStatus="in-progress") for _ in range(5)]
    verbs = [[verb.tag for verb in answer] for answer in answers]
    assert verbs == [["Connect", "Redirect"]] * 3 + [["Say", "Hangup"], []]
    tokens = {parameters_of(answer)["token"] for answer in answers[:3]}
    assert len(tokens) == 3
    assert parameters_of(answers[0])["resumed"] == "socket lost"


@pytest.mark.parametrize("outcome", ["busy", "no-answer", "failed", "canceled"])
async def test_a_failed_transfer_comes_back_to_the_conversation(phone: Phone, outcome: str) -> None:
    """The new stream knows why."""
    answer = await phone.twiml("/twilio/after", CallStatus="in-progress", DialCallStatus=outcome)
    assert parameters_of(answer)["resumed"] == f"transfer {outcome}"


async def test_a_finished_transfer_ends_the_call(phone: Phone) -> None:
    """They have talked to the person they wanted."""
    answer = await phone.twiml("/twilio/after", CallStatus="in-progress", DialCallStatus="completed")
    assert [verb.tag for verb in answer] == ["Hangup"]


async def test_the_fallback_says_a_sentence(phone: Phone, caplog: pytest.LogCaptureFixture) -> None:
    """And the log says what Twilio said."""
    answer = await phone.twiml("/twilio/fallback", ErrorCode="11200", ErrorUrl="https://h/x?secret=1")
    assert [verb.tag for verb in answer] == ["Say", "Hangup"]
    assert "error 11200 at https://h/x" in caplog.text and "secret" not in caplog.text


async def test_stream_errors_are_logged(phone: Phone, caplog: pytest.LogCaptureFixture) -> None:
    """Twilio knows why a stream failed; we do not."""
    response = await phone.post("/twilio/stream-status", StreamEvent="stream-error", StreamError="31920 no")
    assert response.status == 204 and "31920 no" in caplog.text


async def test_while_stopping_new_calls_are_sent_on(public: Phone) -> None:
    """Another process may take them; a call that was answered before still gets its answer again."""
    known = await (await public.post("/twilio/voice")).text()
    public.state.host.admission.drain()
    assert await (await public.post("/twilio/voice")).text() == known
    other = await public.twiml("/twilio/voice", CallSid="CA2")
    assert [verb.tag for verb in other] == ["Pause", "Redirect"]
    assert (await public.client.get("/readyz")).status == 503


async def test_while_stopping_a_call_is_sent_on_with_the_word_that_was_left(public: Phone) -> None:
    """However often Twilio asks here; the next process finds it, once."""
    public.state.host.admission.drain()
    await public.state.host.steps.set("CA1", NextStep(Step.DIGITS, to="12#"))
    for _ in range(2):
        sent_on = await public.twiml("/twilio/after", CallSid="CA1")
        assert [verb.tag for verb in sent_on] == ["Pause", "Redirect"]
    public.state.host.admission.draining = False  # as another process would be
    answer = await public.twiml("/twilio/after", CallSid="CA1")
    assert [verb.tag for verb in answer] == ["Play", "Connect", "Redirect"]
    assert await public.state.host.steps.pop("CA1") is None


async def test_without_a_call_there_is_no_answer(phone: Phone) -> None:
    """A form without a CallSid, or with one that cannot be one, is refused."""
    for call_sid in ("", "C A", "x" * 65, "../etc"):
        assert (await phone.post("/twilio/voice", CallSid=call_sid)).status == 400


async def test_a_failure_of_ours_is_a_sentence_to_the_caller(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No 5xx, which Twilio would announce as an application error. The traceback goes to the log."""
    failures: list[OSError] = []

    def uptime() -> float:
        if failures:
            raise failures[0]
        return 1000.0

    async with phone_line(tmp_path, uptime) as phone:
        failures.append(OSError("the clock cannot be read"))
        for path in ("/twilio/voice", "/twilio/after"):
            answer = await phone.twiml(path)
            assert [verb.tag for verb in answer] == ["Say", "Hangup"]
        failures.clear()
    assert "Traceback" in caplog.text
