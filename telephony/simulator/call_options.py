"""How the pretend carrier places a call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from telephony.simulator.network import Impairments


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """How a call is placed."""

    server: str
    """The voice webhook's URL, or that of a server, whose /twilio/voice it then is."""
    source: str = "caller"
    """A name for the report."""
    out_dir: Path | None = None
    """Where the recordings go; none are written without it."""
    impairments: Impairments = field(default_factory=Impairments)
    auth_token: str | None = None
    """Signs webhooks and the handshake."""
    public_url: str | None = None
    """What the server calls itself: URLs that begin so lead to `server`, as through a tunnel."""
    api_key: str | None = None
    data_dir: Path | None = None
    """The server's DATA_DIR if it is on this machine: the tape is copied from there."""
    from_number: str = "+12025550143"
    to_number: str = "+12025550100"
    account_sid: str = "AC" + "0" * 32
    dial_status: str = "completed"
    """What becomes of a `<Dial>`: completed, busy, no-answer, failed."""
    parameters: tuple[tuple[str, str], ...] = ()
    """More webhook parameters."""
    report: Callable[[str], None] = lambda line: None
    """Takes a line for people, as things happen."""
    verbose: bool = False
    """Whether decisions and notes are shown, too."""
    call_sid: str = ""
    """The call's, where REST has given it one already."""
    orders: asyncio.Queue[str] | None = None
    """TwiML that comes by REST while the call runs, in place of what it is doing; "" hangs up."""
