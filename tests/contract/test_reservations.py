"""What every store of reservations keeps to."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

import pytest

from aws_calls import Params, Proceed, client_error, intercepted
from billing.adapters.dynamodb.holds import DynamoDBReservations
from billing.domain.covering import Cover, Destination
from billing.domain.errors import BookContendedError, ConflictError
from billing.domain.reservations import Holds, Reservation, reservation_id
from billing.domain.units import Direction, Unit
from billing.ports import Reservations
from builders import ACME, GLOBEX, NOON, a_call_key
from capacity import Accountant
from contract.aws import EVERYWHERE, moto, opened
from contract.beds import BEDS_FOR_THREADS
from fakes.reservations import InMemoryReservations


@pytest.fixture(params=EVERYWHERE)
def reservations(request: pytest.FixtureRequest) -> Iterator[Reservations]:
    if request.param == "memory":
        yield InMemoryReservations()
        return
    with opened(request) as aws:
        yield DynamoDBReservations(aws.main_table())


A_RESERVATION = Reservation(
    reservation_id=reservation_id(ACME, "M1122 ☎"),
    call_id="M1122 ☎",
    destination=Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+14155550100"),
    cover=Cover(600, 1_234_567, (("minutes:20260301T0000Z", 60), ("bundle", 1)), 61, 7_654_321),
    reserved_at=NOON + timedelta(microseconds=1),
    expires_at=NOON + timedelta(minutes=22),
    call=a_call_key(),
)
A_MESSAGE = replace(
    A_RESERVATION,
    reservation_id=reservation_id(ACME, "text"),
    call_id="text",
    destination=Destination(Unit.MESSAGES, Direction.INBOUND, "12345"),
    cover=Cover(1, 0),
    call=None,
)


def test_where_there_never_was_one_there_are_none_at_version_0(reservations: Reservations) -> None:
    assert reservations.holds(ACME) == Holds(ACME, 0, ())


def test_what_is_saved_comes_back_exactly(reservations: Reservations) -> None:
    saved = Holds(ACME, 1, (A_RESERVATION, A_MESSAGE))
    reservations.save(saved, 0)
    assert reservations.holds(ACME) == saved
    reservations.save(Holds(ACME, 2), 1)
    assert reservations.holds(ACME) == Holds(ACME, 2)


def test_accounts_have_their_own(reservations: Reservations) -> None:
    reservations.save(Holds(ACME, 1, (A_RESERVATION,)), 0)
    assert reservations.holds(GLOBEX) == Holds(GLOBEX)


@pytest.mark.parametrize("seen", [0, 1, 3], ids=["none", "the one before", "one to come"])
def test_a_save_from_another_version_writes_nothing(reservations: Reservations, seen: int) -> None:
    reservations.save(Holds(ACME, 1), 0)
    kept = Holds(ACME, 2, (A_MESSAGE,))
    reservations.save(kept, 1)
    with pytest.raises(ConflictError):
        reservations.save(Holds(ACME, seen + 1, (A_RESERVATION,)), seen)
    assert reservations.holds(ACME) == kept


def test_a_first_save_needs_that_there_is_none(reservations: Reservations) -> None:
    with pytest.raises(ConflictError):
        reservations.save(Holds(ACME, 2), 1)
    assert reservations.holds(ACME) == Holds(ACME)


@pytest.mark.parametrize("reservations", BEDS_FOR_THREADS, indirect=True)
def test_of_savers_of_one_version_one_wins(reservations: Reservations) -> None:
    def save(seen: int) -> bool:
        try:
            reservations.save(Holds(ACME, seen + 1), seen)
        except (ConflictError, BookContendedError):
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        for seen in range(5):
            assert sum(pool.map(save, [seen] * 8)) == 1
    assert reservations.holds(ACME).version == 5


@pytest.mark.parametrize(
    "code",
    [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "TransactionConflictException",
    ],
)
def test_throttling_and_conflicts_are_told_as_contention(code: str) -> None:
    def refuse(_service: str, operation: str, _params: Params, _proceed: Proceed) -> NoReturn:
        raise client_error(operation, code)

    with moto() as aws:
        store = DynamoDBReservations(aws.main_table())
        with intercepted(refuse), pytest.raises(BookContendedError):
            store.save(Holds(ACME, 1), 0)
        with intercepted(refuse), pytest.raises(BookContendedError):
            store.holds(ACME)
        assert store.holds(ACME) == Holds(ACME)


def a_busy_account(calls: int) -> Holds:
    """Linked calls as diallers and carriers name them: with random ids."""
    dice = random.Random(calls)
    live = []
    for number in range(calls):
        call_id = str(UUID(int=dice.getrandbits(128)))
        reserved_at = NOON + timedelta(microseconds=dice.randrange(10**9))
        to = f"+1415{dice.randrange(10**7):07d}"
        live.append(
            Reservation(
                reservation_id=reservation_id(ACME, call_id),
                call_id=call_id,
                destination=Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, to),
                cover=Cover(
                    600, dice.randrange(10**6), (("minutes:20260301T0000Z", 600),), 600, 6_000_000
                ),
                reserved_at=reserved_at,
                expires_at=reserved_at + timedelta(minutes=22),
                call=a_call_key(number),
            )
        )
    return Holds(ACME, 1, tuple(live))


@pytest.mark.parametrize(
    ("calls", "read_units", "write_units"), [(1, 1, 1), (10, 1, 1), (100, 2, 6), (1_000, 14, 55)]
)
def test_a_reservation_costs_a_read_and_a_write_of_all_there_are(
    calls: int, read_units: int, write_units: int
) -> None:
    with moto() as aws, Accountant().watching() as accountant:
        store = DynamoDBReservations(aws.main_table())
        store.save(a_busy_account(calls), 0)
        with accountant.counting() as used:
            store.save(replace(store.holds(ACME), version=2), 1)
    assert used.read_units == read_units
    assert used.write_units == write_units
