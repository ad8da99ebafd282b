"""What only the parser can refuse: patterns of its messages, and why a schema cannot say the same."""
import re

NAMES = "a schema does not know which names there are"
TYPES = "a schema does not know the declared types of attributes"
FILES = "a schema opens no files"
NUMBERS = "a schema compares no values that are text, and no values with each other"
TEXT = "too much for a pattern that people can read"
WHOLE = "it takes more than one place of the file"

REASONS = [
    (r"unknown (attribute|segment|upstream|variant|rule)\b", NAMES),
    (r"rule file '.*' does not exist", FILES),
    (r"there is no variant 'v1' to be stable", NAMES),
    (r"the split names the stable variant", NAMES),
    (r"'canaries'(: '.*' is (the stable variant|listed twice)| leaves out)", NAMES),
    (r"several variants beside stable need a list", NAMES),
    (r"there is no other variant than|the rule's requests go to '.*' themselves", NAMES),
    (r"(is used twice|is there twice|have the id|is declared in adit.json already)", NAMES),
    (r"segment leads to itself", NAMES),
    (r"the request gives .*, which is not a declared attribute", NAMES),
    (r"there is no such directory|nothing answers for a|needs the attribute '.*', which is not declared", NAMES),
    (r"may not claim", NAMES),
    (r"is the name of the sticky cookie", NAMES),
    (r"has a meaning of its own", NAMES),
    (r"(in 'by'|'hash_by': '.*') depends on the time", NAMES),
    (r"operator '\w+' does not apply to", TYPES),
    (r"does not fit \w+ attribute", TYPES),
    (r"no database knows|is not a MaxMind DB file|nothing answers for|cannot read|the file (is empty|has)|the line does not fit", FILES),
    (r"the weights add up to|ranges of .* overlap|ends before it begins", NUMBERS),
    (r"low is not below high|is all day or never|'window' is over before|from is not below to", NUMBERS),
    (r"'pause_max' is shorter than 'pause'|'timeout' is longer than 'interval'", NUMBERS),
    (r"with 'on_absent' alone", NUMBERS),
    (r"at most two decimals", NUMBERS),
    (r"is not a size from 0B to 1MiB", NUMBERS),
    (r"must be from \d+\w+ to|'sticky.ttl': .* is too (short|long)", NUMBERS),
    (r"bits set|has a port that is none|has port 0", NUMBERS),
    (r"is not an address with a port|is neither a host name nor an address", TEXT),
    (r"no host name|is not a host or a pattern|is not a host name", TEXT),
    (r"is not the normal form of a path|no path begins with", TEXT),
    (r"bad url|bad headers", TEXT),
    (r"client_ip '.*' is not an IP address|now '.*' is not a time", TEXT),
    (r"no key fits algorithm|is neither a PEM public key nor|the secret has fewer|a public key is no secret", FILES),
    (r"does not come from a URL|only lines in JSON (have attributes|are redacted)", WHOLE),
    (r"a server that is neither unix:/PATH nor an IP address", TEXT),
    (r"there is no time zone '", FILES),
    (r"bad pattern for|regex does not compile", TEXT),
    (r"nested more than|more than 1000000 conditions", WHOLE),
    (r"cannot be 'full' without a canary", WHOLE),
    (r"is not a loopback address and there is no token", WHOLE),
    (r"\\u0000 is not allowed", "every text of the file would need a pattern of its own that says only this"),
    (r"duplicate key|behind the end of the value", "validators see JSON when it is parsed"),
    (r"test '.*' failed|outcome could depend on the time", "tests are run, not read"),
]
PATTERNS = [re.compile(pattern) for pattern, _ in REASONS]


def excused(message):
    return any(pattern.search(message) for pattern in PATTERNS)
