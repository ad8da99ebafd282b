/*
 * overrides: the table: what was said of which route, and what the routes of all policies follow.
 *
 *   entry ──► cell ◄── the route of that name in the policy that is served
 *     └─────► older cells ◄── in policies that are being replaced
 *
 * A cell is a struct route_override. All policies share an entry's cell, so that one store counts
 * for all of them; only where a load ends an override the new route gets a cell of its own, and the
 * old one stays as it was for those who still decide by the old file.
 *
 * There are entries for all routes that are served, and for overrides that wait for theirs.
 */
#include "adit/overrides.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/hash.h"
#include "adit/policy.h"
#include "adit/units.h"
#include "state_file.h"

enum { SCRATCH_BYTES_MAX = 64 << 20 };

struct cell {
  struct route_override *override;
  struct cell *older;
};

struct entry {
  struct override_info info; /* state and since hold with `is_overridden`; file_state always */
  bool is_overridden;
  bool has_canary; /* of the route that is served */
  bool is_told_of; /* that it waits */
  struct cell *cells;
};

struct overrides {
  char *path;           /* NULL: none */
  pthread_mutex_t lock; /* of what follows; held for no longer than that takes */
  struct entry **entries;
  size_t n;
  size_t overridden;
  uint64_t changes; /* of what is to be saved */
  uint64_t saved;   /* that number, of what is in the file */
  bool has_stopped_saving;
  char why_not[512];
  pthread_mutex_t saving; /* one writes at a time; taken before `lock` */
};

/* ---- entries --------------------------------------------------------------------------------- */

static void cell_free(struct cell *cell) {
  route_override_unref(&cell->override);
  free(cell);
}

/* It says what the others say. */
static bool add_cell(struct entry *entry) {
  struct cell *cell = malloc(sizeof(*cell));
  struct route_override *override = route_override_new();
  if (!cell || !override) {
    free(cell);
    route_override_unref(&override);
    return false;
  }
  if (entry->is_overridden) route_override_set(override, entry->info.state);
  *cell = (struct cell){override, entry->cells};
  entry->cells = cell;
  return true;
}

/* Older cells that no policy has any more. */
static void drop_unused_cells(struct entry *entry) {
  struct cell **link = &entry->cells->older;
  while (*link) {
    struct cell *cell = *link;
    if (route_override_is_shared(cell->override)) {
      link = &cell->older;
    } else {
      *link = cell->older;
      cell_free(cell);
    }
  }
}

static void entry_free(struct entry *entry) {
  while (entry->cells) {
    struct cell *cell = entry->cells;
    entry->cells = cell->older;
    cell_free(cell);
  }
  free(entry);
}

/* With one cell, which says nothing. NULL: memory. */
static struct entry *entry_new(struct str name) {
  struct entry *entry = calloc(1, sizeof(*entry));
  if (!entry) return NULL;
  if (!add_cell(entry)) {
    free(entry);
    return NULL;
  }
  (void)str_copy_to(name, entry->info.route, sizeof(entry->info.route));
  entry->info.is_waiting = true;
  return entry;
}

/* In force: for routes of policies that are being replaced, too. */
static void override_begin(struct overrides *overrides, struct entry *entry, enum route_state state,
                           int64_t since_ms) {
  if (!entry->is_overridden) overrides->overridden++;
  entry->is_overridden = true;
  entry->info.state = state;
  entry->info.since_ms = since_ms;
  for (struct cell *cell = entry->cells; cell; cell = cell->older)
    route_override_set(cell->override, state);
}

static void override_end(struct overrides *overrides, struct entry *entry) {
  if (!entry->is_overridden) return;
  overrides->overridden--;
  entry->is_overridden = false;
  for (struct cell *cell = entry->cells; cell; cell = cell->older)
    route_override_clear(cell->override);
}

static struct entry *find_entry(const struct overrides *overrides, struct str name) {
  for (size_t i = 0; i < overrides->n; i++)
    if (str_eq(str_from_cstr(overrides->entries[i]->info.route), name))
      return overrides->entries[i];
  return NULL;
}

/* ---- start and end --------------------------------------------------------------------------- */

struct overrides *overrides_new(const char *path) {
  struct overrides *overrides = calloc(1, sizeof(*overrides));
  if (!overrides) return NULL;
  if (path && !(overrides->path = strdup(path))) {
    free(overrides);
    return NULL;
  }
  (void)pthread_mutex_init(&overrides->lock, NULL);
  (void)pthread_mutex_init(&overrides->saving, NULL);
  if (!path)
    (void)snprintf(overrides->why_not, sizeof(overrides->why_not),
                   "the configuration has no state_file");
  return overrides;
}

void overrides_free(struct overrides **overrides) {
  struct overrides *old = *overrides;
  *overrides = NULL;
  if (!old) return;
  for (size_t i = 0; i < old->n; i++) entry_free(old->entries[i]);
  free(old->entries);
  free(old->path);
  (void)pthread_mutex_destroy(&old->lock);
  (void)pthread_mutex_destroy(&old->saving);
  free(old);
}

/* What the state file says of routes that this process has not known: each waits for its file.
 * False: memory. */
static bool add_unknown(struct overrides *overrides, const struct override_info *items, size_t n) {
  struct entry **room = realloc(overrides->entries, (overrides->n + n + 1) * sizeof(*room));
  if (!room) return false;
  overrides->entries = room;
  for (size_t i = 0; i < n; i++) {
    if (find_entry(overrides, str_from_cstr(items[i].route))) continue;
    struct entry *entry = entry_new(str_from_cstr(items[i].route));
    if (!entry) return false;
    entry->info.file_state = items[i].file_state;
    override_begin(overrides, entry, items[i].state, items[i].since_ms);
    overrides->entries[overrides->n++] = entry;
  }
  return true;
}

bool overrides_load(struct overrides *overrides, struct diags *diags) {
  struct override_info *items = NULL;
  size_t n = 0;
  if (!overrides->path) return true;
  bool ok = state_file_load(overrides->path, &items, &n, diags);
  if (ok && !add_unknown(overrides, items, n)) {
    diags_add(diags, DIAG_ERROR, (struct diag_place){overrides->path, 0, 0}, NULL, "out of memory");
    ok = false;
  }
  free(items);
  return ok;
}

bool overrides_cannot_be_kept(const struct overrides *overrides, char *ret_why, size_t capacity) {
  return overrides->path && !state_file_may_be_written(overrides->path, ret_why, capacity);
}

void overrides_stop_saving(struct overrides *overrides) {
  pthread_mutex_lock(&overrides->lock);
  overrides->has_stopped_saving = true;
  pthread_mutex_unlock(&overrides->lock);
}

void overrides_resume_saving(struct overrides *overrides) {
  pthread_mutex_lock(&overrides->lock);
  overrides->has_stopped_saving = false;
  pthread_mutex_unlock(&overrides->lock);
}

static const struct override_info *find_item(const struct override_info *items, size_t n,
                                             const struct entry *entry) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(items[i].route, entry->info.route) == 0) return &items[i];
  return NULL;
}

static bool take_changes(struct overrides *overrides, const struct override_info *items, size_t n) {
  for (size_t i = 0; i < overrides->n; i++) {
    struct entry *entry = overrides->entries[i];
    const struct override_info *item = find_item(items, n, entry);
    if (item && (entry->info.is_waiting || item->file_state == entry->info.file_state)) {
      entry->info.file_state = item->file_state;
      override_begin(overrides, entry, item->state, item->since_ms);
    } else {
      override_end(overrides, entry);
      if (item) overrides->changes++; /* the file of here has the last word */
    }
  }
  return add_unknown(overrides, items, n);
}

bool overrides_take_over(struct overrides *overrides, struct diags *diags) {
  struct override_info *items = NULL;
  size_t n = 0;
  overrides_resume_saving(overrides);
  if (!overrides->path) return true;
  if (!state_file_load(overrides->path, &items, &n, diags)) return false;
  pthread_mutex_lock(&overrides->lock);
  bool ok = take_changes(overrides, items, n);
  bool is_saved = overrides->saved == overrides->changes;
  pthread_mutex_unlock(&overrides->lock);
  free(items);
  if (ok && !is_saved) (void)overrides_save(overrides);
  return ok;
}

/* ---- by whom routes are served --------------------------------------------------------------- */

/* What a policy makes of the table, before anything is changed. */
struct adoption {
  const struct policy *policy;
  overrides_say_fn *say;
  void *context;
  struct arena *arena;
  struct str_set *known;  /* name → index in the table as it is */
  struct entry **entries; /* as they will be: the policy's routes in their order, then who waits */
  size_t n;
  bool *is_taken; /* of the table as it is */
  bool *is_new;   /* of `entries` */
};

__attribute__((format(printf, 2, 3))) static void tell(const struct adoption *adoption,
                                                       const char *format, ...) {
  struct text line;
  text_init(&line, 1024);
  va_list args;
  va_start(args, format);
  text_vprintf(&line, format, args);
  va_end(args);
  adoption->say(adoption->context, text_str(&line));
  text_deinit(&line);
}

static bool ends(const struct entry *entry, const struct route *route) {
  return entry->is_overridden && entry->info.file_state != route->state;
}

/* Makes ready what may fail: an entry for each route, and a cell for each override that ends. */
static bool prepare_route(struct adoption *adoption, struct overrides *overrides,
                          const struct route *route) {
  size_t i = str_set_find(adoption->known, route->name);
  struct entry *entry = i == STR_SET_NONE ? entry_new(route->name) : overrides->entries[i];
  if (!entry) return false;
  if (i != STR_SET_NONE) adoption->is_taken[i] = true;
  adoption->is_new[adoption->n] = i == STR_SET_NONE;
  adoption->entries[adoption->n++] = entry;
  return !ends(entry, route) || add_cell(entry);
}

static bool prepare(struct adoption *adoption, struct overrides *overrides) {
  const size_t routes = policy_route_count(adoption->policy), before = overrides->n;
  adoption->arena = arena_new(SCRATCH_BYTES_MAX);
  adoption->entries = calloc(routes + before + 1, sizeof(struct entry *));
  if (!adoption->arena || !adoption->entries) return false;
  adoption->known = str_set_new(adoption->arena, before + 1);
  adoption->is_taken = ARENA_ARRAY(adoption->arena, bool, before + 1);
  adoption->is_new = ARENA_ARRAY(adoption->arena, bool, routes + 1);
  if (!adoption->known || !adoption->is_taken || !adoption->is_new) return false;
  for (size_t i = 0; i < before; i++)
    (void)str_set_add(adoption->known, str_from_cstr(overrides->entries[i]->info.route), i);
  for (size_t i = 0; i < routes; i++)
    if (!prepare_route(adoption, overrides, policy_route(adoption->policy, i))) return false;
  return true;
}

/* A cell too many in an entry that stays does no harm. */
static void abandon(struct adoption *adoption) {
  for (size_t i = 0; i < adoption->n; i++)
    if (adoption->is_new[i]) entry_free(adoption->entries[i]);
  free(adoption->entries);
}

static const char *state_of(enum route_state state) {
  return route_state_name(state);
}

/* The new cell is the first; the old ones go on for those who decide by the old file. */
static void end_by_file(struct adoption *adoption, struct overrides *overrides, struct entry *entry,
                        const struct route *route) {
  char since[32];
  tell(adoption,
       "route '%s': the override '%s' of %.*s ends: the file's state was '%s' then and is '%s' now",
       entry->info.route, state_of(entry->info.state),
       STR_ARG(time_format(entry->info.since_ms, since, sizeof(since))),
       state_of(entry->info.file_state), state_of(route->state));
  entry->is_overridden = false;
  route_override_clear(entry->cells->override);
  overrides->overridden--;
  overrides->changes++;
}

static void adopt_route(struct adoption *adoption, struct overrides *overrides, struct entry *entry,
                        const struct route *route) {
  const bool was_waiting = entry->info.is_waiting;
  if (ends(entry, route)) end_by_file(adoption, overrides, entry, route);
  entry->info.is_waiting = entry->is_told_of = false;
  entry->info.file_state = route->state;
  entry->has_canary = route->canary_count > 0;
  route_follow(route, entry->cells->override);
  drop_unused_cells(entry);
  if (!entry->is_overridden) return;
  if (was_waiting)
    tell(adoption, "route '%s' is overridden: state '%s', whatever its file says",
         entry->info.route, state_of(entry->info.state));
  if (entry->info.state == ROUTE_FULL && !entry->has_canary)
    tell(adoption, "route '%s': the override 'full' finds no canary any more: stable answers",
         entry->info.route);
}

/* Of a route that is gone: its override stays for when it comes back. */
static void leave_waiting(struct adoption *adoption, struct entry *entry) {
  if (!entry->is_overridden) {
    entry_free(entry);
    return;
  }
  if (!entry->is_told_of)
    tell(adoption,
         "route '%s' is not served; its override '%s' waits for it (adit ctl state %s file takes "
         "it back)",
         entry->info.route, state_of(entry->info.state), entry->info.route);
  entry->is_told_of = true;
  entry->info.is_waiting = true;
  adoption->entries[adoption->n++] = entry;
}

static void adopt(struct adoption *adoption, struct overrides *overrides) {
  const size_t routes = adoption->n;
  for (size_t i = 0; i < routes; i++)
    adopt_route(adoption, overrides, adoption->entries[i], policy_route(adoption->policy, i));
  for (size_t i = 0; i < overrides->n; i++)
    if (!adoption->is_taken[i]) leave_waiting(adoption, overrides->entries[i]);
  free(overrides->entries);
  overrides->entries = adoption->entries;
  overrides->n = adoption->n;
}

bool overrides_adopt(struct overrides *overrides, const struct policy *policy,
                     overrides_say_fn *say, void *context) {
  struct adoption adoption = {.policy = policy, .say = say, .context = context};
  pthread_mutex_lock(&overrides->lock);
  bool ok = prepare(&adoption, overrides);
  if (ok)
    adopt(&adoption, overrides);
  else
    abandon(&adoption);
  bool is_saved = overrides->saved == overrides->changes;
  pthread_mutex_unlock(&overrides->lock);
  arena_free(&adoption.arena);
  if (ok && !is_saved) (void)overrides_save(overrides);
  return ok;
}

/* ---- saying ---------------------------------------------------------------------------------- */

static enum override_outcome set_state(struct overrides *overrides, struct str route,
                                       enum route_state state, int64_t now_ms) {
  struct entry *entry = find_entry(overrides, route);
  if (!entry || entry->info.is_waiting) return OVERRIDE_NO_ROUTE;
  if (state == ROUTE_FULL && !entry->has_canary) return OVERRIDE_NO_CANARY;
  if (!entry->is_overridden && overrides->overridden >= OVERRIDES_MAX) return OVERRIDE_TOO_MANY;
  override_begin(overrides, entry, state, now_ms);
  overrides->changes++;
  return OVERRIDE_DONE;
}

enum override_outcome overrides_set_state(struct overrides *overrides, struct str route,
                                          enum route_state state, int64_t now_ms) {
  pthread_mutex_lock(&overrides->lock);
  enum override_outcome outcome = set_state(overrides, route, state, now_ms);
  pthread_mutex_unlock(&overrides->lock);
  return outcome;
}

/* An entry that waited for its route goes with its override. */
static void forget(struct overrides *overrides, struct entry *entry) {
  size_t i = 0;
  while (overrides->entries[i] != entry) i++;
  overrides->n--;
  for (; i < overrides->n; i++) overrides->entries[i] = overrides->entries[i + 1];
  entry_free(entry);
}

enum override_outcome overrides_take_back(struct overrides *overrides, struct str route) {
  pthread_mutex_lock(&overrides->lock);
  struct entry *entry = find_entry(overrides, route);
  if (entry && entry->is_overridden) {
    override_end(overrides, entry);
    overrides->changes++;
    if (entry->info.is_waiting) forget(overrides, entry);
  }
  pthread_mutex_unlock(&overrides->lock);
  return entry ? OVERRIDE_DONE : OVERRIDE_NO_ROUTE;
}

/* ---- saving ---------------------------------------------------------------------------------- */

/* Of `lock`. False: memory. */
static bool copy_items(const struct overrides *overrides, struct override_info **ret_items,
                       size_t *ret_n) {
  *ret_n = 0;
  *ret_items = calloc(overrides->overridden + 1, sizeof(**ret_items));
  for (size_t i = 0; *ret_items && i < overrides->n; i++)
    if (overrides->entries[i]->is_overridden)
      (*ret_items)[(*ret_n)++] = overrides->entries[i]->info;
  return *ret_items != NULL;
}

/* The text of the file at this moment, and the number of its last change. False: *ret_why. */
static bool format_now(struct overrides *overrides, struct text *out, uint64_t *ret_changes,
                       char *ret_why, size_t capacity) {
  struct override_info *items = NULL;
  size_t n = 0;
  pthread_mutex_lock(&overrides->lock);
  bool stopped = overrides->has_stopped_saving;
  bool ok = !stopped && copy_items(overrides, &items, &n);
  *ret_changes = overrides->changes;
  pthread_mutex_unlock(&overrides->lock);
  if (ok) state_file_format(items, n, out);
  free(items);
  if (ok && !text_failed(out)) return true;
  (void)snprintf(ret_why, capacity, "%s",
                 stopped ? "this gateway drains and leaves the state file to the one that follows"
                         : "out of memory");
  return false;
}

static bool save(struct overrides *overrides) {
  struct text text;
  uint64_t changes = 0;
  char why[sizeof(overrides->why_not)] = "";
  text_init(&text, STATE_FILE_BYTES_MAX);
  bool ok = format_now(overrides, &text, &changes, why, sizeof(why)) &&
            state_file_write(overrides->path, text_str(&text), why, sizeof(why));
  text_deinit(&text);
  pthread_mutex_lock(&overrides->lock);
  if (ok) overrides->saved = changes;
  memcpy(overrides->why_not, why, sizeof(why));
  pthread_mutex_unlock(&overrides->lock);
  return ok;
}

bool overrides_save(struct overrides *overrides) {
  if (!overrides->path) return false;
  pthread_mutex_lock(&overrides->saving);
  pthread_mutex_lock(&overrides->lock);
  bool ok = overrides->saved == overrides->changes;
  pthread_mutex_unlock(&overrides->lock);
  if (!ok) ok = save(overrides);
  pthread_mutex_unlock(&overrides->saving);
  return ok;
}

bool overrides_keep(struct overrides *overrides, char *ret_why, size_t capacity) {
  pthread_mutex_lock(&overrides->saving);
  pthread_mutex_lock(&overrides->lock);
  bool ok = overrides->overridden == 0;
  pthread_mutex_unlock(&overrides->lock);
  if (!ok && overrides->path) ok = save(overrides);
  pthread_mutex_lock(&overrides->lock);
  (void)snprintf(ret_why, capacity, "%s", overrides->why_not);
  pthread_mutex_unlock(&overrides->lock);
  pthread_mutex_unlock(&overrides->saving);
  return ok;
}

/* ---- asking ---------------------------------------------------------------------------------- */

bool overrides_read(struct overrides *overrides, struct overrides_report *ret) {
  *ret = (struct overrides_report){.path = overrides->path};
  pthread_mutex_lock(&overrides->lock);
  bool ok = copy_items(overrides, &ret->items, &ret->n);
  ret->is_kept = overrides->path && overrides->saved == overrides->changes;
  memcpy(ret->why_not, overrides->why_not, sizeof(ret->why_not));
  pthread_mutex_unlock(&overrides->lock);
  return ok;
}

void overrides_report_deinit(struct overrides_report *report) {
  free(report->items);
  report->items = NULL;
  report->n = 0;
}

const struct override_info *overrides_find(const struct overrides_report *report,
                                           struct str route) {
  for (size_t i = 0; i < report->n; i++)
    if (str_eq(str_from_cstr(report->items[i].route), route)) return &report->items[i];
  return NULL;
}
