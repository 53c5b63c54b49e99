"""TwiML is read as Twilio reads it."""

from __future__ import annotations

import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml import voice_response

from telephony.carrier.twiml import render, twiml_folder
from telephony.simulator.twiml_reader import (
    BadTwiML,
    ConnectVerb,
    DialVerb,
    HangupVerb,
    PauseVerb,
    PlayVerb,
    RedirectVerb,
    RejectVerb,
    SayVerb,
    read_twiml,
)
from telephony.simulator.twiml_schema import KNOWN, SSML


def test_a_stream_with_all_that_belongs_to_it() -> None:
    document = read_twiml(
        """<?xml version="1.0" encoding="UTF-8"?>
        <!-- hello --><Response><Connect action="https://h/after?a=1&amp;b=2" method="get">
        <Stream url=" wss://h/media " name="n" statusCallback="https://h/s" statusCallbackMethod="GET">
        <Parameter name="token" value="a&quot;b"/><Parameter name="é" value=""/>
        </Stream></Connect></Response>"""
    )
    assert document.verbs == (
        ConnectVerb(
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
        SayVerb("Hello there"),
        PlayVerb("", "w1#"),
        PlayVerb("https://h/m.mp3", "", 2),
        PauseVerb(3),
        PauseVerb(1),
        DialVerb("+1555", "/a"),
        DialVerb("sip:a@b"),
        RedirectVerb("/r", "GET"),
        RejectVerb("busy"),
        RejectVerb("rejected"),
        HangupVerb(),
    )


def test_an_empty_document_ends_the_call() -> None:
    assert read_twiml("<Response/>").verbs == ()


def test_a_query_string_of_a_stream_is_dropped_and_noted() -> None:
    """A classic loss: what was in the query string never reaches the server."""
    document = read_twiml('<Response><Connect><Stream url="wss://h/m?id=1"/></Connect></Response>')
    assert document.verbs == (ConnectVerb("wss://h/m"),)
    assert "query string" in document.warnings[0]


def test_what_twilio_warns_of_is_noted() -> None:
    long = "x" * 500
    document = read_twiml(
        f"<Response><Gather/><Pause length='a'/><Say/><Play/><Dial/><Connect><Stream url='wss://h/m'>"
        f"<Parameter name='a' value='{long}'/><Parameter value='b'/></Stream></Connect></Response>"
    )
    assert len(document.warnings) == 7
    assert document.verbs[-1] == ConnectVerb("wss://h/m", {})


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


ANSWER = "<Response><Say>Hello</Say></Response>"
REFUSED = [
    f"<!DOCTYPE Response>{ANSWER}",
    f'<?xml version="1.0"?><!DOCTYPE Response SYSTEM "http://h/r.dtd">{ANSWER}',
    '<!DOCTYPE Response [<!ENTITY hi "Hello">]><Response><Say>&hi;</Say></Response>',
    '<!DOCTYPE Response [<!ENTITY f SYSTEM "file:///etc/passwd">]><Response><Say>&f;</Say></Response>',
    '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><Response><Say>&b;</Say></Response>',
    "<Response><Say>caf&eacute;&nbsp;</Say></Response>",
    f'<?xml-stylesheet href="a.xsl"?>{ANSWER}',
    "<Response><?php echo 1 ?><Hangup/></Response>",
    f"{ANSWER}<?after?>",
    f' <?xml version="1.0"?>{ANSWER}',
    f'<?xml version="1.0" encoding="nonsense"?>{ANSWER}',
    f"{ANSWER}{ANSWER}",
    '<Response xmlns="http://www.w3.org/1999/xhtml"><Hangup/></Response>',
    "<html><body>Not found</body></html>",
    '{"error": "not found"}',
]


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize("raw", [False, True], ids=["text", "bytes"])
def test_xml_that_twilio_does_not_read_is_refused(text: str, raw: bool) -> None:
    """12100: a server that is tried here must not be surprised there."""
    with pytest.raises(BadTwiML) as caught:
        read_twiml(text.encode() if raw else text)
    assert caught.value.code == 12100


def test_what_is_no_utf_8_is_refused() -> None:
    with pytest.raises(BadTwiML) as caught:
        read_twiml("<Response><Say>café</Say></Response>".encode("latin-1"))
    assert caught.value.code == 12100


def test_the_limit_is_of_bytes() -> None:
    """64 KiB: 30,000 letters with accents are 60,000 bytes, 33,000 are too many."""
    assert read_twiml(f"<Response><!--{'é' * 30_000}--></Response>").verbs == ()
    for text in (f"<Response><!--{'é' * 33_000}--></Response>", f"<Response>{' ' * 65_536}</Response>"):
        with pytest.raises(BadTwiML) as caught:
            read_twiml(text)
        assert caught.value.code == 11750


# Inside <Response>, and what the warning says.
WARNED = [
    ("<Speak>Hi</Speak>", "<Speak> is not a verb"),
    ("<say>Hi</say>", "<say> is not a verb"),
    ("<Gather/>", "not carried out here"),
    ("<Say volume='1'>Hi</Say>", "<Say> has no attribute 'volume'"),
    ("<Say Voice='alice'>Hi</Say>", "<Say> has no attribute 'Voice'"),
    ("<Say loop='-1'>Hi</Say>", "<Say loop='-1'>"),
    ("<Say>" + "x" * 5000 + "</Say>", "4096 characters"),
    ("<Say><blink>Hi</blink></Say>", "<blink> cannot stand in <Say>"),
    ("Hello there", "<Response> holds text"),
    ("<Pause length='1.5'/>", "<Pause length='1.5'>"),
    ("<Pause>5</Pause>", "<Pause> holds text"),
    ("<Hangup reason='x'/>", "<Hangup> has no attribute 'reason'"),
    ("<Reject reason='full'/>", "<Reject reason='full'>"),
    ("<Redirect method='PUT'>/r</Redirect>", "<Redirect method='PUT'>"),
    ("<Play digits='12x'/>", "<Play digits='12x'>"),
    ("<Dial from='+1'>+14155550111</Dial>", "<Dial> has no attribute 'from'"),
    ("<Dial timeout='soon'>+14155550111</Dial>", "<Dial timeout='soon'>"),
    ("<Dial answerOnBridge='maybe'>+14155550111</Dial>", "answerOnBridge='maybe'"),
    ("<Dial><Phone>+14155550111</Phone></Dial>", "<Phone> cannot stand in <Dial>"),
    ("<Stream url='wss://h/m'/>", "<Stream> is not a verb"),
    ("<Connect><Stream url='wss://h/m' codec='x'/></Connect>", "<Stream> has no attribute 'codec'"),
    ("<Connect><Stream url='wss://h/m' track='all'/></Connect>", "<Stream track='all'>"),
    ("<Connect><Stream url='wss://h/m' statusCallback='/s'/></Connect>", "statusCallback='/s'"),
    ("<Connect><Stream url='wss://h/m'><Param/></Stream></Connect>", "<Param> cannot stand in <Stream>"),
]


@pytest.mark.parametrize(("inside", "says"), WARNED)
def test_what_is_not_in_the_schema_is_warned_of(inside: str, says: str) -> None:
    """Twilio's 12200: the call goes on without it."""
    document = read_twiml(f"<Response>{inside}</Response>")
    assert len([one for one in document.warnings if says in one]) == 1, document.warnings


PASSES = [
    """<Say voice='Polly.Joanna-Neural' language='en-US' loop='2'>a <break time='1s'/>
       <prosody rate='90%'>b<lang xml:lang='de-DE'>c</lang></prosody></Say>""",
    """<Dial action='/a' method='GET' callerId='+1' timeout='20' answerOnBridge='true' record='do-not-record'>
       <Number sendDigits='wwww1'>+1</Number><Sip username='a'>sip:a@b</Sip><Client>bob</Client></Dial>""",
    """<Connect action='/a'><Stream name='n' url='wss://h/m' track='inbound_track'
       statusCallback='https://h/s' statusCallbackMethod='POST'>
       <Parameter name='a' value='b'/></Stream></Connect>""",
    """<Play loop='0'>https://h/a.mp3</Play><Play digits='w1#'/><Pause/>
       <Redirect method='post'>/x</Redirect>""",
    "<!-- a comment --><Reject reason='busy'/>",
]


@pytest.mark.parametrize("inside", PASSES)
def test_what_twilio_knows_passes_without_a_warning(inside: str) -> None:
    assert read_twiml(f"<Response>{inside}</Response>").warnings == ()


@pytest.mark.parametrize("template", sorted(path.stem for path in twiml_folder().glob("*.xml")))
def test_every_answer_of_ours_is_as_twilio_wants_it(template: str) -> None:
    """The templates, filled in: no warning."""
    names = ("after_url", "stream_url", "stream_status_url", "music_url", "url")
    values: dict[str, str | int | None] = dict.fromkeys(names, "https://h/x")
    values |= {"text": "Hi", "to": "+1", "caller_id": "+1", "timeout_s": 20, "digits": "1", "loops": 2}
    values |= {"language": "en-US", "token": "t", "seconds": 1}
    assert read_twiml(render(template, **values)).warnings == ()


def test_the_schema_is_that_of_twilios_library() -> None:
    """Every element and attribute that the library can write, and no other."""
    found: dict[tuple[str, str], set[str]] = {}
    _walk(voice_response.VoiceResponse, "Response", found)
    ours = {pair: {("xml:lang" if "}" in name else name) for name in known.attributes}
            for pair, known in KNOWN.items()}  # fmt: skip
    assert ours == found


def _walk(kind: type, name: str, found: dict[tuple[str, str], set[str]]) -> None:
    for _, method in inspect.getmembers(kind, inspect.isfunction):
        made = re.search(r"return self\.nest\(\s*(\w+)\(", inspect.getsource(method))
        if made is None or made[1] == "GenericNode":
            continue
        child = getattr(voice_response, made[1])
        own = [p for p in inspect.signature(child).parameters if p != "kwargs"]
        tag = child(**dict.fromkeys(own, "x")).name
        parent = "Say" if tag in SSML else name
        if (parent, tag) in found:
            continue
        given = set(inspect.signature(method).parameters) - {"self", "kwargs", *own}
        found[parent, tag] = set(child(**dict.fromkeys(own, "x"), **dict.fromkeys(given, "x")).attrs)
        _walk(child, tag, found)


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
    assert isinstance(connect, ConnectVerb)
    assert (connect.url, connect.action, dict(connect.parameters)) == (
        "wss://h/m",
        "https://h/after",
        {"token": "t", "from": "a&b"},
    )
    assert answer.verbs[1:] == (RedirectVerb("https://h/after"),)
    assert answer.warnings == ()
