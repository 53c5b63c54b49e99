"""What the client of language models costs, and how soon it hangs up; and calls that a model answers.

    python bench/mind.py            half a minute
    python bench/mind.py calls      four minutes: from a turn's end to the answer, from a sound to silence
    python bench/mind.py --quick    correctness instead of figures

The model is the stand-in, a process of its own: 50 tokens, 20 ms apart. Nothing else runs in the client's
process, so that its CPU time is what the client costs.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import aiohttp
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.load.figures import percentile
from bench.load.model_calls import PHRASE_S, measure
from telephony.llm.chat import ChatRequest, TextDelta
from telephony.llm.client import ChatClient, open_session
from telephony.llm.endpoints import ChatEndpoint, Deadlines, chat_url
from telephony.testing.fake_chat import FakeChat
from telephony.testing.fake_chat_script import always

CALLS = 50
TURNS = 6
TOKENS = 50
PACE_S = 0.02
CLOSES = 400
TICK_S = 0.02  # an audio frame
CPU_MS = 2.0  # to reach: a turn's cost to the client at 50 calls
CLOSE_MS = 50.0  # to reach: p99 from leaving to the model's socket closed
OVER_MS = 60.0  # to reach: an answer's first sound behind the model's first token, p50
PATIENT = Deadlines(first_token_s=20.0, between_s=20.0, total_s=60.0)
PROMPT = "You take orders in a coffee shop. " * 60
REQUEST = ChatRequest(
    [{"role": "system", "content": PROMPT}, {"role": "user", "content": "A latte, please."}]
)


def main() -> int:
    """Exit status 1 when a bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=("client", "calls"), default="client")
    parser.add_argument("--quick", action="store_true", help="few turns, and no bars")
    options = parser.parse_args()
    measured = measure_calls if options.what == "calls" else measure_client
    return uvloop.run(measured(quick=options.quick))


async def measure_calls(*, quick: bool) -> int:
    """The table of whole calls."""
    calls, turns = (1, 2) if quick else (2, 6)
    print("first token  drafts  answered p50   p95  over the model  turns  closed p50   p99  tokens after it")
    missed = 0
    for first_token_s in (0.0,) if quick else (0.0, 0.2, 0.35, 0.7):
        for eager in (False, True):
            seen = await measure(first_token_s, eager=eager, calls=calls, turns=turns)
            p50, p95 = percentile(seen.answered, 0.5), percentile(seen.answered, 0.95)
            over, p99 = p50 - (first_token_s + PHRASE_S) * 1000, percentile(seen.closed, 0.99)
            tokens = sum(seen.wasted) / max(1, len(seen.wasted))
            print(
                f"{first_token_s * 1000:>8.0f} ms{'on' if eager else 'off':>8}{p50:>11.0f} ms{p95:>6.0f}"
                f"{over:>13.0f} ms{len(seen.answered):>7}{percentile(seen.closed, 0.5):>9.1f} ms{p99:>6.1f}"
                f"{tokens:>17.2f}",
                flush=True,
            )
            missed += over > OVER_MS or p99 > CLOSE_MS
    print(f"""
answered: from EndOfTurn to the first sound sent, at most {OVER_MS:g} ms over the model's time, which is that
of its first token and of two more, {PHRASE_S * 1000:g} ms, that complete the first phrase
closed: from StartOfTurn to the model's socket closed, p99 at most {CLOSE_MS:g} ms""")
    return int(missed > 0 and not quick)


async def measure_client(*, quick: bool) -> int:
    """The table of the client alone."""
    turns, closes = (1, 20) if quick else (TURNS, CLOSES)
    async with stand_in() as url, open_session() as session:
        client = client_of(url, session)
        cpu_ms, late_ms = await many_calls(client, turns)
        beside = [asyncio.create_task(talking(client)) for _ in range(CALLS)]
        waits = await hang_ups(session, closes)
        for one in beside:
            one.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    p50, p99 = percentile(waits, 0.5), percentile(waits, 0.99)
    print(
        f"CPU of a reply of {TOKENS} tokens, {CALLS} calls at once  {cpu_ms:6.2f} ms   (at most {CPU_MS:g})"
    )
    print(f"how late a 20 ms tick beside them is, p99      {late_ms:6.2f} ms")
    print(f"from leaving to the model's socket closed, p50 {p50:6.2f} ms")
    print(f"                                           p99 {p99:6.2f} ms   (at most {CLOSE_MS:g})")
    return 0 if quick or (cpu_ms <= CPU_MS and p99 <= CLOSE_MS) else 1


def client_of(url: str, session: aiohttp.ClientSession) -> ChatClient:
    return ChatClient([ChatEndpoint(chat_url(url), "stand-in")], session, deadlines=PATIENT)


@asynccontextmanager
async def stand_in() -> AsyncIterator[str]:
    """The address of a stand-in, a process of its own that lives as long as the block lasts."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telephony.testing", "chat", "--pace", str(PACE_S)),
        *("--say", "word " * TOKENS),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


async def turn(client: ChatClient) -> str:
    return "".join([part.text async for part in client.stream(REQUEST) if isinstance(part, TextDelta)])


async def talking(client: ChatClient) -> None:
    """Turn after turn, as a call has them."""
    while True:
        await turn(client)


async def hang_ups(session: aiohttp.ClientSession, times: int) -> list[float]:
    """Milliseconds from leaving a stream to its connection's end, as the model sees it."""
    waits: list[float] = []
    async with FakeChat(always("word " * 1000), pace_s=0.005) as model:
        client = client_of(model.url, session)
        for number in range(times):
            async with aclosing(client.stream(REQUEST)) as parts:
                async for _ in parts:
                    break
                left = time.monotonic()
            asked = await model.asked_again(number + 1)
            await model.idle()
            assert asked.closed_at is not None
            waits.append((asked.closed_at - left) * 1000)
            assert asked.written_after(asked.closed_at) == 0
    return waits


async def many_calls(client: ChatClient, turns: int) -> tuple[float, float]:
    """Milliseconds of CPU a reply, and how late a ticker beside them is, at p99."""
    late: list[float] = []
    ticking = asyncio.create_task(ticks(late))
    await asyncio.gather(*(turn(client) for _ in range(CALLS)))  # connections are made here
    before, idle = cpu_s(), time.monotonic()
    late.clear()
    await asyncio.gather(*(some_turns(client, turns) for _ in range(CALLS)))
    spent = cpu_s() - before
    wall = time.monotonic() - idle
    ticking.cancel()
    ticker_s = await ticker_cost_s(wall)
    return (spent - ticker_s) / (CALLS * turns) * 1000, percentile(late, 0.99) * 1000


async def some_turns(client: ChatClient, turns: int) -> None:
    for _ in range(turns):
        await turn(client)


async def ticks(late: list[float]) -> None:
    now = asyncio.get_running_loop().time
    due = now()
    while True:
        due += TICK_S
        await asyncio.sleep(due - now())
        late.append(now() - due)


async def ticker_cost_s(wall: float) -> float:
    """What the ticker alone costs in so many seconds."""
    ticking, before = asyncio.create_task(ticks([])), cpu_s()
    await asyncio.sleep(wall)
    ticking.cancel()
    return cpu_s() - before


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
