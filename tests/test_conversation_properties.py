"""What holds in every conversation, whatever happens in whatever order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from telephony import events as ev
from telephony.conversation.backchannel import is_backchannel, is_farewell
from telephony.conversation.conversation import Conversation
from telephony.conversation.policy import Policy
from telephony.conversation.turn_record import REDACTED
from telephony.listen.events import SttConnected, SttDisconnected
from telephony.record import tape
from telephony.reply.agent import Expect, HangUp, Note, Said, Say, Turn, Wait, Wording
from telephony.testing.virtual_call import VirtualCall

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
    (), ("Take your time.", Wait()), ("Your number?", Expect("digits")), ("Goodbye.", HangUp()),
    ("Your pin?", Expect("digits", (), True)),
)  # fmt: skip


ENDINGS = (
    "the call is over",
    "the call's greatest length",
    "the server stops",
    "listening was refused",
    "listening cannot be reached",
)
"""Why a reply may be given up and never be made again."""


class LegalCall(RuleBasedStateMachine):
    """A caller, a line and an agent that do what they like, within what the wires allow."""

    @initialize(
        barge_in=st.sampled_from(["patient", "immediate", "off"]),
        eager=st.sampled_from(["off", "text", "voice"]),
        think=st.sampled_from([0.0, 0.5, 2.0, 30.0]),
        speak=st.sampled_from([0.0, 0.3]),
        delay=st.sampled_from([0.0, 0.1]),
    )
    def begin(self, barge_in: Any, eager: Any, think: float, speak: float, delay: float) -> None:
        self.open = False
        self.eager_text = ""
        self.next_answer: tuple[Said, ...] = ("Fine.",)
        self.tokens: list[str] = []
        self.before: list[VirtualCall] = []
        """The call's earlier streams."""
        policy = Policy(barge_in, eager, eager_eot_threshold=None if eager == "off" else 0.5, max_call_s=120)
        self.line: dict[str, Any] = {
            "policy": policy, "think_s": think, "speak_s": speak,
            "way_out": lambda _: delay, "way_back": lambda _: delay,
        }  # fmt: skip
        self.talk = VirtualCall(self.agent, Wording(), **self.line)

    def agent(self, turn: Turn, notes: Mapping[str, Any]) -> list[Said]:
        return list(self.next_answer)

    @rule(seconds=st.sampled_from([0.02, 0.1, 0.3, 0.7, 1.5, 4.0]))
    def time_passes(self, seconds: float) -> None:
        self.talk.run(seconds)

    @rule(answer=st.sampled_from(ANSWERS))
    def the_agent_will_say(self, answer: tuple[Said, ...]) -> None:
        self.next_answer = answer

    # ---- the caller, as Flux tells of them

    @precondition(lambda self: not self.open)
    @rule(text=TEXTS)
    def a_turn_starts(self, text: str) -> None:
        self.talk.flux("StartOfTurn", text)
        self.open, self.eager_text = True, ""

    @precondition(lambda self: self.open and not self.eager_text)
    @rule(text=TEXTS, quiet=st.sampled_from([0.0, 0.5]))
    def an_update(self, text: str, quiet: float) -> None:
        self.talk.flux("Update", text, quiet_s=quiet)

    @precondition(lambda self: self.open and not self.eager_text)
    @rule(text=TEXTS)
    def an_eager_end(self, text: str) -> None:
        self.eager_text = self.unique(text)
        self.talk.flux("EagerEndOfTurn", self.eager_text, quiet_s=0.2)

    @precondition(lambda self: self.open and self.eager_text)
    @rule(text=TEXTS)
    def the_turn_resumes(self, text: str) -> None:
        self.talk.flux("TurnResumed", text)
        self.eager_text = ""

    @precondition(lambda self: self.open)
    @rule(text=TEXTS)
    def the_turn_ends(self, text: str) -> None:
        said = self.eager_text or self.unique(text)
        heard_it = not self.talk.over
        self.talk.flux("EndOfTurn", said, quiet_s=0.3)
        self.open, self.eager_text = False, ""
        if heard_it and said != text:
            self.tokens.append(said.split()[-1])

    def unique(self, text: str) -> str:
        """The words with one that no other turn has; a backchannel stays as it is, and wants no answer."""
        if is_backchannel(text) or is_farewell(text):
            return text
        self.count = getattr(self, "count", 0) + 1
        return f"{text} token{self.count}"

    @rule(key=st.sampled_from("0123456789#*"))
    def a_key_is_pressed(self, key: str) -> None:
        self.talk.put(ev.DtmfPressed(key))

    # ---- the line and the services

    @rule(count=st.integers(1, 2))
    def the_voice_fails(self, count: int) -> None:
        self.talk.failing_phrases = count

    @rule(status=st.sampled_from([None, 429, 503]))
    def the_voice_is_down_for_a_moment(self, status: int | None) -> None:
        self.talk.put(ev.TtsDisconnected("gone", status))

    @rule()
    def listening_comes_and_goes(self) -> None:
        self.talk.put(SttDisconnected("reset"))
        self.talk.put(SttConnected(2, self.talk.now))
        self.talk.forget_flux()
        self.open, self.eager_text = False, ""

    @precondition(lambda self: len(self.before) < 2)
    @rule()
    def the_socket_is_lost(self) -> None:
        """The call goes on with a new stream, from what the old one left behind."""
        if self.talk.over:
            return
        self.talk.put(ev.CallStopped(ev.EndReason.SOCKET_LOST))
        self.before.append(self.talk)
        state = json.loads(json.dumps(self.talk.conversation.state_to_resume()))
        self.talk = VirtualCall(self.agent, Wording(), resumed=state, **self.line)
        self.open, self.eager_text = False, ""

    @rule()
    def the_server_stops(self) -> None:
        self.talk.put(ev.OperatorCommand("We stop now.", hang_up=True, reason="the server stops"))

    # ---- what always holds

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

    def teardown(self) -> None:
        if not hasattr(self, "talk"):
            return
        self.every_call_ends()
        self.nothing_is_sent_between_a_pause_and_its_decision()
        self.what_must_be_heard_is_never_cut()
        self.the_tape_gives_the_same_commands()
        self.every_turn_with_words_is_answered_once()

    def every_call_ends(self) -> None:
        self.talk.run(200)
        assert self.talk.over

    def nothing_is_sent_between_a_pause_and_its_decision(self) -> None:
        for talk in [*self.before, self.talk]:
            paused = False
            for _, event, commands in talk.tape:
                assert not (paused and isinstance(event, ev.Sent)), "sent while paused"
                for command in commands:
                    paused = isinstance(command, ev.StopPlaying) or (
                        paused and not isinstance(command, ev.Play)
                    )

    def what_must_be_heard_is_never_cut(self) -> None:
        """Once it sounds, an utterance that is not to be interrupted ends by itself, or with the call."""
        for talk in [*self.before, self.talk]:
            firm, sounding = set(), set()
            for _, event, commands in talk.tape:
                if isinstance(event, ev.ReplyText) and not event.interruptible:
                    firm.add(event.reply)
                elif isinstance(event, ev.Sent):
                    sounding.add(event.reply)
                for command in commands:
                    if isinstance(command, ev.CancelReply) and command.reply in firm & sounding:
                        assert command.reason.startswith(ENDINGS), command

    def the_tape_gives_the_same_commands(self) -> None:
        """Written to a file and read back, without what was sensitive."""
        for talk in [*self.before, self.talk]:
            lines = [tape.entry(at, event, commands) for at, event, commands in talk.written]
            wording, policy, rows = tape.read([tape.header(talk.wording, talk.policy), *lines])
            # A file's moments are whole microseconds, as a real call's are; a virtual call's are not.
            entries = [entry._replace(at=at) for entry, (at, _, _) in zip(rows, talk.written, strict=True)]
            assert tape.run_again(wording, policy, entries) == [entry.commands for entry in entries]

    def every_turn_with_words_is_answered_once(self) -> None:
        """By one reply, heard or not given up; or by asking again; or the call ended first."""
        streams = [(talk, whole_words(talk)) for talk in [*self.before, self.talk]]
        for token in self.tokens:
            fates = [fate for talk, heard in streams for fate in self.fates(talk, heard, token)]
            stood = [fate for fate in fates if fate == "stood"]
            assert len(stood) <= 1, (token, fates)
            stopped = any(isinstance(event, ev.OperatorCommand) for _, event, _ in self.talk.tape)
            assert stood or stopped or not fates or fates[-1].startswith(("asked again", *ENDINGS)), fates
            if not fates:
                # Kept for after an utterance, or for the keys, when the call ended.
                assert self.talk.over

    @staticmethod
    def fates(talk: VirtualCall, heard: set[int], token: str) -> list[str]:
        """What became of each reply to a turn with this word: `stood`, or why it was given up unheard."""
        order: list[int] = []
        fate: dict[int, str] = {}
        reasked = False
        for _, _, commands in talk.tape:
            for command in commands:
                if isinstance(command, ev.StartReply) and token in command.turn.text.split():
                    order.append(command.reply)
                    fate[command.reply] = "stood"
                elif isinstance(command, ev.CancelReply) and fate.get(command.reply) == "stood":
                    if command.reply not in heard:
                        fate[command.reply] = command.reason
                elif isinstance(command, ev.DecisionLogged) and command.what is ev.Decision.ASK_AGAIN:
                    reasked = True
        found = [fate[reply] for reply in order]
        if found and found[-1] != "stood" and reasked:
            found[-1] = f"asked again: {found[-1]}"
        return found


def whole_words(talk: VirtualCall) -> set[int]:
    """The replies of which at least one word was heard, to its end but for 25 ms (ledger.WORD_END)."""
    return {word.reply for word, samples in talk.truly_heard() if samples >= word.samples - 200}


class InterruptingCaller(LegalCall):
    """A caller who speaks in whole turns, most of them over us, and a line that makes drafts."""

    @initialize(
        eager=st.sampled_from(["text", "voice"]),
        think=st.sampled_from([0.0, 0.3]),
        delay=st.sampled_from([0.0, 0.1]),
    )
    def begin_with_drafts(self, eager: Any, think: float, delay: float) -> None:
        LegalCall.begin(self, "patient", eager, think, 0.1, delay)

    begin = None  # type: ignore[assignment]

    @precondition(lambda self: not self.open)
    @rule(
        text=TEXTS,
        listened_s=st.sampled_from([0.3, 1.0, 2.0, 6.0]),
        spoken_s=st.sampled_from([0.1, 0.5, 1.2, 2.0]),
        eager_s=st.sampled_from([0.05, 0.3, 1.0]),
        sure=st.booleans(),
    )
    def a_whole_turn(self, text: str, listened_s: float, spoken_s: float, eager_s: float, sure: bool) -> None:
        """The caller listens for a while, speaks, perhaps over us, and pauses."""
        self.talk.run(listened_s)
        self.a_turn_starts(text.split()[0])
        self.talk.run(spoken_s)
        self.an_eager_end(text)
        self.talk.run(eager_s)
        if not sure:
            self.the_turn_resumes(text)
            self.talk.run(eager_s)
        self.the_turn_ends(text)

    @precondition(lambda self: len(self.tokens) > 2)
    @rule(key=st.sampled_from("12#"))
    def a_key_is_pressed(self, key: str) -> None:
        self.talk.put(ev.DtmfPressed(key))

    @precondition(lambda self: len(self.tokens) > 4)  # sooner, no call would get anywhere
    @rule()
    def the_server_stops(self) -> None:
        self.talk.put(ev.OperatorCommand("We stop now.", hang_up=True, reason="the server stops"))

    def teardown(self) -> None:
        if hasattr(self, "talk"):
            self.what_becomes_the_answer_was_made_from_what_is_remembered()

    def what_becomes_the_answer_was_made_from_what_is_remembered(self) -> None:
        """An adopted draft, too: from the history and the notes as they stand when it is adopted."""
        for talk in [*self.before, self.talk]:
            again = Conversation(talk.wording, talk.policy)
            begun: dict[int, ev.StartReply] = {}
            noted: dict[int, dict[str, Any]] = {}
            for at, event, _ in talk.tape:
                if isinstance(event, ev.ReplyNote):
                    noted.setdefault(event.reply, {}).update(event.note.values)
                for command in again.receive(event, at):
                    if isinstance(command, ev.StartReply):
                        begun[command.reply] = command
                    if isinstance(command, ev.ReleaseReply):
                        self.was_made_from(again, begun[command.reply], noted.get(command.reply, {}))
                    elif isinstance(command, ev.StartReply) and not command.draft:
                        self.was_made_from(again, command, {})

    def was_made_from(self, call: Conversation, begun: ev.StartReply, noted: dict[str, Any]) -> None:
        turn, history = begun.turn, call.transcript.history
        count = len(turn.history)
        assert list(turn.history) == history[:count], "made from another history"
        if turn.text:
            assert history[count].who == "caller" and history[count].text in (turn.text, REDACTED)
        assert call.notes == {**begun.notes, **noted}, "made from other notes"


class AnyCall(LegalCall):
    """The same, with what no wire allows."""

    @rule(
        event=st.sampled_from(["StartOfTurn", "Update", "TurnResumed", "EagerEndOfTurn", "EndOfTurn", "New"]),
        text=TEXTS,
    )
    def flux_breaks_its_rules(self, event: str, text: str) -> None:
        self.talk.flux(event, text)
        self.open, self.eager_text = self.talk.conversation.turn_open, ""

    @rule(name=st.sampled_from(["1.1.1", "2.1.1", "99.1.1", ""]))
    def a_foreign_mark_comes(self, name: str) -> None:
        self.talk.put(ev.MarkPlayed(name, 40))

    @rule(reply=st.integers(0, 9))
    def something_late_comes_for_a_reply(self, reply: int) -> None:
        for event in (ev.ReplyText(reply, "late"), ev.ReplyEnded(reply), ev.ReplyAudio(reply, 99, 100)):
            if reply not in {c.reply for c in self.talk.commands if isinstance(c, ev.StartReply | ev.Speak)}:
                self.talk.put(event)

    @rule()
    def a_phrase_ends_twice(self) -> None:
        spoken = [c for c in self.talk.commands if isinstance(c, ev.Speak)]
        if spoken:
            self.talk.put(ev.PhraseSpoken(spoken[-1].reply, spoken[-1].phrase + 1, (), "unheard of"))

    @rule()
    def the_voice_is_refused(self) -> None:
        self.talk.put(ev.TtsDisconnected("forbidden", 403))

    def every_turn_with_words_is_answered_once(self) -> None:
        """Nobody can say what a turn is here."""


SETTINGS = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLegalCall = LegalCall.TestCase
TestLegalCall.settings = SETTINGS
TestInterruptingCaller = InterruptingCaller.TestCase
TestInterruptingCaller.settings = SETTINGS
TestAnyCall = AnyCall.TestCase
TestAnyCall.settings = SETTINGS
