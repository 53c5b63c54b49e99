"""One-time tokens for media streams: issued with our TwiML, used up by the stream's `start`."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from telephony.base.shared_store import SharedStore
from telephony.base.shared_store_memory import FailOpen
from telephony.carrier import token
from telephony.config.settings import Settings

RANDOM_KEY_TTL_S = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class StreamTokens:
    """The tokens of all processes that have the same keys and share a store."""

    keys: list[bytes]
    """Sign the stream tokens; the first one signs, all verify."""
    shared: FailOpen

    def issue(self, call_sid: str) -> str:
        """A one-time token for one media stream of this call."""
        return token.issue(self.keys[0], call_sid, secrets.token_urlsafe(16), self.shared.now())

    async def use(self, text: str, call_sid: str) -> None:
        """Check a stream's token and use it up. Raises BadToken."""
        now = self.shared.now()
        ticket = token.check(self.keys, text, call_sid, now)
        if not await self.shared.claim(f"token:{ticket.nonce}", ticket.remaining_s(now) + 1):
            raise token.BadToken("the stream token was used before")


async def stream_keys(settings: Settings, store: SharedStore) -> list[bytes]:
    """The keys of STREAM_SECRET or TWILIO_AUTH_TOKEN, else a random one that all on one DATA_DIR share.

    Raises SharedStoreFailure when the store cannot be used.
    """
    stream_secrets = [secret.reveal() for secret in settings.stream_secret]
    auth_tokens = [secret.reveal() for secret in settings.twilio_auth_token]
    random_key = await store.keep("stream key", {"hex": secrets.token_hex(32)}, RANDOM_KEY_TTL_S)
    return token.derive_keys(stream_secrets, auth_tokens, bytes.fromhex(random_key["hex"]))
