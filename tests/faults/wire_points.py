"""What can go wrong with a call to AWS, and a watcher that lets it: at one call, or from one on.

Every call of every client is numbered as it begins. A fault belongs to a call and not to one
attempt of it: botocore tries again by itself, and what is spoiled stays spoiled for all of them,
but for an answer that is lost once.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ReadTimeoutError

from faults.points import Crash
from wire.aws import Answer, Call
from wire.services import error_page


class Fault(Enum):
    """One thing that can happen to a call."""

    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    THROTTLED = "throttled"
    CONFLICT = "conflict"
    DONE_AND_LOST = "timeout with effect"
    LOST = "timeout without effect"
    DONE_AND_LOST_ONCE = "first answer lost"


OF_READS = (Fault.CRASH_BEFORE, Fault.THROTTLED, Fault.LOST)
"""What changes nothing cannot be told to have happened from not to have happened."""


def faults_of(call: Call) -> tuple[Fault, ...]:
    """What can happen to this call, each once: of two that nobody can tell apart, one."""
    if not call.is_write:
        return OF_READS
    has_conflicts = call.service in ("dynamodb", "s3")
    return tuple(fault for fault in Fault if has_conflicts or fault is not Fault.CONFLICT)


class Points:
    """Implements Watcher. Counts what was let through beside what the services have seen."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.begun = 0
        self.let_through: Counter[str] = Counter()
        self.refused = 0
        self.fired: list[int] = []
        self._throttled_from: int | None = None
        self._is_all_throttled = True
        self._faults: dict[int, Fault] = {}
        self._tried = 0

    @property
    def is_armed(self) -> bool:
        """Whether a fault is still to come."""
        return len(self.fired) < len(self._faults)

    def arm(self, faults: Mapping[int, Fault], earlier: Sequence[Call] = ()) -> None:
        """Go on numbering after these calls, and have those fail."""
        self.calls = list(earlier)
        self._faults = dict(faults)
        self.fired = []
        self._throttled_from = None

    def throttle(self, first: int, *, is_all: bool) -> None:
        """Throttle every call from this one on, or every write alone, until armed again."""
        self._throttled_from, self._is_all_throttled, self.refused = first, is_all, 0

    def failed(self) -> list[str]:
        """What has failed so far, and how."""
        return [f"{n} {self.calls[n]}: {self._faults.get(n)}" for n in self.fired]

    def begins(self, call: Call) -> None:
        number = len(self.calls)
        self.calls.append(call)
        self.begun += 1
        self._tried = 0
        if self._fault(number) is Fault.CRASH_BEFORE:
            self._fire(number)
            raise Crash(f"before call {number}: {call}")

    def attempted(
        self, call: Call, request: AWSPreparedRequest, answer: Callable[[], Answer]
    ) -> Answer:
        number = len(self.calls) - 1
        self._tried += 1
        is_throttled = self._throttled_from is not None and number >= self._throttled_from
        is_throttled = is_throttled and (call.is_write or self._is_all_throttled)
        fault = Fault.THROTTLED if is_throttled else self._fault(number)
        if fault in (None, Fault.CRASH_BEFORE, Fault.CRASH_AFTER):
            return self._through(call, answer)
        assert fault is not None
        self._fire(number)
        match fault:
            case Fault.THROTTLED:
                self.refused += 1
                return throttled(call, request)
            case Fault.CONFLICT:
                return conflicting(call, request)
            case Fault.DONE_AND_LOST_ONCE if self._tried > 1:
                return self._through(call, answer)
            case Fault.DONE_AND_LOST | Fault.DONE_AND_LOST_ONCE:
                self._through(call, answer)
        raise ReadTimeoutError(endpoint_url=request.url)

    def ends(self, call: Call) -> None:
        number = len(self.calls) - 1
        if self._fault(number) is Fault.CRASH_AFTER:
            self._fire(number)
            raise Crash(f"after call {number}: {call}")

    def _through(self, call: Call, answer: Callable[[], Answer]) -> Answer:
        self.let_through[str(call)] += 1
        return answer()

    def _fault(self, number: int) -> Fault | None:
        return self._faults.get(number)

    def _fire(self, number: int) -> None:
        if number not in self.fired:
            self.fired.append(number)


def throttled(call: Call, request: AWSPreparedRequest) -> Answer:
    if call.service == "s3":
        return Answer(request, 503, error_page("SlowDown"))
    return _refused(request, "ThrottlingException")


def conflicting(call: Call, request: AWSPreparedRequest) -> Answer:
    """Another request was at the same item at this moment."""
    if call.service == "s3":
        return Answer(request, 409, error_page("ConditionalRequestConflict"))
    if call.operation != "TransactWriteItems":
        return _refused(request, "TransactionConflictException")
    body: Any = request.body
    count = len(json.loads(body)["TransactItems"])
    reasons = [{"Code": "TransactionConflict"}, *([{"Code": "None"}] * (count - 1))]
    return _refused(request, "TransactionCanceledException", CancellationReasons=reasons)


def _refused(request: AWSPreparedRequest, code: str, **more: Any) -> Answer:
    body = {"__type": f"com.amazonaws#{code}", "message": code, **more}
    return Answer(request, 400, json.dumps(body).encode())
