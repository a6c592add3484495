"""What is sealed opens only under its own key and context, and secrets show nowhere."""

import base64
import dataclasses
import pickle

import pytest

from core.crypto import CannotOpen, KeyRing, Purpose, Secret, matches, new_key, seal, unseal

KEY = b"k" * 32
OLD, NEW = base64.b64encode(b"o" * 32).decode(), base64.b64encode(b"n" * 32).decode()
RING = KeyRing.parse(f"new:{NEW},old:{OLD}")


def test_a_secret_shows_itself_nowhere():
    secret = Secret("whsec_1")

    @dataclasses.dataclass
    class Holder:
        secret: Secret

    for text in (repr(secret), str(secret), f"{secret}", "%s" % secret, repr([secret]), repr(Holder(secret))):  # noqa: UP031
        assert "whsec_1" not in text
    assert secret.reveal() == "whsec_1"


def test_secrets_are_equal_by_their_text_and_empty_ones_are_false():
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a")
    assert not Secret("")


def test_what_is_sealed_opens_and_no_two_seals_are_alike():
    first, second = (seal(b"text", key=KEY, context="row 1") for _ in range(2))
    assert first != second
    assert b"text" not in first
    assert unseal(first, key=KEY, context="row 1") == unseal(second, key=KEY, context="row 1") == b"text"


def test_nothing_opens_under_another_key_context_or_version():
    sealed = seal(b"text", key=KEY, context="row 1")
    for attempt in (
        lambda: unseal(sealed, key=b"x" * 32, context="row 1"),
        lambda: unseal(sealed, key=KEY, context="row 2"),
        lambda: unseal(b"\x02" + sealed[1:], key=KEY, context="row 1"),
        lambda: unseal(b"", key=KEY, context="row 1"),
    ):
        with pytest.raises(CannotOpen):
            attempt()


def test_no_byte_of_what_is_sealed_can_be_changed():
    sealed = seal(b"text", key=KEY, context="row 1")
    for place in range(len(sealed)):
        altered = bytearray(sealed)
        altered[place] ^= 1
        with pytest.raises(CannotOpen):
            unseal(bytes(altered), key=KEY, context="row 1")


def test_new_keys_are_of_32_bytes_and_never_the_same():
    assert len({new_key() for _ in range(100)}) == 100
    assert {len(new_key())} == {32}


def test_a_ring_names_its_keys_and_shows_none():
    assert RING.active == "new"
    assert list(RING.keys) == ["new", "old"]
    assert repr(RING) == "KeyRing(new, old)"
    assert NEW not in str(RING)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no master key"),
        (" , ", "no master key"),
        (f":{NEW}", "'' has no name of its own"),
        (f"a:{NEW},b:{OLD},a:{OLD}", "'a' has no name of its own"),
        ("a:not base64!", "'a' is not valid base64"),
        (f"a:{base64.b64encode(b'short').decode()}", "'a' has 5 bytes instead of 32"),
    ],
)
def test_a_ring_that_is_malformed_names_the_fault(text: str, message: str):
    with pytest.raises(ValueError, match=message):
        KeyRing.parse(text)


def test_every_purpose_mode_and_master_key_has_a_key_of_its_own():
    keys = {
        RING.derive(purpose, livemode=livemode, key_id=key_id)
        for purpose in Purpose
        for livemode in (True, False)
        for key_id in RING.keys
    }
    assert len(keys) == len(Purpose) * 2 * 2
    assert {len(key) for key in keys} == {32}


def test_a_key_that_is_not_held_cannot_be_derived():
    with pytest.raises(CannotOpen, match="'lost' is not on the ring"):
        RING.derive(Purpose.WRAPPING, livemode=True, key_id="lost")


def test_a_keyed_hash_repeats_and_does_not_confuse_where_its_parts_end():
    def hashed(*parts: str) -> str:
        return RING.keyed_hash(Purpose.FINGERPRINT, *parts, livemode=True)

    assert hashed("ab", "c") == hashed("ab", "c")
    assert len({hashed("ab", "c"), hashed("a", "bc"), hashed("abc"), hashed("abc", "")}) == 4


def test_a_value_is_looked_up_under_every_key_on_the_ring():
    made_before = KeyRing.parse(f"old:{OLD}").keyed_hash(Purpose.API_KEY, "x", livemode=False)
    found = RING.keyed_hashes(Purpose.API_KEY, "x", livemode=False)
    assert found == [RING.keyed_hash(Purpose.API_KEY, "x", livemode=False), made_before]


def test_texts_match_only_themselves():
    assert matches("é", "é")
    assert not matches("é", "e")
    assert not matches("", "e")


def test_a_secret_survives_being_handed_to_another_process():
    assert pickle.loads(pickle.dumps(Secret("a"))) == Secret("a")
