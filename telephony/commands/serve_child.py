"""The child's side of `simulator.server_process`: a server that stops when its parent's pipe closes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from telephony import logs
from telephony.commands import serve
from telephony.config.settings import Settings
from telephony.errors import BadInput, TelephonyError
from telephony.simulator.server_process import COMPLAINT


def _follow_parent() -> None:
    """Stop, as by SIGTERM, when the pipe from the parent closes."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _child() -> int:
    parser = argparse.ArgumentParser(prog="python -m telephony.commands.serve_child")
    parser.add_argument("--max-calls", type=int, default=1)
    parser.add_argument("--ignore-environment", action="store_true")
    parser.add_argument("--env-file", type=Path, default=Path(".env"))
    args = parser.parse_args()
    try:
        # On this machine only, under its own address, whatever the environment says of a public one.
        if args.ignore_environment:
            settings = Settings.load({})
        else:
            settings = Settings.load({**os.environ, "PUBLIC_URL": ""}, args.env_file)
        level = "WARNING" if settings.log_level == "INFO" else settings.log_level
        settings = replace(settings, max_calls=max(args.max_calls, settings.max_calls), log_level=level)
        logs.set_up(level, settings.secret_values())
        threading.Thread(target=_follow_parent, daemon=True).start()
        return serve.run(argparse.Namespace(host="127.0.0.1", port=0), settings)
    except TelephonyError as error:
        sys.stderr.write(f"{COMPLAINT}{logs.one_line(str(error))}\n")
        return 2 if isinstance(error, BadInput) else 1


if __name__ == "__main__":
    sys.exit(_child())
