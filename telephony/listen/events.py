"""What one call's listening reports: Flux's own messages, and how its connections come and go. PURE."""

from __future__ import annotations

from typing import TypeAlias

from telephony.base.frozen import frozen
from telephony.deepgram.flux_messages import ServerMessage


@frozen
class SttConnected:
    """A listening connection is ready; its audio second 0 is `offset_s` of the caller's stream clock."""

    connection: int
    offset_s: float


@frozen
class SttDisconnected:
    """A listening connection was lost or refused. `retry`: a new one is on its way."""

    reason: str
    status: int | None = None
    dg_error: str | None = None
    retry: bool = True


ListenEvent: TypeAlias = ServerMessage | SttConnected | SttDisconnected
