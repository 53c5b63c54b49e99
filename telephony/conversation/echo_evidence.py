"""What the comparison of sounds has shown of the caller's turn: our echo, their voice, or both. PURE.

The evidence comes just before the turn's news that it belongs to (conversation/acoustic_echo.py).
"""

from __future__ import annotations

from telephony import events as ev
from telephony.conversation.echo import SOUND_SHARE, without_echo
from telephony.deepgram.flux_messages import EAGER_END_OF_TURN, END_OF_TURN, TurnInfo

ECHOES_KNOWN = 2
"""Our sound was found in the caller's this often: from then on, sound that is not ours is somebody else's."""
CHANCE_SHARE = 0.3
"""This much of another voice may look like ours by chance."""


class EchoEvidence:
    """How the newest of the caller's turn sounds."""

    def __init__(self) -> None:
        self.ours = False
        """It is our own sound, come back."""
        self.theirs = False
        """It was compared with our own sound and is something else, whatever the words before it were."""
        self.both = False
        """The caller speaks over an echo that is known well. Their words are only not recognized yet."""
        self._measured: ev.EchoMeasured | None = None
        self._echoes = 0

    def on_measured(self, event: ev.EchoMeasured) -> None:
        """The sound of the turn was compared whose news comes next."""
        self._measured = event

    def of(self, info: TurnInfo) -> TurnInfo:
        """Take the evidence for this news of a turn; returns the turn without the words that are our echo."""
        measured, self._measured = self._measured, None
        if not info.transcript:
            return info
        share = None if measured is None else measured.share
        self.ours = share is not None and share >= SOUND_SHARE
        self.theirs = share is not None and share < SOUND_SHARE
        self._echoes += self.ours
        ends = info.event in (EAGER_END_OF_TURN, END_OF_TURN)
        known = self._echoes >= ECHOES_KNOWN and not ends  # at an end all of the turn was compared
        self.both = known and share is not None and share < CHANCE_SHARE
        if measured is not None and ends:
            info = without_echo(info, measured.until_s)
            self.ours = self.ours or not info.transcript
        return info
