/*
 * A search's assumptions made into a request.
 *
 *   choose   missing or values, for each slot that a rule asks
 *   place    each slot's values into its first source, ages into the time that they are of
 *   write    the object
 */
#include "model.h"

#include "adit/text.h"
#include "adit/units.h"
#include "pattern.h"

enum { VALUES_MAX = 16, PARTS_MAX = 256, PART_BYTES_MAX = 4096 };

struct part {
  struct str name, value;
};

struct parts {
  VEC(struct part) list; /* up to PARTS_MAX */
};

struct writer {
  const struct model_base *base;
  struct arena *arena;
  struct str host, path, method, scheme, client_ip; /* p == NULL: as it is by default */
  int64_t now_ms;
  bool has_now;
  struct parts headers, cookies, query;
  struct parts given; /* attributes whose sources a request cannot speak for */
};

/* ---- placing --------------------------------------------------------------------------------- */

static bool add_part(struct arena *arena, struct parts *parts, struct str name, struct str value) {
  if (parts->list.n == PARTS_MAX || !value.p) return false;
  return VEC_PUSH(arena, &parts->list, (struct part){name, value});
}

/* The text that a source's pattern takes the value from. */
static struct str wrap(struct arena *arena, const struct attr_source_info *source,
                       struct str value) {
  if (!source->pattern.p) return value;
  const struct pattern *pattern = pattern_read(arena, source->pattern, false);
  struct text text;
  if (!pattern) return (struct str){0};
  text_init(&text, PART_BYTES_MAX);
  pattern_sample(pattern, 0, value, &text);
  struct str wrapped = arena_dup(arena, text_str(&text));
  text_deinit(&text);
  return wrapped;
}

static bool place_in_source(struct writer *writer, const struct attr_source_info *source,
                            struct str value) {
  struct str text = wrap(writer->arena, source, value);
  switch (source->kind) {
    case SOURCE_HEADER:
      return add_part(writer->arena, &writer->headers, source->name, text);
    case SOURCE_COOKIE:
      return add_part(writer->arena, &writer->cookies, source->name, text);
    case SOURCE_QUERY:
    case SOURCE_JWT: /* never here */
    case SOURCE_GEOIP:
    case SOURCE_CIDR:
    case SOURCE_LOOKUP:
    case ATTR_SOURCE_KINDS:
      break;
  }
  return add_part(writer->arena, &writer->query, source->name, text);
}

static bool place(struct writer *writer, uint16_t slot, const struct attr_datum *datum);

/* T such that its age is right. */
static bool place_age(struct writer *writer, uint16_t slot, const struct attr_datum *age) {
  const struct attr_table *table = writer->base->route->table;
  struct attr_datum time;
  char buffer[40];
  writer->has_now = true;
  if (__builtin_sub_overflow(writer->now_ms, age->as.ms, &time.as.ms)) return false;
  uint16_t base = attr_table_base(table, slot);
  struct str text = time_format(time.as.ms, buffer, sizeof(buffer));
  if (!attr_datum_parse(ATTR_TIME, text, &time)) return false;
  time.text = arena_dup(writer->arena, text);
  return time.text.p && place(writer, base, &time);
}

static bool place(struct writer *writer, uint16_t slot, const struct attr_datum *datum) {
  const struct attr_table *table = writer->base->route->table;
  struct attr_source_info source;
  switch (attr_table_channel(table, slot)) {
    case ATTR_FROM_METHOD:
      writer->method = datum->text;
      return true;
    case ATTR_FROM_SCHEME:
      writer->scheme = datum->text;
      return true;
    case ATTR_FROM_HOST:
      writer->host = datum->text;
      return true;
    case ATTR_FROM_PATH:
      writer->path = datum->text;
      return true;
    case ATTR_FROM_CLIENT_IP:
      writer->client_ip = datum->text;
      return true;
    case ATTR_FROM_NOW:
      writer->has_now = true;
      writer->now_ms = datum->as.ms;
      return true;
    case ATTR_FROM_LOCAL_TIME:
      return false; /* choose_clock has said it by now */
    case ATTR_FROM_AGE:
      return place_age(writer, slot, datum);
    case ATTR_FROM_AGENT:
      return add_part(writer->arena, &writer->given, attr_table_name(table, slot), datum->text);
    case ATTR_FROM_SOURCES:
      break;
  }
  if (!attr_table_source(table, slot, 0, &source)) return false;
  if (source.kind >= SOURCE_JWT)
    return add_part(writer->arena, &writer->given, attr_table_name(table, slot), datum->text);
  return place_in_source(writer, &source, datum->text);
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* One value that has all, else one for each. */
static bool choose_values(struct writer *writer, struct search *search, const struct domain *domain,
                          const struct slot_values *values) {
  struct values_maker maker = search_maker(search);
  const struct value_set *all = &values->each;
  struct attr_datum datum;
  for (const struct leaf_list *list = values->some; all && list; list = list->next)
    all = value_set_with(&maker, domain, all, list->leaf, true);
  if (all && model_pick(&maker, domain, all, &datum)) return place(writer, domain->slot, &datum);
  if (!values->some || !values->some->next) return false;
  size_t n = 0;
  for (const struct leaf_list *list = values->some; list; list = list->next) {
    const struct value_set *one = value_set_with(&maker, domain, &values->each, list->leaf, true);
    if (++n > VALUES_MAX || !one || !model_pick(&maker, domain, one, &datum) ||
        !place(writer, domain->slot, &datum))
      return false;
  }
  return true;
}

/* What a request has unless something else is wanted. False: nothing in particular. */
static bool default_of(const struct writer *writer, uint16_t slot, struct attr_datum *ret) {
  *ret = (struct attr_datum){.text = STR_INIT("")};
  switch (attr_table_channel(writer->base->route->table, slot)) {
    case ATTR_FROM_METHOD:
      ret->text = STR("GET");
      return true;
    case ATTR_FROM_SCHEME:
      ret->text = STR("http");
      return true;
    case ATTR_FROM_HOST:
      ret->text = writer->base->host;
      return true;
    case ATTR_FROM_PATH:
      ret->text = writer->base->path;
      return true;
    case ATTR_FROM_CLIENT_IP:
      return attr_datum_parse(ATTR_IP, STR("127.0.0.1"), ret);
    case ATTR_FROM_NOW:
      ret->as.ms = writer->base->now_ms;
      return true;
    case ATTR_FROM_LOCAL_TIME:
    case ATTR_FROM_AGE:
    case ATTR_FROM_AGENT:
    case ATTR_FROM_SOURCES:
      break;
  }
  return false;
}

static bool choose_always(struct writer *writer, struct search *search, const struct domain *domain,
                          const struct slot_values *values) {
  struct values_maker maker = search_maker(search);
  struct attr_datum datum;
  if (!default_of(writer, domain->slot, &datum) ||
      !value_set_has(&maker, domain, &values->each, &datum))
    return choose_values(writer, search, domain, values);
  /* The time is said: a witness is to be right tomorrow, too. */
  return attr_table_channel(writer->base->route->table, domain->slot) != ATTR_FROM_NOW ||
         place(writer, domain->slot, &datum);
}

static bool must_be(const struct slot_values *values) {
  return !values->may_miss;
}

/* Whether another slot will say what this one is: T, when its age is asked for. */
static bool is_settled_by_age(const struct writer *writer, const struct search *search,
                              uint16_t slot) {
  const struct attr_table *table = writer->base->route->table;
  for (uint16_t i = 0; i < search->domains->n; i++) {
    if (search->domains->items[i].used && attr_table_channel(table, i) == ATTR_FROM_AGE &&
        attr_table_base(table, i) == slot && must_be(search->values[i]))
      return true;
  }
  return false;
}

/* Now once more, where the weekday or the time of day is asked for, too. */
static bool choose_clock(struct writer *writer, struct search *search) {
  const struct attr_table *table = writer->base->route->table;
  struct model_clock clock = {.zone = attr_table_zone(table)};
  struct values_maker maker = search_maker(search);
  for (uint16_t i = 0; i < search->domains->n; i++) {
    const struct domain *domain = &search->domains->items[i];
    const struct model_wish wish = {domain, &search->values[i]->each};
    enum attr_channel channel = attr_table_channel(table, i);
    if (!domain->used) continue;
    if (channel == ATTR_FROM_NOW) clock.now = wish;
    if (channel != ATTR_FROM_LOCAL_TIME) continue;
    if (domain->type == ATTR_WEEKDAY) {
      clock.weekday = wish;
    } else {
      clock.time_of_day = wish;
    }
  }
  if (!clock.weekday.domain && !clock.time_of_day.domain) return true;
  writer->has_now = true;
  return model_find_now(&maker, &clock, writer->now_ms, &writer->now_ms);
}

/* Those that always are, or the others. */
static bool choose_each(struct writer *writer, struct search *search, bool always) {
  const struct attr_table *table = writer->base->route->table;
  for (uint16_t i = 0; i < search->domains->n; i++) {
    const struct domain *domain = &search->domains->items[i];
    if (!domain->used || domain->always != always || !must_be(search->values[i])) continue;
    if (attr_table_channel(table, i) == ATTR_FROM_LOCAL_TIME) continue;
    if (attr_table_type(table, i) == ATTR_TIME && !always && is_settled_by_age(writer, search, i))
      continue;
    bool chosen = always ? choose_always(writer, search, domain, search->values[i])
                         : choose_values(writer, search, domain, search->values[i]);
    if (!chosen) return false;
  }
  return true;
}

/* Ages depend on now, which is known when what always is has been chosen. */
static bool choose(struct writer *writer, struct search *search) {
  return choose_each(writer, search, true) && choose_clock(writer, search) &&
         choose_each(writer, search, false);
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool is_unreserved(char c) {
  return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
         strchr("-._~", c) != NULL;
}

static void add_encoded(struct text *out, struct str s, bool is_path) {
  for (size_t i = 0; i < s.n; i++) {
    char c = s.p[i];
    bool is_slash = is_path && c == '%' && s.n - i >= 3 && s.p[i + 1] == '2' && s.p[i + 2] == 'F';
    if (c != '\0' && (is_unreserved(c) || is_slash || (is_path && c == '/'))) {
      text_add_char(out, c);
    } else {
      text_printf(out, "%%%02X", (unsigned char)c);
    }
  }
}

static struct str or_else(struct str given, struct str otherwise) {
  return given.p ? given : otherwise;
}

static struct str make_url(const struct writer *writer) {
  struct text url;
  text_init(&url, 1 << 20);
  text_add(&url, or_else(writer->scheme, STR("http")));
  text_add(&url, STR("://"));
  text_add(&url, or_else(writer->host, writer->base->host));
  add_encoded(&url, or_else(writer->path, writer->base->path), true);
  for (size_t i = 0; i < writer->query.list.n; i++) {
    text_add_char(&url, i == 0 ? '?' : '&');
    add_encoded(&url, writer->query.list.items[i].name, false);
    text_add_char(&url, '=');
    add_encoded(&url, writer->query.list.items[i].value, false);
  }
  struct str kept = text_failed(&url) ? (struct str){0} : arena_dup(writer->arena, text_str(&url));
  text_deinit(&url);
  return kept;
}

static void add_pair(struct text *out, bool first, struct str name, struct str value) {
  text_add(out, first ? STR("[") : STR(",["));
  text_add_json(out, name);
  text_add_char(out, ',');
  text_add_json(out, value);
  text_add_char(out, ']');
}

static void add_headers(const struct writer *writer, struct text *out) {
  if (writer->headers.list.n + writer->cookies.list.n == 0) return;
  struct text cookies;
  text_init(&cookies, 1 << 20);
  text_add(out, STR(",\"headers\":["));
  for (size_t i = 0; i < writer->headers.list.n; i++)
    add_pair(out, i == 0, writer->headers.list.items[i].name, writer->headers.list.items[i].value);
  for (size_t i = 0; i < writer->cookies.list.n; i++) {
    text_printf(&cookies, "%s%.*s=%.*s", i == 0 ? "" : "; ",
                STR_ARG(writer->cookies.list.items[i].name),
                STR_ARG(writer->cookies.list.items[i].value));
  }
  if (writer->cookies.list.n > 0)
    add_pair(out, writer->headers.list.n == 0, STR("Cookie"), text_str(&cookies));
  text_add_char(out, ']');
  text_deinit(&cookies);
}

/* Whether an earlier part has the name of the i-th. */
static bool is_repeated(const struct part *parts, size_t i) {
  for (size_t k = 0; k < i; k++)
    if (str_eq(parts[k].name, parts[i].name)) return true;
  return false;
}

static void add_given(const struct writer *writer, struct text *out) {
  const struct part *parts = writer->given.list.items;
  for (size_t i = 0; i < writer->given.list.n; i++) {
    if (is_repeated(parts, i)) continue;
    text_add(out, i == 0 ? STR(",\"attributes\":{") : STR(","));
    text_add_json(out, parts[i].name);
    text_add(out, STR(":["));
    for (size_t k = i; k < writer->given.list.n; k++) {
      if (!str_eq(parts[k].name, parts[i].name)) continue;
      if (k > i) text_add_char(out, ',');
      text_add_json(out, parts[k].value);
    }
    text_add_char(out, ']');
  }
  if (writer->given.list.n > 0) text_add_char(out, '}');
}

static void add_member(struct text *out, const char *name, struct str value) {
  if (!value.p) return;
  text_printf(out, ",\"%s\":", name);
  text_add_json(out, value);
}

static bool write_object(const struct writer *writer, struct text *out) {
  struct str url = make_url(writer);
  char now[40];
  if (!url.p) return false;
  text_add(out, STR("{\"url\":"));
  text_add_json(out, url);
  add_member(out, "method", writer->method);
  add_headers(writer, out);
  add_given(writer, out);
  add_member(out, "client_ip", writer->client_ip);
  if (writer->has_now) add_member(out, "now", time_format(writer->now_ms, now, sizeof(now)));
  text_add_char(out, '}');
  return !text_failed(out);
}

static struct writer *writer_new(const struct model_base *base, struct arena *arena) {
  struct writer *writer = ARENA_NEW(arena, struct writer);
  if (!writer) return NULL;
  writer->base = base;
  writer->arena = arena;
  writer->now_ms = base->now_ms;
  writer->has_now = base->says_now;
  return writer;
}

bool model_write(const struct model_base *base, struct search *search, struct text *out) {
  struct writer *writer = writer_new(base, search->arena);
  return writer && choose(writer, search) && write_object(writer, out);
}

bool model_write_one(const struct model_base *base, struct arena *arena, uint16_t slot,
                     struct str value, struct text *out) {
  struct writer *writer = writer_new(base, arena);
  const struct attr_datum datum = {.text = value};
  return writer && place(writer, slot, &datum) && write_object(writer, out);
}

bool model_write_plain(const struct model_base *base, struct arena *arena, struct text *out) {
  struct writer *writer = writer_new(base, arena);
  return writer && write_object(writer, out);
}
