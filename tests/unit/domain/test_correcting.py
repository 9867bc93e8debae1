"""A correction gives back and charges anew: afterwards the call has always been so."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain import alerts
from billing.domain.account import Account, PeriodTotals
from billing.domain.change import Change
from billing.domain.correcting import Correction, correct_usage, correction_id
from billing.domain.errors import InvalidUsageError
from billing.domain.grants import Grant
from billing.domain.ledger import EntryKind, LedgerEntry, entry_hash, prove
from billing.domain.posting import RatedUsage
from billing.domain.rating import rate_usage
from billing.domain.recharging import RechargeMode, RechargePolicy, Recharging
from billing.domain.records import EventType, TimerKind
from billing.domain.rolling import roll
from billing.domain.units import Unit
from billing.domain.usage import Call, CallStatus, CorrectionSource, UsageEvent
from builders import NOON, USD, a_deck, a_posting, a_usage_event, an_account, an_operation

FEW = settings(max_examples=150, deadline=None)
SECOND = 1_000
"""Micros: the deck's price of one second."""

quantities = st.integers(0, 200)


def a_lot(seconds: int, lot: str = "minutes", priority: int = 100, **overrides: object) -> Grant:
    start = an_account().period.start_at
    grant = Grant(lot, Unit.VOICE_SECONDS, seconds, seconds, priority, start, None)
    return replace(grant, **overrides)  # type: ignore[arg-type]  # fields of a Grant


def holding(*lots: Grant, **overrides: Any) -> Account:
    return an_account(grants=lots, **overrides).next_version()


def an_event(number: int, quantity: int, **overrides: object) -> UsageEvent:
    status = CallStatus.COMPLETED if quantity else CallStatus.NO_ANSWER
    answered_at = NOON - timedelta(seconds=300)
    event = a_usage_event(
        number, quantity=quantity, status=status, answered_at=answered_at if quantity else None
    )
    return replace(event, **overrides)  # type: ignore[arg-type]  # fields of a UsageEvent


def rated(event: UsageEvent, rate_micros: int = 60 * SECOND) -> RatedUsage:
    if not event.quantity:
        return RatedUsage(event, None)
    deck = a_deck(rate_micros)
    price = rate_usage(deck, event.unit, event.direction, event.to_number, event.quantity)
    return RatedUsage(event, price)


class Story:
    """An account, everything that was posted to it, and the calls as they stand."""

    def __init__(self, account: Account) -> None:
        self.opened = replace(account, wallet_micros=0)
        self.account = self.opened
        self.entries: list[LedgerEntry] = []
        self.calls: dict[int, Call] = {}
        self.corrections = 0

    def post(self, number: int, quantity: int, **overrides: object) -> "Story":
        change = a_posting(self.account, [an_event(number, quantity, **overrides)])
        self._take(change)
        self.calls[number] = change.calls[0]
        return self

    def correct(
        self,
        *contents: tuple[int, int],
        now: datetime = NOON,
        rate_micros: int = 60 * SECOND,
        **overrides: object,
    ) -> Change:
        corrections = [
            Correction(
                self.calls[number], rated(an_event(number, quantity, **overrides), rate_micros)
            )
            for number, quantity in contents
        ]
        self.corrections += 1
        operation = an_operation(self.account.ref, f"correction {self.corrections}", now)
        change = correct_usage(self.account, corrections, CorrectionSource.OPERATOR, operation, now)
        self._take(change)
        for (number, _), call in zip(contents, change.revisions, strict=True):
            self.calls[number] = call
        return change

    def roll(self) -> None:
        self._take(roll(self.account, self.account.period.end_at))

    def _take(self, change: Change) -> None:
        self.entries += change.entries
        self.account = change.after
        assert prove(self.account, self.entries).is_sound

    @property
    def standing(self) -> tuple[object, ...]:
        """What is left of everything that was posted."""
        account = self.account
        return account.wallet_micros, account.grants, account.totals, account.daily_spend


def told(*contents: int, lots: tuple[Grant, ...]) -> Story:
    story = Story(holding(*lots))
    for number, quantity in enumerate(contents):
        story.post(number, quantity)
    return story


@FEW
@given(st.lists(quantities, max_size=3), quantities, quantities, st.integers(0, 400))
def test_afterwards_the_last_call_has_always_been_so(
    before: list[int], was: int, becomes: int, seconds: int
) -> None:
    lots = (a_lot(seconds), a_lot(50, "bundle", priority=50))
    story = told(*before, was, lots=lots)
    story.correct((len(before), becomes))
    assert story.standing == told(*before, becomes, lots=lots).standing
    call, fresh = story.calls[len(before)], told(*before, becomes, lots=lots).calls[len(before)]
    assert (call.granted, call.wallet_micros, call.cost_micros, call.fingerprint) == (
        fresh.granted,
        fresh.wallet_micros,
        fresh.cost_micros,
        fresh.fingerprint,
    )


@FEW
@given(
    st.lists(quantities, min_size=1, max_size=5),
    st.data(),
    st.sampled_from([(), (a_lot(10_000),), (a_lot(10_000), a_lot(10_000, "b", priority=1))]),
)
def test_where_no_lot_runs_out_any_call_has_always_been_so(
    were: list[int], data: st.DataObject, lots: tuple[Grant, ...]
) -> None:
    story = told(*were, lots=lots)
    number = data.draw(st.integers(0, len(were) - 1))
    becomes = data.draw(quantities)
    story.correct((number, becomes))
    always = [*were]
    always[number] = becomes
    assert story.standing == told(*always, lots=lots).standing


@FEW
@given(st.lists(quantities, min_size=1, max_size=5), st.data(), st.integers(0, 400))
def test_correcting_back_restores_everything(
    were: list[int], data: st.DataObject, seconds: int
) -> None:
    story = told(*were, lots=(a_lot(seconds), a_lot(60, "bundle", priority=50)))
    before, calls = story.standing, dict(story.calls)
    numbers = data.draw(st.lists(st.sampled_from(range(len(were))), min_size=1, unique=True))
    story.correct(*((number, data.draw(quantities)) for number in sorted(numbers)))
    story.correct(*((number, were[number]) for number in sorted(numbers)))
    assert story.standing == before
    for number in numbers:
        call = story.calls[number]
        assert call.revision == 2
        assert (call.granted, call.wallet_micros) == (
            calls[number].granted,
            calls[number].wallet_micros,
        )


@FEW
@given(
    st.lists(quantities, min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), quantities, st.integers(0, 3)), max_size=6),
    st.integers(0, 300),
)
def test_whatever_is_corrected_money_and_seconds_are_conserved(
    were: list[int], corrections: list[tuple[int, int, int]], seconds: int
) -> None:
    lots = (a_lot(seconds), a_lot(60, "bundle", priority=50))
    story = told(*were, lots=lots)
    for number, quantity, price in corrections:
        story.correct((number % len(were), quantity), rate_micros=60 * SECOND * price)
    calls = story.calls.values()
    assert story.account.wallet_micros == -sum(call.wallet_micros for call in calls)
    for lot in story.account.grants:
        burned = sum(dict(call.granted).get(lot.grant_id, 0) for call in calls)
        assert lot.remaining + burned == lot.total
        assert 0 <= lot.remaining <= lot.total
    assert story.account.totals == PeriodTotals(
        calls=len(were),
        voice_seconds=sum(call.billed_quantity for call in calls),
        granted_voice_seconds=sum(q for call in calls for _, q in call.granted),
        wallet_micros=sum(call.wallet_micros for call in calls),
    )


def test_it_is_a_reversal_and_a_new_entry_that_name_the_revisions() -> None:
    story = told(100, 61, lots=())
    change = story.correct((1, 30))
    reversal, entry = change.entries
    assert (reversal.kind, reversal.debit, reversal.credit) == (
        EntryKind.REVERSAL,
        "revenue:usage",
        "wallet",
    )
    assert (entry.kind, entry.debit, entry.credit) == (EntryKind.USAGE, "wallet", "revenue:usage")
    assert (reversal.amount_micros, entry.amount_micros) == (61 * SECOND, 30 * SECOND)
    assert reversal.cause == entry.cause == "correction 1"
    key = story.calls[1].event.key
    assert (reversal.usage.calls, reversal.usage.revisions) == ((key,), (0,))
    assert (entry.usage.calls, entry.usage.revisions) == ((key,), (1,))
    assert (reversal.usage.voice_seconds, entry.usage.voice_seconds) == (61, 30)


def test_a_revision_says_who_corrected_it_and_where_it_was_first_posted() -> None:
    story = told(61, lots=())
    first = story.calls[0]
    story.correct((0, 30))
    call = story.calls[0]
    assert (call.revision, call.sequence, call.first_sequence) == (1, 3, first.sequence)
    assert call.first_posted_at == first.posted_at
    assert call.corrected is not None
    assert call.corrected.source is CorrectionSource.OPERATOR
    story.correct((0, 10))
    assert (story.calls[0].revision, story.calls[0].first_sequence) == (2, first.sequence)


def test_a_call_may_become_free_and_charged_again() -> None:
    story = told(61, lots=())
    reversal, entry = story.correct((0, 0)).entries
    assert (reversal.amount_micros, entry.amount_micros) == (61 * SECOND, 0)
    assert (story.account.wallet_micros, story.account.daily_spend) == (0, ())
    story.correct((0, 61))
    assert story.account.wallet_micros == -61 * SECOND


def test_seconds_never_go_back_above_what_a_lot_holds() -> None:
    story = told(61, lots=(a_lot(61),))
    (spent,) = story.account.grants
    story.account = replace(story.account, grants=(replace(spent, remaining=50),))
    story.correct((0, 0))
    assert story.account.grants == (replace(spent, remaining=61),)


def test_what_a_lot_gave_that_is_gone_stays_with_its_call() -> None:
    story = told(61, lots=(a_lot(61, "gone"),))
    later = a_lot(1_000, "later")
    story.account = replace(story.account, grants=(later,))
    story.correct((0, 80))
    call = story.calls[0]
    assert (call.granted, call.wallet_micros) == ((("gone", 61), ("later", 19)), 0)
    assert story.account.grants == (replace(later, remaining=981),)
    story.correct((0, 20))
    assert story.calls[0].granted == (("gone", 20),)
    assert story.account.grants == (later,)


def test_what_a_lot_is_too_small_to_take_back_stays_with_its_call() -> None:
    story = told(61, lots=(a_lot(100),))
    (lot,) = story.account.grants
    smaller = replace(lot, total=20, remaining=0)
    story.account = replace(story.account, grants=(smaller,))
    story.correct((0, 70))
    call = story.calls[0]
    assert (call.granted, call.wallet_micros) == ((("minutes", 61),), 9 * SECOND)
    assert story.account.grants == (smaller,)
    story.correct((0, 50))
    assert story.calls[0].granted == (("minutes", 50),)
    assert story.account.grants == (replace(smaller, remaining=11),)


def test_an_unlimited_lot_takes_everything_back() -> None:
    free = a_lot(0, unlimited=True)
    story = told(61, lots=(free,))
    story.correct((0, 90))
    assert story.calls[0].granted == (("minutes", 90),)
    assert story.account.grants == (free,)


def test_a_call_burns_what_was_valid_when_it_was_first_posted() -> None:
    """The turn has come, the grace is over, and the old period's lot still stands."""
    old = an_account(grants=())
    lot = a_lot(100, expires_at=old.period.end_at)
    story = told(61, lots=(lot,))
    story.roll()
    late = story.account.period.start_at + timedelta(days=10)
    fresh = a_lot(1_000, "fresh", granted_at=story.account.period.start_at)
    story.account = replace(story.account, grants=(*story.account.grants, fresh))
    story.correct((0, 70), now=late)
    assert story.calls[0].granted == (("minutes", 70),)
    assert story.account.grants[-1] == fresh


def test_a_rolled_over_lot_takes_back_what_it_gave() -> None:
    story = told(61, lots=(a_lot(100),))
    (lot,) = story.account.grants
    rolled = replace(lot, expires_at=NOON + timedelta(days=40), rolled_over=True)
    story.account = replace(story.account, grants=(rolled,))
    story.correct((0, 1))
    assert story.account.grants == (replace(rolled, remaining=99),)


def test_what_an_earlier_period_counted_is_taken_from_this_ones_totals() -> None:
    story = told(61, lots=())
    story.roll()
    story.correct((0, 1), now=story.account.period.start_at)
    totals = story.account.totals
    assert (totals.calls, totals.voice_seconds, totals.wallet_micros) == (0, -60, -60 * SECOND)


def test_the_daily_spend_moves_on_the_calls_own_days() -> None:
    story = told(60, 60, lots=())
    now = NOON + timedelta(days=3)
    story.correct(
        (0, 10), now=now, ended_at=NOON - timedelta(days=1), answered_at=NOON - timedelta(days=2)
    )
    today = NOON.date()
    assert dict(story.account.daily_spend) == {
        today - timedelta(days=1): 10 * SECOND,
        today: 60 * SECOND,
    }


def test_a_day_that_is_forgotten_stays_so() -> None:
    story = told(60, lots=())
    later = NOON + timedelta(days=200)
    while story.account.period.end_at <= later:
        story.roll()
    story.correct((0, 10), now=later)
    assert story.account.daily_spend == ()


def test_the_recharge_timer_is_levelled_and_the_crossing_told() -> None:
    policy = RechargePolicy(RechargeMode.FIXED, 0, amount_micros=USD)
    story = Story(holding(recharging=Recharging(policy, default_source_id="card")))
    story.post(1, 0)
    assert story.account.recharging.due_at is None
    dearer = alerts.told(story.correct((1, 61)), NOON)
    assert [timer.due_at for timer in dearer.timers_set] == [NOON]
    assert [event.type for event in dearer.events] == [
        EventType.BALANCE_LOW, EventType.RECHARGE_SCHEDULED,
    ]  # fmt: skip
    free = alerts.told(story.correct((1, 0)), NOON)
    assert free.timers_cleared == (TimerKind.RECHARGE,)
    assert not free.events


@pytest.mark.parametrize(
    ("change", "is_one"),
    [
        pytest.param({}, False, id="nothing"),
        pytest.param({"from_number": "+1"}, False, id="what no price depends on"),
        pytest.param({"connection_id": "other"}, False, id="where it came in"),
        pytest.param({"quantity": 62}, True, id="its length"),
        pytest.param({"to_number": "+44"}, True, id="its destination"),
        pytest.param({"ended_at": NOON + timedelta(1)}, True, id="its day"),
    ],
)
def test_only_other_content_is_a_correction(change: dict[str, object], is_one: bool) -> None:
    call = told(61, lots=()).calls[0]
    event = replace(call.event, **change)  # type: ignore[arg-type]  # fields of a UsageEvent
    assert Correction(call, rated(event)).changes_anything == is_one


def test_another_price_is_a_correction_and_the_same_is_none() -> None:
    call = told(61, lots=(a_lot(30),)).calls[0]
    assert not Correction(call, rated(call.event)).changes_anything
    assert Correction(call, rated(call.event, 61 * SECOND)).changes_anything


def test_a_correction_keeps_the_unit() -> None:
    call = told(61, lots=()).calls[0]
    with pytest.raises(InvalidUsageError):
        Correction(call, rated(replace(call.event, unit=Unit.MESSAGES)))


def test_its_id_derives_from_who_says_what_of_which_call() -> None:
    event = an_event(1, 61)
    source = CorrectionSource.OPERATOR
    ids = {
        correction_id(source, event),
        correction_id(CorrectionSource.CARRIER, event),
        correction_id(source, an_event(1, 62)),
        correction_id(source, an_event(2, 61)),
    }
    assert len(ids) == 4
    assert correction_id(source, event) == correction_id(source, an_event(1, 61))


def a_corrected_ledger() -> Story:
    story = told(61, 61, lots=())
    story.correct((0, 30), (1, 30))
    story.correct((0, 20))
    return story


def chained(story: Story, entries: list[LedgerEntry]) -> list[str]:
    """What a proof says of other entries, by somebody who knows how to chain and to sum."""
    head, balance = story.opened.head, 0
    forged: list[LedgerEntry] = []
    for number, entry in enumerate(entries, 1):
        balance += entry.wallet_change_micros
        entry = replace(
            entry, sequence=number, previous_hash=head.hash, balance_micros=balance, hash=""
        )
        entry = replace(entry, hash=entry_hash(entry))
        head = replace(head, sequence=number, hash=entry.hash, posted_at=entry.posted_at)
        forged.append(entry)
    account = replace(story.account, head=head, wallet_micros=balance)
    return list(prove(account, forged).problems)


def test_a_ledger_of_corrections_is_proven_and_sums_to_the_wallet() -> None:
    story = a_corrected_ledger()
    assert chained(story, story.entries) == []
    moved = sum(entry.wallet_change_micros for entry in story.entries)
    assert moved == story.account.wallet_micros == -50 * SECOND


@pytest.mark.parametrize(
    ("forge", "problem"),
    [
        pytest.param(
            lambda e: [*e, e[-2], e[-1]],
            "entry 7 reverses a revision that does not stand",
            id="a reversal twice",
        ),
        pytest.param(
            lambda e: e[:-1], "entry 5 reverses what no entry charges anew", id="no new entry"
        ),
        pytest.param(
            lambda e: [*e[:4], e[5]],
            "entry 5 charges anew what no entry reversed",
            id="no reversal",
        ),
        pytest.param(
            lambda e: [*e[:2], e[4], e[5]],
            "entry 3 reverses a revision that does not stand",
            id="a correction left out",
        ),
        pytest.param(
            lambda e: [*e[:5], replace(e[5], cause="other")],
            "entry 5 reverses what no entry charges anew",
            id="a new entry of another cause",
        ),
        pytest.param(
            lambda e: [*e[:4], replace(e[4], debit="wallet", credit="revenue:usage"), e[5]],
            "entry 5 reverses in the wrong direction",
            id="a reversal that debits",
        ),
        pytest.param(
            lambda e: [e[0], e[1], replace(e[2], usage=replace(e[2].usage, revisions=())), e[3]],
            "entry 3 reverses a revision that does not stand",
            id="a reversal that names no revision",
        ),
        pytest.param(
            lambda e: [
                *e[:2],
                *(
                    replace(one, usage=replace(one.usage, revisions=rs))
                    for one, rs in ((e[2], (0,)), (e[3], (1,)))
                ),
            ],
            "entry 3 reverses a revision that does not stand",
            id="fewer revisions than calls",
        ),
    ],
)
def test_the_proof_names_a_correction_that_is_not_whole(
    forge: Callable[[list[LedgerEntry]], list[LedgerEntry]], problem: str
) -> None:
    story = a_corrected_ledger()
    assert problem in chained(story, forge(story.entries))
