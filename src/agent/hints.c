/* Client Hints: structured fields (RFC 8941), as far as Sec-CH-UA, -Mobile and -Platform use them.
 */
#include <string.h>

#include "parts.h"

/* ---- structured fields ----------------------------------------------------------------------- */

static void skip_spaces(struct str *rest) {
  while (rest->n > 0 && (rest->p[0] == ' ' || rest->p[0] == '\t')) *rest = str_skip(*rest, 1);
}

static bool take_char(struct str *rest, char c) {
  if (rest->n == 0 || rest->p[0] != c) return false;
  *rest = str_skip(*rest, 1);
  return true;
}

/* sf-string; *ret is what stands between the quotes, escapes as they are: no name that we know has
 * one. */
static bool take_string(struct str *rest, struct str *ret) {
  if (!take_char(rest, '"')) return false;
  struct str text = *rest;
  for (size_t i = 0; i < text.n; i++) {
    unsigned char c = (unsigned char)text.p[i];
    if (c == '"') {
      *ret = str_take(text, i);
      *rest = str_skip(text, i + 1);
      return true;
    }
    if (c < 0x20 || c > 0x7e) return false;
    if (c == '\\' && (++i == text.n || (text.p[i] != '"' && text.p[i] != '\\'))) return false;
  }
  return false;
}

static bool is_key_char(char c, bool first) {
  return (c >= 'a' && c <= 'z') || c == '*' ||
         (!first && (ascii_is_digit(c) || c == '_' || c == '-' || c == '.'));
}

static bool take_key(struct str *rest, struct str *ret) {
  size_t n = 0;
  while (n < rest->n && is_key_char(rest->p[n], n == 0)) n++;
  *ret = str_take(*rest, n);
  *rest = str_skip(*rest, n);
  return n > 0;
}

/* ;v="1";… : a parameter is a string here or has no value; `v` is told. */
static bool take_parameters(struct str *rest, struct str *ret_v) {
  struct str key, value;
  *ret_v = (struct str){0};
  while (take_char(rest, ';')) {
    while (take_char(rest, ' ')) continue;
    if (!take_key(rest, &key)) return false;
    if (!take_char(rest, '=')) continue;
    if (!take_string(rest, &value)) return false;
    if (str_eq(key, STR("v"))) *ret_v = value;
  }
  return true;
}

/* The next "brand";v="version" of a list. False: the end, or malformed (*ok). */
static bool next_brand(struct str *rest, bool first, struct str *ret, struct str *ret_v, bool *ok) {
  skip_spaces(rest);
  if (rest->n == 0) return false;
  if (!first) {
    *ok = take_char(rest, ',');
    skip_spaces(rest);
  }
  *ok = *ok && take_string(rest, ret) && take_parameters(rest, ret_v);
  return *ok;
}

static bool whole_string(struct str text, struct str *ret) {
  struct str v;
  if (!text.p || text.n > AGENT_HINT_BYTES) return false;
  text = str_trim(text);
  return take_string(&text, ret) && take_parameters(&text, &v) && text.n == 0;
}

/* ---- what they say --------------------------------------------------------------------------- */

struct pair {
  struct str from, to;
};

/* The first is what all the others are built on, and counts only without them. Brands that are not
 * here are passed over: GREASE is made to be unknown. */
static const struct pair brands[] = {
    {STR_INIT("Chromium"), STR_INIT("chromium")},
    {STR_INIT("Google Chrome"), STR_INIT("chrome")},
    {STR_INIT("HeadlessChrome"), STR_INIT("chrome")},
    {STR_INIT("Android WebView"), STR_INIT("chrome")},
    {STR_INIT("Microsoft Edge"), STR_INIT("edge")},
    {STR_INIT("Microsoft Edge WebView2"), STR_INIT("edge")},
    {STR_INIT("Opera"), STR_INIT("opera")},
    {STR_INIT("Opera GX"), STR_INIT("opera")},
    {STR_INIT("Brave"), STR_INIT("brave")},
    {STR_INIT("Samsung Internet"), STR_INIT("samsung")},
    {STR_INIT("YaBrowser"), STR_INIT("yandex")},
    {STR_INIT("Yandex"), STR_INIT("yandex")},
    {STR_INIT("Vivaldi"), STR_INIT("vivaldi")},
    {STR_INIT("DuckDuckGo"), STR_INIT("duckduckgo")},
};

static const struct pair platforms[] = {{STR_INIT("Windows"), STR_INIT("windows")},
                                        {STR_INIT("macOS"), STR_INIT("macos")},
                                        {STR_INIT("Linux"), STR_INIT("linux")},
                                        {STR_INIT("Android"), STR_INIT("android")},
                                        {STR_INIT("iOS"), STR_INIT("ios")},
                                        {STR_INIT("Chrome OS"), STR_INIT("chromeos")},
                                        {STR_INIT("Chromium OS"), STR_INIT("chromeos")}};

static const struct pair *find_pair(const struct pair *pairs, size_t n, struct str from) {
  for (size_t i = 0; i < n; i++)
    if (str_eq(pairs[i].from, from)) return &pairs[i];
  return NULL;
}

static void say(struct agent *agent, enum agent_field field, struct str value,
                enum agent_source source) {
  agent->fields[field] = value;
  agent->sources[field] = source;
}

static void apply_brands(struct str field, struct agent *agent) {
  const struct pair *best = NULL;
  struct str brand, v, version = {0};
  bool ok = true, first = true;
  if (!field.p || field.n > AGENT_HINT_BYTES) return;
  for (; next_brand(&field, first, &brand, &v, &ok); first = false) {
    const struct pair *known = find_pair(brands, sizeof(brands) / sizeof(*brands), brand);
    if (!known || (best && best != brands)) continue;
    if (best && known == brands) continue;
    best = known;
    version = v;
  }
  if (!ok || !best) return;
  say(agent, AGENT_BROWSER, best->to, AGENT_FROM_BRANDS);
  if (version.p) version = agent_version(version, agent->browser_version);
  say(agent, AGENT_BROWSER_VERSION, version, AGENT_FROM_BRANDS);
}

/* Of Windows the hint counts releases of an interface and not of the product. */
static struct str windows_version(struct str version) {
  if (str_eq(version, STR("0.1.0")) || str_eq(version, STR("0.1"))) return STR("7");
  if (str_eq(version, STR("0.2.0")) || str_eq(version, STR("0.2"))) return STR("8");
  if (str_eq(version, STR("0.3.0")) || str_eq(version, STR("0.3"))) return STR("8.1");
  uint64_t major;
  struct str rest = version, part;
  if (!str_split_next(&rest, '.', &part) || !str_to_u64(part, 10000, &major) || major == 0)
    return (struct str){0};
  return major >= 13 ? STR("11") : STR("10");
}

static void apply_platform(const struct agent_input *input, struct agent *agent) {
  struct str text;
  if (whole_string(input->platform, &text)) {
    const struct pair *known = find_pair(platforms, sizeof(platforms) / sizeof(*platforms), text);
    bool is_same = known && str_eq(known->to, agent->fields[AGENT_OS]);
    if (known && !is_same) agent->fields[AGENT_OS_VERSION] = (struct str){0};
    if (known) say(agent, AGENT_OS, known->to, AGENT_FROM_PLATFORM);
  }
  if (!agent->fields[AGENT_OS].p || !whole_string(input->platform_version, &text)) return;
  char buffer[AGENT_VERSION_BYTES];
  struct str version = agent_version(text, buffer);
  if (!version.p) return;
  if (str_eq(agent->fields[AGENT_OS], STR("windows"))) version = windows_version(version);
  if (!version.p) return;
  say(agent, AGENT_OS_VERSION, agent_version(version, agent->os_version),
      AGENT_FROM_PLATFORM_VERSION);
}

static void apply_mobile(struct str field, struct agent *agent) {
  struct str device = agent->fields[AGENT_DEVICE], os = agent->fields[AGENT_OS];
  if (!field.p || (device.p && str_eq(device, STR("bot")))) return;
  field = str_trim(field);
  if (str_eq(field, STR("?1"))) say(agent, AGENT_DEVICE, STR("mobile"), AGENT_FROM_MOBILE);
  if (!str_eq(field, STR("?0"))) return;
  bool is_handheld = os.p && (str_eq(os, STR("android")) || str_eq(os, STR("ios")));
  say(agent, AGENT_DEVICE, is_handheld ? STR("tablet") : STR("desktop"), AGENT_FROM_MOBILE);
}

void agent_apply_hints(const struct agent_input *input, struct agent *agent) {
  apply_brands(input->brands, agent);
  apply_platform(input, agent);
  apply_mobile(input->mobile, agent);
}
