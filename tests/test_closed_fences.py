"""A whole recorded call with aiohttp's and the SDK's inner names in use, and one without them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMessage, WSMsgType

from telephony.audio.wav import read_wav
from telephony.base import aiohttp_internals
from telephony.carrier.websocket import FrameSocket
from telephony.deepgram import sdk_internals
from telephony.deepgram.transport import SpeechSocket, sdk_client
from tests.real_line import running, said, verbs
from tests.twilio_side import until


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that a task had to be woken for, to read them from the carrier's socket."""
    texts: list[str] = []
    receive = FrameSocket.receive

    async def receiving(self: FrameSocket, *arguments: Any) -> WSMessage:
        message = await receive(self, *arguments)
        if message.type is WSMsgType.TEXT:
            texts.append(message.data)
        return message

    monkeypatch.setattr(FrameSocket, "receive", receiving)
    return texts


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of audio messages that went through the SDK's coroutines."""
    sizes: list[int] = []
    send = SpeechSocket.send

    async def sending(self: SpeechSocket, data: str | bytes) -> None:
        if isinstance(data, bytes):
            sizes.append(len(data))
        await send(self, data)

    monkeypatch.setattr(SpeechSocket, "send", sending)
    return sizes


@pytest.fixture
def own_sdk_client() -> Iterator[None]:
    """The process's SDK client is made anew, and forgotten afterwards."""
    sdk_client.cache_clear()
    yield
    sdk_client.cache_clear()


async def whole_call(folder: Path) -> None:
    """Three turns, three answers, a hang-up, and a recording of both sides."""
    async with running(folder, AGENT="tests.flow_agents:Memory", RECORD="on") as server:
        result = await server.call()
        assert verbs(result) == ["Connect", "Hangup"] and not result.flags
        assert said(result).startswith("Hi. That was turn 1. That was turn 2. That was turn 3.")
        assert result.record is not None and result.record["ended_by"] == "agent"
        wav = folder / "calls" / result.record["call_id"] / "call.wav"
        await until(wav.exists)
    sound = read_wav(wav.read_bytes())
    assert sound.channels == 2 and any(sound.linear16[2::4]), "the agent is on the right channel"


async def test_the_quick_way_is_in_use(
    tmp_path: Path, read: list[str], sent: list[int], own_sdk_client: None
) -> None:
    """Hardly a frame wakes a task on its way in, hardly a chunk on its way out to listening."""
    await whole_call(tmp_path)
    frames = [text for text in read if '"media"' in text]
    assert len(frames) <= 2, "only what comes with `start` is read"
    assert len(sent) <= 5, "only what waits for the connection goes through the SDK"


async def test_a_whole_call_without_inner_names(
    tmp_path: Path,
    read: list[str],
    sent: list[int],
    own_sdk_client: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every frame is read and every chunk goes through the SDK; caller and agent notice nothing."""
    monkeypatch.setattr(aiohttp_internals, "in_use", False)
    monkeypatch.setattr(sdk_internals, "in_use", False)
    await whole_call(tmp_path)
    assert len([text for text in read if '"media"' in text]) > 100
    assert len(sent) > 25
