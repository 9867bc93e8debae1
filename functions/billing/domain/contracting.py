"""Contracts: what the operator and a tenant have agreed on beyond the catalogue.

Source of the rules: docs/billing.md, "Contracts".
"""

from dataclasses import replace
from datetime import date, datetime

from billing.domain.account import Account
from billing.domain.audit import By
from billing.domain.canonical import Json, digest
from billing.domain.catalog import Plan
from billing.domain.catalog_versions import CatalogVersion, plan_of
from billing.domain.change import Change
from billing.domain.collecting_steps import effect_change, step
from billing.domain.documents import DocumentNumbers, Line
from billing.domain.effects import Effect
from billing.domain.errors import InvalidInputError
from billing.domain.invoicing import raised
from billing.domain.ordering import subscription_changed
from billing.domain.periods import local_day
from billing.domain.subscription import Contract, Subscription
from billing.domain.term_lines import Held, change_lines
from billing.domain.unit_counts import available, contracted, settled

MOST_UNITS = 100_000
"""Units of one kind that a contract may ask for."""

MOST_YEARS = 20
"""A contract that is longer is a slip of the pen."""


def validate_contract(contract: Contract, plan: Plan) -> None:
    """
    Raises:
        InvalidInputError: It ends before it begins, or not for a generation; a minimum is of a kind
            that the plan does not sell, or out of bounds. Names the field.
    """
    if contract.ends_on <= contract.starts_on:
        raise InvalidInputError("a contract ends after it has begun", field="ends_on")
    if contract.ends_on.year - contract.starts_on.year > MOST_YEARS:
        raise InvalidInputError(f"a contract lasts {MOST_YEARS} years at most", field="ends_on")
    for kind, units in contract.minimums:
        if plan.unit(kind) is None:
            raise InvalidInputError(
                f"plan {plan.plan_id} does not sell this kind", field=f"minimums/{kind}"
            )
        if not 0 <= units <= MOST_UNITS:
            raise InvalidInputError(f"a minimum is 0 to {MOST_UNITS:,}", field=f"minimums/{kind}")


def contract_etag(contract: Contract | None) -> str:
    """The contract's entity tag: equal contracts, equal tag, whatever else has moved."""
    return digest(contract_json(contract))[:16]


def contract_json(contract: Contract | None) -> dict[str, Json]:
    """A contract as audit records keep it; empty: there is none."""
    if contract is None:
        return {}
    return {
        "starts_on": contract.starts_on.isoformat(),
        "ends_on": contract.ends_on.isoformat(),
        "minimums": dict(sorted(contract.minimums)),
        "unit_commitment": contract.unit_commitment.value,
    }


def contracted_to(
    account: Account,
    subscription: Subscription,
    numbers: DocumentNumbers,
    contract: Contract,
    sold: CatalogVersion,
    by: By,
    now: datetime,
    *,
    is_at_once: bool,
) -> Change:
    """Put a contract in the place of the one before.

    What is held in this term stays as it was paid for: a minimum counts from the next term on,
    unless it shall count at once. Then what is missing is added, and charged for the days left on
    an invoice of its own.

    Args:
        sold: What the subscription is under.
        is_at_once: Only what is in force today can be; of what is not, nothing is missing yet.

    Raises:
        InvalidInputError: See ``validate_contract``.
    """
    plan = plan_of(sold.catalog, subscription.plan_id)
    validate_contract(contract, plan)
    before = settled(subscription, plan)
    after = replace(before, contract=contract).revised()
    lines: tuple[Line, ...] = ()
    if is_at_once:
        today = local_day(now, account.time_zone)
        after = _with_minimums(after, plan, today)
        # Kinds are compared as they are available: the catalogue's minimum is no news.
        held = replace(before, contract=contract)
        lines = change_lines(account, Held(held, sold), Held(after, sold), now)
    # The version makes it this change and no other: setting A, B and A again is three.
    operation = step(
        account, f"contract/v{account.version}", [contract_json(contract), is_at_once], now
    )
    audit = by.audit(
        account.ref,
        operation.operation_id,
        "contract.set",
        before=contract_json(subscription.contract),
        after={**contract_json(contract), "now": is_at_once},
        at=now,
    )
    told = subscription_changed(after, "", operation.operation_id, now)
    effect = Effect(account, records=(after,), events=(told,))
    if lines:
        effect = effect.then(raised(account, after, numbers, lines, operation.operation_id, now))
    return effect_change(
        account, replace(effect, records=(*effect.records, audit)), operation=operation, now=now
    )


def _with_minimums(subscription: Subscription, plan: Plan, day: date) -> Subscription:
    for unit in plan.units:
        item = subscription.unit(unit.kind)
        there = available(subscription, unit.kind, plan)
        least = contracted(subscription, unit.kind, plan, day)
        if least > there:
            subscription = subscription.with_unit(replace(item, quantity=least))
    return subscription
