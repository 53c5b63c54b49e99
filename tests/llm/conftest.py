"""A real model server for the tests that ask for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.llm import model_server as server


@pytest.fixture(scope="session")
def model_server() -> Iterator[str]:
    """The address of llama.cpp's server with a small model; skips where it is not installed."""
    if server.model_path() is None:
        pytest.skip(server.MISSING)
    with server.model_server() as address:
        yield address
