"""What comes back from every book is what went in, in order, and nobody else's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from billing.domain.account import AccountRef
from billing.domain.errors import (
    NotFoundError,
)
from billing.domain.ledger import LedgerEntry, prove
from billing.domain.records import (
    Operation,
    Recharge,
    RechargeState,
)
from billing.domain.units import Unit
from billing.domain.usage import CallKey, CallStatus
from builders import (
    ACME,
    NOON,
    USD,
    a_closed_period,
    a_credit,
    a_maximal_account,
    a_posting,
    a_recharge_change,
    a_touch,
    a_usage_event,
    an_opening,
    an_operation,
)
from contract.beds import BEDS, Bed
from contract.changes import full_change, opened

pytestmark = pytest.mark.parametrize("bed", BEDS, indirect=True)


def test_another_tenants_names_find_nothing(bed: Bed) -> None:
    account = bed.commit(full_change(opened(bed)))
    thief = AccountRef("globex", ACME.account_id)
    keys = [a_usage_event(1).key]
    for read in (
        lambda: bed.book.account(thief),
        lambda: bed.book.funding_source(thief, "card-1"),
        lambda: bed.book.recharge(thief, 1),
    ):
        with pytest.raises(NotFoundError):
            read()
    assert bed.book.operation(thief, "everything") is None
    assert bed.book.calls("globex", keys) == {}
    assert list(bed.book.entries(replace(account, ref=thief))) == []
    assert bed.book.recharges(thief, None, 10) == []
    assert bed.book.funding_sources(thief) == []
    assert bed.book.closed_periods(thief, 2026) == []
    assert bed.directory.accounts("globex", None, 10) == []


def test_a_full_account_comes_back_exactly(bed: Bed) -> None:
    account = replace(a_maximal_account(), version=0, wallet_micros=0)
    head = replace(account.head, sequence=0)
    change = an_opening(replace(account, head=head))
    assert bed.commit(change) == change.after


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param([CallKey("sip", "pbx#1", "a#b%23c")], id="separators"),
        pytest.param([CallKey("sip", "pbx", ""), CallKey("sip", "", "x")], id="empty parts"),
        pytest.param([CallKey("p", "a", "ABCDEF"), CallKey("p", "a", "abcdef")], id="case"),
        pytest.param([CallKey("p", "a", "abc"), CallKey("p", "a", "0abc")], id="odd hexadecimal"),
        pytest.param([CallKey("p", "☎", "ünï-\U0001f4de\n\x00")], id="any text"),
        pytest.param(
            [CallKey("p", str(n % 2), f"{n:032x}") for n in range(25)], id="accounts in turn"
        ),
        pytest.param([CallKey("p", "a", f"{n}@pbx.example.com") for n in range(25)], id="sip ids"),
    ],
)
def test_entries_and_calls_with_odd_ids_come_back_exactly(bed: Bed, keys: list[CallKey]) -> None:
    events = [replace(a_usage_event(number), key=key) for number, key in enumerate(keys)]
    posting = a_posting(opened(bed), events)
    account = bed.commit(posting)
    assert tuple(bed.book.entries(account)) == posting.entries
    assert bed.book.calls("acme", keys) == {call.event.key: call for call in posting.calls}


def test_usage_of_every_kind_comes_back_exactly(bed: Bed) -> None:
    unanswered = replace(
        a_usage_event(1), status=CallStatus.NO_ANSWER, quantity=0, answered_at=None
    )
    message = replace(a_usage_event(2), unit=Unit.MESSAGES, quantity=3, from_number="anonymous")
    posting = a_posting(opened(bed), [unanswered, message, a_usage_event(3)])
    bed.commit(posting)
    found = bed.book.calls("acme", [call.event.key for call in posting.calls])
    assert found == {call.event.key: call for call in posting.calls}


def test_more_calls_than_one_read_takes_are_found(bed: Bed) -> None:
    account = opened(bed)
    numbers = range(30)
    for start in (0, 15):
        events = [a_usage_event(number) for number in numbers[start : start + 15]]
        account = bed.commit(a_posting(account, events))
    asked = [a_usage_event(number).key for number in range(250)]
    found = bed.book.calls("acme", [*asked, *asked])
    assert set(found) == set(asked[:30])


def test_entries_are_found_across_months_with_gaps(bed: Bed) -> None:
    account = opened(bed, now=datetime(2025, 11, 30, 23, tzinfo=UTC))
    posted: list[LedgerEntry] = []
    for at in ("2025-11-30T23:59:59", "2025-12-31T23:00:00", "2026-04-01T00:00:00"):
        now = datetime.fromisoformat(at).replace(tzinfo=UTC)
        for number in range(2):
            change = a_credit(account, USD, f"{at}/{number}", now)
            account = bed.commit(change)
            posted += change.entries
    assert list(bed.book.entries(account)) == posted
    assert list(bed.book.entries(account, after_sequence=3)) == posted[3:]
    assert list(bed.book.entries(account, after_sequence=1, limit=3)) == posted[1:4]
    assert list(bed.book.entries(account, limit=0)) == []
    assert list(bed.book.entries(account, after_sequence=6)) == []
    assert prove(account, bed.book.entries(account)).is_sound


def test_an_account_seen_earlier_bounds_the_months_that_are_read(bed: Bed) -> None:
    seen = opened(bed)
    bed.commit(a_credit(seen, USD, "next month", NOON + timedelta(days=31)))
    assert list(bed.book.entries(seen)) == []


@pytest.mark.parametrize("behind", [timedelta(seconds=3), timedelta(minutes=10)], ids=str)
def test_clocks_that_disagree_across_a_month_end_keep_entries_in_order(
    bed: Bed, behind: timedelta
) -> None:
    midnight = datetime(2026, 4, 1, tzinfo=UTC)
    account = opened(bed)
    for number in range(6):
        # One worker is past midnight, the other is not, and they take turns.
        now = midnight + timedelta(seconds=number) - (behind if number % 2 else timedelta(0))
        account = bed.commit(a_credit(account, USD, f"credit {number}", now))
    entries = list(bed.book.entries(account))
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert all(a.posted_at <= b.posted_at for a, b in pairwise(entries))
    assert prove(account, entries).is_sound


def test_recharges_are_listed_newest_first_and_page_by_page(bed: Bed) -> None:
    account = opened(bed)
    (first,) = a_recharge_change(account).records
    assert isinstance(first, Recharge)
    recharges = [replace(first, ordinal=ordinal) for ordinal in range(1, 13)]
    bed.commit(a_touch(account, "many", records=tuple(recharges)))
    newest = recharges[::-1]
    assert bed.book.recharges(ACME, None, 5) == newest[:5]
    assert bed.book.recharges(ACME, 8, 5) == newest[5:10]
    assert bed.book.recharges(ACME, 3, 5) == newest[10:]
    assert bed.book.recharges(ACME, 1, 5) == []


def test_closed_periods_are_listed_by_the_year_they_turned_in(bed: Bed) -> None:
    account = opened(bed, now=datetime(2025, 11, 5, tzinfo=UTC))
    ends = [datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]
    closed = [
        replace(a_closed_period(account), period=replace(account.period, end_at=end))
        for end in (*ends, datetime(2026, 2, 1, tzinfo=UTC))
    ]
    bed.commit(a_touch(account, "many", records=tuple(reversed(closed))))
    assert bed.book.closed_periods(ACME, 2025) == closed[:1]
    assert bed.book.closed_periods(ACME, 2026) == closed[1:]


def test_an_unknown_thing_is_not_found(bed: Bed) -> None:
    for read in (
        lambda: bed.book.account(ACME),
        lambda: bed.book.funding_source(ACME, "card"),
        lambda: bed.book.recharge(ACME, 1),
    ):
        with pytest.raises(NotFoundError):
            read()
    assert bed.book.operation(ACME, "none") is None
    assert bed.book.calls("acme", []) == {}


def test_the_stored_answer_is_plain_json_again(bed: Bed) -> None:
    answer = {"list": [1, "two", None, True], "map": {"π": -(10**18)}}
    operation: Operation = an_operation(ACME, "json", answer=answer)
    bed.commit(replace(a_touch(opened(bed), "json"), operation=operation))
    recorded = bed.book.operation(ACME, "json")
    assert recorded is not None
    assert recorded.answer == answer


def test_an_answer_is_kept_as_json_and_what_json_cannot_say_exactly_is_refused(bed: Bed) -> None:
    account = opened(bed)
    operation = an_operation(ACME, "json", answer={"state": RechargeState.FAILED, "pair": (1, 2)})
    account = bed.commit(replace(a_touch(account, "json"), operation=operation))
    recorded = bed.book.operation(ACME, "json")
    assert recorded is not None
    assert recorded.answer == {"state": "failed", "pair": [1, 2]}
    inexact = an_operation(ACME, "float", answer={"amount": 0.1})
    contents = bed.contents()
    with pytest.raises(TypeError):
        bed.book.commit(replace(a_touch(account, "float"), operation=inexact))
    assert bed.contents() == contents
