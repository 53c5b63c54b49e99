"""The sentences that we say by ourselves; each list is used in turn. PURE."""

from __future__ import annotations

from telephony.reply.agent import SilenceStep, Wording


class Prompts:
    """Gives the next filler, re-ask or acknowledgement of an agent's wording."""

    def __init__(self, wording: Wording) -> None:
        self._wording = wording
        self._used: dict[str, int] = {}
        self._silence_step = 0

    def filler(self) -> str:
        """The next filler; empty if the wording has none."""
        return self._next("filler", self._wording.fillers)

    def reask(self) -> str:
        """The next way to ask the caller to say it again."""
        return self._next("reask", self._wording.reask) or "Sorry, could you say that again?"

    def acknowledge(self) -> str:
        """The next sign that we are listening; empty if the wording has none."""
        return self._next("acknowledge", self._wording.acknowledge)

    def silence(self) -> SilenceStep | None:
        """The next step of the silence ladder; None: the ladder is at its end."""
        steps = self._wording.silence
        return steps[self._silence_step] if self._silence_step < len(steps) else None

    def silence_said(self) -> None:
        """The step was said: the next one follows."""
        self._silence_step += 1

    def silence_broken(self) -> None:
        """The caller said something: the ladder begins again."""
        self._silence_step = 0

    def _next(self, name: str, lines: tuple[str, ...]) -> str:
        if not lines:
            return ""
        used = self._used.get(name, 0)
        self._used[name] = used + 1
        return lines[used % len(lines)]
