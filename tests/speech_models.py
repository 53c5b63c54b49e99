"""The listening models, where this machine has them; a test that needs one is skipped, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony.engine.models import catalogue


def model_path(name: str) -> Path:
    """Where a model lies."""
    pytest.importorskip("onnxruntime", reason="the local engine is not installed")
    found = catalogue.path(name)
    if found is None:
        pytest.skip(f"the model {name} is not on this machine: {catalogue.FETCH_COMMAND}")
    return found
