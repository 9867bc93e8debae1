"""Several writers of one account: nobody's work is lost, and nobody's is done twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from billing.domain.account import Account
from billing.domain.change import Change
from billing.domain.errors import BookContendedError, StaleAccountError
from billing.domain.ledger import prove
from billing.ports import AlreadyRecordedError, CallsRecordedError
from builders import ACME, USD, a_credit, a_posting, a_touch, a_usage_event, an_account, an_opening
from contract.beds import BEDS, BEDS_FOR_THREADS, Bed

WRITERS = 8


def until_committed(bed: Bed, decide: Callable[[Account], Change]) -> int:
    """Load, decide, commit, and again after every lost race; how many were lost."""
    lost = 0
    while True:
        try:
            bed.book.commit(decide(bed.book.account(ACME)))
        except (StaleAccountError, BookContendedError):
            lost += 1
        else:
            return lost


def crediting(operation_id: str) -> Callable[[Account], Change]:
    return lambda account: a_credit(account, USD, operation_id)


@pytest.mark.parametrize("bed", BEDS, indirect=True)
def test_two_writers_racing_for_a_sequence_number_both_land(bed: Bed) -> None:
    seen = bed.commit(an_opening(an_account()))
    winner, loser = a_credit(seen, USD, "one"), a_credit(seen, 2 * USD, "two")
    assert winner.entries[0].sequence == loser.entries[0].sequence
    bed.book.commit(winner)
    with pytest.raises(StaleAccountError):
        bed.book.commit(loser)
    bed.book.commit(a_credit(bed.book.account(ACME), 2 * USD, "two"))

    account = bed.book.account(ACME)
    entries = list(bed.book.entries(account))
    assert [(entry.sequence, entry.amount_micros) for entry in entries] == [(1, USD), (2, 2 * USD)]
    assert prove(account, entries).is_sound


@pytest.mark.parametrize("bed", BEDS_FOR_THREADS, indirect=True)
def test_concurrent_writers_lose_nothing_and_leave_no_gap(bed: Bed) -> None:
    bed.book.commit(an_opening(an_account()))
    each = 10

    def write(writer: int) -> None:
        for number in range(each):
            until_committed(bed, crediting(f"{writer}/{number}"))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))

    account = bed.book.account(ACME)
    assert account.wallet_micros == WRITERS * each * USD
    assert account.head.sequence == WRITERS * each
    proof = prove(account, bed.book.entries(account))
    assert (proof.entries, proof.problems) == (WRITERS * each, ())


@pytest.mark.parametrize("bed", BEDS_FOR_THREADS, indirect=True)
def test_a_reader_never_sees_half_a_change(bed: Bed) -> None:
    bed.book.commit(an_opening(an_account()))

    def write() -> None:
        for number in range(40):
            until_committed(bed, crediting(str(number)))

    def read() -> list[str]:
        problems: list[str] = []
        for _ in range(20):
            account = bed.book.account(ACME)
            problems += prove(account, bed.book.entries(account)).problems
        return problems

    with ThreadPoolExecutor(3) as pool:
        writing = pool.submit(write)
        reading = [pool.submit(read) for _ in range(2)]
        writing.result()
        assert [problem for one in reading for problem in one.result()] == []


@pytest.mark.parametrize("bed", BEDS_FOR_THREADS, indirect=True)
def test_a_call_delivered_many_times_at_once_is_posted_once(bed: Bed) -> None:
    bed.book.commit(an_opening(an_account(grants=())))

    def post(_: int) -> bool:
        try:
            until_committed(bed, lambda account: a_posting(account, [a_usage_event(1)]))
        except CallsRecordedError:
            return False
        return True

    with ThreadPoolExecutor(WRITERS) as pool:
        posted = sum(pool.map(post, range(50)))
    assert posted == 1
    account = bed.book.account(ACME)
    assert account.head.sequence == 1
    assert account.totals.calls == 1


@pytest.mark.parametrize("bed", BEDS_FOR_THREADS, indirect=True)
def test_an_operation_sent_many_times_at_once_is_done_once(bed: Bed) -> None:
    bed.book.commit(an_opening(an_account()))

    def send(_: int) -> object:
        try:
            until_committed(bed, lambda account: a_touch(account, "pay"))
        except AlreadyRecordedError as error:
            return error.operation.answer
        return "done"

    with ThreadPoolExecutor(WRITERS) as pool:
        answers = list(pool.map(send, range(32)))
    assert answers.count("done") == 1
    assert answers.count({"answered": "pay"}) == 31
