"""What is put into buying is found: each of these faults ends a history."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from billing.domain import (
    joining,
    number_changes,
    number_steps,
    once,
    ordering,
    placing,
    renewing,
    storing,
)
from billing.domain import numbers as life
from billing.domain.account import Account
from billing.domain.canonical import Json
from billing.domain.change import Change
from billing.domain.documents import DocumentNumbers, Line, invoiced
from billing.domain.effects import Effect
from billing.domain.grants import Grant
from billing.domain.number_changes import Numbers, let_go
from billing.domain.numbers import PhoneNumber
from billing.domain.orders import Order
from billing.domain.records import AuditRecord, Operation
from billing.domain.reservations import Holds
from billing.domain.selling_entries import book_sale
from billing.domain.storage import Assessed
from billing.domain.subscription import Subscription
from fakes.book import InMemoryBook
from simulation.errors import InvariantError
from simulation.operations import Simulation

SEEDS = (1, 2, 3, 4, 5, 6)
OPERATIONS = 700

Patch = Callable[[pytest.MonkeyPatch], None]


def _nothing(*_arguments: object, **_named: object) -> None:
    return


def _order_placed_again(patch: pytest.MonkeyPatch) -> None:
    """An idempotency key of an order is not looked for."""
    refuse = InMemoryBook._refuse_recorded_operation

    def broken(self: InMemoryBook, change: Change) -> None:
        if not (change.operation and "/order-" in change.operation.operation_id):
            refuse(self, change)

    recorded = InMemoryBook.operation

    def forgotten(self: InMemoryBook, ref: Any, operation_id: str) -> Operation | None:
        return None if "/order-" in operation_id else recorded(self, ref, operation_id)

    patch.setattr(InMemoryBook, "_refuse_recorded_operation", broken)
    patch.setattr(InMemoryBook, "operation", forgotten)

    def kept(self: InMemoryBook, record: AuditRecord) -> None:
        self._audit[record.account, record.operation_id] = record

    patch.setattr(InMemoryBook, "_keep_audit", kept)


def _delivered_in_part(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ordering, "bundle_lots", lambda *_arguments: ())


def _delivered_twofold(patch: pytest.MonkeyPatch) -> None:
    lots = once.bundle_lots

    def broken(*arguments: Any) -> tuple[Grant, ...]:
        return tuple(
            replace(lot, grant_id=f"{lot.grant_id}{again}")
            for lot in lots(*arguments)
            for again in ("", "x")
        )

    patch.setattr(ordering, "bundle_lots", broken)


def _paid_and_not_delivered(patch: pytest.MonkeyPatch) -> None:
    def broken(account: Account, *_arguments: object) -> Effect:
        return Effect(account)

    patch.setattr(placing, "paid", broken)


def _delivered_without_money(patch: pytest.MonkeyPatch) -> None:
    def broken(
        account: Account, _lines: Iterable[Line], _cause: str, _now: datetime
    ) -> tuple[Account, tuple[()]]:
        return account, ()

    patch.setattr(ordering, "book_sale", broken)


def _quote_not_pinned(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ordering, "check_deliverable", _nothing)


def _quote_lasts_for_ever(patch: pytest.MonkeyPatch) -> None:
    check = ordering.check_placeable

    def broken(quote: Any, *arguments: Any) -> None:
        check(replace(quote, expires_at=quote.expires_at + timedelta(days=9)), *arguments)

    patch.setattr("billing.services.place_order.check_placeable", broken)


def _wallet_overdrawn(patch: pytest.MonkeyPatch) -> None:
    def broken(_account: Account, _holds: Holds, _now: datetime) -> int:
        return 10**15

    patch.setattr(placing, "spendable_micros", broken)


def _invoice_number_skipped(patch: pytest.MonkeyPatch) -> None:
    def broken(numbers: DocumentNumbers, *arguments: Any) -> tuple[DocumentNumbers, Any]:
        return invoiced(replace(numbers, invoices=numbers.invoices + 1), *arguments)

    patch.setattr(ordering, "invoiced", broken)


def _cent_too_much(patch: pytest.MonkeyPatch) -> None:
    def broken(
        account: Account, lines: Iterable[Line], cause: str, now: datetime
    ) -> tuple[Account, Any]:
        dearer = [replace(one, amount_micros=one.amount_micros + 1_000_000) for one in lines]
        return book_sale(account, dearer, cause, now)

    patch.setattr(ordering, "book_sale", broken)


def _released_while_paid(patch: pytest.MonkeyPatch) -> None:
    def broken(
        account: Account, known: Numbers, number: PhoneNumber, cause: str, now: datetime
    ) -> Effect | None:
        return let_go(account, known, [number], cause, now) if number.state.is_held else None

    def released(number: PhoneNumber, now: datetime) -> PhoneNumber:
        return replace(number, state=life.NumberState.RELEASED, renewal="", ended_at=now)

    patch.setattr(number_changes, "asked_to_leave", broken)
    patch.setattr(life, "released", released)


def _number_of_somebody_else(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(InMemoryBook, "_refuse_taken_numbers", _nothing)


def _number_kept_by_nobody(patch: pytest.MonkeyPatch) -> None:
    """An order that fails does not give back the numbers that it claimed."""

    def broken(account: Account, order: Order, now: datetime) -> Effect:
        return replace(placing_unpaid(account, order, now), numbers_freed=())

    placing_unpaid = placing.unpaid
    patch.setattr(placing, "unpaid", broken)


def _number_never_renewed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(number_steps, "_renewed", _nothing)


def _agreed_minimum_not_billed(patch: pytest.MonkeyPatch) -> None:
    def broken(subscription: Subscription, kind: str, _plan: object, _day: object) -> int:
        item = subscription.unit(kind)
        return item.created if item.next_created is None else item.next_created

    patch.setattr(renewing, "renewal_quantity", broken)


def _member_not_counted(patch: pytest.MonkeyPatch) -> None:
    def broken(
        _account: Account, subscription: Subscription, *_arguments: object
    ) -> tuple[Subscription, tuple[Line, ...]]:
        return subscription, ()

    patch.setattr(joining, "with_members", broken)


def _joined_unseen_by_quotes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Subscription, "revised", lambda self: self)


def _storage_charged_again(patch: pytest.MonkeyPatch) -> None:
    gauged = storing.gauged

    def broken(
        account: Account, subscription: Subscription, assessed: Assessed, *arguments: Any
    ) -> Change | None:
        full = replace(assessed, charged_gb=assessed.storage.extended_gb)
        return gauged(account, subscription, full, *arguments)

    patch.setattr("billing.services.gauge_storage.gauged", broken)


def _term_billed_twice(patch: pytest.MonkeyPatch) -> None:
    lines = renewing.renewal_lines

    def broken(*arguments: Any) -> tuple[Line, ...]:
        return lines(*arguments) * 2

    patch.setattr(renewing, "renewal_lines", broken)


def _answered_otherwise(patch: pytest.MonkeyPatch) -> None:
    """What an order came to is forgotten by the time its key is used again."""
    operation = InMemoryBook.operation

    def broken(self: InMemoryBook, ref: Any, operation_id: str) -> Operation | None:
        found = operation(self, ref, operation_id)
        if found is None or "/order-" not in operation_id:
            return found
        said: Mapping[str, Json] = {"order": f"version {self.account(ref).version}"}
        return replace(found, answer=said)

    patch.setattr(InMemoryBook, "operation", broken)


@pytest.mark.parametrize(
    ("put_in", "found_as"),
    [
        pytest.param(_order_placed_again, "was done, and", id="a key orders twice"),
        pytest.param(_delivered_in_part, "brings", id="an order is delivered in part"),
        pytest.param(_delivered_twofold, "brings", id="an order is delivered twofold"),
        pytest.param(_paid_and_not_delivered, "with Recharge", id="charged and not delivered"),
        pytest.param(_delivered_without_money, "is charged 0", id="delivered and not charged"),
        pytest.param(_quote_not_pinned, "was quoted on", id="a quote is not pinned"),
        pytest.param(_quote_lasts_for_ever, "has expired", id="a quote lasts for ever"),
        pytest.param(_wallet_overdrawn, "in the wallet", id="an order overdraws the wallet"),
        pytest.param(_invoice_number_skipped, "follows", id="an invoice number is skipped"),
        pytest.param(_cent_too_much, "is charged", id="more is charged than was quoted"),
        pytest.param(_released_while_paid, "paid for|let go of", id="a paid number is released"),
        pytest.param(_number_of_somebody_else, "takes", id="two accounts have one number"),
        pytest.param(_number_kept_by_nobody, "owners", id="a failed order keeps its number"),
        pytest.param(_number_never_renewed, "no rest|not paid for", id="a number is used unpaid"),
        pytest.param(
            _agreed_minimum_not_billed, "is billed", id="a minimum that was agreed is not billed"
        ),
        pytest.param(_member_not_counted, "counts", id="a member joins for nothing"),
        pytest.param(_joined_unseen_by_quotes, "revision", id="a change leaves the revision"),
        pytest.param(_storage_charged_again, "pays", id="storage is charged with every gauge"),
        pytest.param(_term_billed_twice, "is billed", id="a term is billed twice"),
        pytest.param(_answered_otherwise, "was answered", id="a key is answered otherwise"),
    ],
)
def test_what_is_put_into_buying_is_found(
    put_in: Patch, found_as: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in(monkeypatch)
    with pytest.raises(InvariantError, match=found_as):
        _run_every_seed()


def _run_every_seed() -> None:
    for seed in SEEDS:
        Simulation(seed).run(OPERATIONS)
