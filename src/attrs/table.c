#include "adit/zone.h"
#include "catalog.h"

enum { SLOTS_MAX = 4096, INDEX_CAPACITY_FIRST = 32 };

static void drop_catalog(void *object) {
  struct attr_catalog *catalog = object;
  attr_catalog_unref(&catalog);
}

struct attr_table *attr_table_new(struct arena *arena, struct attr_catalog *catalog) {
  struct attr_table *table = ARENA_NEW(arena, struct attr_table);
  if (!table || !arena_defer(arena, drop_catalog, attr_catalog_ref(catalog))) return NULL;
  table->arena = arena;
  table->catalog = catalog;
  table->zone = zone_utc();
  return table;
}

void attr_table_set_zone(struct attr_table *table, const struct zone *zone) {
  table->zone = zone;
}

const struct zone *attr_table_zone(const struct attr_table *table) {
  return table->zone;
}

/* The name in lower case, or absent when there is no memory; most names are so already. */
static struct str fold(struct arena *arena, struct str name) {
  size_t upper = 0;
  while (upper < name.n && ascii_lower(name.p[upper]) == name.p[upper]) upper++;
  if (upper == name.n) return name;
  char *folded = arena_alloc(arena, name.n);
  if (!folded) return (struct str){0};
  for (size_t i = 0; i < name.n; i++) folded[i] = ascii_lower(name.p[i]);
  return str_make(folded, name.n);
}

/* Keeps room in the index for one more; a larger one is built from the slots. */
static bool reserve_index(struct attr_table *table) {
  if (table->slots.n < table->index_capacity) return true;
  size_t capacity = table->index_capacity ? 2 * table->index_capacity : INDEX_CAPACITY_FIRST;
  struct str_set *index = str_set_new(table->arena, capacity);
  if (!index) return false;
  for (size_t i = 0; i < table->slots.n; i++) str_set_add(index, table->slots.items[i].name, i);
  table->index = index;
  table->index_capacity = capacity;
  return true;
}

static uint16_t find_slot(const struct attr_table *table, struct str name) {
  size_t slot = table->index ? str_set_find(table->index, name) : STR_SET_NONE;
  return slot == STR_SET_NONE ? (uint16_t)ATTR_SLOT_NONE : (uint16_t)slot;
}

/* header.*, cookie.* and query.* always count: a source of their own. */
static bool set_builtin_source(struct attr_table *table, struct attr_slot *slot,
                               enum attr_source_kind kind, struct str name) {
  struct attr_source *source = ARENA_NEW(table->arena, struct attr_source);
  if (!source) return false;
  *source = (struct attr_source){.kind = kind, .name = name, .from_anyone = true};
  slot->sources = source;
  slot->source_count = 1;
  return true;
}

/* The slots of the attributes that suppliers must be told of. No attribute needs itself: declaring
 * one that does is an error. */
static bool set_keys(struct attr_table *table, struct attr_slot *slot) {
  size_t n = 0, filled = 0;
  for (size_t i = 0; i < slot->source_count; i++) n += slot->sources[i].offered.key_count;
  if (n == 0) return true;
  uint16_t *keys = ARENA_ARRAY(table->arena, uint16_t, n);
  if (!keys) return false;
  for (size_t i = 0; i < slot->source_count; i++) {
    const struct attr_offered *offered = &slot->sources[i].offered;
    for (size_t k = 0; k < offered->key_count; k++) {
      keys[filled] = attr_table_slot(table, offered->keys[k]);
      if (keys[filled++] == ATTR_SLOT_NONE) return false;
    }
  }
  slot->keys = keys;
  return true;
}

/* `resolved` views slot->name, which lives as long as the table. */
static bool set_origin(struct attr_table *table, struct attr_slot *slot,
                       const struct attr_resolved *resolved) {
  slot->origin = resolved->origin;
  slot->type = resolved->type;
  switch (resolved->origin) {
    case ORIGIN_HEADER:
      return set_builtin_source(table, slot, SOURCE_HEADER, resolved->rest);
    case ORIGIN_COOKIE:
      return set_builtin_source(table, slot, SOURCE_COOKIE, resolved->rest);
    case ORIGIN_QUERY:
      return set_builtin_source(table, slot, SOURCE_QUERY, resolved->rest);
    case ORIGIN_DECLARED:
      slot->sources = resolved->declared->sources;
      slot->source_count = resolved->declared->source_count;
      return set_keys(table, slot);
    case ORIGIN_AGE:
      slot->base = attr_table_slot(table, resolved->rest);
      return slot->base != ATTR_SLOT_NONE;
    case ORIGIN_METHOD:
    case ORIGIN_SCHEME:
    case ORIGIN_HOST:
    case ORIGIN_PATH:
    case ORIGIN_CLIENT_IP:
    case ORIGIN_NOW:
    case ORIGIN_LOCAL_TIME:
    case ORIGIN_DEVICE:
    case ORIGIN_OS:
    case ORIGIN_OS_VERSION:
    case ORIGIN_BROWSER:
    case ORIGIN_BROWSER_VERSION:
    case ORIGIN_LANGUAGE:
      return true;
  }
  return false;
}

/* `name` is in its folded form and has no slot yet. */
static uint16_t add_slot(struct attr_table *table, struct str name) {
  struct attr_slot slot = {.name = arena_dup(table->arena, name)};
  struct attr_resolved resolved;
  if (!slot.name.p || !attr_resolve(table->catalog, slot.name, &resolved) ||
      !set_origin(table, &slot, &resolved)) {
    return ATTR_SLOT_NONE;
  }
  if (table->slots.n >= SLOTS_MAX || !reserve_index(table) ||
      !VEC_PUSH(table->arena, &table->slots, slot)) {
    return ATTR_SLOT_NONE;
  }
  str_set_add(table->index, slot.name, table->slots.n - 1);
  return (uint16_t)(table->slots.n - 1);
}

uint16_t attr_table_slot(struct attr_table *table, struct str name) {
  struct attr_resolved resolved;
  if (!attr_resolve(table->catalog, name, &resolved)) return ATTR_SLOT_NONE;
  if (resolved.origin == ORIGIN_HEADER) {
    name = fold(table->arena, name);
    if (!name.p) return ATTR_SLOT_NONE;
  }
  uint16_t slot = find_slot(table, name);
  return slot != ATTR_SLOT_NONE ? slot : add_slot(table, name);
}

size_t attr_table_size(const struct attr_table *table) {
  return table->slots.n;
}

struct str attr_table_name(const struct attr_table *table, uint16_t slot) {
  return table->slots.items[slot].name;
}

enum attr_type attr_table_type(const struct attr_table *table, uint16_t slot) {
  return table->slots.items[slot].type;
}

bool attr_table_is_timed(const struct attr_table *table, uint16_t slot) {
  enum attr_origin origin = table->slots.items[slot].origin;
  return origin == ORIGIN_NOW || origin == ORIGIN_LOCAL_TIME || origin == ORIGIN_AGE;
}

bool attr_table_is_noticed(const struct attr_table *table, uint16_t slot) {
  const struct attr_slot *it = &table->slots.items[slot];
  if (attr_table_is_timed(table, slot)) return true;
  for (size_t i = 0; i < it->source_count; i++) {
    if (it->sources[i].regex || it->sources[i].kind == SOURCE_LOOKUP) return true;
  }
  return false;
}

bool attr_table_takes_given(const struct attr_table *table, struct str name) {
  struct attr_resolved resolved;
  return attr_resolve(table->catalog, name, &resolved) &&
         (resolved.origin == ORIGIN_DECLARED || origin_is_agent(resolved.origin));
}

bool attr_table_is_path(const struct attr_table *table, uint16_t slot) {
  return table->slots.items[slot].origin == ORIGIN_PATH;
}

/* ---- where values come from ------------------------------------------------------------------ */

enum attr_channel attr_table_channel(const struct attr_table *table, uint16_t slot) {
  switch (table->slots.items[slot].origin) {
    case ORIGIN_METHOD:
      return ATTR_FROM_METHOD;
    case ORIGIN_SCHEME:
      return ATTR_FROM_SCHEME;
    case ORIGIN_HOST:
      return ATTR_FROM_HOST;
    case ORIGIN_PATH:
      return ATTR_FROM_PATH;
    case ORIGIN_CLIENT_IP:
      return ATTR_FROM_CLIENT_IP;
    case ORIGIN_NOW:
      return ATTR_FROM_NOW;
    case ORIGIN_LOCAL_TIME:
      return ATTR_FROM_LOCAL_TIME;
    case ORIGIN_AGE:
      return ATTR_FROM_AGE;
    case ORIGIN_DEVICE:
    case ORIGIN_OS:
    case ORIGIN_OS_VERSION:
    case ORIGIN_BROWSER:
    case ORIGIN_BROWSER_VERSION:
    case ORIGIN_LANGUAGE:
      return ATTR_FROM_AGENT;
    case ORIGIN_HEADER:
    case ORIGIN_COOKIE:
    case ORIGIN_QUERY:
    case ORIGIN_DECLARED:
      break;
  }
  return ATTR_FROM_SOURCES;
}

uint16_t attr_table_base(const struct attr_table *table, uint16_t slot) {
  return table->slots.items[slot].base;
}

bool attr_table_is_always(const struct attr_table *table, uint16_t slot) {
  enum attr_channel channel = attr_table_channel(table, slot);
  return channel != ATTR_FROM_SOURCES && channel != ATTR_FROM_AGE && channel != ATTR_FROM_AGENT;
}

bool attr_table_is_single(const struct attr_table *table, uint16_t slot) {
  const struct attr_slot *info = &table->slots.items[slot];
  if (info->origin == ORIGIN_AGE) return attr_table_is_single(table, info->base);
  if (info->type == ATTR_LIST) return false;
  if (origin_is_agent(info->origin)) return true;
  /* A trusted header that is repeated is missing. */
  for (size_t i = 0; i < info->source_count; i++)
    if (info->sources[i].from_anyone || source_is_supplied(&info->sources[i])) return false;
  return true;
}

bool attr_table_source(const struct attr_table *table, uint16_t slot, size_t k,
                       struct attr_source_info *ret) {
  const struct attr_slot *info = &table->slots.items[slot];
  if (k >= info->source_count) return false;
  const struct attr_source *source = &info->sources[k];
  *ret = (struct attr_source_info){source->kind, source->name, source->pattern, source->json,
                                   source->from_anyone};
  return true;
}

/* ---- for Vary -------------------------------------------------------------------------------- */

static size_t one_field(struct str field, size_t k, struct str *ret) {
  if (k == 0) *ret = field;
  return 1;
}

static size_t agent_fields(enum attr_origin origin, size_t k, struct str *ret) {
  if (origin == ORIGIN_LANGUAGE) return one_field(STR("Accept-Language"), k, ret);
  enum agent_field field = origin_agent_field(origin);
  enum agent_source source;
  size_t n = 0;
  for (; agent_field_source(field, n, &source); n++)
    if (n == k) *ret = agent_source_name(source);
  return n;
}

/* The k-th of the fields of one source itself. */
static size_t one_source_fields(const struct attr_source *source, size_t k, struct str *ret) {
  switch (source->kind) {
    case SOURCE_HEADER:
      return one_field(source->name, k, ret);
    case SOURCE_COOKIE:
      return one_field(STR("Cookie"), k, ret);
    case SOURCE_GEOIP:
    case SOURCE_CIDR:
      return one_field(STR("X-Forwarded-For"), k, ret);
    case SOURCE_JWT:
    case SOURCE_LOOKUP:
      if (k < source->offered.field_count) *ret = source->offered.fields[k];
      return source->offered.field_count;
    case SOURCE_QUERY:
    case ATTR_SOURCE_KINDS:
      break;
  }
  return 0;
}

/* Those of the sources, then those of the attributes that suppliers are told of. */
static size_t source_fields(const struct attr_table *table, const struct attr_slot *slot, size_t k,
                            struct str *ret) {
  size_t n = 0, keys = 0;
  for (size_t i = 0; i < slot->source_count; i++) {
    /* Below the fields so far, k - n wraps and is more than any number of fields. */
    n += one_source_fields(&slot->sources[i], k - n, ret);
    keys += slot->sources[i].offered.key_count;
  }
  for (size_t i = 0; i < keys; i++)
    n += attr_table_request_fields(table, slot->keys[i], k - n, ret);
  return n;
}

size_t attr_table_request_fields(const struct attr_table *table, uint16_t slot, size_t k,
                                 struct str *ret) {
  const struct attr_slot *it = &table->slots.items[slot];
  switch (it->origin) {
    case ORIGIN_SCHEME:
      return one_field(STR("X-Forwarded-Proto"), k, ret);
    case ORIGIN_CLIENT_IP:
      return one_field(STR("X-Forwarded-For"), k, ret);
    case ORIGIN_AGE:
      return attr_table_request_fields(table, it->base, k, ret);
    case ORIGIN_HEADER:
    case ORIGIN_COOKIE:
    case ORIGIN_QUERY:
    case ORIGIN_DECLARED:
      return source_fields(table, it, k, ret);
    case ORIGIN_DEVICE:
    case ORIGIN_OS:
    case ORIGIN_OS_VERSION:
    case ORIGIN_BROWSER:
    case ORIGIN_BROWSER_VERSION:
    case ORIGIN_LANGUAGE:
      return agent_fields(it->origin, k, ret);
    case ORIGIN_METHOD:
    case ORIGIN_HOST:
    case ORIGIN_PATH:
    case ORIGIN_NOW:
    case ORIGIN_LOCAL_TIME:
      return 0;
  }
  return 0;
}
