"""A phone line with a mind at the other end.

What an agent needs can be imported from here: `from telephony import HangUp, Note`. The package's folders
read in the order that audio flows: carrier -> listen -> reply -> speak; then `conversation`, which decides,
and `call`, which carries out; `record`, the call afterwards; `engine`, the local speech engine.
"""

from telephony.reply import (
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
)

__version__ = "0.1.0"

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
]
