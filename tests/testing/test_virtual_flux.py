"""The virtual Flux: indexes, sequence numbers and times as the service gives them."""

from __future__ import annotations

import pytest

from telephony.testing.virtual_flux import WORD_S, VirtualFlux


def test_a_turns_index_grows_with_each_end_and_its_window_begins_where_the_last_one_ended() -> None:
    flux = VirtualFlux()
    first = flux.turn_info("EndOfTurn", "one", 2.0)
    second = flux.turn_info("StartOfTurn", "two", 3.0)
    assert (first.turn_index, second.turn_index) == (0, 1)
    assert (second.audio_window_start, second.audio_window_end) == (2.0, 3.0)


def test_a_new_connection_counts_from_the_beginning() -> None:
    flux = VirtualFlux()
    flux.turn_info("EndOfTurn", "one", 2.0)
    flux.restart(5.0)
    info = flux.turn_info("StartOfTurn", "two", 6.0)
    assert (info.turn_index, info.sequence_id, info.audio_window_start) == (0, 1, 5.0)


def test_words_lie_before_the_silence_and_never_before_the_call() -> None:
    info = VirtualFlux().turn_info("Update", "one two", 10.0, quiet_s=1.0)
    assert [word.end for word in info.words] == pytest.approx([9.0 - WORD_S, 9.0])
    early = VirtualFlux().turn_info("Update", "one two three", 0.2)
    assert early.words[0].start == 0.0


def test_only_an_end_has_a_trigger() -> None:
    flux = VirtualFlux()
    assert flux.turn_info("Update", "one", 1.0).trigger is None
    assert flux.turn_info("EndOfTurn", "one", 1.0, trigger="timeout").trigger == "timeout"
