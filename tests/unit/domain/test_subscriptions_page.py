"""docs/subscriptions.md tells the truth: its worked figures are what the domain computes."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from billing.domain.catalog import Plan
from billing.domain.changing import MOST_PACKAGE_GRANTS
from billing.domain.documents import Line, sums
from billing.domain.grants import RecurringGrant, burn
from billing.domain.money import Money
from billing.domain.once import MOST_LOTS
from billing.domain.orders import WantKind
from billing.domain.selling import Interval
from billing.domain.units import Unit
from catalogs import GROWTH, STARTER, a_catalog, monthly
from purchases import MARCH, Customer, account_of, package, plan, units

PAGE = (Path(__file__).parents[3] / "docs/subscriptions.md").read_text()
ON = MARCH + timedelta(days=16)
"""17 March."""

SMALL = Plan("small", "Small", price=monthly(31, 310))
LARGE = Plan("large", "Large", price=monthly(310))
CATALOG = a_catalog(plans=(STARTER, GROWTH, SMALL, LARGE))


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def last_cells(heading: str) -> dict[str, str]:
    """The last cell of each line of a section's tables, by the first."""
    rows = re.findall(r"^\| ([^|\n]+) \|(?:.*\|)? ([^|\n]+) \|$", section(heading), re.MULTILINE)
    return {first.strip(): last.strip() for first, last in rows}


def net(lines: tuple[Line, ...]) -> str:
    return cents(sums(lines).subtotal_micros)


def cents(micros: int) -> str:
    return Money(micros, "USD").amount


def test_every_kind_of_want_is_described() -> None:
    described = set(re.findall(r"^\| `(\w+)` \|", section("Quotes"), re.MULTILINE))
    assert described == {kind.value for kind in WantKind}


def test_the_shares_of_march_are_what_is_charged() -> None:
    told = last_cells("Proration")
    monthly_one, annual = Customer(catalog=CATALOG), Customer(catalog=CATALOG)
    annual.order(plan("growth", Interval.YEAR), at=MARCH)
    by_number = monthly_one.order(units("dialler", 3), at=ON)
    assert net(by_number) == told["a dialler port"]
    assert net(monthly_one.order(package("toll-free-500"), at=ON)) == told["a package"]
    assert net(annual.order(package("toll-free-500"), at=ON)) == told["a package, by the year"]
    assert net(monthly_one.quote(units("crm", 4), at=ON).lines) == told["a CRM seat"]


def test_members_come_and_go_as_the_table_says() -> None:
    rows = re.findall(
        r"^\| ([^|]+) \| (\d) \| (\d) \| ([\d.]+) \|$", section("Units"), re.MULTILINE
    )
    customer = Customer()
    steps = {
        "three members": (1, 1, 1),
        "one leaves, another comes": (-1, 1),
        "another comes, then one leaves": (1, -1),
        "and another comes": (1,),
    }
    shown = []
    for text, changes in steps.items():
        micros = sum(customer.joins("crm", ON, change) for change in changes)
        there = customer.counts("crm", ON)
        shown.append((text, str(there.created), str(there.quantity), cents(micros * 10 // 12)))
    assert rows == shown


def test_the_upgrade_is_what_is_charged() -> None:
    told = last_cells("Changing the plan")
    lines = Customer("small", CATALOG).order(plan("large"), at=ON)
    assert {one.text: cents(one.amount_micros) for one in lines} | {"due, net": net(lines)} == {
        name: figure for name, figure in told.items() if re.fullmatch(r"-?\d+\.\d\d", figure)
    }


def test_the_year_is_what_is_charged() -> None:
    credited, charged = Customer("small", CATALOG).order(plan("small", Interval.YEAR), at=ON)
    assert f"{cents(charged.amount_micros)} less the month's" in section("Changing the plan")
    assert f"the month's {cents(-credited.amount_micros)}." in section("Changing the plan")


def test_the_quota_is_weighed_as_the_table_says() -> None:
    told = {name: int(figure.replace(",", "")) for name, figure in _figures("Grants at a change")}
    old, new = (RecurringGrant("minutes", Unit.VOICE_SECONDS, 3_100 * n) for n in (1, 2))
    catalog = a_catalog(
        plans=(replace(SMALL, recurring_grants=(old,)), replace(LARGE, recurring_grants=(new,)))
    )
    customer = Customer("small", catalog)
    used = -told["used before"]
    burned = burn(customer.account.grants, Unit.VOICE_SECONDS, used, MARCH)
    account_of(customer, grants=burned.grants)
    customer.order(plan("large"), at=ON)
    (lot,) = customer.account.grants
    assert lot.total == told["16 of 31 days of 3,100"] + told["15 of 31 days of 6,200"]
    assert lot.remaining == told["remaining"] == lot.total - used


def _figures(heading: str) -> list[tuple[str, str]]:
    return [
        (name, figure)
        for name, figure in last_cells(heading).items()
        if re.fullmatch(r"-?[\d,]+", figure)
    ]


def test_the_limits_are_the_codes() -> None:
    text = section("Grants at a change")
    assert f"at most {MOST_LOTS} live bundles and {MOST_PACKAGE_GRANTS} grants of packages" in text


def test_every_rule_is_found_where_the_code_says_it_is() -> None:
    domain = Path(__file__).parents[3] / "functions/billing/domain"
    named = {
        heading
        for path in domain.glob("*.py")
        for heading in re.findall(r'docs/subscriptions\.md, "([^"]+)"', path.read_text())
    }
    assert named
    assert named <= set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE))
