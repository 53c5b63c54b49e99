"""TwiML as Twilio reads it: a document -> verbs. PURE.

Reads the verbs that a voice line answers with. What Twilio would refuse raises BadTwiML with its error code;
what it would only warn of (12200, "schema validation") is listed beside the verbs.
Source: Twilio, "TwiML for Programmable Voice", `<Stream>`, and the error and warning dictionary.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from telephony.carrier.twiml import PARAMETER_LIMIT
from telephony.simulator import twiml_schema

"""Name and value of one `<Parameter>` together must be shorter."""
NOT_TWIML = 12100
TOO_LONG = 11750
SCHEMA = 12200
BAD_STREAM_URL = 31922
MAX_BYTES = 64 * 1024
"""Twilio's limit of a TwiML document."""


class BadTwiML(Exception):
    """Not TwiML, or TwiML that Twilio cannot carry out."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class ConnectVerb:
    """`<Connect><Stream>`: a media stream, until one side ends it."""

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    action: str | None = None
    """Asked how the call goes on; without it the next verb follows."""
    method: str = "POST"
    status_callback: str | None = None
    status_method: str = "POST"
    name: str = ""


@dataclass(frozen=True, slots=True)
class SayVerb:
    """Words in Twilio's own voice."""

    text: str


@dataclass(frozen=True, slots=True)
class PlayVerb:
    """A file of sound, or keys pressed."""

    url: str
    digits: str = ""
    loop: int = 1


@dataclass(frozen=True, slots=True)
class PauseVerb:
    """Silence."""

    seconds: float


@dataclass(frozen=True, slots=True)
class DialVerb:
    """Another party joins the call until it hangs up."""

    target: str
    action: str | None = None
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class RedirectVerb:
    """The rest of the call is in another document."""

    url: str
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class HangupVerb:
    """The call ends."""


@dataclass(frozen=True, slots=True)
class RejectVerb:
    """The call is not answered at all."""

    reason: str


Verb = ConnectVerb | SayVerb | PlayVerb | PauseVerb | DialVerb | RedirectVerb | HangupVerb | RejectVerb


def verb_name(verb: Verb) -> str:
    """As it stands in the document: `Connect`."""
    return type(verb).__name__.removesuffix("Verb")


@dataclass(frozen=True, slots=True)
class Document:
    """One answer of the server."""

    verbs: tuple[Verb, ...]
    warnings: tuple[str, ...] = ()
    """What Twilio would warn of."""


def read_twiml(text: str | bytes) -> Document:
    """Read a document. Raises BadTwiML."""
    data = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    if len(data) > MAX_BYTES:
        raise BadTwiML(TOO_LONG, "the answer is longer than 64 KiB")
    try:
        root = ElementTree.fromstring(data, ElementTree.XMLParser(target=_Strict()))
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # LookupError: no such encoding
        raise BadTwiML(NOT_TWIML, f"the answer is not XML ({error})") from None
    if root.tag != "Response":
        raise BadTwiML(NOT_TWIML, f"the answer is not TwiML: it begins with <{root.tag}>, not <Response>")
    verbs: list[Verb] = []
    warnings = list(twiml_schema.warnings(root))
    for element in root:
        reader = _READERS.get(element.tag)
        if reader is not None:
            verbs.append(reader(element, warnings))
        elif ("Response", element.tag) in twiml_schema.KNOWN:
            warnings.append(f"<{element.tag}> is not carried out here")
    return Document(tuple(verbs), tuple(warnings))


class _Strict(ElementTree.TreeBuilder):
    """Refuses what Twilio does not read, though it is XML: declarations, and words to other programs."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise BadTwiML(NOT_TWIML, "the answer has a DOCTYPE, and with it perhaps entities: TwiML has none")

    def pi(self, target: str, text: str | None = None) -> ElementTree.Element:
        raise BadTwiML(NOT_TWIML, f"the answer has a processing instruction, <?{target}?>: TwiML has none")


def _connect(element: ElementTree.Element, warnings: list[str]) -> Verb:
    stream = element.find("Stream")
    if stream is None:
        raise BadTwiML(SCHEMA, "<Connect> holds no <Stream>, the only noun that is known here")
    url = stream.get("url", "").strip()
    if not url:
        raise BadTwiML(31923, "<Stream> has no url")
    if "?" in url:
        # Twilio strips it silently, a classic loss of parameters.
        warnings.append("<Stream url> has a query string, which is dropped")
        url = url.partition("?")[0]
    parameters: dict[str, str] = {}
    for parameter in stream.iterfind("Parameter"):
        name, value = parameter.get("name", ""), parameter.get("value", "")
        if not name or len(name) + len(value) >= PARAMETER_LIMIT:
            warnings.append(f"<Parameter name={name!r}> has no name, or 500 characters or more")
            continue
        parameters[name] = value
    return ConnectVerb(
        url,
        parameters,
        element.get("action"),
        _method(element, "method"),
        stream.get("statusCallback"),
        _method(stream, "statusCallbackMethod"),
        stream.get("name", ""),
    )


def _say(element: ElementTree.Element, warnings: list[str]) -> Verb:
    text = " ".join("".join(element.itertext()).split())
    if not text:
        warnings.append("<Say> says nothing")
    return SayVerb(text)


def _play(element: ElementTree.Element, warnings: list[str]) -> Verb:
    url, digits = (element.text or "").strip(), element.get("digits", "")
    if not url and not digits:
        warnings.append("<Play> has neither a url nor digits")
    return PlayVerb(url, digits, _whole(element, "loop", 1))


def _pause(element: ElementTree.Element, warnings: list[str]) -> Verb:
    return PauseVerb(float(_whole(element, "length", 1)))


def _dial(element: ElementTree.Element, warnings: list[str]) -> Verb:
    nouns = [noun for noun in element if noun.tag in ("Number", "Sip", "Client", "Conference", "Queue")]
    target = " ".join((noun.text or "").strip() for noun in nouns) or (element.text or "").strip()
    if not target:
        warnings.append("<Dial> dials nobody")
    return DialVerb(target, element.get("action"), _method(element, "method"))


def _redirect(element: ElementTree.Element, warnings: list[str]) -> Verb:
    url = (element.text or "").strip()
    if not url:
        raise BadTwiML(11100, "<Redirect> has no url")
    return RedirectVerb(url, _method(element, "method"))


def _whole(element: ElementTree.Element, name: str, default: int) -> int:
    text = element.get(name, "")  # the schema's warnings tell what it must be
    return int(text[:6]) if text.isascii() and text.isdigit() else default


def _method(element: ElementTree.Element, name: str) -> str:
    return "GET" if element.get(name, "POST").upper() == "GET" else "POST"


_READERS: Mapping[str, Callable[[ElementTree.Element, list[str]], Verb]] = {
    "Connect": _connect,
    "Say": _say,
    "Play": _play,
    "Pause": _pause,
    "Dial": _dial,
    "Redirect": _redirect,
    "Hangup": lambda element, warnings: HangupVerb(),
    "Reject": lambda element, warnings: RejectVerb(element.get("reason", "rejected")),
}
