"""A call's record, as JSON: what GET /api/calls/{id} gives, and what call.json keeps. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telephony.conversation.conversation import Conversation
from telephony.events import EndReason


def record_of(
    conversation: Conversation,
    call_id: str,
    call_sid: str,
    *,
    ended_by: EndReason | None,
    duration_s: float,
    media: Mapping[str, Any] | None,
    origin: Mapping[str, Any],
) -> dict[str, Any]:
    """The call so far; it is live until `ended_by` says how it ended. `media`: counts of its frames.

    `origin`: when it `started` (ISO 8601, UTC) and which `agent` answers it, as AGENT or its route says. Of
    what the agent noted, sensitive answers are redacted.
    """
    info = conversation.info
    return {
        "call_id": call_id,
        "call_sid": call_sid,
        "from": info.from_number or None,
        "to": info.to_number or None,
        "started": origin.get("started") or None,
        "agent": origin.get("agent") or None,
        "route": info.parameters.get("route") or None,
        "live": ended_by is None,
        "ended_by": ended_by,
        "duration_s": round(duration_s, 3),
        "turns": conversation.transcript.turns_json(conversation.ledger.line_delay_s()),
        "notes": conversation.written_notes(),
        "media": media,
    }
