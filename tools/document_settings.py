"""Writes the tables that come from the code: docs/settings.md, docs/twilio-errors.md and .env.example.

python tools/document_settings.py
"""

from __future__ import annotations

import re
from pathlib import Path

from telephony.carrier.error_codes import ERRORS
from telephony.config.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[1]
SETTINGS_PAGE = ROOT / "docs" / "settings.md"
ERRORS_PAGE = ROOT / "docs" / "twilio-errors.md"
EXAMPLE = ROOT / ".env.example"

BEGIN, END = "<!-- {}: made by tools/document_settings.py -->\n", "<!-- end of {} -->\n"
MARKS = {SETTINGS_PAGE: "settings", ERRORS_PAGE: "Twilio's errors"}


def settings_table() -> str:
    """A row for each setting."""
    rows = ["| name | meaning | must be | default |", "|---|---|---|---|"]
    for s in SETTINGS:
        default = f"`{s.default}`" if s.default else "unset"
        rows.append(f"| `{s.name}` | {s.help} | {s.kind.allowed} | {default} |".replace("||", "| |"))
    return "\n".join(rows) + "\n"


def errors_table() -> str:
    """A row for each of Twilio's error codes."""
    rows = [f"| {error.code} | {error.meaning} | {error.remedy} |" for error in ERRORS]
    return "\n".join(["| code | meaning here | what to do |", "|---|---|---|", *rows]) + "\n"


def page(path: Path) -> str:
    """The text of a page with its table as it must be."""
    table = {SETTINGS_PAGE: settings_table, ERRORS_PAGE: errors_table}[path]()
    begin, end = BEGIN.format(MARKS[path]), END.format(MARKS[path])
    text = path.read_text(encoding="utf-8")
    return re.sub(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: begin + table + end, text, flags=re.DOTALL
    )


def example() -> str:
    """.env.example: every setting, commented out, with its default."""
    lines = [
        "# Copy to .env and set what you need. Each line shows the default; docs/settings.md explains them."
    ]
    for s in SETTINGS:
        lines += ["", f"# {s.help}".replace("`", ""), f"#{s.name}={s.default}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for path in MARKS:
        path.write_text(page(path), encoding="utf-8")
    EXAMPLE.write_text(example(), encoding="utf-8")
