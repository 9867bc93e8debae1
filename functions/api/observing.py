"""One log line and two metrics per request. What is logged is listed here, and nothing else is."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Protocol

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit


@dataclass(frozen=True, slots=True)
class RequestLine:
    """What is logged of a request: the fields of this class.

    Args:
        route: The path's template, never the path.
        tenant: A hash.
        where: Type and place of a fault.
    """

    request_id: str
    method: str
    route: str
    status: int
    code: str
    duration_ms: int
    tenant: str
    replayed: bool
    where: str


class RequestLog(Protocol):
    def write(self, line: RequestLine) -> None: ...


class PowertoolsLog:
    """JSON lines and embedded metrics, without a tenant's dimension: each value of one costs."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        self._logger = logger
        self._metrics = metrics

    def write(self, line: RequestLine) -> None:
        level = self._logger.error if line.status >= 500 else self._logger.info
        fields = {name: value for name, value in asdict(line).items() if value != ""}
        level("request", extra=fields)
        self._metrics.add_metric("RequestDuration", MetricUnit.Milliseconds, line.duration_ms)
        if line.status >= 500:
            self._metrics.add_metric("RequestFaults", MetricUnit.Count, 1)
        self._metrics.flush_metrics()


def tenant_hash(tenant_id: str) -> str:
    return hashlib.sha256(tenant_id.encode()).hexdigest()[:16]
