"""Where speech is heard and made."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from telephony.config.secret import Secret

CLOUD_URL = "wss://api.deepgram.com"
CLOUD_DOMAIN = "deepgram.com"
LOCAL = "local"
DEFAULT_VOICE = "flux-haley-en"
"""The local engine answers to it with the best of its own voices."""


@dataclass(frozen=True, slots=True)
class SpeechPeer:
    """Where speech is heard and made: what `DEEPGRAM_URL=auto` came to."""

    url: str
    """`local`, or the server's `ws://` or `wss://` address without a path."""
    api_key: Secret
    """Never empty, since the SDK refuses an empty one; the local engine takes any."""
    why: str
    """For the first log line: which one, and why."""

    @property
    def local(self) -> bool:
        """Our own engine, which we start."""
        return self.url == LOCAL

    @property
    def cloud(self) -> bool:
        """Deepgram's own service, where work costs money."""
        host = urlsplit(self.url).hostname or ""
        return host == CLOUD_DOMAIN or host.endswith("." + CLOUD_DOMAIN)


def local_voice(name: str) -> str | None:
    """The local engine's own voice that `local` or `local:joe` names; None: it names another service's."""
    where, _, voice = name.partition(":")
    return (voice or DEFAULT_VOICE) if where == LOCAL else None
