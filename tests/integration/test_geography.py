"""geoip and cidr: by the client's address, also when databases change on disk under the sandbox."""
import os
import pathlib
import sys

from visitors import answer_names, ask

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import mmdb  # noqa: E402

REFUSED = "adit: error: reload refused: the running configuration goes on as it was"


def path(bench, name):
    return os.path.join(bench.directory.name, name)


def write_country(bench, country):
    """Beside it and renamed into place, as one should."""
    mmdb.write(path(bench, "new.mmdb"), {"203.0.113.0/24": {"country_code": country}})
    os.rename(path(bench, "new.mmdb"), path(bench, "country.mmdb"))


def start(bench):
    answer_names(*bench.origins)
    write_country(bench, "CN")
    bench.write("sites.json", {"10.0.0.0/8": "office", "2001:db8::/32": "office"})
    bench.write_files(
        config={"geoip": {"databases": ["country.mmdb"]}, "trusted_proxies": ["127.0.0.0/8"],
                "attributes": {"country": {"type": "string", "from": [{"geoip": "country"}]},
                               "site": {"type": "string", "from": [{"cidr": "sites.json"}]}}},
        rules={"rules": [{"id": "china", "when": {"country": "CN"}, "to": "canary"},
                         {"id": "office", "when": {"site": "office"}, "to": "canary"}]})
    return bench.run()


def who(bench, address):
    return ask(bench, f"X-Forwarded-For: {address}").body.decode()


def test_by_address(bench):
    start(bench)
    for address in ("203.0.113.1", "::ffff:203.0.113.1", "10.1.2.3", "2001:db8::1"):
        assert who(bench, address) == "canary", address
    for address in ("203.0.112.255", "11.0.0.1", "2001:db9::1", "127.0.0.1"):
        assert who(bench, address) == "v1", address


def test_reload_swaps_the_database(bench):
    start(bench)
    write_country(bench, "DE")
    assert who(bench, "203.0.113.1") == "canary"
    bench.gateway.reload()
    assert who(bench, "203.0.113.1") == "v1"


def test_cut_off_in_place(bench):
    start(bench)
    os.truncate(path(bench, "country.mmdb"), 100)
    assert who(bench, "203.0.113.1") == "canary"
    bench.gateway.reload()
    assert any(REFUSED in line for line in bench.gateway.lines)
    assert who(bench, "203.0.113.1") == "canary"
