"""Signatures of Stripe's, Midtrans', Xendit's and iPaymu's kinds. The vectors are documented."""

from datetime import UTC, datetime

import pytest

from core.crypto import Secret
from core.signatures import (
    BadSignature,
    concatenated_sha512,
    hashed_body_hmac_sha256,
    hex_hmac_sha256,
    shared_token,
    timestamped_hmac_sha256,
)

BODY = b'{"id":"evt_1SampleW","object":"event"}'
STAMP = 1795200004
DIGEST = "ed47594fdc7e0d6570751ead14111a125da7153c6964903e7e9e2a8d3760f6fa"
HEADER = f"t={STAMP},v1={DIGEST}"


def check(header: str, *, body: bytes = BODY, secrets: tuple[str, ...] = ("whsec_sample_secret",), age: int = 0):
    timestamped_hmac_sha256(
        header=header,
        body=body,
        secrets=[Secret(secret) for secret in secrets],
        now=datetime.fromtimestamp(STAMP + age, UTC),
    )


def test_the_golden_vector_is_accepted():
    check(HEADER)


@pytest.mark.parametrize(
    "header",
    [
        f"t={STAMP},v1={'0' * 64},v1={DIGEST}",
        f"t={STAMP},v1={DIGEST},v0={'0' * 64}",
        f"v1={DIGEST},t={STAMP}",
        f"t={STAMP}, v1={DIGEST}",
    ],
)
def test_one_fitting_signature_among_several_is_enough(header: str):
    check(header)


def test_the_old_and_the_new_secret_are_both_accepted():
    check(HEADER, secrets=("whsec_new", "whsec_sample_secret"))


@pytest.mark.parametrize("age", [-300, 300])
def test_a_stamp_is_good_for_five_minutes_either_way(age: int):
    check(HEADER, age=age)


@pytest.mark.parametrize("age", [-301, 301, 10**6])
def test_a_stale_or_a_future_stamp_is_refused(age: int):
    with pytest.raises(BadSignature, match="timestamp"):
        check(HEADER, age=age)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"t={STAMP}",
        f"v1={DIGEST}",
        f"t={STAMP},v0={DIGEST}",
        f"t=,v1={DIGEST}",
        f"t=-1,v1={DIGEST}",
        f"t=１７９５２０００,v1={DIGEST}",  # noqa: RUF001  (digits, but not ASCII ones)
        f"t={STAMP},t={STAMP},v1={DIGEST}",
    ],
)
def test_a_header_of_another_shape_is_refused(header: str):
    with pytest.raises(BadSignature, match="missing or malformed"):
        check(header)


def test_another_body_secret_or_digest_does_not_fit():
    for call in (
        lambda: check(HEADER, body=BODY + b"\n"),
        lambda: check(HEADER, secrets=("sample_secret",)),
        lambda: check(HEADER, secrets=()),
        lambda: check(HEADER.upper().replace("T=", "t=").replace("V1=", "v1=")),
        lambda: check(f"t={STAMP},v1=é"),
        lambda: check(f"t={STAMP + 1},v1={DIGEST}"),
    ):
        with pytest.raises(BadSignature, match="no signature fits"):
            call()


SIGNED = "ORD-778120045500.00"
SHA512 = (
    "6c49f2ce0f7fb5d6f12c9071370adfae0e02293edeeb05e113e0f816abbf7b56"
    "0df8ed229caf4cbcbaaee26a44abd09c3ca40e4341375e7ab996ae37f4c58e55"
)


@pytest.mark.parametrize("keys", [("SB-Mid-server-EXAMPLEKEY01",), ("new", "SB-Mid-server-EXAMPLEKEY01")])
def test_a_plain_sha512_by_any_of_our_secrets_is_accepted(keys: tuple[str, ...]):
    concatenated_sha512(given=SHA512, text=SIGNED, secrets=[Secret(key) for key in keys])


@pytest.mark.parametrize(
    ("given", "text", "keys"),
    [
        (SHA512, "ORD-778120045501.00", ("SB-Mid-server-EXAMPLEKEY01",)),
        (SHA512, SIGNED, ("SB-Mid-server-EXAMPLEKEY02",)),
        (SHA512, SIGNED, ()),
        (SHA512.upper(), SIGNED, ("SB-Mid-server-EXAMPLEKEY01",)),
        (SHA512[:-1], SIGNED, ("SB-Mid-server-EXAMPLEKEY01",)),
        ("", SIGNED, ("SB-Mid-server-EXAMPLEKEY01",)),
        ("\ud800", SIGNED, ("SB-Mid-server-EXAMPLEKEY01",)),
        (SHA512, "\ud800", ("SB-Mid-server-EXAMPLEKEY01",)),
    ],
)
def test_a_plain_sha512_that_does_not_fit_is_refused(given: str, text: str, keys: tuple[str, ...]):
    with pytest.raises(BadSignature):
        concatenated_sha512(given=given, text=text, secrets=[Secret(key) for key in keys])


@pytest.mark.parametrize("tokens", [("a-token",), ("new", "a-token")])
def test_a_token_that_is_ours_is_accepted(tokens: tuple[str, ...]):
    shared_token(given="a-token", secrets=[Secret(token) for token in tokens])


@pytest.mark.parametrize("given", ["", "a-toke", "a-token ", "A-TOKEN", "a-tokén", "\ud800"])
def test_a_token_that_is_not_ours_is_refused(given: str):
    with pytest.raises(BadSignature, match="none of this account's"):
        shared_token(given=given, secrets=[Secret("a-token"), Secret("another")])


PARTY, KEY = "1179001122334455", "EXAMPLE-APIKEY-0001"
ORDER = (
    b'{"name":"Siti","phone":"081200001111","email":"siti@example.test","amount":25000,'
    b'"notifyUrl":"https://shop.example.test/hook","referenceId":"REF-42","paymentMethod":"qris","paymentChannel":"mpm"}'
)
CALL = "c7cd623264f36df7bf4443b78301b7fb3f66f3f07f4c90deae232b38522cf646"


@pytest.mark.parametrize("method", ["POST", "post"])
def test_a_call_is_signed_over_its_method_its_party_and_the_bytes_of_its_body(method: str):
    assert hashed_body_hmac_sha256(method=method, party=PARTY, body=ORDER, secret=Secret(KEY)) == CALL
    assert hashed_body_hmac_sha256(method=method, party=PARTY, body=ORDER + b" ", secret=Secret(KEY)) != CALL
    assert hashed_body_hmac_sha256(method=method, party="1", body=ORDER, secret=Secret(KEY)) != CALL


# From RFC 4231, test case 2.
TEXT, HMAC = "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_a_plain_hmac_over_any_way_of_writing_is_accepted():
    hex_hmac_sha256(given=HMAC, texts=["what do you want for nothing?", TEXT], secret=Secret("Jefe"))


@pytest.mark.parametrize(
    ("given", "texts", "secret"),
    [
        (HMAC, [TEXT + " "], "Jefe"),
        (HMAC, [TEXT], "jefe"),
        (HMAC, [], "Jefe"),
        (HMAC.upper(), [TEXT], "Jefe"),
        (HMAC[:-1], [TEXT], "Jefe"),
        ("", [TEXT], "Jefe"),
        ("\ud800", [TEXT], "Jefe"),
        (HMAC, ["\ud800"], "Jefe"),
    ],
)
def test_a_plain_hmac_that_does_not_fit_is_refused(given: str, texts: list[str], secret: str):
    with pytest.raises(BadSignature):
        hex_hmac_sha256(given=given, texts=texts, secret=Secret(secret))
