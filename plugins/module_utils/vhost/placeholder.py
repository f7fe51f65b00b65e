# Copyright: flatrun.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A self-signed certificate with its key, by which HTTPS is answered until the one that is asked for is there."""

from __future__ import annotations

import datetime
import sys

from ansible_collections.flatrun.infra.plugins.module_utils.core.errors import FlatrunError

# For no name at all, so that nobody takes it for the one that is asked for.
_NAME = "placeholder.invalid"
_DAYS = 3650


def make() -> str:
    """Key and certificate in PEM, in one text; raises FlatrunError where the library for it is missing.

    That is big, and most runs need no placeholder.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ImportError as error:
        raise FlatrunError(
            f"the library cryptography is missing for {sys.executable} ({error})",
            "tls.placeholder",
            "Install python3-cryptography there, as role flatrun.infra.host does.",
        ) from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    begun = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) - datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begun)
        .not_valid_after(begun + datetime.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + certificate.public_bytes(serialization.Encoding.PEM)).decode("ascii")
