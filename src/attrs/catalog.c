/*
 * The names that conditions may use: which are built-in, which were declared, and what each means.
 * Declarations themselves are read in declare.c.
 */
#include "catalog.h"

#include <stdlib.h>

enum { CATALOG_BYTES_MAX = 64 * 1024 * 1024 };

struct builtin {
  struct str name; /* with a dot at its end: a family, "header.x-anything" */
  enum attr_origin origin;
  enum attr_type type;
};

static const struct builtin builtins[] = {
    {STR_INIT("method"), ORIGIN_METHOD, ATTR_STRING},
    {STR_INIT("scheme"), ORIGIN_SCHEME, ATTR_STRING},
    {STR_INIT("host"), ORIGIN_HOST, ATTR_STRING},
    {STR_INIT("path"), ORIGIN_PATH, ATTR_STRING},
    {STR_INIT("client_ip"), ORIGIN_CLIENT_IP, ATTR_IP},
    {STR_INIT("now"), ORIGIN_NOW, ATTR_TIME},
    {STR_INIT("now.weekday"), ORIGIN_LOCAL_TIME, ATTR_WEEKDAY},
    {STR_INIT("now.time"), ORIGIN_LOCAL_TIME, ATTR_TIME_OF_DAY},
    {STR_INIT("language"), ORIGIN_LANGUAGE, ATTR_STRING},
    {STR_INIT("device"), ORIGIN_DEVICE, ATTR_STRING},
    {STR_INIT("os"), ORIGIN_OS, ATTR_STRING},
    {STR_INIT("os.version"), ORIGIN_OS_VERSION, ATTR_VERSION},
    {STR_INIT("browser"), ORIGIN_BROWSER, ATTR_STRING},
    {STR_INIT("browser.version"), ORIGIN_BROWSER_VERSION, ATTR_VERSION},
    {STR_INIT("header."), ORIGIN_HEADER, ATTR_STRING},
    {STR_INIT("cookie."), ORIGIN_COOKIE, ATTR_STRING},
    {STR_INIT("query."), ORIGIN_QUERY, ATTR_STRING},
};

enum { BUILTINS = sizeof(builtins) / sizeof(*builtins) };

static const char *const builtin_names[] = {
    "method",      "scheme",          "host",     "path",    "client_ip", "now",
    "now.weekday", "now.time",        "language", "device",  "os",        "os.version",
    "browser",     "browser.version", "header.",  "cookie.", "query.",    NULL};

static bool is_family(const struct builtin *builtin) {
  return builtin->name.p[builtin->name.n - 1] == '.';
}

static const struct builtin *find_builtin(struct str name) {
  for (size_t i = 0; i < BUILTINS; i++) {
    const struct builtin *builtin = &builtins[i];
    if (is_family(builtin) ? str_starts_with(name, builtin->name) : str_eq(name, builtin->name)) {
      return builtin;
    }
  }
  return NULL;
}

bool attr_name_is_builtin(struct str name) {
  return find_builtin(name) != NULL;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct attr_catalog *attr_catalog_new(enum attr_scope scope, struct attr_catalog *parent) {
  struct attr_catalog *catalog = calloc(1, sizeof(*catalog));
  if (!catalog) return NULL;
  catalog->arena = arena_new(CATALOG_BYTES_MAX);
  if (!catalog->arena) {
    free(catalog);
    return NULL;
  }
  atomic_init(&catalog->references, 1);
  catalog->scope = scope;
  catalog->parent = parent ? attr_catalog_ref(parent) : NULL;
  catalog->names = parent ? parent->names : builtin_names;
  return catalog;
}

struct attr_catalog *attr_catalog_ref(struct attr_catalog *catalog) {
  atomic_fetch_add_explicit(&catalog->references, 1, memory_order_relaxed);
  return catalog;
}

void attr_catalog_unref(struct attr_catalog **catalog) {
  struct attr_catalog *dropped = *catalog;
  *catalog = NULL;
  if (!dropped) return;
  if (atomic_fetch_sub_explicit(&dropped->references, 1, memory_order_acq_rel) > 1) return;
  attr_catalog_unref(&dropped->parent);
  arena_free(&dropped->arena);
  free(dropped);
}

/* ---- declared names -------------------------------------------------------------------------- */

static size_t count_names(const char *const *names) {
  size_t n = 0;
  while (names[n]) n++;
  return n;
}

/* Those of the parent (or the built-in ones), then our own, each time with its age. */
static const char *const *collect_names(struct attr_catalog *catalog) {
  const char *const *inherited = catalog->parent ? catalog->parent->names : builtin_names;
  size_t inherited_count = count_names(inherited);
  const char **names =
      ARENA_ARRAY(catalog->arena, const char *, inherited_count + 2 * catalog->declared.n + 1);
  if (!names) return NULL;
  size_t n = 0;
  for (; n < inherited_count; n++) names[n] = inherited[n];
  for (size_t i = 0; i < catalog->declared.n; i++) {
    const struct attr_declared *declared = &catalog->declared.items[i];
    names[n++] = declared->name.p;
    if (declared->type != ATTR_TIME) continue;
    struct str age = arena_printf(catalog->arena, "%.*s.age", STR_ARG(declared->name));
    if (!age.p) return NULL;
    names[n++] = age.p;
  }
  return names;
}

bool attr_catalog_index(struct attr_catalog *catalog) {
  struct str_set *index = str_set_new(catalog->arena, catalog->declared.n + 1);
  const char *const *names = collect_names(catalog);
  if (!index || !names) return false;
  for (size_t i = 0; i < catalog->declared.n; i++) {
    str_set_add(index, catalog->declared.items[i].name, i);
  }
  catalog->index = index;
  catalog->names = names;
  return true;
}

void attr_catalog_offer(struct attr_catalog *catalog, enum attr_source_kind kind,
                        struct attr_offer offer) {
  catalog->offers[kind] = offer;
}

const char *attr_source_kind_name(enum attr_source_kind kind) {
  static const char *const names[ATTR_SOURCE_KINDS] = {"header", "cookie", "query", "jwt",
                                                       "geoip",  "cidr",   "lookup"};
  return names[kind];
}

const struct attr_declared *attr_catalog_find_declared(const struct attr_catalog *catalog,
                                                       struct str name) {
  for (; catalog; catalog = catalog->parent) {
    if (!catalog->index) continue;
    size_t i = str_set_find(catalog->index, name);
    if (i != STR_SET_NONE) return &catalog->declared.items[i];
  }
  return NULL;
}

bool attr_catalog_declares(const struct attr_catalog *catalog, struct str name) {
  return attr_catalog_find_declared(catalog, name) != NULL;
}

const char *const *attr_catalog_names(const struct attr_catalog *catalog) {
  return catalog->names;
}

size_t attr_catalog_size(const struct attr_catalog *catalog) {
  size_t n = 0;
  for (; catalog; catalog = catalog->parent) n += catalog->declared.n;
  return n;
}

void attr_catalog_visit_headers(const struct attr_catalog *catalog,
                                void (*visit)(void *context, struct str field_name),
                                void *context) {
  for (size_t i = 0; i < catalog->declared.n; i++) {
    const struct attr_declared *declared = &catalog->declared.items[i];
    for (size_t k = 0; k < declared->source_count; k++) {
      const struct attr_source *source = &declared->sources[k];
      if (source->kind == SOURCE_HEADER) visit(context, source->name);
      for (size_t f = 0; f < source->offered.field_count; f++)
        visit(context, source->offered.fields[f]);
    }
  }
}

void attr_catalog_visit_trust(const struct attr_catalog *catalog,
                              void (*visit)(void *context, struct str field_name, bool from_anyone),
                              void *context) {
  for (size_t i = 0; i < catalog->declared.n; i++) {
    const struct attr_declared *declared = &catalog->declared.items[i];
    for (size_t k = 0; k < declared->source_count; k++) {
      const struct attr_source *source = &declared->sources[k];
      if (source->kind == SOURCE_HEADER) visit(context, source->name, source->from_anyone);
    }
  }
}

/* ---- what a name means ----------------------------------------------------------------------- */

static bool resolve_builtin(const struct builtin *builtin, struct str name,
                            struct attr_resolved *ret) {
  struct str rest = str_skip(name, builtin->name.n);
  if (is_family(builtin) && rest.n == 0) return false;
  if (builtin->origin == ORIGIN_HEADER && !http_is_token(rest)) return false;
  *ret = (struct attr_resolved){.origin = builtin->origin, .type = builtin->type, .rest = rest};
  return true;
}

/* T.age. No age has an age, so that this never goes deeper than once. */
static bool resolve_age(const struct attr_catalog *catalog, struct str name,
                        struct attr_resolved *ret) {
  const struct str suffix = STR(".age");
  struct attr_resolved base;
  struct str base_name = str_take(name, name.n - suffix.n);
  if (str_ends_with(base_name, suffix) || !attr_resolve(catalog, base_name, &base) ||
      base.type != ATTR_TIME) {
    return false;
  }
  *ret = (struct attr_resolved){.origin = ORIGIN_AGE, .type = ATTR_DURATION, .rest = base_name};
  return true;
}

bool attr_resolve(const struct attr_catalog *catalog, struct str name, struct attr_resolved *ret) {
  const struct builtin *builtin = find_builtin(name);
  if (builtin) return resolve_builtin(builtin, name, ret);
  if (str_ends_with(name, STR(".age"))) return resolve_age(catalog, name, ret);
  const struct attr_declared *declared = attr_catalog_find_declared(catalog, name);
  if (!declared) return false;
  *ret = (struct attr_resolved){
      .origin = ORIGIN_DECLARED, .type = declared->type, .declared = declared};
  return true;
}

bool attr_catalog_find(const struct attr_catalog *catalog, struct str name,
                       enum attr_type *ret_type) {
  struct attr_resolved resolved;
  if (!attr_resolve(catalog, name, &resolved)) return false;
  *ret_type = resolved.type;
  return true;
}
