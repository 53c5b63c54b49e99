"""What a simulated caller plays: a recording in any WAV file, or raw mu-law."""

from __future__ import annotations

from pathlib import Path

from telephony.audio import PHONE_RATE, Resampler, linear16_to_ulaw, read_wav
from telephony.errors import BadAudio

RAW_SUFFIXES = (".ulaw", ".ul", ".mulaw", ".raw", ".pcmu")
"""Files without a header, taken for mu-law at 8,000 Hz."""
SCRIPT_SUFFIXES = (".yaml", ".yml")
MAX_BYTES = 500 * 1024 * 1024
SHORTEST_S = 0.02


def read_recording(path: Path) -> bytes:
    """A recording as mu-law at 8,000 Hz. Raises BadAudio, in one line."""
    try:
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise BadAudio(f"{path} is larger than 500 MB; cut it shorter")
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadAudio(f"{path}: no such file. Give a recording (WAV or raw mu-law)") from None
    except OSError as error:
        raise BadAudio(f"{path} cannot be read: {error.strerror}") from error
    return recording(data, str(path), raw=path.suffix.lower() in RAW_SUFFIXES)


def recording(data: bytes, name: str, *, raw: bool = False) -> bytes:
    """The bytes of a recording as mu-law at 8,000 Hz. Raises BadAudio, naming the recording."""
    if raw and not data.startswith(b"RIFF"):
        ulaw = data
    else:
        try:
            wav = read_wav(data)
        except BadAudio as error:
            headless = data and not raw and not data.startswith(b"RIFF")
            hint = "; raw mu-law needs the name ending .ulaw" if headless else ""
            raise BadAudio(f"{name} {error}{hint}") from None
        if wav.channels != 1:
            channels = "stereo" if wav.channels == 2 else f"{wav.channels} channels"
            raise BadAudio(f"{name} is {channels}; a caller has one channel. Save one of them as a mono file")
        resampler = Resampler(wav.rate, PHONE_RATE)
        ulaw = linear16_to_ulaw(resampler.feed(wav.linear16) + resampler.flush())
    if len(ulaw) < SHORTEST_S * PHONE_RATE:
        raise BadAudio(f"{name} holds no sound" if ulaw else f"{name} is empty")
    return ulaw
