"""Which addresses we call, which ones call us, and whose request it is."""

import pytest

from core.addresses import block, client_address, is_listed, is_public, networks, parse


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("196.201.214.200", "196.201.214.200"),
        (" 10.0.0.1 ", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)
def test_an_address_is_normalised(text: str, address: str):
    assert str(parse(text)) == address


@pytest.mark.parametrize("text", ["", "example.com", "10.0.0", "10.0.0.256", "0x7f.1", "127.1", "010.0.0.1"])
def test_what_is_no_address_is_refused(text: str):
    with pytest.raises(ValueError, match=r"address|Octet|octet"):
        parse(text)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "192.0.1.1", "196.201.214.200", "2001:200::1", "2606:4700::1111", "2a00::1"]
)
def test_public_addresses_may_be_called(address: str):
    assert is_public(parse(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "255.255.255.255",
        "fec0::1",
        "::ffff:0:a00:1",
        "::ffff:0:808:808",
        "192.88.99.1",
        "192.0.0.8",
        "192.0.0.170",
        "100::1",
        "100:0:0:1::1",
        "5f00::1",
        "3fff::1",
        "4000::1",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::",
        "2001:0:7f00::1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_private_special_and_disguised_addresses_may_not_be_called(address: str):
    assert not is_public(parse(address))


def test_a_list_holds_addresses_and_blocks_of_both_families():
    allowed = ["196.201.214.200", "10.0.0.0/8", "2001:db8::/32", " "]
    listed = ["196.201.214.200", "10.255.0.1", "::ffff:10.1.1.1", "2001:db8::9"]
    assert [is_listed(address, allowed) for address in listed] == [True] * 4
    assert not is_listed("196.201.214.201", allowed)
    assert not is_listed("2001:db9::1", allowed)
    assert not is_listed("10.0.0.1", [])


def test_a_block_that_is_none_is_named():
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8"):
        networks(["10.0.0.1/8"])
    with pytest.raises(ValueError, match="zone"):
        networks(["fe80::1%eth0"])


def test_the_zone_of_a_link_is_no_part_of_who_calls():
    assert str(parse("fe80::1%eth0")) == "fe80::1"
    assert block("fe80::1%eth0") == "fe80::/64"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "1.1.1.1", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "9.9.9.9, 1.1.1.1", "1.1.1.1"),
        ("10.0.0.1", "9.9.9.9, 1.1.1.1, 10.0.0.2", "1.1.1.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "1.1.1.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::ffff:10.0.0.1", "::ffff:1.1.1.1", "1.1.1.1"),
    ],
)
def test_a_request_is_of_the_right_most_hop_that_is_no_trusted_proxy(peer: str, forwarded: str | None, client: str):
    meta = {"REMOTE_ADDR": peer} | ({} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded})
    assert client_address(meta, trusted_proxies=["10.0.0.0/8"]) == client


def test_without_trusted_proxies_only_the_socket_counts():
    meta = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "1.1.1.1"}
    assert client_address(meta, trusted_proxies=[]) == "10.0.0.1"


def test_floods_are_counted_by_the_block_that_they_come_from():
    assert block("203.0.113.77") == "203.0.113.0/24"
    assert block("::ffff:203.0.113.77") == "203.0.113.0/24"
    assert block("2001:db8:1:2:3::4") == "2001:db8:1:2::/64"
