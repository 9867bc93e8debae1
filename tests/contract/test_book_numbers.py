"""Phone numbers: one account of the whole deployment has each, in every book."""

from dataclasses import replace
from typing import Any

import pytest

from billing.domain.account import AccountRef
from billing.domain.errors import NumberTakenError, StaleAccountError
from billing.domain.numbers import NumberState, PhoneNumber
from builders import ACME, GLOBEX, NOON, a_touch
from contract.beds import BEDS, Bed
from contract.changes import opened

pytestmark = pytest.mark.parametrize("bed", BEDS, indirect=True)

E164 = "+14155550100"


def a_number(ref: AccountRef = ACME, **changed: Any) -> PhoneNumber:
    number = PhoneNumber(
        account=ref,
        e164=E164,
        type_id="local",
        capabilities=("voice", "sms"),
        state=NumberState.PENDING,
        is_auto_pay=True,
        catalog_version=3,
        ordered_at=NOON,
    )
    return replace(number, **changed)


def claim(bed: Bed, ref: AccountRef, name: str = "claim") -> None:
    account = bed.book.account(ref)
    change = a_touch(account, name, records=(a_number(ref),))
    bed.book.commit(replace(change, numbers_claimed=(E164,)))


def free(bed: Bed, ref: AccountRef) -> None:
    account = bed.book.account(ref)
    gone = a_number(ref, state=NumberState.RELEASED, paid_until=NOON, ended_at=NOON)
    bed.book.commit(replace(a_touch(account, "free", records=(gone,)), numbers_freed=(E164,)))


def test_a_number_comes_back_exactly(bed: Bed) -> None:
    opened(bed)
    claim(bed, ACME)
    assert bed.book.thing(ACME, PhoneNumber, E164) == a_number()
    assert bed.book.things(ACME, PhoneNumber) == [a_number()]


def test_nobody_else_can_have_it_and_nothing_is_written(bed: Bed) -> None:
    opened(bed)
    opened(bed, GLOBEX)
    claim(bed, ACME)
    version = bed.book.account(GLOBEX).version
    with pytest.raises(NumberTakenError, match=r"\+14155550100"):
        claim(bed, GLOBEX)
    assert bed.book.account(GLOBEX).version == version
    assert bed.book.things(GLOBEX, PhoneNumber) == []


def test_nor_can_its_owner_have_it_twice(bed: Bed) -> None:
    opened(bed)
    claim(bed, ACME)
    with pytest.raises(NumberTakenError):
        claim(bed, ACME, "again")


def test_once_it_is_freed_it_is_anybodys(bed: Bed) -> None:
    opened(bed)
    opened(bed, GLOBEX)
    claim(bed, ACME)
    free(bed, ACME)
    claim(bed, GLOBEX)
    assert bed.book.things(GLOBEX, PhoneNumber) == [a_number(GLOBEX)]
    (kept,) = bed.book.things(ACME, PhoneNumber)
    assert kept.state is NumberState.RELEASED


def test_who_decided_on_an_old_account_decides_again_before_anything_else(bed: Bed) -> None:
    opened(bed)
    opened(bed, GLOBEX)
    claim(bed, ACME)
    before = bed.book.account(GLOBEX)
    bed.book.commit(a_touch(before, "meanwhile"))
    late = replace(a_touch(before, "late"), numbers_claimed=(E164,))
    with pytest.raises(StaleAccountError):
        bed.book.commit(late)
