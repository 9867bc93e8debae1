"""What must hold of what is set aside, computed without the code that is being tested.

Who decides may not see everything at once: others get in between his reads and his write. So each
save is held against every state that he may have read, and a refusal as well.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from billing.domain.account import Account, AccountRef, Standing
from billing.domain.authorising import CallWanted
from billing.domain.errors import (
    AccountOnHoldError,
    ConcurrencyLimitReachedError,
    DestinationNotRatedError,
    InsufficientBalanceError,
    InsufficientPortsError,
    LicenceRequiredError,
    TalktimeError,
)
from billing.domain.licences import Assignment
from billing.domain.pooling import Lease
from billing.domain.reservations import Holds, Reservation
from billing.domain.units import Direction, Unit
from simulation.catalog import CATALOG
from simulation.counting import increments
from simulation.errors import require
from simulation.faults import MAX_SKEW
from simulation.holds_journal import Saved
from simulation.past import Past
from simulation.tenants import SITES, UNRATED, Site, Tariff
from simulation.world import World

TARIFFS = {site.ref: site.tariff for site in SITES}
CONCURRENT = {
    plan["plan"]: plan.get("features", {}).get("concurrent_calls") for plan in CATALOG["plans"]
}
NAMED = {one["licence"] for one in CATALOG["licences"] if one["mode"] == "named"}
BY_MEMBERS = {one["licence"] for one in CATALOG["licences"] if one.get("on_invite") == "add_unit"}


class HoldsChecker:
    """Follows what is set aside and who has which licence; reads on in both journals."""

    def __init__(self, world: World) -> None:
        self.past = Past(world)
        self._world = world
        self._asked: dict[AccountRef, set[str]] = defaultdict(set)
        # What somebody was told that he has, for as long as nothing may have become of it.
        self._told: dict[AccountRef, dict[str, Reservation]] = defaultdict(dict)
        # When somebody was told that it is free: how many saves there were.
        self._freed: dict[str, int] = {}
        self._holders: dict[tuple[AccountRef, str], set[str]] = defaultdict(set)
        self._saved = 0
        self._written = 0

    # What callers tell of themselves

    def asked(self, ref: AccountRef, call_id: str) -> None:
        self._asked[ref].add(call_id)

    def answered(self, ref: AccountRef, made: Reservation) -> None:
        self._told[ref][made.reservation_id] = made

    def over(self, ref: AccountRef, name: str) -> None:
        """It is about to be freed, or reported: from now on it may be gone."""
        self._told[ref].pop(name, None)

    def freed(self, name: str) -> None:
        """Somebody was told that it is free."""
        self._freed.setdefault(name, len(self._world.reservations.saved))

    def asked_meanwhile(self, name: str) -> None:
        """Somebody was asking when it was freed, and may have been given it anew."""
        self._freed.pop(name, None)

    # Every step

    def check(self) -> None:
        """
        Raises:
            InvariantError: Something does not hold.
        """
        self._check_licences()
        saved = self._world.reservations.saved
        touched = set()
        while self._saved < len(saved):
            one = saved[self._saved]
            touched.add(one.after.account)
            self._check_saved(one, self._saved)
            self._saved += 1
        for ref in touched:
            self._check_standing(ref)

    def _check_saved(self, saved: Saved, place: int) -> None:
        before, after = saved.before, saved.after
        ref = after.account
        require(after.version == before.version + 1, f"holds of {ref} were overwritten")
        for one in after.reservations:
            require(one.call_id in self._asked[ref], f"nobody asked {ref} for {one}")
            freed = self._freed.get(one.reservation_id)
            # Nobody frees what has expired, and some saves leave it where it is.
            is_live = one.expires_at > saved.at + MAX_SKEW
            require(freed is None or place < freed or not is_live, f"{one} was freed")
        names = Counter(one.reservation_id for one in after.reservations)
        require(all(times == 1 for times in names.values()), f"{ref} holds twice: {names}")
        leased = Counter((one.kind, one.member_id) for one in after.leases)
        require(all(times == 1 for times in leased.values()), f"{ref} leases twice: {leased}")
        known = {one.reservation_id: one for one in before.reservations}
        raised = [
            one
            for one in after.reservations
            if (was := known.get(one.reservation_id)) is None or one.cover != was.cover
        ]
        for one in raised:
            _check_price(TARIFFS[ref], one)
        if any(one.cover.wallet_micros for one in raised):
            self._check_affordable(saved, raised)
        self._check_ports(saved, [one for one in raised if one.reservation_id not in known])

    def _check_affordable(self, saved: Saved, raised: Sequence[Reservation]) -> None:
        """All that is set aside is there: balance, since there is no other credit."""
        ref = saved.after.account
        reserved = sum(one.cover.wallet_micros for one in saved.after.reservations)
        most = max(one.wallet_micros for one in self._accounts(ref, saved))
        require(reserved <= most, f"{ref} has {most}, and {reserved} are set aside for {raised}")

    def _check_ports(self, saved: Saved, new: Sequence[Reservation]) -> None:
        """Whoever takes one more port takes one that there is."""
        after, ref = saved.after, saved.after.account
        known = {one.lease_id for one in saved.before.leases}
        leases = [one for one in after.leases if one.lease_id not in known]
        out = ports_out(after.reservations, after.leases)
        old = ports_out(
            [one for one in after.reservations if one not in new],
            [one for one in after.leases if one not in leases],
        )
        for kind in out.keys() - {kind for kind in out if out[kind] <= old[kind]}:
            there = max(self.past.quantities(ref, kind, saved.since, saved.until))
            require(out[kind] <= there, f"{ref} has {there} ports of {kind}, {out[kind]} are out")

    def _check_standing(self, ref: AccountRef) -> None:
        """What somebody was told that he has, he has, as long as it was said to last."""
        live = {one.reservation_id: one for one in self._world.reservations.holds(ref).reservations}
        soon = self._world.clock.true_now + MAX_SKEW
        for name, told in tuple(self._told[ref].items()):
            if told.expires_at <= soon:
                del self._told[ref][name]
                continue
            found = live.get(name)
            require(found is not None, f"{told} of {ref} is gone")
            assert found is not None
            kept = found.cover.seconds >= told.cover.seconds and found.expires_at >= told.expires_at
            require(kept, f"{told} of {ref} was cut to {found}")

    def _check_licences(self) -> None:
        """Of a named kind no more are held than there are, and nobody holds one twice."""
        written = self._world.book.written
        for place in range(self._written, len(written)):
            change = written[place]
            given = [one for one in change.records if isinstance(one, Assignment)]
            for one in given:
                ref = change.after.ref
                require(one.account == ref, f"{one} is written with {ref}")
                holders = self._holders[ref, one.kind]
                require((one.member_id in holders) != one.is_held, f"{one} again, of {holders}")
                (holders.add if one.is_held else holders.discard)(one.member_id)
                there = max(self.past.quantities(ref, one.kind, place, place + 1))
                if one.is_held and one.kind in NAMED:
                    require(len(holders) <= there, f"{ref} has {there} {one.kind}: {holders}")
        self._written = len(written)

    # Refusals

    def refused(
        self,
        site: Site,
        wanted: CallWanted,
        error: TalktimeError,
        since: int,
        since_at: datetime,
    ) -> None:
        """Nothing is refused that is free, for as long as the refusal took.

        Args:
            since: Changes that were written when it was asked for.
            since_at: The time then.
        """
        ref = site.ref
        accounts = self.past.accounts(ref, since)
        holds = self._holds(ref, since, since_at)
        match error:
            case InsufficientBalanceError():
                reserved = max(sum(one.cover.full_micros for one in live) for live, _ in holds)
                least = min(one.wallet_micros for one in accounts)
                price = first_price(site.tariff, wanted.destination.unit)
                is_meant = least < 0 or least - reserved < price
            case InsufficientPortsError() if error.members["cause"] == "pool_exhausted":
                kind = wanted.licence
                out = max(ports_out(live, leases)[kind] for live, leases in holds)
                is_meant = out >= min(self.past.quantities(ref, kind, since))
            case InsufficientPortsError() | LicenceRequiredError():
                is_meant = not self._is_entitled(ref, wanted)
            case ConcurrencyLimitReachedError():
                calls = max(sum(_is_call(one) for one in live) for live, _ in holds)
                limits = [CONCURRENT[one.plan.plan_id] for one in accounts]
                is_meant = any(limit is not None and calls >= limit for limit in limits)
            case AccountOnHoldError():
                is_suspended = any(one.standing is Standing.SUSPENDED for one in accounts)
                is_meant = is_suspended and wanted.destination.direction is Direction.OUTBOUND
            case DestinationNotRatedError():
                is_meant = wanted.destination.to_number == UNRATED
            case _:
                is_meant = bool(wanted.licence)
        require(is_meant, f"{ref} was refused {wanted}: {error!r}")

    def _is_entitled(self, ref: AccountRef, wanted: CallWanted) -> bool:
        member = self._world.book.members.member(ref.tenant_id, wanted.member_id)
        return member.is_created and wanted.member_id in self._holders[ref, wanted.licence]

    def _holds(
        self, ref: AccountRef, since: int, since_at: datetime
    ) -> list[tuple[list[Reservation], list[Lease]]]:
        """What may have counted at any moment since then."""
        saves = self._world.reservations.saved
        known = [self._world.reservations.holds(ref)]
        for saved in reversed(saves):
            if saved.until < since:
                break
            if saved.after.account == ref:
                known.append(saved.before)
        lives_after = since_at - MAX_SKEW
        return [_live(one, lives_after) for one in known]

    def _accounts(self, ref: AccountRef, saved: Saved) -> Sequence[Account]:
        return self.past.accounts(ref, saved.since, saved.until)


def _live(holds: Holds, after: datetime) -> tuple[list[Reservation], list[Lease]]:
    return (
        [one for one in holds.reservations if one.expires_at > after],
        [one for one in holds.leases if one.expires_at > after],
    )


def _is_call(reservation: Reservation) -> bool:
    return reservation.destination.unit is not Unit.MESSAGES


def ports_out(reservations: Iterable[Reservation], leases: Iterable[Lease]) -> Counter[str]:
    """Each holder's: as many as he has calls, and one if he has a lease and no call."""
    calls = Counter(
        (one.port.kind, one.port.member_id) for one in reservations if one.port is not None
    )
    for lease in leases:
        calls[lease.kind, lease.member_id] = max(1, calls[lease.kind, lease.member_id])
    out: Counter[str] = Counter()
    for (kind, _), count in calls.items():
        out[kind] += count
    return out


def _check_price(tariff: Tariff, one: Reservation) -> None:
    """What is set aside is the call's own price, less what grants pay of it."""
    cover = one.cover
    whole = price(tariff, one.destination.unit, cover.seconds, 0)
    paid = price(tariff, one.destination.unit, cover.seconds, cover.granted)
    require(cover.full_micros == whole, f"{one} costs {whole} without grants")
    require(cover.wallet_micros == paid, f"{one} sets aside {cover.wallet_micros}, not {paid}")
    parts = sum(part for _, part in cover.grants)
    require(0 <= cover.granted <= parts, f"{one} counts on more than {cover.grants}")


def first_price(tariff: Tariff, unit: Unit) -> int:
    """The least that a call without any minutes costs, once it is answered."""
    return price(tariff, unit, 1, 0)


def price(tariff: Tariff, unit: Unit, quantity: int, granted: int) -> int:
    if unit is Unit.MESSAGES:
        return tariff.message_micros * (quantity - granted)
    step = tariff.next_increment_seconds
    billed = increments(quantity, tariff.first_increment_seconds, step)
    return tariff.connect_fee_micros + tariff.second_micros * (billed - granted)
