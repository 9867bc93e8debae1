"""What a delivery is called: by its event and endpoint, in the order in which events happened."""

from datetime import datetime, timedelta, timezone

import pytest

from billing.domain.webhook_deliveries import begin
from builders import ACME, NOON


def name(at: datetime, number: int = 1, endpoint: str = "whe_1") -> str:
    event = {"source": "/t", "id": str(number), "type": "balance.low", "time": at.isoformat()}
    return begin(ACME, endpoint, event, "{}", NOON).delivery_id


@pytest.mark.parametrize(
    "apart", [timedelta(microseconds=1), timedelta(milliseconds=1), timedelta(seconds=1)], ids=str
)
def test_ids_sort_by_the_events_time_within_a_second_too(apart: timedelta) -> None:
    ids = [name(NOON + number * apart, number) for number in range(40)]
    assert ids == sorted(ids)


def test_the_zone_in_which_a_time_is_told_means_nothing() -> None:
    assert name(NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))) == name(NOON)


def test_one_event_and_one_endpoint_have_one_id_and_others_have_others() -> None:
    assert name(NOON) == name(NOON)
    assert len({name(NOON), name(NOON, 2), name(NOON, 1, "whe_2")}) == 3
