"""Ports: taken by calls, kept by leases, counted by the hour (docs/licences.md)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.domain.covering import Cover
from billing.domain.errors import InsufficientPortsError, InvalidInputError
from billing.domain.leasing import (
    LONGEST_SECONDS,
    MAX_LEASES,
    SHORTEST_SECONDS,
    find,
    give_back,
    give_back_of,
    lease,
    renew,
)
from billing.domain.licences import Entitlement
from billing.domain.pooling import Lease, Peak, Port, hour_of, hour_start, ports_out
from billing.domain.port_hours import PortDay, PortHour, by_day, finished, series, unkept
from billing.domain.reservations import Holds, Reservation, release, reservation_id
from builders import ACME, NOON
from unit.licence_world import DIALLER, FLEX, SEAT, US

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
AT_NOON = hour_of(NOON)


def may(member_id: str = "m1", quantity: int = 2) -> Entitlement:
    return Entitlement(DIALLER, quantity, member_id)


def leased(*members: str, quantity: int = 9, seconds: int = 600) -> Holds:
    """Leases taken a second after each other, the last one at noon."""
    holds = Holds(ACME)
    for age, member in zip(reversed(range(len(members))), members, strict=True):
        now = NOON - timedelta(seconds=age)
        holds, _ = lease(holds, may(member, quantity), seconds, now)
    return holds


def a_call(holds: Holds, member_id: str, number: int = 1, lasts: timedelta = HOUR) -> Holds:
    """With a call that takes a port of the dialler."""
    name = f"call-{number}"
    cover, port = Cover(60, 0), Port("dialler", member_id)
    call = Reservation(reservation_id(ACME, name), name, US, cover, NOON, NOON + lasts, port=port)
    return holds.changed(NOON, reservations=(*holds.reservations, call))


def a_lease(member_id: str) -> Lease:
    return Lease(member_id, "dialler", member_id, NOON, NOON + HOUR)


@pytest.mark.parametrize(
    ("leases", "calls", "out"),
    [
        pytest.param("", "", 0, id="nobody"),
        pytest.param("ab", "", 2, id="leases without calls"),
        pytest.param("", "ab", 2, id="calls without leases"),
        pytest.param("a", "a", 1, id="a lease covers its member's call"),
        pytest.param("a", "aa", 2, id="a lease covers one call and not two"),
        pytest.param("a", "b", 2, id="a lease covers nobody else's call"),
        pytest.param("a", "-", 2, id="a lease covers no call of nobody's"),
        pytest.param("", "--", 2, id="each call of nobody's takes a port"),
    ],
)
def test_how_many_ports_are_out(leases: str, calls: str, out: int) -> None:
    ports = [Port("dialler", "" if member == "-" else member) for member in calls]
    found = ports_out([a_lease(member) for member in leases], ports)
    assert found.get("dialler", 0) == out


def test_kinds_are_counted_apart() -> None:
    ports = [Port("flex", "a"), Port("flex", "a")]
    assert ports_out([a_lease("a")], ports) == {"dialler": 1, "flex": 2}


def test_leases_are_given_up_to_the_size_of_the_pool() -> None:
    holds = leased("m1", "m2", quantity=2)
    with pytest.raises(InsufficientPortsError) as refused:
        lease(holds, may("m3"), None, NOON)
    assert refused.value.members == {
        "cause": "pool_exhausted",
        "licence": "dialler",
        "in_use": 2,
        "quantity": 2,
    }


def test_a_pool_of_none_has_none() -> None:
    with pytest.raises(InsufficientPortsError):
        lease(Holds(ACME), may(quantity=0), None, NOON)


def test_asking_again_renews_the_same_lease() -> None:
    holds = leased("m1", quantity=1)
    later, again = lease(holds, may(quantity=1), None, NOON + MINUTE)
    assert [one.lease_id for one in later.leases] == [again.lease_id]
    assert again.leased_at == NOON
    assert again.expires_at == NOON + 11 * MINUTE


def test_a_renewal_never_shortens() -> None:
    holds = leased("m1", seconds=3_600)
    standing = holds.leases[0]
    assert renew(holds, may(), standing, 60, NOON) == (holds, standing)


def test_a_lease_that_has_expired_counts_for_nothing() -> None:
    holds = leased("m1", quantity=1, seconds=60)
    name = holds.leases[0].lease_id
    assert find(holds, name, NOON + timedelta(seconds=59)) is not None
    assert find(holds, name, NOON + MINUTE) is None
    after, other = lease(holds, may("m2", 1), None, NOON + MINUTE)
    assert after.leases == (other,)


def test_the_next_lease_of_a_member_is_another() -> None:
    """So that giving the old one back late frees nothing of the new one."""
    holds = leased("m1", seconds=60)
    old = holds.leases[0].lease_id
    again, new = lease(holds, may(), None, NOON + MINUTE)
    assert new.lease_id != old
    assert give_back(again, old, NOON + MINUTE) is again


def test_a_lease_covers_a_call_that_has_begun_without_one() -> None:
    holds = a_call(Holds(ACME), "m1")
    after, _ = lease(holds, may("m1", 1), None, NOON)
    assert after.ports_out(NOON) == {"dialler": 1}


def test_giving_back_frees_the_port_once() -> None:
    holds = leased("m1", "m2")
    name = holds.leases[0].lease_id
    after = give_back(holds, name, NOON)
    assert [one.member_id for one in after.leases] == ["m2"]
    assert give_back(after, name, NOON) is after
    assert give_back_of(after, "dialler", "m2", NOON).leases == ()
    assert give_back_of(after, "flex", "m2", NOON) is after


def test_of_a_pool_that_became_smaller_the_latest_leases_are_not_renewed() -> None:
    holds = leased("m1", "m2", "m3")
    for one in holds.leases[:2]:
        renew(holds, may(one.member_id), one, None, NOON + MINUTE)
    with pytest.raises(InsufficientPortsError):
        renew(holds, may("m3"), holds.leases[2], None, NOON + MINUTE)


@pytest.mark.parametrize("seconds", [SHORTEST_SECONDS - 1, LONGEST_SECONDS + 1, 0, -1])
def test_a_lease_has_bounds(seconds: int) -> None:
    with pytest.raises(InvalidInputError) as refused:
        lease(Holds(ACME), may(), seconds, NOON)
    assert refused.value.field == "lease_seconds"


def test_what_is_held_by_name_is_not_leased() -> None:
    with pytest.raises(InvalidInputError):
        lease(Holds(ACME), Entitlement(SEAT, 5, "m1", is_assigned=True), None, NOON)


def test_who_is_not_let_into_a_pool_gets_no_port_of_it() -> None:
    stranger = Entitlement(FLEX, 5, "m1")
    with pytest.raises(InsufficientPortsError) as refused:
        lease(Holds(ACME), stranger, None, NOON)
    assert refused.value.members["cause"] == "not_assigned"
    holds, taken = lease(Holds(ACME), replace(stranger, is_assigned=True), None, NOON)
    with pytest.raises(InsufficientPortsError):
        renew(holds, stranger, taken, None, NOON)


def test_an_account_has_so_many_leases() -> None:
    full = Holds(
        ACME, 1, leases=tuple(replace(a_lease(f"m{n}"), lease_id=str(n)) for n in range(MAX_LEASES))
    )
    with pytest.raises(InsufficientPortsError):
        lease(full, may("one more", MAX_LEASES + 1), None, NOON)


def peaks(holds: Holds) -> dict[str, tuple[int, int, int]]:
    return {one.kind: (one.hour - AT_NOON, one.most, one.quantity) for one in holds.peaks}


def test_the_most_that_are_out_in_an_hour_stay_known() -> None:
    holds = leased("m1", "m2", quantity=5)
    holds = give_back(holds, holds.leases[0].lease_id, NOON)
    assert peaks(holds) == {"dialler": (0, 2, 5)}
    assert list(unkept(holds, NOON)) == [Peak("dialler", AT_NOON, 2, 5)]


def test_an_hour_begins_with_what_is_out() -> None:
    holds = leased("m1", "m2", quantity=5, seconds=7_200)
    later = give_back(holds, holds.leases[0].lease_id, NOON + HOUR)
    assert peaks(later) == {"dialler": (1, 2, 5)}
    assert list(finished(holds, later)) == [Peak("dialler", AT_NOON, 2, 5)]


def test_hours_in_which_nothing_changed_are_known_all_the_same() -> None:
    holds = a_call(leased("m1", quantity=5, seconds=4 * 3_600), "m2", lasts=2 * HOUR)
    later, _ = lease(holds, may("m3", 6), None, NOON + 3 * HOUR + MINUTE)
    assert [(one.hour - AT_NOON, one.most) for one in finished(holds, later)] == [
        (0, 2),
        (1, 2),
        (2, 1),
    ]
    assert peaks(later) == {"dialler": (3, 2, 6)}


def test_a_pool_that_all_have_left_is_finished_to_its_last_hour() -> None:
    holds = a_call(Holds(ACME), "m1", lasts=HOUR + MINUTE)
    later = holds.changed(NOON + 9 * HOUR)
    assert later.peaks == ()
    assert [one.hour - AT_NOON for one in finished(holds, later)] == [0, 1]


def test_a_clock_that_is_behind_changes_no_earlier_hour() -> None:
    holds = leased("m1")
    after, _ = lease(holds, may("m2"), None, NOON - MINUTE)
    assert peaks(after) == {"dialler": (0, 2, 2)}
    assert list(finished(holds, after)) == []


def test_a_call_without_a_licence_leaves_no_peak() -> None:
    holds = a_call(Holds(ACME), "m1")
    plain = holds.reservations[0]
    after = Holds(ACME).changed(NOON, reservations=[replace(plain, port=None)])
    assert after.peaks == ()
    freed = release(after, [plain.reservation_id], NOON)
    assert freed.reservations == () == freed.peaks


DAY = PortDay(ACME, "dialler", date(2026, 3, 14))


def test_a_day_keeps_the_most_of_each_hour() -> None:
    day = DAY.raised(Peak("dialler", AT_NOON, 3, 5))
    assert (day.version, day.most[12], day.quantity[12]) == (1, 3, 5)
    assert day.raised(Peak("dialler", AT_NOON, 3, 9)) is day
    assert day.raised(Peak("dialler", AT_NOON, 4, 9)).most[12] == 4


def test_a_day_keeps_in_which_hours_somebody_was_refused() -> None:
    day = DAY.with_refusal(AT_NOON)
    assert day.is_refused(AT_NOON)
    assert not day.is_refused(AT_NOON + 1)
    assert day.with_refusal(AT_NOON) is day
    assert day.with_refusal(AT_NOON - 3).refused == (9, 12)


def test_a_day_is_forgotten_after_ninety_days_and_a_week() -> None:
    assert DAY.forgotten_at == datetime(2026, 6, 19, tzinfo=UTC)


def test_peaks_belong_to_their_day_in_utc() -> None:
    found = [Peak("dialler", AT_NOON + hours, 1, 1) for hours in (0, 11, 12)]
    days = by_day(found)
    assert {key[1]: len(list(value)) for key, value in days.items()} == {
        date(2026, 3, 14): 2,
        date(2026, 3, 15): 1,
    }


def hours(found: Iterable[PortHour]) -> list[tuple[int, int, int, bool]]:
    return [(hour_of(h.at) - AT_NOON, h.most, h.quantity, h.is_refused) for h in found]


def test_a_series_is_what_is_kept_and_what_is_not_yet() -> None:
    day = DAY.raised(Peak("dialler", AT_NOON - 2, 3, 5)).with_refusal(AT_NOON)
    latest = [Peak("dialler", AT_NOON, 5, 5), Peak("dialler", AT_NOON + 1, 2, 5)]
    found = series([day], latest, AT_NOON - 24, AT_NOON + 2)
    assert hours(found) == [(-2, 3, 5, False), (0, 5, 5, True), (1, 2, 5, False)]
    assert found[0].at == hour_start(AT_NOON - 2)
    assert hours(series([day], latest, AT_NOON - 1, AT_NOON + 1)) == [(0, 5, 5, True)]
