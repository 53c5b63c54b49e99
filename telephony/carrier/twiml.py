"""What Twilio is answered: the templates of twiml/, filled in.

A template is XML with `{name}` in attributes and text. It is parsed before it is filled in, so the answer is
well-formed whatever the values are. Comments stay in the file; they are not sent.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from telephony.errors import LocalProtocolError

PARAMETER_LIMIT = 500  # name and value of one <Parameter> together stay below this (Twilio, <Stream> page)
PLACEHOLDER = re.compile(r"\{(\w+)\}")
# What XML 1.0 has no way to write, section 2.2: control characters, lone surrogates, U+FFFE and U+FFFF.
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def twiml_folder() -> Path:
    """Where the templates are: inside the installed package, or beside it in a checkout."""
    installed = Path(__file__).resolve().parents[1] / "twiml"
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "twiml"


def render(template: str, parameters: Mapping[str, str] | None = None, /, **values: str | int | None) -> str:
    """The TwiML of twiml/<template>.xml with its placeholders filled in.

    `parameters` are added to the <Stream> as <Parameter>s. What is nothing but a
    placeholder whose value is None is left out: an attribute, or an element with its text. Raises
    LocalProtocolError for a placeholder without a value and a parameter that is too long.
    """
    root = copy.deepcopy(_template(template))
    for element in list(root.iter()):
        _fill(element, values, template)
    for stream in root.iter("Stream"):
        _add_parameters(stream, parameters or {})
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=False)


def clip_parameter(name: str, value: str) -> str:
    """As much of a value as fits into a <Parameter> of this name."""
    return value[: PARAMETER_LIMIT - 1 - len(name)]


@cache
def _template(name: str) -> ElementTree.Element:
    root = ElementTree.parse(twiml_folder() / f"{name}.xml").getroot()
    for element in root.iter():  # the file's indentation is for its reader
        if element.text is not None and not element.text.strip():
            element.text = None
        element.tail = None
    return root


def _fill(element: ElementTree.Element, values: Mapping[str, str | int | None], template: str) -> None:
    for name, pattern in list(element.attrib.items()):
        filled = _substitute(pattern, values, template)
        if filled is None:
            del element.attrib[name]
        else:
            element.attrib[name] = filled
    for child in list(element):
        if child.text is not None and _substitute(child.text.strip(), values, template) is None:
            element.remove(child)
    if element.text is not None:
        element.text = _substitute(element.text.strip(), values, template)


def _substitute(pattern: str, values: Mapping[str, str | int | None], template: str) -> str | None:
    names = PLACEHOLDER.findall(pattern)
    missing = [name for name in names if name not in values]
    if missing:
        raise LocalProtocolError(f"twiml/{template}.xml: no value for {', '.join(missing)}")
    if names and all(values[name] is None for name in names):
        return None
    return PLACEHOLDER.sub(lambda match: clean(values[match[1]]), pattern)


def _add_parameters(stream: ElementTree.Element, parameters: Mapping[str, str]) -> None:
    for name, value in parameters.items():
        stream.append(ElementTree.Element("Parameter", {"name": clean(name), "value": clean(value)}))
    for parameter in stream.iter("Parameter"):
        length = len(parameter.get("name", "")) + len(parameter.get("value", ""))
        if length >= PARAMETER_LIMIT:
            raise LocalProtocolError(
                f"<Parameter {parameter.get('name')}> has {length} characters; Twilio takes fewer than 500"
            )


def clean(value: str | int | None) -> str:
    """The value as XML can carry it: characters that XML 1.0 forbids become U+FFFD."""
    return "" if value is None else NOT_XML.sub("\ufffd", str(value))
