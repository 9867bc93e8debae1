"""Everybody's phone numbers: one owner each; what is paid for stays, what is gone costs nothing."""

from datetime import datetime

from billing.domain.account import AccountRef
from billing.domain.change import Change
from billing.domain.documents import CreditNote, Invoice, LineKind
from billing.domain.numbers import NumberState, PhoneNumber
from billing.domain.orders import Order, OrderState
from simulation.errors import require

HELD = (NumberState.PENDING, NumberState.ACTIVE, NumberState.ON_HOLD)
FOLLOWING = {
    NumberState.PENDING: (NumberState.PENDING, NumberState.ACTIVE, NumberState.FAILED),
    NumberState.ACTIVE: (NumberState.ACTIVE, NumberState.ON_HOLD, NumberState.RELEASED),
    NumberState.ON_HOLD: (NumberState.ON_HOLD, NumberState.ACTIVE, NumberState.RELEASED),
}
COSTS = (LineKind.NUMBER, LineKind.NUMBER_SETUP)

Life = tuple[AccountRef, str, datetime]
"""A number from one order of it to its end."""


class NumberChecker:
    """Follows all numbers of all accounts: what one account has, no other one may."""

    def __init__(self) -> None:
        self._owners: dict[str, AccountRef] = {}
        self._numbers: dict[tuple[AccountRef, str], PhoneNumber] = {}
        self._billed: set[tuple[Life, object]] = set()
        self._invoices: set[tuple[AccountRef, int]] = set()

    def check(self, change: Change) -> None:
        """
        Raises:
            InvariantError: A number has two owners or none, goes while it is paid for, is billed
                when it is gone, or has become what it cannot.
        """
        ref = change.after.ref
        for e164 in change.numbers_freed:
            require(self._owners.pop(e164, None) == ref, f"{ref} frees {e164}")
        for e164 in change.numbers_claimed:
            require(e164 not in self._owners, f"{ref} takes {e164} of {self._owners.get(e164)}")
            self._owners[e164] = ref
        for record in change.records:
            if isinstance(record, PhoneNumber):
                self._check_number(change, record)
        for record in change.records:
            if isinstance(record, Invoice):
                self._check_billed(ref, record)

    def _check_number(self, change: Change, number: PhoneNumber) -> None:
        ref = change.after.ref
        before = self._numbers.get((ref, number.e164))
        if before is not None and before.ordered_at != number.ordered_at:
            require(before.state not in HELD, f"{number} is ordered, and {before} is there")
            before = None
        self._numbers[ref, number.e164] = number
        is_held = number.state in HELD
        require((self._owners.get(number.e164) == ref) == is_held, f"whose is {number}?")
        if before is None:
            require(number.state is NumberState.PENDING, f"{number} was never ordered")
            is_ordered = any(
                isinstance(one, Order) and one.state is OrderState.DELIVERED
                for one in change.records
            )
            require(is_ordered, f"{number} comes without an order")
            return
        allowed = FOLLOWING.get(before.state, (before.state,))
        require(number.state in allowed, f"{before} has become {number.state}")
        if number.state is NumberState.RELEASED:
            until, at = number.paid_until, number.ended_at
            is_over = until is not None and at is not None and until <= at
            require(is_over, f"{number} is released while it is paid for")
            require(bool(before.is_leaving or before.hold_reason), f"{before} was let go of")
        if number.state is NumberState.ON_HOLD:
            says_why = number.hold_reason is not None and number.release_at is not None
            require(says_why, f"{number} is on hold for nothing")
        if number.state is NumberState.FAILED:
            self._check_credited(change, number)
        self._check_paid(change, before, number)

    def _check_paid(self, change: Change, before: PhoneNumber, number: PhoneNumber) -> None:
        """It is paid for until the period's end: by its order, by a line, or because it is free."""
        if before.paid_until == number.paid_until:
            is_back = (before.state, number.state) == (NumberState.ON_HOLD, NumberState.ACTIVE)
            require(not is_back, f"{number} is back without being paid for")
            return
        period = change.after.period
        require(number.paid_until == period.end_at, f"{number} is not paid until {period.end_at}")
        if before.state is NumberState.PENDING:
            return
        ended = before.paid_until is not None and before.paid_until <= period.start_at
        require(ended, f"{before} is paid for already, and is again")

    def _check_billed(self, ref: AccountRef, invoice: Invoice) -> None:
        """No number is billed that is not there, and none twice for the same days."""
        if (ref, invoice.number) in self._invoices:
            return
        self._invoices.add((ref, invoice.number))
        for line in invoice.lines:
            if line.kind not in COSTS:
                continue
            number = self._numbers.get((ref, line.what))
            require(number is not None and number.state in HELD, f"{line} bills {number}")
            assert number is not None
            name = ((ref, line.what, number.ordered_at), (line.kind, line.starts_on))
            require(name not in self._billed, f"{line} is billed twice")
            self._billed.add(name)

    def _check_credited(self, change: Change, number: PhoneNumber) -> None:
        """What a number cost that the carrier does not provide is given back, all of it."""
        if number.invoice is None:
            return
        noted = [one for one in change.records if isinstance(one, CreditNote)]
        papers = [one for one in change.records if isinstance(one, Invoice)]
        require(len(noted) <= 1 and len(papers) == len(noted), f"{number}: {noted}")
        for invoice in papers:
            for place, line in enumerate(invoice.lines):
                if line.what == number.e164 and line.kind in COSTS:
                    given = invoice.credited_of(place).amount_micros
                    require(given == line.amount_micros, f"{number} was credited {given}")

    def is_at_rest(self, now: datetime) -> bool:
        """Nothing is left to be done for any number."""
        return not any(
            one.state is NumberState.PENDING
            or one.renewal
            or (one.state is NumberState.ACTIVE and not _is_after(one.paid_until, now))
            or (one.state is NumberState.ON_HOLD and not _is_after(one.release_at, now))
            for one in self._numbers.values()
        )

    def check_end(self, owners: dict[str, AccountRef], now: datetime) -> None:
        """Every number is gone, paid for, or on hold with a reason; and is its owner's alone."""
        require(owners == self._owners, f"owners are {owners}, not {self._owners}")
        held = {one.e164: one.account for one in self._numbers.values() if one.state in HELD}
        require(held == owners, f"{owners.keys() ^ held.keys()} have owners, or should have")
        for one in self._numbers.values():
            require(one.state is not NumberState.PENDING, f"{one} still waits")
            require(not one.renewal, f"{one} waits for a payment")
            if one.state is NumberState.ACTIVE:
                require(_is_after(one.paid_until, now), f"{one} is used, and not paid for")
            if one.state is NumberState.ON_HOLD:
                require(_is_after(one.release_at, now), f"{one} stays on hold")


def _is_after(at: datetime | None, now: datetime) -> bool:
    return at is not None and at > now
