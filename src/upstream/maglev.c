#include "maglev.h"

#include <pthread.h>
#include <stdlib.h>

#include "adit/hash.h"

enum { NOBODY = 0xFFFF };

struct maglev {
  struct maglev *next;
  unsigned references;
  struct maglev_member *members; /* that it was made for */
  size_t n;
  uint16_t places[MAGLEV_PLACES];
};

/* All that are in use. */
static struct {
  pthread_mutex_t mutex;
  struct maglev *first;
} tables = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Known to all, so that all agree; who can choose addresses gains nothing by it. */
uint64_t maglev_id(struct str text) {
  static const uint64_t key[2] = {0x6164697420656e64u, 0x706f696e74732031u};
  return siphash_2_4(key, text.p, text.n);
}

/* ---- making ---------------------------------------------------------------------------------- */

/* Where a member looks for its next place, and how far it goes on from one that is taken. */
struct walk {
  uint32_t at, step;
};

static struct walk *start_walks(const struct maglev_member *members, size_t n) {
  struct walk *walks = calloc(n, sizeof(*walks));
  for (size_t i = 0; walks && i < n; i++) {
    walks[i].at = (uint32_t)(members[i].id & UINT32_MAX) % MAGLEV_PLACES;
    walks[i].step = (uint32_t)(members[i].id >> 32) % (MAGLEV_PLACES - 1) + 1;
  }
  return walks;
}

/* Takes the next free place in the member's order; there is one. */
static void take_place(struct maglev *table, struct walk *walk, size_t member) {
  while (table->places[walk->at] != NOBODY) walk->at = (walk->at + walk->step) % MAGLEV_PLACES;
  table->places[walk->at] = (uint16_t)member;
}

static bool fill(struct maglev *table, const uint32_t *turns, size_t turn_count) {
  struct walk *walks = start_walks(table->members, table->n);
  if (!walks) return false;
  for (size_t i = 0; i < MAGLEV_PLACES; i++) table->places[i] = NOBODY;
  for (size_t taken = 0, turn = 0; taken < MAGLEV_PLACES; turn++) {
    size_t member = turns ? turns[turn % turn_count] : turn % table->n;
    if (member >= MAGLEV_MEMBERS_MAX) continue;
    take_place(table, &walks[member], member);
    taken++;
  }
  free(walks);
  return true;
}

static void table_free(struct maglev *table) {
  free(table->members);
  free(table);
}

static struct maglev *table_new(const struct maglev_member *members, size_t n,
                                const uint32_t *turns, size_t turn_count) {
  struct maglev *table = malloc(sizeof(*table));
  if (!table) return NULL;
  *table = (struct maglev){.references = 1, .members = calloc(n, sizeof(*members)), .n = n};
  if (table->members) {
    memcpy(table->members, members, n * sizeof(*members));
    if (fill(table, turns, turn_count)) return table;
  }
  table_free(table);
  return NULL;
}

/* ---- sharing --------------------------------------------------------------------------------- */

static struct maglev *find_same(const struct maglev_member *members, size_t n) {
  for (struct maglev *table = tables.first; table; table = table->next)
    if (table->n == n && memcmp(table->members, members, n * sizeof(*members)) == 0) return table;
  return NULL;
}

struct maglev *maglev_get(const struct maglev_member *members, size_t n, const uint32_t *turns,
                          size_t turn_count) {
  pthread_mutex_lock(&tables.mutex);
  struct maglev *table = find_same(members, n);
  if (table) {
    table->references++;
  } else {
    /* Under the lock: the other workers are about to ask for the same. */
    table = table_new(members, n, turns, turn_count);
    if (table) {
      table->next = tables.first;
      tables.first = table;
    }
  }
  pthread_mutex_unlock(&tables.mutex);
  return table;
}

void maglev_unref(struct maglev **table) {
  struct maglev *gone = *table;
  *table = NULL;
  if (!gone) return;
  pthread_mutex_lock(&tables.mutex);
  bool last = --gone->references == 0;
  for (struct maglev **at = &tables.first; last && *at; at = &(*at)->next) {
    if (*at != gone) continue;
    *at = gone->next;
    break;
  }
  pthread_mutex_unlock(&tables.mutex);
  if (last) table_free(gone);
}

size_t maglev_count(void) {
  size_t n = 0;
  pthread_mutex_lock(&tables.mutex);
  for (const struct maglev *table = tables.first; table; table = table->next) n++;
  pthread_mutex_unlock(&tables.mutex);
  return n;
}

/* ---- asking ---------------------------------------------------------------------------------- */

size_t maglev_find(const struct maglev *table, uint64_t key, unsigned nth) {
  return table->places[mix_64(key, nth) % MAGLEV_PLACES];
}
