"""A stream token opens one call's stream, for a minute."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.carrier.token import LIFETIME_S, SKEW_S, BadToken, check, derive_keys, issue

KEY, OLD = b"new key", b"old key"
CALL = "CA" + "1" * 32
NONCE = "abcdefghijklmnop"
NOW = 1_800_000_000.0


def test_a_token_opens_its_own_call() -> None:
    """What we issue, we accept, with the nonce to claim and the time to remember it for."""
    ticket = check([KEY], issue(KEY, CALL, NONCE, NOW), CALL, NOW + 1)
    assert ticket.nonce == NONCE
    assert ticket.remaining_s(NOW + 1) == LIFETIME_S + SKEW_S - 1


def test_a_token_opens_no_other_call() -> None:
    """The HMAC covers the CallSid."""
    with pytest.raises(BadToken, match="not this call's"):
        check([KEY], issue(KEY, CALL, NONCE, NOW), "CA" + "2" * 32, NOW)


def test_a_token_lasts_a_minute_and_the_skew_of_two_clocks() -> None:
    """Expiry allows clocks that are five seconds apart, and no more."""
    token = issue(KEY, CALL, NONCE, NOW)
    assert check([KEY], token, CALL, NOW - SKEW_S)
    assert check([KEY], token, CALL, NOW + LIFETIME_S + SKEW_S)
    with pytest.raises(BadToken, match="expired 6 s ago"):
        check([KEY], token, CALL, NOW + LIFETIME_S + SKEW_S + 1)


def test_keys_rotate() -> None:
    """While two keys are set, tokens of both hold; afterwards the old one's do not."""
    old, new = issue(OLD, CALL, NONCE, NOW), issue(KEY, CALL, NONCE, NOW)
    assert check([KEY, OLD], old, CALL, NOW) and check([KEY, OLD], new, CALL, NOW)
    with pytest.raises(BadToken, match="not ours"):
        check([KEY], old, CALL, NOW)


def test_keys_come_from_the_secret_else_the_auth_token_else_chance() -> None:
    """Processes that share a secret or an auth token share the keys, which do not show the token."""
    assert derive_keys(["s1", "s2"], ["t"], b"r") == [b"s1", b"s2"]
    made = derive_keys([], ["t1", "t2"], b"r")
    assert made == derive_keys([], ["t1", "t2"], b"x") and len(set(made)) == 2 and b"t1" not in made[0]
    assert derive_keys([], [], b"r") == [b"r"]


def test_no_purpose_but_media() -> None:
    """A token signed for anything else, with the same key, does not open a stream."""
    import base64
    import hmac

    exp = int(NOW + 60)
    mac = hmac.digest(KEY, f"v1|{CALL}|{exp}|{NONCE}|aud=console".encode(), "sha256")
    other = f"v1.{exp}.{NONCE}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    with pytest.raises(BadToken):
        check([KEY], other, CALL, NOW)


def test_a_token_fits_a_parameter() -> None:
    """Twilio takes name and value of fewer than 500 characters, and nothing in it needs escaping."""
    assert re.fullmatch(r"[A-Za-z0-9._-]{40,200}", issue(KEY, CALL, "n" * 64, NOW))


@given(st.data())
def test_any_changed_character_is_refused(data: st.DataObject) -> None:
    """Also one that base64 would decode to the same bytes."""
    token = issue(KEY, CALL, NONCE, NOW)
    at = data.draw(st.integers(0, len(token) - 1))
    changed = token[:at] + data.draw(st.characters().filter(lambda c: c != token[at])) + token[at + 1 :]
    with pytest.raises(BadToken):
        check([KEY], changed, CALL, NOW)


@given(st.text(max_size=200) | st.text("v1.0-9aZ_", max_size=120))
def test_junk_is_refused_and_nothing_else_happens(token: str) -> None:
    """Whatever a stranger sends as a token, the answer is BadToken and does not hold it."""
    with pytest.raises(BadToken) as refused:
        check([KEY], token, CALL, NOW)
    assert len(token) < 4 or token not in str(refused.value)
