"""What Twilio is told is always well-formed and only says what Twilio understands."""

from __future__ import annotations

import inspect
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml import voice_response

from telephony.carrier.twiml import PLACEHOLDER, clip_parameter, render, twiml_folder
from telephony.errors import LocalProtocolError

TEMPLATES = sorted(path.stem for path in twiml_folder().glob("*.xml"))
HOSTILE = [
    '"><Dial>+19005550000</Dial><x a="',
    "&amp; & < > ' \" ]]>",
    "🎉 naïve \u202e café",
    "\x00\x08\x1b[31m\ud800\uffff",
    "line\r\nline\ttab",
    "{token} {nothing} %s",
    "<!-- --> <?xml?> <![CDATA[",
    "",
]


def placeholders(template: str) -> set[str]:
    return set(
        PLACEHOLDER.findall(
            re.sub("<!--.*?-->", "", (twiml_folder() / f"{template}.xml").read_text(), flags=re.S)
        )
    )


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_never_change_the_structure(template: str, value: str) -> None:
    """The elements are those of the file, and the values come back as they went in."""
    names = placeholders(template)
    hostile = ElementTree.fromstring(render(template, **dict.fromkeys(names, value)))
    plain = ElementTree.fromstring(render(template, **dict.fromkeys(names, "x")))
    assert [e.tag for e in hostile.iter()] == [e.tag for e in plain.iter()]
    assert [sorted(e.attrib) for e in hostile.iter()] == [sorted(e.attrib) for e in plain.iter()]


@given(value=st.text(max_size=400))
def test_any_text_survives_as_a_parameter(value: str) -> None:
    """Whatever XML can carry arrives unchanged; what it cannot becomes one replacement character each."""
    answer = render("answer", {"x": value}, after_url="a", stream_url="b", stream_status_url="c", token="t")
    parameter = ElementTree.fromstring(answer).findall(".//Parameter")[1]
    came_back = parameter.get("value", "")
    assert len(came_back) == len(value)
    assert all(a in (b, "\ufffd") for a, b in zip(came_back, value, strict=True))


@pytest.mark.parametrize("template", TEMPLATES)
def test_only_verbs_and_attributes_that_twilio_knows(template: str) -> None:
    """Each element is a method of its parent in the TwiML builder of twilio, each attribute an argument."""
    builders = dict(inspect.getmembers(voice_response, inspect.isclass))
    builders["Response"] = voice_response.VoiceResponse
    for parent in ElementTree.fromstring(
        render(template, **dict.fromkeys(placeholders(template), "1"))
    ).iter():
        for element in parent:
            arguments = inspect.signature(getattr(builders[parent.tag], element.tag.lower())).parameters
            for attribute in element.attrib:
                snake = re.sub("([A-Z])", lambda match: "_" + match[1].lower(), attribute)
                assert snake in arguments, f"<{element.tag} {attribute}>"


@pytest.mark.parametrize("template", TEMPLATES)
def test_each_template_says_what_it_is_for(template: str) -> None:
    """A person who opens the file reads a comment first; Twilio does not get it."""
    text = (twiml_folder() / f"{template}.xml").read_text()
    assert "<!--" in text
    assert "<!--" not in render(template, **dict.fromkeys(placeholders(template), "x"))


def test_an_absent_optional_attribute_is_left_out() -> None:
    """Twilio picks its own caller id when we name none."""
    answer = render("transfer", after_url="https://h/a", caller_id=None, timeout_s=20, to="+15005550006")
    assert "callerId" not in answer
    assert 'timeout="20"' in answer


def test_a_forgotten_value_and_a_long_parameter_are_our_mistakes() -> None:
    """Neither goes to Twilio; both name what is wrong."""
    with pytest.raises(LocalProtocolError, match="goodbye.xml: no value for text"):
        render("goodbye", language="en-US")
    urls = {"after_url": "a", "stream_url": "b", "stream_status_url": "c", "token": "t"}
    with pytest.raises(LocalProtocolError, match="Parameter note"):
        render("answer", {"note": "y" * 496}, **urls)
    assert render("answer", {"note": clip_parameter("note", "y" * 900)}, **urls)
