"""What can go wrong with a language model. Each message is one line that says what to do.

ModelFailed                no answer, or not all of it
├── ModelUnreachable       no connection could be made
├── ModelRefused           it answered no: its status, and its own reason where it gave one
├── ModelTooSlow           a deadline passed
├── ModelLost              the connection broke off before the answer was complete
└── BadModelAnswer         what it sent is not an answer

A message never holds a key, nor what was said in the call.
"""

from __future__ import annotations

from telephony.errors import TelephonyError

AMONG_CHARACTERS = 16
"""So many characters in a row of the conversation in a server's reason, and it is redacted."""
REASON_CHARACTERS = 200

REMEDIES = {
    400: "It does not take this request: its own words say why; check {model} and the size of the prompt",
    401: "The key is wrong or missing: check {key}",
    402: "The account has no credit left: add some, or choose another with {url}",
    403: "The key may not use this model: check {key} and {model}",
    404: "It has no such model, or no such path: check {model} and {url}",
    405: "This path takes no chat completions: check {url}",
    413: "The conversation is too long for it: shorten the prompt, or choose another model with {model}",
    422: "It does not take this request: its own words say why; check {model}",
    429: "Too many requests, or no quota left: wait, or ask the provider for more",
}


class ModelFailed(TelephonyError):
    """A language model gave no answer, or not all of it."""

    def __init__(self, where: str, what: str, remedy: str = "") -> None:
        super().__init__(f"{where}: {what}. {remedy}" if remedy else f"{where}: {what}")
        self.where = where
        """Which endpoint: the setting that names it, and its address."""
        self.what = what
        self.remedy = remedy


class ModelUnreachable(ModelFailed):
    """No connection could be made: a wrong address, a server that is down, a certificate."""


class ModelRefused(ModelFailed):
    """The server answered no."""

    def __init__(
        self, where: str, status: int, reason: str, remedy: str, retry_after_s: float | None = None
    ) -> None:
        super().__init__(where, f"{status} {reason}".rstrip(" ."), remedy)
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s
        """When to ask again, in seconds, where the server says so."""


class ModelTooSlow(ModelFailed):
    """A deadline passed."""


class ModelLost(ModelFailed):
    """The connection broke off before the answer was complete."""


class BadModelAnswer(ModelFailed):
    """What came is not an answer: a web page, broken JSON, an error in mid-stream."""
