"""What becomes of one account that does not pay: from its Changes and docs/billing.md alone."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from billing.domain.account import Standing
from billing.domain.change import Change
from billing.domain.documents import Invoice, InvoiceState
from billing.domain.ledger import EntryKind
from billing.domain.records import Event, EventType, PurposeKind, Recharge, RechargeState
from billing.domain.subscription import Subscription
from simulation.catalog import CATALOG
from simulation.document_checker import total_of
from simulation.errors import require
from simulation.faults import MAX_SKEW
from simulation.tenants import Site

RULE = CATALOG["dunning"]
LEEWAY = 2 * MAX_SKEW
NEVER_HEARD_OF = "never_charged"
"""What an attempt fails with whose gateway was out of reach for a day."""


class DunningChecker:
    """Follows what is open, and the account's standing, from Change to Change."""

    def __init__(self, site: Site) -> None:
        self.open: dict[int, Invoice] = {}
        self._site = site
        self._first_failed_at: datetime | None = None
        self._past_due: set[int] = set()
        self._issued: set[int] = set()
        self._paid: set[int] = set()
        self._billed_until: datetime | None = None
        self._period_ends: set[datetime] = set()
        self._renewed: dict[date, int] = {}

    def check(self, change: Change) -> None:
        """
        Raises:
            InvariantError: An account stands otherwise than what it owes, somebody was not told or
                was told twice, or a period is billed twice or never.
        """
        self._period_ends |= {change.after.created_at, change.after.period.end_at}
        paid = self._take_invoices(change)
        self._check_told(change, paid)
        self._check_standing(change)
        self._check_payments(change, paid)
        self._check_periods(change)

    def check_end(self, now: datetime) -> None:
        """What is open still is past due, with a day on which it is tried again, or suspended for
        want of anybody to ask: nothing is forgotten."""
        standing = self._last.after.standing if self.open else Standing.GOOD
        for invoice in self.open.values():
            require(invoice.number in self._issued, f"{invoice} was never told")
        if not self.open or standing is Standing.SUSPENDED:
            return
        held = self._held
        require(held is not None, f"{self._site.ref} owes {list(self.open)} and has nothing")
        assert held is not None
        due = held.due_at
        require(
            due is not None and due > now,
            f"{self._site.ref} owes {list(self.open)}, and nothing will be done: {held.dunning}",
        )

    # Invoices, and what is told of them

    def _take_invoices(self, change: Change) -> list[Invoice]:
        """What is paid with this Change, of what had been open."""
        self._last = change
        held = next((one for one in change.records if isinstance(one, Subscription)), None)
        self._held = held or self._held
        paid = []
        for record in change.records:
            if not isinstance(record, Invoice):
                continue
            if record.state is InvoiceState.OPEN:
                require(record.number not in self._paid, f"{record} was paid before")
                self.open[record.number] = record
            elif self.open.pop(record.number, None) is not None:
                paid.append(record)
            if record.state is InvoiceState.PAID:
                self._paid.add(record.number)
        if held is not None:
            owed = {one.number: one.total_micros for one in held.open_invoices}
            due = {one.number: total_of(one.lines) for one in self.open.values()}
            require(owed == due, f"{self._site.ref} owes {owed}, open are {due}")
        return paid

    def _check_told(self, change: Change, paid: list[Invoice]) -> None:
        told = [_number(one) for one in change.events if one.type is EventType.INVOICE_PAID]
        require(len(told) == len(set(told)), f"{told} are told to be paid twice")
        for number in told:
            require(number in self._paid, f"invoice {number} is told to be paid, and is not")
        for invoice in paid:
            require(invoice.number in told, f"{invoice} is paid, and nobody is told")
        for event in change.events:
            if event.type is EventType.INVOICE_ISSUED:
                number = _number(event)
                require(number not in self._issued, f"invoice {number} is told twice")
                self._issued.add(number)
            if event.type is EventType.INVOICE_PAST_DUE:
                number = _number(event)
                require(number in self.open, f"invoice {number} is past due, and is not open")
                require(number not in self._past_due, f"invoice {number} is past due twice")
                self._past_due.add(number)

    # Standing

    def _check_standing(self, change: Change) -> None:
        before = change.before.standing if change.before else Standing.GOOD
        after = change.after.standing
        if not self.open:
            require(after is Standing.GOOD, f"{self._site.ref} owes nothing, and is {after}")
        types = {one.type for one in change.events}
        is_restored = (before, after) == (Standing.SUSPENDED, Standing.GOOD)
        require(
            (EventType.ACCOUNT_RESTORED in types) == is_restored,
            f"{self._site.ref} was {before}, is {after}, and is told {types}",
        )
        is_held = before is not after and after is Standing.SUSPENDED
        require(
            (EventType.ACCOUNT_ON_HOLD in types) == is_held,
            f"{self._site.ref} was {before}, is {after}, and is told {types}",
        )
        if after is Standing.GOOD:
            require(
                before is Standing.GOOD or not self.open,
                f"{self._site.ref} owes {list(self.open)}, and is {after} again",
            )
            self._first_failed_at = None
            return
        if before is Standing.GOOD:
            self._check_failure(change)
        elif is_held:
            self._check_suspended(change)
        else:
            require(after is before, f"{self._site.ref} was {before}, and is {after}")

    def _check_failure(self, change: Change) -> None:
        """Past due since somebody declined, or since there was nobody to ask."""
        require(change.after.standing is Standing.PAST_DUE, "suspended without a warning")
        told = [one for one in change.events if one.type is EventType.INVOICE_PAST_DUE]
        require(len(told) == 1, f"{self._site.ref} is past due, and is told {told}")
        self._first_failed_at = told[0].occurred_at
        asked = [one for one in change.records if isinstance(one, Recharge)]
        for one in asked:
            codes = [attempt.failure_code for attempt in one.attempts]
            is_declined = one.state is RechargeState.FAILED and set(codes) != {NEVER_HEARD_OF}
            require(is_declined, f"nobody has declined {one}, and it is past due")
            require(one.requested_by is None, f"{one} was a person's own try")
        if not asked:
            name = change.operation.operation_id if change.operation else ""
            require("/uncollectable/" in name, f"{name} makes {self._site.ref} past due")

    def _check_suspended(self, change: Change) -> None:
        """Not before the days are over and the last try has been."""
        at = next(one for one in change.events if one.type is EventType.ACCOUNT_ON_HOLD).occurred_at
        first = self._first_failed_at
        require(first is not None, f"{self._site.ref} is suspended, and was not past due")
        assert first is not None
        days = max(RULE["suspend_after_days"], *RULE["retry_days"])
        earliest = self._days_after(first, days)
        require(at >= earliest - LEEWAY, f"{self._site.ref} is suspended {at}, not {earliest}")

    def _days_after(self, at: datetime, days: int) -> datetime:
        """So many local days later, at the same time of day."""
        local = at.astimezone(ZoneInfo(self._site.time_zone)) + timedelta(days=days)
        return local.astimezone(at.tzinfo)

    # Payments for invoices

    def _check_payments(self, change: Change, paid: list[Invoice]) -> None:
        """Each is for an invoice's whole amount; what comes for one that is open pays it."""
        for record in change.records:
            if not isinstance(record, Recharge) or record.purpose is None:
                continue
            if record.purpose.kind is not PurposeKind.INVOICE:
                continue
            number = int(record.purpose.name)
            known = {one.number: one for one in (*self.open.values(), *paid)}
            invoice = known.get(number)
            if record.state is RechargeState.SUCCEEDED:
                require(number in self._paid, f"{record} has come, and {invoice} is open")
            if invoice is not None:
                total = total_of(invoice.lines)
                require(record.amount_micros == total, f"{record} is for {total}")
            elif not record.state.is_final and not record.attempts[-1].payment_id:
                require(number in self._paid, f"{record} is for no invoice")
        spent = [one for one in change.entries if one.kind is EntryKind.SALE]
        require(bool(spent) or not any(map(_costs, paid)), f"{paid} are paid with nothing")

    # Periods

    def _check_periods(self, change: Change) -> None:
        """Periods are billed in their order, none left out, none twice, and none in advance."""
        held = next((one for one in change.records if isinstance(one, Subscription)), None)
        if held is None:
            return
        before, after = self._billed_until, held.billed_until
        self._billed_until = after
        require(after <= change.after.period.end_at, f"{held} is billed before it has begun")
        require(after in self._period_ends, f"{held} is billed to within a period")
        for invoice in change.records:
            if not isinstance(invoice, Invoice) or invoice.period_starts_on is None:
                continue
            day = invoice.period_starts_on
            first = self._renewed.setdefault(day, invoice.number)
            require(first == invoice.number, f"{self._site.ref}: {day} is billed twice")
        if before is None or before == after:
            return
        skipped = [end for end in self._period_ends if before < end < after]
        require(before < after, f"{held} is billed again from {after}")
        require(not skipped, f"{held} leaves out what ends {skipped}")

    _last: Change
    _held: Subscription | None = None


def _costs(invoice: Invoice) -> bool:
    return total_of(invoice.lines) > 0


def _number(event: Event) -> int:
    number = event.data["invoice"]
    assert isinstance(number, int), event
    return number
