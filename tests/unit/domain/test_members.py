"""Who is a member, what he alone may have, and that an admin stays."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.errors import InvalidInputError, LastAdminError
from billing.domain.members import (
    Amendment,
    Claim,
    ClaimKind,
    Member,
    MemberCounts,
    MemberRole,
    MemberState,
    amended,
    enrolled,
    member_json,
    normal_email,
)
from memberships import a_member, an_admin

NONE = MemberCounts("acme")
ONE_ADMIN = MemberCounts("acme", created=1, active=1, admins=1, version=1)
TWO_ADMINS = MemberCounts("acme", created=2, active=2, admins=2, version=2)

STEPS = {
    "removed": Amendment(state=MemberState.DEACTIVATED),
    "demoted": Amendment(role=MemberRole.MEMBER),
    "both": Amendment(role=MemberRole.MEMBER, state=MemberState.DEACTIVATED),
}


@pytest.mark.parametrize("email", ["", "zoe", "@", "zoe@", "@example.com", "a b@c.d", "a@b@c",
    "zoe@example.com\n", "zoe@exam\u0000ple.com", "z" * 65 + "@example.com", "z@" + "e" * 253,
])  # fmt: skip
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        enrolled(a_member(email=email), NONE)
    assert refused.value.field == "email"
    with pytest.raises(InvalidInputError):
        amended(a_member(), Amendment(email=email or " "), ONE_ADMIN)


@pytest.mark.parametrize(
    "email",
    ["z@b", "zoe+billing@example.com", "Zoë@bücher.example", "z@" + "e" * 252],
)
def test_an_address_of_any_script_is_taken(email: str) -> None:
    assert enrolled(a_member(email=email), NONE).after.email == email


@pytest.mark.parametrize(
    "alike",
    [
        pytest.param("ZOE@EXAMPLE.COM", id="capitals"),
        pytest.param("\uff5aoe@example.com", id="a full-width letter"),
    ],
)
def test_addresses_that_read_alike_are_one(alike: str) -> None:
    assert normal_email(alike) == normal_email("zoe@example.com")
    assert normal_email("zoé@example.com") != normal_email("zoe@example.com")


def test_a_new_member_claims_what_he_has() -> None:
    email = Claim(ClaimKind.EMAIL, "zoe@example.com")
    subject = Claim(ClaimKind.SUBJECT, "auth0|zoe")
    joining = enrolled(a_member(email="Zoe@Example.com"), NONE)
    assert (joining.claimed, joining.freed) == ((email, subject), ())
    assert joining.item_count == 4
    nameless = enrolled(a_member(subject=None), NONE)
    assert nameless.claimed == (email,)


def test_a_change_claims_and_frees_what_differs() -> None:
    before = a_member()
    same = amended(before, Amendment(email="ZOE@example.com"), ONE_ADMIN)
    assert same is not None
    assert (same.claimed, same.freed) == ((), ())
    moved = amended(before, Amendment(subject="okta|1"), ONE_ADMIN)
    assert moved is not None
    assert moved.claimed == (Claim(ClaimKind.SUBJECT, "okta|1"),)
    assert moved.freed == (Claim(ClaimKind.SUBJECT, "auth0|zoe"),)


def test_who_leaves_frees_all_and_claims_it_again_when_he_comes_back() -> None:
    before = a_member()
    leaving = amended(before, STEPS["removed"], ONE_ADMIN)
    assert leaving is not None
    assert (leaving.claimed, leaving.freed) == ((), before.claims)
    assert leaving.after.email == before.email
    back = amended(leaving.after, Amendment(state=MemberState.ACTIVE), ONE_ADMIN)
    assert back is not None
    assert (back.claimed, back.freed) == (before.claims, ())
    assert back.after == replace(before, revision=3)


@pytest.mark.parametrize("step", STEPS)
def test_the_last_active_admin_stays(step: str) -> None:
    with pytest.raises(LastAdminError):
        amended(an_admin(), STEPS[step], ONE_ADMIN)
    changed = amended(an_admin(), STEPS[step], TWO_ADMINS)
    assert changed is not None
    assert changed.counts_after.admins == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(a_member(), id="without billing"),
        pytest.param(an_admin(state=MemberState.INVITED), id="an admin who is only invited"),
    ],
)
def test_whoever_is_no_active_admin_may_go(other: Member) -> None:
    assert amended(other, STEPS["removed"], ONE_ADMIN) is not None


def test_the_last_admin_may_change_his_name() -> None:
    changed = amended(an_admin(), Amendment(last_name="Lee"), ONE_ADMIN)
    assert changed is not None
    assert (changed.after.last_name, changed.after.revision) == ("Lee", 2)


def test_what_is_so_already_is_no_change() -> None:
    member = a_member()
    assert amended(member, Amendment(), ONE_ADMIN) is None
    same = Amendment(member.email, member.subject, role=member.role, state=member.state)
    assert amended(member, same, ONE_ADMIN) is None


def test_a_member_is_shown_without_what_guards_him() -> None:
    shown = member_json(a_member())
    assert shown["member"] == "mem_zoe"
    assert "revision" not in shown
    assert "tenant_id" not in shown


amendments = st.builds(
    Amendment,
    email=st.sampled_from([None, "a@x.example", "b@x.example"]),
    subject=st.sampled_from([None, "s1", "s2"]),
    role=st.sampled_from([None, *MemberRole]),
    state=st.sampled_from([None, *MemberState]),
)
turns = st.lists(st.tuples(st.integers(0, 3), amendments), max_size=12)


@settings(max_examples=60, deadline=None)
@given(turns)
def test_counts_and_claims_agree_with_the_members_whatever_happens(
    turns: list[tuple[int, Amendment]],
) -> None:
    """And once there was an active admin, there always is one."""
    counts, members, claims, had_admin = NONE, dict[int, Member](), dict[Claim, int](), False
    for number in range(4):
        joining = enrolled(a_member(f"m{number}"), counts)
        counts, members[number] = joining.counts_after, joining.after
        claims |= dict.fromkeys(joining.claimed, number)
    for number, wanted in turns:
        try:
            change = amended(members[number], wanted, counts)
        except LastAdminError:
            continue
        if change is None or any(claim in claims for claim in change.claimed):
            continue
        members[number], counts = change.after, change.counts_after
        for claim in change.freed:
            del claims[claim]
        claims |= dict.fromkeys(change.claimed, number)
        here = members.values()
        had_admin = had_admin or any(one.is_active_admin for one in here)
        assert (counts.created, counts.active, counts.admins) == (
            sum(one.is_created for one in here),
            sum(one.is_active for one in here),
            sum(one.is_active_admin for one in here),
        )
        assert not had_admin or counts.admins
        assert claims == {claim: n for n, one in members.items() for claim in one.claims}
