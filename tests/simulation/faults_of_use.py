"""Faults in authorising calls and in licences, to be put in by ``test_checker``."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pytest

from billing.domain import authorising, leasing, licences, reservations
from billing.domain.account import Account, AccountRef
from billing.domain.covering import Cover, Destination, Tariff, longest_cover
from billing.domain.pooling import Lease
from billing.domain.reservations import Holds, Reservation
from fakes.reservations import InMemoryReservations


def _others_not_counted(patch: pytest.MonkeyPatch) -> None:
    def broken(
        account: Account,
        taken: Iterable[Cover],
        tariffs: tuple[Tariff, ...],
        destination: Destination,
        most: int,
        now: datetime,
    ) -> Cover:
        return longest_cover(account, (), tariffs, destination, most, now)

    patch.setattr(authorising, "longest_cover", broken)


def _never_expires(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reservation, "is_live", lambda *_arguments: True)
    patch.setattr(Lease, "is_live", lambda *_arguments: True)


def _holds_overwritten(patch: pytest.MonkeyPatch) -> None:
    def broken(self: InMemoryReservations, holds: Holds, _seen_version: int) -> None:
        self._holds[holds.account] = holds

    patch.setattr(InMemoryReservations, "save", broken)


def _ports_without_end(patch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        return

    patch.setattr(authorising, "require_port", broken)
    patch.setattr(leasing, "require_port", broken)


def _licences_without_end(patch: pytest.MonkeyPatch) -> None:
    assign = licences.assign

    def broken(kind: Any, quantity: int, *arguments: Any) -> Any:
        return assign(kind, quantity + 1, *arguments)

    patch.setattr("billing.domain.assigning.assign", broken)


def _tenant_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    account_of = reservations.account_of

    def broken(tenant_id: str, name: str) -> AccountRef | None:
        ref = account_of(tenant_id, name)
        is_of_acme = ref is not None and ref.account_id != "main"
        return AccountRef("acme" if is_of_acme else "globex", ref.account_id) if ref else None

    patch.setattr(reservations, "account_of", broken)


def _all_are_freed(patch: pytest.MonkeyPatch) -> None:
    """Whatever is released, or posted, frees everything of its account."""

    def broken(holds: Holds, names: Iterable[str], now: datetime) -> Holds:
        return holds.changed(now, reservations=()) if set(names) else holds

    patch.setattr(reservations, "release", broken)


def _covers_are_cut(patch: pytest.MonkeyPatch) -> None:
    """Who extends a call sets aside what is added, and forgets what was there."""
    placed = reservations.placed

    def broken(
        holds: Holds,
        reservation: Reservation,
        now: datetime,
        quantities: Mapping[str, int] | None = None,
    ) -> Holds:
        known = holds.find(reservation.reservation_id, now)
        return placed(holds, known or reservation, now, quantities)

    patch.setattr(authorising, "placed", broken)


FAULTS_OF_USE = [
    pytest.param(_others_not_counted, "are set aside for", id="other calls' money is counted on"),
    pytest.param(_never_expires, "was refused", id="what is set aside never expires"),
    pytest.param(_holds_overwritten, "overwritten|is gone", id="holds are saved unseen"),
    pytest.param(_ports_without_end, "are out", id="a pool has ports without end"),
    pytest.param(_licences_without_end, "has . (crm|qa)", id="one licence too many is assigned"),
    pytest.param(_tenant_not_looked_at, "could do something|is gone", id="holds of anybody's"),
    pytest.param(_all_are_freed, "is gone", id="one call frees all"),
    pytest.param(_covers_are_cut, "was cut to", id="an extension is not kept"),
]
