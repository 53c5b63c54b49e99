"""Where calls are kept."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from telephony import events as ev
from telephony.conversation.policy import Policy
from telephony.listen.events import SttDisconnected
from telephony.record import tape
from telephony.record.store import RecordStore
from telephony.reply.agent import Wording


async def test_what_was_noted_before_the_close_is_written_and_what_comes_after_it_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A call may still be ending when the server stops."""
    store = RecordStore(tmp_path)
    writer = store.open_tape("call", "CA1", Wording(), Policy())
    for at in range(5):
        writer.note(float(at), ev.MediaTimestamp(at * 1000), [])
    await store.close()
    for late in range(5, 10):
        writer.note(float(late), ev.MediaTimestamp(late * 1000), [])
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
    writers = [store.open_tape(call, "", Wording(), Policy()) for call in ("one", "two")]
    for at in range(3):
        for writer in writers:
            writer.note(float(at), ev.MediaTimestamp(at * 1000), [])
        writers[0].note(at + 0.5, SttDisconnected("\ud800"), [])
    await store.close()
    for call in ("one", "two"):
        with (tmp_path / "calls" / call / "tape.jsonl").open("rb") as file:
            assert [entry.at for entry in tape.read(file)[2]] == [0.0, 1.0, 2.0]
    assert store.left_out == 3 and caplog.text.count("SttDisconnected") == 3


async def test_a_record_that_cannot_be_written_is_logged_and_no_error_to_the_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = RecordStore(tmp_path)
    await store.save("call", {"call_id": "call", "turns": ["\ud800"]})
    await store.save("other", {"call_id": "other", "live": False})
    assert await store.load("call") is None and await store.load("other") is not None
    assert store.left_out == 1 and "record of call call" in caplog.text
    await store.close()


@contextmanager
def interned() -> Iterator[list[str]]:
    """Who gives the interpreter names to keep, in this thread and in those that begin meanwhile."""
    callers: list[str] = []

    def look(frame: FrameType, event: str, argument: object) -> None:
        if event == "c_call" and argument is sys.intern:
            callers.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        yield callers
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


async def test_no_name_of_a_call_is_put_into_the_interpreters_table_of_names(tmp_path: Path) -> None:
    """It grows for calls that are over, and in some versions of Python they stay in it."""
    with interned() as callers:
        Path(tmp_path, "a name")
        str(Path(tmp_path, "a name"))
        assert callers  # it is seen
        store = RecordStore(tmp_path)
        callers.clear()
        for number in range(3):
            call_id, sid = f"call{number}", f"CA{number}"
            writer = store.open_tape(call_id, sid, Wording(), Policy())
            writer.note(0.0, ev.MediaTimestamp(0), [])
            writer.close()
            await store.save(call_id, {"call_id": call_id, "call_sid": sid})
            assert await store.load(sid) is not None
        assert len(await store.recent(10)) == 3
        assert callers == []
        await store.close()


async def test_a_call_is_found_by_its_sid_while_it_runs_and_when_it_is_over(tmp_path: Path) -> None:
    """Its newest stream, whichever ends first; nothing of it is kept in memory then."""
    store = RecordStore(tmp_path)
    older = store.open_tape("older", "CA1", Wording(), Policy())
    newer = store.open_tape("newer", "CA1", Wording(), Policy())
    store.flush(5.0)
    for writer in (older, newer):
        assert store.tape_path("CA1") == tmp_path / "calls" / "newer" / "tape.jsonl"
        writer.close()
    store.flush(5.0)
    assert store.tape_path("CA1") == tmp_path / "calls" / "newer" / "tape.jsonl"
    assert store._ids == {}
    await store.close()
