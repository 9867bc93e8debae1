"""What comes back in a gateway's metadata names something of ours only in our own form."""

import pytest

from billing.domain.gateway_metadata import named_account, named_number
from builders import ACME

OURS = {"tenant": "acme", "account": "main"}


def test_an_account_is_named_by_tenant_and_account() -> None:
    assert named_account(OURS) == ACME


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"tenant": "acme"},
        {"account": "main"},
        {**OURS, "tenant": ""},
        {**OURS, "account": "ma in"},
        {**OURS, "tenant": "acme#main"},
        {**OURS, "account": "x" * 65},
    ],
)
def test_anything_else_names_no_account(metadata: dict[str, str]) -> None:
    assert named_account(metadata) is None


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("007", 7), ("999999999", 999_999_999)])
def test_a_positive_number_is_one(text: str, number: int) -> None:
    assert named_number({"recharge": text}, "recharge") == number


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "+1", " 1", "1 ", "1.0", "1e3", "\u0661", "\u00b2", "1000000000"]
)
def test_anything_else_is_no_number(text: str) -> None:
    assert named_number({"recharge": text}, "recharge") is None


def test_a_number_under_another_name_is_none() -> None:
    assert named_number({"attempt": "1"}, "recharge") is None
