"""Many accounts are read together: what exists, as it stands, however many are asked for."""

from collections.abc import Iterator

import pytest

from billing.adapters.dynamodb.holds import DynamoDBReservations
from billing.domain.account import AccountRef
from billing.domain.reservations import Holds
from billing.ports import Reservations
from builders import ACME, GLOBEX, USD, a_credit
from contract.aws import EVERYWHERE
from contract.aws import opened as opened_aws
from contract.beds import BEDS, Bed
from contract.changes import opened
from fakes.reservations import InMemoryReservations

NOBODYS = [AccountRef("acme", f"nobodys-{number}") for number in range(120)]
"""More than one batch of reads holds."""


@pytest.mark.parametrize("bed", BEDS, indirect=True)
def test_the_states_of_accounts_are_their_own_and_of_those_that_exist(bed: Bed) -> None:
    acme = bed.commit(a_credit(opened(bed), 5 * USD, "credit"))
    globex = opened(bed, GLOBEX)
    found = bed.book.states([*NOBODYS[:60], ACME, GLOBEX, *NOBODYS[60:]])
    assert found == {ACME: acme, GLOBEX: globex}
    assert bed.book.states([]) == {}


@pytest.fixture(params=EVERYWHERE)
def reservations(request: pytest.FixtureRequest) -> Iterator[Reservations]:
    if request.param == "memory":
        yield InMemoryReservations()
        return
    with opened_aws(request) as aws:
        yield DynamoDBReservations(aws.main_table())


def test_holds_of_accounts_are_their_own_and_none_where_there_never_were_any(
    reservations: Reservations,
) -> None:
    reservations.save(Holds(ACME, 1), 0)
    reservations.save(Holds(ACME, 2), 1)
    found = reservations.all_holds([ACME, GLOBEX, *NOBODYS])
    assert found == {ACME: Holds(ACME, 2), **{ref: Holds(ref) for ref in (GLOBEX, *NOBODYS)}}
