"""The local engine's packages are an extra: only the recognition of speech needs them to be imported."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import aiohttp
import pytest

from telephony.engine.models import catalogue
from telephony.engine.packages import PURPOSES, TO_LISTEN, absent
from telephony.engine.process import EngineProcess

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = """
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import telephony
for module in pkgutil.walk_packages(telephony.__path__, "telephony."):
    if not module.name.startswith("telephony.engine.listen") and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
        print(module.name)
"""


def test_every_module_but_the_recognizer_is_imported_without_the_engines_packages() -> None:
    command = [sys.executable, "-c", WITHOUT, *PURPOSES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"telephony.engine.serving", "telephony.engine.speak.voice"} <= set(done.stdout.split())


def test_a_package_that_is_not_installed_is_absent() -> None:
    assert absent(["json", "no_such_package", "numpy"]) == ["no_such_package"]


def test_the_packages_are_those_of_the_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = {re.split(r"[<>=]", text)[0] for name in ("recognition", "piper") for text in extras[name]}
    assert {name.replace("-tts", "").replace("-", "_") for name in asked} == set(PURPOSES)
    assert set(TO_LISTEN) <= set(PURPOSES)


def names_in(folder: Path) -> list[str]:
    return [place.name for place in folder.iterdir()]


@pytest.mark.slow
@pytest.mark.skipif(bool(catalogue.missing()), reason="the models are not here")
async def test_an_engine_that_listens_and_speaks_reports_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """onnxruntime's telemetry keeps a machine's number and its events in the user's cache."""
    (tmp_path / "telephony").mkdir()
    (tmp_path / "telephony" / "models").symlink_to(catalogue.cache_dir())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)  # of this process, where a network may run
    engine = await EngineProcess.start(fetch=False)
    try:
        url = f"{engine.url.replace('ws', 'http', 1)}/v1/speak?model=joe&encoding=linear16"
        async with aiohttp.ClientSession() as http, http.post(url, json={"text": "Hello there."}) as answer:
            assert answer.status == 200 and len(await answer.read()) > 8000
    finally:
        await engine.stop()
    assert names_in(tmp_path) == ["telephony"]
