"""A call so far as messages to a model: its memory is what the caller really heard. PURE.

Of the agent's words stands there what was heard of them, cut at the word where the caller interrupted; the
rest is told apart, in the message that follows. What else happened is told in square brackets: that the
caller said "mm-hm" meanwhile, pressed keys, or was silent. The messages of one turn are the beginning of
those of the next, so that providers' prompt caches hit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from telephony.llm.chat import ChatMessage
from telephony.reply.agent import Message, Turn

CUT = " —"
"""Behind words that were cut short."""
BEGINS = "[A call begins.]"
SILENT = "[The caller is silent.]"
NOTHING_SAID = "[The caller has not said anything.]"
NOISE = "[There was a noise while you spoke.]"
SILENCE = "silence prompt"
CHARACTERS_A_TOKEN = 3.5
"""Of English text, on the low side: a context must never be fuller than it is taken for."""
MESSAGE_TOKENS = 6
"""What a chat template puts around each message, about."""


@dataclass(frozen=True, slots=True)
class HistorySummary:
    """What a call was about up to a certain line, which is not told word by word any more."""

    text: str
    upto: int
    """The number of the last line that it covers."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The tools that were called in answer to a line of the caller's, with what they gave."""

    after: int
    """The number of that line."""
    messages: tuple[ChatMessage, ...]
    turn: int = 0
    """The caller's turn in which they were called."""


def messages_of(
    turn: Turn, summary: HistorySummary | None = None, exchanges: Sequence[Exchange] = ()
) -> list[ChatMessage]:
    """The conversation up to and including this turn; user and assistant alternate, the user is first."""
    lines = [line for line in turn.history if summary is None or line.number > summary.upto]
    lines.append(Message("caller", turn.text, turn.text, digits=turn.digits or "", number=next_number(turn)))
    return _joined(lines, begin_of(summary), exchanges)


def transcript_of(lines: Sequence[Message], summary: HistorySummary | None) -> str:
    """These lines as one text, behind a summary of what came before them: what is to be summarised."""
    said = {"user": "Caller", "assistant": "Agent"}
    messages = _joined(lines, begin_of(summary), ())
    return "\n".join(f"{said[str(message['role'])]}: {message['content']}" for message in messages)


def begin_of(summary: HistorySummary | None) -> str:
    """The first words of the first message."""
    if summary is None:
        return BEGINS
    return f"[The call so far, in short: {bracketed(summary.text)}]"


def next_number(turn: Turn) -> int:
    """The number that the line of this turn will have."""
    return turn.history[-1].number + 1 if turn.history else 0


def tokens_of(messages: Sequence[ChatMessage]) -> int:
    """About how many tokens these are, rather too many than too few."""
    return sum(MESSAGE_TOKENS + int(len(str(m.get("content") or "")) / CHARACTERS_A_TOKEN) for m in messages)


def bracketed(text: str) -> str:
    """Text that stands inside of brackets, or is the caller's: it cannot end them, nor begin any."""
    return text.replace("[", "(").replace("]", ")")


def _joined(lines: Sequence[Message], begin: str, exchanges: Sequence[Exchange]) -> list[ChatMessage]:
    messages: list[ChatMessage] = []
    caller = [begin]
    waiting = sorted(exchanges, key=lambda one: one.after)
    for line in lines:
        if line.who == "caller":
            caller += _of_caller(line)
            continue
        if line.kind == SILENCE:
            caller.append(SILENT)
        messages.append({"role": "user", "content": "\n".join(caller or [NOTHING_SAID])})
        while waiting and waiting[0].after < line.number:
            messages += waiting.pop(0).messages
        messages.append({"role": "assistant", "content": line.heard + (CUT if _cut(line) else "")})
        caller = list(_of_agent(line))
    if lines and lines[-1].who == "caller":
        messages.append({"role": "user", "content": "\n".join(caller)})
        for exchange in waiting:
            messages += exchange.messages
    return messages


def _of_caller(line: Message) -> Iterator[str]:
    if line.digits:
        yield f"[The caller pressed keys: {bracketed(line.digits)}]"
    if line.text:
        yield bracketed(line.text)
    if not (line.digits or line.text):
        yield NOTHING_SAID


def _of_agent(line: Message) -> Iterator[str]:
    """What is told of our own words behind them."""
    for said in line.backchannels:
        yield f"[While you spoke, the caller said only: {bracketed(said)}]"
    if line.noise:
        yield NOISE
    if _cut(line):
        last = " ".join(line.heard.split()[-4:])
        rest = " ".join(line.text.split()[len(line.heard.split()) :])
        yield (
            f'[You were interrupted behind "{bracketed(last)}". The caller did not hear: "{bracketed(rest)}"]'
        )


def _cut(line: Message) -> bool:
    return line.interrupted and line.heard.split() != line.text.split()
