"""A voice that fails while it is spoken with: one plain answer, and the next text is spoken."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, WSMsgType
from aiohttp.test_utils import TestServer

from telephony.base import json_codec
from telephony.engine.listen.loudness import LoudnessPool
from telephony.engine.server import Engine, make_app
from telephony.engine.speak.phrase_cache import PhraseCache
from telephony.engine.speak.piper_process import PiperProcess
from telephony.engine.speak.synthesizer_pool import SynthesizerPool
from telephony.engine.speak.voice import Voices
from telephony.engine.speak.voice_list import VoiceEntry
from tests.engine.engine_client import serving

STAND_IN = [sys.executable, str(Path(__file__).with_name("piper_stand_in.py"))]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TestServer]:
    voice = VoiceEntry("joe", "", "1", PiperProcess(tmp_path, command=STAND_IN))
    voices = Voices([voice], PhraseCache(tmp_path / "phrases"))
    async with serving(make_app(Engine(LoudnessPool(), SynthesizerPool(voices)))) as running:
        yield running


@pytest.mark.parametrize("container", ["wav", "none"])
async def test_rest_says_why(server: TestServer, container: str) -> None:
    """500 with the reason, not a cut-off answer; then audio for a better text."""
    url = server.make_url(f"/v1/speak?model=joe&encoding=linear16&container={container}")
    async with ClientSession() as session:
        async with session.post(url, json={"text": "This will crash always."}) as response:
            assert response.status == 500
            assert "the voice failed" in response.headers["dg-error"]
        async with session.post(url, json={"text": "Hello there."}) as response:
            assert response.status == 200
            assert len(await response.read()) > 10_000


async def test_a_socket_is_told_why(server: TestServer) -> None:
    """Error with the reason, a close, and the next socket is served."""
    url = server.make_url("/v2/speak?model=flux-haley-en")
    for text, last in (("This will crash always.", "Error"), ("Hello there.", "SpeechMetadata")):
        async with ClientSession() as session, session.ws_connect(url) as ws:
            await ws.send_str(json_codec.dumps({"type": "Speak", "text": text}))
            await ws.send_str(json_codec.dumps({"type": "Flush"}))
            async for message in ws:
                if message.type is WSMsgType.TEXT and json_codec.loads(message.data)["type"] == last:
                    break
            else:
                raise AssertionError(f"no {last}")
            if last == "Error":
                assert "Segmentation fault, say" in json_codec.loads(message.data)["description"]
                assert (await ws.receive()).type is WSMsgType.CLOSE
