"""A whole call on virtual time: the pure core, a pure playout, a voice whose audio shows its words. PURE.

For tests and benchmarks of turn-taking, ours and a user's: no sockets, no models, no waiting. The voice's
"audio" carries, in each sample, which word it belongs to, so that what was played says exactly which
words were heard, and when.

    talk = VirtualCall(lambda turn, notes: [f"You said {turn.text}."])
    talk.run(4)                 # the greeting
    talk.caller("a small latte please")
    talk.run(3)
    assert talk.said_by_agent[-1] == "You said a small latte please."
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from telephony import events as ev
from telephony.audio.g711 import PHONE_RATE
from telephony.call.reply_events import event_of
from telephony.conversation.conversation import CallPhase, Conversation
from telephony.conversation.policy import Policy
from telephony.playback.pacer import Mark, Pacer, SpokenStore
from telephony.reply.agent import (
    Agent,
    Wording,
    wording_of,
)
from telephony.reply.yielded import checked
from telephony.simulator.playout import Playout
from telephony.testing.virtual_agent import AgentLines, lines_of
from telephony.testing.virtual_flux import VirtualFlux
from telephony.testing.virtual_line import VirtualLine
from telephony.testing.virtual_voice import FIRST_WORDS, VirtualVoice, VirtualWord

__all__ = ["AgentLines", "VirtualCall", "VirtualVoice", "VirtualWord"]

TICK_S = 0.1

_RUN = re.compile(rb"(.)\1*", re.DOTALL)


class VirtualCall:
    """Both sides of one call, driven by `run` and by what the caller does."""

    def __init__(
        self,
        agent: AgentLines | Agent,
        wording: Wording | None = None,
        policy: Policy | None = None,
        *,
        voice: VirtualVoice | None = None,
        think_s: float = 0.0,
        speak_s: float | Callable[[int], float] = 0.05,
        way_out: Callable[[float], float] = lambda now: 0.02,
        way_back: Callable[[float], float] = lambda now: 0.02,
        lose_frame: Callable[[], bool] = lambda: False,
        return_mark: Callable[[str], tuple[float, ...]] = lambda name: (0.0,),
        drift_ppm: float = 0.0,
        resumed: Mapping[str, Any] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        """`agent`: an agent, or a function that gives what one yields for a turn; `think_s`: until its first
        word; `speak_s`: until a phrase's audio, for all or by the phrase's number; ways: delays in s;
        `lose_frame`: whether the newest of the caller's frames was lost; `return_mark`: how late a mark comes
        back, each time that it does; `drift_ppm`: how much faster the playout clock runs; `resumed`,
        `parameters`: as in CallStarted."""
        self.wording, self._agent = wording or wording_of(agent), lines_of(agent)
        self.policy = policy or Policy()
        self.conversation = Conversation(self.wording, self.policy)
        self.playout = Playout()
        self.voice = voice or VirtualVoice()
        self.now = 0.0
        self.tape: list[tuple[float, ev.Event, list[ev.Command]]] = []
        self.written: list[tuple[float, ev.Event, list[ev.Command]]] = []
        """The tape as a call's file has it: without sensitive answers."""
        self._redact = self.conversation.redactor()
        self.failing_phrases = self.breaking_phrases = 0
        """So many phrases from now on cannot be spoken; so many after those break off in the middle."""
        self.ended = self.transferred_to = ""
        self._think_s = think_s
        self._speak_s = speak_s if callable(speak_s) else lambda phrase: speak_s
        self._return_mark = return_mark
        self._line = VirtualLine(way_out, way_back, lose_frame, drift_ppm)
        self._flux = VirtualFlux()
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._store = SpokenStore()
        self._pacer = Pacer()
        self._ends: dict[int, list[int]] = {}
        self._live: set[int] = set()
        self._inbox: list[ev.Event] = []
        self._busy = False
        self._perform = self._performers()
        self._start(ev.CallStarted("call", "CA0", "MZ0", parameters=parameters or {}, resumed=resumed))

    def _start(self, event: ev.CallStarted) -> None:
        self.put(event)
        self._clock()
        self._tick()

    def _performers(self) -> dict[type, Callable[[Any], None]]:
        return {
            ev.ClearAudio: lambda c: self._to_ear(self._ear_clear),
            ev.StopPlaying: lambda c: self._pacer.stop(self.now, cleared=True),
            ev.Play: self._play,
            ev.StartReply: self._start_reply,
            ev.Speak: self._speak,
            ev.CancelReply: self._cancel,
            ev.DropAudio: lambda c: self._store.drop(c.reply),
            ev.EndCall: lambda c: setattr(self, "ended", c.reason),
            ev.TransferCall: lambda c: setattr(self, "transferred_to", c.to),
        }

    # ---- time

    def run(self, seconds: float) -> None:
        """Let this much time pass."""
        until = self.now + seconds
        while True:
            timer = self.conversation.next_deadline()
            at = min(self._queue[0][0] if self._queue else until, timer if timer is not None else until)
            if at > until:
                break
            self.now = max(self.now, at)
            if self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
            elif timer is not None and timer <= self.now:
                self.put(ev.TimerFired())
            else:
                break
        self.now = until

    def after(self, delay: float, do: Callable[[], None]) -> None:
        """Have something happen later."""
        self._count += 1
        heapq.heappush(self._queue, (self.now + delay, self._count, do))

    def _clock(self) -> None:
        stamp = ev.MediaTimestamp(self._line.newest_frame_ms(self.playout_now))
        self._from_ear(lambda: self.put(stamp))
        self.after(1.0, self._clock)

    @property
    def playout_now(self) -> float:
        """The moment on the playout clock."""
        return self.now * self._line.rate

    def _tick(self) -> None:
        self._write_due()
        self.after(TICK_S, self._tick)

    # ---- the caller

    def caller(self, text: str, *, pace_s: float = 0.3, eot_s: float = 0.3, eager: bool = False) -> None:
        """Say something from beginning to end; time passes as it is said."""
        words = text.split()
        self.run(min(2, len(words)) * pace_s)
        begun = " ".join(words[:2])
        self.flux("StartOfTurn", begun)
        for count in range(3, len(words) + 1):
            self.run(pace_s)
            self.flux("Update", " ".join(words[:count]))
        self.run(eot_s / 2)
        if eager:
            self.flux("EagerEndOfTurn", text, quiet_s=eot_s / 2)
        self.run(eot_s / 2)
        self.flux("EndOfTurn", text, quiet_s=eot_s)

    def flux(
        self,
        event: str,
        text: str,
        *,
        quiet_s: float = 0.0,
        trigger: str = "model",
        times: Sequence[tuple[float, float]] | None = None,
    ) -> None:
        """One of Flux's messages; `quiet_s`: how long ago the last word ended, unless `times` says it."""
        info = self._flux.turn_info(event, text, self.now, quiet_s=quiet_s, trigger=trigger, times=times)
        self.put(ev.TurnInfoReceived(info))

    def forget_flux(self) -> None:
        """A new connection: Flux's turn index, sequence and clock begin again."""
        self._flux.restart(self.now)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.put(ev.DtmfPressed(key))
            self.run(0.2)

    def hang_up(self) -> None:
        self.put(ev.CallStopped(ev.EndReason.CALLER))

    # ---- what was said and heard

    @property
    def over(self) -> bool:
        return self.conversation.phase is CallPhase.OVER

    @property
    def said_by_agent(self) -> list[str]:
        """The agent's lines so far, as the history has them: what was heard."""
        return [line.heard for line in self.conversation.transcript.history if line.who == "agent"]

    @property
    def commands(self) -> list[ev.Command]:
        return [command for _, _, commands in self.tape for command in commands]

    def decisions(self) -> list[str]:
        return [f"{c.what}: {c.reason}" for c in self.commands if isinstance(c, ev.DecisionLogged)]

    def truly_heard(self, until: float | None = None) -> list[tuple[VirtualWord, int]]:
        """The words that were played, in order, with how many samples of each; runs, so repeats show."""
        return [(word, length) for word, _, length in self.played_words(until)]

    def played_words(self, until: float | None = None) -> list[tuple[VirtualWord, float, int]]:
        """The same, with the second at which each began."""
        audio = self.playout.played((self.now if until is None else until) * self._line.rate)
        runs: list[tuple[VirtualWord, float, int]] = []
        at, last = 0, -1
        for value, length in _runs(audio):
            if 1 <= value <= FIRST_WORDS:
                word = self._word(value, last)
                last = word.number
                runs.append((word, at / PHONE_RATE, length))
            at += length
        return runs

    def _word(self, value: int, last: int) -> VirtualWord:
        """The word of this byte nearest to the one before it."""
        candidates = range(value - 1, len(self.voice.words), FIRST_WORDS)
        return self.voice.words[min(candidates, key=lambda n: abs(n - (last + 1)))]

    # ---- the shell, as call.py is one

    def put(self, event: ev.Event) -> None:
        self._inbox.append(event)
        if self._busy:
            return
        self._busy = True
        while self._inbox:
            event = self._inbox.pop(0)
            sensitive = self.conversation.sensitive
            commands = self.conversation.receive(event, self.now)
            self.tape.append((self.now, event, commands))
            written = self._redact(event, commands, sensitive or self.conversation.sensitive)
            self.written.append((self.now, *written))
            for command in commands:
                perform = self._perform.get(type(command))
                if perform is not None:
                    perform(command)
        self._busy = False

    def word_ends(self, reply: int) -> list[int]:
        """Where the words of a reply truly end, in samples of it."""
        return self.voice.ends.get(reply, [])

    def _play(self, command: ev.Play) -> None:
        available = self._store.available(command.reply)
        ends = self._ends.get(command.reply, [])
        self._pacer.play(command.reply, command.start, command.segment, available, ends)
        self._write_due()

    def _write_due(self) -> None:
        for due in self._pacer.due(self.now):
            if isinstance(due, Mark):
                self._to_ear(partial(self._ear_mark, due.name))
                self.put(ev.MarkSent(due.name, due.reply, due.sample))
            else:
                audio = self._store.read(due.reply, due.start, due.end)
                self._to_ear(partial(self._ear_media, audio))
                self.put(ev.Sent(due.reply, due.start, due.end))

    def _to_ear(self, do: Callable[[], None]) -> None:
        self.after(self._line.out_s(self.now), do)

    def _ear_media(self, audio: bytes) -> None:
        self.playout.media(self.playout_now, audio)
        self._marks(self.playout.due(self.playout_now))

    def _ear_mark(self, name: str) -> None:
        self._marks(self.playout.mark(self.playout_now, name))

    def _ear_clear(self) -> None:
        self._marks(self.playout.clear(self.playout_now))

    def _marks(self, names: list[str]) -> None:
        """Marks that were played go back; the playout is asked again when its next one is due."""
        due = self.playout.next_deadline()
        if due is not None and due > self.playout_now:
            self.after(
                (due - self.playout_now) / self._line.rate,
                lambda: self._marks(self.playout.due(self.playout_now)),
            )
        for name in names:
            for late in self._return_mark(name):
                self.after(late, partial(self._mark_home, name))

    def _mark_home(self, name: str) -> None:
        mark = ev.MarkPlayed(name, self._line.newest_frame_ms(self.playout_now))
        self._from_ear(lambda: self.put(mark))

    def _from_ear(self, do: Callable[[], None]) -> None:
        """One socket: what is sent later never comes sooner."""
        self.after(self._line.back_s(self.now), do)

    def _start_reply(self, command: ev.StartReply) -> None:
        self._live.add(command.reply)
        lines = list(self._agent(command.turn, command.notes))

        def think() -> None:
            for said in lines:
                if command.reply in self._live:
                    self.put(event_of(command.reply, checked(said)))
            self.put(ev.ReplyEnded(command.reply))

        self.after(self._think_s, think)

    def _speak(self, command: ev.Speak) -> None:
        self._live.add(command.reply)
        audio, words = self.voice.render(command.reply, command.text)

        def spoken() -> None:
            if command.reply not in self._live:
                return
            if self.failing_phrases:
                self.failing_phrases -= 1
                self.put(ev.PhraseSpoken(command.reply, command.phrase, (), "the voice failed"))
                return
            broken = self.breaking_phrases > 0
            self.breaking_phrases -= broken
            heard = audio[: len(audio) // 2] if broken else audio
            available = self._store.append(command.reply, heard)
            self._pacer.extend(command.reply, available)
            self.put(ev.ReplyAudio(command.reply, command.phrase, len(heard)))
            self._ends.setdefault(command.reply, []).append(available)
            self._pacer.phrase_end(command.reply, available)
            result = ((), "the voice broke off") if broken else (words, "")
            self.put(ev.PhraseSpoken(command.reply, command.phrase, *result))
            self._write_due()

        self.after(self._speak_s(command.phrase), spoken)

    def _cancel(self, command: ev.CancelReply) -> None:
        self._live.discard(command.reply)
        self._store.drop(command.reply)


def _runs(audio: bytes) -> Iterable[tuple[int, int]]:
    """Runs of equal bytes: (byte, length)."""
    for run in _RUN.finditer(audio):
        yield run[1][0], run.end() - run.start()
