"""A real call takes the journeys of docs/architecture.md: each hop, in the order of the page."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from telephony.testing.faults import NONE
from tests.markdown import ROOT, read
from tests.real_line import Lines, running

PACKAGE = f"{ROOT / 'telephony'}/"
HOPS, FOLDERS = 10, 4
"""So many at most for a frame."""
AT_ONCE = 100
"""Calls of functions, within a turn or two of the event loop. Backwards the way takes ten times as many."""


def tables(heading: str) -> list[list[tuple[str, str]]]:
    """File and name of each hop, for each table under a heading."""
    text = read("docs/architecture.md").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [
        re.findall(r"\| `([\w/]+\.py)` `([\w.]+)` \|$", table, re.MULTILINE)
        for table in re.split(r"^\|---.*$", text, flags=re.MULTILINE)[1:]
    ]


@contextmanager
def traced(took: list[tuple[str, str]]) -> Iterator[None]:
    """Writes down each function of the package that is called in this thread: its file and qualified name."""

    def called(frame: FrameType, event: str, argument: object) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(PACKAGE):
            took.append((file[len(PACKAGE) :], frame.f_code.co_qualname))

    sys.setprofile(called)
    try:
        yield
    finally:
        sys.setprofile(None)


def shortest(hops: list[tuple[str, str]], took: list[tuple[str, str]]) -> int:
    """The fewest calls within which all hops were taken in their order; a class stands for its methods."""

    def is_hop(call: tuple[str, str], hop: tuple[str, str]) -> bool:
        return call[0] == hop[0] and (call[1] == hop[1] or call[1].startswith(f"{hop[1]}."))

    best = len(took) + 1
    for start in (at for at, call in enumerate(took) if is_hop(call, hops[0])):
        at = start
        for hop in hops[1:]:
            at = next((n for n in range(at + 1, min(len(took), start + best)) if is_hop(took[n], hop)), -1)
            if at < 0:
                break
        else:
            best = at - start
    return best


@pytest.mark.slow
async def test_a_call_takes_the_hops_of_each_journey_in_their_order(tmp_path: Path) -> None:
    """A caller who asks, interrupts the answer and is answered again."""
    heard = Lines([(1.5, "a large latte please"), (4.0, "no a small one please")])
    took: list[tuple[str, str]] = []
    async with running(tmp_path, NONE, lambda: heard, lambda text: 2.5) as server:
        with traced(took):
            await server.call(9.0)
    frame, answer = tables("The journey of a frame")
    (barge_in, afterwards), (reply,) = tables("The journey of a barge-in"), tables("The journey of a reply")
    assert shortest(frame, took) < AT_ONCE
    assert shortest(answer, took) < AT_ONCE
    assert shortest(barge_in, took) < 10 * AT_ONCE  # with what is decided and written down
    assert shortest(reply, took) < len(took)
    # After a barge-in the reply goes on, or it is cut: here it is cut.
    assert shortest([hop for hop in afterwards if not hop[1].endswith("go_on")], took) < len(took)


def test_a_frame_passes_few_hops_and_folders() -> None:
    (frame, _) = tables("The journey of a frame")
    assert 5 < len(frame) <= HOPS
    assert len({file.partition("/")[0] for file, _ in frame}) <= FOLDERS
