"""What a file is that should be a recording, by its first bytes, and what ffmpeg had to complain of. PURE."""

from __future__ import annotations

import re
from collections.abc import Callable

RAW_SUFFIXES = (".ulaw", ".ul", ".mulaw", ".raw", ".pcmu")
"""Files without a header, taken for mu-law at 8,000 Hz, by every command."""
HEAD_BYTES = 4096
"""As much of a file as is looked at here."""

_CONTAINERS: tuple[tuple[bytes, int, str], ...] = (
    (b"OggS", 0, "Ogg"),
    (b"\x1a\x45\xdf\xa3", 0, "WebM"),
    (b"RF64", 0, "an RF64 file"),
    (b"RIFX", 0, "a big-endian WAV (RIFX)"),
    (b"ID3", 0, "an MP3"),
    (b"fLaC", 0, "FLAC"),
    (b"ftyp", 4, "an MP4 (m4a)"),
    (b"#!AMR", 0, "AMR"),
    (b"FORM", 0, "AIFF"),
    (b"caff", 0, "CAF"),
    (b".snd", 0, "an AU file"),
)
_MP3_FRAME = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xeb]")
_MPEG1_KBITS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_MPEG2_KBITS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)
_OTHER_FILES = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive: unpack it, and name a recording in it"),
    (b"\x1f\x8b", "compressed with gzip: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it, and name a recording in it"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a database"),
    (b"version https://git-lfs", "a pointer of Git LFS: git lfs pull fetches the recording"),
    (b"#!/", "a program's text"),
)
_WEB_PAGE = re.compile(rb"^\s*(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body|meta|script)\b", re.I | re.S)
_PLAYLIST_ENTRY = re.compile(r"^(?:File\d+=)?((?:[a-z][a-z0-9+.-]*://|[^#\[<\s])[^\r\n]*)$", re.I | re.M)
_TEXT = frozenset({*range(0x20, 0x7F), 0x09, 0x0A, 0x0D})
_LEAST_TEXT = 24
_LEAST_LETTERS = 8
"""Different characters: silence in A-law is a row of the letter U."""


def container(head: bytes) -> str | None:
    """The kind of file that the first bytes of a recording say it is; None for WAV, raw and unknown sound."""
    for mark, at, name in _CONTAINERS:
        if head[at : at + len(mark)] == mark:
            return name
    return "an MP3" if _is_mp3(head) else None


def looks_like_mp3(head: bytes | bytearray) -> bool:
    """Whether bytes begin as a frame of an MP3 does; so may the samples of a sound, once in 10,000."""
    return bool(_MP3_FRAME.match(head))


def _is_mp3(head: bytes) -> bool:
    """Whether two frames stand one behind the other (ISO 11172-3, 2.4.1.3: the header says the length)."""
    if not looks_like_mp3(head):
        return False
    version, layer3 = head[1] >> 3 & 3, head[1] >> 1 & 3 == 1
    rate_index = head[2] >> 2 & 3
    if not layer3 or rate_index == 3:
        return False
    first = version == 3  # MPEG 1; else 2 or 2.5
    kbits = (_MPEG1_KBITS if first else _MPEG2_KBITS)[head[2] >> 4]
    hertz = (44100, 48000, 32000)[rate_index] >> {3: 0, 2: 1, 0: 2}.get(version, 0)
    length = (144 if first else 72) * kbits * 1000 // hertz + (head[2] >> 1 & 1)
    return looks_like_mp3(head[length : length + 3])


def needs_seeking(head: bytes) -> bool:
    """Whether a file may have its table of contents at its end, as MP4 and MOV do: a pipe is not enough."""
    return head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")


def is_text(head: bytes) -> bool:
    """Whether bytes are letters and nothing else, as the samples of no sound are."""
    letters = set(head)
    try:
        head.decode("ascii")
    except UnicodeDecodeError:
        return False
    return len(head) >= _LEAST_TEXT and len(letters) >= _LEAST_LETTERS and letters <= _TEXT


def other_than_sound(head: bytes) -> str | None:
    """What a file is that is not a recording: "is a web page ..." with what to do; None: it may be one."""
    for mark, name in _OTHER_FILES:
        if head.startswith(mark):
            return f"is not a recording: it is {name}"
    text = head.lstrip(b"\xef\xbb\xbf")
    if _WEB_PAGE.match(text):
        return "is not a recording: it is a web page (HTML), as a download leaves that failed; fetch it again"
    playlist = _playlist(text)
    if playlist is not None:
        return playlist
    if re.match(rb"\s*<\?xml|\s*<[A-Za-z]+[ >]", text):
        return "is not a recording: it is XML, perhaps a server's error; fetch it again"
    if re.match(rb'\s*[{\[]\s*["{\[]', text):
        return "is not a recording: it is JSON, perhaps a server's error; fetch it again"
    if is_text(head):
        return "is not a WAV file, and not audio or video that ffmpeg knows: it is plain text"
    return None


def _only_addresses(text: bytes) -> bool:
    """A playlist in its simplest form, without a head."""
    lines = text.split()
    return bool(lines) and all(re.match(rb"[a-z][a-z0-9+.-]*://", line, re.I) for line in lines)


def _playlist(text: bytes) -> str | None:
    kinds: tuple[tuple[str, Callable[[bytes], object]], ...] = (
        ("M3U", re.compile(rb"#EXTM3U|#EXTINF").match),
        ("PLS", re.compile(rb"\s*\[playlist\]", re.I).match),
        ("XSPF", re.compile(rb"\s*(<\?xml[^>]*>\s*)?<playlist\b", re.I).match),
        ("ASX", re.compile(rb"\s*<asx\b", re.I).match),
        ("M3U", _only_addresses),
    )
    kind = next((kind for kind, matches in kinds if matches(text)), None)
    if kind is None:
        return None
    shown = text.decode("utf-8", "replace")
    if kind in ("XSPF", "ASX"):
        entry = re.search(r"<location>([^<]+)</location>|href\s*=\s*\"([^\"]+)\"", shown, re.I)
        named = (entry[1] or entry[2]) if entry else ""
    else:
        entry = _PLAYLIST_ENTRY.search(shown)
        named = entry[1].strip() if entry else ""
    what = f"name what it plays instead, {named[:200]}" if named else "it is empty"
    return f"is not a recording: it is a playlist ({kind}); {what}"


NO_DATA = "is a damaged WAV file: it has no data chunk, so it has no sound in it"

# ffmpeg's words, and ours. The first that is found in its last lines is taken.
_FAULTS = (
    ("does not contain any stream", "has no sound in it"),
    ("matches no streams", "has no sound in it"),
    ("Connection refused", "does not answer: is the address right?"),
    ("404 Not Found", "is not there (404 Not Found)"),
    ("403 Forbidden", "may not be read (403 Forbidden)"),
    ("401 Unauthorized", "may not be read (401 Unauthorized)"),
    ("Permission denied", "may not be read"),
    ("Failed to resolve", "is on a host whose name is not known"),
    ("Protocol not found", "is a kind of address that ffmpeg does not know"),
    ("timed out", "does not answer in time"),
    ("no 'data' tag found", NO_DATA),
    (
        "moov atom not found",
        "is not whole: its table of contents is missing (moov atom not found); fetch it again",
    ),
)
_GENERIC = (
    "Invalid data found",
    "Invalid argument",
    "Conversion failed",
    "Error opening",
    "Nothing was written",
)


def complaint(stderr: str, status: int) -> str:
    """Why ffmpeg could not read a source, for a line that begins with the source's name."""
    for theirs, ours in _FAULTS:
        if theirs in stderr:
            return ours
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = [plain_line(line) for line in lines if not any(generic in line for generic in _GENERIC)]
    if any("Invalid data found" in line or "Invalid argument" in line for line in lines):
        why = f"; ffmpeg says: {said[0]}" if said else ""
        known = "is not a WAV file, and not audio or video that ffmpeg knows, or is damaged"
        return f"{known}{why}; raw mu-law needs a name that ends in .ulaw"
    last = said or [plain_line(line) for line in lines]
    return f"cannot be read; ffmpeg says: {last[-1] if last else f'exit status {status}'}"


def plain_line(line: str) -> str:
    """A line of ffmpeg's without its module's address: "[mov @ 0x55...] partial file" -> "partial file"."""
    return re.sub(r"^\[[^\]]*\]\s*", "", line.strip())[:200]
