"""What one account holds for term after term: who may change it, and what each term is billed."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from billing.domain.change import Change
from billing.domain.documents import Invoice, Line, LineKind
from billing.domain.licences import Assignment
from billing.domain.orders import Order, OrderState
from billing.domain.periods import local_day
from billing.domain.selling import Interval
from billing.domain.subscription import Subscription, UnitCommitment, UnitItem
from simulation.catalog import CATALOG, Document
from simulation.document_checker import MILLION
from simulation.errors import require
from simulation.tenants import Site

BY_MEMBERS = {one["licence"] for one in CATALOG["licences"] if one.get("on_invite") == "add_unit"}
GB = 1024**3


class HoldingChecker:
    """Follows the subscription of one account from Change to Change.

    Args:
        document: The catalogue of a version.
        reaches: Versions with the day from which each reaches what exists, the newest first.
    """

    def __init__(
        self,
        site: Site,
        document: Callable[[int], Document],
        reaches: Callable[[], list[tuple[int, date]]],
    ) -> None:
        self.held: Subscription | None = None
        self._site = site
        self._document = document
        self._reaches = reaches
        self._revisions: dict[int, Subscription] = {}
        self._members: Counter[str] = Counter()

    def check(self, change: Change) -> None:
        """
        Raises:
            InvariantError: Something is held that nobody bought or billed, or is billed otherwise
                than it is held.
        """
        for record in change.records:
            if isinstance(record, Assignment):
                self._members[record.kind] += 1 if record.is_held else -1
        found = [one for one in change.records if isinstance(one, Subscription)]
        if not found:
            return
        require(len(found) == 1, f"{change.operation} has {found}")
        (after,) = found
        before, self.held = self.held, after
        if before is not None:
            is_ordered = any(
                isinstance(one, Order) and one.state is OrderState.DELIVERED
                for one in change.records
            )
            if before.billed_until != after.billed_until:
                self._check_billed(change, before, after)
            elif not is_ordered:
                _check_kept(before, after, self._agreed_at_once(change, after))
            self._check_term(change, before, after, is_ordered=is_ordered)
            self._check_storage(change, before, after)
        self._check_revision(after)
        self._check_units(after)

    def _check_revision(self, after: Subscription) -> None:
        """Whatever a quote depends on has changed with the revision, and only with it."""
        known = self._revisions.setdefault(after.revision, after)
        require(
            _quoted_on(known) == _quoted_on(after),
            f"revision {after.revision} of {after.account} is {known}, and is {after}",
        )

    def _agreed_at_once(self, change: Change, after: Subscription) -> dict[str, set[int]]:
        """What a contract may have added in this very Change, by kind: what is contracted, or where
        no contract is in force today, what the catalogue asks for."""
        named = change.operation.operation_id if change.operation else ""
        if "/contract/" not in named or after.contract is None:
            return {}
        plan = _named(self._document(after.catalog_version)["plans"], "plan", after.plan_id)
        agreed = {unit["licence"]: {unit.get("minimum", 0)} for unit in plan.get("units", ())}
        for kind, quantity in after.contract.minimums:
            agreed.setdefault(kind, set()).add(quantity)
        return agreed

    def _check_units(self, after: Subscription) -> None:
        """Nothing exists beyond what is paid for or included, and nobody has less than agreed."""
        plan = _named(self._document(after.catalog_version)["plans"], "plan", after.plan_id)
        sold = {unit["licence"]: unit for unit in plan.get("units", ())}
        for item in after.units:
            terms = sold.get(item.kind)
            if terms is None:
                continue
            least = max(terms.get("included", 0), terms.get("minimum", 0))
            there = max(item.quantity, least)
            require(item.created <= there, f"{after.account} has {item}, and paid for {there}")
        for kind in BY_MEMBERS:
            created, members = after.unit(kind).created, self._members[kind]
            require(created == members, f"{after.account} counts {created}, not {members} {kind}")
        for one in after.packages:
            require(one.quantity >= one.created, f"{after.account} was given {one}")

    # What a period is billed

    def _check_billed(self, change: Change, before: Subscription, after: Subscription) -> None:
        """Periods are billed one after the other, each once; a term that begins, whole."""
        require(
            before.billed_until < after.billed_until,
            f"{after.account} is billed until {after.billed_until} again",
        )
        invoices = [one for one in change.records if isinstance(one, Invoice)]
        lines = [line for invoice in invoices for line in invoice.lines]
        named = change.operation.operation_id if change.operation else ""
        require("/bill/" in named, f"{named} bills {after.account}")
        expected = [*before.pending]
        if before.billed_until == before.term.end_at:
            expected += self._renewal(before, after)
        elif before.billed_until == before.term.start_at and before.contract is not None:
            # What was agreed on before the account's first bill is billed for the days of its term.
            lines = [one for one in lines if one.kind is not LineKind.UNITS]
        said, due = Counter(map(_billed_as, lines)), Counter(map(_billed_as, expected))
        if after.pending == before.pending and before.pending:
            require(not lines, f"{after.account}: {lines}, while {before.pending} wait")
            return
        require(said == due, f"{after.account} is billed {said - due}, and not {due - said}")

    def _renewal(self, before: Subscription, after: Subscription) -> list[Line]:
        """What the new term costs, by the document it is sold under."""
        self._check_version(before, after)
        document = self._document(after.catalog_version)
        plan = _named(document["plans"], "plan", after.plan_id)
        contract, day = before.contract, local_day(before.term.end_at, self._site.time_zone)
        is_in_force = contract is not None and contract.starts_on <= day < contract.ends_on
        agreed = dict(contract.minimums) if contract is not None and is_in_force else {}
        priced = [(LineKind.PLAN, after.plan_id, 1, plan)]
        for unit in plan.get("units", ()):
            item = before.unit(unit["licence"])
            left = _left(item)
            if (
                contract is not None
                and is_in_force
                and contract.unit_commitment is UnitCommitment.CONTRACT
            ):
                left = max(item.created, item.quantity)
            least = agreed.get(unit["licence"], unit.get("minimum", 0))
            count = max(left, least) - unit.get("included", 0)
            priced.append((LineKind.UNITS, unit["licence"], count, unit))
        for item in before.packages:
            package = _find(document["packages"], "package", item.kind)
            if package is not None:
                priced.append((LineKind.PACKAGE, item.kind, _left(item), package))
        return [
            Line(kind, what, "", count, micros, micros * count)
            for kind, what, count, sold in priced
            if count > 0 and (micros := self._micros(sold, after.interval))
        ]

    def _micros(self, sold: Document, interval: Interval) -> int:
        prices = sold.get("price", {})
        currency = self._site.currency
        if interval is Interval.YEAR and "year" in prices:
            return int(Decimal(prices["year"][currency]) * MILLION)
        month = int(Decimal(prices.get("month", {}).get(currency, 0)) * MILLION)
        return month * (12 if interval is Interval.YEAR else 1)

    def _check_version(self, before: Subscription, after: Subscription) -> None:
        """A plan that was scheduled, as it was then; else the newest catalogue that reaches it."""
        if before.next_plan is not None:
            wanted = before.next_plan
            due = (wanted.plan_id, wanted.interval, wanted.catalog_version)
            now = (after.plan_id, after.interval, after.catalog_version)
            require(now == due, f"{after.account} goes on as {now}, not as {due}")
            return
        due_plan, now_plan = (before.plan_id, before.interval), (after.plan_id, after.interval)
        require(due_plan == now_plan, f"{after.account} goes on as {now_plan}, not {due_plan}")
        day = local_day(before.term.end_at, self._site.time_zone)
        newest = next((number for number, since in self._reaches() if since <= day), 0)
        version = max(newest, before.catalog_version)
        sold = {one["package"] for one in self._document(version)["packages"]}
        held = {item.kind for item in before.packages if _left(item)}
        if held - sold:
            version = before.catalog_version
        require(
            after.catalog_version == version,
            f"{after.account} goes on under {after.catalog_version}, not {version}",
        )

    def _check_term(
        self, change: Change, before: Subscription, after: Subscription, *, is_ordered: bool
    ) -> None:
        """Terms tile time; months become a year in the period that runs."""
        if before.term == after.term:
            return
        if is_ordered:
            period = change.after.period
            is_year = (before.interval, after.interval) == (Interval.MONTH, Interval.YEAR)
            require(is_year, f"an order has made {after.term} of {before.term}")
            require(after.term.start_at == period.start_at, f"{after.term} begins before {period}")
            require(after.term.end_at > period.end_at, f"{after.term} is no year")
            return
        require(
            after.term.start_at == before.term.end_at == before.billed_until,
            f"{after.account}: {after.term} follows {before.term}",
        )
        days = (after.term.end_at - after.term.start_at).days
        bounds = (364, 367) if after.interval is Interval.YEAR else (27, 32)
        require(bounds[0] <= days <= bounds[1], f"{after.term} is no {after.interval}")

    # Storage

    def _check_storage(self, change: Change, before: Subscription, after: Subscription) -> None:
        """A started gigabyte above the limit falls due once in a period, on the next invoice."""
        waited = len(before.pending)
        if before.billed_until != after.billed_until:
            require(not after.pending or after.pending == before.pending, "a bill adds nothing")
            return
        require(after.pending[:waited] == before.pending, f"{after.account}: what waits is lost")
        added = [one for one in after.pending[waited:] if one.kind is LineKind.STORAGE]
        charged = sum(one.quantity for one in added)
        was, now = before.storage, after.storage
        if was.period_end_at == now.period_end_at:
            extended = now.extended_gb - was.extended_gb
            require(charged == extended, f"{after.account} pays {charged} GB of {extended}")
        else:
            least = now.extended_gb - was.extended_gb
            require(charged >= least, f"{after.account} has {least} GB more for {charged}")
        require(charged <= now.extended_gb, f"{after.account} pays {charged} GB of {now}")
        limit = 250 * 1024**2 + now.extended_gb * GB
        if charged:
            require(now.used_bytes > limit - GB, f"{after.account} pays {charged} GB for {now}")


def _check_kept(before: Subscription, after: Subscription, agreed: dict[str, set[int]]) -> None:
    """Without an order or a bill nothing is bought: members come and go, and what was scheduled
    may be taken back."""
    fixed = ("plan_id", "catalog_version", "interval", "term")
    for name in fixed:
        was, now = getattr(before, name), getattr(after, name)
        require(was == now, f"{name} of {after.account} was {was}, and is {now}")
    if after.next_plan is not None:
        require(after.next_plan == before.next_plan, f"nobody has ordered {after.next_plan}")
    for kept in before.packages:
        now_kept = replace(after.package(kept.kind), next_created=kept.next_created)
        require(now_kept == kept, f"{after.account} had {kept}, and nobody has ordered {now_kept}")
    for item in after.units:
        was_held = before.unit(item.kind)
        if item.kind not in BY_MEMBERS:
            quantities = {was_held.quantity} | agreed.get(item.kind, set())
            same = item.created == was_held.created and item.quantity in quantities
            require(same, f"{after.account} had {was_held}, and nobody has ordered {item}")


def _quoted_on(one: Subscription) -> tuple[object, ...]:
    """What a quote is computed from."""
    return (
        one.plan_id,
        one.catalog_version,
        one.interval,
        one.term,
        one.units,
        one.packages,
        one.contract,
        one.next_plan,
    )


def _billed_as(line: Line) -> tuple[object, ...]:
    return (line.kind, line.what, line.quantity, line.unit_price_micros, line.amount_micros)


def _left(item: UnitItem) -> int:
    return item.created if item.next_created is None else item.next_created


def _named(listed: list[Document], key: str, name: str) -> Document:
    found = _find(listed, key, name)
    require(found is not None, f"there is no {key} {name}")
    assert found is not None
    return found


def _find(listed: list[Document], key: str, name: str) -> dict[str, Any] | None:
    return next((one for one in listed if one[key] == name), None)
