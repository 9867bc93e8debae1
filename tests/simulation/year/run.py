"""One customer's year: calls, sweeps and payments in the order in which they would happen."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntEnum
from fractions import Fraction
from functools import partial
from itertools import count

from billing.adapters.gateways.sandbox import SUCCEEDS
from billing.domain import opening
from billing.domain.account import PlanTerms
from billing.domain.change import Change
from billing.domain.decks import deck_digest, parse_deck, serialise_deck
from billing.domain.ledger import prove
from billing.domain.recharge_balance import CYCLE, threshold_micros
from billing.domain.recharging import RechargeMode, RechargePolicy, RechargeReason, Recharging
from billing.domain.records import FundingSource, OperationState, TimerKind
from billing.domain.spend import average_now
from billing.ports import DeckVersion
from billing.services.change_account import ChangeAccount
from billing.services.change_holds import ChangeHolds
from billing.services.collect_recharge import CollectRecharge, RechargeRequest
from billing.services.post_usage import PostUsage
from billing.services.publish_events import is_at_once
from billing.services.settle_reservations import SettleReservations
from billing.services.sweep_timers import SweepTimers
from builders import ACME, USD, a_usage_event, an_operation
from fakes.book import InMemoryBook
from fakes.reservations import InMemoryReservations
from fakes.stores import InMemoryDecks, InMemoryQuarantine
from fakes.world import FixedClock, InMemorySandbox, RecordingWorkQueue
from simulation.year.spenders import BEGUN, DAYS, Spender, Talk

PAYMENT_TAKES = timedelta(minutes=5)
"""From the sweep, or the call that fires an early payment, to the money: queue and gateway."""

FIRST_PAYMENT_MICROS = 60 * USD
"""What every customer starts with, paid on request."""

MEASURED_AFTER_DAYS = 30
"""Balances are measured from then on: the average's lookback is full."""

DAY = timedelta(days=1)
CENT_MICROS = 10_000

DECK = """\
prefix,destination,rate,first_increment_seconds,next_increment_seconds
1,North America,0.006,1,1
"""


class Rank(IntEnum):
    """What happens first of what happens at one instant."""

    CALL_ENDS = 1
    MONEY_COMES = 2
    DAY_TURNS = 3
    CYCLE_TURNS = 4
    CALL_BEGINS = 5


@dataclass(slots=True)
class Day:
    """What one day's balance did, and the reserve at its end. In micros."""

    lowest: int
    highest: int
    reserve: int


@dataclass(slots=True)
class Year:
    """What became of it.

    Args:
        lowest_days: The lowest balance in days of the average use at its instant.
        talk_minutes: In which the customer wanted to talk.
        dry_minutes: In which nothing was left to begin a call with.
    """

    payments: int = 0
    early_payments: int = 0
    collected_micros: int = 0
    lowest_micros: int | None = None
    highest_micros: int | None = None
    lowest_days: Fraction | None = None
    highest_days: Fraction | None = None
    talk_minutes: int = 0
    dry_minutes: int = 0
    days: list[Day] = field(default_factory=list)


def play(
    spender: Spender,
    *,
    is_early: bool,
    days: int = DAYS,
    progress: Callable[[int], None] = lambda _day: None,
) -> Year:
    """Play it, usage-based with the default settings.

    Args:
        is_early: Whether early recharge is on.
        progress: Told the day, every four weeks.
    """
    return _Player(is_early).play(spender, days, progress)


class _Player:
    def __init__(self, is_early: bool) -> None:
        self._year = Year()
        self._book = InMemoryBook()
        self._clock = FixedClock(BEGUN)
        self._queue = RecordingWorkQueue()
        self._sandbox = InMemorySandbox(self._clock)
        self._sweep = SweepTimers(self._book, self._queue, self._clock)
        change_account = ChangeAccount(self._book, self._clock, lambda _: None)
        self._recharges = CollectRecharge(
            book=self._book,
            gateways={"sandbox": self._sandbox},
            clock=self._clock,
            change_account=change_account,
        )
        decks = InMemoryDecks()
        _upload(decks)
        self._quarantine = InMemoryQuarantine()
        self._posting = PostUsage(
            book=self._book,
            decks=decks,
            quarantine=self._quarantine,
            clock=self._clock,
            change_account=change_account,
            settle_reservations=SettleReservations(
                self._book, self._clock, ChangeHolds(InMemoryReservations())
            ),
        )
        self._agenda: list[tuple[datetime, Rank, int, Callable[[], None]]] = []
        self._entries = count()
        self._calls = count(1)
        self._today: list[int] = []
        self._open(RechargePolicy(RechargeMode.USAGE, is_early=is_early))

    def play(self, spender: Spender, days: int, progress: Callable[[int], None]) -> Year:
        for talk in spender(days):
            self._at(talk.at, Rank.CALL_BEGINS, partial(self._talk, talk))
        for number in range(1, days * (DAY // CYCLE)):
            self._at(BEGUN + number * CYCLE, Rank.CYCLE_TURNS, self._turn_cycle)
        for number in range(1, days + 1):
            turn = partial(self._turn_day, number, progress)
            self._at(BEGUN + number * DAY, Rank.DAY_TURNS, turn)
        while self._agenda:
            at, _, _, happen = heapq.heappop(self._agenda)
            self._clock.advance(at - self._clock.now())
            happen()
        self._sum_up()
        return self._year

    def _at(self, at: datetime, rank: Rank, happen: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (at, rank, next(self._entries), happen))

    def _open(self, policy: RechargePolicy) -> None:
        account = opening.new_account(
            ACME,
            currency="USD",
            time_zone="UTC",
            billing_day=1,
            plan=PlanTerms("prepaid", 1),
            rate_deck="standard",
            now=BEGUN,
        )
        operation = an_operation(ACME, "open", BEGUN)
        self._book.commit(opening.open_account(account, "Main", operation, None, BEGUN))
        before = self._book.account(ACME)
        after = replace(before, recharging=Recharging(policy, default_source_id="card"))
        card = FundingSource(ACME, "card", "sandbox", SUCCEEDS, "Visa", BEGUN)
        operation = an_operation(ACME, "card", BEGUN)
        change = Change(before, after.next_version(), operation=operation, records=(card,))
        self._book.commit(change)
        asked = an_operation(ACME, "first", BEGUN, state=OperationState.PENDING)
        self._recharges.request(ACME, RechargeRequest(FIRST_PAYMENT_MICROS, asked, None))
        self._publish()

    def _talk(self, talk: Talk) -> None:
        """A call begins, if there is anything to begin it with, and then runs to its end."""
        self._year.talk_minutes += talk.minutes
        if self._book.account(ACME).wallet_micros <= 0:
            self._year.dry_minutes += talk.minutes
            return
        self._at(talk.ends_at, Rank.CALL_ENDS, partial(self._post, talk))

    def _post(self, talk: Talk) -> None:
        event = a_usage_event(
            next(self._calls), talk.ends_at, quantity=talk.seconds, answered_at=talk.at
        )
        assert self._posting.post(ACME, [event]) == 1, self._quarantine.parked(None, 1)
        self._publish()
        self._measure()

    def _turn_cycle(self) -> None:
        self._sweep.sweep(TimerKind.RECHARGE)
        self._hand_over()

    def _publish(self) -> None:
        """Events go out; a payment that cannot wait for its cycle goes to the queue."""
        events = self._book.outbox()
        for event in events:
            if is_at_once(event):
                self._queue.send([event.account], event.event_id)
        self._book.forget(events)
        self._hand_over()

    def _hand_over(self) -> None:
        for _ in self._queue.take():
            self._at(self._clock.now() + PAYMENT_TAKES, Rank.MONEY_COMES, self._collect)

    def _collect(self) -> None:
        self._recharges.collect(ACME)
        self._publish()
        self._measure()

    def _measure(self) -> None:
        account = self._book.account(ACME)
        balance = account.wallet_micros
        self._today.append(balance)
        now = self._clock.now()
        if now < BEGUN + MEASURED_AFTER_DAYS * DAY:
            return
        spend = average_now(account, now)
        in_days = Fraction(balance * spend.days, spend.sum_micros)
        year = self._year
        year.lowest_micros = min(balance, year.lowest_micros or balance)
        year.highest_micros = max(balance, year.highest_micros or balance)
        year.lowest_days = min(in_days, year.lowest_days or in_days)
        year.highest_days = max(in_days, year.highest_days or in_days)

    def _turn_day(self, number: int, progress: Callable[[int], None]) -> None:
        account = self._book.account(ACME)
        # The day that ends, with the reserve it had.
        reserve = threshold_micros(account, self._clock.now() - timedelta.resolution)
        balances = self._today or [account.wallet_micros]
        self._year.days.append(Day(min(balances), max(balances), reserve or 0))
        self._today = [account.wallet_micros]
        if number % 28 == 0:
            progress(number)

    def _sum_up(self) -> None:
        """What was collected, once both books are seen to agree and the ledger to be sound."""
        account = self._book.account(ACME)
        proof = prove(account, self._book.entries(account))
        assert proof.is_sound, proof.problems
        ours = {payment.payment_id: payment.amount_micros for payment in self._book.payments()}
        theirs = {c.payment_id: c.amount_minor * CENT_MICROS for c in self._sandbox.captured()}
        assert ours == theirs
        automatic = [
            recharge
            for recharge in self._book.recharges(ACME, None, len(ours))
            if recharge.reason is not RechargeReason.REQUESTED
        ]
        year = self._year
        year.payments = len(automatic)
        year.early_payments = sum(one.reason is RechargeReason.EARLY for one in automatic)
        year.collected_micros = sum(recharge.amount_micros for recharge in automatic)


def _upload(decks: InMemoryDecks) -> None:
    table = parse_deck(DECK)
    body = serialise_deck(table)
    version = DeckVersion(
        deck_id="standard",
        version=1,
        currency="USD",
        effective_at=BEGUN,
        rounding="up",
        decimals=6,
        digest=deck_digest(body),
        rates=len(table),
        uploaded_at=BEGUN,
    )
    decks.store(version, body)
