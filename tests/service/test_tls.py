"""The service with a certificate."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rerank.core.errors import SettingError
from rerank.core.settings import Settings
from rerank.service.tls import check_certificate
from tests.service.service_process import ServiceProcess, run_service


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Returns a certificate for localhost and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("making a certificate needs openssl")
    folder = tmp_path_factory.mktemp("certificate")
    key, chain = folder / "key.pem", folder / "chain.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(chain)]
    subprocess.run(command, check=True, capture_output=True)
    return chain, key


@pytest.fixture(scope="module")
def service(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Yields a service with TLS that waits 2 seconds for its clients."""
    chain, key = (str(file) for file in certificate)
    folder = tmp_path_factory.mktemp("service")
    with run_service(folder, tls_certificate=chain, tls_key=key, client_timeout_s=2) as running:
        yield running


def connect(service: ServiceProcess, certificate: tuple[Path, Path]) -> ssl.SSLSocket:
    """Returns an encrypted connection, which trusts the certificate."""
    context = ssl.create_default_context(cafile=str(certificate[0]))
    return context.wrap_socket(socket.create_connection(service.address, timeout=30), server_hostname="localhost")


def test_requests_share_an_encrypted_connection(service: ServiceProcess, certificate: tuple[Path, Path]) -> None:
    """Heads and bodies arrive in pieces, and the worker finds bytes that TLS has already decrypted."""
    assert urlsplit((service.folder / "address").read_text()).scheme == "https"
    request = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n" + b"x" * 40_000
    with connect(service, certificate) as client:
        for _ in range(3):
            for piece in (request[:30], request[30:20_000], request[20_000:]):
                client.sendall(piece)
            response = http.client.HTTPResponse(client)
            response.begin()
            assert (response.status, json.loads(response.read())["error_type"]) == (404, "NotFound")
        client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 2 + b"GET /x HTTP/1.1\r\nConnection: close\r\n\r\n")
        responses = b"".join(iter(lambda: client.recv(65536), b""))
    assert [part[:3] for part in responses.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"404"]


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_incomplete_handshake_ends_and_delays_no_other_client(
    service: ServiceProcess, certificate: tuple[Path, Path], sent: bytes
) -> None:
    """A client that sends nothing, half a handshake or plain HTTP is disconnected."""
    with socket.create_connection(service.address, timeout=30) as slow:
        slow.sendall(sent)
        with connect(service, certificate) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        while slow.recv(65536):
            pass


def test_incomplete_settings_are_refused(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    """Both files are required and must belong together."""
    chain, key = (str(file) for file in certificate)
    check_certificate(Settings())
    check_certificate(Settings(tls_certificate=chain, tls_key=key))
    with pytest.raises(SettingError, match="must be set together"):
        check_certificate(Settings(tls_certificate=chain))
    for wrong in (str(tmp_path / "missing"), chain):
        with pytest.raises(SettingError, match="must be a certificate in PEM format and its key"):
            check_certificate(Settings(tls_certificate=chain, tls_key=wrong))
