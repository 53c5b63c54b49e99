"""Which elements and attributes TwiML for voice knows: this finds what Twilio warns of as 12200. PURE.

The table is that of twilio's own library, `twilio.twiml.voice_response` (9.13), which is made from the
schema; a test compares the two. The elements of SSML may stand anywhere inside a `<Say>`.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

TABLE = """
Response Connect: action method
Connect AiSession: aiConnector aiSessionConfiguration
Connect Autopilot=
Connect Conversation: serviceInstanceSid inboundAutocreation routingAssignmentTimeout inboundTimeout url
    method record trim recordingStatusCallback recordingStatusCallbackMethod
    recordingStatusCallbackEvent statusCallback statusCallbackMethod statusCallbackEvent
Connect ConversationRelay: url language ttsLanguage transcriptionLanguage ttsProvider voice
    transcriptionProvider speechModel profanityFilter dtmfDetection welcomeGreeting partialPrompts
    welcomeGreetingInterruptible interruptible preemptible hints intelligenceService
    reportInputDuringAgentSpeech elevenlabsTextNormalization interruptSensitivity debug
    backgroundNoiseReduction speechTimeout deepgramSmartFormat ignoreBackchannel events
    partialPromptOnHangup eagerEotThreshold asrSmartFormat ttsTextNormalization
    ttsLanguageTextNormalization elevenlabsLanguageTextNormalization includeInPrompt customerName
    applicationReconnect echoPromptFiltering turnDetection
ConversationRelay Language: code ttsProvider voice transcriptionProvider speechModel hints
    asrSmartFormat ttsTextNormalization ttsLanguageTextNormalization
ConversationRelay Parameter: name value
Connect ConversationRelaySession: connector sessionConfiguration
Connect Room= participantIdentity
Connect Stream: name connectorName url track statusCallback statusCallbackMethod audioFormat sampleRate
Stream Parameter: name value
Connect VirtualAgent: connectorName language sentimentAnalysis statusCallback statusCallbackMethod
VirtualAgent Config: name value
VirtualAgent Parameter: name value
Response Dial= action method timeout hangupOnStar timeLimit callerId record trim recordingStatusCallback
    recordingConfigurationId recordingStatusCallbackMethod recordingStatusCallbackEvent answerOnBridge
    ringTone recordingTrack sequential referUrl referMethod events passports
Dial Application= url method statusCallbackEvent statusCallback statusCallbackMethod customerId
    copyParentTo
Application ApplicationSid=
Application Parameter: name value
Dial Client= url method statusCallbackEvent statusCallback statusCallbackMethod
Client Identity=
Client Parameter: name value
Dial Conference= muted beep startConferenceOnEnter endConferenceOnExit waitUrl waitMethod
    maxParticipants record recordingConfigurationId region coach trim statusCallbackEvent statusCallback
    statusCallbackMethod recordingStatusCallback recordingStatusCallbackMethod
    recordingStatusCallbackEvent eventCallbackUrl jitterBufferSize participantLabel
Dial Number= sendDigits url method statusCallbackEvent statusCallback statusCallbackMethod byoc
    machineDetection amdStatusCallbackMethod amdStatusCallback machineDetectionTimeout
    machineDetectionSpeechThreshold machineDetectionSpeechEndThreshold machineDetectionSilenceTimeout
Dial Queue= url method reservationSid postWorkActivitySid
Dial Sim=
Dial Sip= username password url method statusCallbackEvent statusCallback statusCallbackMethod
    machineDetection amdStatusCallbackMethod amdStatusCallback machineDetectionTimeout
    machineDetectionSpeechThreshold machineDetectionSpeechEndThreshold machineDetectionSilenceTimeout
Sip Headers:
Headers Header: name value
Sip Uri= priority weight username password
Dial WhatsApp= url method statusCallbackEvent statusCallback statusCallbackMethod
Response Echo:
Response Enqueue= action maxQueueSize method waitUrl waitUrlMethod workflowSid
Enqueue Task= priority timeout
Response Gather: input action method timeout speechTimeout maxSpeechTime profanityFilter finishOnKey
    numDigits partialResultCallback partialResultCallbackMethod language hints bargeIn debug
    actionOnEmptyResult speechModel enhanced
Gather Pause: length
Gather Play= loop digits
Gather Say= voice loop language
Say break: strength time
Say emphasis= level
Say lang= xml:lang
Say phoneme= alphabet ph
Say prosody= volume rate pitch
Say say-as= interpret-as format
Say sub= alias
Say w= role
Say p=
Say s=
Response Hangup:
Hangup Parameter: name value
Response Leave:
Response Pause: length
Response Pay: input action bankAccountType statusCallback statusCallbackMethod timeout maxAttempts
    securityCode postalCode minPostalCodeLength paymentConnector paymentMethod tokenType chargeAmount
    currency description validCardTypes language
Pay Parameter: name value
Pay Prompt: for errorType cardType attempt requireMatchingInputs
Prompt Pause: length
Prompt Play= loop digits
Prompt Say= voice loop language
Response Play= loop digits
Response Prompt: for errorType cardType attempt requireMatchingInputs
Response Queue= url method reservationSid postWorkActivitySid
Response Record: action method timeout finishOnKey maxLength playBeep trim recordingStatusCallback
    recordingStatusCallbackMethod recordingStatusCallbackEvent transcribe transcribeCallback
    recordingConfigurationId
Response Redirect= method
Response Refer: action method
Refer Sip=
Response Reject: reason
Reject Parameter: name value
Response Say= voice loop language
Response Sms= to from action method statusCallback
Response Start: action method
Start Recording: recordingStatusCallback recordingStatusCallbackMethod recordingStatusCallbackEvent trim
    track channels recordingConfigurationId
Start Siprec: name connectorName track statusCallback statusCallbackMethod
Siprec Parameter: name value
Start Stream: name connectorName url track statusCallback statusCallbackMethod audioFormat sampleRate
Start Transcription: name track statusCallbackUrl statusCallbackMethod inboundTrackLabel
    outboundTrackLabel partialResults languageCode transcriptionEngine profanityFilter speechModel hints
    enableAutomaticPunctuation intelligenceService
Transcription Config: name value
Transcription Parameter: name value
Response Stop:
Stop Siprec: name connectorName track statusCallback statusCallbackMethod
Stop Stream: name connectorName url track statusCallback statusCallbackMethod audioFormat sampleRate
Stop Transcription: name track statusCallbackUrl statusCallbackMethod inboundTrackLabel
    outboundTrackLabel partialResults languageCode transcriptionEngine profanityFilter speechModel hints
    enableAutomaticPunctuation intelligenceService
"""
"""`Parent Child: attributes`, or `=` where the child holds text. A line that is indented goes on."""

SSML = frozenset("break emphasis lang p phoneme prosody s say-as sub w".split())
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
WHOLE = {"Pause": ("length",), "Say": ("loop",), "Play": ("loop",), "Dial": ("timeout", "timeLimit")}
FLAGS = {"Dial": ("hangupOnStar", "answerOnBridge", "sequential")}
CHOICES = {
    ("Reject", "reason"): ("rejected", "busy"),
    ("Stream", "track"): ("inbound_track", "outbound_track", "both_tracks"),
}
DIGITS = re.compile(r"[0-9A-Da-dwW*#]*")
MOST_SAID = 4096
"""Characters of one `<Say>`."""


@dataclass(frozen=True, slots=True)
class Known:
    """What may stand in an element."""

    attributes: frozenset[str]
    holds_text: bool


def _read(table: str) -> dict[tuple[str, str], Known]:
    found = {}
    for line in re.sub(r"\n    ", " ", table).strip().splitlines():
        names, sign, attributes = re.split("([:=])", line, maxsplit=1)
        parent, child = names.split()
        # `xml:lang` is the one attribute with a colon in it: it stands behind the sign.
        plain = (XML_LANG if name == "xml:lang" else name for name in attributes.split())
        found[parent, child] = Known(frozenset(plain), sign == "=")
    return found


KNOWN: Mapping[tuple[str, str], Known] = _read(TABLE)


def warnings(root: ElementTree.Element) -> Iterator[str]:
    """What Twilio would warn of in a whole `<Response>`, in the document's order."""
    yield from _attributes(root, Known(frozenset(), False))
    yield from _inside(root, Known(frozenset(), False))


def _inside(parent: ElementTree.Element, what: Known) -> Iterator[str]:
    spoken = parent.tag == "Say" or parent.tag in SSML
    if not (what.holds_text or spoken):
        texts = [parent.text, *(child.tail for child in parent)]
        if any(text and text.strip() for text in texts):
            yield f"<{parent.tag}> holds text, which is of no use there"
    for child in parent:
        known = KNOWN.get(("Say" if spoken else parent.tag, child.tag))
        if known is None:
            where = "is not a verb" if parent.tag == "Response" else f"cannot stand in <{parent.tag}>"
            yield f"<{child.tag}> {where}"
            continue
        yield from _attributes(child, known)
        yield from _values(child)
        yield from _inside(child, known)


def _attributes(element: ElementTree.Element, known: Known) -> Iterator[str]:
    for name in element.attrib:
        if name not in known.attributes:
            yield f"<{element.tag}> has no attribute {name!r}"


def _values(element: ElementTree.Element) -> Iterator[str]:
    tag = element.tag
    for name, value in element.attrib.items():
        if not _may_be(tag, name, value):
            yield f"<{tag} {name}={value!r}> is not allowed"
    if tag == "Say" and len("".join(element.itertext())) > MOST_SAID:
        yield f"<Say> says more than {MOST_SAID} characters"


def _may_be(tag: str, name: str, value: str) -> bool:
    if name.lower().endswith("method") and tag != "Pay":
        return value.upper() in ("GET", "POST")
    if name in WHOLE.get(tag, ()):
        return value.isascii() and value.isdigit()
    if name in FLAGS.get(tag, ()):
        return value.lower() in ("true", "false")
    if (tag, name) == ("Play", "digits"):
        return DIGITS.fullmatch(value) is not None
    if (tag, name) == ("Stream", "statusCallback"):
        return value.startswith(("https://", "http://"))
    return value in CHOICES.get((tag, name), (value,))
