"""What the caller said -> what we say. The public names an agent needs are importable from here."""

from .agent import (
    Agent,
    CallInfo,
    Expect,
    HangUp,
    Line,
    Manners,
    Note,
    Notes,
    Said,
    Say,
    SilenceStep,
    Transfer,
    Turn,
    Wait,
    hold,
    press_keys,
)

__all__ = [
    "Agent",
    "CallInfo",
    "Expect",
    "HangUp",
    "Line",
    "Manners",
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
