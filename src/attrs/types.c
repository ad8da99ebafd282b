#include <math.h>

#include "adit/attrs.h"
#include "adit/json.h"
#include "adit/units.h"
#include "adit/zone.h"
#include "version.h"

static const char *const type_names[] = {
    [ATTR_STRING] = "string",
    [ATTR_NUMBER] = "number",
    [ATTR_BOOL] = "bool",
    [ATTR_TIME] = "time",
    [ATTR_DURATION] = "duration",
    [ATTR_VERSION] = "version",
    [ATTR_SEMVER] = "semver",
    [ATTR_IP] = "ip",
    [ATTR_LIST] = "list",
    [ATTR_WEEKDAY] = "weekday",
    [ATTR_TIME_OF_DAY] = "time of day",
};

const char *attr_type_name(enum attr_type type) {
  return type_names[type];
}

/* What only built-in attributes and ages have. */
static bool is_declarable(enum attr_type type) {
  return type != ATTR_DURATION && type != ATTR_WEEKDAY && type != ATTR_TIME_OF_DAY;
}

bool attr_type_parse(struct str name, enum attr_type *ret) {
  for (size_t i = 0; i < sizeof(type_names) / sizeof(*type_names); i++) {
    enum attr_type type = (enum attr_type)i;
    if (!is_declarable(type) || !str_eq(name, str_from_cstr(type_names[i]))) continue;
    *ret = type;
    return true;
  }
  return false;
}

bool attr_type_is_ordered(enum attr_type type) {
  switch (type) {
    case ATTR_NUMBER:
    case ATTR_TIME:
    case ATTR_DURATION:
    case ATTR_VERSION:
    case ATTR_SEMVER:
    case ATTR_TIME_OF_DAY:
      return true;
    case ATTR_STRING:
    case ATTR_BOOL:
    case ATTR_IP:
    case ATTR_LIST:
    case ATTR_WEEKDAY:
      return false;
  }
  return false;
}

/* "1e999" is JSON, but no double: nothing could be compared with it. */
static bool parse_number(struct str text, double *ret) {
  double number;
  if (!json_number_parse(text, &number) || !isfinite(number)) return false;
  *ret = number;
  return true;
}

static bool parse_bool(struct str text, bool *ret) {
  bool is_true = str_eq(text, STR("true"));
  if (!is_true && !str_eq(text, STR("false"))) return false;
  *ret = is_true;
  return true;
}

static bool parse_time_of_day(struct str text, int64_t *ret_ms) {
  unsigned second;
  if (!time_of_day_parse(text, &second)) return false;
  *ret_ms = (int64_t)second * 1000;
  return true;
}

static bool parse_as(enum attr_type type, struct str text, struct attr_datum *ret) {
  switch (type) {
    case ATTR_STRING:
    case ATTR_LIST:
      return true;
    case ATTR_NUMBER:
      return parse_number(text, &ret->as.number);
    case ATTR_BOOL:
      return parse_bool(text, &ret->as.boolean);
    case ATTR_TIME:
      return time_parse(text, &ret->as.ms);
    case ATTR_DURATION:
      return duration_parse(text, true, &ret->as.ms);
    case ATTR_VERSION:
      return version_is_valid(text);
    case ATTR_SEMVER:
      return semver_is_valid(text);
    case ATTR_IP:
      return ip_parse(str_trim(text), &ret->as.ip);
    case ATTR_WEEKDAY:
      return weekday_parse(text, &ret->as.weekday);
    case ATTR_TIME_OF_DAY:
      return parse_time_of_day(text, &ret->as.ms);
  }
  return false;
}

bool attr_datum_parse(enum attr_type type, struct str text, struct attr_datum *ret) {
  struct attr_datum datum = {.text = text};
  if (!parse_as(type, text, &datum)) return false;
  *ret = datum;
  return true;
}

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

int attr_datum_compare(enum attr_type type, const struct attr_datum *a,
                       const struct attr_datum *b) {
  switch (type) {
    case ATTR_STRING:
    case ATTR_LIST:
      return str_cmp(a->text, b->text);
    case ATTR_NUMBER:
      return COMPARE(a->as.number, b->as.number);
    case ATTR_BOOL:
      return COMPARE(a->as.boolean, b->as.boolean);
    case ATTR_TIME:
    case ATTR_DURATION:
    case ATTR_TIME_OF_DAY:
      return COMPARE(a->as.ms, b->as.ms);
    case ATTR_WEEKDAY:
      return COMPARE(a->as.weekday, b->as.weekday);
    case ATTR_VERSION:
      return version_compare(a->text, b->text);
    case ATTR_SEMVER:
      return semver_compare(a->text, b->text);
    case ATTR_IP:
      return memcmp(a->as.ip.bytes, b->as.ip.bytes, sizeof(a->as.ip.bytes));
  }
  return 0;
}

const char *attr_missing_text(enum attr_missing why) {
  switch (why) {
    case ATTR_MISSING_ABSENT:
      return "not in the request";
    case ATTR_MISSING_UNTRUSTED:
      return "in the request, but does not count from this peer";
    case ATTR_MISSING_UNPARSABLE:
      return "not of the attribute's type";
    case ATTR_MISSING_REPEATED:
      return "in several header fields, where only one can be trusted";
    case ATTR_MISSING_NOT_SUPPLIED:
      return "not to be had";
    case ATTR_MISSING_EMPTY_LIST:
      return "a list without elements";
  }
  return "";
}
