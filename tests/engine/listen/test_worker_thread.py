"""The queue before a model."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from telephony.engine.listen.worker_thread import WorkerThread


def test_urgent_work_overtakes_and_what_becomes_urgent_too() -> None:
    worker, gate, order = WorkerThread("test"), threading.Event(), list[str]()
    first = worker.submit(gate.wait)
    slow = worker.submit(lambda: order.append("slow"), urgent=False)
    hurried = worker.submit(lambda: order.append("hurried"), urgent=False)
    worker.submit(lambda: order.append("urgent"))
    worker.hurry(hurried)
    assert worker.queued == 4
    gate.set()
    slow.result()
    assert first.result() and order == ["urgent", "hurried", "slow"]
    worker.close()


def test_an_error_is_its_callers_and_the_thread_goes_on() -> None:
    worker = WorkerThread("test")
    failed = worker.submit(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        failed.result()
    assert worker.submit(lambda: 2).result() == 2
    worker.close()


def test_what_waits_can_be_given_up() -> None:
    worker, gate = WorkerThread("test"), threading.Event()
    worker.submit(gate.wait)
    waiting = worker.submit(lambda: 1)
    assert waiting.cancel()
    after = worker.submit(lambda: 2)
    gate.set()
    assert after.result() == 2
    worker.close()
    with pytest.raises(CancelledError):
        worker.submit(lambda: 3).result()


def test_closing_lets_what_runs_come_to_its_end() -> None:
    worker, running, gate, order = WorkerThread("test"), threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        running.set()
        gate.wait()
        order.append("worked")

    def close() -> None:
        worker.close()
        order.append("closed")

    worker.submit(work)
    running.wait()
    closing = threading.Thread(target=close)
    closing.start()
    gate.set()
    closing.join()
    assert order == ["worked", "closed"]
