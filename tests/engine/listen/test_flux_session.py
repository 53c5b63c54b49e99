"""The service's side of Flux, held to the guarantees that the live service's recordings keep."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.deepgram.flux_codec import (
    Checker,
    CloseStream,
    Configure,
    ConfigureFailure,
    ConfigureSuccess,
    FluxOptions,
    ForceEndTurn,
    ServerMessage,
    TurnInfo,
    Warning,
)
from telephony.deepgram.flux_protocol_check import ServerTurnState
from telephony.engine.listen.flux_session import FluxSession
from telephony.engine.listen.recognized import BLOCK_S, Block, RecognizedWord

VOCABULARY = ("Yes.", "a", "small", "latte", "please,")


def block(
    number: int,
    text: str = "",
    confidence: float = 0.0,
    silence_s: float = 0.0,
    final: bool = False,
    confirmed: bool = True,
) -> Block:
    """What is known after `number` blocks of audio; text means that a turn is open."""
    end = number * BLOCK_S
    words = tuple(RecognizedWord(word, 0.91, end - 0.05, end) for word in text.split())
    return Block(end, 1.0, bool(text), text, words, confidence, silence_s, final, confirmed)


def session(**options: float | int | str) -> FluxSession:
    given = FluxOptions(encoding="linear16", sample_rate=8000, **options)  # type: ignore[arg-type]
    made = FluxSession(given, "request")
    made.connected()
    return made


def events(messages: list[ServerMessage]) -> list[str]:
    return [m.event if isinstance(m, TurnInfo) else type(m).__name__ for m in messages]


def test_an_update_for_every_240_ms_of_silence() -> None:
    stream = session()
    reported = [m for n in range(1, 13) for m in stream.block(block(n))]
    assert [m.audio_window_end for m in reported if isinstance(m, TurnInfo)] == [0.24, 0.48, 0.72, 0.96]
    assert all(isinstance(m, TurnInfo) and (m.event, m.transcript) == ("Update", "") for m in reported)


def test_no_more_than_240_ms_are_left_out_after_a_turn_forced_to_end_within_a_block() -> None:
    stream = session()
    stream.block(block(1, "Yes"))
    latest = replace(block(1, "Yes"), audio_end_s=0.09)
    reported = [m for m in stream.force_end_turn(latest) if isinstance(m, TurnInfo)]
    reported += [m for n in range(2, 9) for m in stream.block(block(n)) if isinstance(m, TurnInfo)]
    assert [m.audio_window_end for m in reported] == [0.09, 0.32, 0.56]


def test_a_turn_from_its_start_to_its_end() -> None:
    stream = session(eager_eot_threshold=0.5)
    assert events(stream.block(block(1))) == []
    assert events(stream.block(block(2, "Yes"))) == ["StartOfTurn"]
    assert events(stream.block(block(3, "Yes.", 0.6, 0.08, True))) == ["EagerEndOfTurn"]
    assert not stream.turn_ended
    (end,) = stream.block(block(4, "Yes.", 0.8, 0.16, True))
    assert isinstance(end, TurnInfo)
    assert (end.event, end.trigger, end.transcript, end.turn_index) == ("EndOfTurn", "model", "Yes.", 0)
    assert stream.turn_ended
    reported = [m for n in range(5, 8) for m in stream.block(block(n))]
    assert [(m.turn_index, m.audio_window_start) for m in reported if isinstance(m, TurnInfo)] == [(1, 0.32)]


def test_without_eager_threshold_there_is_no_eager() -> None:
    stream = session()
    stream.block(block(1, "Yes."))
    assert events(stream.block(block(2, "Yes.", 0.69, 0.08, True))) == []
    assert events(stream.block(block(3, "Yes.", 0.7, 0.16, True))) == ["EndOfTurn"]


def test_speech_after_an_eager_resumes_the_turn() -> None:
    stream = session(eager_eot_threshold=0.5)
    stream.block(block(1, "A small"))
    stream.block(block(2, "A small.", 0.6, 0.08, True))
    assert events(stream.block(block(3, "A small.", 0.1, 0.0, False))) == ["TurnResumed"]
    assert stream.phase is ServerTurnState.TURN


def test_a_changed_text_resumes_the_turn_before_it_ends() -> None:
    stream = session(eager_eot_threshold=0.5)
    stream.block(block(1, "A small"))
    stream.block(block(2, "A small.", 0.6, 0.08, True))
    reported = stream.block(block(3, "A mall.", 0.9, 0.16, True))
    assert events(reported) == ["TurnResumed", "EagerEndOfTurn", "EndOfTurn"]
    assert {m.transcript for m in reported if isinstance(m, TurnInfo)} == {"A mall."}


def test_a_text_that_is_not_checked_yet_makes_an_eager_and_ends_no_turn() -> None:
    stream = session(eager_eot_threshold=0.5, eot_timeout_ms=500)
    stream.block(block(1, "A small"))
    assert events(stream.block(block(2, "A small.", 0.6, 0.16, True, confirmed=False))) == ["EagerEndOfTurn"]
    assert events(stream.block(block(3, "A small.", 0.9, 0.56, True, confirmed=False))) == []
    assert events(stream.block(block(4, "A small.", 0.9, 0.64, True))) == ["EndOfTurn"]


def test_a_check_that_finds_other_words_resumes_the_turn_before_it_ends() -> None:
    stream = session(eager_eot_threshold=0.5)
    stream.block(block(1, "A small"))
    stream.block(block(2, "A small.", 0.6, 0.16, True, confirmed=False))
    reported = stream.block(block(3, "A mall.", 0.8, 0.4, True))
    assert events(reported) == ["TurnResumed", "EagerEndOfTurn", "EndOfTurn"]


def test_silence_ends_a_turn_of_which_the_model_is_not_sure() -> None:
    stream = session(eot_timeout_ms=500, eot_threshold=1.0)
    stream.block(block(1, "And"))
    stream.block(block(7, "And", 0.99, 0.48, True))
    (end,) = stream.block(block(8, "And", 0.99, 0.56, True))
    assert isinstance(end, TurnInfo)
    assert (end.event, end.trigger) == ("EndOfTurn", "timeout")


def test_force_end_turn_has_the_text_of_the_message_before_it() -> None:
    stream = session()
    stream.block(block(1, "Yes"))
    reported = stream.force_end_turn(block(2, "Yes please"))
    assert [(m.event, m.transcript, m.trigger) for m in reported if isinstance(m, TurnInfo)] == [
        ("Update", "Yes please", None),
        ("EndOfTurn", "Yes please", "manual"),
    ]
    (again,) = stream.force_end_turn(None)
    assert isinstance(again, Warning)
    assert again.code == "FORCE_END_TURN_NO_ACTIVE_TURN"
    assert stream.turn_index == 1


def test_close_stream_tells_what_was_not_told_and_ends_no_turn() -> None:
    stream = session()
    stream.block(block(1, "Yes"))
    assert events(stream.close_stream(block(2, "Yes please"))) == ["Update"]
    assert events(stream.close_stream(None)) == []


def test_configure_is_adopted_whole_or_not_at_all() -> None:
    stream = session(eager_eot_threshold=0.5)
    (refused,) = stream.configure(Configure(eot_threshold=0.4, keyterms=("Acme",)))
    assert isinstance(refused, ConfigureFailure)
    assert refused.code == "INVALID_THRESHOLD"
    assert stream.options.keyterms == ()
    (adopted,) = stream.configure(Configure(eot_threshold=0.9, keyterms=("Acme",)))
    assert isinstance(adopted, ConfigureSuccess)
    assert (adopted.eot_threshold, adopted.eager_eot_threshold, adopted.eot_timeout_ms) == (0.9, 0.5, 5000)
    assert stream.recognition_options().keyterms == ("Acme",)
    assert stream.recognition_options().eot_threshold == 0.9


STEPS = st.one_of(
    st.tuples(st.just("silence"), st.integers(1, 8)),
    st.tuples(st.just("word"), st.sampled_from(VOCABULARY)),
    st.tuples(st.just("pause"), st.floats(0.0, 0.99), st.booleans(), st.booleans()),
    st.tuples(st.just("revise"), st.sampled_from(VOCABULARY)),
    st.just(("force",)),
    st.tuples(
        st.just("configure"),
        st.builds(
            Configure,
            eot_threshold=st.none() | st.floats(0.4, 1.1),
            eager_eot_threshold=st.none() | st.floats(0.2, 1.0),
            eot_timeout_ms=st.none() | st.integers(400, 3000),
        ),
    ),
)


class Caller:
    """A recognizer that keeps its promises, driven by hand."""

    def __init__(self, stream: FluxSession, checker: Checker) -> None:
        self.stream, self.checker = stream, checker
        self.now = block(0)
        self.number = 0

    def reported(self, messages: list[ServerMessage]) -> None:
        for message in messages:
            self.checker.receive(message)
        if self.stream.turn_ended:
            self.now = replace(self.now, in_turn=False, text="", words=(), silence_s=0.0, final=False)

    def recognize(
        self, text: str, confidence: float, silence_s: float, final: bool, confirmed: bool = True
    ) -> None:
        self.number += 1
        self.now = block(self.number, text, confidence, silence_s, final and bool(text), confirmed)
        self.reported(self.stream.block(self.now))

    def do(self, step: tuple[object, ...]) -> None:
        text = self.now.text
        match step:
            case ("silence", int(blocks)):
                for _ in range(blocks):
                    now = self.now
                    self.recognize(
                        now.text, now.confidence, now.silence_s + BLOCK_S, now.final, now.confirmed
                    )
            case ("word", str(word)):
                self.recognize(f"{text} {word}".strip(), 0.02, 0.0, False)
            case ("pause", float(confidence), bool(final), bool(confirmed)):
                self.recognize(text, confidence, self.now.silence_s + BLOCK_S, final, confirmed)
            case ("revise", str(word)) if text:
                self.recognize(word, self.now.confidence, self.now.silence_s, True)
            case ("force",):
                self.checker.sent(ForceEndTurn())
                self.reported(self.stream.force_end_turn(self.now if self.now.in_turn else None))
            case ("configure", Configure() as change):
                self.checker.sent(change)
                self.reported(self.stream.configure(change))


@settings(max_examples=300, deadline=None)
@given(steps=st.lists(STEPS, max_size=40), eager=st.none() | st.floats(0.3, 0.7))
def test_whatever_is_heard_and_asked_the_guarantees_hold(
    steps: list[tuple[object, ...]], eager: float | None
) -> None:
    stream = FluxSession(FluxOptions(eager_eot_threshold=eager), "request")
    checker = Checker(eager=eager is not None)
    checker.receive(stream.connected())
    caller = Caller(stream, checker)
    for step in steps:
        caller.do(step)
    checker.sent(CloseStream())
    caller.reported(stream.close_stream(caller.now if caller.now.in_turn else None))
    assert checker.problems == []
    assert checker.finish() == []
