"""JSON on the hot path: orjson where it is installed, the standard library's otherwise. PURE.

Every media frame and every Flux message is one JSON text, so this is among the largest costs of a call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

loads: Callable[[str | bytes], Any]
"""Parse a JSON text; ValueError when it is none."""

try:
    import orjson
except ImportError:  # no wheel for this platform
    import json

    loads = json.loads

    def dumps(value: object) -> str:
        """Write compact JSON."""
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

else:
    loads = orjson.loads

    def dumps(value: object) -> str:
        """Write compact JSON."""
        return orjson.dumps(value).decode()
