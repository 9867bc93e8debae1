"""What must hold of the whole world, after every operation and at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple

from billing.adapters.gateways.sandbox import SandboxCharge
from billing.domain.account import AccountRef
from billing.domain.canonical import Json
from billing.domain.ledger import EntryKind, LedgerEntry
from billing.domain.money import minor_unit_micros
from billing.domain.recharge import WAITING, due
from billing.domain.records import Recharge, RechargeState
from billing.domain.usage import CallKey
from simulation.account_checker import EVERYTHING, AccountChecker
from simulation.bus import Outbox
from simulation.buying_checker import BuyingChecker
from simulation.catalog import CATALOG
from simulation.errors import require
from simulation.holds_checker import HoldsChecker
from simulation.model import Model
from simulation.paying_checker import PayingChecker
from simulation.people import Wish
from simulation.replay import Replay
from simulation.reports import Content, Report
from simulation.tenants import SITES, TENANT_OF, Site
from simulation.world import World

REASONS = {
    "account_not_mapped",
    "conflicting_report",
    "destination_not_rated",
    "invalid_usage",
    "no_rate_deck",
}
"""Why usage may wait for a person."""


class Checker:
    """Checks the whole world; the payment gateway's own book is the other side of the ledger."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._accounts = [AccountChecker(site, world) for site in SITES]
        self._billed: dict[tuple[str, CallKey], AccountRef] = {}
        self._credits: dict[str, tuple[AccountRef, LedgerEntry]] = {}
        self._compared = (0, 0)
        self._buying = BuyingChecker(world)
        self._paying = PayingChecker(world)
        self.holds = HoldsChecker(world)
        self.replay = Replay(world, lambda site: Model(CATALOG, site.tariff))

    def check_step(self) -> None:
        """
        Raises:
            InvariantError: Something does not hold.
        """
        require(not self._world.surprises, *self._world.surprises)
        for site, checker in zip(SITES, self._accounts, strict=True):
            for entry in checker.check():
                self._note(site.ref, entry)
        self._buying.check()
        self._paying.check()
        self.holds.check()
        self._compare_with_gateway()
        self.replay.check()

    def check_end(
        self,
        reports: Sequence[Report],
        wishes: Sequence[Wish],
        answers: Mapping[str, Json],
        outbox: Outbox,
    ) -> None:
        """What must hold once everything has come to rest."""
        self._compare_with_gateway(at_rest=True)
        for checker in self._accounts:
            checker.check_end()
        self._buying.check_end()
        self._paying.check_end(outbox)
        self._check_recharges()
        self._check_reports(reports)
        for wish in wishes:
            self._check_wish(wish, answers[wish.key])

    def is_at_rest(self, site: Site) -> bool:
        """Nothing is open, wanted, or overdue."""
        account, now = self._world.book.account(site.ref), self._world.clock.true_now
        wanted = due(account, now)
        return (
            not account.recharging.opened
            and (wanted is None or wanted.reason in WAITING)
            and account.period.end_at > now
            and self._buying.is_at_rest()
        )

    def _note(self, ref: AccountRef, entry: LedgerEntry) -> None:
        for key in entry.usage.calls:
            before = self._billed.setdefault((ref.tenant_id, key), ref)
            require(before is ref, f"{key} is billed to {before} and to {ref}")
        if entry.kind is EntryKind.RECHARGE:
            account_id, _, gateway, payment_id = entry.cause.split("/")
            require((account_id, gateway) == (ref.account_id, "sandbox"), f"whose is {entry}?")
            require(payment_id not in self._credits, f"payment {payment_id} is credited twice")
            self._credits[payment_id] = (ref, entry)

    def _compare_with_gateway(self, *, at_rest: bool = False) -> None:
        captured = self._world.gateway.captured()
        compared = (len(captured), len(self._credits))
        if compared == self._compared and not at_rest:
            return
        self._compared = compared
        charges: dict[str, SandboxCharge] = {}
        sagas: set[tuple[str, str, str]] = set()
        for charge in captured:
            saga = saga_of(charge)
            require(saga not in sagas, f"recharge {saga} was charged twice")
            sagas.add(saga)
            charges[charge.payment_id] = charge
        for payment_id, (ref, entry) in self._credits.items():
            require(payment_id in charges, f"{entry} credits what was never charged")
            charge = charges[payment_id]
            require(
                saga_of(charge)[:2] == (ref.tenant_id, ref.account_id),
                f"{charge} was credited to {ref}",
            )
            paid = charge.amount_minor * minor_unit_micros(charge.currency)
            require(
                (paid, charge.currency) == (entry.amount_micros, entry.currency),
                f"{charge} was credited as {entry}",
            )
        credited = {payment.payment_id for payment in self._world.book.payments()}
        expected = set(self._credits)
        require(credited == expected, f"payments differ: {credited ^ expected}")
        if at_rest:
            missing = [charge for name, charge in charges.items() if name not in self._credits]
            require(not missing, f"charged and never credited: {missing}")

    def _check_recharges(self) -> None:
        """Every recharge has an outcome: the attempt the gateway captured, or none of them."""
        paid = {saga_of(charge): charge for charge in self._world.gateway.captured()}
        for site in SITES:
            account = self._world.book.account(site.ref)
            recharges = self._world.book.recharges(site.ref, None, EVERYTHING)
            ordinals = [recharge.ordinal for recharge in recharges]
            expected = list(range(account.recharging.ordinal, 0, -1))
            require(ordinals == expected, f"{site.ref} has recharges {ordinals}")
            for recharge in recharges:
                saga = (site.ref.tenant_id, site.ref.account_id, str(recharge.ordinal))
                charge = paid.get(saga)
                state = RechargeState.SUCCEEDED if charge else RechargeState.FAILED
                require(recharge.state is state, f"{recharge} should be {state}")
                self._check_attempts(recharge, charge)

    def _check_attempts(self, recharge: Recharge, charge: SandboxCharge | None) -> None:
        attempts = recharge.attempts
        numbers = [attempt.number for attempt in attempts]
        require(numbers == list(range(1, len(numbers) + 1)), f"{recharge} counts {numbers}")
        sources = [attempt.source_id for attempt in attempts]
        require(len(set(sources)) == len(sources), f"{recharge} asked a source twice")
        *given_up, last = attempts
        refused = all(attempt.state is RechargeState.FAILED for attempt in given_up)
        require(refused, f"{recharge} asked the next source without a decline")
        if charge is not None:
            said = (last.payment_id, str(last.number))
            captured = (charge.payment_id, charge.metadata["attempt"])
            require(said == captured, f"{recharge} was captured as {charge}")

    def _check_reports(self, reports: Sequence[Report]) -> None:
        """Every report is in the book as it was told, or waits for a person with a reason."""
        parked: dict[tuple[object, ...], list[str]] = {}
        for waiting in self._world.quarantine.parked(None, EVERYTHING):
            require(waiting.reason in REASONS, f"parked for {waiting.reason}")
            event = waiting.event
            content = (event["unit"], event["direction"], event["to"], event["quantity"])
            name = (event["provider_account"], event["call_id"], *content)
            parked.setdefault((TENANT_OF[waiting.connection_id], *name), []).append(waiting.reason)
        for report in reports:
            call = self._world.book.calls(report.tenant_id, [report.key]).get(report.key)
            name = (report.subaccount, report.call_id, *astuple(report.content))
            reasons = parked.get((report.tenant_id, *name), [])
            is_recorded = report.content in self._contents(report)
            require(is_recorded or bool(reasons), f"{report} is neither recorded nor parked")
            if call is not None:
                require((report.tenant_id, report.key) in self._billed, f"{call} is in no entry")

    def _contents(self, report: Report) -> set[Content]:
        """The call as it was posted, and as it was corrected since: each is what it may say."""
        book, tenant_id = self._world.book, report.tenant_id
        current = book.current_calls(tenant_id, [report.key]).get(report.key)
        revisions = range(current.revision + 1) if current else ()
        known = book.call_revisions(tenant_id, [(report.key, number) for number in revisions])
        return {Content.of(call.event) for call in known.values()}

    def _check_wish(self, wish: Wish, answer: Json) -> None:
        assert isinstance(answer, Mapping), answer
        ordinal = answer["recharge"]
        assert isinstance(ordinal, int)
        recharge = self._world.book.recharge(wish.site.ref, ordinal)
        require(recharge.reason == "requested", f"{wish} was answered with {recharge}")
        require(recharge.amount_micros == wish.amount_micros, f"{wish} got {recharge}")
        require(answer["state"] == recharge.state, f"{wish} was told {answer}, not {recharge}")
        audited = self._world.book.audit_records(wish.site.ref)
        records = [record for record in audited if record.operation_id == wish.operation_id]
        require(len(records) == 1, f"{wish} has {len(records)} audit records")


def saga_of(charge: SandboxCharge) -> tuple[str, str, str]:
    """Which recharge it was for, as its metadata says."""
    said = charge.metadata
    return (said["tenant"], said["account"], said["recharge"])
