"""Admins who assign licences, and members who lease ports between their calls."""

from collections.abc import Callable, Mapping

from billing.domain.account import AccountRef
from billing.domain.errors import (
    InsufficientPortsError,
    InvalidInputError,
    NoLicenceAvailableError,
    NotFoundError,
)
from billing.domain.members import Member
from billing.domain.pooling import Lease
from simulation.shoppers import ANN
from simulation.switchboard import RETRIED, Switchboard
from simulation.tenants import SITES
from simulation.world import World

KINDS = ("crm", "qa", "flex", "dialler")


class Holders:
    """Everything they do is the same the second time."""

    def __init__(self, world: World, board: Switchboard) -> None:
        self._world = world
        self._assign = board.assign_licences
        self._lease_ports = board.lease_ports
        self._leases: list[tuple[AccountRef, Lease]] = []

    @property
    def operations(self) -> Mapping[Callable[[], str], int]:
        return {
            self.assign: 3,
            self.take_away: 2,
            self.lease: 4,
            self.renew: 2,
            self.give_back: 2,
        }

    @property
    def concurrent(self) -> Mapping[Callable[[], str], int]:
        return {self.assign: 1, self.take_away: 1, self.lease: 2, self.give_back: 1}

    def assign(self) -> str:
        member, kind = self._member(), self._world.random.choice(KINDS)
        if member is None:
            return "nobody is there"
        try:
            self._assign.assign(member.account, kind, member.member_id, ANN)
        except (*RETRIED, NoLicenceAvailableError, InvalidInputError) as error:
            return f"{kind} for {member.member_id}: {error!r}"
        return f"{member.member_id} has {kind}"

    def take_away(self) -> str:
        member, kind = self._member(), self._world.random.choice(KINDS)
        if member is None:
            return "nobody is there"
        try:
            self._assign.remove(member.account, kind, member.member_id, ANN)
        except RETRIED as error:
            return f"{kind} of {member.member_id}: {error!r}"
        return f"{member.member_id} has no {kind}"

    def lease(self) -> str:
        random = self._world.random
        member = self._member()
        if member is None:
            return "nobody is there"
        # Now and then one that belongs to another of the tenant's accounts.
        ref = member.account if random.random() < 0.95 else random.choice(SITES).ref
        kind, seconds = random.choice(("dialler", "flex")), random.choice((None, 30, 14_400))
        try:
            lease = self._lease_ports.lease(ref, kind, member.member_id, seconds)
        except (*RETRIED, InsufficientPortsError, NotFoundError) as error:
            return f"{kind} for {member.member_id}: {error!r}"
        self._leases = [*self._leases[-20:], (ref, lease)]
        return f"{member.member_id} has a port of {kind}"

    def renew(self) -> str:
        if not self._leases:
            return "nothing is leased"
        ref, lease = self._world.random.choice(self._leases)
        try:
            renewed = self._lease_ports.renew(ref, lease.kind, lease.lease_id, None)
        except (*RETRIED, InsufficientPortsError, NotFoundError) as error:
            return f"{lease.lease_id}: {error!r}"
        return f"{lease.lease_id} until {renewed.expires_at}"

    def give_back(self) -> str:
        if not self._leases:
            return "nothing is leased"
        ref, lease = self._world.random.choice(self._leases)
        try:
            self._lease_ports.give_back(ref, lease.lease_id)
        except RETRIED as error:
            return f"{lease.lease_id}: {error!r}"
        return f"{lease.lease_id} given back"

    def _member(self) -> Member | None:
        random = self._world.random
        tenant_id = random.choice(SITES).ref.tenant_id
        listed = self._world.book.members.listed(tenant_id, None, None, 1_000)
        return random.choice(listed) if listed else None
