"""The one speaking client, for Flux TTS, Aura and the local engine: only the URL and the voice's name differ.

A voice that is not available is reported by events; a call awaits nothing here but `run`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from telephony.audio.agc import VoiceLevel
from telephony.audio.g711 import PHONE_RATE
from telephony.deepgram.health import Health
from telephony.deepgram.speak_messages import Dialect, dialect_of
from telephony.deepgram.transport import sdk_client, speech_session
from telephony.speak.connection import VoiceConnection
from telephony.speak.events import VoiceEvent
from telephony.speak.pronunciations import NONE, Pronunciations
from telephony.speak.voice_state import VoiceDeadlines

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class VoiceClient:
    """The process's way to the voice. `word_times`: ask for them; by default only an engine on this machine,
    since the cloud refuses parameters that it does not know.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        model: str,
        *,
        word_times: bool | None = None,
        deadlines: VoiceDeadlines = VoiceDeadlines(),  # noqa: B008 - frozen
        pronunciations: Pronunciations = NONE,
    ) -> None:
        self.url = url
        self.model = model
        self.deadlines = deadlines
        self.pronunciations = pronunciations
        self.dialect = dialect_of(model)
        self.health = Health("nothing can be said")
        """What its calls met."""
        self.level = VoiceLevel()
        """The voice's own level, learnt by all its calls."""
        self._sdk = sdk_client(url, api_key)
        local = (urlsplit(url).hostname or "") in _LOOPBACK
        self._word_times = local if word_times is None else word_times
        self._session: aiohttp.ClientSession | None = None

    def open(
        self, on_event: Callable[[VoiceEvent], None], ahead_s: Callable[[], float] | None = None
    ) -> VoiceConnection:
        """A call's voice; nothing is connected before its `run()`.

        `on_event` is called in the event loop and must be quick. `ahead_s` says how much audio the call holds
        that was not sent yet: above 60 s the voice waits.
        """
        return VoiceConnection(self, on_event, ahead_s)

    def connect(self) -> AbstractAsyncContextManager[Any]:
        """The SDK's connection: it knows the path, the query and the authentication."""
        asked: dict[str, Any] = {"model": self.model, "encoding": "linear16", "sample_rate": PHONE_RATE}
        if self._word_times and self.dialect is Dialect.FLUX:
            asked["request_options"] = {"additional_query_parameters": {"word_times": "true"}}
        speak = self._sdk.speak
        connect = speak.v1.connect if self.dialect is Dialect.AURA else speak.v2.connect
        connecting: AbstractAsyncContextManager[Any] = connect(**asked)
        return connecting

    @property
    def session(self) -> aiohttp.ClientSession:
        """The HTTP session, made at the first use in the running loop."""
        if self._session is None or self._session.closed:
            self._session = speech_session()
        return self._session

    async def close(self) -> None:
        """At the end of the process, after the calls."""
        if self._session is not None:
            await self._session.close()
