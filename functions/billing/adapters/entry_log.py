"""One log line per ledger entry, under the correlation id of whatever caused it."""

from aws_lambda_powertools import Logger

from billing.domain.change import Change


class EntryLog:
    """Names the account, the entry and its cause: enough to find it, and nothing personal.

    The logger adds the id of the request, or the ids of the messages, that are being worked on.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger

    def __call__(self, change: Change) -> None:
        for entry in change.entries:
            self._logger.info(
                "ledger entry",
                account=str(change.after.ref),
                sequence=entry.sequence,
                kind=entry.kind.value,
                cause=entry.cause,
            )
