"""What may pass for a request of this machine itself, header by header, and what gives a stranger away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.config.local_requests import Refusal, Seen, host_name, refusal

HERE = ("Host", "127.0.0.1:8080")

# What proxies, tunnels, platforms and content networks add: their documentation's names.
BETWEEN = """Forwarded Via X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Forwarded-Port
X-Forwarded-Prefix X-Forwarded-Server X-Forwarded X-Original-Forwarded-For X-ProxyUser-Ip
X-Real-IP X-Client-IP Client-IP X-Cluster-Client-IP True-Client-IP X-Original-Host
X-Original-URL X-Rewrite-URL X-Remote-IP X-Remote-Addr CF-Connecting-IP CF-Connecting-IPv6
CF-Ray CF-IPCountry CF-Visitor Cf-Access-Jwt-Assertion Cf-Warp-Tag-Id CDN-Loop Fastly-Client-IP
CloudFront-Viewer-Address X-Amz-Cf-Id X-Amzn-Trace-Id X-Azure-ClientIP X-Azure-SocketIP
X-Azure-FDID X-Azure-Ref X-ARR-LOG-ID Fly-Client-IP Fly-Forwarded-Proto Fly-Region
Tailscale-User-Login Tailscale-Funnel-Request Ngrok-Trace-Id X-Envoy-External-Address
X-Envoy-Internal X-Appengine-User-IP X-Cloud-Trace-Context X-Vercel-Ip-Country
X-Vercel-Forwarded-For X-NF-Client-Connection-IP X-Railway-Request-Id X-Render-Origin-Server
Rndr-Id X-Request-Start Connect-Time DO-Connecting-IP Incap-Client-IP X-Sucuri-ClientIP
Akamai-Origin-Hop X-Akamai-Edgescape X-Varnish X-Traefik-Router X-Scheme X-Host Front-End-Https
Proxy-Client-IP WL-Proxy-Client-IP X-Proxy-Id Max-Forwards Forwarded-For HTTP_X_FORWARDED_FOR
X-Kong-Request-Id X-Served-By X-Real-Port X-Backend-Server X-Gateway-Host Localtonet-Ip X-Pinggy-No-Screen
Eagleeye-Traceid X-MS-Proxy X-GitHub-Request-Id"""

# What local clients send: curl, Python's and Node's, Deepgram's SDK, a browser on a page of ours, our own.
PLAIN = """Accept Accept-Encoding Accept-Language User-Agent Authorization X-API-Key Cookie Connection
Upgrade Content-Type Content-Length Idempotency-Key Sec-WebSocket-Key Sec-WebSocket-Version
Sec-WebSocket-Protocol Sec-WebSocket-Extensions Sec-Fetch-Mode Sec-Fetch-Dest Sec-CH-UA
Cache-Control Pragma DNT Range If-None-Match Expect TE Priority X-Fern-Language X-Fern-SDK-Name
X-Fern-SDK-Version X-Twilio-Signature traceparent X-Request-Id I-Twilio-Idempotency-Token
X-Requested-With Upgrade-Insecure-Requests Keep-Alive"""


def seen(*headers: tuple[str, str], peer: str | None = "127.0.0.1", host: str = HERE[1]) -> Seen:
    return Seen((("Host", host), *headers), peer)


def kind_of(why: Refusal | None) -> str | None:
    return None if why is None else why.kind


@pytest.mark.parametrize("name", BETWEEN.split())
def test_a_header_of_somebody_in_between_gives_a_stranger_away(name: str) -> None:
    """In any case, and with any value: that it is there is enough."""
    for spelt in (name, name.lower(), name.upper()):
        for value in ("127.0.0.1", "203.0.113.9", ""):
            why = refusal(seen((spelt, value)))
            assert kind_of(why) == "forwarded" and why is not None and why.status == 403


@pytest.mark.parametrize("name", PLAIN.split())
def test_what_clients_send_themselves_does_not(name: str) -> None:
    assert refusal(seen((name, "x"))) is None


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", None),
        ("127.0.0.1:8080", None),
        ("127.1.2.3:1", None),
        ("localhost", None),
        ("LOCALHOST:8080", None),
        ("[::1]", None),
        ("[::1]:8080", None),
        ("evil.example", 421),
        ("evil.example:8080", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("localhost@evil.example", 421),
        ("evil.example#localhost", 421),
        ("192.168.1.5:8080", 421),
        ("0.0.0.0:8080", 421),
        ("[fe80::1]:8080", 421),
        ("127.0.0.1:8080:1", 421),
        ("", 421),
    ],
)
def test_the_host_must_be_this_machine(host: str, status: int | None) -> None:
    """A page cannot reach us under a name of its own (DNS rebinding)."""
    why = refusal(seen(host=host))
    assert (None if why is None else why.status) == status


def test_the_host_is_said_once_and_the_target_does_not_contradict_it() -> None:
    """Of two hosts either may be meant; of a whole URL the Host header is void (RFC 9112, 3.2.2)."""
    assert kind_of(refusal(Seen((HERE, ("Host", "evil.example")), "127.0.0.1"))) == "host"
    assert kind_of(refusal(Seen((), "127.0.0.1"))) == "host"
    assert kind_of(refusal(Seen((HERE,), "127.0.0.1", "http://evil.example/api/calls"))) == "host"
    assert refusal(Seen((HERE,), "127.0.0.1", "http://127.0.0.1:8080/api/calls")) is None
    assert refusal(Seen((HERE,), "127.0.0.1", "/api/calls?u=http://evil.example/")) is None


@pytest.mark.parametrize("peer", ["192.168.1.5", "203.0.113.9", "::2", "fe80::1%eth0", "", None])
def test_the_peer_must_be_this_machine(peer: str | None) -> None:
    assert kind_of(refusal(seen(peer=peer))) == "peer"


def test_http_1_0_is_what_a_bare_proxy_pass_speaks() -> None:
    """It adds no header, and rewrites Host: nothing else is left to tell it by."""
    assert kind_of(refusal(Seen((HERE,), "127.0.0.1", version=(1, 0)))) == "forwarded"


ORIGINS = [
    ("Origin", "http://127.0.0.1:8080", None),
    ("Origin", "http://127.0.0.1:3000", "origin"),
    ("Origin", "http://localhost:8080", "origin"),
    ("Origin", "http://127.0.0.1", "origin"),
    ("Origin", "https://evil.example", "origin"),
    ("Origin", "http://127.0.0.1:8080.evil.example", "origin"),
    ("Origin", "http://127.0.0.1:8080@evil.example", "origin"),
    ("Origin", "null", "origin"),
    ("Origin", "file://", "origin"),
    ("Origin", "chrome-extension://abc", "origin"),
    ("Origin", "", "origin"),
    ("Origin", "http://[", "origin"),
    ("Referer", "http://127.0.0.1:8080/phone", None),
    ("Referer", "https://evil.example/page", "origin"),
    ("Sec-Fetch-Site", "same-origin", None),
    ("Sec-Fetch-Site", "none", None),
    ("Sec-Fetch-Site", "same-site", "origin"),
    ("Sec-Fetch-Site", "cross-site", "origin"),
    ("Sec-Fetch-Site", "", "origin"),
]


@pytest.mark.parametrize(("name", "value", "kind"), ORIGINS)
def test_a_page_of_ours_may_ask_and_no_other(name: str, value: str, kind: str | None) -> None:
    """Another port of this machine is another origin."""
    assert kind_of(refusal(seen((name, value)))) == kind


@pytest.mark.parametrize(
    ("host", "origin", "kind"),
    [
        ("engine:9090", None, None),
        ("192.168.1.5:9090", None, None),
        ("192.168.1.5:9090", "http://192.168.1.5:9090", None),
        ("192.168.1.5:9090", "https://evil.example", "origin"),
        ("evil.example:9090", "http://evil.example:9090", "origin"),
    ],
)
def test_a_server_for_other_machines_takes_them_and_no_foreign_page(
    host: str, origin: str | None, kind: str | None
) -> None:
    """Through a proxy, by any name; but a page whose name was made to lead there is a stranger's."""
    more = (("Origin", origin),) if origin else ()
    asked = Seen((("Host", host), ("X-Forwarded-For", "10.0.0.9"), *more), "192.168.1.9")
    assert kind_of(refusal(asked, here_only=False)) == kind
    assert refusal(asked) is not None


@given(st.text(max_size=30))
def test_any_text_has_a_host_or_none(text: str) -> None:
    """Nothing makes it raise; what it finds has no port, path or user."""
    assert not set("@/?#[]") & set(host_name(text))
    assert refusal(seen(("Origin", text), ("Referer", text), host=text)) is not None
