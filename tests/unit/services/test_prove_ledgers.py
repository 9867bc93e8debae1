"""Ledgers are proven in turns, and what does not add up is told."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from aws_lambda_powertools import Metrics

from billing.domain.account import AccountRef
from billing.services.prove_ledger import ProveLedger, Proven
from billing.services.prove_ledgers import NIGHTS, PAGE, ProveLedgers, is_turn
from builders import ACME, NOON, USD, a_credit, a_tenant, an_account, an_opening
from fakes.book import InMemoryBook
from fakes.world import FixedClock
from ledger_proof.prove import WORKING_TIME, handle


def a_book(refs: Sequence[AccountRef]) -> InMemoryBook:
    book = InMemoryBook()
    for ref in refs:
        opening = an_opening(an_account(ref), a_tenant(ref.tenant_id))
        book.commit(opening)
        book.commit(a_credit(opening.after, 5 * USD, "recharge"))
    return book


def ledgers(book: InMemoryBook, now: datetime = NOON) -> ProveLedgers:
    return ProveLedgers(book, ProveLedger(book), FixedClock(now))


def spoil(book: InMemoryBook, ref: AccountRef) -> None:
    book._accounts[ref] = replace(book.account(ref), wallet_micros=6 * USD)


def test_every_account_has_its_turn_once_in_four_weeks() -> None:
    refs = [AccountRef(f"tenant-{number}", "main") for number in range(300)]
    for first in (date(2026, 2, 20), date(2027, 12, 31)):
        nights = [first + timedelta(days=day) for day in range(NIGHTS)]
        turns = [sum(is_turn(ref, night) for night in nights) for ref in refs]
        assert set(turns) == {1}
    most = max(sum(is_turn(ref, night) for ref in refs) for night in nights)
    assert most < 3 * len(refs) // NIGHTS


def test_all_accounts_of_all_tenants_are_found_beyond_the_first_page() -> None:
    refs = [AccountRef(f"tenant-{number:03d}", "main") for number in range(PAGE + 5)]
    assert list(ledgers(a_book(refs)).accounts()) == refs


def test_a_sound_ledger_is_proven_and_a_spoilt_balance_is_found() -> None:
    other = AccountRef("globex", "main")
    book = a_book([ACME, other])
    spoil(book, other)
    run = ledgers(book).prove([ACME, other])
    assert (run.proven, run.entries, run.left) == (2, 2, 0)
    (faulty,) = run.faulty
    assert faulty.account.ref == other
    assert faulty.proof.problems == (f"the entries sum to {5 * USD}, the wallet holds {6 * USD}",)


def test_what_time_does_not_reach_is_counted_and_not_passed_over_in_silence() -> None:
    book = a_book([ACME])
    run = ledgers(book).prove([ACME], until=NOON)
    assert (run.proven, run.left) == (0, 1)


def test_what_one_run_does_not_reach_another_does() -> None:
    refs = [AccountRef(f"tenant-{number}", "main") for number in range(100)]
    book, night = a_book(refs), NOON.date()
    tonight = {ref for ref in refs if is_turn(ref, night)}
    first = [next(iter(asked_of(book, NOON + timedelta(days=NIGHTS * turn)))) for turn in range(4)]
    assert set(first) <= tonight
    assert len(set(first)) > 1


def asked_of(book: InMemoryBook, now: datetime) -> list[AccountRef]:
    """In which order ledgers are asked for."""
    asked: list[AccountRef] = []

    class Recording(ProveLedger):
        def prove(self, ref: AccountRef) -> Proven:
            asked.append(ref)
            return super().prove(ref)

    ProveLedgers(book, Recording(book), FixedClock(now)).prove_tonight(now + timedelta(hours=1))
    return asked


@pytest.mark.parametrize("is_spoilt", [False, True])
def test_the_nights_run_counts_without_naming_a_tenant(
    is_spoilt: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    book = a_book([ACME])
    if is_spoilt:
        spoil(book, ACME)
    night = next(
        NOON + timedelta(days=day)
        for day in range(NIGHTS)
        if is_turn(ACME, (NOON + timedelta(days=day)).date())
    )
    metrics = Metrics(namespace="Talktime", service="ledger_proof.prove")
    metrics.set_default_dimensions(stage="test")
    done = handle(ledgers(book, night), metrics, night)
    assert done == {"proven": 1, "mismatches": int(is_spoilt), "left": 0}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (emitted,) = [line for line in lines if "_aws" in line]
    (declared,) = emitted["_aws"]["CloudWatchMetrics"]
    assert {tuple(sorted(names)) for names in declared["Dimensions"]} == {("service", "stage")}
    assert (emitted["LedgersProven"], emitted["LedgerMismatches"]) == ([1], [int(is_spoilt)])
    assert "acme" not in json.dumps(emitted)


def test_there_is_time_left_for_the_ledger_that_was_begun_last() -> None:
    assert timedelta(minutes=5) <= timedelta(minutes=15) - WORKING_TIME
