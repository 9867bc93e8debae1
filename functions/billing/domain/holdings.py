"""What an account holds of what it has bought: its plan's terms with its packages' grants, and what
a change in the middle of a period makes of the lots.

Source: docs/subscriptions.md, "Grants at a change".
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from billing.domain.account import Account, PlanTerms
from billing.domain.catalog_versions import CatalogVersion
from billing.domain.grants import Grant, RecurringGrant, first_lots
from billing.domain.periods import Period, local_day, start_of_day
from billing.domain.proration import full_term, prorated_up
from billing.domain.subscription import UnitItem
from billing.domain.turning import refilled


def held_terms(sold: CatalogVersion, plan_id: str, packages: Iterable[UnitItem]) -> PlanTerms:
    """What an account keeps of its plan and its packages.

    Args:
        sold: The version they are held under. Packages that it does not have grant nothing.
        packages: As many as ``created`` says.

    Raises:
        NotFoundError: The catalogue has no such plan.
        InvalidInputError: A package is held more often than can be granted.
    """
    terms = sold.catalog.terms_of(plan_id, sold.version)
    granted = tuple(
        _times(grant, item.created)
        for item in packages
        if item.created and item.kind in sold.catalog.packages
        for grant in sold.catalog.packages[item.kind].grants
    )
    return replace(terms, recurring_grants=(*terms.recurring_grants, *granted))


def _times(grant: RecurringGrant, count: int) -> RecurringGrant:
    return replace(
        grant, quantity=grant.quantity * count, rollover_limit=grant.rollover_limit * count
    )


def with_terms(account: Account, terms: PlanTerms, at: datetime) -> Account:
    """The account once it holds other terms from the local day of an instant on.

    What a lot is worth is weighed by days: the old quota's share of the days before, rounded down,
    and the new one's of today and the days left, rounded up; less what was used, and never below
    zero. Lots that rolled over, and those bought once, stay as they are.

    Where nothing is refilled because an invoice is past due, what is missing stays missing: it
    comes with the payment.
    """
    change = _Change(account, at)
    before = {one.recurring_id: one for one in account.plan.recurring_grants}
    after = {one.recurring_id: one for one in terms.recurring_grants}
    lots = account.grants
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            lots = change.applied(lots, before.get(name), after.get(name), terms)
    return replace(account, plan=terms, grants=lots)


@dataclass(frozen=True, slots=True)
class _Change:
    """A change of recurring grants within the account's period."""

    account: Account
    at: datetime

    @property
    def _whole(self) -> Period:
        account = self.account
        return full_term(account.period, account.billing_day, account.time_zone)

    def applied(
        self,
        lots: tuple[Grant, ...],
        old: RecurringGrant | None,
        new: RecurringGrant | None,
        terms: PlanTerms,
    ) -> tuple[Grant, ...]:
        """The lots with this period's lot of one recurring grant as the change leaves it.

        A grant that an earlier change ended goes on with the lot it had: one grant has one lot
        a period, or its limit would roll over once for each.
        """
        held = self._current(lots, old)
        if new is not None and (old is None or new.unit == old.unit):
            lot = self._current(lots, new)
            if lot is not None:
                return _with(lots, lot, self._resized(lot, old, new))
            is_granted = old is None and refilled(terms, self.account.standing)
            return (*lots, self._begun(lots, new)) if is_granted else lots
        if held is None:
            return lots
        ended = self._ended(held, old)
        kept = _with(lots, held, ended if ended.total or ended.unlimited else None)
        return (*kept, self._begun(kept, new)) if new else kept

    def _current(self, lots: tuple[Grant, ...], of: RecurringGrant | None) -> Grant | None:
        """The lot that was granted for this period, rather than carried into it."""
        period = self.account.period
        found = (
            lot
            for lot in lots
            if of is not None
            and (lot.recurring_id, lot.unit) == (of.recurring_id, of.unit)
            and lot.granted_at >= period.start_at
            and lot.expires_at == period.end_at
        )
        return next(found, None)

    def _left(self, grant: RecurringGrant | None) -> int:
        """What it grants for today and the days left."""
        if grant is None:
            return 0
        return prorated_up(grant.quantity, self._whole, self.at, self.account.time_zone)

    def _begun(self, lots: tuple[Grant, ...], new: RecurringGrant) -> Grant:
        """A lot for the rest of the period."""
        (lot,) = first_lots((new,), self.account.period)
        names = {one.grant_id for one in lots}
        today = local_day(self.at, self.account.time_zone)
        name = lot.grant_id
        if name in names:
            name = f"{name}:{today:%Y%m%d}"
        total = self._left(new)
        return replace(lot, grant_id=name, total=total, remaining=total, granted_at=self._today)

    def _resized(self, lot: Grant, old: RecurringGrant | None, new: RecurringGrant) -> Grant:
        was_unlimited = lot.unlimited
        total = 0 if new.unlimited else lot.total - self._left(old) + self._left(new)
        used = 0 if was_unlimited else lot.total - lot.remaining
        return replace(
            lot,
            total=max(0, total),
            remaining=0 if new.unlimited else max(0, total - used),
            priority=new.priority,
            scope=new.scope,
            unlimited=new.unlimited,
        )

    def _ended(self, lot: Grant, old: RecurringGrant | None) -> Grant:
        """A lot of what is held no longer: what the days before were worth stays to the end."""
        if lot.unlimited:
            return replace(lot, expires_at=max(lot.granted_at, self._today))
        total = max(0, lot.total - self._left(old))
        used = lot.total - lot.remaining
        return replace(lot, total=total, remaining=max(0, total - used))

    @property
    def _today(self) -> datetime:
        zone = self.account.time_zone
        return max(start_of_day(local_day(self.at, zone), zone), self.account.period.start_at)


def _with(lots: tuple[Grant, ...], lot: Grant, changed: Grant | None) -> tuple[Grant, ...]:
    """The lots with one of them changed; None: without it."""
    return tuple(now for one in lots if (now := changed if one is lot else one) is not None)
