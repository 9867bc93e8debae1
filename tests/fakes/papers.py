"""Printed documents in memory, and a printer that only says what it was given."""

from datetime import timedelta

from billing.domain.papers import Paper
from billing.ports import Clock, PaperLink


class InMemoryPapers:
    """Prints by name; the first one stays."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.prints: dict[str, bytes] = {}

    def has(self, name: str) -> bool:
        return name in self.prints

    def keep(self, name: str, content: bytes) -> None:
        self.prints.setdefault(name, content)

    def link(self, name: str, file_name: str) -> PaperLink:
        assert name in self.prints, "only what is there is linked to"
        url = f"https://documents.example.com/{name}?as={file_name}"
        return PaperLink(url, self._clock.now() + timedelta(minutes=15))


class RecordingPrinter:
    """Keeps the papers it has printed."""

    def __init__(self) -> None:
        self.printed: list[Paper] = []

    def __call__(self, paper: Paper) -> bytes:
        self.printed.append(paper)
        return repr(paper).encode()
