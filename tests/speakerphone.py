"""A caller on a speakerphone: what the ear plays comes back a moment later, and Flux takes it for words."""

from __future__ import annotations

from collections.abc import Callable

from telephony.testing.virtual_call import VirtualCall

UPDATE_S = 0.24
SILENCE_S = 0.6
"""After this much silence Flux ends a turn."""


def echo(
    talk: VirtualCall,
    seconds: float,
    *,
    delay_s: float = 0.3,
    mishear: Callable[[str], str] = lambda word: word,
) -> None:
    """Let time pass while the agent's voice comes back; Flux hears it word by word."""
    since, told, is_open = talk.now, "", False
    for _ in range(round(seconds / UPDATE_S)):
        talk.run(UPDATE_S)
        played = [
            (mishear(word.text), at + delay_s, at + length / 8000 + delay_s)
            for word, at, length in talk.played_words()
            if at >= since and at + length / 8000 + delay_s <= talk.now
        ]
        text = " ".join(word for word, _, _ in played)
        times = [(begin, end) for _, begin, end in played]
        if is_open and talk.now - times[-1][1] > SILENCE_S and not talk.playout.audible(talk.now - delay_s):
            talk.flux("EndOfTurn", text, times=times)
            is_open, told, since = False, "", talk.now
        elif text and text != told:
            talk.flux("Update" if is_open else "StartOfTurn", text, times=times)
            is_open, told = True, text
