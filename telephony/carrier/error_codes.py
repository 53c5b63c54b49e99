"""Twilio's error codes that a phone line meets: what each means here, and what to do. PURE.

Source: Twilio's error and warning dictionary. docs/twilio-errors.md is made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TwilioError:
    """One row."""

    code: int
    meaning: str
    remedy: str


ERRORS = (
    TwilioError(10004, "too many calls at a time for this account", "wait, or ask Twilio for a higher limit"),
    TwilioError(11200, "the webhook did not answer with 200", "read the server's log for that moment"),
    TwilioError(11205, "the webhook could not be reached", "is the tunnel up, and PUBLIC_URL right?"),
    TwilioError(12100, "the answer to a webhook was not XML", "does another server answer at PUBLIC_URL?"),
    TwilioError(12200, "TwiML that Twilio does not know", "report it: tests should prevent it"),
    TwilioError(12300, "an answer of the wrong content type", "does another server answer at PUBLIC_URL?"),
    TwilioError(13224, "a transfer to a number that cannot be dialled", "write it as +14155550111"),
    TwilioError(13227, "a transfer to a country that is switched off", "Voice > Settings > Geo permissions"),
    TwilioError(20003, "Twilio refused the credentials", "check TWILIO_ACCOUNT_SID and its token or API key"),
    TwilioError(20404, "the call does not exist, or is over", "nothing, if the call is over"),
    TwilioError(20429, "too many requests at a time", "wait a little"),
    TwilioError(21210, "the caller ID does not belong to this account", "use one of its numbers"),
    TwilioError(21211, "the number to call is not valid", "write it as +14155550111"),
    TwilioError(21212, "the number to call from is not valid", "write it as +14155550111"),
    TwilioError(21214, "the number cannot be reached", "try another one"),
    TwilioError(21215, "calls to this country are switched off", "Voice > Settings > Geo permissions"),
    TwilioError(21216, "calls to this number are blocked by Twilio", "try another one"),
    TwilioError(21219, "a trial account calls verified numbers only", "verify it, or upgrade"),
    TwilioError(21220, "the call is not in progress any more", "nothing: it is over"),
    TwilioError(22005, "more calls are queued than a day can hold", "telephony dial --stop"),
    TwilioError(31901, "the media socket could not be reached in time", "does the tunnel pass websockets?"),
    TwilioError(31902, "the media socket was refused", "is the server running?"),
    TwilioError(31903, "the media socket broke", "a crash or a network fault: see the log"),
    TwilioError(31910, "TLS to the media socket failed", "the certificate must be a public authority's"),
    TwilioError(31920, "the media socket was not upgraded", "403 in the log? PUBLIC_URL or token differs"),
    TwilioError(31921, "the server closed the media socket", "normal: this is how the server hangs up"),
    TwilioError(31922, "the media URL is not wss", "PUBLIC_URL must begin with https://"),
    TwilioError(31923, "the media URL is malformed", "check PUBLIC_URL"),
    TwilioError(31924, "the server broke the websocket protocol", "report it: tests should prevent it"),
    TwilioError(31930, "the server read the audio too slowly", "the machine is busy: lower MAX_CALLS"),
    TwilioError(31931, "more than ten minutes of audio were queued", "report it: audio is sent paced"),
    TwilioError(31951, "a message that Twilio does not know", "report it: tests should prevent it"),
)  # fmt: skip

BY_CODE = {error.code: error for error in ERRORS}


def explain(code: int | str | None) -> str:
    """One clause for a log line or an error: what the code means and what to do; empty when it is unknown."""
    text = str(code or "")
    error = BY_CODE.get(int(text)) if text.isascii() and text.isdigit() else None
    return "" if error is None else f"{error.meaning}; {error.remedy}"
