"""Members are invited, changed and deactivated, by whoever and however often at once."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from billing.domain.account import AccountRef
from billing.domain.audit import By
from billing.domain.catalog import Plan
from billing.domain.errors import (
    ConflictError,
    IdConflictError,
    LastAdminError,
    MemberExistsError,
    NotFoundError,
)
from billing.domain.members import Amendment, Member, MemberRole, MemberState
from billing.domain.records import Acceptance, Origin
from billing.ports import AlreadyRecordedError
from billing.services.change_members import ChangeMembers, NewMember
from builders import ACME, GLOBEX, NOON, an_account, an_opening
from catalogs import a_catalog
from unit.world import World

ZOE = Acceptance("Zoë", "O'Hara", "2026-01")
BY = By("auth0|zoe", ZOE, Origin("192.0.2.1", "curl/8"))
SECOND = AccountRef("acme", "second")
DEMOTED = Amendment(role=MemberRole.MEMBER)


@pytest.fixture
def world() -> World:
    world = World(NOON)
    world.catalogs.save(a_catalog(plans=(Plan("starter", "Starter"),)), 0)
    world.open()
    world.book.commit(an_opening(an_account(SECOND)))
    return world


@pytest.fixture
def change(world: World) -> ChangeMembers:
    return ChangeMembers(
        members=world.book.members,
        book=world.book,
        catalogs=world.catalogs,
        change_account=world.change_account,
    )


def a_new(name: str, ref: AccountRef = ACME, *, is_admin: bool = False) -> NewMember:
    return NewMember(
        account=ref,
        member_id=f"mem_{name}",
        email=f"{name}@example.com",
        first_name=name.capitalize(),
        last_name="Lee",
        role=MemberRole.BILLING_ADMIN if is_admin else MemberRole.MEMBER,
        state=MemberState.ACTIVE,
        subject=f"auth0|{name}",
    )


def enrol(change: ChangeMembers, wanted: NewMember, body_hash: str = "") -> None:
    key = f"invite {wanted.member_id}"
    change.enrol(wanted, operation_id=key, body_hash=body_hash or repr(wanted), by=BY)


def found(world: World, name: str) -> Member:
    return world.book.members.member("acme", f"mem_{name}")


def test_a_member_is_there_with_who_invited_him(world: World, change: ChangeMembers) -> None:
    enrol(change, a_new("bob"))
    assert found(world, "bob") == a_new("bob").at(NOON)
    (record,) = world.book.audit_records(ACME)
    assert (record.action, record.actor, record.acceptance, record.origin) == (
        "member.created", "auth0|zoe", ZOE, BY.origin,
    )  # fmt: skip
    assert (record.before, record.after["email"]) == ({}, "bob@example.com")
    assert world.account.wallet_micros == 0


def test_the_same_request_again_makes_nobody_else(world: World, change: ChangeMembers) -> None:
    enrol(change, a_new("bob"))
    version = world.account.version
    with pytest.raises(AlreadyRecordedError) as recorded:
        enrol(change, a_new("bob"))
    answer = recorded.value.operation.answer
    assert isinstance(answer, dict)
    assert answer["member"] == "mem_bob"
    with pytest.raises(IdConflictError):
        enrol(change, replace(a_new("bob"), email="rob@example.com"))
    assert (world.account.version, len(world.book.audit_records(ACME))) == (version, 1)


def test_one_key_is_one_member_whichever_account_pays(world: World, change: ChangeMembers) -> None:
    enrol(change, a_new("bob"))
    with pytest.raises(IdConflictError):
        enrol(change, a_new("bob", SECOND))
    assert found(world, "bob").account == ACME


def test_an_address_that_is_taken_is_refused_and_nothing_changes(
    world: World, change: ChangeMembers
) -> None:
    enrol(change, a_new("bob"))
    before = world.book.account(SECOND)
    with pytest.raises(MemberExistsError) as refused:
        enrol(change, replace(a_new("rob", SECOND), email="BOB@example.com"))
    assert refused.value.members == {"field": "email"}
    assert world.book.account(SECOND) == before
    assert world.book.audit_records(SECOND) == []


def test_two_of_one_address_at_once_are_one(world: World, change: ChangeMembers) -> None:
    world.book.races = [lambda: enrol(change, a_new("bob", SECOND))]
    with pytest.raises(MemberExistsError):
        enrol(change, replace(a_new("rob"), email="bob@example.com"))
    assert world.book.members.counts("acme").created == 1


def test_two_joining_at_once_through_two_accounts_both_count(
    world: World, change: ChangeMembers
) -> None:
    world.book.races = [lambda: enrol(change, a_new("bob", SECOND))]
    enrol(change, a_new("rob"))
    assert world.book.members.counts("acme").created == 2


def test_a_change_is_told_from_what_to_what_where_the_member_belongs(
    world: World, change: ChangeMembers
) -> None:
    enrol(change, a_new("bob", SECOND))
    after = change.amend("acme", "mem_bob", Amendment(last_name="Smith"), seen_revision=1, by=BY)
    assert (after.last_name, after.revision) == ("Smith", 2)
    record = world.book.audit_records(SECOND)[-1]
    assert (record.before["last_name"], record.after["last_name"]) == ("Lee", "Smith")
    assert record.action == "member.changed"


def test_who_has_seen_an_older_revision_changes_nothing(
    world: World, change: ChangeMembers
) -> None:
    enrol(change, a_new("bob"))
    change.amend("acme", "mem_bob", Amendment(last_name="Smith"), seen_revision=1, by=BY)
    before = world.account
    with pytest.raises(ConflictError):
        change.amend("acme", "mem_bob", Amendment(last_name="Jones"), seen_revision=1, by=BY)
    assert (found(world, "bob").last_name, world.account) == ("Smith", before)


@pytest.mark.parametrize("theirs", ["Smith", "Jones"], ids=["the same", "another"])
def test_of_two_changes_at_once_the_later_reads_again(
    world: World, change: ChangeMembers, theirs: str
) -> None:
    def amend(name: str) -> Member:
        return change.amend("acme", "mem_bob", Amendment(last_name=name), seen_revision=1, by=BY)

    enrol(change, a_new("bob"))
    world.book.races = [lambda: amend(theirs)]
    with pytest.raises(ConflictError):
        amend("Smith")
    assert found(world, "bob").last_name == theirs


def test_what_is_so_already_writes_nothing(world: World, change: ChangeMembers) -> None:
    enrol(change, a_new("bob"))
    version = world.account.version
    same = change.amend("acme", "mem_bob", Amendment(last_name="Lee"), seen_revision=1, by=BY)
    assert (same.revision, world.account.version) == (1, version)


def test_deactivating_keeps_the_record_and_frees_the_address(
    world: World, change: ChangeMembers
) -> None:
    enrol(change, a_new("bob"))
    change.deactivate("acme", "mem_bob", BY)
    change.deactivate("acme", "mem_bob", BY)
    gone = found(world, "bob")
    assert (gone.state, gone.email, gone.revision) == (
        MemberState.DEACTIVATED, "bob@example.com", 2,
    )  # fmt: skip
    actions = [record.action for record in world.book.audit_records(ACME)]
    assert actions == ["member.created", "member.deactivated"]
    enrol(change, replace(a_new("rob"), email="bob@example.com", subject="auth0|bob"))
    back = Amendment(state=MemberState.ACTIVE)
    with pytest.raises(MemberExistsError):
        change.amend("acme", "mem_bob", back, seen_revision=2, by=BY)


def leave(change: ChangeMembers, name: str) -> None:
    change.deactivate("acme", f"mem_{name}", BY)


def step_down(change: ChangeMembers, name: str) -> None:
    change.amend("acme", f"mem_{name}", DEMOTED, seen_revision=1, by=BY)


@pytest.mark.parametrize("ours", [leave, step_down])
@pytest.mark.parametrize("theirs", [leave, step_down])
def test_two_admins_who_remove_each_other_at_once_leave_one(
    world: World,
    change: ChangeMembers,
    ours: Callable[[ChangeMembers, str], None],
    theirs: Callable[[ChangeMembers, str], None],
) -> None:
    """Through two accounts, whose own versions know nothing of each other."""
    enrol(change, a_new("ann", is_admin=True))
    enrol(change, a_new("bob", SECOND, is_admin=True))
    world.book.races = [lambda: theirs(change, "ann")]
    with pytest.raises(LastAdminError):
        ours(change, "bob")
    assert world.book.members.counts("acme").admins == 1
    assert found(world, "bob").is_active_admin


def test_another_tenants_member_is_not_there(world: World, change: ChangeMembers) -> None:
    enrol(change, a_new("bob"))
    world.open(GLOBEX)
    with pytest.raises(NotFoundError):
        change.deactivate("globex", "mem_bob", BY)
    with pytest.raises(NotFoundError):
        change.amend("globex", "mem_bob", DEMOTED, seen_revision=1, by=BY)
    assert found(world, "bob").is_active
