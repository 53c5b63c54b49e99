"""The figures that turn-taking has to reach, on virtual time and with few examples: the benches have many."""

from __future__ import annotations

import pytest

from bench import barge_in, ledger
from bench.load.figures import percentile


@pytest.mark.parametrize("line", ledger.LINES, ids=lambda line: line.name.strip())
def test_the_ledgers_errors_are_within_their_bounds(line: ledger.Line) -> None:
    misses = [ledger.interrupt(line, seed) for seed in range(40)]
    assert not [miss for miss in misses if miss.outside]
    errors = [miss.ms for miss in misses]
    if line.name.startswith("clean"):
        assert percentile(errors, 0.99) <= 60 and max(miss.words for miss in misses) <= 1
    elif line.name.startswith("impaired"):
        assert percentile(errors, 0.99) <= 150


@pytest.mark.parametrize("line", [ledger.Line("clean"), ledger.IMPAIRED], ids=["clean", "impaired"])
def test_no_media_follows_its_clear_and_a_backchannel_costs_no_more_than_the_word_that_was_cut(
    line: ledger.Line,
) -> None:
    for seed in range(40):
        assert barge_in.interrupted(line, seed) == 0
        stale, lost, again = barge_in.went_on(line, seed)
        assert stale == 0 and lost + again <= 1
