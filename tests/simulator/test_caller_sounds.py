"""Which voice a scripted caller has."""

from __future__ import annotations

from telephony.engine.speak.voice import Voices
from telephony.simulator.caller_sounds import _other_than


async def test_a_scripted_caller_sounds_alike_on_every_machine() -> None:
    """Whether the system has a synthesizer of its own or not: the voice is made of the natural one."""
    voices = Voices()
    try:
        await voices.start()
        natural = voices.names[0]
        assert _other_than("flux-haley-en", voices) == f"{natural}-high"
        assert _other_than(f"{natural}-high", voices) == natural
    finally:
        await voices.close()
