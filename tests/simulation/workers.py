"""The real handlers, called as queues and schedules call them."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, cast

from aws_lambda_powertools import Metrics

import quota_reset.roll
import quota_reset.sweep
import recharge.collect
import recharge.reconcile
import recharge.sweep
import usage_ingest.post
from simulation.faults import Crash
from simulation.queues import SimulatedFifo
from simulation.world import World

DELETE_LOST = 0.05
"""Deliveries that went well, and that the queue never hears of."""


class Unwatched:
    """Metrics that nobody looks at."""

    def add_metric(self, *_arguments: object) -> None:
        return

    def flush_metrics(self) -> None:
        return


class Workers:
    """One delivery or one sweep at a time; whatever is not done is delivered again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._down_until = world.clock.true_now

    def lose_schedules(self) -> str:
        """No schedule fires for a while: for longer than most things wait."""
        hours = self._world.random.choice((5, 30, 80))
        self._down_until = self._world.clock.true_now + timedelta(hours=hours)
        return f"no schedule until {self._down_until}"

    def deliver_usage(self) -> str:
        def handle(event: dict[str, Any]) -> Mapping[str, Any]:
            return usage_ingest.post.handle(event, self._world.post_usage)

        return self._deliver(self._world.usage_queue, handle)

    def deliver_recharges(self) -> str:
        def handle(event: dict[str, Any]) -> Mapping[str, Any]:
            return recharge.collect.handle(
                event,
                self._world.collect_recharge,
                self._world.refund_payment,
                self._world.notice_sources,
                self._world.collect_invoices,
                self._world.collect_numbers,
            )

        return self._deliver(self._world.recharge_queue, handle)

    def deliver_rolls(self) -> str:
        def handle(event: dict[str, Any]) -> Mapping[str, Any]:
            return quota_reset.roll.handle(
                event,
                self._world.roll_period,
                self._world.bill_account,
                self._world.renew_numbers,
            )

        return self._deliver(self._world.roll_queue, handle)

    def _deliver(
        self, queue: SimulatedFifo, handle: Callable[[dict[str, Any]], Mapping[str, Any]]
    ) -> str:
        messages = queue.receive(self._world.random, even_in_flight=self._world.depth > 0)
        if not messages:
            return "nothing waits"
        ids = [message.message_id for message in messages]
        try:
            answer = handle({"Records": [message.as_record() for message in messages]})
        except Crash:
            queue.settle(messages, ids)
            raise
        failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        deleted = not self._world.faults.chance(DELETE_LOST)
        queue.settle(messages, failed if deleted else ids)
        return f"{ids} failed {failed}{'' if deleted else ', not deleted'}"

    def sweep_recharges(self) -> str:
        return self._sweep(lambda: recharge.sweep.handle(self._world.recharge_sweep))

    def sweep_payments(self) -> str:
        metrics = cast(Metrics, Unwatched())
        return self._sweep(
            lambda: recharge.reconcile.handle(self._world.reconcile_payments, metrics)
        )

    def sweep_rolls(self) -> str:
        return self._sweep(lambda: quota_reset.sweep.handle(self._world.roll_sweep))

    def _sweep(self, handle: Callable[[], dict[str, Any]]) -> str:
        if self._world.faults.is_enabled and self._world.clock.true_now < self._down_until:
            return "no schedule fires"
        surprises = len(self._world.surprises)
        try:
            return str(handle())
        except Exception as error:
            # The scheduler calls again; what may not be raised, the watch has remembered.
            if len(self._world.surprises) == surprises:
                return f"failed: {error!r}"
            raise
