"""One Configure waits for its answer at a time, the last value wins, nothing asked for is forgotten."""

from __future__ import annotations

from telephony.deepgram.flux_codec import Configure
from telephony.listen.configure_queue import ACK_S, ConfigureQueue


def test_changes_wait_for_the_answer_before_them() -> None:
    """A burst becomes two messages: the first, and all that came after it in one."""
    queue = ConfigureQueue()
    queue.put(Configure(eot_threshold=0.8))
    assert queue.next() == Configure(eot_threshold=0.8)
    queue.put(Configure(eot_threshold=0.9))
    queue.put(Configure(keyterms=("a",)))
    assert queue.next() is None
    queue.answered(True)
    assert queue.active == Configure(eot_threshold=0.8)
    assert queue.next() == Configure(eot_threshold=0.9, keyterms=("a",))
    queue.answered(False)
    assert queue.active == Configure(eot_threshold=0.8)
    assert not queue.unanswered


def test_an_answer_that_does_not_come_is_overdue() -> None:
    """Counted from the moment the message went out."""
    queue = ConfigureQueue()
    queue.put(Configure(numerals=True))
    queue.next()
    assert not queue.overdue(100.0)
    queue.sent(100.0)
    assert not queue.overdue(100.0 + ACK_S)
    assert queue.overdue(100.1 + ACK_S)


def test_a_handshake_adopts_everything() -> None:
    """In force, on its way and waiting, the newest value of each."""
    queue = ConfigureQueue()
    for change in (Configure(eot_threshold=0.8), Configure(eot_threshold=0.9), Configure(eot_timeout_ms=900)):
        queue.put(change)
        queue.next()
    assert queue.everything() == Configure(eot_threshold=0.9, eot_timeout_ms=900)
    queue.adopt()
    assert queue.active == Configure(eot_threshold=0.9, eot_timeout_ms=900)
    assert not queue.unanswered


def test_what_is_forgotten_was_never_in_force() -> None:
    """What the service could not read is not asked again."""
    queue = ConfigureQueue()
    queue.put(Configure(eot_threshold=0.8))
    queue.next()
    queue.put(Configure(numerals=True))
    queue.forget()
    assert queue.everything() == Configure()
