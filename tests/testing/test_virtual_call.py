"""The virtual call: its ear says exactly which words were heard, and nothing in it depends on real time."""

from __future__ import annotations

from telephony import events as ev
from telephony.reply.agent import Say, Wording
from telephony.testing.virtual_call import VirtualCall

QUIET = Wording(greeting=Say(""), silence=())


def call(**line: object) -> VirtualCall:
    talk = VirtualCall(lambda turn, notes: ["One two three four five six."], QUIET, **line)  # type: ignore[arg-type]
    talk.caller("count")
    return talk


def test_the_same_call_gives_the_same_tape() -> None:
    tapes = []
    for _ in range(2):
        talk = call()
        talk.run(1.2)
        talk.caller("no stop that")
        talk.run(5)
        tapes.append(talk.tape)
    assert tapes[0] == tapes[1] and len(tapes[0]) > 50


def test_the_ear_has_heard_what_was_played_so_far_in_order() -> None:
    talk = call()
    talk.run(1.2)
    some = [word.text for word, _ in talk.truly_heard()]
    talk.run(5)
    all_words = [word.text for word, _ in talk.truly_heard()]
    assert all_words == "One two three four five six.".split() and all_words[: len(some)] == some
    assert 0 < len(some) < 6


def test_a_clear_reaches_the_ear_only_after_the_lines_way() -> None:
    heard = []
    for delay_s in (0.02, 0.3):
        talk = call(way_out=lambda now, delay_s=delay_s: delay_s)
        talk.run(1.5)
        talk.flux("StartOfTurn", "stop please now")
        talk.run(1.0)
        (cleared,) = [at for at, _, commands in talk.tape for c in commands if isinstance(c, ev.ClearAudio)]
        last, at, samples = talk.played_words()[-1]
        heard.append(at + samples / 8000 - cleared)
    assert heard[0] <= 0.05 < heard[1] <= 0.31


def test_a_caller_who_hangs_up_ends_it() -> None:
    talk = call()
    talk.hang_up()
    assert talk.over and talk.conversation.ended_by is ev.EndReason.CALLER
