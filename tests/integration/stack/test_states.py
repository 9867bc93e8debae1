"""The states of ``make states`` on the deployed stack: one of them, for time's sake. All of them
are played in memory (tests/integration/api/test_states.py)."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from integration.stack.conftest import Stack
from local import states
from local.open_states import LocalStage

pytestmark = pytest.mark.cloud


def test_who_does_not_pay_is_past_due_after_two_days(stack: Stack) -> None:
    stage = LocalStage(stack.cloud, stack.outputs, stack.api("operator"))
    (state,) = (one for one in states.STATES if one.name == "past_due")
    name = f"past-due-{uuid4().hex[:8]}"
    try:
        played = states.play(stage, datetime.now(UTC), lambda _: name, wanted=[state])
    finally:
        stack.cloud.clock.set_offset(0)
    found = played["past_due"].overview()
    assert (found["standing"], found["owed"]["total"]) == ("past_due", states.usd("34.80"))
    assert found["owed"]["next_try_at"] is not None
