"""Read how an account stands: everything the billing page draws, as of one instant."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from billing.domain import turning
from billing.domain.account import Account, AccountRef
from billing.domain.alerts import AlertTold
from billing.domain.catalog import Catalog
from billing.domain.errors import NotFoundError
from billing.domain.grants import Grant, Scope
from billing.domain.money import ceil_div
from billing.domain.recharge_amount import Amount, amount_to_collect, collected_this_month_micros
from billing.domain.recharge_balance import empties_at, is_early, next_cycle_at, threshold_micros
from billing.domain.recharge_status import RechargeStatus, recharge_status
from billing.domain.selling import Contacts
from billing.domain.spend import average_now, burn_per_hour_micros
from billing.domain.standing_alerts import StandingAlert, standing_alerts
from billing.domain.units import Unit
from billing.ports import Book, Catalogs, Clock, Reservations
from billing.services.estimate_minutes import EstimateMinutes
from billing.services.list_numbers import ListNumbers, PricedNumber
from billing.services.read_subscription import HeldView, ReadSubscription

HUNDREDTHS = 10_000
"""Hundredths of a per cent in the whole."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of one lot, or of all valid lots of one unit.

    Args:
        grant_id: None where it sums up a unit.
        used_hundredths: Hundredths of a per cent, rounded up, so that 100 % means used up.
        resets_at: When it is refilled; of several, the first. None: never.
        unlimited: It never runs out; of a unit: for any usage of it.
        scope: The usage one lot is limited to; None serves all of its unit.
    """

    grant_id: str | None
    unit: Unit
    total: int
    remaining: int
    expires_at: datetime | None
    resets_at: datetime | None
    rolled_over: bool = False
    unlimited: bool = False
    scope: Scope | None = None

    @property
    def used_hundredths(self) -> int:
        used = self.total - self.remaining
        return ceil_div(used * HUNDREDTHS, self.total) if self.total else 0


@dataclass(frozen=True, slots=True)
class EarlyView:
    """How early recharge decides now.

    Args:
        burn_per_hour_micros: The fastest of the last hours.
        empties_at: When the wallet is empty at that burn; None: it does not burn.
        collects_at_once: Whether that is before the next cycle could help.
    """

    burn_per_hour_micros: int
    empties_at: datetime | None
    collects_at_once: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """How an account stands.

    Args:
        account: With its period current, even where the roll is late.
        plan_name: What the catalogue calls the plan today; its id, once it is no longer sold.
        reserved_micros: Of the wallet, for calls in progress.
        runway_days: Whole days the balance lasts at that spend; None: nothing is spent.
        average_daily_spend_micros: Over the lookback of the recharge settings, rounded down.
        collects: What automatic recharge would collect, if it fired now.
        collected_micros: What it has collected, or is collecting, in this calendar month.
        threshold_micros: A balance below it fires; None: no balance does.
        next_cycle_at: When the next sweep looks for what is due.
        status: How automatic recharge stands.
        early: What early recharge sees; None: it is off.
        alerts: What stands.
        contacts: Whom to ask, where the system cannot help.
        held: What it holds, and what renews when.
        numbers: Its phone numbers, those on hold first.
        approximate_minutes: How many minutes of calls what is available buys, at the average price
            of the last 30 days; None: the wallet paid for none.
    """

    account: Account
    at: datetime
    plan_name: str
    reserved_micros: int
    grants: tuple[Quota, ...]
    quotas: tuple[Quota, ...]
    average_daily_spend_micros: int
    runway_days: int | None
    collects: Amount
    collected_micros: int
    threshold_micros: int | None
    next_cycle_at: datetime
    status: RechargeStatus
    early: EarlyView | None
    alerts: tuple[StandingAlert, ...]
    contacts: Contacts = field(default_factory=Contacts)
    held: HeldView | None = None
    numbers: tuple[PricedNumber, ...] = ()
    approximate_minutes: int | None = None

    @property
    def next_payment(self) -> tuple[datetime, int]:
        """When something is paid by itself next, and what it comes to, tax included: the renewal
        of the term, of the numbers with the period, or both where they are on one day."""
        assert self.held is not None, "it was read with money"
        turns_at, numbers = self.account.period.end_at, sum(one.due_micros for one in self.numbers)
        renews_at, renewal = self.held.next_renewal_at, self.held.next_renewal_micros
        if not numbers:
            return renews_at, renewal
        return turns_at, numbers + (renewal if renews_at == turns_at else 0)


class ReadOverview:
    """Reads, and changes nothing: a late roll is computed, not carried out."""

    def __init__(
        self,
        *,
        book: Book,
        catalogs: Catalogs,
        reservations: Reservations,
        clock: Clock,
        read_subscription: ReadSubscription,
        list_numbers: ListNumbers,
        estimate_minutes: EstimateMinutes,
    ) -> None:
        self._book = book
        self._catalogs = catalogs
        self._reservations = reservations
        self._clock = clock
        self._read_subscription = read_subscription
        self._list_numbers = list_numbers
        self._estimate_minutes = estimate_minutes

    def read(self, ref: AccountRef, *, with_money: bool = True) -> Overview:
        """
        Args:
            with_money: Whether what it holds, owes and can pay for is read as well.

        Raises:
            NotFoundError: No such account.
        """
        holds = self._reservations.holds(ref)
        account = self._book.account(ref)
        now = self._clock.now()
        catalog = self._catalog()
        plan_name = _plan_name(catalog, account.plan.plan_id)
        found = overview(account, plan_name, holds.reserved_micros(now), now)
        found = replace(
            found,
            alerts=self._since(ref, found.alerts),
            contacts=catalog.contacts if catalog else Contacts(),
        )
        if not with_money:
            return found
        available = account.wallet_micros - found.reserved_micros
        return replace(
            found,
            held=self._read_subscription.view(account, now),
            numbers=tuple(self._list_numbers.held(found.account)),
            approximate_minutes=self._estimate_minutes.estimate(account, available, now),
        )

    def _since(
        self, ref: AccountRef, alerts: tuple[StandingAlert, ...]
    ) -> tuple[StandingAlert, ...]:
        if not alerts:
            return ()
        since = {told.name: told.since for told in self._book.things(ref, AlertTold)}
        return tuple(replace(alert, since=since.get(alert.name)) for alert in alerts)

    def _catalog(self) -> Catalog | None:
        try:
            return self._catalogs.current().catalog
        except NotFoundError:
            return None


def _plan_name(catalog: Catalog | None, plan_id: str) -> str:
    plan = catalog.plans.get(plan_id) if catalog else None
    return plan.name if plan else plan_id


def overview(account: Account, plan_name: str, reserved_micros: int, now: datetime) -> Overview:
    """How the account stands at an instant."""
    account = turning.at(account, now)
    valid = [
        grant
        for grant in account.grants
        if grant.granted_at <= now and (grant.expires_at is None or now < grant.expires_at)
    ]
    lots = tuple(_lot(account, grant) for grant in valid)
    spend_micros = average_now(account, now).per_day_micros
    return Overview(
        account=account,
        at=now,
        plan_name=plan_name,
        reserved_micros=reserved_micros,
        grants=lots,
        quotas=tuple(
            _sum(unit, of_unit)
            for unit in [*Unit, *sorted({lot.unit for lot in lots if lot.unit.is_own})]
            if (of_unit := [lot for lot in lots if lot.unit == unit])
        ),
        average_daily_spend_micros=spend_micros,
        runway_days=max(0, account.wallet_micros) // spend_micros if spend_micros else None,
        collects=amount_to_collect(account, now),
        collected_micros=collected_this_month_micros(account, now),
        threshold_micros=threshold_micros(account, now),
        next_cycle_at=next_cycle_at(now),
        status=recharge_status(account, now),
        early=_early(account, now) if account.recharging.policy.is_early else None,
        alerts=standing_alerts(account, now),
    )


def _early(account: Account, now: datetime) -> EarlyView:
    return EarlyView(
        burn_per_hour_micros=burn_per_hour_micros(account, now),
        empties_at=empties_at(account, now),
        collects_at_once=is_early(account, now),
    )


def _lot(account: Account, grant: Grant) -> Quota:
    is_refilled = grant.recurring_id is not None and grant.expires_at is not None
    return Quota(
        grant_id=grant.grant_id,
        unit=grant.unit,
        total=grant.total,
        remaining=grant.remaining,
        expires_at=grant.expires_at,
        resets_at=account.period.end_at if is_refilled else None,
        rolled_over=grant.rolled_over,
        unlimited=grant.unlimited,
        scope=grant.scope,
    )


def _sum(unit: Unit, lots: list[Quota]) -> Quota:
    resets = [lot.resets_at for lot in lots if lot.resets_at]
    return Quota(
        grant_id=None,
        unit=unit,
        total=sum(lot.total for lot in lots),
        remaining=sum(lot.remaining for lot in lots),
        expires_at=None,
        resets_at=min(resets, default=None),
        unlimited=any(lot.unlimited and lot.scope is None for lot in lots),
    )
