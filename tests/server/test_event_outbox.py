"""Events of calls: signed, kept over restarts, in order, and never into a private network by accident."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from telephony.base.shared_store import SqliteSharedStore
from telephony.base.shared_store_memory import FailOpen
from telephony.call.call_events import CallEventKind, CallEventReporter
from telephony.config.secret import Secret
from telephony.config.settings import Settings
from telephony.errors import BadSetting
from telephony.reply.reply_scope import ToolStep
from telephony.server.event_hook import Delivery, EventHook, signature
from telephony.server.event_outbox import KEPT_S, EventOutbox
from tests.real_line import running

SECRET = Secret("whsec_" + base64.b64encode(b"a key of 24 bytes or more").decode())


@dataclass
class Receiver:
    """A real server that takes events; `answers` are statuses for the first ones, then 204."""

    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    come: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        self.come.set()
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers={"Retry-After": "0", "Location": "http://127.0.0.1:1/"})

    @property
    def kinds(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                self.come.clear()
                await self.come.wait()


@asynccontextmanager
async def receiving(*answers: int) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(answers))
    app = web.Application()
    app.router.add_post("/events", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
    yield receiver
    await runner.cleanup()


async def posted(url: str, *private: str) -> Delivery:
    hook = EventHook(url, [SECRET], private)
    try:
        return await hook.post("evt_1", b'{"a":1}', 1_700_000_000.0)
    finally:
        await hook.close()


async def test_an_event_is_signed_as_the_standard_says() -> None:
    async with receiving() as receiver:
        assert (await posted(receiver.url, "127.0.0.1")).delivered
    headers, body = receiver.got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.new(b"a key of 24 bytes or more", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()
    assert headers["webhook-timestamp"] == "1700000000"


def test_a_secret_without_the_prefix_is_taken_as_it_is() -> None:
    mac = hmac.new(b"plain", b"evt_1.5.x", hashlib.sha256).digest()
    assert signature(Secret("plain"), "evt_1", "5", b"x") == "v1," + base64.b64encode(mac).decode()


@pytest.mark.parametrize(
    ("status", "again"), [(200, False), (302, False), (400, False), (410, False), (429, True), (503, True)]
)
async def test_what_the_receiver_says_decides_whether_it_is_tried_again(status: int, again: bool) -> None:
    async with receiving(status) as receiver:
        delivery = await posted(receiver.url, "127.0.0.1")
    assert (delivery.delivered, delivery.again) == (status == 200, again)
    assert len(receiver.got) == 1, "a redirect is not followed"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.7", "[::ffff:127.0.0.1]", "169.254.169.254"]
)
async def test_nothing_goes_into_a_private_network_that_is_not_named(host: str) -> None:
    async with receiving() as receiver:
        port = receiver.url.rsplit(":", 1)[1]
        delivery = await posted(f"http://{host}:{port}")
    assert not delivery.delivered and not delivery.again and "private" in delivery.why
    assert receiver.got == []


class Hook:
    """Counts, and answers as it is told."""

    def __init__(self, *answers: Delivery) -> None:
        self.answers, self.ids, self.bodies = list(answers), list[str](), list[dict[str, Any]]()
        self.come = asyncio.Event()

    async def post(self, event_id: str, body: bytes, unix_s: float) -> Delivery:
        self.ids.append(event_id)
        self.bodies.append(json.loads(body))
        self.come.set()
        return self.answers.pop(0) if self.answers else Delivery(True)


LATER = Delivery(False, again=True, after_s=0.0)
NEVER = Delivery(False, again=True, after_s=3600.0)


async def test_events_of_a_call_keep_their_order_however_often_one_is_tried(tmp_path: Path) -> None:
    store = SqliteSharedStore(tmp_path / "shared.db")
    hook = Hook(LATER, LATER)
    outbox = EventOutbox(hook, FailOpen(store), "one", lambda name: True, lambda: 1e9)
    outbox.start()
    for number in range(5):
        outbox.emit("CA1", CallEventKind.TURN, {"n": number})
    await outbox.close()
    assert [body["data"]["n"] for body in hook.bodies] == [0, 0, 0, 1, 2, 3, 4]
    assert hook.ids[0] == hook.ids[1] == hook.ids[2] != hook.ids[3]
    assert outbox.counts == {"delivered": 5, "failed": 2}
    assert await store.newest("event:", 10) == []
    await store.close()


@pytest.mark.parametrize("odd", ["half a pair: \ud800", 2**70, {1: {"a"}}])
async def test_what_json_has_no_word_for_is_reported_all_the_same(tmp_path: Path, odd: object) -> None:
    store, hook = SqliteSharedStore(tmp_path / "shared.db"), Hook()
    outbox = EventOutbox(hook, FailOpen(store), "one", lambda name: True, lambda: 1e9)
    outbox.start()
    outbox.emit("CA1", CallEventKind.TOOL, {"odd": odd, "name": "book"})
    await outbox.close()
    assert [body["data"]["name"] for body in hook.bodies] == ["book"]
    await store.close()


async def test_what_was_not_delivered_is_delivered_after_a_restart(tmp_path: Path) -> None:
    store = SqliteSharedStore(tmp_path / "shared.db")
    first = Hook(*[NEVER] * 100)
    dying = EventOutbox(first, FailOpen(store), "a" * 16, lambda name: True, lambda: 1e9)
    dying.start()
    for number in range(3):
        dying.emit("CA1", CallEventKind.TURN, {"n": number})
    await first.come.wait()
    await dying.close()
    await store.close()

    store = SqliteSharedStore(tmp_path / "shared.db")
    second = Hook()
    next_one = EventOutbox(second, FailOpen(store), "b" * 16, lambda name: name == "b" * 16, lambda: 1e9)
    next_one.start()
    while len(second.bodies) < 3:
        second.come.clear()
        await asyncio.wait_for(second.come.wait(), 10)
    await next_one.close()
    assert [body["data"]["n"] for body in second.bodies] == [0, 1, 2]
    assert second.ids[0] == first.ids[0], "the same event has the same id"
    assert await store.newest("event:", 10) == []
    await store.close()


async def test_an_event_is_given_up_after_a_day(tmp_path: Path) -> None:
    store = SqliteSharedStore(tmp_path / "shared.db")
    times = iter([1e9, 1e9, 1e9 + KEPT_S + 1])
    hook = Hook(LATER)
    outbox = EventOutbox(hook, FailOpen(store), "one", lambda name: True, lambda: next(times))
    outbox.start()
    outbox.emit("CA1", CallEventKind.STARTED, {})
    await outbox.close()
    assert outbox.counts["expired"] == 1 and len(hook.ids) == 1
    await store.close()


def test_a_tools_arguments_are_kept_back_while_a_sensitive_answer_is_known() -> None:
    got: list[dict[str, Any]] = []

    class Events:
        wanted = True

        def emit(self, call_sid: str, kind: CallEventKind, data: Any) -> None:
            got.append(dict(data))

    reporter = CallEventReporter(Events(), "id", "CA1")
    reporter.tool(ToolStep("pay", '{"card": "4111"}', "called"), redacting=True)
    reporter.tool(ToolStep("pay", '{"of": "latte"}', "done", "paid"), redacting=False)
    assert got[0]["arguments"] == "(redacted)" and "4111" not in str(got[0])
    assert got[1]["arguments"] == '{"of": "latte"}' and got[1]["result"] == "paid"


async def test_a_call_is_reported_from_its_start_to_its_record(tmp_path: Path) -> None:
    async with receiving(503) as receiver:
        given = {
            "WEBHOOK_URL": receiver.url,
            "WEBHOOK_SECRET": "s" * 32,
            "WEBHOOK_PRIVATE_HOSTS": "127.0.0.1",
        }
        async with running(tmp_path, AGENT="tests.flow_agents:Memory", **given) as server:
            result = await server.call(8.0)
            await receiver.until(lambda: "call.ended" in receiver.kinds)
    events = [json.loads(body) for _, body in receiver.got]
    assert receiver.kinds[:2] == ["call.started", "call.started"], "the first was refused with 503"
    kinds = receiver.kinds[1:]
    assert kinds[0] == "call.started" and kinds[-1] == "call.ended" and "call.turn" in kinds
    record = events[-1]["data"]["record"]
    assert record["call_sid"] == result.call_sid and record["ended_by"] == "agent"
    turns = [event["data"]["turn"] for event in events if event["type"] == "call.turn"]
    assert [turn["index"] for turn in turns] == [turn["index"] for turn in record["turns"]]
    assert all(event["data"]["call_sid"] == result.call_sid for event in events)


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"WEBHOOK_URL": "https://a.example/x"}, "it needs WEBHOOK_SECRET"),
        ({"WEBHOOK_URL": "ftp://a.example", "WEBHOOK_SECRET": "x"}, "a URL like"),
        ({"WEBHOOK_URL": "https://me:pw@a.example", "WEBHOOK_SECRET": "x"}, "without a name or password"),
        ({"WEBHOOK_URL": "http://a.example/x", "WEBHOOK_SECRET": "x"}, "must be https://"),
        ({"WEBHOOK_URL": "http://127.0.0.1/x", "WEBHOOK_SECRET": "x"}, "WEBHOOK_PRIVATE_HOSTS"),
        ({"WEBHOOK_URL": "https://a.example/x", "WEBHOOK_SECRET": "whsec_*"}, "base64"),
        ({"AFTER_CALL": "a:B"}, "it needs LLM_URL"),
    ],
)
def test_settings_that_cannot_work_are_refused(environ: dict[str, str], says: str) -> None:
    with pytest.raises(BadSetting, match=says) as refused:
        Settings.load(environ)
    assert "pw" not in str(refused.value)
