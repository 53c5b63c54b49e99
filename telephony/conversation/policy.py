"""The limits and choices of a conversation. PURE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Policy:
    """How a conversation behaves; times are seconds unless the name says otherwise."""

    barge_in: Literal["patient", "immediate", "off"] = "patient"
    eager: Literal["off", "text", "voice"] = "off"
    eot_threshold: float = 0.7
    eager_eot_threshold: float | None = None
    eot_timeout_ms: int = 5000
    max_call_s: float = 1800.0
    """A call's greatest length; a warning is spoken before it."""
    warning_s: float = 60.0
    """How long before the greatest length the warning comes."""
    filler_s: float = 1.2
    """A filler is spoken when there is no reply audio this long after the end of a turn."""
    bridge_s: float = 2.5
    """If there is still none, a bridging sentence is."""
    filler_again_s: float = 4.0
    """If there is still none after that, another filler is, each so long after the last."""
    give_up_s: float = 10.0
    """If there is still none, the reply is given up and we ask again."""
    pause_s: float = 1.5
    """After a StartOfTurn that no word follows for this long, the paused reply goes on."""
    quiet_s: float = 0.2
    """The caller's silence before a paused reply goes on."""
    early_quiet_s: float = 0.4
    """After a backchannel and this much silence we go on without an EndOfTurn."""
    wait_s: float = 60.0
    """How long we wait in silence after "hold on a second"."""
    monologue_s: float = 45.0
    """A turn this long is acknowledged once, at a pause."""
    monologue_pause_s: float = 0.3
    silent_listener_s: float = 2.5
    """When listening was lost and is not back after this, we say so, to avoid dead air."""
    no_speech_s: float = 3.0
    """Without listening or a voice this long after the call's start, we say so and end the call."""
    dtmf_gap_s: float = 5.0
    """A pause this long ends keys that were asked for; a question may say another (`Expect.pause_s`)."""
    single_key_s: float = 1.5
    """The same where no digits were asked for: one key is an entry."""
    apology: str = "I'm sorry, I can't hear you properly. Please call again a little later. Goodbye."
    """Said when listening is refused or cannot be had."""
    transfer_failed: str = "I'm sorry, nobody could take your call just now. How else can I help you?"
    """Said when a caller comes back from a transfer that came to nothing."""


GOODBYE_S = 20.0
"""When a goodbye was not heard this long after it was decided on, the call ends anyway."""
VOICE_FAILURES = 3
"""After so many phrases in a row that could not be spoken, we have no voice and hang up."""
FORCED_END_S = 1.0
"""ForceEndTurn brings an EndOfTurn within this, or the socket is dead."""

QUESTION_THRESHOLDS: dict[str, tuple[float, int]] = {
    "digits": (0.85, 7000),
    "spelling": (0.85, 7000),
    "address": (0.85, 8000),
    "yes_no": (0.6, 4000),
}
"""How Flux is configured while a question waits for its answer: eot_threshold, eot_timeout_ms."""
