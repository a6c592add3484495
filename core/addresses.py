"""Network addresses: whose request this is, and which addresses we may call."""

import ipaddress
from collections.abc import Iterable, Mapping

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_CARRIES_IPV4 = tuple(
    ipaddress.IPv6Network(block) for block in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
)
"""NAT64, 6to4, Teredo and IPv4-compatible forms: a private IPv4 address could hide inside."""


def parse(text: str) -> Address:
    """The address, an IPv4-mapped IPv6 one as IPv4. Raises ValueError."""
    address = ipaddress.ip_address(text.strip())
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Addresses and CIDR blocks. Raises ValueError that names the one that is neither."""
    return tuple(ipaddress.ip_network(text.strip()) for text in texts if text.strip())


def is_listed(address: str, allowed: Iterable[str]) -> bool:
    parsed = parse(address)
    return any(parsed in network for network in networks(allowed))


def is_public(address: Address) -> bool:
    """Whether the address is on the public internet, with no private one hidden in it."""
    if isinstance(address, ipaddress.IPv6Address) and any(address in block for block in _CARRIES_IPV4):
        return False
    return address.is_global and not address.is_multicast


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
