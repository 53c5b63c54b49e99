"""What to do when the speech service refuses a connection, by the HTTP status of the handshake. PURE."""

from __future__ import annotations

# facts as the service documents them: INVALID_AUTH, ASR_PAYMENT_REQUIRED, INSUFFICIENT_PERMISSIONS,
# TOO_MANY_REQUESTS; its own reason comes in the header dg-error.
REMEDIES = {
    400: "A parameter is out of range for this server, as its reason says: see the FLUX_... settings",
    401: "The key is wrong: DEEPGRAM_API_KEY must be an API key, not a temporary token",
    402: "The account has no credit left: add some in the service's console",
    403: "The key may not use this model, or the model's name is misspelt (FLUX_MODEL, VOICE)",
    404: "This server does not know the path: DEEPGRAM_URL must be the bare address of one that does",
    429: "Too many streams at once: wait for one to end, or ask the service for more",
}


def unreached(error: BaseException) -> str:
    """Why a connection failed or was lost: aiohttp's own text names certificates that nobody asked for."""
    cause = getattr(error, "os_error", None)  # of aiohttp's ClientConnectorError
    if not isinstance(cause, OSError):
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    refused = isinstance(cause, ConnectionRefusedError)  # asyncio repeats the address instead of saying so
    why = "Connection refused" if refused else cause.strerror or str(cause)
    return f"no connection to {getattr(error, 'host', '?')} port {getattr(error, 'port', '?')}: {why}"


def remedy(status: int | None) -> str:
    """One sentence without a full stop."""
    if status is None:
        return "Is the address right, and does a firewall let us out?"
    return REMEDIES.get(status, "The service has trouble of its own: try again later")


def describe(what: str, status: int | None, dg_error: str | None, reason: str) -> str:
    """A lost or refused connection in a line of a log: what happened, the service's own words, what to do."""
    if status is None:
        return f"{what} is down: {reason}"
    words = f" {dg_error}" if dg_error and dg_error not in reason else ""
    return f"{what} is refused: {reason}{words}. {remedy(status)}"
