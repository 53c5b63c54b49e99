"""The terminal of `telephony chat`: words as they come, and the caller's lines and keys."""

from __future__ import annotations

import asyncio
import os
import termios
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TextIO

from telephony.base.terminal import CYAN, DIM, GREEN, YELLOW, may_colour, paint
from telephony.commands.chat_session import AgentWords
from telephony.logs import one_line
from telephony.reply.reply_scope import ToolStep


class Console:
    """Where the chat is shown, and where the caller's lines and keys come from."""

    def __init__(self, lines: AsyncIterator[str] | None, read: int, terminal: bool, out: TextIO) -> None:
        self._lines, self._read, self._terminal, self._out = lines, read, terminal, out
        self._colour = may_colour(out, os.environ)
        self._typed: asyncio.Queue[bytes] = asyncio.Queue()
        self._buffer = b""
        self._interrupted: asyncio.Event | None = None
        self._column = 0

    # input

    def readable(self) -> None:
        """Bytes have come: a key while the agent speaks, else a part of the caller's line."""
        data = os.read(self._read, 4096)
        if self._interrupted is not None and self._terminal:
            if b"\x04" in data:
                self._typed.put_nowait(b"")
            self._interrupted.set()
            return
        self._typed.put_nowait(data)

    @contextmanager
    def keys(self) -> Iterator[asyncio.Event]:
        """While the agent speaks: an event that a key sets. On a terminal keys come one by one, unseen."""
        self._interrupted = asyncio.Event()
        before = termios.tcgetattr(self._read) if self._terminal else None
        if before is not None:
            tty.setcbreak(self._read, termios.TCSANOW)
        try:
            yield self._interrupted
        finally:
            self._interrupted = None
            if before is not None:
                termios.tcsetattr(self._read, termios.TCSANOW, before)

    async def ask(self) -> str | None:
        """The caller's next line; None when there are no more."""
        self._write(self._label("you", GREEN))
        if self._lines is not None:
            line = await anext(self._lines, None)
        else:
            line = await self._typed_line()
        if not self._terminal:
            self._write(f"{line or ''}\n")
        elif line is None:
            self._write("\n")
        return None if line is None else line.strip()

    async def _typed_line(self) -> str | None:
        while b"\n" not in self._buffer:
            data = await self._typed.get()
            if not data:
                rest, self._buffer = self._buffer, b""
                self._typed.put_nowait(b"")  # nothing comes after the end
                return rest.decode(errors="replace") if rest else None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace")

    # output

    def begin(self) -> None:
        """The agent begins to speak."""
        self._write(self._label("agent", CYAN))
        self._column = 8

    def word(self, word: str) -> None:
        """The next word of the agent's."""
        if self._column == 0:
            self._write(" " * 8)
            self._column = 8
        self._write(word if self._column == 8 else f" {word}")
        self._column += len(word) + 1

    def finish(self, words: AgentWords) -> None:
        """The agent has ended, or was interrupted."""
        if words.interrupted:
            self._write(self._painted(" -- interrupted", YELLOW))
            self._column += 1
        if self._column:
            self._write("\n")
        self._column = 0

    def aside(self, what: str, text: str) -> None:
        """Something that is not said."""
        begin = "\n" if self._column else ""
        shown = f"        [{what}{': ' if text else ''}{text}]"
        self._write(f"{begin}{self._painted(shown, DIM)}\n")
        self._column = 0

    def tool(self, step: ToolStep) -> None:
        """A tool that a model calls."""
        what = "tool" if step.state == "called" else f"tool {step.state}"
        shown = f"{step.name}({step.arguments})" if step.state == "called" else f"{step.name}: {step.text}"
        self.aside(what, one_line(shown)[:400])

    def line(self, label: str, text: str) -> None:
        """One line."""
        self._write(f"{label:8}{text}\n" if label else f"{text}\n")

    def _label(self, name: str, colour: str) -> str:
        return self._painted(f"{name:8}", colour)

    def _painted(self, text: str, colour: str) -> str:
        return paint(text, colour) if self._colour else text

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


@asynccontextmanager
async def open_console(stdin: TextIO, out: TextIO) -> AsyncIterator[Console]:
    read = stdin.fileno()
    terminal = stdin.isatty() and out.isatty()
    loop = asyncio.get_running_loop()
    console = Console(None, read, terminal, out)
    try:
        loop.add_reader(read, console.readable)
    except PermissionError:  # a plain file cannot be waited for: it is there as a whole
        yield Console(_each(stdin.read().splitlines()), read, False, out)
        return
    try:
        yield console
    finally:
        loop.remove_reader(read)


async def _each(lines: list[str]) -> AsyncIterator[str]:
    for line in lines:
        yield line
