"""No acceptance, no change."""

import pytest

from billing.domain.audit import MAX_NAME_LENGTH, accept
from billing.domain.errors import AcceptanceRequiredError
from billing.domain.records import Acceptance


def given(**altered: object) -> Acceptance:
    asked: dict[str, object] = {
        "first_name": "Zoë",
        "last_name": "O'Hara",
        "terms_version": "2026-01",
        "accepted": True,
        "current_terms": "2026-01",
    }
    return accept(**(asked | altered))  # type: ignore[arg-type]


def test_a_complete_acceptance_of_the_current_terms_is_kept() -> None:
    assert given() == Acceptance("Zoë", "O'Hara", "2026-01")


def test_names_are_kept_without_the_spaces_around_them() -> None:
    assert given(first_name=" Zoë ", last_name="O'Hara  ") == given()


def test_a_name_of_the_greatest_length_is_accepted() -> None:
    assert given(first_name="x" * MAX_NAME_LENGTH).first_name == "x" * MAX_NAME_LENGTH


@pytest.mark.parametrize(
    ("altered", "field"),
    [
        pytest.param({"first_name": ""}, "first_name", id="no first name"),
        pytest.param({"first_name": "  "}, "first_name", id="a blank first name"),
        pytest.param({"last_name": ""}, "last_name", id="no last name"),
        pytest.param(
            {"last_name": "x" * (MAX_NAME_LENGTH + 1)}, "last_name", id="an overlong last name"
        ),
        pytest.param({"first_name": "Zoë\nBob"}, "first_name", id="two lines for a name"),
        pytest.param({"terms_version": "2025-12"}, "terms_version", id="the terms before"),
        pytest.param({"terms_version": ""}, "terms_version", id="no terms"),
        pytest.param({"accepted": False}, "accepted", id="a refusal"),
        pytest.param({"accepted": 1}, "accepted", id="something like a yes"),
        pytest.param({"accepted": "true"}, "accepted", id="a yes in quotes"),
    ],
)
def test_anything_less_is_refused_with_its_field(altered: dict[str, object], field: str) -> None:
    with pytest.raises(AcceptanceRequiredError) as refused:
        given(**altered)
    assert refused.value.field == f"acceptance/{field}"
