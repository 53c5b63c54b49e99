"""What the caller said -> what we say. Agents import their names from `telephony`, the public door."""

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
