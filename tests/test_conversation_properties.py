"""What holds in every conversation, whatever happens in whatever order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from telephony import events as ev
from telephony.conversation import Conversation
from telephony.policy import Policy
from telephony.rehearsal import Rehearsal
from telephony.reply.agent import Expect, Manners, Note, Said, Say, Turn, Wait

TEXTS = st.sampled_from(
    [
        "yeah",
        "uh-huh",
        "a small latte",
        "no thanks",
        "hold on",
        "stop",
        "one two three four five",
        "okay then",
        "bye",
    ]
)
LONG = "This is a rather long answer that goes on for a while. It has two sentences. Is that fine?"
ANSWERS: tuple[tuple[Said, ...], ...] = (
    ("Fine.",), (LONG,), (LONG, Expect("yes_no")), (Say(LONG, interruptible=False),), (Note(a=1), "Noted."),
    (), ("Take your time.", Wait()), ("Your number?", Expect("digits")),
)  # fmt: skip


class AnyCall(RuleBasedStateMachine):
    """A caller, a line and an agent that do what they like."""

    @initialize(
        barge_in=st.sampled_from(["patient", "immediate", "off"]),
        eager=st.sampled_from(["off", "text", "voice"]),
        think=st.sampled_from([0.0, 0.5, 2.0, 30.0]),
        speak=st.sampled_from([0.0, 0.3]),
        delay=st.sampled_from([0.0, 0.1]),
    )
    def begin(self, barge_in: Any, eager: Any, think: float, speak: float, delay: float) -> None:
        self.turns: list[str] = []
        self.answers: list[str] = []
        self.open = False
        self.eager_text = ""
        self.next_answer: tuple[Said, ...] = ("Fine.",)
        policy = Policy(barge_in, eager, eager_eot_threshold=None if eager == "off" else 0.5, max_call_s=120)
        self.talk = Rehearsal(
            self.agent,
            Manners(),
            policy,
            think_s=think,
            speak_s=speak,
            way_out=lambda _: delay,
            way_back=lambda _: delay,
        )

    def agent(self, turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        return list(self.next_answer)

    @rule(seconds=st.sampled_from([0.02, 0.1, 0.3, 0.7, 1.5, 4.0]))
    def time_passes(self, seconds: float) -> None:
        self.talk.run(seconds)

    @rule(answer=st.sampled_from(ANSWERS))
    def the_agent_will_say(self, answer: tuple[Said, ...]) -> None:
        self.next_answer = answer

    @precondition(lambda self: not self.open)
    @rule(text=TEXTS)
    def a_turn_starts(self, text: str) -> None:
        self.talk.flux("StartOfTurn", text)
        self.open, self.eager_text = True, ""

    @precondition(lambda self: self.open)
    @rule(text=TEXTS, quiet=st.sampled_from([0.0, 0.5]))
    def an_update(self, text: str, quiet: float) -> None:
        self.talk.flux("Update", text, quiet_s=quiet)

    @precondition(lambda self: self.open)
    @rule(text=TEXTS)
    def an_eager_end(self, text: str) -> None:
        self.talk.flux("EagerEndOfTurn", text, quiet_s=0.2)
        self.eager_text = text

    @precondition(lambda self: self.open and self.eager_text)
    @rule(text=TEXTS)
    def the_turn_resumes(self, text: str) -> None:
        self.talk.flux("TurnResumed", text)
        self.eager_text = ""

    @precondition(lambda self: self.open)
    @rule(text=TEXTS)
    def the_turn_ends(self, text: str) -> None:
        self.talk.flux("EndOfTurn", self.eager_text or text, quiet_s=0.3)
        self.open = False

    @rule(
        event=st.sampled_from(["StartOfTurn", "Update", "TurnResumed", "EagerEndOfTurn", "EndOfTurn", "New"]),
        text=TEXTS,
    )
    def flux_breaks_its_rules(self, event: str, text: str) -> None:
        self.talk.flux(event, text)
        self.open = self.talk.conversation.turn_open

    @rule(key=st.sampled_from("0123456789#*"))
    def a_key_is_pressed(self, key: str) -> None:
        self.talk.put(ev.DtmfPressed(key))

    @rule(name=st.sampled_from(["1.1.1", "2.1.1", "99.1.1", ""]))
    def a_foreign_mark_comes(self, name: str) -> None:
        self.talk.put(ev.MarkPlayed(name))

    @rule(reply=st.integers(0, 9))
    def something_late_comes_for_a_reply(self, reply: int) -> None:
        for event in (ev.ReplyText(reply, "late"), ev.ReplyEnded(reply), ev.ReplyAudio(reply, 99, 100)):
            if reply not in {c.reply for c in self.talk.commands if isinstance(c, ev.StartReply | ev.Speak)}:
                self.talk.put(event)

    @rule()
    def listening_comes_and_goes(self) -> None:
        self.talk.put(ev.ListenDown("reset"))
        self.talk.put(ev.ListenUp(2, self.talk.now))
        self.talk.forget_flux()
        self.open, self.eager_text = False, ""

    @rule()
    def the_server_stops(self) -> None:
        self.talk.put(ev.OperatorSaid("We stop now.", hang_up=True))

    @invariant()
    def never_more_heard_than_sent(self) -> None:
        if not hasattr(self, "talk"):
            return
        sent = {c.reply: 0 for c in self.talk.commands if isinstance(c, ev.Play)}
        for _, event, _ in self.talk.tape:
            if isinstance(event, ev.Sent):
                sent[event.reply] = max(sent[event.reply], event.end)
        ledger = self.talk.conversation.ledger
        for reply, samples in sent.items():
            assert ledger.heard(reply, self.talk.now).samples <= samples

    @invariant()
    def reply_numbers_grow(self) -> None:
        if hasattr(self, "talk"):
            started = [c.reply for c in self.talk.commands if isinstance(c, ev.StartReply)]
            assert started == sorted(set(started))

    @invariant()
    def nothing_is_sent_between_a_hold_and_its_decision(self) -> None:
        if not hasattr(self, "talk"):
            return
        held = False
        for _, event, commands in self.talk.tape:
            assert not (held and isinstance(event, ev.Sent)), "sent while held"
            for command in commands:
                if isinstance(command, ev.StopPlaying):
                    held = True
                elif isinstance(command, ev.Play):
                    held = False

    def teardown(self) -> None:
        if not hasattr(self, "talk"):
            return
        self.every_call_ends()
        self.every_turn_with_words_is_answered_once()
        self.the_tape_gives_the_same_commands()

    def every_call_ends(self) -> None:
        self.talk.run(200)
        assert self.talk.over

    def every_turn_with_words_is_answered_once(self) -> None:
        """Each answer that was released belongs to one record, and no record has two."""
        started = [c.reply for c in self.talk.commands if isinstance(c, ev.StartReply)]
        assert len(started) == len(set(started))

    def the_tape_gives_the_same_commands(self) -> None:
        again = Conversation(self.talk.manners, self.talk.policy)
        for at, event, commands in self.talk.tape:
            assert again.receive(event, at) == commands


TestAnyCall = AnyCall.TestCase
TestAnyCall.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
