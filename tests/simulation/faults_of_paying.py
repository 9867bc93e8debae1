"""Faults in billing, paying and giving back, to be put in by ``test_checker``."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

import pytest

from billing.domain import disputing, dunning, invoicing
from billing.domain.account import Account, AccountRef, Standing
from billing.domain.change import Change
from billing.domain.documents import Invoice
from billing.domain.effects import Effect
from billing.domain.errors import PaymentUnknownError
from billing.domain.records import Event, Payment, Refund
from billing.domain.subscription import Subscription
from billing.ports import Refunded, RefundRefused
from billing.services.bill_account import BillAccount
from billing.services.publish_events import PublishEvents
from billing.services.refund_payment import RefundPayment


def _under_another_name(change: Change, number: int) -> Change:
    assert change.operation is not None
    name = f"{change.operation.operation_id}/{number}"
    return replace(change, operation=replace(change.operation, operation_id=name))


def _period_billed_twice(patch: pytest.MonkeyPatch) -> None:
    """What was billed is not remembered, the first time that it costs anything."""
    decide = BillAccount._decide
    billed = count(1)
    forgotten: set[AccountRef] = set()

    def broken(self: BillAccount, account: Account, now: datetime) -> Change | None:
        change = decide(self, account, now)
        if change is None or not any(isinstance(one, Invoice) for one in change.records):
            return change
        change = _under_another_name(change, next(billed))
        held = self._book.thing(account.ref, Subscription)
        if held is None or account.ref in forgotten:
            return change
        forgotten.add(account.ref)
        records = tuple(
            replace(one, billed_until=held.billed_until) if isinstance(one, Subscription) else one
            for one in change.records
        )
        return replace(change, records=records)

    patch.setattr(BillAccount, "_decide", broken)


def _invoice_paid_twice(patch: pytest.MonkeyPatch) -> None:
    """An invoice that was paid stays on the list of what is owed."""
    paid = invoicing.paid

    def broken(
        account: Account, subscription: Subscription, *arguments: Any, **named: Any
    ) -> Effect:
        effect = paid(account, subscription, *arguments, **named)
        records = tuple(
            replace(one, open_invoices=subscription.open_invoices)
            if isinstance(one, Subscription)
            else one
            for one in effect.records
        )
        return replace(effect, records=records)

    patch.setattr(invoicing, "paid", broken)


def _silence_refuses_a_refund(patch: pytest.MonkeyPatch) -> None:
    ask = RefundPayment._ask

    def broken(self: RefundPayment, refund: Refund) -> Refunded | RefundRefused:
        try:
            return ask(self, refund)
        except PaymentUnknownError:
            return RefundRefused("timeout")

    patch.setattr(RefundPayment, "_ask", broken)


def _refunded_without_the_gateway(patch: pytest.MonkeyPatch) -> None:
    def broken(self: RefundPayment, refund: Refund) -> Refunded | RefundRefused:
        return Refunded(f"{refund.payment_id}_r{refund.number}")

    patch.setattr(RefundPayment, "_ask", broken)


def _dispute_counted_twice(patch: pytest.MonkeyPatch) -> None:
    opened = disputing.open_dispute
    told = count(1)

    def broken(account: Account, payment: Payment, *arguments: Any) -> Change | None:
        change = opened(account, replace(payment, disputes=()), *arguments)
        assert change is not None
        return _under_another_name(change, next(told))

    patch.setattr(disputing, "open_dispute", broken)


def _lost_dispute_given_back(patch: pytest.MonkeyPatch) -> None:
    close = disputing.close_dispute

    def broken(*arguments: Any, is_won: bool) -> Change | None:
        return close(*arguments, is_won=not is_won)

    patch.setattr(disputing, "close_dispute", broken)


def _outbox_dropped(patch: pytest.MonkeyPatch) -> None:
    """Forgotten before it is on the bus: a crash in between loses it."""

    def broken(self: PublishEvents, events: Sequence[Event]) -> None:
        self._events.forget(events)
        self._events.publish(events)

    patch.setattr(PublishEvents, "publish", broken)


def _suspended_at_once(patch: pytest.MonkeyPatch) -> None:
    failed = dunning.failed

    def broken(account: Account, *arguments: Any, **named: Any) -> Effect:
        effect = failed(account, *arguments, **named)
        return replace(effect, account=replace(effect.account, standing=Standing.SUSPENDED))

    patch.setattr(dunning, "failed", broken)


def _never_restored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(invoicing, "restored", lambda account: account)


def _payment_not_spent(patch: pytest.MonkeyPatch) -> None:
    """What comes for an invoice stays in the wallet, and the invoice open."""

    def broken(account: Account, _subscription: object, *_rest: Any, **_named: Any) -> Effect:
        return Effect(account)

    patch.setattr(invoicing, "paid", broken)


FAULTS_OF_PAYING = (
    pytest.param(
        _period_billed_twice,
        "billed twice|is billed|term of",
        id="a period is billed twice",
    ),
    pytest.param(_invoice_paid_twice, "owes", id="an invoice that is paid is still owed"),
    pytest.param(
        _silence_refuses_a_refund,
        "has failed, and was made",
        id="a gateway that does not answer has refused a refund",
    ),
    pytest.param(
        _refunded_without_the_gateway, "was never made", id="a refund succeeds without the gateway"
    ),
    pytest.param(
        _dispute_counted_twice, "disputes say|has become|is lost", id="a dispute is counted twice"
    ),
    pytest.param(
        _lost_dispute_given_back, "at the gateway", id="a dispute that is lost is given back"
    ),
    pytest.param(_outbox_dropped, "never told", id="the outbox is forgotten too early"),
    pytest.param(
        _suspended_at_once,
        "without a warning|is suspended, and is told",
        id="who fails once is suspended",
    ),
    pytest.param(_never_restored, "owes nothing, and is", id="who has paid stays past due"),
    pytest.param(
        _payment_not_spent,
        "has come, and",
        id="what comes for an invoice is not spent on it",
    ),
)
