"""Reads what an agent says by itself: the same names in a script and in front of a prompt."""

from __future__ import annotations

from collections.abc import Mapping

from telephony.config.yaml_file import Value
from telephony.reply.agent import Say, SilenceStep, Wording

WORDING = ("greeting", "silence", "fillers", "bridge", "reask", "farewell", "warning", "acknowledge")
"""The names of what an agent says by itself."""


def read_wording(fields: Mapping[str, Value]) -> Wording:
    """What an agent says by itself, out of a file's fields; see WORDING."""
    usual = Wording()

    def texts(name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        return fields[name].texts() if name in fields else default

    def text(name: str, default: str) -> str:
        return fields[name].text() if name in fields else default

    return Wording(
        greeting=_greeting(fields["greeting"]) if "greeting" in fields else usual.greeting,
        silence=_silence(fields["silence"]) if "silence" in fields else usual.silence,
        fillers=texts("fillers", usual.fillers),
        bridge=text("bridge", usual.bridge),
        reask=texts("reask", usual.reask),
        farewell=text("farewell", usual.farewell),
        warning=text("warning", usual.warning),
        acknowledge=texts("acknowledge", usual.acknowledge),
    )


def _greeting(value: Value) -> Say:
    if value.is_text:
        return Say(value.text())
    fields = value.fields(("say", "interruptible"), needed=("say",))
    return Say(fields["say"].text(), fields["interruptible"].flag() if "interruptible" in fields else True)


def _silence(value: Value) -> tuple[SilenceStep, ...]:
    steps = []
    for one in value.values():
        fields = one.fields(("after_s", "say", "do"), needed=("after_s", "say"))
        hang_up = "do" in fields and bool(fields["do"].one_of(("hang_up",)))
        steps.append(SilenceStep(fields["after_s"].number(0.5, 600), fields["say"].text(), hang_up))
    return tuple(steps)
