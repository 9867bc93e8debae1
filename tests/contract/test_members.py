"""What every book keeps of members: who is there, and what one of them alone may have."""

from dataclasses import replace

import pytest

from billing.domain.account import Account, AccountRef
from billing.domain.errors import MemberExistsError, NotFoundError, StaleAccountError
from billing.domain.members import Member, MemberCounts, MemberRole, MemberState
from billing.ports import AlreadyRecordedError
from builders import ACME, GLOBEX, an_account, an_opening
from contract.beds import BEDS, Bed
from contract.changes import opened
from memberships import a_member, a_membership, an_admin

pytestmark = pytest.mark.parametrize("bed", BEDS, indirect=True)


def joined(bed: Bed, account: Account, *members: Member) -> Account:
    """The account with new members, one after the other."""
    for member in members:
        counts = bed.members.counts(member.tenant_id)
        account = bed.commit(a_membership(account, counts, member))
    return account


def test_a_member_comes_back_whole_by_id_and_by_subject(bed: Bed) -> None:
    joined(bed, opened(bed), a_member(), an_admin())
    assert bed.members.member("acme", "mem_zoe") == a_member()
    assert bed.members.of_subject("acme", "auth0|ann") == an_admin()
    for missing in ("nobody", ""):
        with pytest.raises(NotFoundError):
            bed.members.member("acme", missing)
        with pytest.raises(NotFoundError):
            bed.members.of_subject("acme", missing)


def test_another_tenant_has_none_of_them(bed: Bed) -> None:
    joined(bed, opened(bed), a_member())
    assert bed.members.listed("globex", None, None, 10) == []
    assert bed.members.counts("globex") == MemberCounts("globex")
    with pytest.raises(NotFoundError):
        bed.members.member("globex", "mem_zoe")
    with pytest.raises(NotFoundError):
        bed.members.of_subject("globex", "auth0|zoe")


def test_two_tenants_may_know_the_same_person(bed: Bed) -> None:
    joined(bed, opened(bed), a_member())
    other = a_member(tenant_id=GLOBEX.tenant_id)
    joined(bed, opened(bed, GLOBEX), other)
    assert bed.members.of_subject("globex", "auth0|zoe") == other


def test_members_are_listed_by_id_page_by_page_and_by_state(bed: Bed) -> None:
    people = [a_member(name) for name in ("ann", "anna", "bob", "zoe")]
    people[1] = replace(people[1], state=MemberState.INVITED, subject=None)
    joined(bed, opened(bed), *reversed(people))
    assert bed.members.listed("acme", None, None, 10) == people
    assert bed.members.listed("acme", None, None, 2) == people[:2]
    assert bed.members.listed("acme", "mem_ann", None, 2) == people[1:3]
    assert bed.members.listed("acme", None, MemberState.INVITED, 2) == [people[1]]
    assert bed.members.listed("acme", "mem_anna", MemberState.ACTIVE, 1) == [people[2]]
    assert bed.members.listed("acme", "mem_zoe", None, 2) == []


def test_the_counts_follow_every_change(bed: Bed) -> None:
    assert bed.members.counts("acme") == MemberCounts("acme")
    invited = a_member("bob", state=MemberState.INVITED)
    account = joined(bed, opened(bed), a_member(), an_admin(), invited)
    counts = bed.members.counts("acme")
    assert counts == MemberCounts("acme", created=3, active=2, admins=1, version=3)
    gone = an_admin(state=MemberState.DEACTIVATED, revision=2)
    bed.commit(a_membership(account, counts, gone, an_admin()))
    assert bed.members.counts("acme") == MemberCounts("acme", 2, 1, 0, 4)
    assert bed.members.member("acme", gone.member_id) == gone


@pytest.mark.parametrize(
    ("altered", "field"),
    [
        pytest.param({"email": "ZOE@Example.com"}, "email", id="the address in other letters"),
        pytest.param({"subject": "auth0|zoe"}, "subject", id="the subject"),
    ],
)
def test_what_one_member_has_nobody_else_gets(
    bed: Bed, altered: dict[str, str], field: str
) -> None:
    account = joined(bed, opened(bed), a_member())
    before = bed.contents()
    other = a_member("bob", **altered)
    with pytest.raises(MemberExistsError) as refused:
        bed.commit(a_membership(account, bed.members.counts("acme"), other))
    assert refused.value.members == {"field": field}
    assert bed.contents() == before


def test_what_is_given_up_is_free_and_can_be_claimed_again(bed: Bed) -> None:
    account = joined(bed, opened(bed), a_member())
    gone = a_member(state=MemberState.DEACTIVATED, revision=2)
    account = bed.commit(
        a_membership(account, bed.members.counts("acme"), gone, a_member(), "gone")
    )
    with pytest.raises(NotFoundError):
        bed.members.of_subject("acme", "auth0|zoe")
    heir = a_member("bob", email="zoe@example.com", subject="auth0|zoe")
    account = joined(bed, account, heir)
    assert bed.members.of_subject("acme", "auth0|zoe") == heir
    back = replace(gone, state=MemberState.ACTIVE, revision=3)
    with pytest.raises(MemberExistsError):
        bed.commit(a_membership(account, bed.members.counts("acme"), back, gone, "back"))


def test_of_two_decided_from_the_same_counts_one_decides_again(bed: Bed) -> None:
    """Two admins remove each other at once, through two accounts."""
    account = joined(bed, opened(bed), an_admin("ann"), an_admin("bob"))
    second = bed.commit(an_opening(an_account(AccountRef("acme", "second"))))
    seen = bed.members.counts("acme")
    without_bob = an_admin("bob", state=MemberState.DEACTIVATED, revision=2)
    without_ann = an_admin("ann", state=MemberState.DEACTIVATED, revision=2)
    bed.commit(a_membership(account, seen, without_bob, an_admin("bob")))
    before = bed.contents()
    with pytest.raises(StaleAccountError):
        bed.commit(a_membership(second, seen, without_ann, an_admin("ann")))
    assert bed.contents() == before
    assert bed.members.counts("acme").admins == 1


def test_a_first_member_decided_twice_is_one(bed: Bed) -> None:
    account = opened(bed)
    none = bed.members.counts("acme")
    account = bed.commit(a_membership(account, none, a_member()))
    with pytest.raises(StaleAccountError):
        bed.commit(a_membership(account, none, a_member("bob")))
    assert bed.members.counts("acme").created == 1


def test_a_repeated_request_is_answered_before_its_own_address_is_in_its_way(bed: Bed) -> None:
    change = a_membership(opened(bed), bed.members.counts("acme"), a_member())
    bed.commit(change)
    before = bed.contents()
    with pytest.raises(AlreadyRecordedError):
        bed.book.commit(change)
    assert bed.contents() == before


def test_an_account_that_moved_on_is_told_before_an_address_that_is_taken(bed: Bed) -> None:
    """Whoever took it may be the same member, in a change that was not seen."""
    account = opened(bed)
    joined(bed, account, a_member())
    with pytest.raises(StaleAccountError):
        bed.commit(a_membership(account, bed.members.counts("acme"), a_member("bob", email=ZOE)))


ZOE = "zoe@example.com"


def test_a_changed_address_moves_its_claim(bed: Bed) -> None:
    account = joined(bed, opened(bed), a_member())
    moved = a_member(email="z.ohara@example.com", subject="okta|1", revision=2)
    account = bed.commit(a_membership(account, bed.members.counts("acme"), moved, a_member()))
    assert bed.members.of_subject("acme", "okta|1") == moved
    with pytest.raises(NotFoundError):
        bed.members.of_subject("acme", "auth0|zoe")
    joined(bed, account, a_member("bob", email=ZOE))
    promoted = replace(moved, role=MemberRole.BILLING_ADMIN, revision=3)
    counts = bed.members.counts("acme")
    bed.commit(a_membership(bed.book.account(ACME), counts, promoted, moved))
    assert bed.members.counts("acme").admins == 1
