"""`python -m telephony.engine.models [NAME...]`: fetches the models that are missing."""

from __future__ import annotations

import sys

from telephony.engine.models.fetch import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
