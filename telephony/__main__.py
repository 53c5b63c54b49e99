"""Where every run begins: `telephony` and `python -m telephony`.

This file and `__init__.py` are also read by Pythons that are too old for the rest, and must only use what
those understand (it was tried on 2.7), so that a wrong Python gets one clear line and no traceback.
"""

import sys

OLDEST = (3, 11)
TOO_NEW = (3, 14)


def main():
    # type: () -> int
    """Runs the command line; returns the exit status."""
    here = sys.version_info[:2]
    if not OLDEST <= here < TOO_NEW:
        sys.stderr.write(
            "telephony: this is Python %d.%d; it needs Python 3.11, 3.12 or 3.13 (make demo picks one)\n"  # noqa: UP031
            % (here[0], here[1])
        )
        return 2
    try:
        from telephony.cli import main as run

        # What a terminal's encoding lacks is shown as an escape: output must not fail because of a character.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        return run()
    except KeyboardInterrupt:  # pressed before the command line could take care of it
        return 130


if __name__ == "__main__":
    sys.exit(main())
