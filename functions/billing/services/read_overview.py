"""Read how an account stands: everything the billing page draws, as of one instant."""

from dataclasses import dataclass
from datetime import datetime

from billing.domain import rolling
from billing.domain.account import Account, AccountRef
from billing.domain.errors import NotFoundError
from billing.domain.grants import Grant, Scope
from billing.domain.money import ceil_div
from billing.domain.recharge_amount import Amount, amount_to_collect, collected_this_month_micros
from billing.domain.recharge_balance import empties_at, is_early, next_cycle_at, threshold_micros
from billing.domain.recharge_status import RechargeStatus, recharge_status
from billing.domain.spend import average_now, burn_per_hour_micros
from billing.domain.units import Unit
from billing.ports import Book, Catalogs, Clock, Reservations

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


class ReadOverview:
    """Reads, and changes nothing: a late roll is computed, not carried out."""

    def __init__(
        self, book: Book, catalogs: Catalogs, reservations: Reservations, clock: Clock
    ) -> None:
        self._book = book
        self._catalogs = catalogs
        self._reservations = reservations
        self._clock = clock

    def read(self, ref: AccountRef) -> Overview:
        """
        Raises:
            NotFoundError: No such account.
        """
        holds = self._reservations.holds(ref)
        account = self._book.account(ref)
        now = self._clock.now()
        plan_name = self._plan_name(account.plan.plan_id)
        return overview(account, plan_name, holds.reserved_micros(now), now)

    def _plan_name(self, plan_id: str) -> str:
        try:
            plan = self._catalogs.current().catalog.plans.get(plan_id)
        except NotFoundError:
            return plan_id
        return plan.name if plan else plan_id


def overview(account: Account, plan_name: str, reserved_micros: int, now: datetime) -> Overview:
    """How the account stands at an instant."""
    account = rolling.at(account, now)
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
