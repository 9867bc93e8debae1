"""Pools: how many ports are out, by leases and by calls, and the most that were in each hour.

Source of the rules: docs/licences.md, "Ports".
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from billing.domain.errors import InsufficientPortsError

NOT_ASSIGNED = "not_assigned"
POOL_EXHAUSTED = "pool_exhausted"
"""Why there is no port: the member may take none, or all are out."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Port:
    """What one call takes of a pool, for as long as its reservation counts.

    Args:
        kind: The licence kind.
        member_id: Whose call it is; empty: nobody said, and no lease covers it.
    """

    kind: str
    member_id: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """A port that a member keeps between calls, until it is given back or expires.

    Args:
        leased_at: When it was taken; renewing leaves it as it is.
        expires_at: From then on it counts for nothing.
    """

    lease_id: str
    kind: str
    member_id: str
    leased_at: datetime
    expires_at: datetime

    def is_live(self, now: datetime) -> bool:
        return now < self.expires_at


@dataclass(frozen=True, slots=True)
class Peak:
    """The most ports of a kind that were out at once in one hour.

    Args:
        hour: Whole hours since 1970 (UTC).
        quantity: How many there were, when a port was last taken.
    """

    kind: str
    hour: int
    most: int
    quantity: int


def ports_out(leases: Iterable[Lease], ports: Iterable[Port]) -> Mapping[str, int]:
    """How many ports of each kind are out: a lease covers one call of its member, not two."""
    calls = Counter((port.kind, port.member_id) for port in ports)
    leased = {(lease.kind, lease.member_id) for lease in leases}
    out: Counter[str] = Counter()
    for holder in calls.keys() | leased:
        out[holder[0]] += max(calls[holder], holder in leased)
    return out


def require_port(kind: str, before: int, after: int, quantity: int) -> None:
    """What takes no further port is never refused: the pool may have become smaller meanwhile.

    Args:
        before: Ports that are out.
        after: Ports that would be.

    Raises:
        InsufficientPortsError: All are out.
    """
    if after > max(before, quantity):
        raise exhausted(kind, before, quantity)


def exhausted(kind: str, out: int, quantity: int) -> InsufficientPortsError:
    held = "there is none" if not quantity else f"all {quantity} are in use"
    return InsufficientPortsError(
        f"no port of {kind} is free: {held}; wait until one is, or buy more",
        members={"cause": POOL_EXHAUSTED, "licence": kind, "in_use": out, "quantity": quantity},
    )


def hour_of(at: datetime) -> int:
    return (at - _EPOCH) // _HOUR


def hour_start(hour: int) -> datetime:
    return _EPOCH + hour * _HOUR


def peaks_after(
    peaks: Iterable[Peak],
    carried: Mapping[str, int],
    out: Mapping[str, int],
    quantities: Mapping[str, int],
    hour: int,
) -> tuple[Peak, ...]:
    """The peaks of the running hour, once something was taken or given back in it.

    Args:
        peaks: Of the hour in which something was last taken or given back.
        carried: Ports that were out when this hour began.
        out: Ports that are out now.
        quantities: The pools as they were just seen.
    """
    known = {peak.kind: peak for peak in peaks}
    after = []
    for kind in sorted(known.keys() | out.keys()):
        before = known.get(kind, Peak(kind, hour, 0, 0))
        # Another worker's clock may be a little ahead.
        is_running = before.hour >= hour
        most = max(before.most if is_running else carried.get(kind, 0), out.get(kind, 0))
        if most:
            quantity = quantities.get(kind, before.quantity)
            after.append(Peak(kind, max(before.hour, hour), most, quantity))
    return tuple(after)
