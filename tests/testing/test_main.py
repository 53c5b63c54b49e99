"""`python -m telephony.testing`: both halves of the speech service on one port, in their own process."""

from __future__ import annotations

import asyncio
import sys

from telephony.deepgram.transport import connected, sdk_client, speech_session


async def test_the_stand_ins_run_by_themselves() -> None:
    """The URL is printed; listening and speaking answer there; SIGTERM ends it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "telephony.testing", "both", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    sdk = sdk_client(url, "")
    async with speech_session() as session:
        for connect in (
            lambda: sdk.listen.v2.connect(model="flux-general-en", encoding="mulaw", sample_rate=8000),
            lambda: sdk.speak.v2.connect(model="flux-haley-en", encoding="mulaw", sample_rate=8000),
        ):
            async with connected(connect, session) as (connection, _):
                assert (await connection.recv()).type == "Connected"
    process.terminate()
    assert await process.wait() == 0
