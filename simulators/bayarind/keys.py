"""The keys of both sides of SNAP. Fixed test keys, the same from run to run: they protect nothing."""

from __future__ import annotations

from functools import lru_cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

EXPONENT = 65537
OURS = (
    int(
        "f5e6e849beaf24cbcece44d5709584d29105cf51b224b407e225ff27e69eee892a769c87a17d1d2041c15f42d4feb653"
        "c72702c6c7a827d0537dd7a84e772ef2ca4c3f29498cb568a1d1d97674aca0977ea7ed964292bdc9cd02b7c4737f195c"
        "e751e1dc96771a8f2c2f0f421bc7b053b3edd7eb2790e17cbaad8ef97d25c55b",
        16,
    ),
    int(
        "c61df71031d96b4947f5d8619b851b74cadc412c0c0cdc053039a020052c8e7d5226a303e25783f6c37d1d14b17d6d44"
        "d72a64881f432d98c375a627185a5890ea6c8e1188288a90cb9b3da2d3a64f2faac96d08abdaff76564c779b53994aa5"
        "17412c07fc2b820b1925dfcb2c82bf55d573a7c68d46520a80fdb05037322e39",
        16,
    ),
)
MERCHANTS = (
    int(
        "f8d640d8956da61b20ae5c724b41e1f5f52ea8a0ebd8039d6bf643b34a538383c9322894e195e9d2b5b8542081492db9"
        "972043ad5d7bd829c74a7cdf48a9e83a34b733b652526553317a2b2042131bf2924abe4b9ed813df91a68e6c1380295d"
        "c7411ad8a4f30a3c913ba926b4c862ee8243446b0428b8ff68f4ca8a38e3cb33",
        16,
    ),
    int(
        "bc7a7d625f5fe0679cceb68ea47a7c6def92c1cc51f893f5c7e840c7eeb9fabfd72d1a70bcefd34d4a4eaf8f8d9eed9d"
        "7129bca92a62b93fa167403f795c91724c36154288ed4b2fff52cf0ed387a528ce337c884d3d2cd195266a78f093b21e"
        "76e4923eafb7121f871524128adead2b3eb42ec9b2ae04d331c8994740b0dff7",
        16,
    ),
)


@lru_cache(maxsize=2)
def private_key(primes: tuple[int, int]) -> rsa.RSAPrivateKey:
    p, q = primes
    d = rsa.rsa_recover_private_exponent(EXPONENT, p, q)
    first, second = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q)
    public = rsa.RSAPublicNumbers(EXPONENT, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, first, second, rsa.rsa_crt_iqmp(p, q), public).private_key()


def public_pem(primes: tuple[int, int]) -> str:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return private_key(primes).public_key().public_bytes(serialization.Encoding.PEM, kind).decode()


def private_pem(primes: tuple[int, int]) -> str:
    kind, open_text = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return private_key(primes).private_bytes(serialization.Encoding.PEM, kind, open_text).decode()
