"""Where a model answers, and how long it may take. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from telephony.config.kinds import COMPLETIONS, chat_url
from telephony.config.secret import Secret

__all__ = ["ChatEndpoint", "Deadlines", "chat_url"]


@dataclass(frozen=True, slots=True)
class ChatEndpoint:
    """One model at one address."""

    url: str
    """Of its chat completions, query included: what `chat_url` gives."""
    model: str
    api_key: Secret | None = None
    prefix: str = "LLM_"
    """How the settings begin that name it: LLM_ or LLM_FALLBACK_."""

    @property
    def where(self) -> str:
        """The endpoint in a message: its setting, and its address without what may be secret."""
        parts = urlsplit(self.url)
        address = f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix(COMPLETIONS)}"
        return f"{self.prefix}URL={address}"

    def remedy(self, text: str) -> str:
        """A remedy that names this endpoint's settings."""
        return text.format(url=f"{self.prefix}URL", model=f"{self.prefix}MODEL", key=f"{self.prefix}API_KEY")

    @property
    def models_url(self) -> str:
        """Where the server lists its models."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(path=parts.path.removesuffix(COMPLETIONS) + "/models"))


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a model may take, in seconds."""

    connect_s: float = 2.0
    """Name, connection and encryption."""
    hedge_s: float = 1.0
    """Without a token for so long the fallback is asked as well."""
    first_token_s: float = 4.0
    """From the request to the first token, every attempt and the fallback included."""
    between_s: float = 3.0
    """From token to token."""
    total_s: float = 20.0
    """From the request to the end of the answer."""
