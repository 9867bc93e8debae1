"""What must hold of one account, computed without the code that is being tested."""

from collections import Counter
from datetime import UTC, datetime

from billing.domain.account import Account, LedgerHead, PeriodTotals
from billing.domain.ledger import EntryKind, LedgerEntry, entry_hash, opening_head, prove
from billing.domain.periods import local_day
from billing.domain.recharging import OpenRecharge, RechargeMode, RechargeReason
from billing.domain.records import (
    ClosedPeriod,
    EventType,
    Recharge,
    RechargeState,
    Timer,
    TimerKind,
)
from billing.domain.units import Unit
from billing.domain.usage import Call, CallKey
from simulation.counting import counts_of, increments, totals_of
from simulation.errors import require
from simulation.tenants import TENANT_OF, Site
from simulation.world import World

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
        self._counted: Counter[str] = Counter()
        self._unsettled: dict[int, Recharge] = {}
        self._read = 0

    def check(self) -> list[LedgerEntry]:
        """
        Returns:
            The entries that are new.
        """
        account = self._world.book.account(self._site.ref)
        if account is self._account:
            return []
        new = list(self._world.book.entries(account, len(self.entries)))
        self._check_chain(account, new)
        for entry in new:
            if entry.kind in (EntryKind.USAGE, EntryKind.REVERSAL):
                self._check_posting(entry)
        self.entries += new
        self._account = account
        self._check_totals(account)
        self._check_timers(account)
        self._check_opened(account)
        return new

    def _check_chain(self, account: Account, new: list[LedgerEntry]) -> None:
        """What is new follows on what was proven before, and ends where the account does."""
        head = opening_head(account.ref, account.created_at)
        balance = 0
        if self.entries:
            last = self.entries[-1]
            head = LedgerHead(last.sequence, last.hash, last.posted_at)
            balance = last.balance_micros
        for entry in new:
            require(entry.sequence == head.sequence + 1, f"{entry} does not follow {head}")
            require(entry.previous_hash == head.hash, f"{entry} does not chain to {head}")
            require(entry.hash == entry_hash(entry), f"{entry} is not what its hash says")
            require(entry.posted_at >= head.posted_at, f"{entry} goes back in time from {head}")
            balance += entry.wallet_change_micros
            require(entry.balance_micros == balance, f"{entry} should leave {balance}")
            head = LedgerHead(entry.sequence, entry.hash, entry.posted_at)
        require(head == account.head, f"the ledger ends at {head}, the account at {account.head}")
        require(balance == account.wallet_micros, f"{account.ref} should hold {balance}")

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
        self.calls[call.event.key] = call
        self._counted.update(counts_of(call))

    def _take_back(self, call: Call, entry: LedgerEntry) -> None:
        """Only what stands is taken back; the entry that follows bills the call again."""
        standing = self.calls.pop(call.event.key, None)
        require(call == standing, f"{entry} takes back {call}, not {standing}")
        self._counted.subtract(counts_of(call))

    def _check_totals(self, account: Account) -> None:
        """Periods tile time, and together hold every call once."""
        closed = self._closed_periods(account)
        start_at = account.created_at
        for period in closed:
            require(period.period.start_at == start_at, f"{account.ref}: no period at {start_at}")
            start_at = period.period.end_at
        require(account.period.start_at == start_at, f"{account.ref}: no period at {start_at}")
        held = [period.totals for period in closed] + [account.totals]
        require(not any(t.metered for t in held), f"{account.ref}: a unit nobody reported")
        for name in PeriodTotals.__dataclass_fields__:
            if name == "metered":
                continue
            summed, expected = sum(getattr(t, name) for t in held), self._counted[name]
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
        checks += [one.check_at for one in recharging.refunds]
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
        self._read_recharges()
        unsettled = {
            (one.ordinal, one.amount_micros, one.attempt.source_id)
            for one in self._unsettled.values()
        }
        waited_for = {(one.ordinal, one.amount_micros, one.source_id) for one in opened}
        require(waited_for == unsettled, f"{account.ref}: {waited_for} are open, not {unsettled}")

    def _read_recharges(self) -> None:
        written = self._world.book.written
        for place in range(self._read, len(written)):
            for record in written[place].records:
                if not isinstance(record, Recharge) or record.account != self._site.ref:
                    continue
                if record.state.is_final:
                    self._unsettled.pop(record.ordinal, None)
                else:
                    self._unsettled[record.ordinal] = record
        self._read = len(written)

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
        entries = list(self._world.book.entries(account))
        require(entries == self.entries, "entries never change")
        proof = prove(account, entries)
        require(proof.is_sound, *proof.problems)
        require(proof.entries == len(entries), "the ledger goes on beyond the account's head")
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
            for change in self._world.book.written
            for event in change.events
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
    """What pays for an order, an invoice or numbers is spent as it comes."""
    require(one.expected_at is None, f"no card is slow: {one}")
    fills_no_wallet = one.reason in (
        RechargeReason.ORDER,
        RechargeReason.INVOICE,
        RechargeReason.NUMBERS,
    )
    return not one.is_waiting and not fills_no_wallet
