"""How calls go on when their media sockets have closed: next steps and transfers."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from telephony.base.phone_numbers import country_of
from telephony.base.shared_store_memory import FailOpen
from telephony.carrier.call_flow import NextStep, ResumeReason, Step, answer_after
from telephony.carrier.rest import TwilioRefused, TwilioRest
from telephony.carrier.twiml import render
from telephony.config.dial_policy import Forbidden, TransferPolicy, named_targets
from telephony.config.settings import Settings
from telephony.server.admission import Admission
from telephony.server.shared_calls import CONVERSATION_TTL_S

log = logging.getLogger(__name__)

NEXT_TTL_S = 60.0  # Twilio asks for what follows within a second of the socket's close


class NextSteps:
    """The next steps of all calls, which any process may answer."""

    def __init__(
        self, settings: Settings, shared: FailOpen, rest: TwilioRest | None, admission: Admission
    ) -> None:
        self._public_url = settings.public_url
        self._shared = shared
        self._rest = rest
        self._admission = admission
        self._policy = TransferPolicy(settings.dial_from, settings.dial_prefixes)
        self.allow_transfers((settings.human_number, *dict(settings.transfer_to).values()))

    async def set(self, call_sid: str, step: NextStep) -> None:
        """Store how the call goes on. Await this before its media socket is closed: Twilio asks at once.

        A transfer is made by REST where that is possible. Twilio then ends the stream and does not ask. The
        step stays stored until REST has answered, in case it never does.
        """
        if step.then is Step.TRANSFER:
            step = NextStep.transfer(step.to)
        if step.then is Step.TRANSFER:
            await self._shared.put(f"away:{call_sid}", {"with": "dial"}, CONVERSATION_TTL_S)
        await self._shared.put(f"next:{call_sid}", step.as_dict(), NEXT_TTL_S)
        await self._shared.take(f"after:{call_sid}")  # the next request is not a repetition
        if step.then is Step.TRANSFER and self._rest is not None and self._public_url:
            await self._redirect(self._rest, call_sid, step)

    async def _redirect(self, rest: TwilioRest, call_sid: str, step: NextStep) -> None:
        answer = answer_after(step, {})
        after_url = f"{self._public_url}/twilio/after"
        try:
            await rest.redirect(call_sid, render(answer.template, after_url=after_url, **answer.values))
        except TwilioRefused as error:
            log.warning("call %s: no transfer by REST, closing the socket does it: %s", call_sid, error)
            return
        await self._shared.take(f"next:{call_sid}")

    async def pop(self, call_sid: str) -> NextStep | None:
        """The step that was stored, once."""
        left = await self._shared.take(f"next:{call_sid}")
        return None if left is None else NextStep.from_dict(left)

    def allow_transfers(self, named: Iterable[str]) -> None:
        """Callers may be transferred to these, too: the operator wrote them down."""
        targets = named_targets(named, country_of(self._policy.own))
        self._policy = replace(self._policy, named=self._policy.named | targets)

    def transfer(self, call_sid: str, to: str, called: str) -> NextStep:
        """The step of an agent's Transfer in a call to our number `called`.

        When the transfer is not allowed, the conversation goes on, and the caller hears that nobody could be
        reached.
        """
        if NextStep.transfer(to).then is not Step.TRANSFER:  # keys, or music
            return NextStep(Step.TRANSFER, to=to)
        try:
            return NextStep(Step.TRANSFER, to=self._policy.target(to, called))
        except Forbidden as error:
            log.warning("call %s: no transfer: %s", call_sid, error)
            self._admission.refused("transfer")
            return NextStep(Step.RESUME, text=ResumeReason.TRANSFER_REFUSED)
