"""Certificates for hosts that a test stands for: an authority of the test's own, valid for a day."""

import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509  # comes with MLflow
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback test authority")])
HOST = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback test")])


def make_certificates(folder: Path, hosts: Sequence[str]) -> tuple[Path, Path]:
    """Make an authority, and one certificate for some hosts and for 127.0.0.1.

    Returns:
        The authority's certificate, and a file with the hosts' certificate and its key.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    authority = _build(NAME, key).add_extension(x509.BasicConstraints(True, None), critical=True)
    signed = authority.add_extension(usage, critical=True).sign(key, hashes.SHA256())
    names = [x509.DNSName(host) for host in hosts]
    local = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        _build(HOST, own)
        .add_extension(x509.SubjectAlternativeName([*names, local]), critical=False)
        .add_extension(x509.BasicConstraints(False, None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    secret = own.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    files = folder / "authority.pem", folder / "hosts.pem"
    files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
    return files


def _build(name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def open_context(certificate: Path) -> ssl.SSLContext:
    """Return how a server with a certificate speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
