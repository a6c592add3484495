"""A server whose certificate does not hold is not spoken to: certain, as no byte of the request was written."""

import ipaddress
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.http import NotSent, Request, send

DAY = timedelta(days=1)


class Authority:
    """Signs certificates for 127.0.0.1, and is trusted by this process."""

    def __init__(self, folder, monkeypatch):
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests")])
        own = self._built(self._name, self._key, ends_in=30 * DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        file = folder / "authority.pem"
        file.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))

    def _built(self, name, key, *, ends_in):
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(self._name).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(now - 10 * DAY).not_valid_after(now + ends_in)

    def certificate(self, *, ends_in):
        """A file with a key and its certificate for 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        signed = self._built(name, key, ends_in=ends_in).add_extension(address, critical=False)
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = self._folder / "server.pem"
        file.write_bytes(plain + signed.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return file


class Company(BaseHTTPRequestHandler):
    received: list[str] = []

    def do_POST(self):
        self.received.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *told):
        pass


@pytest.fixture
def authority(tmp_path, monkeypatch):
    return Authority(tmp_path, monkeypatch)


@pytest.fixture
def serve(request):
    def started(certificate):
        Company.received = []
        server = HTTPServer(("127.0.0.1", 0), Company)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        request.addfinalizer(server.server_close)
        request.addfinalizer(server.shutdown)
        return f"https://127.0.0.1:{server.server_address[1]}/charge"

    return started


def test_a_certificate_that_holds_is_spoken_to(authority, serve):
    url = serve(authority.certificate(ends_in=DAY))
    assert send(Request("POST", url, body=b"money"), deadline=5).status == 200
    assert Company.received == ["/charge"]


def test_one_that_has_expired_is_not(authority, serve):
    url = serve(authority.certificate(ends_in=-DAY))
    with pytest.raises(NotSent, match="not connected: SSLError"):
        send(Request("POST", url, body=b"money"), deadline=5)
    assert Company.received == []
