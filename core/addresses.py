"""Network addresses: whose request this is, and which addresses we may call."""

import ipaddress
from collections.abc import Iterable, Mapping

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that is handed out of IPv6. What lies outside is local, for one network, or carries IPv4: NAT64, SIIT, mapped."""
_SPECIAL = (
    "192.0.0.0/24",  # protocol assignments: DS-Lite, discovery of NAT64
    "192.88.99.0/24",  # relays of 6to4
    "2001::/23",  # protocol assignments: Teredo, which carries IPv4, benchmarks, identifiers that are no addresses
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4, which carries IPv4
    "3fff::/20",  # documentation
)
"""Within what is handed out, and not the internet. In code, as Python's own lists grow with its version."""


def parse(text: str) -> Address:
    """The address, an IPv4-mapped IPv6 one as IPv4, without the zone of a link. Raises ValueError."""
    address = ipaddress.ip_address(text.strip().partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and CIDR blocks. Raises ValueError that names the one that is neither."""
    return tuple(_network(text.strip()) for text in texts if text.strip())


def _network(text: str) -> Network:
    if "%" in text:
        raise ValueError(f"{text!r} names the zone of a link, which says nothing on another machine")
    return ipaddress.ip_network(text)


def is_listed(address: str, allowed: Iterable[str]) -> bool:
    parsed = parse(address)
    return any(parsed in network for network in networks(allowed))


def is_public(address: Address) -> bool:
    """Whether the address is on the public internet, with no private one hidden in it."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not is_listed(str(address), _SPECIAL)


def client_address(meta: Mapping[str, object], *, trusted_proxies: Iterable[str]) -> str:
    """Whose request it is: the right-most X-Forwarded-For hop that is not a trusted proxy.

    Without trusted proxies, or when the socket's peer is not one, only the socket's address counts.
    """
    peer = parse(str(meta.get("REMOTE_ADDR") or "0.0.0.0"))
    trusted = networks(trusted_proxies)
    hops = str(meta.get("HTTP_X_FORWARDED_FOR") or "").split(",")
    address = peer
    while hops and any(address in network for network in trusted):
        try:
            address = parse(hops.pop())
        except ValueError:
            break
    return str(address)


def block(address: str) -> str:
    """The /24 or /64 that an address lies in, for counting floods."""
    parsed = parse(address)
    prefix = 24 if isinstance(parsed, ipaddress.IPv4Address) else 64
    return str(ipaddress.ip_network(f"{parsed}/{prefix}", strict=False))
