"""For tests of your own agent: `place_call`, a pytest fixture that telephones it.

    # conftest.py
    pytest_plugins = ["telephony.testing"]

    # test_my_agent.py
    def test_it_says_goodbye(place_call):
        call = place_call("goodbye.yaml", settings={"AGENT": "my.module:Barista"})
        assert call["ended_by"] == "agent"
        assert not call["broken"]

Faults of the services that it works with: `place_call("goodbye.yaml", faults=["flux: stall at 8s for 5s"])`.

`goodbye.yaml` is a caller's script (or a recording); what comes back is the object that
`telephony call --json` prints. Nothing is replaced: a server runs with these settings and the local speech
engine, and stays for the other tests that ask for the same settings.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from telephony.config.settings import Settings
from telephony.config.speech_peer import LOCAL
from telephony.engine.process import EngineProcess
from telephony.errors import BadInput
from telephony.simulator.call_options import CallOptions
from telephony.simulator.caller import HANG_UP_AFTER_S
from telephony.simulator.caller_source import make_caller
from telephony.simulator.network import Impairments
from telephony.simulator.server_process import ServerProcess
from telephony.simulator.simulator import place_call as place
from telephony.testing.fault_proxy import FaultProxy
from telephony.testing.proxy_faults import ProxyFault, read_fault

__all__ = ["PlaceCall", "place_call"]

SETTING_OF = {
    "flux": "DEEPGRAM_URL",
    "speak": "DEEPGRAM_URL",
    "chat": "LLM_URL",
    "twilio": "TWILIO_API_URL",
}
"""Where the server finds each peer."""

T = TypeVar("T")


class PlaceCall(Protocol):
    """What the fixture gives."""

    def __call__(
        self,
        source: str | Path,
        *,
        settings: Mapping[str, str] | None = None,
        server: str | None = None,
        line: Impairments | None = None,
        faults: Sequence[str] = (),
        hang_up_after_s: float = HANG_UP_AFTER_S,
    ) -> dict[str, Any]:
        """Place one call and wait for its end.

        `settings`: the server's, by their names in the environment; nothing else of the environment counts.
        `server`: call this one instead. `line`: a bad line, unless the script says how bad it is.
        `faults`: of the server's peers, such as `flux: stall at 8s for 5s`; the peers are flux, speak, chat
        and twilio, and the seconds are those of the call.
        Raises BadInput for a source that cannot be played, a server that does not start, and words that are
        no fault.
        """


class _Exchange:
    """An event loop in a thread, and the servers that run from it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="place_call", daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        self._servers: dict[frozenset[tuple[str, str]], str] = {}
        self._proxies: dict[str, FaultProxy] = {}
        """By the address of what is behind each."""
        self._engine: EngineProcess | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def server(self, settings: Mapping[str, str], data_dir: Path) -> str:
        """The server with these settings, started if need be."""
        key = frozenset(settings.items())
        if key not in self._servers:
            # The agent under test is found by the server as it is by the test.
            found_by = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            environ = {"DEEPGRAM_URL": "local", "DATA_DIR": str(data_dir), **found_by, **settings}
            self._servers[key] = await self._stack.enter_async_context(ServerProcess(environ=environ))
        return self._servers[key]

    async def through_proxies(
        self, settings: Mapping[str, str], faults: Sequence[ProxyFault]
    ) -> tuple[dict[str, str], list[FaultProxy]]:
        """The settings of a server whose peers are reached through proxies, and those. Raises BadInput."""
        changed, proxies = dict(settings), []
        for name in sorted({SETTING_OF[fault.service] for fault in faults}):
            behind = changed.get(name) or (LOCAL if name == "DEEPGRAM_URL" else "")
            if behind == LOCAL:
                behind = await self._engine_url()
            proxy = self._proxies.get(behind)
            if proxy is None:
                try:
                    proxy = FaultProxy(behind)
                except ValueError as error:
                    raise BadInput(f"faults: {name} {error}") from error
                await proxy.start()
                self._stack.push_async_callback(proxy.close)
                self._proxies[behind] = proxy
            changed[name] = proxy.url
            proxies.append(proxy)
        return changed, proxies

    async def _engine_url(self) -> str:
        """Of a local engine of our own, for servers that reach it through a proxy."""
        if self._engine is None:
            self._engine = await EngineProcess.start()
            self._stack.push_async_callback(self._engine.stop)
        return self._engine.url

    def close(self) -> None:
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _read_faults(texts: Sequence[str], server: str | None) -> list[ProxyFault]:
    if texts and server is not None:
        raise BadInput("faults need a server of the fixture's own: leave `server` out")
    faults = []
    for text in texts:
        try:
            fault = read_fault(text)
        except ValueError as error:
            raise BadInput(f"faults: {text!r}: {error}") from error
        if not fault.service:
            raise BadInput(f"faults: {text!r} must begin with whose fault it is: {', '.join(SETTING_OF)}")
        faults.append(fault)
    return faults


@pytest.fixture(scope="session")
def _exchange() -> Iterator[_Exchange]:
    exchange = _Exchange()
    yield exchange
    exchange.close()


@pytest.fixture
def place_call(_exchange: _Exchange, tmp_path_factory: pytest.TempPathFactory) -> PlaceCall:
    """Calls a server as Twilio would, and gives what was said and heard."""

    def call(
        source: str | Path,
        *,
        settings: Mapping[str, str] | None = None,
        server: str | None = None,
        line: Impairments | None = None,
        faults: Sequence[str] = (),
        hang_up_after_s: float = HANG_UP_AFTER_S,
    ) -> dict[str, Any]:
        path, checked = Path(source), Settings.load(settings or {})
        data = tmp_path_factory.getbasetemp() / "telephony"
        tokens, keys = checked.twilio_auth_token, checked.api_keys
        wanted = _read_faults(faults, server)

        async def placed() -> dict[str, Any]:
            make, impairments = await asyncio.to_thread(
                make_caller, path, line or Impairments(), hang_up_after_s, checked.voice
            )
            changed, proxies = await _exchange.through_proxies(settings or {}, wanted)
            url = server or await _exchange.server(changed, data)
            options = CallOptions(
                server=url,
                source=path.name,
                out_dir=tmp_path_factory.mktemp(path.stem),
                impairments=impairments,
                auth_token=tokens[0].reveal() if tokens else None,
                api_key=keys[0].reveal() if keys else None,
                data_dir=Path((settings or {}).get("DATA_DIR", data)),
            )
            for proxy in proxies:
                proxy.begin(*wanted)
            try:
                return (await place(make(), options)).as_json()
            finally:
                for proxy in proxies:
                    proxy.clear()

        return _exchange.run(placed())

    return call
