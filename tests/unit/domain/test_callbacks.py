"""What a carrier bills for a call, written down and read back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.callbacks import CarrierRated
from billing.domain.canonical import Json
from billing.domain.errors import InvalidUsageError
from billing.domain.usage import CallKey

RATED = CarrierRated(
    key=CallKey("telnyx", "1", "leg"),
    billed_seconds=120,
    cost="0.013",
    currency="USD",
    at=datetime(2026, 11, 22, 12, 5, tzinfo=UTC),
)


@given(
    rated=st.builds(
        CarrierRated,
        key=st.just(RATED.key),
        billed_seconds=st.none() | st.integers(0, 10**9),
        cost=st.decimals(0, 10**12, places=18).map(lambda cost: f"{cost:f}"),
        currency=st.sampled_from(["EUR", "JPY", "USD"]),
        at=st.timedeltas(timedelta(0), timedelta(days=10_000)).map(lambda after: RATED.at + after),
    )
)
def test_a_carriers_record_is_read_back_as_it_was_written(rated: CarrierRated) -> None:
    assert CarrierRated.from_json(rated.to_json()) == rated


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param({"billed_seconds": "120"}, id="seconds in words"),
        pytest.param({"billed_seconds": True}, id="seconds that are a yes"),
        pytest.param({"at": "yesterday"}, id="no time"),
    ],
)
def test_what_is_no_carriers_record_is_refused(altered: dict[str, Json]) -> None:
    with pytest.raises(InvalidUsageError):
        CarrierRated.from_json({**RATED.to_json(), **altered})
    with pytest.raises(InvalidUsageError):
        CarrierRated.from_json({})
