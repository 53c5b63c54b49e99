"""Writes the settings table of telephony/config.py into README.md and .env.example.

python tools/document_settings.py
"""

from __future__ import annotations

import re
from pathlib import Path

from telephony.config import SETTINGS

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- settings: made by tools/document_settings.py -->\n"
END = "<!-- end of settings -->\n"


def table() -> str:
    """The README's table."""
    rows = ["| name | meaning | allowed | default |", "|---|---|---|---|"]
    for s in SETTINGS:
        default = f"`{s.default}`" if s.default else "unset"
        rows.append(f"| `{s.name}` | {s.help} | {s.kind.allowed} | {default} |".replace("||", "| |"))
    return "\n".join(rows) + "\n"


def readme(text: str) -> str:
    """The README with the table as it should be."""
    return re.sub(
        f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: BEGIN + table() + END, text, flags=re.DOTALL
    )


def example() -> str:
    """.env.example: every setting, commented out, with its default."""
    lines = [
        "# Copy to .env and set what you need. Each line shows the default; README.md says what is allowed."
    ]
    for s in SETTINGS:
        lines += ["", f"# {s.help}".replace("`", ""), f"#{s.name}={s.default}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(readme(path.read_text(encoding="utf-8")), encoding="utf-8")
    (ROOT / ".env.example").write_text(example(), encoding="utf-8")
