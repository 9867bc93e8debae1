"""What one account can authorise: ``python benchmarks/authorise.py``, from the root.

Authorisations per second of one account, alone and by eight workers at once, over a store in memory
that refuses a share of the saves, as DynamoDB does under conflicts; then what the table itself
allows, from the size of the one item that all reservations of an account share. Waits are taken
and not slept, so the first figures are what deciding costs; trust the attempts and the ceiling.
"""

import platform
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "functions"))

from billing.adapters.dynamodb.holds import holds_item
from billing.domain.authorising import CallWanted
from billing.domain.covering import Cover, Destination
from billing.domain.errors import BookBusyError, BookContendedError
from billing.domain.reservations import Holds, Reservation, reservation_id
from billing.domain.units import Direction, Unit
from builders import ACME, USD, a_call_key
from capacity import WRITE_UNIT_BYTES, item_size
from fakes.reservations import InMemoryReservations
from unit.world import World

WRITE_UNITS_PER_SECOND = 1_000
"""Of one partition, and so of one item (DynamoDB developer guide, 2026)."""

TO = Destination(Unit.VOICE_SECONDS, Direction.OUTBOUND, "+14155550100")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
CALLS = 400
WORKERS = 8


class Contended(InMemoryReservations):
    """Refuses a share of the saves, and counts all of them."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share
        self._dice = random.Random(1)
        self._counting = threading.Lock()
        self.saves = 0

    def save(self, holds: Holds, seen_version: int) -> None:
        with self._counting:
            self.saves += 1
            is_refused = self._dice.random() < self._share
        if is_refused:
            raise BookContendedError("in conflict with another transaction")
        super().save(holds, seen_version)


def run(share: float, workers: int) -> tuple[float, float, float, int]:
    """Authorisations per second, saves for each, seconds waited by each, and those given up."""
    world, store = World(), Contended(share)
    waited: list[float] = []
    world.use_reservations(store, waited.append)
    world.upload()
    world.open()
    world.credit(10**6 * USD)

    def ask(number: int) -> bool:
        name = f"call-{number}"
        try:
            found = world.authorise_call.authorise(ACME, CallWanted(name, TO))
            # Twenty calls go on at a time.
            world.settle_reservations.release("acme", reservation_id(ACME, f"call-{number - 20}"))
        except BookBusyError:
            return False
        return found.reservation.call_id == name

    started = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        done = sum(pool.map(ask, range(CALLS)))
    spent = time.perf_counter() - started
    return done / spent, store.saves / CALLS, sum(waited) / CALLS, CALLS - done


def a_busy_account(calls: int) -> Holds:
    """Linked calls as diallers and carriers name them: with random ids."""
    dice = random.Random(calls)
    live = []
    for number in range(calls):
        call_id = str(UUID(int=dice.getrandbits(128)))
        reserved_at = NOW + timedelta(microseconds=dice.randrange(10**9))
        cover = Cover(600, dice.randrange(10**6), (("minutes:20260301T0000Z", 600),), 600, 10**7)
        to = Destination(
            Unit.VOICE_SECONDS, Direction.OUTBOUND, f"+1415{dice.randrange(10**7):07d}"
        )
        name, expires_at = reservation_id(ACME, call_id), reserved_at + timedelta(minutes=22)
        key = a_call_key(number)
        live.append(Reservation(name, call_id, to, cover, reserved_at, expires_at, key))
    return Holds(ACME, 1, tuple(live))


def main() -> None:
    print(f"Python {platform.python_version()}, {CALLS} calls, each authorised and freed")
    print(f"{'workers':>8}{'conflicts':>10}{'a second':>10}{'saves':>7}{'waits s':>9}{'busy':>6}")
    for workers in (1, WORKERS):
        for share in (0.0, 0.2, 0.5):
            rate, saves, waits, busy = run(share, workers)
            print(f"{workers:8}{share:10.0%}{rate:10,.0f}{saves:7.1f}{waits:9.3f}{busy:6}")
    print(f"\n{'live calls':>10}{'item bytes':>11}{'write units':>12}{'writes a second':>16}")
    for calls in (1, 10, 50, 100, 300, 1_000):
        size = item_size(holds_item(a_busy_account(calls)).serialize())
        units = -(-size // WRITE_UNIT_BYTES)
        print(f"{calls:10,}{size:11,}{units:12}{WRITE_UNITS_PER_SECOND // units:16,}")


if __name__ == "__main__":
    main()
