"""Whether a request may be taken for one of this machine's own. PURE.

Loopback is not proof of being local. A reverse proxy, a tunnel and a page in a browser on this machine all
connect from 127.0.0.1, so where no key, token or signature proves the sender, everything else that a request
says of its way here must fit too. One rule serves all routes of the server and of the local speech engine.

What cannot be seen: a plain TCP forward (`ssh -R`), or a proxy that hides itself wholly. Set PUBLIC_URL or
API_KEYS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from telephony.config.kinds import host_is_loopback

FORBIDDEN, MISDIRECTED = 403, 421

# Proxies, tunnels and content networks say in headers whom they speak for. The names are many and the kind is
# one: words that only somebody in between would use, and what platforms put before headers of their own.
_IN_BETWEEN = re.compile(
    r"forward|proxy|true-client|gateway|tunnel|served-by|backend|"
    r"(real|client|connecting|remote|originating|source|socket|user|peer)-?(ip|addr|host|port)|"
    r"original-(host|ur[il]|proto|scheme|path|method)|rewrite-url|disguised|"
    r"^(via|cdn-|cf-|cloudfront-|fastly-|fly-|incap-|akamai-|tailscale-|ngrok-|rndr-|zrok|localtonet-|eagleey"
    r"e-|x-(ngrok|zrok|envoy|traefik|varnish|akamai|sucuri|azure|arr|ms-|appengine|gfe|goog-|cloud-trace|amzn"
    r"|kong|pinggy|country-code|"
    r"amz-cf|vercel|nf-|railway|render|heroku|replit|github-|devtunnel|tunnel|edge-|cache|scheme|host|via|"
    r"request-start|appgw|fd-|bluecoat|coming-from|http-host|ssl-|tls-)|"
    r"connect-time$|total-route-time$|front-end-https$|was-default-hostname$)"
)
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
_OURS = frozenset({"same-origin", "none"})
_HTTP_1_1 = (1, 1)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is seen of a request before anything of it is believed."""

    headers: Iterable[tuple[str, str]]
    peer: str | None
    """Address of the other end of the connection."""
    target: str = "/"
    """The request's target as it was sent: a path, or a whole URL, which then outdoes the Host header."""
    version: tuple[int, int] = _HTTP_1_1


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let in."""

    status: int
    kind: str
    """One word, for metrics: `host`, `forwarded`, `origin` or `peer`."""
    reason: str
    """For the peer and the log; holds nothing that was sent but the name of a header."""


def refusal(seen: Seen, *, here_only: bool = True) -> Refusal | None:
    """Why a request that nothing proves must be refused; None when it may be one of this machine's own.

    `here_only=False` is for a server that listens for other machines: they may come, by any name
    and through any proxy, but a web page of somebody else may not.
    """
    headers = [(name.lower(), value.strip()) for name, value in seen.headers]
    hosts = [value for name, value in headers if name == "host"]
    if whole := _AUTHORITY.match(seen.target):
        hosts.append(whole[1])
    if here_only and (why := _not_from_here(seen, headers, hosts)):
        return why
    return _another_site(headers, hosts, any_name=here_only)


def _not_from_here(seen: Seen, headers: list[tuple[str, str]], hosts: list[str]) -> Refusal | None:
    if not hosts or not all(host_is_loopback(host_name(host)) for host in hosts):
        # A page could otherwise reach us under a name of its own (DNS rebinding), and read what we say.
        return Refusal(MISDIRECTED, "host", "this server answers to localhost only")
    if not host_is_loopback(seen.peer or ""):
        return Refusal(FORBIDDEN, "peer", "this server answers to this machine only")
    between = next((name for name, _ in headers if _IN_BETWEEN.search(name)), None)
    if between is not None:
        return Refusal(FORBIDDEN, "forwarded", f"it came through a proxy or tunnel ({between})")
    if seen.version < _HTTP_1_1:
        # nginx's bare proxy_pass adds no header, rewrites Host, and speaks HTTP/1.0 up to 1.29.6
        # (ngx_http_proxy_module, proxy_http_version). Browsers, SDKs, curl and Twilio do not.
        return Refusal(FORBIDDEN, "forwarded", "it came by HTTP/1.0, as through a proxy")
    return None


def _another_site(headers: list[tuple[str, str]], hosts: list[str], *, any_name: bool) -> Refusal | None:
    """Why it is a browser's request on behalf of a page that is not ours.

    `any_name`: a name of ours was checked already; else a page may have made its own name lead here, which
    it cannot do with an address.
    """
    refused = Refusal(FORBIDDEN, "origin", "a web page of another origin may not ask this")
    for name, value in headers:
        if name == "sec-fetch-site" and value.lower() not in _OURS:
            return refused
        if name in ("origin", "referer") and not _same_origin(value, hosts):
            return refused
        if name == "origin" and not any_name and not _is_address(value):
            return refused
    return None


def host_name(host: str) -> str:
    """The host of `host:port`; of an IPv6 address without its brackets. "" when it is neither."""
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]@/?#]*)(:[0-9]*)?", host)
    return found[1].strip("[]") if found else ""


def _same_origin(url: str, hosts: list[str]) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(hosts) and all(parts.netloc == host for host in hosts)


def _is_address(url: str) -> bool:
    name = host_name(urlsplit(url).netloc)
    return host_is_loopback(name) or ":" in name or re.fullmatch(r"[0-9.]+", name) is not None
