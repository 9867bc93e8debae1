"""Where the book says that an account stands, in the words of the model."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from billing.domain.account import Account
from billing.domain.catalog import Plan
from billing.domain.documents import Invoice
from billing.domain.grants import Grant
from billing.domain.numbers import PhoneNumber
from billing.domain.subscription import Subscription
from billing.domain.unit_counts import available
from billing.domain.units import Unit
from simulation.model import facts

UNITS = {Unit.VOICE_SECONDS: "voice", Unit.MESSAGES: "message"}


@dataclass
class Seen:
    """What one account's commits have left behind, beside its state."""

    subscription: Subscription
    numbers: dict[str, PhoneNumber] = field(default_factory=dict)
    open_invoices: set[int] = field(default_factory=set)
    invoices: int = 0


def standing_of(
    account: Account, seen: Seen, plan: Plan, raised: Iterable[Invoice]
) -> facts.Standing:
    subscription = seen.subscription
    held = [one for one in seen.numbers.values() if one.state.is_held]
    return facts.Standing(
        wallet_micros=account.wallet_micros,
        period_start_at=account.period.start_at,
        period_end_at=account.period.end_at,
        plan_id=account.plan.plan_id,
        lots=_lots(account.grants),
        units=_units(subscription, plan),
        packages=tuple(
            facts.Units(one.kind, one.quantity, one.created)
            for one in subscription.packages
            if one.quantity or one.created
        ),
        invoices=tuple(_lines(one) for one in raised),
        open_invoices=tuple((one.number, one.total_micros) for one in subscription.open_invoices),
        numbers=tuple(
            sorted((one.e164, one.paid_until) for one in held if one.paid_until is not None)
        ),
    )


def _units(subscription: Subscription, plan: Plan) -> tuple[facts.Units, ...]:
    kinds = {one.kind for one in plan.units} | {one.kind for one in subscription.units}
    counted = (
        facts.Units(kind, available(subscription, kind, plan), subscription.unit(kind).created)
        for kind in sorted(kinds)
    )
    return tuple(one for one in counted if one.quantity or one.created)


def _lots(grants: Iterable[Grant]) -> tuple[facts.Lot, ...]:
    held = [
        facts.Lot(
            one.recurring_id or one.grant_id.partition(":")[0],
            UNITS[one.unit],
            one.remaining,
            one.expires_at,
        )
        for one in grants
        if one.remaining or one.unlimited
    ]
    return tuple(sorted(held, key=lot_order))


def lot_order(lot: facts.Lot) -> tuple[bool, str, str, int]:
    """Soonest to expire first, then by name; what never expires comes last."""
    expires_at = lot.expires_at.isoformat() if lot.expires_at else ""
    return (lot.expires_at is None, expires_at, lot.name, lot.remaining)


def _lines(invoice: Invoice) -> tuple[facts.InvoiceLine, ...]:
    return tuple(
        facts.InvoiceLine(
            one.kind.value,
            one.what,
            one.quantity,
            one.amount_micros,
            one.tax_micros,
            one.starts_on,
            # The document names the day after, and prints the last one.
            one.ends_on - timedelta(days=1) if one.ends_on else None,
        )
        for one in invoice.lines
    )
