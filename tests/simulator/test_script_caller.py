"""Scripted callers on virtual time: they wait, speak, interrupt and judge as their script says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from telephony.audio.dtmf import find_keys
from telephony.audio.g711 import linear16_to_ulaw, ulaw_to_linear16
from telephony.audio.wav import write_wav
from telephony.carrier.media_messages import Dtmf, Media
from telephony.carrier.media_stream import ServerEvent, ServerStream
from telephony.errors import BadScript
from telephony.simulator.caller_script import RecordedSound, Sound, read_script
from telephony.simulator.carrier_stream import CarrierStream
from telephony.simulator.network import EchoPath, Impairments, NetworkModel
from telephony.simulator.phone import Phone
from telephony.simulator.script_caller import ScriptCaller

HALF = bytes(4000)
"""Half a second of the agent's voice."""
WORDS = bytes([0x80]) * 8000
"""One second of the caller's."""


class Call:
    """A scripted call without wires; `agent(at, seconds)` speaks."""

    def __init__(self, folder: Path, steps: str, wait: float = 2.0) -> None:
        path = folder / "caller.yaml"
        path.write_text("steps:\n" + steps)
        script = read_script(path)
        sounds: dict[Sound, bytes] = {
            sound: linear16_to_ulaw(sound.path.read_bytes()[44:])
            if isinstance(sound, RecordedSound)
            else WORDS
            for sound in script.sounds()
        }
        self.caller = ScriptCaller(script, sounds, wait)
        self.phone = Phone(self.caller, NetworkModel(Impairments()))
        self.server = ServerStream()
        self.got: list[ServerEvent] = []
        self.ended_at: float | None = None
        self.record: dict[str, Any] = {"turns": []}
        self._plan: list[tuple[float, float, str]] = []
        for text in self.phone.connect(0.0, CarrierStream("MZ1", "CA1", "AC1"), {}):
            self.server.receive(text)

    def agent(self, at: float, seconds: float, text: str = "") -> Call:
        """The agent speaks at this moment; the server tells the words when they are over."""
        self._plan.append((at, seconds, text))
        return self

    def run(self, end: float = 60.0) -> Call:
        told: list[tuple[float, str]] = []
        while (now := self.phone.next_deadline()) <= end:
            for plan in [plan for plan in self._plan if plan[0] <= now]:
                self._plan.remove(plan)
                self.phone.receive(now, self.server.encode_media(bytes(int(plan[1] * 8000))))
                told.append((now + plan[1], plan[2]))
            for at, text in [one for one in told if one[0] <= now]:
                told.remove((at, text))
                self.record["turns"].append({"caller": None, "agent": {"text": text}})
                self.caller.learn(self.record)
            self.got += [self.server.receive(text) for text in self.phone.step(now)]
            if self.phone.hung_up:
                self.ended_at = now
                break
        return self

    def broken(self, **told: Any) -> list[str]:
        whole = {"turns": self.record["turns"], "clears_s": [], "ended_by": "caller", **told}
        return self.caller.broken(whole)

    @property
    def speech(self) -> list[tuple[float, float]]:
        """When the caller was heard: (from, to), to the frame."""
        frames = [
            (event.timestamp_ms / 1000, event.payload != b"\xff" * 160)
            for event in self.got
            if isinstance(event, Media)
        ]
        found: list[tuple[float, float]] = []
        for at, loud in frames:
            if loud and found and at - found[-1][1] < 0.001:
                found[-1] = (found[-1][0], round(at + 0.02, 2))
            elif loud:
                found.append((at, round(at + 0.02, 2)))
        return found


def test_say_wait_and_hang_up(tmp_path: Path) -> None:
    call = Call(tmp_path, "  - say: one\n  - wait: 0.5\n  - say: two\n  - hangup\n").run()
    assert call.speech == [(0.0, 1.0), (1.5, 2.5)]
    assert call.ended_at == pytest.approx(2.5, abs=0.05)
    assert call.broken() == []


def test_wait_for_the_agent_to_be_silent(tmp_path: Path) -> None:
    """A pause between sentences is not the end; the greeting counts; 0.7 s later the caller speaks."""
    call = Call(tmp_path, "  - wait_for: agent_silent\n  - say: one\n").agent(1.0, 0.5).agent(1.9, 0.5).run()
    assert call.speech[0][0] == pytest.approx(2.4 + 0.7, abs=0.06)


def test_silence_before_the_answer_is_not_the_agents_end(tmp_path: Path) -> None:
    steps = "  - say: one\n  - wait_for: {agent: silent, for_ms: 300}\n  - say: two\n"
    call = Call(tmp_path, steps).agent(3.0, 1.0).run()
    assert call.speech[1][0] == pytest.approx(4.3, abs=0.06)


def test_wait_for_words(tmp_path: Path) -> None:
    steps = '  - wait_for: {words: "anything +ELSE"}\n  - say: one\n'
    call = Call(tmp_path, steps).agent(0.5, 1.0, "Hello.").agent(2.0, 1.0, "Anything else?").run()
    assert call.speech[0][0] == pytest.approx(3.0, abs=0.06)
    assert call.broken() == []


def test_words_said_before_the_callers_own_do_not_count(tmp_path: Path) -> None:
    steps = "  - wait: 2\n  - say: one\n  - wait_for: {words: hello, within_s: 3}\n  - say: two\n"
    call = Call(tmp_path, steps).agent(0.1, 0.5, "Hello").run()
    assert len(call.speech) == 1
    assert call.broken() == [f"{tmp_path}/caller.yaml:4: wait_for: /hello/ did not come within 3 s"]


def test_a_wait_in_vain_ends_the_call(tmp_path: Path) -> None:
    call = Call(tmp_path, "  - wait_for: {agent: speaking, within_s: 4}\n  - say: one\n").run()
    assert call.ended_at == pytest.approx(4.0, abs=0.05)
    assert call.speech == []
    assert "agent_speaking did not come within 4 s" in call.broken()[0]


def test_interrupt_after_so_much_of_the_agents_speech(tmp_path: Path) -> None:
    steps = "  - interrupt: {after_ms: 800, say: wait}\n  - backchannel: {after_ms: 300}\n"
    call = Call(tmp_path, steps).agent(1.0, 1.5).agent(4.0, 1.0).run()
    assert call.speech[0][0] == pytest.approx(1.8, abs=0.05)
    assert call.speech[1][0] == pytest.approx(4.3, abs=0.05)


def test_an_agent_that_speaks_too_shortly_is_not_interrupted(tmp_path: Path) -> None:
    steps = "  - interrupt: {after_ms: 800, say: wait, within_s: 5}\n"
    call = Call(tmp_path, steps).agent(1.0, 0.5).run()
    assert call.speech == []
    assert "the agent did not speak for 0.8 s within 5 s" in call.broken()[0]


def test_keys_are_tones_and_messages(tmp_path: Path) -> None:
    call = Call(tmp_path, '  - wait: 0.5\n  - dtmf: "42#"\n').run()
    assert [event.digit for event in call.got if isinstance(event, Dtmf)] == ["4", "2", "#"]
    heard = b"".join(event.payload for event in call.got if isinstance(event, Media))
    assert [key.digit for key in find_keys(ulaw_to_linear16(heard))] == ["4", "2", "#"]


def test_noise_has_the_ratio_that_was_asked_for(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 900, 8000).astype("<i2").tobytes()
    (tmp_path / "n.wav").write_bytes(write_wav(noise))
    call = Call(
        tmp_path, "  - noise: {file: n.wav, snr_db: 10}\n  - wait: 2\n  - noise: off\n  - wait: 1\n"
    ).run()
    heard = np.frombuffer(ulaw_to_linear16(bytes(call.phone.said)), "<i2").astype(float)
    level = 10 * np.log10((heard[:15_000] ** 2).mean() / 32768**2)
    assert level == pytest.approx(-30, abs=0.5)
    assert not heard[16_500:].any()


def test_after_the_last_step_the_caller_listens(tmp_path: Path) -> None:
    call = Call(tmp_path, "  - say: one\n", wait=2.0).agent(2.0, 1.5).run()
    assert call.ended_at == pytest.approx(5.5, abs=0.06)


def test_what_is_said_last_is_found_when_the_call_is_over(tmp_path: Path) -> None:
    """The agent says goodbye and hangs up: the server tells the words only after the end."""
    call = Call(tmp_path, "  - say: bye\n  - expect: {says: goodbye}\n  - expect: {ended_by: agent}\n")
    call.agent(1.2, 1.0).run(2.0)
    call.caller.learn({"turns": [{"agent": {"text": "Thank you, goodbye."}}]})
    assert call.broken(ended_by="agent") == []
    assert len(call.broken(ended_by="caller")) == 1


def test_a_call_that_is_over_too_early_is_broken(tmp_path: Path) -> None:
    call = Call(tmp_path, "  - say: one\n  - wait: 5\n  - say: two\n").run(2.0)
    assert call.broken() == [f"{tmp_path}/caller.yaml:3: wait: the call was over before"]


TURN = {
    "caller": {"text": "a small latte", "end_s": 2.0},
    "agent": {"text": "Okay, goodbye.", "first_audio_s": 3.5, "interrupted": True},
}


@pytest.mark.parametrize(
    ("expectation", "says"),
    [
        ("never_says: okay", "the agent said 'Okay, goodbye.'"),
        ("never_says: pizza", ""),
        ("hears: latte", ""),
        ("hears: mocha", "it heard ['a small latte']"),
        ("ended_by: caller", ""),
        ("ended_by: agent", "it was ended by caller"),
        ("interrupted: 1", ""),
        ("interrupted: 0", "1 replies were interrupted"),
        ("response_s: 1.6", ""),
        ("response_s: 1.4", "the slowest answer took 1.50 s"),
        ("caller_turns: 1", ""),
        ("caller_turns: 2", "there were 1"),
        ("clears: 1", ""),
        ("clears: 0", "there were 1"),
    ],
)
def test_expectations_of_a_whole_call(expectation: str, says: str, tmp_path: Path) -> None:
    call = Call(tmp_path, f"  - expect: {{{expectation}}}\n").run(0.1)
    broken = call.broken(turns=[TURN], clears_s=[3.0])
    assert [text.partition(": expect: ")[2].partition(": ")[2] for text in broken] == ([says] if says else [])


def test_a_script_says_how_bad_the_line_is(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: n\nvoice: slt\nline: {seed: 3, loss: 2, jitter_ms: 60, stalls: [{at_s: 12, seconds: 2}],\n"
        "  marks_lost: 10, marks_late_ms: 5, marks_twice: 1, drift_ppm: -300,\n"
        "  echo: {delay_ms: 120, db: -20}, drop_at_s: 30}\nsteps: [hangup]\n"
    )
    script = read_script(path)
    assert (script.name, script.has_line) == ("n", True)
    assert script.impairments == Impairments(
        3, 0.02, 60, ((12, 2),), 0.1, 5, 0.01, -300, EchoPath(120, -20), 30
    )


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ("  - sing: la", "s.yaml:2: steps.sing: unknown"),
        ("  - say: one\n    wait: 1", "one `name: value`"),
        ("  - wait", "'wait' cannot stand alone"),
        ("  - wait: soon", "'soon' is not a number"),
        ("  - say: {text: a, file: b}", "either `text` or `file`"),
        ("  - say: {file: gone.wav}", "gone.wav: no such file"),
        ("  - wait_for: rain", "'rain' is not allowed"),
        ("  - wait_for: {within_s: 3}", "is needed here"),
        ('  - wait_for: {words: "("}', "no regular expression"),
        ("  - interrupt: {after_ms: 5}", "`say` is missing"),
        ("  - dtmf: 4x", "only the keys"),
        ("  - noise: loud", "or `off` is needed"),
        ("  - expect: {ended_by: cat}", "'cat' is not allowed"),
        ("  - expect: {}", "one expectation is needed"),
        ("  - expect: {luck: 1}", "unknown"),
        ("", "s.yaml:1"),
    ],
)
def test_a_mistake_in_a_script_is_one_line_that_names_the_place(
    steps: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(f"steps:\n{steps}\n")
    with pytest.raises(BadScript) as caught:
        read_script(path)
    assert says in str(caught.value)
    assert "s.yaml:" in str(caught.value) and "\n" not in str(caught.value)
