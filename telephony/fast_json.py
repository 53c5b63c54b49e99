"""JSON on the hot path: orjson where it is installed, the standard library's otherwise. PURE.

Every media frame and every Flux message is one JSON text, so this is among the largest costs of a call.
"""

from __future__ import annotations

from typing import Any

try:
    import orjson
except ImportError:  # no wheel for this platform
    import json

    def loads(text: str | bytes) -> Any:
        """Parse a JSON text; ValueError when it is none."""
        return json.loads(text)

    def dumps(value: object) -> str:
        """Write compact JSON."""
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

else:

    def loads(text: str | bytes) -> Any:
        """Parse a JSON text; ValueError when it is none."""
        return orjson.loads(text)

    def dumps(value: object) -> str:
        """Write compact JSON."""
        return orjson.dumps(value).decode()
