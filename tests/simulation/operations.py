"""One history: random operations with faults between any two calls, every step of it checked."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from simulation.buyers import Buyers
from simulation.carrier import Carrier
from simulation.checker import Checker
from simulation.errors import InvariantError
from simulation.faults import Crash
from simulation.paying import Paying
from simulation.people import People
from simulation.provider import Provider
from simulation.tenants import SITES
from simulation.users import Users
from simulation.workers import Workers
from simulation.world import World

MAX_DEPTH = 2
"""Workers that get in between workers that got in between."""

WEBHOOK_FIRST = 0.1
"""Payments and refunds that a webhook tells of before the gateway has answered."""

RECHARGE_EVERY = timedelta(hours=4)
RECONCILE_EVERY = timedelta(minutes=15)
ROLL_EVERY = timedelta(hours=1)

STEPS_SECONDS = (1, 90, 1_800, 4 * 3_600, 12 * 3_600, 36 * 3_600, 9 * 86_400)
"""How far time goes at once; each step half as likely as a shorter one, or less."""

QUIET_ROUNDS = 300
"""Sweeps, four hours apart, in which everything must have come to rest."""


class Simulation:
    """Runs operations against a world; the seed decides all of it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.world = World(seed)
        self.checker = Checker(self.world)
        self._provider = Provider(self.world)
        self._workers = Workers(self.world)
        self._people = People(self.world)
        self._carrier = Carrier(self.world)
        self._buyers = Buyers(self.world)
        self._paying = Paying(self.world)
        self._users = Users(self.world, self._provider, self.checker.holds)
        self._number = 0
        self._sweeps = {
            RECHARGE_EVERY: self._workers.sweep_recharges,
            RECONCILE_EVERY: self._workers.sweep_payments,
            ROLL_EVERY: self._workers.sweep_rolls,
        }
        self._swept_at = dict.fromkeys(self._sweeps, self.now)
        self.world.faults.interrupt = self._interrupt
        self.world.gateway.decided = self._tell_at_once
        self._operations: Mapping[Callable[[], str], int] = {
            self._provider.report_calls: 26,
            self._provider.report_message: 6,
            self._provider.repeat_report: 7,
            self._provider.contradict_report: 4,
            self._provider.repeat_unanswered: 6,
            self._carrier.correct_call: 8,
            self._carrier.repeat_record: 3,
            self._workers.deliver_usage: 22,
            self._workers.deliver_recharges: 9,
            self._workers.deliver_rolls: 6,
            self._advance: 12,
            self._workers.sweep_recharges: 4,
            self._workers.sweep_payments: 3,
            self._workers.sweep_rolls: 3,
            self._workers.lose_schedules: 1,
            self._people.wish: 6,
            self._people.repeat_wish: 4,
            self._people.reuse_key: 1,
            self._people.set_policy: 5,
            self._people.remap: 1,
            self._land_charges: 2,
            self._gateway_fails: 1,
            **self._buyers.operations,
            **self._paying.operations,
            **self._users.operations,
        }
        self._concurrent: Mapping[Callable[[], str], int] = {
            self._carrier.correct_call: 2,
            self._carrier.repeat_record: 1,
            self._workers.deliver_usage: 6,
            self._workers.deliver_recharges: 6,
            self._workers.deliver_rolls: 4,
            self._workers.sweep_recharges: 1,
            self._workers.sweep_payments: 1,
            self._people.wish: 3,
            self._people.set_policy: 4,
            self._people.repeat_wish: 2,
            self._land_charges: 1,
            **self._buyers.concurrent,
            **self._paying.concurrent,
            **self._users.concurrent,
        }

    @property
    def now(self) -> datetime:
        return self.world.clock.true_now

    def run(self, operations: int) -> None:
        """So many operations with faults, then peace until everything has come to rest.

        Raises:
            InvariantError: With a note that says how to see it again.
        """
        try:
            # What the world begins with, before anything else happens.
            self.checker.check_step()
            self.world.faults.is_enabled = True
            for self._number in range(1, operations + 1):
                self._perform(self._choose(self._operations))
                self.checker.check_step()
            self._come_to_rest()
            self.checker.check_end(
                self._provider.reports,
                self._people.wishes,
                self._people.answers,
                self._paying.outbox,
            )
        except Exception as error:
            error.add_note(f"seed {self.seed}, operation {self._number} of {operations}; again:")
            error.add_note(
                f"  TALKTIME_SIMULATION_SEED={self.seed}"
                f" TALKTIME_SIMULATION_OPERATIONS={operations} pytest tests/simulation"
            )
            error.add_note("\n".join(["the last of it:", *self.world.history[-15:]]))
            raise

    def digest(self) -> str:
        """What happened, as one value."""
        return hashlib.sha256("\n".join(self.world.history).encode()).hexdigest()

    # How operations run

    def _choose(self, operations: Mapping[Callable[[], str], int]) -> Callable[[], str]:
        (chosen,) = self.world.random.choices(tuple(operations), tuple(operations.values()))
        return chosen

    def _perform(self, operation: Callable[[], str]) -> None:
        """A worker does one thing, and may die of it."""
        self.world.reservations.begin()
        try:
            outcome = operation()
        except Crash as crash:
            self.world.faults.is_dead = False
            outcome = f"crashed {crash}"
        except InvariantError:
            raise
        except Exception as error:
            raise InvariantError(f"{operation.__name__} raised {error!r}") from error
        finally:
            self.world.reservations.end()
        if self.world.faults.is_dead:
            raise InvariantError(f"{operation.__name__} outlived its own crash")
        name = operation.__name__.strip("_")
        self.world.history.append(f"{self._number}.{self.world.depth} {self.now} {name}: {outcome}")

    def _interrupt(self) -> None:
        """Another worker does one thing while the first one waits."""
        if self.world.depth < MAX_DEPTH:
            self.world.depth += 1
            self._perform(self._choose(self._concurrent))
            self.checker.check_step()
            self.world.depth -= 1

    def _tell_at_once(self) -> None:
        """Now and then the gateway's webhook is here before its own answer."""
        if self.world.depth < MAX_DEPTH and self.world.faults.chance(WEBHOOK_FIRST):
            self.world.depth += 1
            self._perform(self._paying.news.deliver_at_once)
            self.checker.check_step()
            self.world.depth -= 1

    # Time passes, and schedules fire

    def _advance(self) -> str:
        random = self.world.random
        by = timedelta(
            seconds=random.choices(STEPS_SECONDS, (4, 4, 4, 4, 2, 1, 1))[0],
            microseconds=random.randint(0, 999_999),
        )
        if random.random() < 0.05:
            # To where periods turn, give or take what clocks are off by.
            ref = random.choice(SITES).ref
            end_at = self.world.book.account(ref).period.end_at
            by = max(by, end_at - self.now - timedelta(seconds=random.choice((0, 1, 2))))
        self.world.clock.advance(by)
        fired = [self._fire(every) for every in self._swept_at]
        return f"{by}, fired {fired}"

    def _fire(self, every: timedelta) -> int:
        """A schedule whose time has come fires once, or twice, or not at all."""
        if self.now < self._swept_at[every] + every:
            return 0
        self._swept_at[every] = self.now
        (times,) = self.world.random.choices((0, 1, 2), (35, 50, 15))
        for _ in range(times):
            self._perform(self._sweeps[every])
        return times

    def _land_charges(self) -> str:
        return str(self.world.gateway.land())

    def _gateway_fails(self) -> str:
        """Nobody gets an answer from it for a while, perhaps for longer than it keeps keys."""
        until = self.now + timedelta(hours=self.world.random.choice((1, 6, 23, 30, 60)))
        self.world.gateway.silent_until = until
        return f"no answer until {until}"

    # Peace

    def _come_to_rest(self) -> None:
        """No more faults: everything is delivered and asked again, schedules fire on time."""
        self.world.faults.is_enabled = False
        self.world.gateway.is_calm = True
        for _ in range(QUIET_ROUNDS):
            self._perform(self._land_charges)
            while self._provider.unanswered:
                self._perform(self._provider.repeat_unanswered)
            self.world.clock.advance(RECHARGE_EVERY)
            for sweep in self._sweeps.values():
                self._perform(sweep)
            for queue, deliver in (
                (self.world.usage_queue, self._workers.deliver_usage),
                (self.world.recharge_queue, self._workers.deliver_recharges),
                (self.world.roll_queue, self._workers.deliver_rolls),
            ):
                for _ in range(queue.waiting):
                    self._perform(deliver)
            self._perform(self._people.ask_all)
            self._perform(self._buyers.finish)
            self._perform(self._paying.finish)
            self.checker.check_step()
            if self._is_at_rest():
                return
        raise InvariantError(f"no rest after {QUIET_ROUNDS} rounds without faults")

    def _is_at_rest(self) -> bool:
        queues = (self.world.usage_queue, self.world.recharge_queue, self.world.roll_queue)
        return (
            not any(queue.waiting for queue in queues)
            and all(wish.key in self._people.answers for wish in self._people.wishes)
            and self._buyers.is_done
            and self._paying.is_done
            and all(self.checker.is_at_rest(site) for site in SITES)
        )
