"""Phrases on disk: kept when said twice, bounded, and never in the way."""

from __future__ import annotations

import os
from pathlib import Path

from telephony.engine.speak.phrase_cache import PhraseCache, key_of
from telephony.engine.speak.voice_chunk import SpokenWord, VoiceChunk

CHUNKS = (
    VoiceChunk(b"\1\0" * 100, 22050, (SpokenWord("Hi,", 0.0, 0.1, 0, 3), SpokenWord("é", 0.1, 0.2, 4, 5))),
    VoiceChunk(b"\2\n" * 50, 22050, ()),
)


def test_kept_from_the_second_time(tmp_path: Path) -> None:
    """What was said once leaves only an empty file; what was said twice comes back as it was."""
    cache = PhraseCache(tmp_path / "phrases")
    cache.put("a", CHUNKS)
    assert cache.get("a") is None
    assert [path.stat().st_size for path in (tmp_path / "phrases").iterdir()] == [0]
    cache.put("a", CHUNKS)
    assert cache.get("a") == CHUNKS
    assert PhraseCache(tmp_path / "phrases").get("a") == CHUNKS


def test_other_users_cannot_read_it(tmp_path: Path) -> None:
    """The folder is its owner's alone."""
    PhraseCache(tmp_path / "phrases").put("a", CHUNKS)
    assert (tmp_path / "phrases").stat().st_mode & 0o077 == 0


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    """The folder stays within its bound, and what is used stays."""
    cache = PhraseCache(tmp_path, most_bytes=4000)
    for number in range(40):
        key = f"{number:02}"
        cache.put(key, CHUNKS)
        cache.put(key, CHUNKS)
        os.utime(tmp_path / f"{key}.speech", (number, number))
        if number:
            cache.get("00")  # used again and again
    files = list(tmp_path.iterdir())
    assert sum(path.stat().st_size for path in files) < 4000 + 17 * 700
    assert cache.get("00") == CHUNKS
    assert cache.get("01") is None


def test_a_damaged_file_is_a_miss_and_goes(tmp_path: Path) -> None:
    """Cut short, or garbage: rendered again."""
    cache = PhraseCache(tmp_path)
    for damage in (b"", b"{", b"[]\n123", b'[{"rate": 1}]\n', b"\xff\xfe"):
        path = tmp_path / "a.speech"
        path.write_bytes(damage)
        assert not cache.get("a")
    cache.put("b", CHUNKS)
    cache.put("b", CHUNKS)
    path = tmp_path / "b.speech"
    path.write_bytes(path.read_bytes()[:-3])
    assert cache.get("b") is None
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    """A full or read-only disk makes the cache useless, and nothing else."""
    (tmp_path / "file").write_text("")
    cache = PhraseCache(tmp_path / "file" / "phrases")
    cache.put("a", CHUNKS)
    assert cache.get("a") is None


def test_keys_differ_by_all_that_matters() -> None:
    """Voice, speed and text each make another rendering; joining them cannot be mistaken."""
    keys = {
        key_of(*parts) for parts in (("a", 1.0, "b"), ("a", 1.05, "b"), ("a", 1.0, "c"), ("a1", 1.0, "b"))
    }
    assert len(keys | {key_of("a", "1.0b")}) == 5
