"""The project's Markdown pages, and the code blocks in them, as the tests of the documentation read them."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "bench" / "README.md",
)
NOT_RUN = "<!-- not run: "
"""Stands in the line before a block that no test can run, with the reason."""

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", flags=re.DOTALL | re.MULTILINE
)
_NAMED = re.compile(r"# ([\w-]+\.(?:py|yaml))\n")


@dataclass(frozen=True, slots=True)
class Block:
    """One code block."""

    page: str
    """The page's path in the project."""
    line: int
    language: str
    text: str
    why_not_run: str
    """The reason that the page gives; empty for a block that is run."""

    @property
    def file(self) -> str:
        """The name in the first line's comment: the reader is to write this file."""
        found = _NAMED.match(self.text)
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read(page: str) -> str:
    """The text of a page, by its path in the project."""
    return (ROOT / page).read_text(encoding="utf-8")


def name_of(page: Path) -> str:
    """A page's path in the project."""
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: str) -> list[Block]:
    """All code blocks of a page, in order."""
    text = read(page)
    found = []
    for match in _FENCE.finditer(text):
        before = text[: match.start()].rstrip("\n").rpartition("\n")[2].strip()
        why = before.removeprefix(NOT_RUN).removesuffix("-->").strip() if before.startswith(NOT_RUN) else ""
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, match["language"], textwrap.dedent(match["text"]), why))
    return found


def blocks(language: str = "") -> list[Block]:
    """The code blocks of all pages; of one language, only those that are run."""
    every = [block for page in PAGES for block in blocks_of(name_of(page))]
    return [b for b in every if not language or (b.language == language and not b.why_not_run)]


def prose(page: str) -> str:
    """A page without its code blocks."""
    return _FENCE.sub("", read(page))


def write_files(folder: Path, *pages: str) -> None:
    """The files that pages tell their reader to write; of two with one name, the later page's."""
    for page in pages:
        for block in blocks_of(page):
            if block.file:
                (folder / block.file).write_text(block.text, encoding="utf-8")
