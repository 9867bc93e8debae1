"""A tenant's endpoint on loopback, over real sockets and TLS, that does what a test wants."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = Callable[[socket.socket], None]


@dataclass
class HookServer:
    """What it was sent, whole requests as bytes, and the names that were asked for in TLS."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    connections: int = 0


def answering(text: str) -> Answer:
    return lambda connection: connection.sendall(text.encode())


OK = answering("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")


@contextmanager
def serving(answer: Answer = OK, certificate: Path | None = None) -> Iterator[HookServer]:
    """Serve until the end of the block, with TLS where there is a certificate."""
    server, listener = HookServer(), socket.create_server(("127.0.0.1", 0))
    server.port = listener.getsockname()[1]
    context = _tls(certificate, server) if certificate else None

    def serve() -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            server.connections += 1
            with accepted:
                _talk(accepted, context, server, answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        # Closing alone does not wake who waits in accept.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def _talk(
    accepted: socket.socket, context: ssl.SSLContext | None, server: HookServer, answer: Answer
) -> None:
    try:
        connection = context.wrap_socket(accepted, server_side=True) if context else accepted
        with connection:
            connection.settimeout(5)
            server.requests.append(_request(connection))
            answer(connection)
    except OSError:
        return  # Whoever called went away; a test sees that on its own side.


def _request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    (length,) = (
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    while len(body) < length:
        body += _more(connection)
    return head + b"\r\n\r\n" + body


def _more(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise ConnectionResetError("gone in the middle of a request")
    return received


def _tls(certificate: Path, server: HookServer) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: server.names.append(name)
    return context


def a_certificate(directory: Path, name: str) -> Path:
    """A self-signed certificate for a host's name, with its key; trusted by whoever loads it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path
