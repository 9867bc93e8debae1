"""The flows that move money: a world that is ready, what is done once, and what those outside do
again until they know. Schedules fire, queues deliver, clients retry, gateways repeat webhooks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import Account
from billing.domain.audit import By
from billing.domain.change import Change
from billing.domain.collecting_steps import step
from billing.domain.gateway_events import GatewayEvent, GatewayEventKind
from billing.domain.recharging import RechargeMode, RechargePolicy
from billing.domain.records import TimerKind
from billing.domain.subscription import Subscription, first_subscription
from billing.ports import Captured, ChargeRequest, Outcome
from billing.services.collect_recharge import RechargeRequest
from billing.services.place_order import OrderRequest
from billing.services.refund_payment import RefundOrder
from builders import USD, a_posting, a_usage_event
from faults.gateway import (
    DECLINES,
    EXPIRED,
    LOST_AFTER,
    LOST_BEFORE,
    NAME,
    PAYS,
    UPI,
    TruthfulGateway,
)
from faults.world import QUOTE, REF, FaultWorld, Process, an_operation

TO_FIFTY = RechargePolicy(RechargeMode.TARGET, 10 * USD, target_micros=50 * USD)
OFF = RechargePolicy()

Prepare = Callable[[FaultWorld], None]
Step = Callable[[FaultWorld, Process], None]


@dataclass(frozen=True)
class Flow:
    """One way for money to move.

    Args:
        prepare: Makes the world ready; nothing fails yet.
        run: What is done once.
        again: What those outside repeat, whether or not the first time came to its end.
        balance_micros: Where the wallet ends.
        lapsed_micros: Where it ends as well, if nobody came on for a day: what the gateway never
            heard of has failed by then, and what was urgent is not any more.
    """

    name: str
    prepare: Prepare
    run: Step
    again: Step
    balance_micros: int
    lapsed_micros: int | None = None


def cycle(world: FaultWorld, process: Process) -> None:
    """Webhooks, the outbox, both sweeps, and the queue."""
    world.deliver(process)
    world.publish(process)
    world.sweep(process, TimerKind.RECHARGE, TimerKind.PAYMENT)
    world.work(process)


def opened(policy: RechargePolicy, *tokens: str, currency: str = "USD") -> Prepare:
    return lambda world: world.open(policy, *tokens, currency=currency)


def then_cycle(step: Step) -> Step:
    def again(world: FaultWorld, process: Process) -> None:
        step(world, process)
        cycle(world, process)

    return again


def ask(name: str = "key-1", amount_micros: int = 25 * USD, one_off: str | None = None) -> Step:
    request = RechargeRequest(
        amount_micros, an_operation(name, is_pending=True), None, one_off=one_off
    )
    return lambda world, process: world.ask(process, request)


def _approved(world: FaultWorld, process: Process) -> None:
    """The customer approves in time whatever waits for it, and the client looks again."""
    for payment_id in world.gateway.paid:
        world.gateway.approve(payment_id)
    then_cycle(ask(one_off=NAME))(world, process)


class WebhookFirst(TruthfulGateway):
    """Its webhook arrives before its own answer, in another process."""

    deliver: Callable[[GatewayEvent], None]

    def charge(self, request: ChargeRequest) -> Outcome:
        outcome = super().charge(request)
        if isinstance(outcome, Captured):
            self.deliver(event_of(self, outcome.payment_id, GatewayEventKind.CAPTURED))
        return outcome


def event_of(gateway: TruthfulGateway, payment_id: str, kind: GatewayEventKind) -> GatewayEvent:
    request = gateway.paid[payment_id].request
    return GatewayEvent(
        event_id=f"evt_{payment_id}_{kind}",
        kind=kind,
        occurred_at=request.asked_at,
        payment_id=payment_id,
        amount_minor=request.amount_minor,
        currency=request.currency,
        metadata=request.metadata,
        reference=f"dp_{payment_id}",
        code="fraudulent",
    )


def tell(world: FaultWorld, event: GatewayEvent) -> None:
    """The gateway has something to say, and says it until it is taken."""
    if event not in world.told:
        world.told.append(event)
        world.webhooks_due.append(event)


def _webhook_first(world: FaultWorld) -> None:
    gateway = WebhookFirst(world.clock)

    def deliver(event: GatewayEvent) -> None:
        tell(world, event)
        world.deliver(world.process())

    gateway.deliver = deliver
    world.gateway = gateway
    world.open(TO_FIFTY, PAYS)


def _forty_and_early(world: FaultWorld) -> None:
    """The month has room for one payment, however fast the burst burns."""
    policy = RechargePolicy(RechargeMode.FIXED, 10 * USD, 38 * USD, is_early=True)
    world.open(replace(policy, monthly_cap_micros=38 * USD), PAYS)
    ask("fill", 40 * USD)(world, world.process())
    assert world.account.wallet_micros == 40 * USD


BURST = a_usage_event(1, quantity=60)


def _burst(world: FaultWorld, process: Process) -> None:
    """Usage worth $28, which leaves too little for the hours until the next cycle."""

    def decide(account: Account, now: datetime) -> Change | None:
        if world.book.calls(REF.tenant_id, [BURST.key]):
            return None
        event = replace(BURST, answered_at=now, ended_at=now)
        return a_posting(account, [event], now, rate_micros=28 * USD)

    process.change_account(REF, decide)
    world.publish(process)
    world.work(process)


def _paid(world: FaultWorld) -> None:
    world.open(OFF, PAYS)
    ask()(world, world.process())
    assert world.account.wallet_micros == 25 * USD


def refund(amount_micros: int) -> Step:
    def run(world: FaultWorld, process: Process) -> None:
        (payment_id,) = world.gateway.paid
        operation = an_operation("refund-1", is_pending=True)
        world.refund(process, RefundOrder(NAME, payment_id, amount_micros, operation, None))

    return run


def dispute(*kinds: GatewayEventKind) -> Step:
    def run(world: FaultWorld, process: Process) -> None:
        (payment_id,) = world.gateway.paid
        for kind in kinds:
            tell(world, event_of(world.gateway, payment_id, kind))
        world.deliver(process)

    return run


def quoted(prepare: Prepare) -> Prepare:
    def run(world: FaultWorld) -> None:
        prepare(world)
        world.quote()

    return run


def order(
    source_id: str | None = None, one_off: str | None = None, *, is_from_wallet: bool = False
) -> Step:
    request = OrderRequest(
        quote_id=QUOTE,
        operation=an_operation("order-1", is_pending=True),
        by=By("sub", None),
        is_from_wallet=is_from_wallet,
        source_id=source_id,
        one_off=one_off,
    )
    return lambda world, process: world.order(process, request)


def _approved_order(world: FaultWorld, process: Process) -> None:
    for payment_id in world.gateway.paid:
        world.gateway.approve(payment_id)
    then_cycle(order(one_off=NAME))(world, process)


def _overtaken_order(world: FaultWorld, process: Process) -> None:
    """While the order waits for its customer, a member joins."""

    def decide(account: Account, now: datetime) -> Change | None:
        if world.book.thing(REF, Subscription) or not account.recharging.opened:
            return None
        joined = first_subscription(account).revised()
        operation = step(account, "joined", [], now)
        return Change(account, account.next_version(), operation=operation, records=(joined,))

    process.change_account(REF, decide)
    _approved_order(world, process)


def _flows() -> tuple[Flow, ...]:
    disputed, won = GatewayEventKind.DISPUTED, GatewayEventKind.DISPUTE_WON
    return (
        Flow("automatic", opened(TO_FIFTY, PAYS), cycle, cycle, 50 * USD),
        Flow("backup", opened(TO_FIFTY, EXPIRED, DECLINES, PAYS), cycle, cycle, 50 * USD),
        Flow("every source declines", opened(TO_FIFTY, EXPIRED, EXPIRED), cycle, cycle, 0),
        Flow("answer lost after", opened(TO_FIFTY, LOST_AFTER), cycle, cycle, 50 * USD),
        Flow("answer lost before", opened(TO_FIFTY, LOST_BEFORE), cycle, cycle, 50 * USD),
        Flow("mandate", opened(TO_FIFTY, UPI, currency="INR"), cycle, cycle, 50 * USD),
        Flow("early", _forty_and_early, _burst, then_cycle(_burst), 50 * USD, 12 * USD),
        Flow("immediate", opened(OFF, PAYS), ask(), then_cycle(ask()), 25 * USD, 0),
        Flow(
            "immediate, backup", opened(OFF, EXPIRED, PAYS), ask(), then_cycle(ask()), 25 * USD, 0
        ),
        Flow("one-off", opened(OFF, currency="INR"), ask(one_off=NAME), _approved, 25 * USD, 0),
        Flow("webhook first", _webhook_first, cycle, cycle, 50 * USD),
        Flow("refund", _paid, refund(25 * USD), then_cycle(refund(25 * USD)), 0, 25 * USD),
        Flow(
            "refund in part",
            _paid,
            refund(9 * USD),
            then_cycle(refund(9 * USD)),
            16 * USD,
            25 * USD,
        ),
        *_orders(),
        *_invoices(),
        *_numbers(),
        Flow("dispute", _paid, dispute(disputed), then_cycle(dispute(disputed)), 0),
        Flow("dispute won", _paid, dispute(won, disputed), then_cycle(dispute(disputed)), 25 * USD),
    )


def _charge(world: FaultWorld, process: Process) -> None:
    """What the operator charges is invoiced, and collected like every invoice."""
    world.charge(process)
    world.sweep(process, TimerKind.BILLING)
    cycle(world, process)


def _invoices() -> tuple[Flow, ...]:
    """Whatever pays an invoice is spent on it as it comes; the wallet stays as it was."""
    return (Flow("invoice, unknown", opened(OFF, LOST_AFTER), _charge, _charge, 0),)


def _held(prepare: Prepare) -> Prepare:
    def run(world: FaultWorld) -> None:
        prepare(world)
        world.hold_number()

    return run


def _renew(world: FaultWorld, process: Process) -> None:
    world.renew(process)
    cycle(world, process)


def _numbers() -> tuple[Flow, ...]:
    """A number is renewed by the payment that comes for it; the wallet stays as it was."""
    return (Flow("numbers, unknown", _held(opened(OFF, LOST_AFTER)), _renew, _renew, 0),)


def _orders() -> tuple[Flow, ...]:
    pays, loses = order(f"src-0-{PAYS}"), order(f"src-0-{LOST_AFTER}")
    wallet, upi = order(is_from_wallet=True), order(one_off=NAME)
    rupees = quoted(opened(OFF, currency="INR"))
    return (
        Flow("order", quoted(opened(OFF, PAYS)), pays, then_cycle(pays), 0),
        Flow("order, unknown", quoted(opened(OFF, LOST_AFTER)), loses, then_cycle(loses), 0),
        Flow("order, one-off", rupees, upi, _approved_order, 0),
        Flow("order, overtaken", rupees, upi, _overtaken_order, 12 * USD, 0),
        Flow("order, wallet", quoted(_paid), wallet, then_cycle(wallet), 13 * USD, 25 * USD),
    )


FLOWS = _flows()
