"""What a gateway tells by webhook, late, twice, in any order; and what people do there."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from billing.adapters.gateways.sandbox_records import RefundStanding
from billing.adapters.queues import QueueError, SqsWorkQueue
from billing.domain.errors import (
    BookBusyError,
    PaymentNotCreditedError,
    PaymentUnknownError,
)
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind
from billing.services.take_gateway_event import TakeGatewayEvent
from simulation.desk import PayDesk
from simulation.world import World

LATER = (
    BookBusyError,
    ConnectionError,
    PaymentNotCreditedError,
    PaymentUnknownError,
    QueueError,
)
"""Answered with 5xx: the gateway sends it again."""

DELAYS_SECONDS = (0, 30, 900, 7_200, 86_400, 4 * 86_400)
"""How late an event is sent; between 0 and 30 s before its own answer is written."""

TWICE = 0.3
"""Events that are sent once more, at another time."""

NEVER = 0.15
"""Events that are never sent, of those that asking finds out as well."""

FOUND_BY_ASKING = (
    GatewayEventKind.CAPTURED,
    GatewayEventKind.DECLINED,
    GatewayEventKind.SOURCE_SAVED,
)


@dataclass(frozen=True, slots=True)
class Letter:
    """One event on its way, not there before its time."""

    event: GatewayEvent
    not_before: datetime


class GatewayNews:
    """Sends what the gateway has to tell through the real service until it is taken."""

    def __init__(self, world: World, desk: PayDesk) -> None:
        self.letters: list[Letter] = []
        self._world = world
        self._sent: list[GatewayEvent] = []
        take = TakeGatewayEvent(
            book=world.remote.book,
            change_account=world.change_account,
            collect_recharge=world.collect,
            refund_payment=desk.plain_refund,
            confirm_source=desk.plain_confirm,
            queue=SqsWorkQueue("recharge", world.sqs(world.recharge_queue)),
        )
        self._take = cast(TakeGatewayEvent, world.watched(take, *LATER))

    def deliver(self) -> str:
        """Some of what is due, in any order."""
        self._write()
        now = self._world.clock.true_now
        due = [letter for letter in self.letters if letter.not_before <= now]
        if not due:
            return "nothing to tell"
        (chosen,) = self._world.random.sample(due, 1)
        return self._send(chosen)

    def deliver_at_once(self) -> str:
        """The newest, before the gateway's own answer has arrived."""
        self._write()
        if not self.letters:
            return "nothing to tell"
        return self._send(self.letters[-1])

    def repeat(self) -> str:
        """Something that was taken long ago."""
        if not self._sent:
            return "nothing was told"
        event = self._world.random.choice(self._sent[-200:])
        return self._send(Letter(event, self._world.clock.true_now))

    def deliver_all(self) -> str:
        """Everything, whenever it was due."""
        self._write()
        return "; ".join(self._send(letter) for letter in list(self.letters))

    def _send(self, letter: Letter) -> str:
        event = letter.event
        said = f"{event.kind} {event.payment_id or event.reference}"
        try:
            taken = self._take.take(self._world.gateway.name, event)
        except LATER as error:
            return f"{said}: {error!r}"
        if letter in self.letters:
            self.letters.remove(letter)
        self._sent.append(event)
        return f"{said}: {taken}"

    def _write(self) -> None:
        """What is new is put on its way: once, twice or never."""
        random, now = self._world.random, self._world.clock.true_now
        for event in self._world.gateway.news():
            is_needed = event.kind not in FOUND_BY_ASKING
            if not is_needed and random.random() < NEVER:
                continue
            for _ in range(2 if random.random() < TWICE else 1):
                delay = timedelta(seconds=random.choice(DELAYS_SECONDS))
                self.letters.append(Letter(event, now + delay))


class GatewayPeople:
    """Card holders and their banks, and whoever works at the gateway's own dashboard."""

    def __init__(self, world: World) -> None:
        self._world = world

    def refund_elsewhere(self) -> str:
        """At the dashboard, part of a payment or the whole."""
        gateway, random = self._world.gateway, self._world.random
        payment_id = self._some_payment()
        if payment_id is None:
            return "nothing was captured"
        charge = next(one for one in gateway.captured() if one.payment_id == payment_id)
        amount_minor = max(1, charge.amount_minor * random.choice((1, 3, 10)) // 10)
        return f"{payment_id}: {gateway.refund_elsewhere(payment_id, amount_minor)}"

    def fail_refund(self) -> str:
        """The customer's bank sends back what was given back."""
        gateway = self._world.gateway
        payment_id = self._some_payment(is_refunded=True)
        lines = gateway.refunds(payment_id) if payment_id else []
        made = [one for one in lines if one.standing is RefundStanding.REFUNDED]
        if not made:
            return "nothing was refunded"
        refund_id = self._world.random.choice(made).refund_id
        gateway.fail_refund(refund_id)
        return refund_id

    def dispute(self) -> str:
        payment_id = self._some_payment()
        if payment_id is None:
            return "nothing was captured"
        self._world.gateway.dispute(payment_id)
        return payment_id

    def decide(self) -> str:
        """The bank decides a dispute; once decided, it stays so."""
        gateway = self._world.gateway
        disputes = [gateway.disputed(one.payment_id) for one in gateway.captured()]
        still_open = [
            one[0] for one in disputes if one is not None and one[2] is GatewayEventKind.DISPUTED
        ]
        if not still_open:
            return "nothing is disputed"
        dispute_id = self._world.random.choice(still_open)
        is_won = self._world.random.random() < 0.5
        gateway.close_dispute(dispute_id, won=is_won)
        return f"{dispute_id} {'won' if is_won else 'lost'}"

    def _some_payment(self, *, is_refunded: bool = False) -> str | None:
        """One of the latest that were captured."""
        found = [
            one
            for one in self._world.gateway.captured()
            if not is_refunded or self._world.gateway.refunds(one.payment_id)
        ]
        return self._world.random.choice(found).payment_id if found else None
