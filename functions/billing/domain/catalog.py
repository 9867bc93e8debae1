"""The catalogue: one versioned document of what the operator sells."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from billing.domain.account import PlanFeatures, PlanTerms, require_id
from billing.domain.canonical import Json
from billing.domain.errors import InvalidInputError, NotFoundError
from billing.domain.grants import RecurringGrant, Scope
from billing.domain.units import Direction, Unit


@dataclass(frozen=True, slots=True)
class Plan:
    """What a tenant holds: a name, what it grants each period, and what it allows."""

    plan_id: str
    name: str
    recurring_grants: tuple[RecurringGrant, ...] = ()
    features: PlanFeatures = field(default_factory=PlanFeatures)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that can be sold, and the terms it is sold under.

    Args:
        terms_version: What an acceptance must name.
        plans: By id.
    """

    terms_version: str
    plans: Mapping[str, Plan]

    def terms_of(self, plan_id: str, catalog_version: int) -> PlanTerms:
        """What an account keeps of the plan it is sold.

        Raises:
            NotFoundError: The catalogue has no such plan.
        """
        plan = self.plans.get(plan_id)
        if plan is None:
            raise NotFoundError(f"the catalogue has no plan {plan_id!r}", field="plan")
        return PlanTerms(plan.plan_id, catalog_version, plan.recurring_grants, plan.features)

    def to_json(self) -> dict[str, Json]:
        """The document as it is stored and shown."""
        return {
            "terms_version": self.terms_version,
            "plans": [
                {
                    "plan": plan.plan_id,
                    "name": plan.name,
                    "grants": [
                        {
                            "grant": grant.recurring_id,
                            "unit": grant.unit,
                            "quantity": grant.quantity,
                            "priority": grant.priority,
                            "rollover_limit": grant.rollover_limit,
                            **_limits(grant),
                        }
                        for grant in plan.recurring_grants
                    ],
                    **_allowed(plan.features),
                }
                for plan in self.plans.values()
            ],
        }


def make_catalog(terms_version: str, plans: tuple[Plan, ...]) -> Catalog:
    """Validate a catalogue as a whole.

    Raises:
        InvalidInputError: Names the field: a plan or grant twice, or an id that cannot be a key.
    """
    if not 1 <= len(terms_version) <= 64:
        raise InvalidInputError("terms_version is 1 to 64 characters", field="terms_version")
    by_id: dict[str, Plan] = {}
    for index, plan in enumerate(plans):
        require_id(plan.plan_id, f"plans/{index}/plan")
        if plan.plan_id in by_id:
            raise InvalidInputError(
                f"plan {plan.plan_id!r} is there twice", field=f"plans/{index}/plan"
            )
        names = [grant.recurring_id for grant in plan.recurring_grants]
        for place, name in enumerate(names):
            require_id(name, f"plans/{index}/grants/{place}/grant")
        if len(set(names)) != len(names):
            raise InvalidInputError(
                f"plan {plan.plan_id!r} names a grant twice", field=f"plans/{index}/grants"
            )
        by_id[plan.plan_id] = plan
    if not by_id:
        raise InvalidInputError("a catalogue has at least one plan", field="plans")
    return Catalog(terms_version, by_id)


def catalog_from_json(value: Mapping[str, Json]) -> Catalog:
    """Read back what ``to_json`` wrote. The document was validated when it was stored."""
    plans = value["plans"]
    assert isinstance(plans, list)
    return make_catalog(str(value["terms_version"]), tuple(_plan(plan) for plan in plans))


def _limits(grant: RecurringGrant) -> dict[str, Json]:
    """What most grants do not have; their stored form stays as it was before there was such."""
    limits: dict[str, Json] = {"unlimited": True} if grant.unlimited else {}
    if grant.scope:
        limits["scope"] = {
            "direction": grant.scope.direction,
            "prefixes": list(grant.scope.prefixes),
        }
    return limits


def _allowed(features: PlanFeatures) -> dict[str, Json]:
    """The same for what a plan allows."""
    if features == PlanFeatures():
        return {}
    return {
        "features": {
            "concurrent_calls": features.concurrent_calls,
            "queue_priority": features.queue_priority,
        }
    }


def _features(value: Json) -> PlanFeatures:
    assert isinstance(value, Mapping)
    limit, priority = value["concurrent_calls"], value["queue_priority"]
    assert isinstance(limit, int | None)
    assert isinstance(priority, int)
    return PlanFeatures(limit, priority)


def _scope(value: Mapping[str, Json]) -> Scope:
    direction, prefixes = value["direction"], value["prefixes"]
    assert isinstance(prefixes, list)
    return Scope(
        Direction(str(direction)) if direction is not None else None, tuple(map(str, prefixes))
    )


def _plan(value: Mapping[str, Json]) -> Plan:
    grants = value["grants"]
    assert isinstance(grants, list)
    return Plan(
        str(value["plan"]),
        str(value["name"]),
        tuple(
            RecurringGrant(
                recurring_id=str(grant["grant"]),
                unit=Unit(str(grant["unit"])),
                quantity=int(grant["quantity"]),
                priority=int(grant["priority"]),
                rollover_limit=int(grant["rollover_limit"]),
                scope=_scope(grant["scope"]) if "scope" in grant else None,
                unlimited=bool(grant.get("unlimited", False)),
            )
            for grant in grants
        ),
        _features(value["features"]) if "features" in value else PlanFeatures(),
    )
