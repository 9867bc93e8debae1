"""What all simulations share."""

import pytest

import quota_reset.roll
import quota_reset.sweep
import recharge.collect
import recharge.reconcile
import recharge.sweep
import usage_ingest.post
import usage_ingest.receive


@pytest.fixture(autouse=True)
def _quiet_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of injected failures would be thousands of lines of log."""
    for handler in (
        quota_reset.roll,
        quota_reset.sweep,
        recharge.collect,
        recharge.reconcile,
        recharge.sweep,
        usage_ingest.post,
        usage_ingest.receive,
    ):
        monkeypatch.setattr(handler.logger._logger, "disabled", True)
