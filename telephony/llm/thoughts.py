"""A model's thoughts, taken out of its answer: what stands between marks such as <think> and </think>. PURE.

Most servers give thoughts in a field of their own. Those that know nothing of a model's marks leave them in
its text.
"""

from __future__ import annotations

MARKS = {
    "<think>": "</think>",  # DeepSeek, Qwen, and most others
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",  # Gemini, by its compatible endpoint
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",  # Magistral
    "◁think▷": "◁/think▷",  # Kimi
    "<|channel|>analysis<|message|>": "<|end|>",  # gpt-oss
}
"""How thoughts begin, and how they end."""

_STRAY = (
    *MARKS.values(),  # an end without a beginning, which stood in the prompt
    "<|start|>assistant",
    "<|channel|>final<|message|>",
    "<|return|>",
)
_ALL = (*MARKS, *_STRAY)
_FIRST = tuple({mark[0] for mark in _ALL})


class ThoughtFilter:
    """Reads one answer's text, cut anywhere."""

    def __init__(self) -> None:
        self._undecided = ""  # may be the beginning of a mark
        self._end = ""  # that of the thought which is under way
        self._trim = False  # nothing was said yet, and a mark was seen
        self._said = False

    def feed(self, text: str) -> str:
        """What of the text may be given on by now."""
        if not (self._undecided or self._end or self._trim or any(first in text for first in _FIRST)):
            self._said = self._said or bool(text)
            return text
        text, self._undecided = self._undecided + text, ""
        said: list[str] = []
        while text:
            text = self._skip(text) if self._end else self._pass(text, said)
        return self._trimmed("".join(said))

    def end(self) -> str:
        """The rest, at the end of the answer: what only looked like a mark. A thought without end is lost."""
        undecided, self._undecided = self._undecided, ""
        return "" if self._end else self._trimmed(undecided)

    def _pass(self, text: str, said: list[str]) -> str:
        """Outside of thoughts: says the text up to the next mark; returns what stands behind the mark."""
        found = [(at, mark) for mark in _ALL if (at := text.find(mark)) >= 0]
        if found:
            at, mark = min(found)
            self._end = MARKS.get(mark, "")
            said.append(text[:at])
            self._trim = not self._said
            return text[at + len(mark) :]
        self._undecided = _begun(text, _ALL)
        said.append(text[: len(text) - len(self._undecided)])
        return ""

    def _skip(self, text: str) -> str:
        """Within a thought: what stands behind its end."""
        _, mark, behind = text.partition(self._end)
        if mark:
            self._end = ""
            return behind
        self._undecided = _begun(text, (self._end,))
        return ""

    def _trimmed(self, said: str) -> str:
        """An answer does not begin with the empty lines behind a thought."""
        if self._trim:
            said = said.lstrip()
        if said:
            self._said, self._trim = True, False
        return said


def _begun(text: str, marks: tuple[str, ...]) -> str:
    """The longest end of the text with which a mark may begin."""
    for size in range(min(len(text), max(map(len, marks)) - 1), 0, -1):
        tail = text[-size:]
        if any(mark.startswith(tail) for mark in marks):
            return tail
    return ""
