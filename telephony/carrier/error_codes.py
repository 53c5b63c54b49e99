"""Twilio's error codes that a phone line meets: what each means here, and what to do. PURE.

Source: Twilio's error and warning dictionary. The README's table is made from this one.
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
    TwilioError(11200, "our webhook did not answer with 200", "read the server's log for that moment"),
    TwilioError(11205, "our webhook could not be reached", "is the tunnel up, and PUBLIC_URL its address?"),
    TwilioError(12100, "what we answered is no XML", "does another server answer at PUBLIC_URL?"),
    TwilioError(12200, "TwiML with something Twilio does not know", "report it: ours is tested against this"),
    TwilioError(12300, "an answer of the wrong content type", "does another server answer at PUBLIC_URL?"),
    TwilioError(13224, "a transfer to a number that cannot be dialled", "write it as +14155550111"),
    TwilioError(13227, "a transfer to a country that is switched off", "Voice > Settings > Geo permissions"),
    TwilioError(20003, "signing in was refused", "check TWILIO_ACCOUNT_SID and its token or API key"),
    TwilioError(20404, "there is no such call, or it is over", "nothing to do for a call that is over"),
    TwilioError(20429, "too many requests at a time", "wait a little"),
    TwilioError(21210, "the caller id is no number of this account", "use one of its numbers"),
    TwilioError(21211, "the number to call is not valid", "write it as +14155550111"),
    TwilioError(21212, "the number to call from is not valid", "write it as +14155550111"),
    TwilioError(21214, "the number cannot be reached", "try another one"),
    TwilioError(21215, "calls to this country are switched off", "Voice > Settings > Geo permissions"),
    TwilioError(21216, "calls to this number are blocked by Twilio", "try another one"),
    TwilioError(21219, "a trial account calls verified numbers only", "verify it, or upgrade"),
    TwilioError(21220, "the call is not in progress any more", "nothing to do: it is over"),
    TwilioError(22005, "more calls are queued than a day can hold", "telephony dial --stop"),
    TwilioError(31901, "the media socket could not be reached in time", "does the tunnel pass websockets?"),
    TwilioError(31902, "the media socket was refused", "is the server running?"),
    TwilioError(31903, "the media socket broke", "a crash or a network fault: see the log"),
    TwilioError(31910, "TLS to the media socket failed", "the certificate must be a public authority's"),
    TwilioError(31920, "the media socket was not upgraded", "403 in our log: PUBLIC_URL or the token differ"),
    TwilioError(31921, "we closed the media socket", "usual: so an agent hangs up without REST"),
    TwilioError(31922, "the media URL is not wss", "PUBLIC_URL must begin with https://"),
    TwilioError(31923, "the media URL is malformed", "check PUBLIC_URL"),
    TwilioError(31924, "we broke the websocket protocol", "report it: our messages are tested against this"),
    TwilioError(31930, "we read the caller's audio too slowly", "the machine is too busy: lower MAX_CALLS"),
    TwilioError(31931, "more than ten minutes of audio were queued", "report it: we pace what we send"),
    TwilioError(31951, "a message Twilio does not know", "report it: our messages are tested against this"),
)  # fmt: skip

BY_CODE = {error.code: error for error in ERRORS}


def explain(code: int | str | None) -> str:
    """One clause for a log line or an error: what the code means and what to do; empty when it is unknown."""
    text = str(code or "")
    error = BY_CODE.get(int(text)) if text.isascii() and text.isdigit() else None
    return "" if error is None else f"{error.meaning}; {error.remedy}"
