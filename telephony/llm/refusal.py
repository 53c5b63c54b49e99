"""A server's refusal as an error: its status, its own words without what may be secret, and what to do."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from telephony.base.json_codec import loads
from telephony.config.secret import MASK
from telephony.llm.chunks import error_words
from telephony.llm.endpoints import ChatEndpoint
from telephony.llm.errors import AMONG_CHARACTERS, REASON_CHARACTERS, REMEDIES, ModelRefused

TROUBLE = "The server has trouble of its own: try again later"
OTHER = "Is {url} the address of a chat-completions server?"
LONGEST_WAIT_S = 3600.0


def refused_by(
    endpoint: ChatEndpoint, response: aiohttp.ClientResponse, body: bytes, asked: Mapping[str, Any]
) -> ModelRefused:
    """What the server answered in place of tokens."""
    status = response.status
    if 300 <= status < 400:
        to = urlsplit(urljoin(endpoint.url, response.headers.get("Location", "")))
        reason = f"redirects to {to.scheme}://{to.netloc}{to.path}, which is not followed"
        return ModelRefused(endpoint.where, status, clean(reason, endpoint), endpoint.remedy("Correct {url}"))
    remedy = REMEDIES.get(status, TROUBLE if status >= 500 else OTHER)
    reason = redacted(clean(_words(body), endpoint), asked)
    return ModelRefused(
        endpoint.where, status, reason, endpoint.remedy(remedy), retry_after(response.headers)
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks us to wait; None: it does not say."""
    for name, unit in (("retry-after-ms", 0.001), ("Retry-After", 1.0)):
        given = headers.get(name, "")
        try:
            seconds = float(given) * unit if given else -1.0
        except ValueError:
            seconds = _until(given)
        if 0 <= seconds <= LONGEST_WAIT_S:
            return seconds
    return None


def _until(date: str) -> float:
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, OverflowError):
        return -1.0


def _words(body: bytes) -> str:
    try:
        said = loads(body)
    except ValueError:
        return ""  # a web page, or nothing
    if isinstance(said, list) and said:
        said = said[0]
    return error_words(said) if isinstance(said, dict) else ""


def clean(reason: str, endpoint: ChatEndpoint) -> str:
    """One short printable line without the key, whatever a server repeats of it."""
    if endpoint.api_key:
        reason = reason.replace(endpoint.api_key.reveal(), MASK)
    line = "".join(c if c.isprintable() else " " for c in reason)
    line = " ".join(line.split())
    return line if len(line) <= REASON_CHARACTERS else f"{line[:REASON_CHARACTERS]}..."


def redacted(reason: str, asked: Mapping[str, Any]) -> str:
    """The reason; nothing of it where it repeats the conversation, as some servers' do."""
    low = _letters(reason)
    for text in _texts(asked.get("messages")):
        said = _letters(text)
        size = min(AMONG_CHARACTERS, len(said))
        if size >= 4 and any(low[at : at + size] in said for at in range(len(low) - size + 1)):
            return "(its reason repeats the conversation)"
    return reason


def _letters(text: str) -> str:
    """What two texts have in common whatever their punctuation."""
    return re.sub(r"\W+", " ", text.lower()).strip()


def _texts(value: object) -> Iterator[str]:
    """Every text that the conversation holds: contents, and arguments of tools."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            if name not in ("role", "type", "id", "tool_call_id", "name"):
                yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
