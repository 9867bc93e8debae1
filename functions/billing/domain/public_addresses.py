"""Which network addresses are the public internet's: the only ones that we call by themselves.

A tenant chooses the URL that its events go to, and could choose one that only we can reach: a
service beside us, or the place that hands out our credentials. So what is allowed is named, and the
rest refused.

Sources:
    https://www.iana.org/assignments/iana-ipv4-special-registry
    https://www.iana.org/assignments/iana-ipv6-special-registry
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_REFUSED_V4 = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            # Link-local, and with it the metadata of AWS, Azure and Google.
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            # Azure's own services, on an address that looks like anybody's.
            "168.63.129.16/32",
        ),
    )
)

_UNICAST_V6 = ip_network("2000::/3")
"""All that is given out. IPv4 in IPv6 (mapped, NAT64), unique local, link-local, loopback and
multicast lie outside, so that no form of a private IPv4 address gets in by another name."""

_REFUSED_V6 = tuple(
    map(
        ip_network,
        (
            # Protocols' own, Teredo among them, which holds an IPv4 address.
            "2001::/23",
            "2001:db8::/32",
            # 6to4 holds one as well.
            "2002::/16",
            "2620:4f:8000::/48",
            "3fff::/20",
        ),
    )
)


def is_public(address: str) -> bool:
    """Whether an IPv4 or IPv6 address, as a resolver writes it, is the public internet's."""
    if "%" in address:
        return False  # A zone belongs to one link.
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _REFUSED_V4)
    return parsed in _UNICAST_V6 and not any(parsed in network for network in _REFUSED_V6)


def is_loopback(address: str) -> bool:
    """Whether it is this machine's own: what the local stage may call as well."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a URL's host writes out; None: it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None
