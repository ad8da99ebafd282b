"""geoip and cidr: by the client's address, also when databases change on disk under the sandbox."""
import os
import pathlib
import re
import sys

from test_privileges import NOBODY, give_files_to
from visitors import answer_names, ask

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import mmdb  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
REFUSED = "adit: error: reload refused: the running configuration goes on as it was"


def path(bench, name):
    return os.path.join(bench.directory.name, name)


def write_country(bench, country):
    """Beside it and renamed into place, as one should."""
    mmdb.write(path(bench, "new.mmdb"), {"203.0.113.0/24": {"country_code": country}})
    os.rename(path(bench, "new.mmdb"), path(bench, "country.mmdb"))


def start(bench, **config):
    answer_names(*bench.origins)
    write_country(bench, "CN")
    bench.write("sites.json", {"10.0.0.0/8": "office", "2001:db8::/32": "office"})
    bench.write_files(
        config={**config, "geoip": {"databases": ["country.mmdb"]}, "trusted_proxies": ["127.0.0.0/8"],
                "attributes": {"country": {"type": "string", "from": [{"geoip": "country"}]},
                               "site": {"type": "string", "from": [{"cidr": "sites.json"}]}}},
        rules={"rules": [{"id": "china", "when": {"country": "CN"}, "to": "canary"},
                         {"id": "office", "when": {"site": "office"}, "to": "canary"}]})
    if "user" in config:
        give_files_to(bench, config["user"])
    return bench.run()


def who(bench, address):
    return ask(bench, f"X-Forwarded-For: {address}").body.decode()


def test_by_address(bench):
    start(bench)
    for address in ("203.0.113.1", "::ffff:203.0.113.1", "10.1.2.3", "2001:db8::1"):
        assert who(bench, address) == "canary", address
    for address in ("203.0.112.255", "11.0.0.1", "2001:db9::1", "127.0.0.1"):
        assert who(bench, address) == "v1", address


def expect_refused(bench, *said):
    """A reload that changes nothing, and says why; Beijing is in China as before."""
    lines = bench.gateway.reload()
    assert REFUSED in lines[-1], lines
    for text in said:
        assert any(text in line for line in lines), (text, lines)
    assert who(bench, "203.0.113.1") == "canary"


def test_reload_swaps_the_database(bench):
    """Also under the sandbox, which every thread is in by now: a copy in memory is made and mapped then, by whom root has
    become."""
    as_root = os.geteuid() == 0
    start(bench, **({"user": NOBODY} if as_root else {}))
    for status in pathlib.Path(f"/proc/{bench.gateway.process.pid}/task").glob("*/status"):
        assert re.search(r"^Seccomp:\t2$", status.read_text(), re.M), status
    for country, variant in (("DE", "v1"), ("CN", "canary"), ("FR", "v1")):
        before = who(bench, "203.0.113.1")
        write_country(bench, country)
        assert who(bench, "203.0.113.1") == before
        assert REFUSED not in bench.gateway.reload()[-1]
        assert who(bench, "203.0.113.1") == variant


def test_cut_off_in_place(bench):
    """What is mapped is a copy: nobody dies of SIGBUS."""
    start(bench)
    os.truncate(path(bench, "country.mmdb"), 100)
    assert who(bench, "203.0.113.1") == "canary"
    expect_refused(bench, "is not a MaxMind DB file, or its end is missing")


def test_bad_databases_on_a_reload(bench):
    start(bench)
    whole = pathlib.Path(path(bench, "country.mmdb")).read_bytes()
    mmdb.FILES["asn.mmdb"](path(bench, "asn"))
    mmdb.FILES["anonymous.mmdb"](path(bench, "anonymous"))
    for content, said in (
            (b"", "is empty"),
            (b"garbage\n" * 1000, "is not a MaxMind DB file, or its end is missing"),
            (whole[:-200], "is not a MaxMind DB file, or its end is missing"),
            (whole[200:], "is damaged"),
            (pathlib.Path(path(bench, "asn")).read_bytes(), "attribute 'country': no database knows 'country'"),
            (pathlib.Path(path(bench, "anonymous")).read_bytes(), "knows no country, region, city or asn")):
        pathlib.Path(path(bench, "country.mmdb")).write_bytes(content)
        expect_refused(bench, said)
    os.unlink(path(bench, "country.mmdb"))
    expect_refused(bench, "No such file or directory")
    write_country(bench, "DE")
    assert REFUSED not in bench.gateway.reload()[-1]
    assert who(bench, "203.0.113.1") == "v1"


def test_bad_ranges_on_a_reload(bench):
    start(bench)
    for content, said in (("{", "sites.json"), ('{ "10.0.0.1/8": "office" }', "has bits set behind its prefix"),
                          ('{ "10.0.0.0/8": 7 }', "sites.json"), ('[]', "sites.json")):
        pathlib.Path(path(bench, "sites.json")).write_text(content, encoding="utf-8")
        expect_refused(bench, said)
        assert who(bench, "10.1.2.3") == "canary"
    bench.write("sites.json", {"10.0.0.0/8": "office", "10.1.0.0/16": "elsewhere"})
    assert REFUSED not in bench.gateway.reload()[-1]
    assert (who(bench, "10.1.2.3"), who(bench, "10.2.2.3")) == ("v1", "canary")


def test_real_database(bench):
    """Countries of all addresses there are; nothing but an address says where somebody is."""
    found = [folder / "country.mmdb" for folder in (pathlib.Path(bench.binary).resolve().parents[1] / "rules",
                                                    ROOT / "build-test/rules", ROOT / "build-demo/rules")]
    found = [file for file in found if file.exists()]
    assert found, "docker/geodata.sh build-test/rules fetches the database that is tested here; it is not there"
    answer_names(*bench.origins)
    bench.write_files(
        config={"geoip": {"databases": [str(found[0])]}, "trusted_proxies": ["127.0.0.0/8"],
                "attributes": {"country": {"type": "string", "from": [{"geoip": "country"}]}}},
        rules={"rules": [{"id": "china", "when": {"country": "CN"}, "to": "canary"}]})
    bench.run()
    # Networks of universities and registries, which stay where they are: CERNET, Tokyo, RIPE NCC, WIDE.
    for address, variant in (("202.112.0.36", "canary"), ("::ffff:202.112.0.36", "canary"), ("2001:da8::1", "canary"),
                             ("133.11.0.1", "v1"), ("193.0.6.139", "v1"), ("2001:200::1", "v1"),
                             ("10.0.0.1", "v1"), ("2001:db8::1", "v1")):
        assert who(bench, address) == variant, address
