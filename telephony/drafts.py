"""A reply begun before the caller's turn has surely ended: released with it, or thrown away. PURE."""

from __future__ import annotations

from telephony import events as ev
from telephony.floor import Reply
from telephony.listen.murmur import spoken_words
from telephony.record.turns import TurnRecord
from telephony.scene import Scene


class Drafts:
    """At most one draft, and what those cost that were thrown away."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._draft: Reply | None = None
        self._wasted: dict[str, int] = {}

    def begin(self, reply: Reply) -> None:
        """A draft is being made."""
        self._draft = reply

    def take(self, text: str, record: TurnRecord) -> Reply | None:
        """The draft, if it answers these very words; how they are written does not matter."""
        draft, scene = self._draft, self._scene
        if draft is None or spoken_words(draft.turn_text) != spoken_words(text):
            self.drop("the words changed")
            return None
        self._draft = None
        record.saved_ms = round((scene.now - draft.began_at) * 1000)
        scene.commands.append(ev.ReleaseReply(draft.number))
        return draft

    def drop(self, reason: str) -> None:
        """Give the draft up, if there is one; what it cost is counted."""
        draft, self._draft = self._draft, None
        if draft is not None:
            self._wasted["drafts"] = self._wasted.get("drafts", 0) + 1
            self._wasted["characters"] = self._wasted.get("characters", 0) + len(draft.text)
            self._scene.floor.discard(draft, self._scene.now, reason)
            self._scene.ledger.forget(draft.number)

    def wasted(self) -> dict[str, int]:
        """What drafts cost that were thrown away since this was last asked."""
        wasted, self._wasted = self._wasted, {}
        return wasted

    def sounded(self, reply: Reply) -> None:
        """A reply is heard from now on: a draft saved no more than it took to make its first sound."""
        record, sounded = reply.record, reply.first_sound_at
        if reply.drafted and record is not None and record.saved_ms is not None and sounded is not None:
            record.saved_ms = min(record.saved_ms, round((sounded - reply.began_at) * 1000))
            reply.drafted = False
