"""What must hold of what is stored, once nothing waits for anybody any more."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TypeVar

from billing.adapters.dynamodb import items, keys
from billing.adapters.gateways.sandbox import NAME, SandboxCharge
from billing.adapters.gateways.sandbox_truth import collected
from billing.domain.account import Account
from billing.domain.documents import CreditNote, Invoice, InvoiceState, LineKind, Receipt
from billing.domain.ledger import EntryKind, LedgerEntry, prove
from billing.domain.numbers import PhoneNumber
from billing.domain.orders import Order, OrderState
from billing.domain.records import Operation, OperationState, TimerKind
from billing.domain.things import Thing
from faults.wire_deployment import TABLE
from faults.wire_outside import REF
from faults.wire_world import WireWorld, raw
from faults.world import DISPUTED, GIVEN_BACK

T = TypeVar("T", bound=Thing)


def assert_all_agree(world: WireWorld) -> None:
    """Ours and the gateway's books, what was delivered for the money, and what is left undone."""
    account, entries = _account(world), _entries(world)
    assert prove(account, entries).is_sound
    assert account.wallet_micros == sum(entry.wallet_change_micros for entry in entries)
    charges = collected(world.documents)
    _assert_credited_once(entries, charges)
    _assert_given_back(entries, charges)
    _assert_delivered(world, entries, charges)
    _assert_nothing_is_left(world, account)


def _assert_credited_once(entries: list[LedgerEntry], charges: list[SandboxCharge]) -> None:
    credited = [
        (entry.cause, entry.amount_micros) for entry in entries if entry.kind is EntryKind.RECHARGE
    ]
    captured = [
        (f"{REF.account_id}/payment/{NAME}/{one.payment_id}", one.amount_minor * 10_000)
        for one in charges
    ]
    assert sorted(credited) == sorted(captured), "captured money is credited exactly once"
    recharges = [one.metadata["recharge"] for one in charges]
    assert len(set(recharges)) == len(recharges), "a recharge is captured once"


def _assert_given_back(entries: list[LedgerEntry], charges: list[SandboxCharge]) -> None:
    back = -sum(entry.wallet_change_micros for entry in entries if entry.kind in GIVEN_BACK)
    assert back == sum(one.refunded_minor for one in charges) * 10_000
    disputed = [entry for entry in entries if entry.kind in DISPUTED]
    assert len({entry.cause for entry in disputed}) == len(disputed)


def _assert_delivered(
    world: WireWorld, entries: list[LedgerEntry], charges: list[SandboxCharge]
) -> None:
    """Whole or not at all, once, and never without its money."""
    orders, invoices = _things(world, Order), _things(world, Invoice)
    assert all(one.state is not OrderState.PENDING for one in orders)
    assert [one.number for one in invoices] == list(range(1, len(invoices) + 1))
    paid = [one for one in invoices if one.state is InvoiceState.PAID]
    assert paid == invoices, "what was billed was collected"
    sold = -sum(e.wallet_change_micros for e in entries if e.kind is EntryKind.SALE)
    assert sold == sum(one.sums.total_micros for one in paid)
    causes = [one.cause for one in invoices]
    assert len(set(causes)) == len(causes), "one cause, one invoice"
    delivered = [one for one in orders if one.state is OrderState.DELIVERED]
    bundles = [one for one in _account(world).grants if one.recurring_id is None]
    assert len(delivered) == len(bundles) <= 1
    receipts = _things(world, Receipt)
    assert [one.number for one in receipts] == list(range(1, len(receipts) + 1))
    received = sorted(one.payment_id for one in receipts if one.gateway)
    assert received == sorted(one.payment_id for one in charges), "each payment has one receipt"
    notes = _things(world, CreditNote)
    assert [one.number for one in notes] == list(range(1, len(notes) + 1))
    renewed = [one for one in invoices if one.lines[0].kind is LineKind.NUMBER]
    for number in _things(world, PhoneNumber):
        assert not number.renewal, "no number waits for ever"
        is_paid = number.paid_until == _account(world).period.end_at
        assert is_paid == bool(renewed), "a number is paid for exactly where its money came"


def _assert_nothing_is_left(world: WireWorld, account: Account) -> None:
    assert not account.recharging.opened, "everything comes to an end"
    assert not account.recharging.refunds
    far = world.now() + timedelta(days=365)
    assert TimerKind.PAYMENT not in world.due_kinds(far), "no payment is looked after for ever"
    assert not world.outside.asking, "every client has its answer"
    assert not world.aws.queues.waiting, "every message was worked on"
    stored = world.table.items
    assert not [pk for pk, _ in stored if keys.is_event(pk)], "the outbox is emptied"
    told = {one["Detail"] for one in world.aws.bus.events}
    assert told >= world.outside.announced, "no event is lost"
    for (pk, _), item in stored.items():
        if pk.startswith("OP#"):
            operation = items.record_of(Operation, raw(item))
            assert operation.state not in (OperationState.PENDING, OperationState.UNKNOWN)


def _account(world: WireWorld) -> Account:
    pk, sk = keys.account_state(REF)
    return items.account_of(raw(world.table.items[pk, sk]))


def _entries(world: WireWorld) -> list[LedgerEntry]:
    found = [
        items.entry_of(raw(item))
        for (pk, _), item in world.table.items.items()
        if keys.is_ledger(pk)
    ]
    return sorted(found, key=lambda entry: entry.sequence)


def _things(world: WireWorld, kind: type[T]) -> list[T]:
    return [items.thing_of(kind, raw(item)) for item in _items_of(world, kind)]


def _items_of(world: WireWorld, kind: type[Thing]) -> Iterator[dict[str, dict[str, object]]]:
    partition, prefix = keys.thing(REF, kind.KIND, "")
    for (pk, sk), item in sorted(world.aws.dynamodb.tables[TABLE].items.items()):
        if pk == partition and sk.startswith(prefix):
            yield item
