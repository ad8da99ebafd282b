#!/usr/bin/python3
"""Writes MaxMind DB files with known contents, for tests; reads nothing.

    tests/support/mmdb.py FOLDER     writes the files of FILES; rules/example.mmdb is one of them, city.mmdb

The format is that of https://maxmind.github.io/MaxMind-DB/ version 2.0: a tree over the bits of an address, the
records, the metadata. IPv4 networks are under ::/96 of a tree of IPv6, as in MaxMind's files.
"""
import ipaddress
import pathlib
import struct
import sys

MARKER = b"\xab\xcd\xefMaxMind.com"


UINT16, UINT32, UINT64 = 5, 6, 9


class Number(int):
    """A number of a certain type; others are of 32 bits, or of 64 where these do not do."""

    def __new__(cls, kind, value):
        number = super().__new__(cls, value)
        number.kind = kind
        return number


def head(kind, n):
    """The first bytes of a value: its type and how long it is."""
    extended = bytes([kind - 7]) if kind > 7 else b""
    first = (0 if kind > 7 else kind) << 5
    if n < 29:
        return bytes([first | n]) + extended
    if n < 285:
        return bytes([first | 29]) + extended + bytes([n - 29])
    return bytes([first | 30]) + extended + struct.pack(">H", n - 285)


def pointer(to):
    if to < 2048:
        return struct.pack(">H", 1 << 13 | to)
    to -= 2048
    return bytes([1 << 5 | 1 << 3 | to >> 16]) + struct.pack(">H", to & 0xFFFF)


class Data:
    """The data section. A text or a map that is there already is pointed to."""

    def __init__(self, pointers=True):
        self.bytes = b""
        self.known = {}
        self.pointers = pointers

    def add(self, value):
        """Where the value begins."""
        key = repr(value)
        if key not in self.known:
            encoded = self.encode(value)
            self.known[key] = len(self.bytes)
            self.bytes += encoded
        return self.known[key]

    def encode(self, value, inside=False):
        if inside and self.pointers and isinstance(value, (str, dict)) and len(value) > 1:
            return pointer(self.add(value))
        if isinstance(value, bool):
            return head(14, int(value))
        if isinstance(value, Number):
            return head(value.kind, (value.bit_length() + 7) // 8) + int(value).to_bytes(
                (value.bit_length() + 7) // 8, "big")
        if isinstance(value, int):
            return self.encode(Number(UINT32 if value < 1 << 32 else UINT64, value))
        if isinstance(value, float):
            return head(3, 8) + struct.pack(">d", value)
        if isinstance(value, str):
            return head(2, len(value.encode())) + value.encode()
        if isinstance(value, list):
            return head(11, len(value)) + b"".join(self.encode(item, True) for item in value)
        parts = [self.encode(key, True) + self.encode(item, True) for key, item in value.items()]
        return head(7, len(value)) + b"".join(parts)


class Tree:
    """Nodes are pairs; None is empty, an int a node, a tuple of one the offset of a record."""

    def __init__(self, version):
        self.version = version
        self.nodes = [[None, None]]

    def bits(self, network):
        if self.version == 4:
            return f"{int(network.network_address):032b}"[:network.prefixlen]
        if network.version == 4:
            return "0" * 96 + f"{int(network.network_address):032b}"[:network.prefixlen]
        return f"{int(network.network_address):0128b}"[:network.prefixlen]

    def insert(self, network, offset):
        """Shorter networks first: a longer one divides what it is in."""
        node = 0
        bits = self.bits(network)
        for bit in map(int, bits[:-1]):
            if not isinstance(self.nodes[node][bit], int):
                self.nodes.append([self.nodes[node][bit]] * 2)
                self.nodes[node][bit] = len(self.nodes) - 1
            node = self.nodes[node][bit]
        self.nodes[node][int(bits[-1])] = (offset,)

    def record(self, value):
        if value is None:
            return len(self.nodes)
        return value if isinstance(value, int) else len(self.nodes) + 16 + value[0]

    def encode(self, size):
        out = b""
        for left, right in self.nodes:
            left, right = self.record(left), self.record(right)
            if size == 24:
                out += left.to_bytes(3, "big") + right.to_bytes(3, "big")
            elif size == 28:
                middle = left >> 24 << 4 | right >> 24
                out += (left & 0xFFFFFF).to_bytes(3, "big") + bytes([middle]) + (right & 0xFFFFFF).to_bytes(3, "big")
            else:
                out += struct.pack(">II", left, right)
        return out


def write(path, networks, *, version=6, size=24, kind="Test", pointers=True, **metadata):
    """networks: {"10.0.0.0/8": record}. Further metadata takes the place of what would be there."""
    data, tree = Data(pointers), Tree(version)
    for text in sorted(networks, key=lambda text: ipaddress.ip_network(text).prefixlen):
        tree.insert(ipaddress.ip_network(text), data.add(networks[text]))
    about = {"binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1767225600,
             "database_type": kind, "description": {"en": "made for tests"}, "ip_version": version,
             "languages": ["en"], "node_count": len(tree.nodes), "record_size": size, **metadata}
    for key in ("binary_format_major_version", "binary_format_minor_version", "ip_version", "record_size"):
        about[key] = Number(UINT16, about[key])
    about["build_epoch"] = Number(UINT64, about["build_epoch"])
    content = tree.encode(size) + bytes(16) + data.bytes + MARKER + Data(False).encode(about)
    pathlib.Path(path).write_bytes(content)


def maxmind(country, region=None, city=None, asn=None):
    record = {"country": {"geoname_id": 7, "iso_code": country, "names": {"de": "?", "en": "name of " + country}},
              "location": {"latitude": 1.5, "accuracy_radius": 20, "in_european_union": True}}
    if region:
        record["subdivisions"] = [{"iso_code": region, "names": {"en": "name of " + region}}, {"iso_code": "XX"}]
    if city:
        record["city"] = {"names": {"de": "Stadt", "en": city}}
    return record


# Networks of documentation and the like, so that nobody takes these contents for real ones.
CITY = {
    "203.0.113.0/24": maxmind("CN", "BJ", "Beijing"),
    "203.0.113.128/25": maxmind("CN", "SH", "Shanghai"),
    "203.0.113.129/32": maxmind("CN"),
    "198.51.100.0/24": maxmind("DE", "BE", "Berlin"),
    "2001:db8::/32": maxmind("JP", "13", "Tokyo"),
    "2001:db8:1::/48": maxmind("JP"),
}
ASN = {
    "203.0.113.0/24": {"autonomous_system_number": 64496, "autonomous_system_organization": "Example"},
    "192.0.2.0/24": {"autonomous_system_number": 4200000000},
    "2001:db8::/32": {"autonomous_system_number": 64497},
}
FLAT = {
    "203.0.113.0/24": {"country_code": "US", "city": "Springfield", "state1": "Illinois"},
    "192.0.2.0/24": {"country_code": "FR", "city": "Paris", "state1": "Île-de-France"},
    "2001:db8:1::/48": {"country_code": "KR"},
}
IPINFO = {
    "203.0.113.0/24": {"country_code": "BR", "country": "Brazil", "asn": "AS64500"},
    "192.0.2.0/24": {"country": "AR", "region": "Cordoba", "asn": "none"},
}
NESTED = {"203.0.113.0/24": {"country_code": "US", "more": [[[[[[[["deep"]]]]]]]]}}
for _ in range(40):
    NESTED["203.0.113.0/24"]["more"] = [NESTED["203.0.113.0/24"]["more"]]

FILES = {
    "city.mmdb": lambda path: write(path, CITY, kind="GeoLite2-City", size=28),
    "asn.mmdb": lambda path: write(path, ASN, kind="GeoLite2-ASN"),
    "flat.mmdb": lambda path: write(path, FLAT, kind="flat", size=32, pointers=False),
    "ipinfo.mmdb": lambda path: write(path, IPINFO, kind="ipinfo lite"),
    "v4.mmdb": lambda path: write(path, {"203.0.113.0/24": {"country_code": "CN"}}, version=4, kind="of IPv4 only"),
    "anonymous.mmdb": lambda path: write(path, {"203.0.113.0/24": {"is_tor_exit_node": True}},
                                         kind="GeoIP2-Anonymous-IP"),
    "empty-tree.mmdb": lambda path: write(path, {}, kind="GeoLite2-Country"),
    "numbers.mmdb": lambda path: write(path, {"203.0.113.0/24": {"country_code": 7, "asn": 1 << 40}}),
    "long.mmdb": lambda path: write(path, {"203.0.113.0/24": {"country_code": "A" * 1025},
                                           "192.0.2.0/24": {"country_code": "A" * 1024}}),
    "text-record.mmdb": lambda path: write(path, {"203.0.113.0/24": "CN"}),
    "nested.mmdb": lambda path: write(path, NESTED, pointers=False),
    "wide.mmdb": lambda path: write(path, {"203.0.113.0/24": {"country_code": "CN", "more": [1] * 5000}}),
    "version3.mmdb": lambda path: write(path, FLAT, binary_format_major_version=3),
    "no-nodes.mmdb": lambda path: write(path, FLAT, node_count=0),
    "more-nodes.mmdb": lambda path: write(path, FLAT, node_count=1 << 24),
    "record-size.mmdb": lambda path: write(path, FLAT, record_size=20),
}


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in FILES.items():
        make(folder / name)


if __name__ == "__main__":
    main()
