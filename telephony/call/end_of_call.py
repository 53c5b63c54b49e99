"""What is done once when a call is over: its agent is notified, a model sums it up, its end is reported."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from telephony.call.call_events import CallEventReporter
from telephony.call.endings import notify_ended
from telephony.llm.after_call import AfterCall
from telephony.record.store import RecordStore
from telephony.reply.agent import Agent, EndedCall

log = logging.getLogger(__name__)

AFTER_CALL_S = 30.0
"""How long a model may take to sum a call up."""


async def end_of_call(
    agent: Agent,
    after_call: AfterCall | None,
    store: RecordStore,
    reporter: CallEventReporter,
    ended: EndedCall,
    record: dict[str, Any],
    redacting: Callable[[], bool],
) -> None:
    """Notify, sum up, report. The end is reported whatever the rest came to.

    It is held for as long as the call may go on, so it must hold nothing of the call's stream.
    """
    try:
        await asyncio.gather(
            notify_ended(agent, ended, redacting), _sum_up(after_call, store, ended.call.call_id, record)
        )
    finally:
        reporter.ended(record)


async def _sum_up(
    after_call: AfterCall | None, store: RecordStore, call_id: str, record: dict[str, Any]
) -> None:
    """Put the model's summary and fields into the record, under `after_call`, and keep it."""
    if after_call is None:
        return
    try:
        async with asyncio.timeout(AFTER_CALL_S):
            made = await after_call.made_of(record)
    except TimeoutError:
        log.error("call %s: no summary within %g s", record.get("call_sid"), AFTER_CALL_S)
        return
    if made is not None:
        record["after_call"] = made
        await store.save(call_id, record)
