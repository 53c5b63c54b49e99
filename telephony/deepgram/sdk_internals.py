"""The only module that uses a name which the Deepgram SDK does not promise to keep.

Each connection asks the SDK's client for its headers, and they ask the disk for the SDK's version: a fifth of
what setting up a call costs, in the event loop. Nothing in them changes but a session id, which the service
does not need, so one asking is enough. (The SDK itself replaces this method, for short-lived tokens.) In a
version that was not checked, or where the name is missing, the SDK is left as it is, and works, at that cost.
"""

from __future__ import annotations

import logging
from importlib.metadata import version

from deepgram import AsyncDeepgramClient

log = logging.getLogger(__name__)

CHECKED = ("7.",)
"""Versions of deepgram-sdk that this was checked against: 7.16."""

in_use = version("deepgram-sdk").startswith(CHECKED)
"""Whether the names below are what they were. Tests set it to False."""


def ask_once_for_headers(client: AsyncDeepgramClient) -> bool:
    """Have the client make its headers now and never again. False: it is left as it is."""
    wrapper = getattr(client, "_client_wrapper", None)
    get_headers = getattr(wrapper, "get_headers", None)
    if not in_use or not callable(get_headers):
        log.info("this version of the Deepgram SDK was not checked: its headers are made for each connection")
        return False
    headers = get_headers()
    setattr(wrapper, "get_headers", headers.copy)  # noqa: B010 - to mypy a method is not an attribute
    return True
