"""Play the month: signed webhooks over HTTP, time moving, and the real schedules' targets fired."""

import json
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

from local import demo, schedules
from local.clock import LocalClock
from local.deploy import ClientFactory, Outputs
from local.twilio import signed_callback

CALLBACKS_AT_ONCE = 4
QUEUES = ("UsageQueueUrl", "RechargeQueueUrl", "RollQueueUrl")
SETTLE_TIMEOUT_SECONDS = 60.0
SETTLE_POLL_SECONDS = 0.05


class SimulationError(Exception):
    """The stack did not do what the month needs; the message says what to look at."""


@dataclass(frozen=True, slots=True)
class Played:
    """How far the month has been played; kept, so that an interrupted run goes on."""

    start: datetime
    until: datetime

    @property
    def end(self) -> datetime:
        return self.start + timedelta(days=demo.SIMULATED_DAYS)

    @staticmethod
    def load_or_begin(file: Path, now: datetime) -> "Played":
        if file.exists():
            kept = json.loads(file.read_text())
            return Played(*(datetime.fromisoformat(kept[name]) for name in ("start", "until")))
        start = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=demo.SIMULATED_DAYS)
        return Played(start, start)

    def save(self, file: Path) -> None:
        partial = file.with_suffix(".partial")
        kept = {"start": self.start.isoformat(), "until": self.until.isoformat()}
        partial.write_text(json.dumps(kept))
        partial.replace(file)


class Simulation:
    """One month in steps of one recharge cycle."""

    def __init__(
        self, client: ClientFactory, outputs: Outputs, clock: LocalClock, webhook_url: str
    ) -> None:
        self._client = client
        self._outputs = outputs
        self._clock = clock
        self._webhook_url = webhook_url
        self._sqs = client("sqs")

    def play(self, played: Played, save: Callable[[Played], None]) -> None:
        """Play from where the last run stopped to the end, and let the clock tell real time."""
        month = list(demo.callbacks(played.start, played.end))
        progress = Progress(played.start, played.end)
        with ThreadPoolExecutor(CALLBACKS_AT_ONCE) as pool:
            while played.until < played.end:
                until = min(next_cycle(played.until), played.end)
                self._clock.move_to(until)
                due = [c for c in month if played.until <= c.at < until]
                list(pool.map(self._post, due))
                self._fire_schedules(played.until, until, posted=bool(due))
                played = Played(played.start, until)
                save(played)
                progress.show(until, sum(c.at < until for c in month), len(month))
        progress.end()
        self._clock.set_offset(0)

    def _post(self, callback: demo.Callback) -> None:
        headers, body = signed_callback(self._webhook_url, demo.CONNECTION_SECRET, callback.params)
        request = urllib.request.Request(self._webhook_url, body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            if answer.status // 100 != 2:
                raise SimulationError(f"a webhook was answered {answer.status}")

    def _fire_schedules(self, since: datetime, until: datetime, *, posted: bool) -> None:
        """What Scheduler would have fired: the hourly catch-up, the monthly cron, the sweep."""
        if posted:
            self.settle()
        enqueued = self._fire("CatchUpSchedule")
        if (since - timedelta(minutes=5)).month != (until - timedelta(minutes=5)).month:
            enqueued += self._fire("MonthlySchedule")
        enqueued += self._fire("RechargeSchedule")
        if enqueued:
            self.settle()

    def _fire(self, output: str) -> int:
        answer = schedules.fire(self._client, self._outputs[output])
        return int(answer["enqueued"])

    def settle(self) -> None:
        """Wait until no message is waiting or being worked on."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_SECONDS
        while busy := [name for name in QUEUES if self._depth(self._outputs[name])]:
            if time.monotonic() > deadline:
                raise SimulationError(
                    f"{busy} did not empty in {SETTLE_TIMEOUT_SECONDS:.0f} s; "
                    "look at .local/data/cloud.log"
                )
            time.sleep(SETTLE_POLL_SECONDS)

    def _depth(self, queue_url: str) -> int:
        counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        answer = self._sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(counts))
        return sum(int(answer["Attributes"][name]) for name in counts)


def next_cycle(after: datetime) -> datetime:
    """When the recharge schedule fires next (aware UTC)."""
    midnight = after.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((after - midnight) // demo.STEP + 1) * demo.STEP


class Progress:
    """A bar on a terminal; a line every few days where the output is kept."""

    WIDTH = 40

    def __init__(
        self, start: datetime, end: datetime, things: str = "webhooks", out: TextIO = sys.stdout
    ) -> None:
        self._start = start
        self._end = end
        self._things = things
        self._out = out
        self._is_terminal = out.isatty()
        self._told: Sequence[int] = ()
        self._began = time.monotonic()

    def show(self, at: datetime, done: int, total: int) -> None:
        share = (at - self._start) / (self._end - self._start)
        filled = round(share * self.WIDTH)
        bar = "█" * filled + "░" * (self.WIDTH - filled)
        line = f"  {bar} {at:%d %b %H:%M}  {done}/{total} {self._things}"
        week = int(share * 4)
        if self._is_terminal:
            self._out.write(f"\r{line}")
        elif week not in self._told:
            self._told = (*self._told, week)
            self._out.write(f"{line}\n")
        self._out.flush()

    def end(self) -> None:
        took = time.monotonic() - self._began
        self._out.write(f"{chr(10) if self._is_terminal else ''}  played in {took:.0f} s\n")
