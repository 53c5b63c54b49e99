"""The replies of one call's agent that run now, each in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from telephony import events as ev
from telephony.call.call_events import CallEventReporter
from telephony.call.reply_events import event_of
from telephony.conversation.conversation import Conversation
from telephony.reply.agent import Agent, Said
from telephony.reply.reply_scope import Pause, Release, ToolStep
from telephony.reply.runner import run_reply


class ReplyTasks:
    """`put` gets what the agent yields; `redacting` says whether its text may be written down.

    `on_tool` gets the steps of the tools that replies call.
    """

    def __init__(
        self,
        agent: Agent,
        put: Callable[[ev.Event], None],
        redacting: Callable[[], bool],
        on_tool: Callable[[ToolStep], None],
    ) -> None:
        self._agent = agent
        self._put = put
        self._redacting = redacting
        self._on_tool = on_tool
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._pauses: dict[int, Pause] = {}
        self._drafts: dict[int, Release] = {}
        """A draft that has ended may still be released: what it left running waits for that."""

    def start(self, command: ev.StartReply) -> None:
        """Ask the agent for a reply."""
        number = command.reply
        release = Release(released=not command.draft)
        if command.draft:
            self._drafts[number] = release
        pause = self._pauses[number] = Pause()
        emit = partial(self._emit, number)
        task = asyncio.get_running_loop().create_task(
            run_reply(
                self._agent,
                number,
                command.turn,
                command.notes,
                emit,
                self._redacting,
                release,
                pause,
                self._on_tool,
            )
        )
        self._tasks[number] = task
        task.add_done_callback(lambda _: self._ended(number))

    def release(self, reply: int) -> None:
        """A draft has become the answer."""
        release = self._drafts.pop(reply, None)
        if release is not None:
            release.set()

    def cancel(self, reply: int) -> None:
        """Give a reply up."""
        self._drafts.pop(reply, None)
        task = self._tasks.pop(reply, None)
        if task is not None:
            task.cancel()

    def pause(self, command: ev.PauseReply) -> None:
        """The caller may be interrupting it."""
        pause = self._pauses.get(command.reply)
        if pause is not None:
            pause.begin()

    def go_on(self, command: ev.ContinueReply) -> None:
        """It was not an interruption."""
        pause = self._pauses.get(command.reply)
        if pause is not None:
            pause.end()

    def stop(self) -> None:
        """The call is over: give all of them up."""
        for task in self._tasks.values():
            task.cancel()

    def _emit(self, reply: int, said: Said | Exception | None) -> None:
        self._put(event_of(reply, said))

    def _ended(self, number: int) -> None:
        self._tasks.pop(number, None)
        self._pauses.pop(number, None)


def reply_tasks(
    agent: Agent, put: Callable[[ev.Event], None], conversation: Conversation, reporter: CallEventReporter
) -> ReplyTasks:
    """Those of a call, which they do not hold."""
    return ReplyTasks(
        agent,
        put,
        lambda: conversation.redacting,
        lambda step: reporter.tool(step, conversation.redacting),
    )
