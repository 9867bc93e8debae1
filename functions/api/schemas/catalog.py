"""The catalogue: one document, validated as a whole."""

from typing import Annotated

from pydantic import Field

from api.schemas.base import Id, Name, Schema
from billing.domain.catalog import Catalog, Plan, make_catalog
from billing.domain.grants import RecurringGrant
from billing.domain.units import Unit
from billing.ports import StoredCatalog

MAX_QUANTITY = 10**12


class GrantIn(Schema):
    """What a plan grants at the start of each period."""

    grant: Id
    unit: Unit
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    rollover_limit: Annotated[int, Field(ge=0, le=MAX_QUANTITY)] = 0


class PlanIn(Schema):
    plan: Id
    name: Name
    grants: Annotated[list[GrantIn], Field(max_length=20)] = []


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
                    RecurringGrant(
                        recurring_id=grant.grant,
                        unit=grant.unit,
                        quantity=grant.quantity,
                        priority=grant.priority,
                        rollover_limit=grant.rollover_limit,
                    )
                    for grant in plan.grants
                ),
            )
            for plan in self.plans
        )
        return make_catalog(self.terms_version, tuple(plans))


class CatalogOut(Schema):
    version: int
    terms_version: str
    plans: list[PlanIn]

    @staticmethod
    def of(stored: StoredCatalog) -> "CatalogOut":
        plans = [
            PlanIn(
                plan=plan.plan_id,
                name=plan.name,
                grants=[
                    GrantIn(
                        grant=grant.recurring_id,
                        unit=grant.unit,
                        quantity=grant.quantity,
                        priority=grant.priority,
                        rollover_limit=grant.rollover_limit,
                    )
                    for grant in plan.recurring_grants
                ],
            )
            for plan in stored.catalog.plans.values()
        ]
        return CatalogOut(
            version=stored.version, terms_version=stored.catalog.terms_version, plans=plans
        )
