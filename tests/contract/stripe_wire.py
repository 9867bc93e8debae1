"""Ways to a Stripe that is not Stripe: in this process, over HTTP on loopback, or by script."""

from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import stripe

from contract.stripe_fake import FakeStripe, LostAnswerError


class InProcessClient(stripe.HTTPClient):
    """The library's way to a Stripe in the same process. It never sleeps between its retries."""

    name = "in-process"

    def __init__(self, fake: FakeStripe) -> None:
        super().__init__()
        self._fake = fake

    def request(  # type: ignore[override]  # the base class is called without its last argument
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[str, int, Mapping[str, str]]:
        try:
            status, body, given = self._fake.exchange(method, url, headers or {}, post_data or "")
        except LostAnswerError as error:
            lost: Any = stripe.APIConnectionError  # Its constructor has no types.
            raise lost("the answer was lost", should_retry=True) from error
        return body, status, given

    def _sleep_time_seconds(self, num_retries: int) -> float:
        return 0

    def close(self) -> None:
        pass


class StripeServer(ThreadingHTTPServer):
    """The same over HTTP, on loopback."""

    daemon_threads = True

    def __init__(self, fake: FakeStripe) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer in one piece and at once: waiting to be acknowledged costs forty milliseconds.
    wbufsize = -1
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        assert isinstance(self.server, StripeServer)
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        try:
            status, text, headers = self.server.fake.exchange(
                self.command.lower(), self.path, dict(self.headers), body
            )
        except LostAnswerError:
            self.close_connection = True
            return
        content = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _answer  # noqa: N815  # the base class's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        pass


class Scripted(stripe.HTTPClient):
    """Answers what it is told to, one after the other."""

    name = "scripted"

    def __init__(self, *answers: tuple[int, str]) -> None:
        super().__init__()
        self._answers = list(answers)
        self.sent: list[tuple[str, str]] = []

    def request(  # type: ignore[override]  # the base class is called without its last argument
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[str, int, Mapping[str, str]]:
        self.sent.append((method, url))
        status, body = self._answers.pop(0)
        return body, status, {}

    def _sleep_time_seconds(self, num_retries: int) -> float:
        return 0

    def close(self) -> None:
        pass
