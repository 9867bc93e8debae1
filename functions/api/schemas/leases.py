"""Leases: ports of a pool that members keep for a while; and how many were out over time."""

from typing import Annotated

from pydantic import Field

from api.schemas.base import Id, Instant, Query, Schema, Whole
from billing.domain.leasing import LONGEST_SECONDS, SHORTEST_SECONDS
from billing.domain.pooling import Lease
from billing.domain.port_hours import DAYS_KEPT, PortHour
from billing.services.read_licences import PortHistory

LeaseSeconds = Annotated[int, Field(ge=SHORTEST_SECONDS, le=LONGEST_SECONDS)]

HISTORY_DAYS = 30


class LeaseIn(Schema):
    """Who needs a port, and for how long at first; ten minutes, if it is left out."""

    member: Id
    lease_seconds: LeaseSeconds | None = None


class RenewIn(Schema):
    """For how long from now; ten minutes, if it is left out."""

    lease_seconds: LeaseSeconds | None = None


class LeaseOut(Schema):
    """A port that a member keeps. It covers one call of his at a time."""

    lease: str
    licence: str
    member: str
    leased_at: Instant
    expires_at: Instant

    @staticmethod
    def of(lease: Lease) -> "LeaseOut":
        return LeaseOut(
            lease=lease.lease_id,
            licence=lease.kind,
            member=lease.member_id,
            leased_at=lease.leased_at,
            expires_at=lease.expires_at,
        )


class HistoryQuery(Query):
    """How many days back, of 24 hours each."""

    days: Annotated[Whole, Field(ge=1, le=DAYS_KEPT)] = HISTORY_DAYS


class PortHourOut(Schema):
    """One hour: the most ports that were out at once, of how many; whether one was refused because
    all were out."""

    at: Instant
    peak: int
    quantity: int
    refused: bool

    @staticmethod
    def of(hour: PortHour) -> "PortHourOut":
        return PortHourOut(
            at=hour.at, peak=hour.most, quantity=hour.quantity, refused=hour.is_refused
        )


class HistoryOut(Schema):
    """How many ports were out over time, to tell how many are enough.

    ``peak`` is the most of all hours; ``refused_hours`` is in how many somebody was refused one.
    ``hours`` begin on the hour in UTC; those in which no port was out or refused are left out.
    """

    licence: str
    name: str
    quantity: int
    peak: int
    refused_hours: int
    hours: list[PortHourOut]

    @staticmethod
    def of(history: PortHistory) -> "HistoryOut":
        return HistoryOut(
            licence=history.kind.kind,
            name=history.kind.name,
            quantity=history.quantity,
            peak=history.most,
            refused_hours=sum(hour.is_refused for hour in history.hours),
            hours=[PortHourOut.of(hour) for hour in history.hours],
        )
