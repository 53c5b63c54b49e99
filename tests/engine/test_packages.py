"""The local engine's packages are an extra: only the recognition of speech needs them to be imported."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from telephony.engine.packages import PURPOSES, TO_LISTEN, absent

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
