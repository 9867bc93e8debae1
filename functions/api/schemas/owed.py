"""What an account owes."""

from api.schemas.base import Instant, MoneyOut, Schema
from billing.domain.subscription import Subscription


class OpenInvoiceOut(Schema):
    """An invoice that is not paid."""

    invoice: int
    total: MoneyOut
    issued_at: Instant
    past_due: bool


class OwedOut(Schema):
    """What is open, and how collecting it goes. ``next_try_at``: when the sources are asked again
    by themselves; ``on_hold_at``: from when on outbound calls are refused; null: not, or already.
    """

    total: MoneyOut
    invoices: list[OpenInvoiceOut]
    past_due_since: Instant | None
    next_try_at: Instant | None
    on_hold_at: Instant | None

    @staticmethod
    def of(subscription: Subscription, currency: str) -> "OwedOut":
        dunning = subscription.dunning
        opened = subscription.open_invoices
        return OwedOut(
            total=MoneyOut.of(sum(one.total_micros for one in opened), currency),
            invoices=[
                OpenInvoiceOut(
                    invoice=one.number,
                    total=MoneyOut.of(one.total_micros, currency),
                    issued_at=one.issued_at,
                    past_due=one.is_past_due,
                )
                for one in opened
            ],
            past_due_since=dunning.first_failed_at if dunning else None,
            next_try_at=subscription.collect_at or (dunning.next_try_at if dunning else None),
            on_hold_at=dunning.suspend_at if dunning else None,
        )
