"""The catalogue: one document, validated as a whole."""

from typing import Annotated, Any

from pydantic import Field

from api.problems import under
from api.schemas.base import Id, Name, Schema, UnitName
from billing.domain.account import PlanFeatures
from billing.domain.catalog import Catalog, Plan, make_catalog
from billing.domain.grants import MAX_SCOPE_PREFIXES, RecurringGrant, Scope
from billing.domain.units import Direction
from billing.ports import StoredCatalog

MAX_QUANTITY = 10**12

Prefix = Annotated[str, Field(min_length=1, max_length=32)]


class ScopeIn(Schema):
    """The usage a grant is limited to: a direction, prefixes of the called number, or both.

    A prefix has digits and no plus sign, as in a rate deck; ``short:`` stands before short codes.
    """

    direction: Direction | None = None
    prefixes: Annotated[list[Prefix], Field(max_length=MAX_SCOPE_PREFIXES)] = []

    @staticmethod
    def of(scope: Scope) -> "ScopeIn":
        return ScopeIn(direction=scope.direction, prefixes=list(scope.prefixes))


class GrantIn(Schema):
    """What a plan grants at the start of each period, shared by all numbers of the account.

    One that is ``unlimited`` has no quantity, and carries nothing over.
    """

    grant: Id
    unit: UnitName
    quantity: Annotated[int, Field(ge=0, le=MAX_QUANTITY)] = 0
    unlimited: bool = False
    scope: ScopeIn | None = None
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    rollover_limit: Annotated[int, Field(ge=0, le=MAX_QUANTITY)] = 0


class FeaturesIn(Schema):
    """What a plan allows. Without ``concurrent_calls`` it sets no limit to calls at once.

    ``queue_priority`` is answered to whoever authorises a call; higher goes first.
    """

    concurrent_calls: Annotated[int, Field(ge=1, le=100_000)] | None = None
    queue_priority: Annotated[int, Field(ge=0, le=100)] = 0


class PlanIn(Schema):
    plan: Id
    name: Name
    grants: Annotated[list[GrantIn], Field(max_length=20)] = []
    features: FeaturesIn = FeaturesIn()


class CatalogIn(Schema):
    """Everything that is sold, and the terms it is sold under."""

    terms_version: Annotated[Name, Field(max_length=64)]
    plans: Annotated[list[PlanIn], Field(min_length=1, max_length=200)]

    def to_catalog(self) -> Catalog:
        plans = (
            Plan(
                plan.plan,
                plan.name,
                tuple(
                    _grant(grant, f"plans/{index}/grants/{place}")
                    for place, grant in enumerate(plan.grants)
                ),
                PlanFeatures(plan.features.concurrent_calls, plan.features.queue_priority),
            )
            for index, plan in enumerate(self.plans)
        )
        return make_catalog(self.terms_version, tuple(plans))


def _grant(given: GrantIn, pointer: str) -> RecurringGrant:
    with under(pointer, _GRANT_FIELDS):
        scope = given.scope
        return RecurringGrant(
            recurring_id=given.grant,
            unit=given.unit,
            quantity=given.quantity,
            priority=given.priority,
            rollover_limit=given.rollover_limit,
            scope=Scope(scope.direction, tuple(scope.prefixes)) if scope else None,
            unlimited=given.unlimited,
        )


_GRANT_FIELDS = frozenset({"quantity", "rollover_limit", "scope/prefixes", "unlimited"})


def _grant_out(grant: RecurringGrant) -> GrantIn:
    """Without what most grants do not have."""
    shown: dict[str, Any] = {
        "grant": grant.recurring_id,
        "unit": grant.unit,
        "quantity": grant.quantity,
        "priority": grant.priority,
        "rollover_limit": grant.rollover_limit,
    }
    if grant.unlimited:
        shown["unlimited"] = True
    if grant.scope is not None:
        shown["scope"] = ScopeIn.of(grant.scope)
    return GrantIn.model_validate(shown)


def _plan_out(plan: Plan) -> PlanIn:
    """Without features where it has none but what every plan has."""
    shown: dict[str, Any] = {
        "plan": plan.plan_id,
        "name": plan.name,
        "grants": [_grant_out(grant) for grant in plan.recurring_grants],
    }
    if plan.features != PlanFeatures():
        shown["features"] = FeaturesIn(
            concurrent_calls=plan.features.concurrent_calls,
            queue_priority=plan.features.queue_priority,
        )
    return PlanIn.model_validate(shown)


class CatalogOut(Schema):
    version: int
    terms_version: str
    plans: list[PlanIn]

    @staticmethod
    def of(stored: StoredCatalog) -> "CatalogOut":
        plans = [_plan_out(plan) for plan in stored.catalog.plans.values()]
        return CatalogOut(
            version=stored.version, terms_version=stored.catalog.terms_version, plans=plans
        )
