"""Flux's codec, both sides: what `/v2/listen` says and what may be said to it. PURE.

The client and the local engine share it. Decoding is tolerant towards the service (unknown types, extra
fields, new triggers), and strict towards a client, as the service is. The messages, a connection's options
and the checker of the service's guarantees are here by name too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from telephony.base import json_codec
from telephony.base.bounded_numbers import LARGEST, LONGEST_S, count, seconds, share
from telephony.deepgram.flux_messages import (
    EAGER_END_OF_TURN,
    END_OF_TURN,
    INTERNAL_ERROR,
    NO_ACTIVE_TURN,
    START_OF_TURN,
    TURN_RESUMED,
    UNPARSABLE,
    UPDATE,
    ClientMessage,
    CloseStream,
    Configure,
    ConfigureFailure,
    ConfigureSuccess,
    Connected,
    FatalError,
    ForceEndTurn,
    ServerMessage,
    TurnInfo,
    Unknown,
    Warning,
    Word,
)
from telephony.deepgram.flux_options import BadFluxOptions, FluxOptions, Problem
from telephony.deepgram.flux_protocol_check import Checker
from telephony.errors import FluxProtocolError

__all__ = [
    "BadFluxOptions",
    "Checker",
    "ClientMessage",
    "CloseStream",
    "Configure",
    "ConfigureFailure",
    "ConfigureSuccess",
    "Connected",
    "EAGER_END_OF_TURN",
    "END_OF_TURN",
    "FatalError",
    "FluxOptions",
    "FluxProtocolError",
    "ForceEndTurn",
    "INTERNAL_ERROR",
    "NO_ACTIVE_TURN",
    "Problem",
    "START_OF_TURN",
    "ServerMessage",
    "TURN_RESUMED",
    "TurnInfo",
    "UNPARSABLE",
    "UPDATE",
    "Unknown",
    "Warning",
    "Word",
    "configure_fields",
    "decode_client",
    "decode_server",
    "encode_client",
    "encode_server",
    "server_fields",
]


def decode_server(text: str | bytes) -> ServerMessage:
    """Read a message of the service. Never raises: what cannot be used is Unknown, with the reason."""
    try:
        fields = json_codec.loads(text)
    except ValueError:
        return Unknown("", "not JSON")
    if not isinstance(fields, dict):
        return Unknown("", "not an object")
    kind = fields.get("type")
    decode = _SERVER.get(kind) if isinstance(kind, str) else None
    if decode is None:
        return Unknown(str(kind))
    try:
        message: ServerMessage = decode(fields)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        return Unknown(str(kind), f"malformed: {type(error).__name__} {error}")
    return message


def _turn_info(m: Mapping[str, Any]) -> TurnInfo:
    trigger = m.get("trigger")
    languages, hinted = m.get("languages"), m.get("languages_hinted")
    return TurnInfo(
        str(m["event"]),
        count(m["turn_index"]),
        _transcript(m["transcript"]),
        _words(m["words"] or ()),
        share(m["end_of_turn_confidence"]),
        seconds(m["audio_window_start"]),
        seconds(m["audio_window_end"]),
        None if trigger is None else str(trigger),
        count(m.get("sequence_id", 0)),
        str(m.get("request_id", "")),
        None if languages is None else tuple(map(str, languages)),
        None if hinted is None else tuple(map(str, hinted)),
    )


def _transcript(text: object) -> str:
    if text is None or isinstance(text, str):
        return text or ""
    raise TypeError("the transcript is not a text")


def _words(said: Iterable[Any]) -> tuple[Word, ...]:
    words = [Word(w["word"], w.get("confidence", 0.0), w.get("start"), w.get("end")) for w in said]
    return tuple(words if _in_bounds(words) else map(_put_right, words))


def _in_bounds(words: list[Word]) -> bool:
    """Asked of some hundred words a second, and true of all of them but for a defect of the service."""
    try:
        for text, confidence, start, end in words:
            if text.__class__ is not str or not 0.0 <= confidence <= 1.0:
                return False
            if start is None or end is None:
                if start is not end:
                    return False
            elif not 0.0 <= start <= end <= LONGEST_S:
                return False
    except TypeError:
        return False
    return True


def _put_right(word: Word) -> Word:
    """A word with times that make no sense is a word without times: what was said is not lost with them."""
    text, confidence, start, end = word
    if not isinstance(text, str):
        raise TypeError("a word is not a text")
    try:
        sure = share(confidence)
    except ValueError:
        sure = 0.0
    try:
        times = (seconds(start), seconds(end))
    except ValueError:
        return Word(text, sure)
    return Word(text, sure, *times) if times[0] <= times[1] else Word(text, sure)


def _configure_success(m: Mapping[str, Any]) -> ConfigureSuccess:
    thresholds = m["thresholds"]
    hints = m.get("language_hints")
    return ConfigureSuccess(
        thresholds["eot_threshold"],
        thresholds.get("eager_eot_threshold"),
        thresholds["eot_timeout_ms"],
        tuple(m.get("keyterms") or ()),
        None if hints is None else tuple(hints),
        bool(m.get("numerals", False)),
        bool(m.get("profanity_filter", False)),
        count(m.get("sequence_id", 0)),
        str(m.get("request_id", "")),
    )


def _notice(m: Mapping[str, Any]) -> tuple[str, str, int, str]:
    # `code` and `description` of a ConfigureFailure are optional; some builds call the first `error_code`
    code = m.get("code") or m.get("error_code") or ""
    return (
        str(code),
        str(m.get("description") or ""),
        count(m.get("sequence_id", 0)),
        str(m.get("request_id", "")),
    )


_SERVER: Mapping[str, Any] = {
    "Connected": lambda m: Connected(str(m.get("request_id", "")), count(m.get("sequence_id", 0))),
    "TurnInfo": _turn_info,
    "ConfigureSuccess": _configure_success,
    "ConfigureFailure": lambda m: ConfigureFailure(*_notice(m)),
    "Warning": lambda m: Warning(*_notice(m)),
    "Error": lambda m: FatalError(*_notice(m)[:3]),
}


def encode_server(message: ServerMessage) -> str:
    """Write a message as the service does: its fields, in its order."""
    return json_codec.dumps(server_fields(message))


def server_fields(message: ServerMessage) -> dict[str, object]:
    """The JSON object of a message of the service."""
    match message:
        case TurnInfo():
            return _turn_info_fields(message)
        case Connected(request_id, sequence_id):
            return {"type": "Connected", "request_id": request_id, "sequence_id": sequence_id}
        case ConfigureSuccess():
            return _configure_success_fields(message)
        case ConfigureFailure(code, description, sequence_id, request_id):
            kind = "ConfigureFailure"
        case Warning(code, description, sequence_id, request_id):
            kind = "Warning"
        case FatalError(code, description, sequence_id):
            return {"type": "Error", "sequence_id": sequence_id, "code": code, "description": description}
        case Unknown(kind):
            return {"type": kind}
    return {
        "type": kind,
        "request_id": request_id,
        "sequence_id": sequence_id,
        "code": code,
        "description": description,
    }


def _turn_info_fields(m: TurnInfo) -> dict[str, object]:
    fields: dict[str, object] = {
        "type": "TurnInfo",
        "request_id": m.request_id,
        "event": m.event,
        "turn_index": m.turn_index,
        "audio_window_start": m.audio_window_start,
        "audio_window_end": m.audio_window_end,
        "transcript": m.transcript,
        "words": [_word_fields(word) for word in m.words],
        "end_of_turn_confidence": m.end_of_turn_confidence,
    }
    if m.trigger is not None:
        fields["trigger"] = m.trigger
    if m.languages is not None:
        fields["languages"] = list(m.languages)
    if m.languages_hinted is not None:
        fields["languages_hinted"] = list(m.languages_hinted)
    fields["sequence_id"] = m.sequence_id
    return fields


def _word_fields(word: Word) -> dict[str, object]:
    fields: dict[str, object] = {"word": word.word, "confidence": word.confidence}
    if word.start is not None:
        fields["start"] = word.start
    if word.end is not None:
        fields["end"] = word.end
    return fields


def _configure_success_fields(m: ConfigureSuccess) -> dict[str, object]:
    thresholds: dict[str, object] = {"eot_threshold": m.eot_threshold}
    if m.eager_eot_threshold is not None:
        thresholds["eager_eot_threshold"] = m.eager_eot_threshold
    thresholds["eot_timeout_ms"] = m.eot_timeout_ms
    fields: dict[str, object] = {
        "type": "ConfigureSuccess",
        "request_id": m.request_id,
        "thresholds": thresholds,
        "keyterms": list(m.keyterms),
        "profanity_filter": m.profanity_filter,
        "numerals": m.numerals,
    }
    if m.language_hints is not None:
        fields["language_hints"] = list(m.language_hints)
    fields["sequence_id"] = m.sequence_id
    return fields


def encode_client(message: ClientMessage) -> str:
    """Write a message to the service."""
    match message:
        case ForceEndTurn():
            return '{"type":"ForceEndTurn"}'
        case CloseStream():
            return '{"type":"CloseStream"}'
        case Configure():
            return json_codec.dumps(configure_fields(message))


_THRESHOLDS = ("eot_threshold", "eager_eot_threshold", "eot_timeout_ms")


def configure_fields(m: Configure) -> dict[str, object]:
    """The JSON object of a Configure: only what it changes."""
    thresholds = {name: getattr(m, name) for name in _THRESHOLDS if getattr(m, name) is not None}
    fields: dict[str, object] = {"type": "Configure"}
    if thresholds:
        fields["thresholds"] = thresholds
    if m.keyterms is not None:
        fields["keyterms"] = list(m.keyterms)
    if m.language_hints is not None:
        fields["language_hints"] = list(m.language_hints)
    if m.numerals is not None:
        fields["numerals"] = m.numerals
    return fields


def decode_client(text: str | bytes) -> ClientMessage:
    """Read a message of a client.

    Raises FluxProtocolError for anything else than the three messages in their exact form, KeepAlive and
    Finalize included: the service answers those with UNPARSABLE_CLIENT_MESSAGE and closes.
    """
    try:
        fields = json_codec.loads(text)
    except ValueError:
        raise FluxProtocolError("not JSON") from None
    kind = fields.get("type") if isinstance(fields, dict) else None
    match kind:
        case "ForceEndTurn":
            return ForceEndTurn()
        case "CloseStream":
            return CloseStream()
        case "Configure":
            return _decode_configure(fields)
    raise FluxProtocolError(f"unknown message type {kind!r}")


def _decode_configure(fields: Mapping[str, Any]) -> Configure:
    # A field that Configure does not know, such as v1's `features` or a threshold that is not nested, costs
    # the socket, and so does a value of the wrong JSON type (a string for `numerals`).
    _only(fields, {"type", "thresholds", "keyterms", "language_hints", "numerals"}, "")
    thresholds = fields.get("thresholds")
    if thresholds is None:
        thresholds = {}
    if not isinstance(thresholds, dict):
        raise FluxProtocolError("thresholds must be an object")
    _only(thresholds, set(_THRESHOLDS), "thresholds.")
    return Configure(
        _number(thresholds, "eot_threshold"),
        _number(thresholds, "eager_eot_threshold"),
        _whole(thresholds, "eot_timeout_ms"),
        _strings(fields, "keyterms"),
        _strings(fields, "language_hints"),
        _flag(fields, "numerals"),
    )


def _only(fields: Mapping[str, Any], known: set[str], prefix: str) -> None:
    for name in fields:
        if name not in known:
            raise FluxProtocolError(f"unknown field {prefix}{name}")


def _number(fields: Mapping[str, Any], name: str) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FluxProtocolError(f"{name} must be a number")
    if not -LONGEST_S <= value <= LONGEST_S:
        raise FluxProtocolError(f"{name} must be a number that makes sense")
    return float(value)


def _whole(fields: Mapping[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise FluxProtocolError(f"{name} must be a whole number")
    if not -LARGEST <= value <= LARGEST:
        raise FluxProtocolError(f"{name} must be a number that makes sense")
    return value


def _strings(fields: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise FluxProtocolError(f"{name} must be a list of strings")
    return tuple(value)


def _flag(fields: Mapping[str, Any], name: str) -> bool | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, bool):
        raise FluxProtocolError(f"{name} must be true or false")
    return value
