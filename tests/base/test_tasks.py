"""The edges of tasks: what they catch, what passes, what is undone."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import pytest

from telephony.base.tasks import (
    closed_on_failure,
    guarded,
    guarded_task,
    guarded_user_task,
    undone_on_failure,
)


def raises(error: BaseException) -> NoReturn:
    raise error


async def raises_later(error: BaseException) -> str:
    await asyncio.sleep(0)
    raise error


def test_an_exception_goes_to_what_handles_it_and_its_result_is_used() -> None:
    assert guarded(lambda error: f"failed: {error}", lambda: raises(ValueError("a"))) == "failed: a"
    assert guarded(lambda error: 0, int, "12", base=8) == 10


def test_an_exit_passes_a_guard_of_our_own_code() -> None:
    with pytest.raises(SystemExit):
        guarded(lambda error: None, lambda: raises(SystemExit()))


async def test_a_guarded_task_lets_cancellation_pass() -> None:
    assert await guarded_task(str, raises_later(ValueError("a"))) == "a"
    with pytest.raises(asyncio.CancelledError):
        await guarded_task(str, raises_later(asyncio.CancelledError()))


@pytest.mark.parametrize("error", [ValueError("a"), SystemExit(3), BaseExceptionGroup("b", [KeyError()])])
async def test_code_of_users_may_raise_anything_but_cancellation(error: BaseException) -> None:
    assert await guarded_user_task(lambda found: str(found is error), raises_later(error)) == "True"
    with pytest.raises(asyncio.CancelledError):
        await guarded_user_task(str, raises_later(asyncio.CancelledError()))


@pytest.mark.parametrize("error", [ValueError(), asyncio.CancelledError(), SystemExit()])
async def test_what_was_begun_is_undone_only_on_failure(error: BaseException) -> None:
    undone: list[str] = []

    async def close() -> None:
        undone.append("closed")

    with undone_on_failure(lambda: undone.append("undone")):
        pass
    async with closed_on_failure(close):
        pass
    assert undone == []
    with pytest.raises(type(error)), undone_on_failure(lambda: undone.append("undone")):
        raise error
    with pytest.raises(type(error)):
        async with closed_on_failure(close):
            raise error
    assert undone == ["undone", "closed"]
