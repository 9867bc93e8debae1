"""Summaries equal what the ledger says, whatever happens to those who make them."""

import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest

from billing.domain.account import AccountRef
from billing.domain.correcting import Correction, correct_usage
from billing.domain.errors import BookBusyError, BookContendedError, ConflictError, NotFoundError
from billing.domain.posting import RatedUsage
from billing.domain.rating import rate_usage
from billing.domain.summaries import (
    Bucket,
    DaySummary,
    Figures,
    SummaryHead,
    begins_at,
)
from billing.domain.units import Direction, Unit
from billing.domain.usage import CallStatus, CorrectionSource
from billing.services import project_usage
from billing.services.project_usage import ProjectUsage
from builders import (
    ACME,
    NOON,
    USD,
    a_credit,
    a_deck,
    a_posting,
    a_usage_event,
    an_account,
    an_opening,
    an_operation,
)
from fakes.book import InMemoryBook
from fakes.countries import country_of
from fakes.summaries import InMemorySummaries

ZONE = "America/New_York"
NUMBERS = ("+14155550100", "+16045550100", "+442079460000", "+4930123456", "+881612345678")
SEEDS = range(6)


class CrashError(Exception):
    """The worker is gone."""


class Ledger:
    """An account whose ledger grows by chance: postings, corrections, money in."""

    def __init__(self, seed: int, ref: AccountRef = ACME) -> None:
        self.dice = random.Random(seed)
        self.ref = ref
        self.book = InMemoryBook()
        self.book.commit(an_opening(an_account(ref, time_zone=ZONE)))
        self.now = NOON
        self._numbers = 0

    @property
    def sequence(self) -> int:
        return self.book.account(self.ref).head.sequence

    def grow(self, times: int) -> None:
        for _ in range(times):
            self.now += timedelta(minutes=self.dice.randrange(90))
            what = self.dice.random()
            if what < 0.15:
                self._credit()
            elif what < 0.35 and self._numbers:
                self._correct()
            else:
                self._post()

    def recomputed(self) -> Mapping[date, DaySummary]:
        """What every call came to, as it stands now, without asking the ledger."""
        days: dict[date, dict[Bucket, Figures]] = {}
        keys = [a_usage_event(number).key for number in range(self._numbers)]
        for call in self.book.current_calls(self.ref.tenant_id, keys).values():
            event = call.event
            begins = [
                (day, hour)
                for day in (event.ended_at.date() - timedelta(days=1), event.ended_at.date())
                for hour in range(25)
                if begins_at(day, hour, ZONE) <= event.ended_at < begins_at(day, hour + 1, ZONE)
                and begins_at(day, hour, ZONE) < begins_at(day + timedelta(days=1), 0, ZONE)
            ]
            ((day, hour),) = begins
            granted = sum(quantity for _, quantity in call.granted)
            is_voice = event.unit is Unit.VOICE_SECONDS
            figures = Figures(
                calls=int(is_voice),
                voice_seconds=call.billed_quantity if is_voice else 0,
                granted_voice_seconds=granted if is_voice else 0,
                messages=0 if is_voice else call.billed_quantity,
                granted_messages=0 if is_voice else granted,
                wallet_micros=call.wallet_micros,
                other_micros=0 if is_voice else call.wallet_micros,
            )
            if figures == Figures():
                continue
            bucket = Bucket(hour, event.direction, country_of(event.to_number))
            cells = days.setdefault(day, {})
            cells[bucket] = cells.get(bucket, Figures()).plus(figures)
        return days

    def _post(self) -> None:
        events = []
        for _ in range(self.dice.randrange(1, 26)):
            unit = self.dice.choice(list(Unit))
            quantity = self.dice.choice((0, 1, 60, 61, 3_599))
            ended = self.now - timedelta(minutes=self.dice.choice((0, 1, 59, 2_000, 40_000)))
            events.append(
                a_usage_event(
                    self._numbers,
                    ended,
                    unit=unit,
                    direction=self.dice.choice(list(Direction)),
                    to_number=self.dice.choice(NUMBERS),
                    quantity=quantity,
                    status=CallStatus.COMPLETED if quantity else CallStatus.BUSY,
                )
            )
            self._numbers += 1
        self.book.commit(a_posting(self.book.account(self.ref), events, self.now))

    def _correct(self) -> None:
        """Other content, or another price, for some of the calls."""
        numbers = self.dice.sample(range(self._numbers), min(3, self._numbers))
        keys = [a_usage_event(number).key for number in numbers]
        deck = a_deck(self.dice.randrange(10_000, 90_000))
        corrections = []
        for call in self.book.current_calls(self.ref.tenant_id, keys).values():
            event = replace(
                call.event,
                quantity=max(1, call.event.quantity + self.dice.choice((-1, 0, 30))),
                status=CallStatus.COMPLETED,
                answered_at=call.event.ended_at - timedelta(hours=2),
            )
            rated = rate_usage(deck, event.unit, event.direction, event.to_number, event.quantity)
            corrections.append(Correction(call, RatedUsage(event, rated)))
        account = self.book.account(self.ref)
        operation = an_operation(self.ref, f"correct-{account.version}", self.now)
        self.book.commit(
            correct_usage(account, corrections, CorrectionSource.CARRIER, operation, self.now)
        )

    def _credit(self) -> None:
        account = self.book.account(self.ref)
        self.book.commit(a_credit(account, USD, f"credit-{account.version}", self.now))


def a_projector(ledger: Ledger, summaries: InMemorySummaries) -> ProjectUsage:
    return ProjectUsage(ledger.book, summaries, country_of, sleep=lambda _: None)


def stored(summaries: InMemorySummaries, ref: AccountRef = ACME) -> Mapping[date, DaySummary]:
    """What readers see; a day that was emptied again is as good as none."""
    generation = summaries.head(ref).live.generation
    found = summaries.between(ref, generation, date.min, date.max)
    return {day: summary for day, summary in found if summary}


class Interrupted(InMemorySummaries):
    """Something happens just before or just after a write."""

    def __init__(
        self,
        before: Callable[[], None] = lambda: None,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self.before, self.after = before, after

    def write(
        self,
        ref: AccountRef,
        head: SummaryHead,
        generation: int,
        days: Mapping[date, DaySummary],
    ) -> None:
        self.before()
        super().write(ref, head, generation, days)
        self.after()


class Counted(InMemorySummaries):
    """Remembers how many days each write had."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def write(
        self,
        ref: AccountRef,
        head: SummaryHead,
        generation: int,
        days: Mapping[date, DaySummary],
    ) -> None:
        self.sizes.append(len(days))
        super().write(ref, head, generation, days)


@pytest.mark.parametrize("seed", SEEDS)
def test_records_in_any_order_twice_or_never_leave_exactly_what_was_used(seed: int) -> None:
    ledger, summaries = Ledger(seed), InMemorySummaries()
    projector = a_projector(ledger, summaries)
    told: list[int] = []
    for _ in range(8):
        before = ledger.sequence
        ledger.grow(ledger.dice.randrange(1, 8))
        told += range(before + 1, ledger.sequence + 1)
        # Some come late, some again, some never.
        for sequence in ledger.dice.sample(told, ledger.dice.randrange(len(told) + 1)):
            projector.project(ACME, sequence)
            projector.project(ACME, ledger.dice.choice(told))
    projector.project(ACME, ledger.sequence)
    assert stored(summaries) == ledger.recomputed()
    assert summaries.head(ACME).live.sequence == ledger.sequence


@pytest.mark.parametrize("seed", SEEDS)
def test_one_record_of_many_brings_everything_before_it(seed: int) -> None:
    ledger, summaries = Ledger(seed), InMemorySummaries()
    ledger.grow(60)
    assert a_projector(ledger, summaries).project(ACME, ledger.sequence) == ledger.sequence
    assert stored(summaries) == ledger.recomputed()


def test_a_record_that_is_taken_in_already_writes_nothing() -> None:
    ledger, summaries = Ledger(1), InMemorySummaries()
    ledger.grow(5)
    projector = a_projector(ledger, summaries)
    projector.project(ACME, ledger.sequence)
    head = summaries.head(ACME)
    for sequence in range(1, ledger.sequence + 1):
        assert projector.project(ACME, sequence) == ledger.sequence
    assert summaries.head(ACME) == head


@pytest.mark.parametrize("seed", SEEDS)
def test_a_projector_that_was_overtaken_begins_again(seed: int) -> None:
    """Another projects the same, and more, between its read and its write."""
    ledger, summaries = Ledger(seed), Interrupted()
    ledger.grow(10)
    rival = a_projector(ledger, summaries)
    overtaken = 0

    def overtake() -> None:
        nonlocal overtaken
        if overtaken < 3:
            overtaken += 1
            ledger.grow(3)
            summaries.before = lambda: None
            rival.project(ACME, ledger.sequence)
            ledger.grow(1)
            summaries.before = overtake

    summaries.before = overtake
    projector = a_projector(ledger, summaries)
    while summaries.head(ACME).live.sequence < ledger.sequence:
        projector.project(ACME, ledger.sequence)
    assert overtaken == 3
    assert stored(summaries) == ledger.recomputed()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_crash_on_either_side_of_a_write_loses_and_doubles_nothing(
    seed: int, moment: str
) -> None:
    ledger, summaries = Ledger(seed), Interrupted()

    def crash() -> None:
        if ledger.dice.random() < 0.5:
            raise CrashError

    setattr(summaries, moment, crash)
    projector = a_projector(ledger, summaries)
    crashes = 0
    for _ in range(6):
        ledger.grow(10)
        while summaries.head(ACME).live.sequence < ledger.sequence:
            try:
                projector.project(ACME, ledger.sequence)
            except CrashError:
                crashes += 1
    assert crashes
    assert stored(summaries) == ledger.recomputed()


def test_projectors_at_once_while_the_ledger_grows() -> None:
    ledger, summaries = Ledger(3), InMemorySummaries()

    def project(_: int) -> None:
        projector = ProjectUsage(ledger.book, summaries, country_of)
        for _ in range(20):
            projector.project(ACME, ledger.sequence)

    with ThreadPoolExecutor(5) as pool:
        projecting = [pool.submit(project, number) for number in range(4)]
        growing = pool.submit(ledger.grow, 60)
        for done in (growing, *projecting):
            done.result()
    a_projector(ledger, summaries).project(ACME, ledger.sequence)
    assert stored(summaries) == ledger.recomputed()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rebuild_equals_what_was_added_up_entry_by_entry(seed: int) -> None:
    ledger, summaries = Ledger(seed), InMemorySummaries()
    projector = a_projector(ledger, summaries)
    for _ in range(5):
        ledger.grow(8)
        projector.project(ACME, ledger.sequence)
    incremental = stored(summaries)
    rebuilt = projector.rebuild(ACME)
    assert (rebuilt.generation, rebuilt.sequence, rebuilt.is_done) == (2, ledger.sequence, True)
    assert stored(summaries) == incremental == ledger.recomputed()
    assert {generation for _, generation, _ in summaries._days} == {2}


def test_a_rebuild_mends_what_was_wrong() -> None:
    ledger, summaries = Ledger(4), InMemorySummaries()
    ledger.grow(20)
    projector = a_projector(ledger, summaries)
    projector.project(ACME, ledger.sequence)
    right = stored(summaries)
    wrong = {day: {Bucket(0, Direction.INBOUND, "XX"): Figures(9, 9, 9, 9, 9, 9)} for day in right}
    extra = {date(2020, 1, 1): next(iter(wrong.values()))}
    head = summaries.head(ACME)
    summaries.write(ACME, replace(head, version=head.version + 1), 1, wrong | extra)
    assert projector.rebuild(ACME).is_done
    assert stored(summaries) == right


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rebuild_beside_live_projectors_disturbs_neither(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_usage, "MAX_STEPS", 6)
    monkeypatch.setattr(project_usage, "ENTRIES_PER_STEP", 3)
    ledger, summaries = Ledger(seed), Interrupted()
    ledger.grow(30)
    projector = a_projector(ledger, summaries)

    def catch_up() -> None:
        while summaries.head(ACME).live.sequence < ledger.sequence:
            try:
                projector.project(ACME, ledger.sequence)
            except BookBusyError:
                continue

    def meanwhile() -> None:
        if ledger.dice.random() < 0.2:
            summaries.before = lambda: None
            ledger.grow(1)
            catch_up()
            assert stored(summaries) == ledger.recomputed()
            summaries.before = meanwhile

    catch_up()
    summaries.before = meanwhile
    rebuilt = projector.rebuild(ACME)
    rounds = 1
    while not rebuilt.is_done:
        rebuilt = projector.rebuild(ACME, rebuilt.generation)
        rounds += 1
    assert rounds > 1
    summaries.before = lambda: None
    catch_up()
    assert stored(summaries) == ledger.recomputed()
    assert summaries.head(ACME).live.generation == 2


def test_a_rebuild_that_was_cut_off_leaves_the_old_summaries_readable() -> None:
    ledger, summaries = Ledger(5), Interrupted()
    ledger.grow(60)
    projector = a_projector(ledger, summaries)
    projector.project(ACME, ledger.sequence)
    right = stored(summaries)

    def crash() -> None:
        raise CrashError

    summaries.after = crash
    with pytest.raises(CrashError):
        projector.rebuild(ACME)
    summaries.after = lambda: None
    assert stored(summaries) == right
    # Another is begun, and what the first has made is forgotten in the end.
    rebuilt = projector.rebuild(ACME)
    assert (rebuilt.generation, rebuilt.is_done) == (3, True)
    assert stored(summaries) == right
    assert {generation for _, generation, _ in summaries._days} == {3}


def test_a_rebuild_that_was_given_up_does_not_go_on() -> None:
    ledger, summaries = Ledger(6), InMemorySummaries()
    ledger.grow(5)
    projector = a_projector(ledger, summaries)
    projector.project(ACME, ledger.sequence)
    first, second = projector._begin(ACME), projector._begin(ACME)
    with pytest.raises(ConflictError, match="given up"):
        projector.rebuild(ACME, first)
    assert projector.rebuild(ACME, second).is_done
    assert projector.rebuild(ACME, second).is_done


def test_a_rebuild_of_an_account_without_entries_is_done_at_once() -> None:
    ledger, summaries = Ledger(7), InMemorySummaries()
    assert a_projector(ledger, summaries).rebuild(ACME).is_done


def test_nobodys_account_is_not_rebuilt() -> None:
    ledger, summaries = Ledger(8), InMemorySummaries()
    with pytest.raises(NotFoundError):
        a_projector(ledger, summaries).rebuild(AccountRef("acme", "nobody"))
    assert summaries.head(AccountRef("acme", "nobody")) == SummaryHead()


def test_contention_is_waited_out_and_then_said() -> None:
    ledger = Ledger(9)
    ledger.grow(3)
    waits: list[float] = []

    def contend() -> None:
        raise BookContendedError("busy")

    summaries = Interrupted(before=contend)
    projector = ProjectUsage(ledger.book, summaries, country_of, waits.append)
    with pytest.raises(BookBusyError):
        projector.project(ACME, ledger.sequence)
    assert len(waits) == project_usage.MAX_STEPS
    assert all(0 <= wait <= project_usage.BACKOFF_CAP_SECONDS for wait in waits)


def test_an_entry_whose_calls_lie_on_many_days_fits_one_write() -> None:
    ledger, summaries = Ledger(10), Counted()
    for first in (0, 25, 50):
        events = [
            a_usage_event(first + number, NOON - timedelta(days=first + number))
            for number in range(25)
        ]
        ledger.book.commit(a_posting(ledger.book.account(ACME), events))
    ledger._numbers = 75
    a_projector(ledger, summaries).project(ACME, 3)
    assert summaries.sizes == [25, 25, 25]
    assert stored(summaries) == ledger.recomputed()
