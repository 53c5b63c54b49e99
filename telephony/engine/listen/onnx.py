"""Networks that run in onnxruntime: one thread each, and nothing is reported to its maker."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from telephony.engine.packages import QUIET


def load_network(path: Path, *, log_severity: int = 2) -> Any:
    """An onnxruntime.InferenceSession. `log_severity`: 2 logs warnings, 4 nothing but what is fatal."""
    # Before the first import, which already starts what reports.
    os.environ.update(QUIET)
    import onnxruntime  # here: it takes a part of a second, and a deployment may not have it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = log_severity
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
