"""What a scripted conversation remembers between turns, kept in its notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from telephony.reply.agent import Note, Notes

Item: TypeAlias = Mapping[str, str]

ACTIVE_SCRIPT = "_script"
"""The note that names the script to which a model has handed the caller; empty: the model answers."""
SKIPPED = "-"  # stands in a slot that the caller would not or could not fill
GIVEN = "(given)"  # stands for a sensitive answer: notes are stored with the call


@dataclass(frozen=True, slots=True)
class State:
    """What the notes hold, read once per turn."""

    items: tuple[Item, ...] = ()
    """The order: for each item its slots, and under "item" and "brief" how it is said."""
    asked: str = ""
    """The open question: an intent's name, or `intent.slot`."""
    partial: Item = field(default_factory=dict)
    """Slots of the item that the open question belongs to."""
    tries: int = 0
    """How often in a row that question has been asked."""
    mending: bool = False
    """The caller was asked what to change."""
    checking: bool = False
    """The open question reads a slot's value back."""
    checked: tuple[str, ...] = ()
    """The slots of the item whose values the caller has confirmed."""
    misses: int = 0
    """How often the caller was not understood in this call: the fallback lines take turns."""

    @classmethod
    def of(cls, notes: Notes) -> State:
        """The state that notes hold; an empty one for a new call."""
        return cls(
            items=tuple(cast("Sequence[Item]", notes.get("items", ()))),
            asked=str(notes.get("asked", "")),
            partial=cast("Item", notes.get("partial", {})),
            tries=int(cast(int, notes.get("tries", 0))),
            mending=bool(notes.get("mending", False)),
            checking=bool(notes.get("checking", False)),
            checked=tuple(cast("Sequence[str]", notes.get("checked", ()))),
            misses=int(cast(int, notes.get("misses", 0))),
        )

    def note(self) -> Note:
        """The same as a note: plain lists and dicts, so that it can be stored as JSON.

        A sensitive answer is none of it: only that it was given.
        """
        return Note.without_secrets(
            items=[dict(item) for item in self.items],
            asked=self.asked,
            partial=dict(self.partial),
            tries=self.tries,
            mending=self.mending,
            checking=self.checking,
            checked=list(self.checked),
            misses=self.misses,
        )
