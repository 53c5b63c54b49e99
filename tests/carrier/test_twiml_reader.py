"""TwiML is read as Twilio reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.carrier.twiml_reader import (
    BadTwiML,
    Connect,
    Dial,
    Hangup,
    Pause,
    Play,
    Redirect,
    Reject,
    Say,
    read_twiml,
)
from telephony.twiml_files import render


def test_a_stream_with_all_that_belongs_to_it() -> None:
    document = read_twiml(
        """<?xml version="1.0" encoding="UTF-8"?>
        <!-- hello --><Response><Connect action="https://h/after?a=1&amp;b=2" method="get">
        <Stream url=" wss://h/media " name="n" statusCallback="https://h/s" statusCallbackMethod="GET">
        <Parameter name="token" value="a&quot;b"/><Parameter name="é" value=""/>
        </Stream></Connect></Response>"""
    )
    assert document.verbs == (
        Connect(
            "wss://h/media",
            {"token": 'a"b', "é": ""},
            "https://h/after?a=1&b=2",
            "GET",
            "https://h/s",
            "GET",
            "n",
        ),
    )
    assert document.warnings == ()


def test_all_verbs_in_order() -> None:
    document = read_twiml(
        "<Response><Say>Hello  <break/>there</Say><Play digits='w1#'/><Play loop='2'>https://h/m.mp3</Play>"
        "<Pause length='3'/><Pause/><Dial action='/a'>+1555</Dial><Dial><Sip>sip:a@b</Sip></Dial>"
        "<Redirect method='GET'>/r</Redirect><Reject reason='busy'/><Reject/><Hangup/></Response>"
    )
    assert document.verbs == (
        Say("Hello there"),
        Play("", "w1#"),
        Play("https://h/m.mp3", "", 2),
        Pause(3),
        Pause(1),
        Dial("+1555", "/a"),
        Dial("sip:a@b"),
        Redirect("/r", "GET"),
        Reject("busy"),
        Reject("rejected"),
        Hangup(),
    )


def test_an_empty_document_ends_the_call() -> None:
    assert read_twiml("<Response/>").verbs == ()


def test_a_query_string_of_a_stream_is_dropped_and_noted() -> None:
    """A classic loss: what was in the query string never reaches the server."""
    document = read_twiml('<Response><Connect><Stream url="wss://h/m?id=1"/></Connect></Response>')
    assert document.verbs == (Connect("wss://h/m"),)
    assert "query string" in document.warnings[0]


def test_what_twilio_warns_of_is_noted() -> None:
    long = "x" * 500
    document = read_twiml(
        f"<Response><Gather/><Pause length='a'/><Say/><Play/><Dial/><Connect><Stream url='wss://h/m'>"
        f"<Parameter name='a' value='{long}'/><Parameter value='b'/></Stream></Connect></Response>"
    )
    assert len(document.warnings) == 7
    assert document.verbs[-1] == Connect("wss://h/m", {})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 12100),
        ("not xml", 12100),
        ("<Response>", 12100),
        ("<response/>", 12100),
        ("<Response><Say>a & b</Say></Response>", 12100),
        ("<Response><Connect/></Response>", 12200),
        ("<Response><Connect><Stream/></Connect></Response>", 31923),
        ("<Response><Redirect/></Response>", 11100),
        ("<Response>" + " " * 65_536 + "</Response>", 11750),
        ("<!--\0--><Response/>", 12100),
    ],
)
def test_what_twilio_refuses_is_refused_with_its_code(text: str, code: int) -> None:
    with pytest.raises(BadTwiML) as caught:
        read_twiml(text)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


@given(st.text() | st.binary() | st.text().map(lambda inner: f"<Response>{inner}</Response>"))
def test_whatever_a_server_answers_is_read_or_refused(text: str | bytes) -> None:
    try:
        read_twiml(text)
    except BadTwiML:
        return


def test_our_own_answers_are_read() -> None:
    """The templates of this package say what they are meant to say."""
    answer = read_twiml(
        render(
            "answer",
            {"from": "a&b"},
            after_url="https://h/after",
            stream_url="wss://h/m",
            stream_status_url="https://h/s",
            token="t",
        )
    )
    connect = answer.verbs[0]
    assert isinstance(connect, Connect)
    assert (connect.url, connect.action, dict(connect.parameters)) == (
        "wss://h/m",
        "https://h/after",
        {"token": "t", "from": "a&b"},
    )
    assert answer.verbs[1:] == (Redirect("https://h/after"),)
    assert answer.warnings == ()
