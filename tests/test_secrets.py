"""Whatever a caller does after they were asked for a card's number: it is in nothing that is written down."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony import events as ev
from telephony.conversation.policy import Policy
from telephony.conversation.resume import split_secrets
from telephony.record import tape
from telephony.reply.agent import Expect, Note, Said, Say, Turn, Wording
from telephony.testing.virtual_call import AgentLines, VirtualCall

WORDS = "zero one two three four five six seven eight nine".split()
TENS = dict(enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2))
GIVES_IT_AWAY = 8
QUIET = Wording(greeting=Say(""), silence=())
FILLERS = (
    "okay one second", "let me find it", "hold on", "sure", "yes", "what do you need that for?",
    "say that again", "um", "two minutes", "mm-hm", "it's in my bag", "I have two cards", "which one?",
)  # fmt: skip


def pair(two: str) -> str:
    tens, one = int(two[0]), int(two[1])
    return f"{TENS[tens]} {WORDS[one]}" if tens in TENS and one else f"{WORDS[tens]} {WORDS[one]}"


ALOUD: dict[str, Callable[[str], str]] = {
    "words": lambda number: " ".join(WORDS[int(digit)] for digit in number),
    "digits": lambda number: number,
    "groups": lambda number: " ".join(number[at : at + 4] for at in range(0, 16, 4)),
    "pairs": lambda number: " ".join(pair(number[at : at + 2]) for at in range(0, 16, 2)),
}


def till(reads_back: bool, asks_again: bool) -> AgentLines:
    """Asks for the number; notes whatever is said next, reads it back, or asks again for it."""

    def answer(turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        asking: list[Said] = ["Your card number, please.", Expect("digits", sensitive=True)]
        if turn.index == 0:
            return asking
        given_now = turn.digits or turn.text
        said: list[Said] = [Note(card=given_now, **{f"end{turn.index}": given_now[-4:]})]
        said.append(f"I have {given_now}. Right?" if reads_back else f"It ends in {given_now[-4:]}.")
        return [*said, *(asking if asks_again and not turn.digits else [])]

    return answer


def squeezed(text: str) -> str:
    text = text.lower()
    for digit, word in [*enumerate(WORDS), *TENS.items()]:
        text = text.replace(word, str(digit))
    return re.sub(r"[^0-9a-z]+", "", text)


def written(talk: VirtualCall) -> str:
    """All that is kept of it at this moment."""
    conversation = talk.conversation
    lines = b"".join(tape.entry(at, event, commands) for at, event, commands in talk.written).decode()
    kept = [conversation.transcript.turns_json(0.0), split_secrets(conversation.state_to_resume())[0]]
    return lines + json.dumps([*kept, conversation.written_notes()])


STEP = st.one_of(
    st.tuples(st.just("filler"), st.sampled_from(FILLERS)),
    st.tuples(st.just("say"), st.sampled_from(sorted(ALOUD))),
    st.tuples(st.just("keys"), st.integers(1, 16)),
    st.tuples(st.just("lost"), st.booleans()),
)


@settings(max_examples=60)
@given(
    number=st.text("0123456789", min_size=16, max_size=16),
    steps=st.lists(st.tuples(STEP, st.sampled_from([0.0, 0.3, 1.0, 5.0])), min_size=1, max_size=5),
    eager=st.sampled_from(["off", "voice", "text"]),
    agent=st.builds(till, st.booleans(), st.booleans()),
    speak_s=st.sampled_from([0.05, 1.0]),
)
def test_the_number_is_nowhere(
    number: str, steps: list[tuple[tuple[str, Any], float]], eager: Any, agent: AgentLines, speak_s: float
) -> None:
    policy = Policy(eager=eager, eager_eot_threshold=None if eager == "off" else 0.5)
    talk = VirtualCall(agent, QUIET, policy, speak_s=speak_s)
    talk.caller("my account", eager=eager != "off")
    talk.run(4)
    for (what, how), then_s in steps:
        if talk.over:
            break
        if what == "filler":
            talk.caller(how, eager=eager != "off")
        elif what == "say":
            talk.caller(f"it is {ALOUD[how](number)}", eager=eager != "off")
        elif what == "keys":
            talk.press(*number[:how], "#")
        else:
            talk.put(ev.CallStopped(ev.EndReason.SOCKET_LOST))
            saved, secrets = split_secrets(json.loads(json.dumps(talk.conversation.state_to_resume())))
            talk = VirtualCall(
                agent, QUIET, policy, resumed=saved | secrets if how else saved, speak_s=speak_s
            )
        talk.run(then_s)
        text = squeezed(written(talk))
        for at in range(len(number) - GIVES_IT_AWAY + 1):
            part = number[at : at + GIVES_IT_AWAY]
            # Moments and counts are digits, too: the same few ones over and over prove nothing.
            assert len(set(part)) < 4 or part not in text, text[max(0, text.find(part) - 200) :][:230]
