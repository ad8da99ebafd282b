#include "condition_tree.h"

#define TYPE(name) (1u << ATTR_##name)
#define STRINGS    (TYPE(STRING) | TYPE(LIST))
#define ORDERED \
  (TYPE(NUMBER) | TYPE(TIME) | TYPE(DURATION) | TYPE(VERSION) | TYPE(SEMVER) | TYPE(TIME_OF_DAY))
#define ANY (STRINGS | ORDERED | TYPE(BOOL) | TYPE(IP) | TYPE(WEEKDAY))

/* In the order in which hints list them. */
static const struct operator_info operators[] = {
    {"eq", ANY, LITERAL_ONE, TEST_COMPARE, .accepts = ACCEPT_EQUAL},
    {"ne", ANY, LITERAL_ONE, TEST_COMPARE, .accepts = ACCEPT_EQUAL, .negative = true},
    {"in", ANY, LITERAL_LIST, TEST_IN},
    {"not_in", ANY, LITERAL_LIST, TEST_IN, .negative = true},
    {"exists", ANY, LITERAL_BOOLEAN, TEST_EXISTS},
    {"in_file", ANY, LITERAL_FILE, TEST_IN},
    {"starts_with", STRINGS, LITERAL_TEXTS, TEST_STARTS_WITH, .takes_case = true},
    {"ends_with", STRINGS, LITERAL_TEXTS, TEST_ENDS_WITH, .takes_case = true},
    {"contains", STRINGS, LITERAL_TEXTS, TEST_CONTAINS, .takes_case = true},
    {"matches", STRINGS, LITERAL_PATTERNS, TEST_MATCHES, .takes_case = true},
    {"under", TYPE(STRING), LITERAL_PREFIXES, TEST_UNDER, .only_path = true},
    {"gt", ORDERED, LITERAL_ONE, TEST_COMPARE, .accepts = ACCEPT_GREATER},
    {"gte", ORDERED, LITERAL_ONE, TEST_COMPARE, .accepts = ACCEPT_GREATER | ACCEPT_EQUAL},
    {"lt", ORDERED, LITERAL_ONE, TEST_COMPARE, .accepts = ACCEPT_LESS},
    {"lte", ORDERED, LITERAL_ONE, TEST_COMPARE, .accepts = ACCEPT_LESS | ACCEPT_EQUAL},
    {"between", ORDERED, LITERAL_PAIR, TEST_BETWEEN},
    {"after", TYPE(TIME), LITERAL_ONE, TEST_COMPARE, .accepts = ACCEPT_GREATER},
    {"before", TYPE(TIME), LITERAL_ONE, TEST_COMPARE, .accepts = ACCEPT_LESS},
    {"in_cidr", TYPE(IP), LITERAL_NETWORKS, TEST_IN_CIDR},
    {"bucket_in", STRINGS, LITERAL_SHARE, TEST_BUCKET_IN},
};

enum { OPERATOR_COUNT = sizeof(operators) / sizeof(*operators) };
_Static_assert((int)OPERATOR_COUNT < (int)OPERATORS_MAX, "operator_names needs room for NULL");

const struct operator_info *operator_find(struct str name) {
  for (size_t i = 0; i < OPERATOR_COUNT; i++) {
    if (str_eq(name, str_from_cstr(operators[i].name))) return &operators[i];
  }
  return NULL;
}

bool operator_applies(const struct operator_info *info, enum attr_type type, bool is_path) {
  return (info->types & (1u << type)) != 0 && (is_path || !info->only_path);
}

void operator_names(enum attr_type type, bool is_path, const char **ret) {
  size_t n = 0;
  for (size_t i = 0; i < OPERATOR_COUNT; i++) {
    if (operator_applies(&operators[i], type, is_path)) ret[n++] = operators[i].name;
  }
  ret[n] = NULL;
}
