"""The catalogue is valid as a whole, and is stored as it is shown."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.domain.account import PlanTerms
from billing.domain.catalog import Catalog, Plan, catalog_from_json, make_catalog
from billing.domain.errors import InvalidInputError, NotFoundError
from billing.domain.grants import RecurringGrant
from billing.domain.units import Unit

MINUTES = RecurringGrant("minutes", Unit.VOICE_SECONDS, 60_000)
TEXTS = RecurringGrant("texts", Unit.MESSAGES, 100, priority=7, rollover_limit=50)
STARTER = Plan("starter", "Starter", (MINUTES, TEXTS))
ids = st.text("abzABZ019_-", min_size=1, max_size=64)
grants = st.builds(
    RecurringGrant,
    ids,
    st.sampled_from(Unit),
    st.integers(1, 10**12),
    st.integers(-5, 1_000),
    st.integers(0, 10**12),
)
plans = st.builds(
    Plan,
    ids,
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.lists(grants, max_size=3, unique_by=lambda grant: grant.recurring_id).map(tuple),
)
catalogs = st.builds(
    make_catalog,
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=64),
    st.lists(plans, min_size=1, max_size=3, unique_by=lambda plan: plan.plan_id).map(tuple),
)


@settings(max_examples=40, deadline=None)
@given(catalogs)
def test_what_is_stored_reads_back_the_same_in_the_same_order(catalog: Catalog) -> None:
    read = catalog_from_json(json.loads(json.dumps(catalog.to_json())))
    assert read == catalog
    assert list(read.plans) == list(catalog.plans)


def test_an_account_keeps_the_plan_as_it_was_sold() -> None:
    catalog = make_catalog("2026-01", (STARTER,))
    assert catalog.terms_of("starter", 3) == PlanTerms("starter", 3, (MINUTES, TEXTS))


def test_a_plan_that_is_not_sold_is_named() -> None:
    with pytest.raises(NotFoundError, match="'gold'") as refused:
        make_catalog("2026-01", (STARTER,)).terms_of("gold", 1)
    assert refused.value.field == "plan"


@pytest.mark.parametrize(
    ("terms_version", "plans", "field"),
    [
        pytest.param("", (STARTER,), "terms_version", id="terms without a version"),
        pytest.param("v" * 65, (STARTER,), "terms_version", id="a version of 65 characters"),
        pytest.param("1", (), "plans", id="a catalogue without plans"),
        pytest.param("1", (STARTER, STARTER), "plans/1/plan", id="a plan twice"),
        pytest.param(
            "1", (STARTER, replace(STARTER, plan_id="a#b")), "plans/1/plan",
            id="a plan with the key separator in its id",
        ),
        pytest.param(
            "1", (replace(STARTER, plan_id=""),), "plans/0/plan", id="a plan without an id"
        ),
        pytest.param(
            "1", (replace(STARTER, recurring_grants=(MINUTES, MINUTES)),), "plans/0/grants",
            id="a grant twice in one plan",
        ),
        pytest.param(
            "1",
            (replace(STARTER, recurring_grants=(MINUTES, replace(TEXTS, recurring_id="a:b"))),),
            "plans/0/grants/1/grant",
            id="a grant with the lot separator in its id",
        ),
    ],
)  # fmt: skip
def test_a_catalogue_that_cannot_be_sold_is_refused_with_its_field(
    terms_version: str, plans: tuple[Plan, ...], field: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        make_catalog(terms_version, plans)
    assert refused.value.field == field


def test_two_plans_may_grant_under_one_name() -> None:
    gold = replace(STARTER, plan_id="gold")
    assert list(make_catalog("v" * 64, (STARTER, gold)).plans) == ["starter", "gold"]
