"""What must hold of one account, computed without the code that is being tested."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from billing.domain.account import Account, PeriodTotals
from billing.domain.ledger import EntryKind, LedgerEntry, prove
from billing.domain.periods import local_day
from billing.domain.recharging import OpenRecharge, RechargeMode
from billing.domain.records import ClosedPeriod, EventType, RechargeState, Timer, TimerKind
from billing.domain.units import Unit
from billing.domain.usage import Call, CallKey
from simulation.errors import require
from simulation.tenants import PLANS, TENANT_OF, Site
from simulation.world import World

GRANTED = {
    (plan.plan_id, grant.recurring_id): grant.quantity
    for plan in PLANS
    for grant in plan.recurring_grants
}

OUTCOMES = {
    RechargeState.SUCCEEDED: EventType.RECHARGE_SUCCEEDED,
    RechargeState.FAILED: EventType.RECHARGE_FAILED,
}

EVERYTHING = 10**9

FAR_AWAY = datetime.max.replace(tzinfo=UTC)


class AccountChecker:
    """Follows one account; reads only what has come since the last look, and proves all of it."""

    def __init__(self, site: Site, world: World) -> None:
        self._site = site
        self._world = world
        self._account: Account | None = None
        self.entries: list[LedgerEntry] = []
        self.calls: dict[CallKey, Call] = {}
        self._burned: Counter[str] = Counter()

    def check(self) -> list[LedgerEntry]:
        """
        Returns:
            The entries that are new.
        """
        account = self._world.book.account(self._site.ref)
        entries = list(self._world.book.entries(account))
        known = len(self.entries)
        require(entries[:known] == self.entries, "entries never change")
        if account is self._account and len(entries) == known:
            return []
        proof = prove(account, entries)
        require(proof.is_sound, *proof.problems)
        require(proof.entries == len(entries), "the ledger goes on beyond the account's head")
        new = entries[known:]
        for entry in new:
            if entry.kind in (EntryKind.USAGE, EntryKind.REVERSAL):
                self._check_posting(entry)
        self.entries = entries
        self._account = account
        self._check_grants(account)
        self._check_totals(account)
        self._check_timers(account)
        self._check_opened(account)
        return new

    def _check_posting(self, entry: LedgerEntry) -> None:
        ref = self._site.ref
        named = entry.usage.calls
        revisions = entry.usage.revisions or (0,) * len(named)
        names = zip(named, revisions, strict=True)
        calls = self._world.book.call_revisions(ref.tenant_id, names)
        require(len(calls) == len(named) > 0, f"{entry} names calls without records")
        for call in calls.values():
            if entry.kind is EntryKind.REVERSAL:
                self._take_back(call, entry)
            else:
                self._check_call(call, entry)
        spent = sum(call.wallet_micros for call in calls.values())
        require(spent == entry.amount_micros, f"{entry} is not what its calls cost")
        totals = totals_of(calls.values())
        said = (
            entry.usage.voice_seconds,
            entry.usage.granted_voice_seconds,
            entry.usage.messages,
            entry.usage.granted_messages,
        )
        counted = (
            totals.voice_seconds,
            totals.granted_voice_seconds,
            totals.messages,
            totals.granted_messages,
        )
        require(said == counted, f"{entry} says {said}, its calls come to {counted}")

    def _check_call(self, call: Call, entry: LedgerEntry) -> None:
        ref, tariff = self._site.ref, self._site.tariff
        require(call.event.key not in self.calls, f"{call.event.key} is billed twice to {ref}")
        require(call.account == ref, f"{call.event.key} of {call.account} is billed to {ref}")
        require(
            TENANT_OF[call.event.connection_id] == ref.tenant_id,
            f"{call.event.connection_id} is billed to {ref}",
        )
        require(call.sequence == entry.sequence, f"{call} is in another entry")
        granted = sum(quantity for _, quantity in call.granted)
        require(0 <= granted <= call.billed_quantity, f"{call} burns what it did not use")
        quantity = call.event.quantity
        if call.event.unit is Unit.MESSAGES:
            billed = quantity
            wallet = tariff.message_micros * (billed - granted)
        else:
            billed = increments(
                quantity, tariff.first_increment_seconds, tariff.next_increment_seconds
            )
            fee = tariff.connect_fee_micros if quantity else 0
            wallet = tariff.second_micros * (billed - granted) + fee
        require(call.billed_quantity == billed, f"{call} should bill {billed}")
        require(call.wallet_micros == wallet, f"{call} should cost the wallet {wallet}")
        for lot, burned in call.granted:
            self._burned[origin(lot)] += burned
        self.calls[call.event.key] = call

    def _take_back(self, call: Call, entry: LedgerEntry) -> None:
        """Only what stands is taken back; the entry that follows bills the call again."""
        standing = self.calls.pop(call.event.key, None)
        require(call == standing, f"{entry} takes back {call}, not {standing}")
        for lot, burned in call.granted:
            self._burned[origin(lot)] -= burned

    def _check_grants(self, account: Account) -> None:
        """Every lot, with what stayed behind of it, gives what it was granted and no more."""
        ids = [grant.grant_id for grant in account.grants]
        require(len(set(ids)) == len(ids), f"two lots of {account.ref} have one id: {ids}")
        total: Counter[str] = Counter()
        remaining: Counter[str] = Counter()
        for grant in account.grants:
            require(0 <= grant.remaining <= grant.total, f"{grant} holds what it cannot")
            total[origin(grant.grant_id)] += grant.total
            remaining[origin(grant.grant_id)] += grant.remaining
        for lot, burned in self._burned.items():
            granted = GRANTED[self._site.plan_id, lot.partition(":")[0]]
            require(burned <= granted, f"{lot} of {account.ref} gave {burned} of {granted}")
        for lot, whole in total.items():
            granted = GRANTED[self._site.plan_id, lot.partition(":")[0]]
            require(whole <= granted, f"{lot} of {account.ref} has grown to {whole}")
            if whole == granted:
                left = granted - self._burned[lot]
                require(remaining[lot] == left, f"{lot} holds {remaining[lot]}, not {left}")

    def _check_totals(self, account: Account) -> None:
        """Periods tile time, and together hold every call once."""
        closed = self._closed_periods(account)
        start_at = account.created_at
        for period in closed:
            require(period.period.start_at == start_at, f"{account.ref}: no period at {start_at}")
            start_at = period.period.end_at
        require(account.period.start_at == start_at, f"{account.ref}: no period at {start_at}")
        held = [period.totals for period in closed] + [account.totals]
        counted = totals_of(self.calls.values())
        require(not any(t.metered for t in held), f"{account.ref}: a unit nobody reported")
        for name in PeriodTotals.__dataclass_fields__:
            if name == "metered":
                continue
            summed, expected = sum(getattr(t, name) for t in held), getattr(counted, name)
            require(summed == expected, f"{account.ref}: {name} is {summed}, not {expected}")

    def _check_timers(self, account: Account) -> None:
        """Timers are a level: they stand exactly while there is something to do."""
        period_end = self._timer(TimerKind.PERIOD_END)
        require(
            period_end is not None and period_end.due_at == account.period.end_at,
            f"{account.ref} has no timer at its period's end",
        )
        recharging = account.recharging
        needed = is_wanted(account)
        timer = self._timer(TimerKind.RECHARGE)
        require((timer is not None) == needed, f"{account.ref}: {timer}, needed: {needed}")
        require(
            (timer.due_at if timer else None) == recharging.due_at,
            f"{account.ref}: {timer}, the account says {recharging.due_at}",
        )
        checks = [one.check_at for one in recharging.opened]
        require(None not in checks, f"{account.ref}: nobody looks after {recharging.opened}")
        first = min((check_at for check_at in checks if check_at), default=None)
        timer = self._timer(TimerKind.PAYMENT)
        require(
            (timer.due_at if timer else None) == first,
            f"{account.ref}: {timer}, needed at {first} for {recharging.opened}",
        )

    def _check_opened(self, account: Account) -> None:
        """What the account waits for is what the book has no outcome of, one from each source."""
        opened = account.recharging.opened
        sources = [one.source_id for one in opened]
        require(len(set(sources)) == len(sources), f"{account.ref}: asked twice: {opened}")
        recharges = self._world.book.recharges(account.ref, None, EVERYTHING)
        unsettled = {
            (one.ordinal, one.amount_micros, one.attempt.source_id)
            for one in recharges
            if not one.state.is_final
        }
        waited_for = {(one.ordinal, one.amount_micros, one.source_id) for one in opened}
        require(waited_for == unsettled, f"{account.ref}: {waited_for} are open, not {unsettled}")

    def _timer(self, kind: TimerKind) -> Timer | None:
        for timer in self._world.book.due(kind, FAR_AWAY):
            if timer.account == self._site.ref:
                return timer
        return None

    def _closed_periods(self, account: Account) -> list[ClosedPeriod]:
        years = range(account.created_at.year, account.period.end_at.year + 1)
        book = self._world.book
        return [period for year in years for period in book.closed_periods(account.ref, year)]

    def check_end(self) -> None:
        """What is only looked at once, since looking takes long."""
        account = self._world.book.account(self._site.ref)
        self._check_daily_spend(account)
        self._check_events(account)

    def _check_daily_spend(self, account: Account) -> None:
        """The days that are remembered hold what their calls cost."""
        spent: Counter[object] = Counter()
        for call in self.calls.values():
            spent[local_day(call.event.ended_at, self._site.time_zone)] += call.wallet_micros
        for day, micros in account.daily_spend:
            require(micros == spent[day], f"{account.ref}: {day} cost {spent[day]}, not {micros}")

    def _check_events(self, account: Account) -> None:
        """Every period and every outcome of a payment is told once, and nothing else is."""
        told = Counter(
            (event.type, str(event.data.get("recharge", "")))
            for event in self._world.book.outbox()
            if event.account == account.ref
        )
        periods = len(self._closed_periods(account))
        rolled = told[EventType.PERIOD_ROLLED, ""]
        require(rolled == periods, f"{account.ref}: {rolled} of {periods} periods told")
        outcomes = {
            (OUTCOMES[recharge.state], str(recharge.ordinal)): 1
            for recharge in self._world.book.recharges(account.ref, None, EVERYTHING)
        }
        said = {what: times for what, times in told.items() if what[0] in OUTCOMES.values()}
        require(said == outcomes, f"{account.ref}: told {said}, not {outcomes}")


def is_wanted(account: Account) -> bool:
    """Whether automatic recharge waits for something: the balance, or its time, or a month."""
    recharging = account.recharging
    if recharging.policy.mode is RechargeMode.OFF or recharging.suspended_at is not None:
        return False
    coming = sum(one.amount_micros for one in recharging.opened if _comes_at_once(one))
    return account.wallet_micros + coming < recharging.policy.threshold_micros


def _comes_at_once(one: OpenRecharge) -> bool:
    require(one.expected_at is None, f"no card is slow: {one}")
    return not one.is_waiting


def origin(lot: str) -> str:
    """The lot as it was granted, whatever part of it rolled over."""
    return lot.removesuffix(":left")


def increments(seconds: int, first: int, step: int) -> int:
    """By counting: the first increment at once, then steps until the call is covered."""
    if seconds == 0:
        return 0
    billed = first
    while billed < seconds:
        billed += step
    return billed


def totals_of(calls: Iterable[Call]) -> PeriodTotals:
    """What these calls come to."""
    counted: dict[str, Any] = Counter()
    for call in calls:
        granted = sum(quantity for _, quantity in call.granted)
        counted["wallet_micros"] += call.wallet_micros
        if call.event.unit is Unit.MESSAGES:
            counted["messages"] += call.billed_quantity
            counted["granted_messages"] += granted
        else:
            counted["calls"] += 1
            counted["voice_seconds"] += call.billed_quantity
            counted["granted_voice_seconds"] += granted
    return PeriodTotals(**counted)
