"""What the caller said -> what we say. The public names an agent needs are importable from here."""

from telephony.reply.agent import (
    Agent,
    CallInfo,
    Expect,
    HangUp,
    Message,
    Note,
    Notes,
    Said,
    Say,
    SilenceStep,
    Transfer,
    Turn,
    Wait,
    Wording,
    hold,
    press_keys,
)

__all__ = [
    "Agent",
    "CallInfo",
    "Expect",
    "HangUp",
    "Message",
    "Wording",
    "Note",
    "Notes",
    "Said",
    "Say",
    "SilenceStep",
    "Transfer",
    "Turn",
    "Wait",
    "hold",
    "press_keys",
]
