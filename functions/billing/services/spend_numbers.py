"""What payments for numbers are spent on: their renewal, in the very Change that credits them."""

from datetime import datetime

from billing.domain import number_changes
from billing.domain.account import Account
from billing.domain.declines import NEVER_CHARGED
from billing.domain.effects import Effect, Spend
from billing.domain.number_renewing import NumberRenewal
from billing.domain.records import Recharge
from billing.ports import Book, Catalogs
from billing.services.read_numbers import ReadNumbers


class SpendNumbers:
    """Implements Spends: a payment's purpose names the renewal it was collected for."""

    def __init__(self, book: Book, catalogs: Catalogs) -> None:
        self._book = book
        self._numbers = ReadNumbers(book, catalogs)

    def captured(self, recharge: Recharge, payment: tuple[str, str], now: datetime) -> Spend:
        renewal = self._renewal(recharge)
        known, plan = self._numbers.of(self._book.account(recharge.account))
        gateway, payment_id = payment
        label = self._label(recharge)

        def spend(account: Account) -> Effect:
            return number_changes.renewed(
                account,
                known,
                plan,
                renewal,
                f"{account.ref.account_id}/payment/{gateway}/{payment_id}",
                now,
                payment=payment,
                source_label=label,
            )

        return spend

    def given_up(self, recharge: Recharge, now: datetime) -> Spend:
        """Those that wait for it are put on hold; but one that a person pays for is that person's
        to see, and is on hold already."""
        renewal = self._renewal(recharge)
        known, _ = self._numbers.of(self._book.account(recharge.account))
        is_heard = any(one.failure_code != NEVER_CHARGED for one in recharge.attempts)

        def spend(account: Account) -> Effect:
            cause = f"{account.ref.account_id}/recharge/{recharge.ordinal}/given-up"
            return number_changes.unrenewed(account, known, renewal, cause, now, is_heard=is_heard)

        return spend

    def _renewal(self, recharge: Recharge) -> NumberRenewal:
        assert recharge.purpose is not None, "it is collected for numbers"
        renewal = self._book.thing(recharge.account, NumberRenewal, recharge.purpose.name)
        assert renewal is not None, "a renewal and its payment are written together"
        return renewal

    def _label(self, recharge: Recharge) -> str:
        """What the customer calls who pays."""
        source_id = recharge.attempt.source_id
        if not source_id:
            return recharge.attempt.method.value.upper()
        return self._book.funding_source(recharge.account, source_id).label
