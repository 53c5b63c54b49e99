"""The SDK's headers are made once; where its inner names are not used, it is left as it is."""

from __future__ import annotations

import pytest
from deepgram import AsyncDeepgramClient

from telephony.deepgram import sdk_internals


def test_the_installed_version_was_checked() -> None:
    """Else each connection costs more: check the tests of this file, then add the version."""
    assert sdk_internals.in_use


def test_the_headers_are_made_once_and_are_the_sdks_own() -> None:
    """A caller that changes what it was given changes nobody else's."""
    client = AsyncDeepgramClient(api_key="k")
    own = client._client_wrapper.get_headers()
    assert sdk_internals.ask_once_for_headers(client)
    headers = client._client_wrapper.get_headers()
    assert {name for name in own if headers[name] != own[name]} <= {"x-deepgram-session-id"}
    assert headers["Authorization"] == "Token k"
    headers["Authorization"] = "other"
    assert client._client_wrapper.get_headers()["Authorization"] == "Token k"


def test_a_version_that_was_not_checked_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk_internals, "in_use", False)
    client = AsyncDeepgramClient(api_key="k")
    assert not sdk_internals.ask_once_for_headers(client)
    assert client._client_wrapper.get_headers()["Authorization"] == "Token k"
