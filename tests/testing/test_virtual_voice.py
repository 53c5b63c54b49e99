"""The virtual voice: each sample of its audio says which word it belongs to."""

from __future__ import annotations

from telephony.testing.virtual_voice import FIRST_WORDS, GAP, SAMPLES_A_LETTER, VirtualVoice


def test_each_word_is_where_its_time_says_and_nowhere_else() -> None:
    audio, times = VirtualVoice().render(1, "One two three.")
    assert len(audio) == len("One two three.") * SAMPLES_A_LETTER
    for number, time in enumerate(times):
        assert set(audio[time.start : time.end]) == {1 + number}
    between = bytes([b for b in audio if b > FIRST_WORDS])
    assert set(between) == {GAP} and len(between) == len(audio) - sum(t.end - t.start for t in times)


def test_words_are_counted_through_the_whole_call() -> None:
    voice = VirtualVoice()
    for reply in (1, 2, 2):
        voice.render(reply, "One two.")
    assert [word.number for word in voice.words] == list(range(6))
    assert len(voice.ends[2]) == 4 and voice.ends[2] == sorted(voice.ends[2]), "in samples of the whole reply"


def test_a_voice_that_is_not_exact_gives_no_times() -> None:
    assert VirtualVoice(exact=False).render(1, "One two.")[1] == ()
    assert all(not time.estimated for time in VirtualVoice().render(1, "One two.")[1])
