"""Assigning licences, and seeing who has one and how many were out."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.domain.audit import By
from billing.domain.errors import (
    InsufficientPortsError,
    InvalidInputError,
    LicenceRequiredError,
    NoLicenceAvailableError,
    NotFoundError,
)
from billing.domain.licences import Assignment
from billing.domain.members import MemberState
from billing.domain.pooling import hour_of
from billing.domain.port_hours import PortDay
from billing.domain.records import Acceptance
from builders import ACME, GLOBEX
from unit.licence_world import LicenceWorld

HOUR = timedelta(hours=1)


@pytest.fixture
def world() -> LicenceWorld:
    return LicenceWorld()


# Assigning.


def test_an_assignment_is_one_change_with_its_audit(world: LicenceWorld) -> None:
    before = world.account
    by = By("zoe", Acceptance("Zoë", "Ng", "2026-01"))
    world.assign_licences.assign(ACME, "seat", "m1", by)
    assert world.account.version == before.version + 1
    (record,) = [one for one in world.book.audit_records(ACME) if one.action.startswith("licence")]
    assert (record.action, record.before) == ("licence.assigned", {})
    assert record.after == {"licence": "seat", "member": "m1"}
    assert record.acceptance == by.acceptance
    world.remove("seat", "m1")
    record = world.book.audit_records(ACME)[-1]
    assert (record.action, record.after) == ("licence.removed", {})
    assert record.before == {"licence": "seat", "member": "m1"}


def test_assigning_and_removing_again_changes_nothing(world: LicenceWorld) -> None:
    for act in (world.assign, world.remove):
        act("seat", "m1")
        version = world.account.version
        act("seat", "m1")
        assert world.account.version == version


def test_assigned_removed_and_assigned_are_three_changes(world: LicenceWorld) -> None:
    world.assign("seat", "m1")
    world.clock.advance(HOUR)
    world.remove("seat", "m1")
    world.clock.advance(HOUR)
    world.assign("seat", "m1")
    (kept,) = world.book.things(ACME, Assignment)
    assert kept == Assignment(ACME, "seat", "m1", world.clock.now())


def test_beyond_the_quantity_somebody_has_to_give_one_up(world: LicenceWorld) -> None:
    for member in ("m0", "m1"):
        world.assign("seat", member)
    with pytest.raises(NoLicenceAvailableError):
        world.assign("seat", "m2")
    world.remove("seat", "m0")
    world.assign("seat", "m2")
    assert world.assigned("seat") == 2


def test_of_two_who_assign_the_last_one_one_is_refused(world: LicenceWorld) -> None:
    world.assign("seat", "m0")
    world.book.races = [lambda: world.assign("seat", "m1")]
    with pytest.raises(NoLicenceAvailableError):
        world.assign("seat", "m2")
    assert world.assigned("seat") == 2


def test_units_counted_by_members_are_added_by_no_assignment(world: LicenceWorld) -> None:
    world.assign("crm", "m0")
    world.assign("crm", "m1")
    assert world.subscription.unit("crm").created == 2
    with pytest.raises(NoLicenceAvailableError):
        world.assign("crm", "m2")
    world.remove("crm", "m0")
    assert world.subscription.unit("crm").created == 1
    world.assign("crm", "m2")
    assert world.subscription.unit("crm").created == 2


@pytest.mark.parametrize(
    ("kind", "member"),
    [("fax", "m0"), ("seat", "nobody"), ("seat", "globex-m"), ("seat", "others")],
    ids=["no such kind", "nobody", "another tenant's", "another account's"],
)
def test_what_is_not_there_is_not_found(world: LicenceWorld, kind: str, member: str) -> None:
    world.add_member("globex-m", GLOBEX)
    world.add_member("others", replace(ACME, account_id="second"))
    for act in (world.assign, world.remove):
        with pytest.raises(NotFoundError):
            act(kind, member)
    with pytest.raises(NotFoundError):
        world.lease(member, kind)
    with pytest.raises(NotFoundError):
        world.call("call", member, kind)
    assert world.reservations.holds(ACME).version == 0


def test_who_is_deactivated_gets_none_and_uses_none(world: LicenceWorld) -> None:
    world.add_member("gone", state=MemberState.DEACTIVATED)
    with pytest.raises(InvalidInputError):
        world.assign("seat", "gone")
    with pytest.raises(InsufficientPortsError):
        world.lease("gone")
    with pytest.raises(LicenceRequiredError):
        world.call("call", "gone", "seat")
    world.remove("seat", "gone")


def test_taking_a_port_away_ends_its_lease(world: LicenceWorld) -> None:
    world.assign("flex", "m0")
    world.lease("m0", "flex")
    assert world.out("flex") == 1
    world.remove("flex", "m0")
    assert world.out("flex") == 0


# What is seen.


def test_how_many_there_are_assigned_leased_and_free(world: LicenceWorld) -> None:
    world.assign("seat", "m0")
    world.assign("flex", "m0")
    world.assign("flex", "m1")
    world.assign("flex", "m2")
    world.lease("m0", "flex")
    world.call("call", "m3")
    found = {
        one.kind.kind: (one.quantity, one.assigned, one.leased, one.free)
        for one in world.read_licences.counts(ACME)
    }
    assert found == {
        "crm": (2, 0, None, 2),
        "dialler": (2, 0, 1, 1),
        "flex": (2, 3, 1, 1),
        "seat": (2, 1, None, 1),
    }


def test_a_member_sees_what_he_may_use(world: LicenceWorld) -> None:
    world.assign("seat", "m1")
    mine = [kind.kind for kind in world.read_licences.of_member(ACME, "m1")]
    assert mine == ["dialler", "seat"]


def test_who_has_one_is_listed_by_member(world: LicenceWorld) -> None:
    for member in ("m1", "m0"):
        world.assign("seat", member)
    world.remove("seat", "m1")
    world.assign("seat", "m3")
    found = world.read_licences.assignments(ACME, "seat", None, 10)
    assert [one.member_id for one in found] == ["m0", "m3"]
    found = world.read_licences.assignments(ACME, "seat", "m0", 10)
    assert [one.member_id for one in found] == ["m3"]


def test_the_history_shows_every_hour_in_which_a_port_was_out(world: LicenceWorld) -> None:
    began = world.clock.now()
    world.lease("m0", seconds=2 * 3_600 + 60)
    lease = world.lease("m1")
    world.lease_ports.give_back(ACME, lease.lease_id)
    world.clock.advance(5 * HOUR)
    world.lease("m2")
    world.lease("m0")
    with pytest.raises(InsufficientPortsError):
        world.lease("m1")
    found = world.read_licences.history(ACME, "dialler", 90)
    assert (found.quantity, found.most) == (2, 2)
    assert [
        (hour_of(one.at) - hour_of(began), one.most, one.quantity, one.is_refused)
        for one in found.hours
    ] == [(0, 2, 2, False), (1, 1, 2, False), (2, 1, 2, False), (5, 2, 2, True)]
    world.clock.advance(timedelta(days=1))
    assert [one.most for one in world.read_licences.history(ACME, "dialler", 1).hours] == []


def test_an_hour_is_kept_by_one_write_when_it_is_over(world: LicenceWorld) -> None:
    keep, kept = world.reservations.keep_port_day, list[PortDay]()

    def watched(day: PortDay) -> None:
        kept.append(day)
        keep(day)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.reservations, "keep_port_day", watched)
        for number in range(20):
            name = world.call(f"call-{number}")
            world.settle_reservations.release("acme", name)
        assert kept == []
        world.clock.advance(HOUR)
        world.call("later")
    (day,) = kept
    assert day.most[world.clock.now().hour - 1] == 1


def test_what_is_held_by_name_has_no_history(world: LicenceWorld) -> None:
    with pytest.raises(InvalidInputError):
        world.read_licences.history(ACME, "seat", 1)
    with pytest.raises(NotFoundError):
        world.read_licences.history(ACME, "fax", 1)
