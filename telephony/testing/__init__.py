"""For tests of your own agent: `place_call`, a pytest fixture, and pretend services at the wire (`fake_...`).

    pytest_plugins = ["telephony.testing"]          # in conftest.py

It may import everything but the commands. The pretend services need no pytest; `python -m telephony.testing`
starts them by themselves.
"""

from __future__ import annotations

try:
    from telephony.testing.place_call import PlaceCall, _exchange, place_call
except ModuleNotFoundError as missing:  # the pretend services run where pytest is not installed
    if missing.name != "pytest":
        raise
else:
    __all__ = ["PlaceCall", "_exchange", "place_call"]
