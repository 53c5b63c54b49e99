"""Where calls are kept."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from telephony import events as ev
from telephony.policy import Policy
from telephony.record import tape
from telephony.record.store import RecordStore
from telephony.reply.agent import Manners


async def test_what_was_noted_before_the_close_is_written_and_what_comes_after_it_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A call may still be ending when the server stops."""
    store = RecordStore(tmp_path)
    writer = store.open_tape("call", "CA1", Manners(), Policy())
    for at in range(5):
        writer.note(float(at), ev.CallerClock(at * 1000), [])
    await store.close()
    for late in range(5, 10):
        writer.note(float(late), ev.CallerClock(late * 1000), [])
        writer.close()
    with (tmp_path / "calls" / "call" / "tape.jsonl").open("rb") as file:
        written = list(tape.read(file)[2])
    assert [entry.at for entry in written] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_the_newest_calls_are_listed_without_a_word_of_them(tmp_path: Path) -> None:
    """A folder without a record, or with a broken one, is no call; the limit counts what is listed."""
    store = RecordStore(tmp_path)
    for at, call_id in enumerate(("first", "second", "broken", "third")):
        await store.save(call_id, {"call_id": call_id, "call_sid": "", "live": False, "turns": [{}] * at})
        file = tmp_path / "calls" / call_id / "call.json"
        if call_id == "broken":
            file.write_text("{")
        os.utime(file, (at, at))
    (tmp_path / "calls" / "running").mkdir()
    listed = await store.recent(2)
    assert [call["call_id"] for call in listed] == ["third", "second"]
    assert [call["turns"] for call in listed] == [3, 1]
    assert len(await store.recent(10)) == 3
    await store.close()


async def test_an_event_that_cannot_be_written_costs_no_other_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of its own call, or of another one that is written with it."""
    store = RecordStore(tmp_path)
    writers = [store.open_tape(call, "", Manners(), Policy()) for call in ("one", "two")]
    for at in range(3):
        for writer in writers:
            writer.note(float(at), ev.CallerClock(at * 1000), [])
        writers[0].note(at + 0.5, ev.CallStopped("\ud800"), [])
    await store.close()
    for call in ("one", "two"):
        with (tmp_path / "calls" / call / "tape.jsonl").open("rb") as file:
            assert [entry.at for entry in tape.read(file)[2]] == [0.0, 1.0, 2.0]
    assert store.left_out == 3 and caplog.text.count("CallStopped") == 3


async def test_a_record_that_cannot_be_written_is_logged_and_no_error_to_the_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = RecordStore(tmp_path)
    await store.save("call", {"call_id": "call", "turns": ["\ud800"]})
    await store.save("other", {"call_id": "other", "live": False})
    assert await store.load("call") is None and await store.load("other") is not None
    assert store.left_out == 1 and "record of call call" in caplog.text
    await store.close()
