"""Re-rating: the dry run says what will be, applying it does that once, whatever interrupts it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain.errors import (
    CurrencyMismatchError,
    IdConflictError,
    InvalidInputError,
    NoRateDeckError,
    NotFoundError,
)
from billing.domain.records import AuditRecord
from billing.domain.usage import Call, CorrectionSource, UsageEvent
from billing.services import rerate_usage
from billing.services.correct_usage import CorrectUsage
from billing.services.rerate_usage import FIRST, Place, Rerated, RerateUsage, Rerating
from builders import ACME, GLOBEX, a_usage_event, an_audit_record
from unit.world import BY_THE_SECOND, OPENED, World, raising

SECOND = 10_000
"""Micros: the first version's price of one second."""
DEARER = BY_THE_SECOND.replace("0.60", "1.20")
BY_THE_MINUTE = BY_THE_SECOND.replace(",1,1", ",60,60")


class Crash(BaseException):
    """The worker is gone."""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(rerate_usage, "STEP_CALLS", 3)
    monkeypatch.setattr(rerate_usage, "PAGE_STEPS", 2)
    world = World()
    world.open(seconds=100)
    world.upload()
    world.upload(DEARER, version=2, effective_at=OPENED + timedelta(days=99))
    world.upload(BY_THE_MINUTE, version=3, effective_at=OPENED + timedelta(days=99))
    return world


@pytest.fixture
def service(world: World) -> RerateUsage:
    return RerateUsage(
        book=world.book,
        decks=world.decks,
        clock=world.clock,
        change_account=world.change_account,
    )


def post(world: World, *seconds: int, first: int = 1) -> list[UsageEvent]:
    """One call in each posting, an hour after the other."""
    events = []
    for number, quantity in enumerate(seconds, first):
        world.clock.advance(timedelta(hours=1))
        event = a_usage_event(number, world.clock.now(), quantity=quantity)
        event = replace(event, answered_at=event.ended_at - timedelta(seconds=500))
        assert world.post_usage.post(ACME, [event]) == 1
        events.append(event)
    world.clock.advance(timedelta(hours=1))
    return events


def rerating(world: World, version: int = 2, begin: int = 1, end: int | None = None) -> Rerating:
    return Rerating(ACME, begin, end or world.account.head.sequence + 1, "standard", version)


def audit(operation_id: str) -> AuditRecord:
    return an_audit_record(operation_id=operation_id)


def apply_all(service: RerateUsage, wanted: Rerating, job: str = "job") -> list[Rerated]:
    pages: list[Rerated] = []
    start: Place | None = FIRST
    while start is not None:
        pages.append(service.apply(wanted, job, audit, start))
        start = pages[-1].next
    return pages


def current(world: World, events: list[UsageEvent]) -> list[Call]:
    found = world.book.current_calls("acme", (event.key for event in events))
    return [found[event.key] for event in events]


def test_a_dry_run_says_what_would_change_and_writes_nothing(
    world: World, service: RerateUsage
) -> None:
    post(world, 60, 60, 0)
    before, commits = world.account, len(world.book.committed)
    found = service.dry_run(rerating(world))
    rows = [
        (row.before.cost_micros, row.after.cost_micros, row.after.wallet_micros)
        for row in found.rows
    ]
    assert rows == [
        (60 * SECOND, 120 * SECOND, 0),
        (60 * SECOND, 120 * SECOND, 40 * SECOND),
        (0, 0, 0),
    ]
    figures = found.figures
    assert (figures.calls, figures.changed, figures.unchanged, figures.refused) == (3, 2, 1, 0)
    assert (figures.old_cost_micros, figures.new_cost_micros) == (120 * SECOND, 240 * SECOND)
    assert figures.wallet_micros == 20 * SECOND
    assert found.next is None
    assert (world.account, len(world.book.committed)) == (before, commits)


@pytest.mark.parametrize("version", [2, 3])
def test_applying_it_does_what_the_dry_run_said(
    world: World, service: RerateUsage, version: int
) -> None:
    events = post(world, 61, 5, 30, 200, 61, 1)
    wanted = rerating(world, version)
    foretold = service.dry_run(wanted)
    balance = world.account.wallet_micros
    (done,) = apply_all(service, wanted)
    assert done.figures == foretold.figures
    assert world.account.wallet_micros == balance - foretold.figures.wallet_micros
    shown = [
        (call.cost_micros, call.wallet_micros, call.granted) for call in current(world, events)
    ]
    assert shown == [
        (row.after.cost_micros, row.after.wallet_micros, row.after.granted) for row in foretold.rows
    ]
    assert world.is_proven()


def test_corrections_name_their_source_and_carry_the_audit(
    world: World, service: RerateUsage
) -> None:
    events = post(world, 161)
    apply_all(service, rerating(world))
    (call,) = current(world, events)
    assert call.corrected is not None
    assert call.corrected.source is CorrectionSource.RERATING
    assert (call.deck_version, call.wallet_micros) == (2, 122 * SECOND)
    assert audit("job/1") in world.book.audit_records(ACME)


def test_rerating_back_restores_balance_and_grants(world: World, service: RerateUsage) -> None:
    post(world, 61, 5, 30, 200)
    before, wanted = world.account, rerating(world, 3)
    apply_all(service, wanted)
    assert world.account.wallet_micros != before.wallet_micros
    apply_all(service, replace(wanted, version=1), "back")
    after = world.account
    assert (after.wallet_micros, after.grants, after.totals, after.daily_spend) == (
        before.wallet_micros,
        before.grants,
        before.totals,
        before.daily_spend,
    )


def test_a_range_is_walked_page_by_page(world: World, service: RerateUsage) -> None:
    events = post(world, *[60] * 14)
    wanted = rerating(world)
    pages = apply_all(service, wanted)
    assert [page.figures.calls for page in pages] == [6, 6, 2]
    assert [page.next.step if page.next else None for page in pages] == [3, 5, None]
    assert {call.revision for call in current(world, events)} == {1}
    assert world.is_proven()


def test_the_same_job_again_changes_nothing_and_says_the_same(
    world: World, service: RerateUsage
) -> None:
    post(world, *[60] * 7)
    wanted = rerating(world)
    first = apply_all(service, wanted)
    before = world.account
    again = apply_all(service, wanted)
    assert world.account == before
    assert [page.figures for page in again] == [page.figures for page in first]
    assert [page.replayed for page in first] == [False, False]
    assert [page.replayed for page in again] == [True, True]


def test_another_job_finds_what_is_done(world: World, service: RerateUsage) -> None:
    events = post(world, *[60] * 7)
    wanted = rerating(world)
    apply_all(service, wanted)
    balance = world.account.wallet_micros
    assert [page.figures.changed for page in apply_all(service, wanted, "other")] == [0, 0]
    assert world.account.wallet_micros == balance
    assert {call.revision for call in current(world, events)} == {1}


def test_a_step_of_an_old_job_does_not_undo_a_later_one(world: World, service: RerateUsage) -> None:
    post(world, 60, 60)
    wanted = rerating(world)
    apply_all(service, wanted)
    apply_all(service, replace(wanted, version=1), "back")
    balance = world.account.wallet_micros
    apply_all(service, wanted)
    assert world.account.wallet_micros == balance
    apply_all(service, wanted, "once more")
    assert world.account.wallet_micros == balance - 20 * SECOND


def test_a_step_that_changed_nothing_is_taken_all_the_same(
    world: World, service: RerateUsage
) -> None:
    post(world, 60)
    wanted = rerating(world, 1)
    assert apply_all(service, wanted)[0].figures.changed == 0
    apply_all(service, replace(wanted, version=2), "dearer")
    balance = world.account.wallet_micros
    assert apply_all(service, wanted)[0].figures.changed == 0
    assert world.account.wallet_micros == balance


@pytest.mark.parametrize("commits", range(4))
@pytest.mark.parametrize("is_written", [False, True], ids=["before", "after"])
def test_a_crash_between_any_two_steps_is_resumed(
    world: World, service: RerateUsage, commits: int, is_written: bool
) -> None:
    events = post(world, *[60] * 12)
    wanted = rerating(world)
    foretold = sum(
        service.dry_run(wanted, start).figures.wallet_micros
        for start in (FIRST, service.dry_run(wanted).next or FIRST)
    )
    balance = world.account.wallet_micros

    def die() -> object:
        raise Crash

    if is_written:
        real = world.book.commit
        left = [commits]

        def commit(change: object) -> None:
            real(change)  # type: ignore[arg-type]  # whatever the service commits
            left[0] -= 1
            if left[0] == -1:
                raise Crash

        world.book.commit = commit  # type: ignore[method-assign]  # the crash is after the write
    else:
        world.book.races = [lambda: None] * commits + [die]
    with pytest.raises(Crash):
        apply_all(service, wanted)
    pages = apply_all(service, wanted)
    assert sum(page.figures.wallet_micros for page in pages) == foretold
    assert world.account.wallet_micros == balance - foretold
    assert {call.revision for call in current(world, events)} == {1}
    assert world.is_proven()


def test_a_call_corrected_meanwhile_is_decided_again(world: World, service: RerateUsage) -> None:
    (event,) = post(world, 161)
    correct = CorrectUsage(book=world.book, decks=world.decks, change_account=world.change_account)
    content = replace(event, quantity=110)
    world.book.races = [lambda: correct.correct(ACME, content, CorrectionSource.OPERATOR)]
    (page,) = apply_all(service, rerating(world))
    (call,) = current(world, [event])
    assert (call.revision, call.event.quantity, call.deck_version) == (2, 110, 2)
    assert world.account.wallet_micros == -20 * SECOND
    assert page.figures.old_cost_micros == 110 * SECOND


def test_a_correction_after_it_keeps_the_new_version(world: World, service: RerateUsage) -> None:
    (event,) = post(world, 161)
    apply_all(service, rerating(world))
    correct = CorrectUsage(book=world.book, decks=world.decks, change_account=world.change_account)
    content = replace(event, quantity=110)
    corrected = correct.correct(ACME, content, CorrectionSource.CARRIER)
    assert (corrected.call.deck_version, corrected.call.wallet_micros) == (2, 20 * SECOND)


def test_what_the_version_has_no_price_for_stays_as_it_is(
    world: World, service: RerateUsage
) -> None:
    events = post(world, 60, 60, first=9)
    world.upload("prefix,destination,rate\n44,UK,1\n1415555000,Some,1\n", version=4)
    wanted = rerating(world, 4)
    dry = service.dry_run(wanted)
    assert [row.refusal.code if row.refusal else None for row in dry.rows] == [
        None,
        "destination_not_rated",
    ]
    (page,) = apply_all(service, wanted)
    assert (page.figures.changed, page.figures.refused) == (1, 1)
    assert [call.revision for call in current(world, events)] == [1, 0]


def test_a_range_by_time_begins_with_its_first_instant_and_leaves_out_its_last(
    world: World, service: RerateUsage
) -> None:
    events = post(world, 60, 60, 60)
    begin, end = events[1].ended_at, events[2].ended_at
    wanted = Rerating(ACME, begin, end, "standard", 2)
    assert [row.before.event for row in service.dry_run(wanted).rows] == [events[1]]
    days = Rerating(ACME, OPENED.date(), OPENED.date() + timedelta(days=1), "standard", 2)
    world.clock.advance(timedelta(days=1))
    assert len(service.dry_run(days).rows) == 3


def test_corrections_in_the_range_are_no_postings_of_their_own(
    world: World, service: RerateUsage
) -> None:
    post(world, 60, 60)
    apply_all(service, rerating(world))
    assert service.dry_run(rerating(world, 1)).figures.calls == 2
    with pytest.raises(InvalidInputError):
        service.dry_run(rerating(world, 1, begin=5, end=5))


def test_a_range_that_is_not_over_is_refused(world: World, service: RerateUsage) -> None:
    post(world, 60)
    now = world.clock.now()
    wanted = Rerating(ACME, OPENED, now + timedelta(seconds=1), "standard", 2)
    with pytest.raises(InvalidInputError):
        service.dry_run(wanted)
    with pytest.raises(InvalidInputError):
        service.dry_run(rerating(world, end=99))


def test_an_id_that_was_used_for_another_range_is_refused(
    world: World, service: RerateUsage
) -> None:
    post(world, 60, 60)
    apply_all(service, rerating(world))
    with pytest.raises(IdConflictError):
        apply_all(service, rerating(world, version=3))


def test_an_unknown_account_or_version_or_another_currency_is_refused(
    world: World, service: RerateUsage
) -> None:
    post(world, 60)
    wanted = rerating(world)
    with pytest.raises(NotFoundError):
        service.dry_run(replace(wanted, ref=GLOBEX))
    with pytest.raises(NoRateDeckError):
        service.dry_run(replace(wanted, version=9))
    world.upload(version=5, currency="EUR")
    with pytest.raises(CurrencyMismatchError):
        service.dry_run(replace(wanted, version=5))


def test_a_busy_table_leaves_whole_steps(world: World, service: RerateUsage) -> None:
    post(world, *[60] * 6)
    wanted = rerating(world)
    world.book.races = [lambda: None, raising(ConnectionError())]
    with pytest.raises(ConnectionError):
        apply_all(service, wanted)
    assert world.is_proven()
    assert apply_all(service, wanted)[0].figures.changed == 6
