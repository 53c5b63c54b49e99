"""Whole calls with the local engine: what is said is understood, and the tape shows what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from telephony import HangUp, Transfer
from telephony import events as ev
from telephony.record import tape

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("recorded call")]

SUBSCRIPTION = """
name: subscription
greeting: "Hello. Do you want me to cancel your subscription now?"
intents:
  ask:
    match: ["cancel", "subscription"]
    say: "Do you want me to cancel your subscription now?"
    expects: yes_no
    on_yes: {then: cancelled}
    on_no: "All right, it stays."
  cancelled: {say: "It is cancelled. Goodbye.", do: hang_up}
  bye: {match: ["bye"], say: "Goodbye.", do: hang_up}
fallback: ["Sorry, yes or no?"]
"""
REFUSES = """
steps:
  - wait_for: agent_silent
  - say: I want to cancel my subscription.
  - wait_for: agent_speaking
  - wait_for: agent_silent
  - say: Absolutely not.
  - wait_for: {words: "stays"}
  - wait_for: agent_silent
  - say: Thank you, goodbye.
  - expect: {ended_by: agent}
"""
CORRECTS = """
steps:
  - wait_for: agent_silent
  - say: A large coffee, please.
  - wait_for: {words: "anything else"}
  - wait_for: agent_silent
  - say: No, I said small.
  - wait_for: {words: "small coffee"}
  - wait_for: agent_silent
  - say: No, thank you. Goodbye.
  - expect: {ended_by: agent}
"""


INTERRUPTS = """
steps:
  - wait_for: agent_silent
  - say: What do you have?
  - interrupt: {after_ms: 1500, say: "Stop. The first one, please."}
  - wait_for: {words: "fine"}
  - expect: {ended_by: agent}
"""
CHANGES_THEIR_MIND = """
line: {echo: {delay_ms: 150, db: -20}}
steps:
  - wait_for: agent_silent
  - say: A large coffee, please.
  - interrupt: {after_ms: 600, say: "Sorry, change that to a small coffee."}
  - wait_for: agent_speaking
  - wait_for: agent_silent
  - say: No, that's all. Goodbye.
  - expect: {says: "thank you"}
  - expect: {ended_by: agent}
"""


def place(
    folder: Path, engine: str, steps: str, agent: str, **settings: str
) -> tuple[dict[str, Any], list[tape.TapeEntry]]:
    """One call by a scripted caller to a server that hears through this engine: its report, and its tape."""
    caller = folder / "caller.yaml"
    caller.write_text(steps)
    done = subprocess.run(
        [sys.executable, "-m", "telephony", "call", str(caller), "--json", "--out", str(folder / "out")],
        capture_output=True, text=True, timeout=200, check=False, cwd=folder,
        env={**os.environ, "DEEPGRAM_URL": engine, "AGENT": agent, **settings},
    )  # fmt: skip
    assert done.stdout, done.stderr
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    with open(report["files"]["tape"], "rb") as file:
        return report, list(tape.read(file)[2])


def acts(entries: list[tape.TapeEntry]) -> list[tuple[str, type]]:
    """What the agent did besides speaking, and what the caller had said last before it."""
    done: list[tuple[str, type]] = []
    heard = ""
    for entry in entries:
        for command in entry.commands:
            if isinstance(command, ev.StartReply):
                heard = command.turn.text
        if isinstance(entry.event, ev.ReplyAction) and isinstance(entry.event.action, HangUp | Transfer):
            done.append((heard, type(entry.event.action)))
    return done


def test_a_refusal_is_a_refusal_in_a_whole_call(tmp_path: Path, engine: str) -> None:
    script = tmp_path / "subscription.yaml"
    script.write_text(SUBSCRIPTION)
    report, entries = place(tmp_path, engine, REFUSES, f"scripted:{script}")
    said = [turn["agent"]["text"] for turn in report["turns"] if turn["agent"]]
    assert "All right, it stays." in said and not any("cancelled" in text for text in said)
    assert {act for _, act in acts(entries)} == {HangUp}
    assert all("absolutely" not in heard.lower() for heard, _ in acts(entries))


def test_a_correction_changes_the_order_and_ends_nothing_in_a_whole_call(tmp_path: Path, engine: str) -> None:
    report, entries = place(tmp_path, engine, CORRECTS, "scripted:coffee")
    said = [turn["agent"]["text"] for turn in report["turns"] if turn["agent"]]
    assert any("a small coffee. Anything else?" in text for text in said)
    assert said[-1] == "That's a small coffee. Thank you, goodbye."
    assert {act for _, act in acts(entries)} == {HangUp}
    assert all("said" not in heard.lower() for heard, _ in acts(entries))


def test_what_was_interrupted_is_in_the_history_of_the_answer_in_a_whole_call(
    tmp_path: Path, engine: str
) -> None:
    """Though the answer was drafted while the interrupted sentence was only held."""
    here = str(Path(__file__).parent)
    report, entries = place(
        tmp_path,
        engine,
        INTERRUPTS,
        "flow_agents:Remembers",
        EAGER="voice",
        BARGE_IN="patient",
        PYTHONPATH=here,
    )
    assert any(isinstance(command, ev.CancelReply) for entry in entries for command in entry.commands)
    given = report["notes"]["history 1"]
    assert [who for who, *_ in given] == ["agent", "caller", "agent"], "no two lines of the caller in a row"
    who, text, heard, interrupted = given[-1]
    assert interrupted and text.startswith(heard) and "large latte" in heard and "lemon" not in heard
    written = next(
        turn["agent"] for turn in report["turns"] if turn["agent"] and turn["agent"]["interrupted"]
    )
    assert (text, heard) == (written["text"], written["heard"]), "it was made from what is written down"


def test_our_own_voice_coming_back_is_not_answered_and_a_caller_stops_it_in_a_whole_call(
    tmp_path: Path, engine: str
) -> None:
    report, entries = place(tmp_path, engine, CHANGES_THEIR_MIND, "scripted:coffee")
    measured = [entry.event.share for entry in entries if isinstance(entry.event, ev.EchoMeasured)]
    assert measured and max(measured) > 0.9, "our sound was found in the caller's"
    answered = [turn["caller"]["text"] for turn in report["turns"] if turn["caller"] and turn["agent"]]
    assert len(answered) == 3, answered
    decisions = [made for turn in report["turns"] for made in turn["decisions"]]
    held = [made for made in decisions if made["what"] == "pause"]
    assert len(held) <= 2, "it does not stutter"
    cut = [turn["agent"] for turn in report["turns"] if turn["agent"] and turn["agent"]["interrupted"]]
    assert len(cut) == 1 and cut[0]["last_audio_s"] - cut[0]["first_audio_s"] <= 0.6 + 0.5
