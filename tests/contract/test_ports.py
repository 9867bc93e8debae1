"""What every store of reservations keeps to where ports are out, and what that costs."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest

from billing.adapters.dynamodb import keys
from billing.adapters.dynamodb.holds import DynamoDBReservations, HoldsItem
from billing.adapters.dynamodb.packing import pack
from billing.domain.canonical import Json
from billing.domain.covering import Cover, Destination
from billing.domain.errors import BookBusyError, ConflictError, InsufficientPortsError
from billing.domain.leasing import lease_id_of
from billing.domain.pooling import Lease, Peak, Port, hour_of
from billing.domain.port_hours import PortDay
from billing.domain.reservations import Holds, Reservation, reservation_id
from billing.domain.units import Direction, Unit
from billing.ports import Reservations
from builders import ACME, GLOBEX, NOON, a_call_key
from capacity import Accountant
from contract.aws import EVERYWHERE, moto, opened
from fakes.reservations import InMemoryReservations
from unit.licence_world import LicenceWorld


@pytest.fixture(params=EVERYWHERE)
def reservations(request: pytest.FixtureRequest) -> Iterator[Reservations]:
    if request.param == "memory":
        yield InMemoryReservations()
        return
    with opened(request) as aws:
        yield DynamoDBReservations(aws.main_table())


A_LEASE = Lease(
    lease_id_of(ACME, "dialler", "m☎", NOON), "dialler", "m☎", NOON, NOON + timedelta(minutes=10)
)
A_CALL = Reservation(
    reservation_id=reservation_id(ACME, "one"),
    call_id="one",
    destination=Destination(Unit.VOICE_SECONDS, Direction.INBOUND, "+14155550100"),
    cover=Cover(600, 1_234_567),
    reserved_at=NOON,
    expires_at=NOON + timedelta(minutes=22),
    port=Port("dialler", "m☎"),
)
LINKED = replace(
    A_CALL,
    reservation_id=reservation_id(ACME, "two"),
    call_id="two",
    call=a_call_key(),
    port=Port("flex"),
)
A_PEAK = Peak("dialler", hour_of(NOON), 2, 10)
A_DAY = PortDay(ACME, "dialler", NOON.date(), 1).raised(A_PEAK).with_refusal(A_PEAK.hour)


def test_leases_ports_and_peaks_come_back_exactly(reservations: Reservations) -> None:
    plain = replace(A_CALL, port=None)
    for version, saved in enumerate(
        [
            Holds(ACME, 1, (A_CALL, LINKED), (A_LEASE,), (A_PEAK,)),
            Holds(ACME, 2, (), (A_LEASE,), ()),
            Holds(ACME, 3, (plain,), (), (A_PEAK,)),
            Holds(ACME, 4, (plain, A_CALL)),
        ]
    ):
        reservations.save(saved, version)
        assert reservations.holds(ACME) == saved


def test_what_was_stored_before_there_were_ports_is_read() -> None:
    """As it was written then: a list of reservations, linked ones with three texts more."""
    one: list[Json] = ["one", "voice_seconds", "inbound", "+14155550100", 600, 5, [], 0, 0]
    two: list[Json] = ["two", "messages", "outbound", "12345", 1, 0, [["lot", 1]], 1, 7]
    rows = [[*one, 10**15, 10**9], [*two, 10**15, 10**9, "twilio", "AC1", "CA1"]]
    with moto() as aws:
        table = aws.main_table()
        table.put(HoldsItem(*keys.holds(ACME), version=7, packed=pack(rows)))
        found = DynamoDBReservations(table).holds(ACME)
    assert (found.version, found.leases, found.peaks) == (7, (), ())
    assert [one.call_id for one in found.reservations] == ["one", "two"]
    assert [one.port for one in found.reservations] == [None, None]
    assert found.reservations[0].call is None
    assert found.reservations[1].call is not None
    assert found.reservations[1].cover == Cover(1, 0, (("lot", 1),), 1, 7)


def test_where_no_port_is_out_it_is_stored_as_it_was_before() -> None:
    with moto() as aws:
        table = aws.main_table()
        store = DynamoDBReservations(table)
        store.save(Holds(ACME, 1, (replace(A_CALL, port=None),)), 0)
        raw = table.get(keys.holds(ACME))
    assert raw is not None
    kept: list[Json] = ["one", "voice_seconds", "inbound", "+14155550100", 600, 1_234_567, [], 0, 0]
    since_1970 = 1_773_489_600_000_000
    assert raw["packed"]["B"] == pack([[*kept, since_1970, 22 * 60 * 10**6]])


def test_a_day_that_there_is_nothing_of_is_empty(reservations: Reservations) -> None:
    day = date(2026, 3, 14)
    assert reservations.port_day(ACME, "dialler", day) == PortDay(ACME, "dialler", day)
    assert reservations.port_days(ACME, "dialler", day, day) == []


def test_days_come_back_exactly_and_in_order(reservations: Reservations) -> None:
    days = [replace(A_DAY, version=1, day=date(2026, 3, number)) for number in (15, 14, 9, 10)]
    others = [
        replace(days[0], account=GLOBEX),
        replace(days[0], kind="dialler2"),
        replace(days[0], kind="dial"),
    ]
    for day in (*days, *others):
        reservations.keep_port_day(day)
    first, last = date(2026, 3, 10), date(2026, 3, 15)
    found = reservations.port_days(ACME, "dialler", first, last)
    assert found == sorted(days[:2] + days[3:], key=lambda day: day.day)
    assert reservations.port_day(ACME, "dialler", date(2026, 3, 9)) == days[2]


@pytest.mark.parametrize("version", [1, 2, 4])
def test_a_day_is_kept_from_the_version_before_alone(
    reservations: Reservations, version: int
) -> None:
    kept = replace(A_DAY, version=2)
    reservations.keep_port_day(replace(A_DAY, version=1))
    reservations.keep_port_day(kept)
    with pytest.raises(ConflictError):
        reservations.keep_port_day(replace(A_DAY, version=version, refused=(1,)))
    assert reservations.port_day(ACME, "dialler", A_DAY.day) == kept


def test_days_are_dropped_when_nobody_asks_for_them_any_more() -> None:
    with moto() as aws:
        table = aws.main_table()
        DynamoDBReservations(table).keep_port_day(replace(A_DAY, version=1))
        raw = table.get(keys.port_day(ACME, "dialler", A_DAY.day))
    assert raw is not None
    assert int(raw["expires_at"]["N"]) == int(A_DAY.forgotten_at.timestamp())


class OneAtATime(DynamoDBReservations):
    """moto loses updates where two threads are in it at once; between two calls anything goes."""

    _lock = threading.Lock()

    def holds(self, ref: object) -> Holds:
        with self._lock:
            return super().holds(ACME)

    def save(self, holds: Holds, seen_version: int) -> None:
        with self._lock:
            super().save(holds, seen_version)

    def keep_port_day(self, day: PortDay) -> None:
        with self._lock:
            super().keep_port_day(day)

    def port_day(self, ref: object, kind: str, day: date) -> PortDay:
        with self._lock:
            return super().port_day(ACME, kind, day)


def test_64_at_once_on_a_pool_of_10_admit_exactly_10() -> None:
    with moto() as aws:
        world = LicenceWorld(ports=10, members=0)
        store = OneAtATime(aws.main_table())
        world.use_reservations(store, sleep=lambda _seconds: None)
        starting = threading.Barrier(64)

        def ask(number: int) -> bool:
            starting.wait()
            while True:
                try:
                    world.call(f"call-{number}")
                except InsufficientPortsError:
                    return False
                except BookBusyError:
                    continue
                return True

        with ThreadPoolExecutor(64) as pool:
            assert sum(pool.map(ask, range(64))) == 10
        assert store.holds(ACME).ports_out(world.clock.now()) == {"dialler": 10}


def a_busy_account(calls: int, leases: int, *, is_covered: bool = False) -> Holds:
    """Linked calls as diallers and carriers name them, and members as they are named here."""
    dice = random.Random(calls)
    members = ["mem_" + "".join(dice.choices("abcdefghijklmnop", k=20)) for _ in range(leases)]
    live, taken = [], []
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
                port=Port("dialler", members[number]) if is_covered else None,
            )
        )
    for member in members:
        leased_at = NOON + timedelta(microseconds=dice.randrange(10**9))
        name = lease_id_of(ACME, "dialler", member, leased_at)
        expires_at = leased_at + timedelta(minutes=10)
        taken.append(Lease(name, "dialler", member, leased_at, expires_at))
    peaks = (Peak("dialler", hour_of(NOON), leases, leases),) if leases else ()
    return Holds(ACME, 1, tuple(live), tuple(taken), peaks)


@pytest.mark.parametrize(
    ("calls", "leases", "write_units"), [(10, 10, 2), (100, 100, 9), (300, 300, 28)]
)
def test_what_a_write_costs_where_every_call_is_covered_by_a_lease(
    calls: int, leases: int, write_units: int
) -> None:
    with moto() as aws, Accountant().watching() as accountant:
        store = DynamoDBReservations(aws.main_table())
        store.save(a_busy_account(calls, leases, is_covered=True), 0)
        with accountant.counting() as used:
            store.save(replace(store.holds(ACME), version=2), 1)
    assert used.write_units == write_units
