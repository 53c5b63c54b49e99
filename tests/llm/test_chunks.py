"""Chat-completions chunks as servers send them, and as some do otherwise."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import RemoteProtocolError
from telephony.llm.chat import ChatPart, Finished, TextDelta, ToolCall, Usage
from telephony.llm.chunks import ChunkReader, ErrorEvent


def reader() -> ChunkReader:
    numbers = itertools.count()
    return ChunkReader(lambda: f"made_{next(numbers)}")


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return b"data: " + json.dumps({"model": "m", "choices": [choice], **more}).encode() + b"\n\n"


def raw(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def tool(index: int | None, id: str | None = None, name: str | None = None, arguments: Any = None) -> bytes:
    call: dict[str, Any] = {"function": {"name": name, "arguments": arguments}}
    if index is not None:
        call["index"] = index
    if id is not None:
        call["id"] = id
    return chunk({"tool_calls": [call]})


DONE = b"data: [DONE]\n\n"
END = chunk(finish="stop") + DONE


def parts(*pieces: bytes) -> list[ChatPart]:
    one = reader()
    return [part for piece in pieces for part in one.feed(piece)] + one.end()


def said(found: list[ChatPart]) -> str:
    return "".join(part.text for part in found if isinstance(part, TextDelta))


def calls(found: list[ChatPart]) -> list[tuple[str, str, str]]:
    return [(part.id, part.name, part.arguments) for part in found if isinstance(part, ToolCall)]


# ---- text


def test_text_comes_as_it_is_sent_and_then_one_end() -> None:
    found = parts(
        chunk({"role": "assistant", "content": ""}), chunk({"content": "Hi"}), chunk({"content": " you"}), END
    )
    assert found == [TextDelta("Hi"), TextDelta(" you"), Finished("stop", Usage(), "m")]


@given(st.lists(st.integers(0, 600), max_size=10))
def test_it_makes_no_difference_where_a_stream_is_cut(cuts: list[int]) -> None:
    stream = chunk({"content": "Grüße, "}) + tool(0, "a", "book", '{"n"') + tool(0, None, None, ":1}") + END
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    found = parts(*(stream[a:b] for a, b in itertools.pairwise(places)))
    assert (said(found), calls(found)) == ("Grüße, ", [("a", "book", '{"n":1}')])


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "Hi"},
        {"content": [{"type": "thinking", "thinking": "no"}, {"type": "text", "text": "Hi"}]},
        {"content": None, "refusal": "Hi"},
        {"content": "Hi", "reasoning_content": "secret", "reasoning": "secret", "thinking": "secret"},
        {"content": "<think>secret</think>Hi"},
        {"content": "Hi", "tool_calls": None, "function_call": None, "audio": None},
    ],
)
def test_shapes_of_text(delta: dict[str, Any]) -> None:
    assert said(parts(chunk(delta), END)) == "Hi"


def test_fields_that_nobody_knows_are_life_too() -> None:
    one = reader()
    assert one.feed(chunk({"reasoning_details": [{"text": "hm"}]}) + chunk({"role": "assistant"})) == []
    assert (one.pieces, one.answered) == (1, False)


def test_thoughts_are_counted_as_life_and_not_as_an_answer() -> None:
    one = reader()
    assert one.feed(chunk({"reasoning_content": "hm"}) + chunk({"content": "<think>hm"})) == []
    assert (one.pieces, one.answered) == (2, False)
    assert one.feed(chunk({"content": "</think>Hi"})) == [TextDelta("Hi")]
    assert one.answered


@pytest.mark.parametrize(
    "odd",
    [
        b": OPENROUTER PROCESSING\n\n",
        raw({"choices": []}),
        raw({"choices": None}),
        raw({"id": "x", "object": "ping"}),
        raw({"choices": [None]}),
        raw({"choices": [{"index": 1, "delta": {"content": "another choice"}}]}),
        raw({"choices": [{"delta": None, "finish_reason": None}]}),
        raw({"choices": [{"index": 0}], "error": None}),
        chunk({"content": None}),
        chunk({"content": 7, "tool_calls": "x", "function_call": []}),
        chunk({"tool_calls": [None, 3]}),
        b"event: ping\ndata: {}\n\n",
        b"data:\n\n",
    ],
)
def test_what_says_nothing_is_passed_over(odd: bytes) -> None:
    assert said(parts(odd, chunk({"content": "Hi"}), odd, END, odd)) == "Hi"


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n'], "a\ufffd"),
        ([b'data: {"choices":[{"delta":{"content":"a\xff"}}]}\n\n'], "a\ufffd"),
        ([b'data: {"choices":\r\ndata: [{"delta":{"content":"Hi"}}]}\r\n\r\n'], "Hi"),
    ],
    ids=["half a surrogate pair", "broken UTF-8", "JSON over two data lines"],
)
def test_text_that_is_cut_within_a_character_or_between_lines(pieces: list[bytes], text: str) -> None:
    assert said(parts(*pieces, END)) == text


# ---- tool calls


def test_arguments_come_in_pieces_and_calls_beside_each_other() -> None:
    found = parts(
        chunk({"content": "One moment."}),
        tool(0, "a", "weather", ""),
        tool(0, None, None, '{"city":'),
        tool(1, "b", "time", '{"zone"'),
        tool(0, None, None, ' "Oslo"}'),
        tool(1, "", None, ': "CET"}'),
        chunk(finish="tool_calls"),
        DONE,
    )
    assert calls(found) == [("a", "weather", '{"city": "Oslo"}'), ("b", "time", '{"zone": "CET"}')]
    assert found[-1] == Finished("tool_calls", Usage(), "m")


@pytest.mark.parametrize(
    "pieces",
    [
        [tool(0, "a", "f", '{"n":1}'), tool(1, "b", "g", '{"n":2}')],
        [tool(0, "a", "f", '{"n":1}'), tool(0, "b", "g", '{"n":2}')],
        [tool(None, "a", "f", '{"n":1}'), tool(None, "b", "g", '{"n":2}')],
        [tool(None, "a", "f", '{"n"'), tool(None, None, None, ":1}"), tool(None, "b", "g", '{"n":2}')],
        [tool(0, "a", "f", {"n": 1}), tool(1, "b", "g", {"n": 2})],
        [tool(0, "a", "f", ""),
         tool(0, "x", None, '{"n"'), tool(0, "y", None, ":1}"), tool(1, "b", "g", '{"n":2}')],
        [tool(0, "a", "f", ""),
         tool(0, "a", "f", '{"n"'), tool(0, "a", "f", ":1}"), tool(1, "b", "g", '{"n":2}')],
    ],
    ids=[
        "whole calls",
        "whole calls, all numbered 0",
        "whole calls without numbers",
        "pieces without numbers",
        "arguments that are no text",
        "an id of its own for each piece",
        "id and name in each piece",
    ],
)  # fmt: skip
def test_servers_that_write_calls_otherwise(pieces: list[bytes]) -> None:
    assert calls(parts(*pieces, END)) == [("a", "f", '{"n":1}'), ("b", "g", '{"n":2}')]


def test_a_call_without_an_id_is_given_one() -> None:
    assert calls(parts(tool(0, None, "f", '{"n":1}'), tool(0, None, "g", '{"n":2}'), END)) == [
        ("made_0", "f", '{"n":1}'),
        ("made_1", "g", '{"n":2}'),
    ]


def test_what_a_server_wants_to_see_again_stays_with_the_call() -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    signed = {**call, "extra_content": {"google": {"thought_signature": "xyz"}}}
    (found,) = [part for part in parts(chunk({"tool_calls": [signed]}), END) if isinstance(part, ToolCall)]
    assert found.extra == {"extra_content": {"google": {"thought_signature": "xyz"}}}


def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert calls(parts(tool(0, "a", "hang_up"), END)) == [("a", "hang_up", "{}")]


def test_the_older_function_call_is_a_tool_call() -> None:
    old = [{"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": '{"n":1}'}}]
    found = parts(*(chunk(one) for one in old), chunk(finish="function_call"), DONE)
    assert calls(found) == [("made_0", "f", '{"n":1}')]
    assert found[-1] == Finished("tool_calls", Usage(), "m")


def test_calls_are_there_with_the_finish_reason_and_text_before_them() -> None:
    one = reader()
    assert one.feed(tool(0, "a", "f", "{}") + chunk({"content": "So"})) == [TextDelta("So")]
    assert one.feed(chunk(finish="tool_calls")) == [ToolCall("a", "f", "{}")]
    assert one.feed(DONE) == []
    assert one.end() == [Finished("tool_calls", Usage(), "m")]


def test_of_a_stream_that_is_cut_short_an_incomplete_call_is_left_out() -> None:
    one = reader()
    one.feed(tool(0, "a", "f", "{}") + tool(1, "b", "g", '{"n'))
    assert one.cut("length") == [ToolCall("a", "f", "{}"), Finished("length", Usage(), "m")]


# ---- the end, and what is none


@pytest.mark.parametrize(
    "used",
    [
        {
            "usage": {
                "prompt_tokens": 9,
                "completion_tokens": 3,
                "prompt_tokens_details": {"cached_tokens": 4},
            }
        },
        {"usage": {"prompt_tokens": 9, "completion_tokens": 3, "prompt_cache_hit_tokens": 4}},
        {"usage": {"prompt_tokens": 9.0, "completion_tokens": 3, "cached_tokens": 4}},
        {"x_groq": {"usage": {"prompt_tokens": 9, "completion_tokens": 3, "cached_tokens": 4}}},
    ],
)
def test_token_counts_under_the_names_that_servers_give_them(used: dict[str, Any]) -> None:
    found = parts(
        chunk({"content": "Hi"}), chunk(finish="stop"), raw({"model": "m", "choices": [], **used}), DONE
    )
    assert found[-1] == Finished("stop", Usage(9, 3, 4), "m")


@pytest.mark.parametrize("odd", [None, -1, "9", 1e300, True, []])
def test_token_counts_that_are_none_are_zero(odd: object) -> None:
    body = json.dumps({"choices": [], "usage": {"prompt_tokens": odd, "completion_tokens": 2}}).encode()
    found = parts(chunk({"content": "Hi"}), b"data: " + body + b"\n\n", END)
    assert isinstance(found[-1], Finished)
    assert found[-1].usage in (
        Usage(0, 2, 0),
        Usage(),
    )  # NaN is not JSON: some parsers take the chunk, some do not


def test_an_end_without_done_is_an_end_when_the_model_gave_a_reason() -> None:
    assert parts(chunk({"content": "Hi"}), chunk(finish="length")) == [
        TextDelta("Hi"),
        Finished("length", Usage(), "m"),
    ]


def test_an_end_without_done_and_without_a_reason_is_a_break() -> None:
    one = reader()
    assert one.feed(chunk({"content": "Hi"})) == [TextDelta("Hi")]
    with pytest.raises(RemoteProtocolError, match="in the middle"):
        one.end()


def test_done_is_an_end_without_a_reason_too() -> None:
    assert parts(chunk({"content": "Hi"}), DONE)[-1] == Finished("", Usage(), "m")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"error": {"message": "out of memory", "code": 500}}, "out of memory"),
        ({"error": "out of memory"}, "out of memory"),
        ({"choices": [{"delta": {}, "finish_reason": "error"}]}, "the model failed"),
        ({"choices": [{"delta": {}, "finish_reason": "error"}], "error": {"code": "e1"}}, "e1"),
    ],
)
def test_an_error_in_mid_stream_comes_after_what_was_said(error: dict[str, Any], words: str) -> None:
    one = reader()
    assert one.feed(chunk({"content": "Hi"}) + raw(error)) == [TextDelta("Hi")]
    assert isinstance(one.fault, ErrorEvent)
    assert str(one.fault) == words


def test_an_event_called_error_is_one() -> None:
    with pytest.raises(ErrorEvent, match="no capacity"):
        reader().feed(b'event: error\ndata: {"message": "no capacity"}\n\n')


@pytest.mark.parametrize(
    "garbage",
    [b"data: {garbage\n\n", b"data: [1]\n\n", b'data: "x"\n\n', b"data: " + b"[" * 100_000 + b"\n\n",
     b"data: {\"a\":NaN}\n\n"],
)  # fmt: skip
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        reader().feed(garbage)


def test_an_answer_without_end_is_refused() -> None:
    one = reader()
    with pytest.raises(RemoteProtocolError, match="characters"):
        for _ in range(1000):
            one.feed(chunk({"content": "x" * 1000}))


def test_calls_without_end_are_refused() -> None:
    one = reader()
    with pytest.raises(RemoteProtocolError, match="tool calls"):
        for index in range(100):
            one.feed(tool(index, f"id{index}", "f", "{}"))


def test_an_answer_in_one_piece() -> None:
    message = {"content": "Hi", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]}
    body = {
        "model": "m",
        "choices": [{"message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1},
    }
    found = reader().whole(json.dumps(body).encode())
    assert found == [TextDelta("Hi"), ToolCall("a", "f", "{}"), Finished("stop", Usage(1), "m")]
    with pytest.raises(RemoteProtocolError):
        reader().whole(b'{"status": "ok"}')


@given(st.lists(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["choices", "delta", "content", "tool_calls", "function", "name", "arguments",
                         "index", "id", "usage", "error", "finish_reason", "prompt_tokens_details",
                         "message", "type"]),
        inner, max_size=4),
    max_leaves=20), max_size=6))  # fmt: skip
def test_any_json_is_read_or_refused(values: list[Any]) -> None:
    one = reader()
    try:
        for value in values:
            one.feed(raw(value))
        one.end()
    except RemoteProtocolError:
        pass
