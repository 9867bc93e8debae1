"""Replays what was told to the model, and compares where it stands with where the book stands."""

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Protocol

from billing.domain.account import AccountRef
from billing.domain.catalog import Catalog
from billing.domain.change import Change
from simulation.beginning import catalog_from
from simulation.catalog import later_version
from simulation.errors import require
from simulation.model.facts import Fact, InvoiceLine, Lot, Published, Standing
from simulation.recorder import Recorder, at_of
from simulation.standings import lot_order
from simulation.tenants import SITES, Site
from simulation.world import World

LATE_USAGE = timedelta(hours=72)
"""How long a lot that has expired may still be burned; whether one is kept for longer is nobody's
concern (docs/ledger.md)."""


class Model(Protocol):
    """What is told one account's facts, one after the other."""

    def apply(self, fact: Fact) -> Standing: ...


class Replay:
    """One model for each account; every Change is told to its account's, and compared."""

    def __init__(self, world: World, model_of: Callable[[Site], Model]) -> None:
        self.compared = 0
        self._world = world
        self._recorder = Recorder(self._catalog, self._members_of)
        self._models: dict[AccountRef, Model] = {site.ref: model_of(site) for site in SITES}
        self._standings: dict[AccountRef, Standing] = {}
        self._latest: dict[AccountRef, datetime] = {}
        self._read = 0
        self._published = 1

    def check(self) -> None:
        """Tell everything that has been committed since the last look.

        Raises:
            InvariantError: The model stands somewhere else than the book.
        """
        self._tell_published()
        written = self._world.book.written
        while self._read < len(written):
            change = written[self._read]
            self._read += 1
            self._compare(change)

    def _compare(self, change: Change) -> None:
        ref = change.after.ref
        told, stands = self._recorder.record(change)
        # A worker's clock may be behind what others have told of the account.
        now = max([self._latest.get(ref, at_of(change)), at_of(change), *(one.at for one in told)])
        self._latest[ref] = now
        standings = [self._models[ref].apply(fact) for fact in told]
        raised = tuple(invoice for one in standings for invoice in one.invoices)
        # Where nothing was told, everything is as it was.
        last = standings[-1] if standings else self._standings[ref]
        modelled = self._standings[ref] = replace(last, invoices=raised)
        self.compared += len(told)
        ours, theirs = _comparable(modelled, now), _comparable(stands, now)
        if ours != theirs:
            different = _differences(ours, theirs)
            require(False, f"the model of {ref} differs after {told}", *different)

    def _tell_published(self) -> None:
        """Later versions of the catalogue concern every account."""
        known = self._world.catalogs.current().version
        while self._published < known:
            self._published += 1
            catalog = self._catalog(self._published)
            document = later_version(self._published, catalog.existing_from)
            read = replace(catalog_from(document), saved_at=catalog.saved_at)
            require(read == catalog, f"version {self._published} is not what was put")
            fact = Published(self._world.clock.true_now, self._published, document)
            for ref, model in self._models.items():
                self._standings[ref] = model.apply(fact)

    def _catalog(self, version: int) -> Catalog:
        return self._world.catalogs.version(version).catalog

    def _members_of(self, change: Change) -> int:
        assert change.operation is not None, "a gauge is an operation"
        return self._world.book.active_members[change.operation.operation_id]


def _comparable(standing: Standing, now: datetime) -> Standing:
    """Without what has no order and no meaning."""
    lots = [one for one in standing.lots if _matters(one, now)]
    return replace(
        standing,
        lots=tuple(sorted(lots, key=lot_order)),
        invoices=tuple(_netted(one) for one in standing.invoices),
    )


def _netted(lines: Iterable[InvoiceLine]) -> tuple[InvoiceLine, ...]:
    """What an invoice charges for each thing and its days, however many lines say so."""
    sums: dict[tuple[str, str, str], InvoiceLine] = {}
    for line in lines:
        name = (line.kind, line.what, f"{line.starts_on} {line.ends_on}")
        quantity = -line.quantity if line.amount_micros < 0 else line.quantity
        so_far = sums.get(name, replace(line, quantity=0, amount_micros=0, tax_micros=0))
        sums[name] = replace(
            so_far,
            quantity=so_far.quantity + quantity,
            amount_micros=so_far.amount_micros + line.amount_micros,
            tax_micros=so_far.tax_micros + line.tax_micros,
        )
    return tuple(sums[name] for name in sorted(sums))


def _matters(lot: Lot, now: datetime) -> bool:
    return lot.expires_at is None or now < lot.expires_at + LATE_USAGE


def _differences(ours: Standing, theirs: Standing) -> list[str]:
    names = [one.name for one in fields(ours)]
    pairs = [(name, getattr(ours, name), getattr(theirs, name)) for name in names]
    return [
        f"{name}: {our} in the model, {their} in the book"
        for name, our, their in pairs
        if our != their
    ]
