"""A server for AI phone agents: Twilio brings the call, Deepgram transcribes it, your agent answers.

This is the map. Folders stand in the order in which they may import one another, which is nearly the order in
which a call flows; each says in its own docstring what it is for. tests/test_layout.py holds the order.

errors           what can go wrong; logs: lines without secrets
base/            files, subprocesses, the store that processes share, throttles
audio/           mu-law, linear16, resampling, gain, WAV. PURE
deepgram/        the wires to Deepgram: messages, rules, the socket
config/          the settings, and what may be dialled

carrier/      1  Twilio: signatures, tokens, media-stream messages, TwiML, REST
listen/       2  the caller's audio -> turn events, through Flux
reply/        3  what the caller said -> what we say: agents, scripts
events           what happens in a call, and what it commands
speak/        4  our words -> sound: text normalization, phrases, the voice
playback/     5  what is playing, what was heard. PURE
conversation/    one call's decisions: events in, commands out. PURE
record/          the call afterwards: tape, record, recording
llm/             language models behind `reply/`: chat completions, tools
call/            the shell of one call: inbound, outbound, the call itself

engine/          the local speech engine, a process of its own: listen/, speak/, models/
server/          webhooks, the media endpoint, the API, metrics, who may come in
simulator/       a pretend carrier that calls us
testing/         `place_call` for tests of your own agent; virtual calls; pretend services
commands/        one module a command; cli finds them
"""

__version__ = "0.1.0"

TYPE_CHECKING = False  # typing's own is not there in the Pythons that only read this file (see __main__)

__all__ = [
    "Agent",
    "CallInfo",
    "EndedCall",
    "Expect",
    "HangUp",
    "Message",
    "Note",
    "Notes",
    "Said",
    "Say",
    "SilenceStep",
    "Transfer",
    "Turn",
    "Wait",
    "Wording",
    "hold",
    "press_keys",
]

if TYPE_CHECKING:
    from telephony.reply.agent import (
        Agent,
        CallInfo,
        EndedCall,
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
else:

    def __getattr__(name):
        """The public names are imported when they are first asked for, so that commands start quickly."""
        if name not in __all__:
            raise AttributeError("module 'telephony' has no attribute %r" % name)  # noqa: UP031
        from importlib import import_module

        value = globals()[name] = getattr(import_module("telephony.reply.agent"), name)
        return value
