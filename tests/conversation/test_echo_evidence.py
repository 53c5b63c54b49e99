"""What the comparison of sounds shows of a turn."""

from __future__ import annotations

from telephony.conversation.echo import SOUND_SHARE
from telephony.conversation.echo_evidence import CHANCE_SHARE, ECHOES_KNOWN, EchoEvidence
from telephony.deepgram.flux_messages import END_OF_TURN, UPDATE, TurnInfo, Word
from telephony.events import EchoMeasured


def news(text: str, event: str = UPDATE) -> TurnInfo:
    words = tuple([Word(w, 0.9, n * 0.5, n * 0.5 + 0.4) for n, w in enumerate(text.split())])
    return TurnInfo(event, 0, text, words, 0.5, 0.0, 2.0, None, 1)


def measured(evidence: EchoEvidence, share: float, event: str = UPDATE, until_s: float = 0.0) -> TurnInfo:
    """The news of a turn whose sound was compared just before."""
    evidence.on_measured(EchoMeasured(share, until_s))
    return evidence.of(news("hello there", event))


def test_a_share_says_whether_the_sound_is_ours_or_theirs() -> None:
    evidence = EchoEvidence()
    measured(evidence, SOUND_SHARE)
    assert (evidence.ours, evidence.theirs) == (True, False)
    measured(evidence, SOUND_SHARE - 0.01)
    assert (evidence.ours, evidence.theirs) == (False, True)


def test_without_a_comparison_nothing_is_known() -> None:
    evidence = EchoEvidence()
    measured(evidence, 0.9)
    evidence.of(news("hello there again"))
    assert (evidence.ours, evidence.theirs, evidence.both) == (False, False, False)


def test_a_comparison_belongs_to_the_news_that_follows_it_only() -> None:
    evidence = EchoEvidence()
    evidence.on_measured(EchoMeasured(0.9))
    evidence.of(news(""))
    assert not evidence.ours, "a turn without words says nothing"
    evidence.of(news("hello"))
    assert not evidence.ours


def test_once_an_echo_is_known_another_voice_in_it_is_the_callers() -> None:
    evidence = EchoEvidence()
    measured(evidence, CHANCE_SHARE / 2)
    assert not evidence.both, "no echo was heard on this line so far"
    for _ in range(ECHOES_KNOWN):
        measured(evidence, 0.9)
    measured(evidence, CHANCE_SHARE / 2)
    assert evidence.both
    measured(evidence, CHANCE_SHARE / 2, END_OF_TURN)
    assert not evidence.both, "at its end all of the turn was compared"


def test_at_its_end_a_turn_loses_the_words_that_are_our_echo() -> None:
    evidence = EchoEvidence()
    assert measured(evidence, 0.1, END_OF_TURN, until_s=0.45).transcript == "there" and not evidence.ours
    assert measured(evidence, 0.1, END_OF_TURN, until_s=2.0).transcript == "" and evidence.ours
    assert measured(evidence, 0.1, until_s=0.45).transcript == "hello there", "only at its end"
