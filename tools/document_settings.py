"""Writes the settings table of config/settings.py, and Twilio's errors, into README.md and .env.example.

python tools/document_settings.py
"""

from __future__ import annotations

import re
from pathlib import Path

from telephony.carrier.error_codes import ERRORS
from telephony.config.settings import SETTINGS

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- settings: made by tools/document_settings.py -->\n"
END = "<!-- end of settings -->\n"
ERRORS_BEGIN = "<!-- Twilio's errors: made by tools/document_settings.py -->\n"
ERRORS_END = "<!-- end of Twilio's errors -->\n"


def table() -> str:
    """The README's table."""
    rows = ["| name | meaning | allowed | default |", "|---|---|---|---|"]
    for s in SETTINGS:
        default = f"`{s.default}`" if s.default else "unset"
        rows.append(f"| `{s.name}` | {s.help} | {s.kind.allowed} | {default} |".replace("||", "| |"))
    return "\n".join(rows) + "\n"


def readme(text: str) -> str:
    """The README with the table as it should be."""
    text = _between(BEGIN, END, table(), text)
    return _between(ERRORS_BEGIN, ERRORS_END, errors(), text)


def errors() -> str:
    """The README's table of Twilio's error codes."""
    rows = [f"| {error.code} | {error.meaning} | {error.remedy} |" for error in ERRORS]
    return "\n".join(["| code | here it means | what to do |", "|---|---|---|", *rows]) + "\n"


def _between(begin: str, end: str, made: str, text: str) -> str:
    return re.sub(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: begin + made + end, text, flags=re.DOTALL
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
