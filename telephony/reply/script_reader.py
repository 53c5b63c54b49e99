"""Reads a conversation script and checks all of it, so that no call finds a mistake.

Every mistake is a BadScript of one line, `file:line: place: what is wrong and what is allowed`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from telephony.base.phone_numbers import country_of
from telephony.config.dial_policy import Forbidden, check_named, named_target
from telephony.config.yaml_file import Value, read_yaml
from telephony.errors import BadScript
from telephony.reply.agent import (
    EXPECT_KINDS,
    MOST_DIGITS,
    PAUSE_S,
    Expect,
    ExpectKind,
    Wording,
)
from telephony.reply.script import (
    MADE_UP,
    SLOT_KINDS,
    SPELLED_OUT,
    Ask,
    Do,
    Intent,
    Pattern,
    Script,
    ScriptStep,
    Slot,
    SlotKind,
    Summary,
    fields_of,
    required,
)
from telephony.reply.understanding import plain
from telephony.reply.wording_reader import WORDING, read_wording

READY = Path(__file__).parent / "scripts"
"""The scripts that come with the package; `scripted:coffee` names one of them."""

_TOP = (
    *("name", "greeting", "slots", "intents", "fallback", "summary", "about", "correct"),
    *WORDING[1:],
    "understand",
)
_QUESTION = ("options", "sensitive", "pause_s", "length")
_STEP = ("say", "interruptible", "expects", *_QUESTION, "do", "otherwise", "then")
_INTENT = ("match", "means", "keys", *_STEP, "asks", "item", "brief", "on_yes", "on_no")
_ASK = ("say", "expects", *_QUESTION)
_SLOT = ("type", "least", "most", "values", "confirm", "about")
_ANSWERS = ("yes", "no", "start")  # intents with these names need no match: a bare yes or no runs them
FALLBACK = "Answer the caller in one or two sentences, and lead them back to what this line is for."
"""The instruction to a model for what a script does not understand, where the script has none."""
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_SLOT_IN_REGEX = re.compile(r"\{([a-z_]\w*)(\??)\}")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_EXPECT_OF_SLOT: Mapping[SlotKind, ExpectKind] = {
    "words": "choice",
    "digits": "digits",
    "spelling": "spelling",
    "text": "open",
    "llm": "open",
}
_DICTATED = r"[\w' ]*"  # a digits or spelling slot inside a regex: what it holds is checked afterwards


def load_script(name: str, settings: object) -> Script:
    """The script in a file, or the ready one of that name. Raises BadScript."""
    ready = READY / f"{name}.yaml"
    if _NAME.fullmatch(name) and ready.is_file():
        return _ScriptReader(settings).script(read_yaml(ready, shown=ready.name))
    path = Path(name)
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in READY.glob("*.yaml")))
        raise BadScript(f"{name}: no such script; give the path of a YAML file, or one of: {known}")
    return _ScriptReader(settings).script(read_yaml(path))


def variable(settings: object, name: str) -> str | None:
    """The value of `${NAME}`: a setting of that name, "" when it is unset, None when there is none."""
    if isinstance(settings, Mapping):
        found = settings.get(name, settings.get(name.lower()))
        return None if found is None else str(found)
    if not hasattr(settings, name.lower()):
        return None
    found = getattr(settings, name.lower())
    return found if isinstance(found, str) else ""  # a secret has its own type and is not spoken or dialled


class _ScriptReader:
    """Reads one script, slots first, since everything else names them."""

    def __init__(self, settings: object) -> None:
        self.settings = settings
        self.slots: dict[str, Slot] = {}
        self.used: set[str] = set()
        self.links: list[Value] = []
        """Every `then`."""

    def script(self, top: Value) -> Script:
        fields = top.fields(_TOP, needed=("intents",))
        name = fields["name"].text() if "name" in fields else Path(top.file).stem
        understand = fields["understand"].one_of(("rules", "llm")) if "understand" in fields else "rules"
        slots = fields.get("slots")
        if slots:
            self.slots = {key: self._slot(key, value) for key, value in slots.items()}
        intents = {key: self._intent(key, value) for key, value in fields["intents"].items()}
        self._check_links(fields["intents"], intents, reached=understand == "llm")
        summary = self._summary(fields["summary"]) if "summary" in fields else Summary()
        fallback, model = self._fallback(fields.get("fallback"))
        for key, value in slots.items() if slots else ():
            if key not in self.used:
                value.wrong("this slot is never used")
        wording = read_wording(fields)
        own: dict[str, Any] = {key: fields[key].text() for key in ("about", "correct") if key in fields}
        own |= {"understand": understand, "model_fallback": model}
        return Script(name, wording, self.slots, intents, fallback, summary, **own)

    def _fallback(self, value: Value | None) -> tuple[tuple[str, ...], str]:
        """What is said when nothing was understood, and what a model is told to do then."""
        if value is None:
            return Wording().reask, ""
        if value.is_text and value.text() == "llm":
            return Wording().reask, FALLBACK
        if value.is_mapping:
            return Wording().reask, value.fields(("llm",), needed=("llm",))["llm"].text()
        return value.texts(), ""

    # ---- slots

    def _slot(self, name: str, value: Value) -> Slot:
        if not _NAME.fullmatch(name) or name in (*MADE_UP, "intent"):
            value.wrong(
                f"{name!r} is not a name for a slot: write small letters and _, and not {', '.join(MADE_UP)}"
            )
        if value.is_list:
            return Slot(name, "words", {form: text for text in value.texts() for form in _forms(text)})
        if not value.is_mapping:
            value.wrong("a list of words, or `type: digits|spelling|text|llm`, is needed here")
        if "type" not in dict(value.items()):
            return self._slot_of_words(name, value)
        fields = value.fields(_SLOT)
        kind = cast(SlotKind, fields["type"].one_of(SLOT_KINDS))
        confirm = "confirm" in fields and fields["confirm"].flag()
        if kind == "words":
            if "values" not in fields:
                value.wrong("`values` is missing")
            return replace(self._slot(name, fields["values"]), confirm=confirm)
        least = fields["least"].number(1, 64) if "least" in fields else 1
        most = fields["most"].number(least, 64) if "most" in fields else 64
        about = fields["about"].text() if "about" in fields else name.replace("_", " ")
        return Slot(name, kind, {}, int(least), int(most), about if kind == "llm" else "", confirm)

    def _slot_of_words(self, name: str, value: Value) -> Slot:
        """`{small: [little, tiny], large: []}`: what is meant, and other ways to say it."""
        forms: dict[str, str] = {}
        for meaning, others in value.items():
            said = () if others.is_list and not others.node.value else others.texts()
            for text in (meaning, *said):
                forms |= dict.fromkeys(_forms(text), meaning)
        return Slot(name, "words", forms)

    # ---- intents

    def _intent(self, name: str, value: Value) -> Intent:
        fields = value.fields(_INTENT)
        if not _NAME.fullmatch(name):
            value.wrong(f"{name!r} is not a name for an intent: write small letters, digits and _")
        step = self._step(value, fields)
        item = self._template(fields["item"]) if "item" in fields else _item_of(step)
        match = tuple(self._pattern(one) for one in fields["match"].values()) if "match" in fields else ()
        intent = Intent(
            name,
            step,
            match,
            fields["means"].text() if "means" in fields else "",
            keys=fields["keys"].texts() if "keys" in fields else (),
            item=item,
            brief=self._template(fields["brief"]) if "brief" in fields else "",
            on_yes=self._branch(fields["on_yes"]) if "on_yes" in fields else None,
            on_no=self._branch(fields["on_no"]) if "on_no" in fields else None,
        )
        if (intent.on_yes or intent.on_no) and not (step.expect and step.expect.kind == "yes_no"):
            value.wrong("on_yes and on_no need `expects: yes_no`")
        asks = self._asks(fields["asks"]) if "asks" in fields else ()
        return _with_asks(intent, asks, self.slots)

    def _pattern(self, value: Value) -> Pattern:
        text = value.text()
        slots: list[str] = []

        def slot(found: re.Match[str]) -> str:
            name, optional = found.groups()
            self._known(value, name)
            if not optional:
                slots.append(name)
            inside = self._slot_regex(self.slots[name])
            return rf"(?:{inside})?" if optional else inside

        source = _SLOT_IN_REGEX.sub(slot, text)
        if "[" not in source:
            source = source.replace("'", "'?")  # recognisers write "i'd" and "id"
        try:
            regex = re.compile(source, re.IGNORECASE)
        except re.error as error:
            value.wrong(f"{text!r} is not a regular expression: {error}")
        if regex.search("") and not slots:
            value.wrong(f"{text!r} matches everything, silence included")
        return Pattern(regex, tuple(slots))

    def _slot_regex(self, slot: Slot) -> str:
        if slot.kind == "words":
            longest_first = sorted(slot.forms, key=len, reverse=True)
            return rf"\b(?:{'|'.join(map(re.escape, longest_first))})(?:e?s)?\b"
        return rf"(?P<{slot.name}>.+)" if slot.kind == "text" else _DICTATED

    def _step(self, value: Value, fields: Mapping[str, Value]) -> ScriptStep:
        do, to = self._do(fields["do"]) if "do" in fields else (None, "")
        then = fields["then"].text() if "then" in fields else None
        if "then" in fields:
            self.links.append(fields["then"])
        if "say" not in fields and do in (None, Do.HANG_UP, Do.CHANGE, Do.FORGET, Do.BACK) and not then:
            value.wrong("`say` is missing: the caller would hear nothing")
        if then and ("say" in fields or do):
            fields["then"].wrong("stands alone: what is said and done is the other intent's")
        said, model = fields.get("say"), ""
        if said is not None and said.is_mapping:
            model, said = self._template(said.fields(("llm",), needed=("llm",))["llm"]), None
        return ScriptStep(
            say=tuple(self._template(one) for one in said.values()) if said is not None else (),
            model=model,
            interruptible=fields["interruptible"].flag() if "interruptible" in fields else True,
            expect=self._expect(fields, None),
            do=do,
            to=to,
            otherwise=self._template(fields["otherwise"]) if "otherwise" in fields else "",
            then=then,
        )

    def _do(self, value: Value) -> tuple[Do, str]:
        plain_actions = [do.value for do in Do if do is not Do.TRANSFER]
        if not value.is_mapping:
            if value.text() == Do.TRANSFER.value:
                value.wrong('write {transfer: "+14155550132"} or {transfer: "${HUMAN_NUMBER}"}')
            return Do(value.one_of(plain_actions)), ""
        target = value.fields((Do.TRANSFER.value,), needed=(Do.TRANSFER.value,))[Do.TRANSFER.value]
        return Do.TRANSFER, self._target(target)

    def _target(self, value: Value) -> str:
        """Whom a transfer reaches, as the carrier needs it; empty where the setting is."""
        to = named_target(self._with_settings(value), country_of(variable(self.settings, "DIAL_FROM") or ""))
        try:
            if to:
                check_named(to, getattr(self.settings, "dial_prefixes", ()))
        except Forbidden as error:
            value.wrong(str(error))
        return to

    def _with_settings(self, value: Value) -> str:
        def setting(found: re.Match[str]) -> str:
            known = variable(self.settings, found.group(1))
            if known is None and not isinstance(self.settings, Mapping):
                value.wrong(f"there is no setting {found.group(1)}")
            return known or ""

        return _VARIABLE.sub(setting, value.text()).strip()

    def _branch(self, value: Value) -> ScriptStep:
        if value.is_text:
            return ScriptStep(say=(self._template(value),))
        fields = value.fields(_STEP)
        if "expects" in fields:
            fields["expects"].wrong("a question needs an intent of its own: name it here with `then`")
        return self._step(value, fields)

    def _expect(self, fields: Mapping[str, Value], slot: Slot | None) -> Expect | None:
        kind: ExpectKind | None = _EXPECT_OF_SLOT[slot.kind] if slot else None
        if "expects" in fields:
            kind = cast(ExpectKind, fields["expects"].one_of(EXPECT_KINDS))
        if kind is None:
            for name in _QUESTION:
                if name in fields:
                    fields[name].wrong("belongs to a question: `expects` is missing")
            return None
        options = fields["options"].texts() if "options" in fields else slot.options if slot else ()
        if kind == "choice" and not options:
            fields["expects"].wrong("a choice needs its `options`")
        for name in ("pause_s", "length"):
            if name in fields and kind != "digits":
                fields[name].wrong("is of keys: `expects: digits` is missing")
        return Expect(
            kind,
            options,
            "sensitive" in fields and fields["sensitive"].flag(),
            fields["pause_s"].number(*PAUSE_S) if "pause_s" in fields else None,
            int(fields["length"].number(1, MOST_DIGITS)) if "length" in fields else _length(slot),
        )

    def _asks(self, value: Value) -> tuple[Ask, ...]:
        asks = []
        for name, one in value.items():
            self._known(one, name)
            fields = {"say": one} if one.is_text else one.fields(_ASK, needed=("say",))
            expect = self._expect(fields, self.slots[name])
            assert expect  # a slot always has a kind
            if expect.sensitive and self.slots[name].confirm:
                one.wrong(
                    f"sensitive: it is never spoken, and `confirm` of the slot {name!r} would read it back"
                )
            asks.append(Ask(name, self._template(fields["say"]), expect))
        return tuple(asks)

    # ---- the rest

    def _template(self, value: Value) -> str:
        text = value.text()
        for name in fields_of(text):
            if name not in MADE_UP:
                self._known(value, name)
        if "{" in re.sub(r"\{\w+\??\}", "", text):
            value.wrong("`{` begins a slot, as in {size} or {size?}")
        return text

    def _known(self, value: Value, name: str) -> None:
        if name not in self.slots:
            known = ", ".join((*self.slots, *MADE_UP))
            value.wrong(f"there is no slot {name!r}; there are: {known}")
        self.used.add(name)

    def _check_links(self, at: Value, intents: Mapping[str, Intent], reached: bool) -> None:
        places = dict(at.items())
        named = set(intents if reached else _ANSWERS)
        for link in self.links:
            if link.text() not in intents:
                place = replace(link, path=link.path.removesuffix(".then"))  # its own line, and its step
                place.wrong(f"then: there is no intent {link.text()!r}; there are: {', '.join(intents)}")
            named.add(link.text())
        for name, intent in intents.items():
            if not (intent.match or intent.keys or name in named):
                places[name].wrong("never reached: it has no `match`, and no `then` names it")

    def _summary(self, value: Value) -> Summary:
        fields = value.fields(("say", "many", "at_most", "empty"), needed=("say",))
        say = self._template(fields["say"])
        return Summary(
            say,
            self._template(fields["many"]) if "many" in fields else say,
            int(fields["at_most"].number(0, 100)) if "at_most" in fields else SPELLED_OUT,
            self._template(fields["empty"]) if "empty" in fields else "",
        )


def _forms(text: str) -> list[str]:
    """A form as it is matched, and without its apostrophes, as some recognisers write it."""
    form = plain(text)
    return list(dict.fromkeys((form, form.replace("'", ""))))


def _item_of(step: ScriptStep) -> str:
    """What a step adds to the order when the script does not say: the slots of its answer."""
    say = step.say[0] if step.say else ""
    slots = [name for name in required(say) if name not in MADE_UP]
    if not slots or step.do:
        return ""
    optional = {name for name in fields_of(say) if name not in slots}
    return "a " + " ".join(f"{{{n}?}}" if n in optional else f"{{{n}}}" for n in fields_of(say))


def _length(slot: Slot | None) -> int | None:
    """With how many keys the entry for a slot is complete, if the script says so."""
    return slot.most if slot is not None and slot.kind == "digits" and slot.least == slot.most else None


def _with_asks(intent: Intent, asks: tuple[Ask, ...], slots: Mapping[str, Slot]) -> Intent:
    """The intent with a question for each slot it needs: its own, or a plain one."""
    own = {ask.slot for ask in asks}
    usual = tuple(
        Ask(
            name,
            f"Which {name.replace('_', ' ')}?",
            Expect(_EXPECT_OF_SLOT[slots[name].kind], slots[name].options, length=_length(slots[name])),
        )
        for name in intent.needs
        if name not in own
    )
    if intent.step.do:  # what is changed or read out has been asked before
        usual = ()
    return Intent(
        intent.name,
        intent.step,
        intent.match,
        intent.means,
        intent.keys,
        (*usual, *asks),
        intent.item,
        intent.brief,
        intent.on_yes,
        intent.on_no,
    )
