"""The flows that move money, from their beginning in a handler or at the API, on our own wire."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from billing.adapters.gateways import sandbox
from billing.adapters.gateways.sandbox_truth import collected
from billing.domain.account import Account
from billing.domain.audit import By
from billing.domain.billing_profiles import Series
from billing.domain.change import Change
from billing.domain.charging import Charge
from billing.domain.collecting import relevel
from billing.domain.crediting import Given
from billing.domain.decks import deck_digest, parse_deck, serialise_deck
from billing.domain.numbers import NumberState, PhoneNumber
from billing.domain.orders import Want, WantKind
from billing.domain.payments import PaymentMethod
from billing.domain.recharging import RechargeMode, RechargePolicy, Recharging
from billing.domain.records import FundingSource, Operation, OperationState
from billing.domain.selling import Bundle
from billing.domain.units import Unit
from billing.ports import AlreadyRecordedError, DeckVersion
from billing.services.collect_recharge import RechargeRequest
from billing.services.open_account import NewAccount
from billing.services.place_order import OrderRequest
from billing.services.refund_payment import RefundOrder
from builders import USD, a_usage_event, an_audit_record
from catalogs import GROWTH, STARTER, a_catalog, monthly, price
from faults.wire_outside import BEGUN, REF, Asked, Client
from faults.wire_world import WireWorld

TO_FIFTY = RechargePolicy(RechargeMode.TARGET, 10 * USD, target_micros=50 * USD)
OFF = RechargePolicy()
QUOTE = "quo_of_a_bundle"
BUNDLE = Bundle("minutes", "100 minutes", Unit.VOICE_SECONDS, 6_000, price(12, tax=""))
PLAIN = "plain"
PAID = "paid"
DECK = """\
prefix,destination,rate,first_increment_seconds,next_increment_seconds
1,North America,0.06,1,1
"""

Prepare = Callable[[WireWorld], None]


@dataclass(frozen=True)
class WireFlow:
    """One way for money to move.

    Args:
        prepare: Makes the world ready; nothing fails yet.
        wallet_micros: Where the wallet may end: what was urgent may be too late.
        asked: What clients ask for, in turn; the rest begins by itself.
    """

    name: str
    prepare: Prepare
    wallet_micros: tuple[int, ...]
    asked: tuple[Asked, ...] = ()
    are_webhooks_early: bool = False


def opened(policy: RechargePolicy, *tokens: str, plan: str = "starter") -> Prepare:
    """An account with an empty wallet, and sources in their order."""

    def prepare(world: WireWorld) -> None:
        with world.unwatched() as talktime:
            _sell(world)
            wanted = NewAccount(REF, "Main", "USD", "UTC", 1, plan, "standard")
            talktime.open_account.open(wanted, "open", "b" * 64, "Acme")
            account = talktime.book.account(REF)
            change = _with_sources(account, policy, tokens)
            talktime.book.commit(change)
            talktime.change_account(REF, relevel)

    return prepare


def _with_sources(account: Account, policy: RechargePolicy, tokens: tuple[str, ...]) -> Change:
    sources = tuple(
        FundingSource(
            account=REF,
            source_id=f"src-{place}",
            gateway=sandbox.NAME,
            token=token,
            label=token,
            created_at=BEGUN,
            method=PaymentMethod.CARD,
        )
        for place, token in enumerate(tokens)
    )
    ids = tuple(source.source_id for source in sources)
    recharging = Recharging(
        policy=policy, default_source_id=ids[0] if ids else None, backup_source_ids=ids[1:]
    )
    after = replace(account, recharging=recharging).next_version()
    return Change(account, after, operation=_operation("sources"), records=sources)


def _sell(world: WireWorld) -> None:
    with world.unwatched() as talktime:
        paid = replace(GROWTH, units=(), price=monthly(30, tax=""))
        plain = replace(STARTER, recurring_grants=())
        talktime.catalogs.save(a_catalog(plans=(plain, paid), bundles=(BUNDLE,)), 0)
        table = parse_deck(DECK)
        body = serialise_deck(table)
        version = DeckVersion(
            "standard",
            1,
            "USD",
            BEGUN - timedelta(days=1),
            "up",
            6,
            deck_digest(body),
            len(table),
            BEGUN,
        )
        talktime.decks.store(version, body)


def _operation(name: str, *, is_pending: bool = False) -> Operation:
    state = OperationState.PENDING if is_pending else OperationState.SUCCEEDED
    return Operation(name, "b" * 64, REF, state, None, BEGUN)


def then(prepare: Prepare, *asked: Asked, later: timedelta = timedelta(0)) -> Prepare:
    """The same, once this was asked for and everything has come to rest."""

    def run(world: WireWorld) -> None:
        prepare(world)
        world.outside.asking = list(asked)
        world.rest(later)

    return run


def recharged(amount_micros: int = 25 * USD) -> Asked:
    def request(client: Client) -> None:
        client.saga(
            "key-1",
            lambda pending: client.talktime.collect_recharge.request(
                REF, RechargeRequest(amount_micros, pending, None)
            ),
        )

    return Asked("recharge", request)


def refunded(amount_micros: int) -> Asked:
    def request(client: Client) -> None:
        talktime = client.talktime
        (payment,) = collected(client.documents)

        def begin(pending: Operation) -> object:
            order = RefundOrder(sandbox.NAME, payment.payment_id, amount_micros, pending, None)
            return talktime.refund_payment.refund(REF, order)

        client.saga("refund-1", begin, talktime.refund_payment.finish_open)

    return Asked("refund", request)


def ordered(source_id: str | None = None) -> Asked:
    def request(client: Client) -> None:
        client.saga(
            "order-1",
            lambda pending: client.talktime.place_order.place(
                REF,
                OrderRequest(
                    quote_id=QUOTE,
                    operation=pending,
                    by=By("sub", None),
                    is_from_wallet=source_id is None,
                    source_id=source_id,
                    one_off=None,
                ),
            ),
        )

    return Asked("order", request)


def used(seconds: int) -> Asked:
    """A provider's webhook has taken a call, and sends it to the queue until that has it."""

    def request(client: Client) -> None:
        event = a_usage_event(1, now=BEGUN, quantity=seconds)
        client.talktime.usage_queue.send(REF, [event])

    return Asked("usage", request)


def once(name: str, do: Callable[[Client], object]) -> Asked:
    """A request that is done as soon as it is recorded."""

    def request(client: Client) -> None:
        with suppress(AlreadyRecordedError):
            do(client)

    return Asked(name, request)


CHARGED = once(
    "charge",
    lambda client: client.talktime.charge_account.charge(
        REF,
        [Charge("Training", 12 * USD)],
        _operation("charge-1"),
        an_audit_record(REF, operation_id="charge-1"),
        is_at_once=True,
    ),
)
CREDITED = once(
    "credit note",
    lambda client: client.talktime.credit_invoice.credit(
        REF,
        1,
        [Given(0, 5 * USD)],
        "a day less",
        _operation("credit-1"),
        an_audit_record(REF, operation_id="credit-1"),
    ),
)


def printed(series: Series, number: int = 1) -> Asked:
    def request(client: Client) -> None:
        client.talktime.read_documents.link(REF, series, number)

    return Asked(f"print {series}", request)


def quoted(prepare: Prepare) -> Prepare:
    def run(world: WireWorld) -> None:
        prepare(world)
        with world.unwatched() as talktime:
            wants = (Want(WantKind.BUNDLE, BUNDLE.bundle_id),)
            talktime.quote_order.quote(REF, wants, QUOTE)

    return run


def disputed(prepare: Prepare, *, won: bool | None = None) -> Prepare:
    """The customer disputes the one payment there is; the webhooks are on their way."""

    def run(world: WireWorld) -> None:
        prepare(world)
        with world.unwatched():
            (payment,) = collected(world.documents)
            dispute_id = world.gateway().dispute(payment.payment_id)
            if won is not None:
                world.gateway().close_dispute(dispute_id, won=won)

    return run


def held_number(prepare: Prepare) -> Prepare:
    """A number that is paid until the period ends, and is to be renewed then."""

    def run(world: WireWorld) -> None:
        prepare(world)
        with world.unwatched() as talktime:
            account = talktime.book.account(REF)
            number = PhoneNumber(
                account=REF,
                e164="+14155550100",
                type_id="local",
                capabilities=("voice",),
                state=NumberState.ACTIVE,
                is_auto_pay=True,
                catalog_version=1,
                ordered_at=BEGUN,
                paid_until=account.period.end_at,
            )
            operation = _operation("number")
            change = Change(account, account.next_version(), operation=operation, records=(number,))
            talktime.book.commit(change)
            end_at = account.period.end_at
        world.rest(end_at - world.now())

    return run


def month_later(prepare: Prepare) -> Prepare:
    """At rest, on the first second of the next period."""

    def run(world: WireWorld) -> None:
        prepare(world)
        world.rest()
        with world.unwatched() as talktime:
            end_at = talktime.book.account(REF).period.end_at
        world.rest(end_at - world.now())

    return run


def _flows() -> tuple[WireFlow, ...]:
    pays, loses = sandbox.SUCCEEDS, sandbox.TIMES_OUT_AFTER_CHARGING
    paid = then(opened(OFF, pays), recharged())
    charged = then(opened(OFF, pays), CHARGED)
    return (
        WireFlow("usage", opened(OFF), (-120_000,), (used(120),)),
        WireFlow("automatic recharge", opened(TO_FIFTY, pays), (50 * USD,)),
        WireFlow("webhook first", opened(OFF, pays), (25 * USD, 0), (recharged(),), True),
        WireFlow("immediate recharge", opened(OFF, pays), (25 * USD, 0), (recharged(),)),
        WireFlow(
            "backup after declines",
            opened(TO_FIFTY, sandbox.EXPIRED, sandbox.DECLINES, pays),
            (50 * USD,),
        ),
        WireFlow("unknown, was charged", opened(TO_FIFTY, loses), (50 * USD,)),
        WireFlow(
            "unknown, was not charged",
            opened(TO_FIFTY, sandbox.TIMES_OUT_WITHOUT_CHARGING),
            (50 * USD,),
        ),
        WireFlow("refund", paid, (16 * USD, 25 * USD), (refunded(9 * USD),)),
        WireFlow("dispute", disputed(paid), (0,)),
        WireFlow("dispute won", disputed(paid, won=True), (25 * USD,)),
        WireFlow("order from a source", quoted(opened(OFF, pays)), (0,), (ordered("src-0"),)),
        WireFlow("order from the wallet", quoted(paid), (13 * USD, 25 * USD), (ordered(),)),
        WireFlow("period's invoice", month_later(opened(OFF, pays, plan="growth")), (0,)),
        WireFlow("number renewed", held_number(opened(OFF, pays)), (0,)),
        WireFlow("charge invoiced", opened(OFF, pays), (0,), (CHARGED,)),
        WireFlow(
            "credit note, printed",
            charged,
            (5 * USD,),
            (CREDITED, printed(Series.CREDIT_NOTES)),
        ),
        WireFlow("receipt printed", charged, (0,), (printed(Series.RECEIPTS),)),
    )


FLOWS = _flows()
