/*
 * The reader: one thread's lazy view of one request.
 *
 *   struct attr_reader   one per thread
 *     slots[]            what is known of each slot; of this request only where the generation
 *                        says so, so that a new request clears them all by adding one
 *     input              headers, cookies, query (input.c)
 *     arena              values beyond the first of a slot, pairs, texts; reset with each request
 *
 *   attr_read ─► read_slot ─► read_sources ─► read_source ─► gather (regex) ─► settle (type)
 *                         │              ├► (given) ─────────────────────────► settle
 *                         │              └► read_supplied ─► its supplier ────► settle
 *                         ├► read_age
 *                         ├► read_agent, read_language
 *                         └► set_single (method, path, …)
 */
#include <assert.h>
#include <stdlib.h>

#include "adit/agent.h"
#include "adit/regex.h"
#include "adit/units.h"
#include "adit/zone.h"
#include "input.h"

enum {
  SUBJECT_BYTES_MAX = 64 * 1024,
  /* A pair or a value takes 32 bytes and at least 3 in the request ("a=;"): a head of 1 MiB needs
   * 11 MiB for its cookies, the usual 32 KiB need less than 400 KiB. */
  READER_BYTES_MAX = 16 * 1024 * 1024,
  IP_TEXT_BYTES = 46,
  TIME_TEXT_BYTES = 32
};

struct slot_state {
  uint32_t generation; /* of the request that `value` is of */
  struct attr_value value;
  struct attr_datum single; /* where value.data of one value points */
};

struct attr_reader {
  const struct attr_table *table;
  struct attr_input input;
  struct arena *arena;
  struct regex_scratch *scratch;
  struct slot_state *slots;
  size_t slot_capacity;
  uint32_t generation;
  size_t subject_bytes_left;
  bool tracing;
  bool time_was_read;
  bool pending;
  uint16_t unknown; /* the first slot that a recorded request does not tell */
  struct attr_supplier suppliers[ATTR_SOURCE_KINDS];
  bool agent_was_parsed; /* `agent` is of this request */
  struct agent agent;
  struct language language;
  char client_ip_text[IP_TEXT_BYTES];
  char now_text[TIME_TEXT_BYTES];
  char time_of_day_text[TIME_OF_DAY_BYTES];
};

/* ---- life ------------------------------------------------------------------------------------ */

struct attr_reader *attr_reader_new(void) {
  struct attr_reader *reader = calloc(1, sizeof(*reader));
  if (!reader) return NULL;
  reader->arena = arena_new(READER_BYTES_MAX);
  reader->scratch = regex_scratch_new();
  if (!reader->arena || !reader->scratch) attr_reader_free(&reader);
  return reader;
}

static void release_supplier(struct attr_supplier *supplier) {
  if (supplier->release) supplier->release(supplier->context);
}

void attr_reader_free(struct attr_reader **reader) {
  if (!*reader) return;
  for (size_t i = 0; i < ATTR_SOURCE_KINDS; i++) release_supplier(&(*reader)->suppliers[i]);
  free((*reader)->slots);
  regex_scratch_free(&(*reader)->scratch);
  arena_free(&(*reader)->arena);
  free(*reader);
  *reader = NULL;
}

/* Without memory there are no slots, and attr_read calls everything undecided. */
static void reserve_slots(struct attr_reader *reader, size_t n) {
  if (n <= reader->slot_capacity) return;
  free(reader->slots);
  reader->slots = calloc(n, sizeof(*reader->slots));
  reader->slot_capacity = reader->slots ? n : 0;
}

static void begin_generation(struct attr_reader *reader) {
  if (++reader->generation > 0) return;
  for (size_t i = 0; i < reader->slot_capacity; i++) reader->slots[i].generation = 0;
  reader->generation = 1;
}

void attr_reader_begin(struct attr_reader *reader, const struct attr_table *table,
                       const struct attr_request *request) {
  if (arena_used(reader->arena) > 0 || arena_failed(reader->arena)) arena_reset(reader->arena);
  reserve_slots(reader, attr_table_size(table));
  begin_generation(reader);
  reader->table = table;
  reader->subject_bytes_left = SUBJECT_BYTES_MAX;
  reader->tracing = false;
  reader->time_was_read = false;
  reader->pending = false;
  reader->unknown = ATTR_SLOT_NONE;
  reader->agent_was_parsed = false;
  input_begin(&reader->input, request, reader->arena);
}

void attr_reader_begin_trace(struct attr_reader *reader) {
  reader->subject_bytes_left = SUBJECT_BYTES_MAX;
  reader->tracing = true;
}

bool attr_reader_time_was_read(const struct attr_reader *reader) {
  return reader->time_was_read;
}

bool attr_reader_is_pending(const struct attr_reader *reader) {
  return reader->pending;
}

uint16_t attr_reader_unknown(const struct attr_reader *reader) {
  return reader->unknown;
}

bool attr_reader_has_read(const struct attr_reader *reader, uint16_t slot) {
  return slot < reader->slot_capacity && reader->slots[slot].generation == reader->generation;
}

void attr_reader_supply(struct attr_reader *reader, enum attr_source_kind kind,
                        struct attr_supplier supplier) {
  release_supplier(&reader->suppliers[kind]);
  reader->suppliers[kind] = supplier;
}

enum attr_match attr_reader_match(struct attr_reader *reader, const struct regex *regex,
                                  struct str subject, struct str *ret_capture) {
  if (subject.n > reader->subject_bytes_left) return ATTR_MATCH_LIMIT;
  reader->subject_bytes_left -= subject.n;
  switch (regex_match(regex, reader->scratch, subject, ret_capture)) {
    case REGEX_MATCHED:
      return ATTR_MATCHED;
    case REGEX_UNMATCHED:
      return ATTR_UNMATCHED;
    case REGEX_LIMIT:
      return ATTR_MATCH_LIMIT;
  }
  return ATTR_MATCH_LIMIT;
}

bool attr_reader_cookie(struct attr_reader *reader, struct str name, size_t k, struct str *ret) {
  size_t cursor = 0;
  struct str value;
  if (!input_prepare(&reader->input, SOURCE_COOKIE)) return false;
  do {
    if (!input_next(&reader->input, SOURCE_COOKIE, name, &cursor, &value)) return false;
  } while (k-- > 0);
  *ret = value;
  return true;
}

/* ---- outcomes of one slot -------------------------------------------------------------------- */

static void set_missing(struct slot_state *state, enum attr_missing why, struct str refused) {
  state->value = (struct attr_value){
      .state = ATTR_MISSING, .why = why, .refused = refused, .source = ATTR_SOURCE_NONE};
}

static void set_undecided(struct slot_state *state) {
  state->value = (struct attr_value){.state = ATTR_UNDECIDED, .source = ATTR_SOURCE_NONE};
}

static void set_present(struct slot_state *state, const struct attr_datum *data, size_t n,
                        bool is_list) {
  state->value = (struct attr_value){
      .state = ATTR_PRESENT, .is_list = is_list, .n = n, .data = data, .source = ATTR_SOURCE_NONE};
}

static void set_single(struct slot_state *state, struct attr_datum datum) {
  state->single = datum;
  set_present(state, &state->single, 1, false);
}

/* Room for n values: one stands in the slot itself. NULL: memory. */
static struct attr_datum *reserve_data(struct attr_reader *reader, struct slot_state *state,
                                       size_t n) {
  return n == 1 ? &state->single : ARENA_ARRAY(reader->arena, struct attr_datum, n);
}

/* ---- texts → values of the type -------------------------------------------------------------- */

/* The next element of a list that is not empty. */
static bool next_element(struct str *rest, struct str *ret) {
  while (str_split_next(rest, ',', ret)) {
    *ret = str_trim(*ret);
    if (ret->n > 0) return true;
  }
  return false;
}

static size_t count_elements(const struct attr_datum *texts, size_t n) {
  size_t count = 0;
  for (size_t i = 0; i < n; i++) {
    struct str rest = texts[i].text, element;
    while (next_element(&rest, &element)) count++;
  }
  return count;
}

static void settle_list(struct attr_reader *reader, struct slot_state *state,
                        const struct attr_datum *texts, size_t n) {
  size_t count = count_elements(texts, n), filled = 0;
  if (count == 0) {
    set_missing(state, ATTR_MISSING_EMPTY_LIST, (struct str){0});
    return;
  }
  struct attr_datum *data = ARENA_ARRAY(reader->arena, struct attr_datum, count);
  if (!data) {
    set_undecided(state);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    struct str rest = texts[i].text, element;
    while (next_element(&rest, &element)) data[filled++].text = element;
  }
  set_present(state, data, filled, true);
}

/* `data` has the texts, and is made values in place. */
static void settle(struct attr_reader *reader, struct slot_state *state, enum attr_type type,
                   struct attr_datum *data, size_t n) {
  if (type == ATTR_LIST) {
    settle_list(reader, state, data, n);
    return;
  }
  for (size_t i = 0; i < n && type != ATTR_STRING; i++) {
    struct str text = data[i].text;
    if (!attr_datum_parse(type, text, &data[i])) {
      set_missing(state, ATTR_MISSING_UNPARSABLE, text);
      return;
    }
  }
  set_present(state, data, n, n > 1);
}

/* ---- sources --------------------------------------------------------------------------------- */

enum source_outcome { SOURCE_SETTLED, SOURCE_NOT_PRESENT };

/* The next source is asked; the first reason that is more than "absent" is the one to tell. */
static enum source_outcome pass_over(struct slot_state *state, enum attr_missing why,
                                     struct str refused) {
  if (state->value.why == ATTR_MISSING_ABSENT) set_missing(state, why, refused);
  return SOURCE_NOT_PRESENT;
}

/* Writes what the source's regex leaves of its texts. False: a limit was hit. */
static bool gather(struct attr_reader *reader, const struct attr_source *source,
                   struct attr_datum *data, size_t *ret_n) {
  size_t cursor = 0, n = 0;
  struct str text;
  while (input_next(&reader->input, source->kind, source->name, &cursor, &text)) {
    if (source->regex) {
      enum attr_match match = attr_reader_match(reader, source->regex, text, &text);
      if (match == ATTR_MATCH_LIMIT) return false;
      if (match == ATTR_UNMATCHED) continue;
    }
    data[n++] = (struct attr_datum){.text = text};
  }
  *ret_n = n;
  return true;
}

static enum source_outcome read_source(struct attr_reader *reader, const struct attr_source *source,
                                       enum attr_type type, struct slot_state *state) {
  size_t cursor = 0, n = 0;
  struct str text, first = {0};
  if (!input_prepare(&reader->input, source->kind)) {
    set_undecided(state);
    return SOURCE_SETTLED;
  }
  while (input_next(&reader->input, source->kind, source->name, &cursor, &text)) {
    if (n++ == 0) first = text;
  }
  if (n == 0) return SOURCE_NOT_PRESENT;
  if (!source->from_anyone) {
    if (!reader->input.request->trusted) return pass_over(state, ATTR_MISSING_UNTRUSTED, first);
    /* A proxy appended to what the client sent: nobody can say which one is its own, and the client
     * must not be able to choose another source so. */
    if (n > 1) {
      set_missing(state, ATTR_MISSING_REPEATED, (struct str){0});
      return SOURCE_SETTLED;
    }
  }

  struct attr_datum *data = reserve_data(reader, state, n);
  if (!data || !gather(reader, source, data, &n)) {
    set_undecided(state);
    return SOURCE_SETTLED;
  }
  if (n == 0) return SOURCE_NOT_PRESENT;
  settle(reader, state, type, data, n);
  return SOURCE_SETTLED;
}

/* ---- sources that have a supplier, and values that stand for all sources --------------------- */

static void settle_texts(struct attr_reader *reader, struct slot_state *state, enum attr_type type,
                         const struct str *texts, size_t n) {
  struct attr_datum *data = reserve_data(reader, state, n);
  if (!data) {
    set_undecided(state);
    return;
  }
  for (size_t i = 0; i < n; i++) data[i] = (struct attr_datum){.text = texts[i]};
  settle(reader, state, type, data, n);
}

static enum source_outcome not_supplied(struct slot_state *state, struct str why) {
  if (why.p && state->value.why == ATTR_MISSING_ABSENT) {
    set_missing(state, ATTR_MISSING_NOT_SUPPLIED, (struct str){0});
    state->value.detail = why;
  }
  return SOURCE_NOT_PRESENT;
}

/* The first text of each attribute that the supplier is told of. False: one has none, and the
 * source is settled or passed over as *ret says. */
static bool read_keys(struct attr_reader *reader, const struct attr_source *source,
                      const uint16_t *slots, struct slot_state *state, struct str *keys,
                      enum source_outcome *ret) {
  for (size_t i = 0; i < source->offered.key_count; i++) {
    const struct attr_value *value = attr_read(reader, slots[i]);
    if (value->state == ATTR_UNDECIDED) {
      set_undecided(state);
      *ret = SOURCE_SETTLED;
      return false;
    }
    if (value->state != ATTR_PRESENT || value->data[0].text.n == 0) {
      *ret = not_supplied(state, STR("an attribute that its source needs is missing"));
      return false;
    }
    keys[i] = value->data[0].text;
  }
  return true;
}

/* `key_slots`: those of this source. */
static enum source_outcome read_supplied(struct attr_reader *reader,
                                         const struct attr_source *source,
                                         const uint16_t *key_slots, enum attr_type type,
                                         struct slot_state *state) {
  const struct attr_supplier *supplier = &reader->suppliers[source->kind];
  struct str keys[ATTR_SOURCE_KEYS_MAX];
  struct attr_supplied supplied = {0};
  enum source_outcome outcome;
  if (!supplier->supply) return not_supplied(state, STR("nothing answers for its source here"));
  if (!read_keys(reader, source, key_slots, state, keys, &outcome)) return outcome;
  switch (supplier->supply(supplier->context, reader->input.request, source->offered.id, keys,
                           &supplied)) {
    case SUPPLY_PRESENT:
      settle_texts(reader, state, type, supplied.texts, supplied.n);
      return SOURCE_SETTLED;
    case SUPPLY_PENDING:
      reader->pending = true;
      set_undecided(state);
      return SOURCE_SETTLED;
    case SUPPLY_ABSENT:
    case SUPPLY_REFUSED:
      break;
  }
  return not_supplied(state, supplied.why);
}

static const struct attr_given *find_given(const struct attr_request *request,
                                           const struct attr_slot *slot) {
  if (!request->recorded && slot->origin != ORIGIN_DECLARED && !origin_is_agent(slot->origin))
    return NULL;
  for (size_t i = 0; i < request->given_count; i++)
    if (str_eq(request->given[i].name, slot->name)) return &request->given[i];
  return NULL;
}

static void set_unknown(struct attr_reader *reader, const struct attr_slot *slot,
                        struct slot_state *state, struct str why) {
  set_undecided(state);
  state->value.detail = why;
  if (reader->unknown == ATTR_SLOT_NONE)
    reader->unknown = (uint16_t)(slot - reader->table->slots.items);
}

static void take_given(struct attr_reader *reader, const struct attr_slot *slot,
                       const struct attr_given *given, struct slot_state *state) {
  switch (given->state) {
    case GIVEN_TEXTS:
      if (given->n > 0) settle_texts(reader, state, slot->type, given->texts, given->n);
      return;
    case GIVEN_UNDECIDED:
      set_undecided(state);
      return;
    case GIVEN_UNKNOWN:
      set_unknown(reader, slot, state, STR("unknown: the log has it redacted or cut"));
      return;
  }
}

/* Whether what a source says follows from what a line of a log tells: not what a database or a
 * directory says by now, nor fields. */
static bool is_recorded(const struct attr_request *request, const struct attr_source *source) {
  return (source->kind == SOURCE_QUERY && !request->untold_query) ||
         (source->kind == SOURCE_CIDR && !request->untold_client_ip);
}

static void read_sources(struct attr_reader *reader, const struct attr_slot *slot,
                         struct slot_state *state) {
  const struct attr_request *request = reader->input.request;
  const struct attr_given *given = find_given(request, slot);
  const uint16_t *keys = slot->keys;
  set_missing(state, ATTR_MISSING_ABSENT, (struct str){0});
  if (given) {
    take_given(reader, slot, given, state);
    return;
  }
  for (size_t i = 0; i < slot->source_count; i++) {
    const struct attr_source *source = &slot->sources[i];
    if (request->recorded && !is_recorded(request, source)) {
      set_unknown(reader, slot, state, STR("unknown: the log does not have it"));
      return;
    }
    enum source_outcome outcome = source_is_supplied(source)
                                      ? read_supplied(reader, source, keys, slot->type, state)
                                      : read_source(reader, source, slot->type, state);
    if (outcome == SOURCE_SETTLED) {
      state->value.source = i;
      return;
    }
    if (source->offered.key_count > 0) keys += source->offered.key_count;
  }
}

/* ---- built-in attributes --------------------------------------------------------------------- */

static void read_text(struct slot_state *state, struct str text) {
  if (text.p) {
    set_single(state, (struct attr_datum){.text = text});
  } else {
    set_missing(state, ATTR_MISSING_ABSENT, text);
  }
}

static void read_client_ip(struct attr_reader *reader, const struct attr_slot *slot,
                           struct slot_state *state) {
  if (reader->input.request->untold_client_ip) {
    set_unknown(reader, slot, state, STR("unknown: the log has it redacted or cut"));
    return;
  }
  struct attr_datum datum = {.as.ip = reader->input.request->client_ip};
  datum.text = ip_format(&datum.as.ip, reader->client_ip_text, sizeof(reader->client_ip_text));
  set_single(state, datum);
}

static void read_now(struct attr_reader *reader, struct slot_state *state) {
  struct attr_datum datum = {.as.ms = reader->input.request->now_ms};
  datum.text = time_format(datum.as.ms, reader->now_text, sizeof(reader->now_text));
  set_single(state, datum);
}

/* Both are read of the same instant: at midnight they change together. */
static void read_local_time(struct attr_reader *reader, const struct attr_slot *slot,
                            struct slot_state *state) {
  struct zone_local local = zone_local(reader->table->zone, reader->input.request->now_ms);
  struct attr_datum datum = {.text = weekday_name(local.weekday), .as.weekday = local.weekday};
  if (slot->type == ATTR_TIME_OF_DAY) {
    datum.as.ms = (int64_t)local.second * 1000;
    datum.text = time_of_day_format(local.second, reader->time_of_day_text);
  }
  set_single(state, datum);
}

/* now - time, as far as the type goes. */
static int64_t age_ms(int64_t now_ms, int64_t time_ms) {
  int64_t age;
  if (__builtin_sub_overflow(now_ms, time_ms, &age)) return time_ms < 0 ? INT64_MAX : INT64_MIN;
  return age;
}

static void read_age(struct attr_reader *reader, const struct attr_slot *slot,
                     struct slot_state *state) {
  const struct attr_value *time = attr_read(reader, slot->base);
  state->value = *time;
  if (time->state != ATTR_PRESENT) return;
  struct attr_datum *data = reserve_data(reader, state, time->n);
  char *texts = arena_alloc_array(reader->arena, time->n, TIME_TEXT_BYTES);
  if (!data || !texts) {
    set_undecided(state);
    return;
  }
  for (size_t i = 0; i < time->n; i++) {
    int64_t ms = age_ms(reader->input.request->now_ms, time->data[i].as.ms);
    struct str text = duration_format(ms, texts + i * TIME_TEXT_BYTES, TIME_TEXT_BYTES);
    data[i] = (struct attr_datum){.text = text, .as.ms = ms};
  }
  set_present(state, data, time->n, time->is_list);
}

/* ---- what the client says of itself ---------------------------------------------------------- */

/* The value of a field that came once. */
static struct str only_header(const struct attr_request *request, struct str name) {
  struct str value, second;
  if (!attr_request_header(request, name, 0, &value)) return (struct str){0};
  return attr_request_header(request, name, 1, &second) ? (struct str){0} : value;
}

/* Once for all the slots of a request that need it. */
static void parse_agent(struct attr_reader *reader) {
  const struct attr_request *request = reader->input.request;
  if (reader->agent_was_parsed) return;
  reader->agent_was_parsed = true;
  const struct agent_input input = {
      .user_agent = only_header(request, agent_source_name(AGENT_FROM_USER_AGENT)),
      .brands = only_header(request, agent_source_name(AGENT_FROM_BRANDS)),
      .mobile = only_header(request, agent_source_name(AGENT_FROM_MOBILE)),
      .platform = only_header(request, agent_source_name(AGENT_FROM_PLATFORM)),
      .platform_version = only_header(request, agent_source_name(AGENT_FROM_PLATFORM_VERSION)),
  };
  agent_parse(&input, &reader->agent);
}

static struct str read_language(struct attr_reader *reader) {
  struct str field;
  reader->language = (struct language){0};
  for (size_t k = 0; attr_request_header(reader->input.request, STR("Accept-Language"), k, &field);
       k++) {
    if (reader->language.ranges == LANGUAGE_RANGES_MAX) break;
    language_offer(&reader->language, field);
  }
  return reader->language.tag;
}

/* *ret_source is as that of struct attr_value, when there is a text. */
static struct str read_field(struct attr_reader *reader, enum agent_field field,
                             size_t *ret_source) {
  enum agent_source source;
  parse_agent(reader);
  size_t k = 0;
  while (agent_field_source(field, k, &source) && source != reader->agent.sources[field]) k++;
  *ret_source = k;
  return reader->agent.fields[field];
}

static bool has_source(const struct attr_reader *reader, const struct attr_slot *slot) {
  struct str value;
  enum agent_source source;
  if (slot->origin == ORIGIN_LANGUAGE)
    return attr_request_header(reader->input.request, STR("Accept-Language"), 0, &value);
  for (size_t k = 0; agent_field_source(origin_agent_field(slot->origin), k, &source); k++)
    if (attr_request_header(reader->input.request, agent_source_name(source), 0, &value))
      return true;
  return false;
}

/* Never more than one text, whatever is given: attr_table_is_single says so. */
static void read_agent(struct attr_reader *reader, const struct attr_slot *slot,
                       struct slot_state *state) {
  const struct attr_given *given = find_given(reader->input.request, slot);
  struct str text = {0};
  size_t source = 0;
  if (given && given->state != GIVEN_TEXTS) {
    take_given(reader, slot, given, state);
    return;
  }
  if (!given && reader->input.request->recorded) {
    set_unknown(reader, slot, state, STR("unknown: the log does not have it"));
    return;
  }
  if (given) {
    if (given->n > 0) text = given->texts[0];
    source = ATTR_SOURCE_NONE;
  } else if (slot->origin == ORIGIN_LANGUAGE) {
    text = read_language(reader);
  } else {
    text = read_field(reader, origin_agent_field(slot->origin), &source);
  }
  set_missing(state, ATTR_MISSING_ABSENT, (struct str){0});
  if (text.p) {
    settle_texts(reader, state, slot->type, &text, 1);
    state->value.source = source;
  } else if (!given && has_source(reader, slot)) {
    set_missing(state, ATTR_MISSING_NOT_SUPPLIED, (struct str){0});
    state->value.detail = STR("what the client says of itself does not tell");
  }
}

/* ---- reading --------------------------------------------------------------------------------- */

static void read_slot(struct attr_reader *reader, const struct attr_slot *slot,
                      struct slot_state *state) {
  const struct attr_request *request = reader->input.request;
  switch (slot->origin) {
    case ORIGIN_METHOD:
      read_text(state, request->method);
      break;
    case ORIGIN_SCHEME:
      read_text(state, request->scheme);
      break;
    case ORIGIN_HOST:
      read_text(state, request->host);
      break;
    case ORIGIN_PATH:
      read_text(state, request->path);
      break;
    case ORIGIN_CLIENT_IP:
      read_client_ip(reader, slot, state);
      break;
    case ORIGIN_NOW:
      read_now(reader, state);
      break;
    case ORIGIN_LOCAL_TIME:
      read_local_time(reader, slot, state);
      break;
    case ORIGIN_AGE:
      read_age(reader, slot, state);
      break;
    case ORIGIN_DEVICE:
    case ORIGIN_OS:
    case ORIGIN_OS_VERSION:
    case ORIGIN_BROWSER:
    case ORIGIN_BROWSER_VERSION:
    case ORIGIN_LANGUAGE:
      read_agent(reader, slot, state);
      break;
    case ORIGIN_HEADER:
    case ORIGIN_COOKIE:
    case ORIGIN_QUERY:
    case ORIGIN_DECLARED:
      read_sources(reader, slot, state);
      break;
  }
}

const struct attr_value *attr_reader_peek(const struct attr_reader *reader, uint16_t slot) {
  assert(slot < attr_table_size(reader->table));
  if (slot >= reader->slot_capacity) return NULL;
  const struct slot_state *state = &reader->slots[slot];
  return state->generation == reader->generation ? &state->value : NULL;
}

const struct attr_value *attr_read(struct attr_reader *reader, uint16_t slot) {
  static const struct attr_value undecided = {.state = ATTR_UNDECIDED};
  assert(slot < attr_table_size(reader->table));
  if (slot >= reader->slot_capacity) return &undecided;
  struct slot_state *state = &reader->slots[slot];
  if (state->generation != reader->generation) {
    state->generation = reader->generation;
    read_slot(reader, &reader->table->slots.items[slot], state);
    /* What only the trace asks decides nothing, and makes no decision depend on the time. */
    if (!reader->tracing && state->value.state == ATTR_PRESENT &&
        attr_table_is_timed(reader->table, slot)) {
      reader->time_was_read = true;
    }
  }
  return &state->value;
}
