"""Two of a kind at once, from the same version: each is done or refused, and none is lost."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from billing.domain.audit import By
from billing.domain.errors import NotFoundError
from billing.domain.members import Member, MemberState
from billing.domain.numbers import NumberState, PhoneNumber
from billing.domain.orders import Want, WantKind
from billing.domain.subscription import Subscription
from billing.services.cancel_scheduled import CancelScheduled
from billing.services.gauge_storage import GaugeStorage
from billing.services.read_held import ReadHeld
from builders import ACME
from memberships import a_member, a_membership
from unit.number_world import FIRST, OPERATOR, NumberWorld
from unit.shop import Shop
from unit.world import World

GB = 1024**3
BY = By("sub", None)


@pytest.fixture
def numbers() -> NumberWorld:
    world = NumberWorld()
    world.open()
    world.work()
    world.holds()
    return world


def at_once(world: World, *acts: Callable[[], object]) -> None:
    """All of them have read before the last one writes first."""
    first, *others = acts
    for other in others:
        world.book.races.append(other)
    first()


def test_a_number_that_two_let_go_of_at_once_is_let_go_of_once(numbers: NumberWorld) -> None:
    numbers.numbers.provisioned(ACME, FIRST, OPERATOR)

    def release() -> None:
        numbers.numbers.release(ACME, FIRST, BY)

    at_once(numbers, release, release)
    assert numbers.number().is_leaving


def test_a_number_that_is_told_of_twice_at_once_is_provided_once(numbers: NumberWorld) -> None:
    def provide() -> None:
        numbers.numbers.provisioned(ACME, FIRST, OPERATOR)

    at_once(numbers, provide, provide)
    assert numbers.number().state is NumberState.ACTIVE


def test_two_different_changes_of_a_number_at_once_are_both_made(numbers: NumberWorld) -> None:
    numbers.numbers.provisioned(ACME, FIRST, OPERATOR)

    def manual(number: PhoneNumber) -> PhoneNumber:
        return replace(number, is_auto_pay=False)

    def leave(number: PhoneNumber) -> PhoneNumber:
        return replace(number, is_leaving=True)

    at_once(
        numbers,
        lambda: numbers.numbers.amend(ACME, FIRST, manual, "changed", BY),
        lambda: numbers.numbers.amend(ACME, FIRST, leave, "changed", BY),
    )
    assert (numbers.number().is_auto_pay, numbers.number().is_leaving) == (False, True)


def test_a_scheduled_change_that_two_take_back_at_once_is_gone_for_the_later_one() -> None:
    shop = Shop()
    shop.credit(100_000_000)
    for count in (2, 1):
        want = Want(WantKind.PACKAGE, "toll-free-500", count)
        shop.order(shop.quote(f"quote {count}", want), f"order {count}")
    cancel = CancelScheduled(ReadHeld(shop.book, shop.catalogs), shop.change_account)

    def take_back() -> None:
        cancel.cancel(ACME, "package-toll-free-500", BY)

    with pytest.raises(NotFoundError):
        at_once(shop, take_back, take_back)
    held = shop.book.thing(ACME, Subscription)
    assert held is not None
    assert held.package("toll-free-500").next_created is None


def storage_of(shop: Shop) -> GaugeStorage:
    return GaugeStorage(
        book=shop.book,
        catalogs=shop.catalogs,
        members=shop.book.members,
        directory=shop.book,
        clock=shop.clock,
        change_account=shop.change_account,
        first_account=lambda _tenant: ACME,
    )


@pytest.mark.parametrize("other_gb", [1, 2])
def test_two_gauges_at_once_charge_for_the_fuller_one(other_gb: int) -> None:
    shop = Shop()
    storage = storage_of(shop)

    def tell(gigabytes: int) -> Callable[[], object]:
        return lambda: storage.tell(ACME.tenant_id, gigabytes * GB, BY)

    at_once(shop, tell(1), tell(other_gb))
    held = shop.book.thing(ACME, Subscription)
    assert held is not None
    assert (held.storage.used_bytes, held.storage.extended_gb) == (1 * GB, other_gb)
    assert sum(line.quantity for line in held.pending) == other_gb


def test_a_gauge_that_was_overtaken_counts_those_who_left_meanwhile() -> None:
    shop = Shop()
    storage = storage_of(shop)
    tenant = ACME.tenant_id

    def write(after: Member, before: Member | None = None) -> None:
        counts = shop.book.members.counts(tenant)
        shop.book.commit(a_membership(shop.book.account(ACME), counts, after, before))

    everyone = [a_member(f"m{place}") for place in range(6)]
    for one in everyone:
        write(one)

    def leaves() -> None:
        gone = replace(everyone[0], state=MemberState.DEACTIVATED, revision=2)
        write(gone, everyone[0])

    at_once(shop, lambda: storage.tell(tenant, 300 * 1024**2, BY), leaves)
    held = shop.book.thing(ACME, Subscription)
    assert held is not None
    assert (shop.book.members.counts(tenant).active, held.storage.extended_gb) == (5, 1)
