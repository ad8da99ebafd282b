/* The flags of explain as a batch request. */
#include "adit/decide.h"
#include "adit/text.h"
#include "cli/explain.h"

static bool refuse(struct text *why, const char *format, struct str what) {
  text_printf(why, format, STR_ARG(what));
  return false;
}

static bool add_member(struct text *out, const char *name, struct str value, struct text *why) {
  if (!value.p) return true;
  if (!str_is_utf8(value)) return refuse(why, "'%.*s' is not UTF-8", value);
  text_printf(out, ",\"%s\":", name);
  text_add_json(out, value);
  return true;
}

/* As curl's -H: "Name: value", and "Name;" for a field without a value. */
static bool add_header(struct text *out, struct str line, struct text *why) {
  size_t colon = str_find_char(line, ':', 0);
  struct str name = str_take(line, colon);
  struct str value = str_trim(str_skip(line, colon + 1));
  if (!str_is_utf8(line)) return refuse(why, "header '%.*s' is not UTF-8", line);
  if (colon == line.n) {
    if (!str_ends_with(line, STR(";"))) {
      return refuse(why, "header '%.*s' has no colon: write 'Name: value'", line);
    }
    name.n--;
  } else if (value.n == 0) {
    return refuse(why, "header '%.*s' has no value: write 'Name;' to send it empty", line);
  }
  text_add_char(out, '[');
  text_add_json(out, name);
  text_add_char(out, ',');
  text_add_json(out, value);
  text_add_char(out, ']');
  return true;
}

static bool add_headers(const struct explain_request *request, struct text *out, struct text *why) {
  if (request->header_count == 0) return true;
  text_add(out, STR(",\"headers\":["));
  for (size_t i = 0; i < request->header_count; i++) {
    if (i) text_add_char(out, ',');
    if (!add_header(out, request->headers[i], why)) return false;
  }
  text_add_char(out, ']');
  return true;
}

/* A line's name and value; false: it has no name. */
static bool split_attribute(struct str line, struct str *ret_name, struct str *ret_value) {
  size_t at = str_find_char(line, '=', 0);
  *ret_name = str_take(line, at);
  *ret_value = str_skip(line, at + 1);
  return at > 0 && at < line.n;
}

/* All values of the i-th line's name, unless an earlier line has it. */
static bool add_attribute(const struct explain_request *request, size_t i, struct text *out,
                          struct text *why) {
  struct str name, value, other;
  if (!str_is_utf8(request->attributes[i]) ||
      !split_attribute(request->attributes[i], &name, &value))
    return refuse(why, "--attribute '%.*s': write NAME=VALUE", request->attributes[i]);
  for (size_t k = 0; k < i; k++) {
    split_attribute(request->attributes[k], &other, &value);
    if (str_eq(other, name)) return true;
  }
  if (i > 0) text_add_char(out, ',');
  text_add_json(out, name);
  const char *before = ":[";
  for (size_t k = i; k < request->attribute_count; k++) {
    split_attribute(request->attributes[k], &other, &value);
    if (!str_eq(other, name)) continue;
    text_printf(out, "%s", before);
    text_add_json(out, value);
    before = ",";
  }
  text_add_char(out, ']');
  return true;
}

static bool add_attributes(const struct explain_request *request, struct text *out,
                           struct text *why) {
  if (request->attribute_count == 0) return true;
  text_add(out, STR(",\"attributes\":{"));
  for (size_t i = 0; i < request->attribute_count; i++)
    if (!add_attribute(request, i, out, why)) return false;
  text_add_char(out, '}');
  return true;
}

static bool add_bucket(struct text *out, struct str bucket, struct text *why) {
  uint64_t number;
  if (!bucket.p) return true;
  if (!str_to_u64(bucket, BUCKETS - 1, &number)) {
    return refuse(why, "--bucket '%.*s' is not a whole number from 0 to 9999", bucket);
  }
  text_printf(out, ",\"bucket\":%u", (unsigned)number);
  return true;
}

bool explain_request_to_json(const struct explain_request *request, struct text *out,
                             struct text *ret_why) {
  if (!str_is_utf8(request->url)) {
    return refuse(ret_why, "the URL '%.*s' is not UTF-8", request->url);
  }
  text_add(out, STR("{\"url\":"));
  text_add_json(out, request->url);
  bool ok = add_member(out, "method", request->method, ret_why) &&
            add_headers(request, out, ret_why) &&
            add_member(out, "client_ip", request->client_ip, ret_why) &&
            add_member(out, "now", request->now, ret_why) &&
            add_member(out, "pin", request->pin, ret_why) &&
            add_bucket(out, request->bucket, ret_why) && add_attributes(request, out, ret_why);
  if (!ok) return false;
  text_printf(out, ",\"trusted\":%s}", request->untrusted ? "false" : "true");
  return !text_failed(out) || refuse(ret_why, "the request is too large%.*s", STR(""));
}
