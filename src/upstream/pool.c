/*
 * pool: one upstream's targets, and whose turn it is. Belongs to one worker.
 *
 * An endpoint that is an address is one target; one that is a name is a target for each of its
 * addresses. The list is made anew when the resolver says that a name has changed. With it a
 * schedule: each member as often as its weight says, evenly spread. Round robin goes through it;
 * least requests draws two places of it and takes the member that has less to do for its weight;
 * for hash the members take the places of a table in its order (maglev.h).
 */
#include <stdlib.h>

#include "adit/hash.h"
#include "maglev.h"
#include "target.h"

struct member {
  struct target *target;
  unsigned weight;
  struct health_endpoint *health; /* NULL: it is not checked */
};

struct members {
  struct member *items;
  size_t n;
  uint32_t *schedule; /* indices into `items`; NULL: all weigh the same */
  size_t schedule_count;
  struct maglev *table; /* NULL: another balance than hash, or no members */
};

struct pool {
  struct resolver *resolver;
  struct health *health;
  struct target_table *table;
  const struct config_upstream *config;
  struct resolved_name **names; /* for each endpoint; NULL where it is an address */
  unsigned *versions;           /* those that `targets` was made from */
  bool has_names;
  bool is_outdated; /* memory was short when the list was to be made anew */
  struct members members;
  uint64_t cursor;
  unsigned retrying; /* requests that were sent once more, and are under way */
};

/* ---- members --------------------------------------------------------------------------------- */

static void members_free(const struct pool *pool, struct members *members) {
  for (size_t i = 0; i < members->n; i++) {
    target_unref(pool->table, &members->items[i].target);
    health_unref(pool->health, &members->items[i].health);
  }
  free(members->items);
  free(members->schedule);
  maglev_unref(&members->table);
  *members = (struct members){0};
}

/* Appends a target, whose reference is given away, once. False: memory. */
static bool members_add(const struct pool *pool, struct members *members, struct target *target,
                        unsigned weight) {
  struct target_table *table = pool->table;
  const struct config_upstream *config = pool->config;
  for (size_t i = 0; target && i < members->n; i++) {
    if (members->items[i].target != target) continue;
    target_unref(table, &target);
    return true;
  }
  struct member *grown =
      target ? reallocarray(members->items, members->n + 1, sizeof(*grown)) : NULL;
  if (!grown) {
    target_unref(table, &target);
    return false;
  }
  members->items = grown;
  struct member *member = &grown[members->n++];
  *member = (struct member){target, weight, NULL};
  if (!config->health) return true;
  member->health =
      health_ref(pool->health, config->health, config->name, str_from_cstr(target->text));
  return member->health != NULL;
}

static bool endpoint_add(struct pool *pool, size_t i, struct members *members) {
  const struct config_endpoint *endpoint = &pool->config->endpoints[i];
  struct target_table *table = pool->table;
  if (endpoint->drains) return true;
  if (endpoint->is_unix)
    return members_add(pool, members, target_get_unix(table, endpoint->host), endpoint->weight);
  if (endpoint->is_address)
    return members_add(pool, members, target_get(table, &endpoint->ip, endpoint->port),
                       endpoint->weight);
  struct ip_address addresses[RESOLVED_ADDRESSES_MAX];
  size_t found = resolved_name_read(pool->resolver, pool->names[i], addresses,
                                    RESOLVED_ADDRESSES_MAX, &pool->versions[i]);
  for (size_t k = 0; k < found; k++)
    if (!members_add(pool, members, target_get(table, &addresses[k], endpoint->port),
                     endpoint->weight))
      return false;
  return true;
}

/* ---- schedule ---- */

enum { SCHEDULE_MAX = 1 << 16 };

/* A member's k-th place of `weight`, in the middle of its share of a turn. */
struct place {
  double at;
  uint32_t member;
};

static int compare_places(const void *a, const void *b) {
  const struct place *left = a, *right = b;
  if (left->at != right->at) return left->at < right->at ? -1 : 1;
  return left->member < right->member ? -1 : left->member > right->member;
}

/* How often a member stands in a schedule whose weights add up to `sum`: at least once. */
static size_t places_of(unsigned weight, size_t sum) {
  if (sum <= SCHEDULE_MAX) return weight;
  size_t places = (size_t)weight * SCHEDULE_MAX / sum;
  return places > 0 ? places : 1;
}

static bool all_weigh_the_same(const struct members *members) {
  for (size_t i = 1; i < members->n; i++)
    if (members->items[i].weight != members->items[0].weight) return false;
  return true;
}

static bool members_schedule(struct members *members) {
  size_t sum = 0, count = 0, n = 0;
  if (all_weigh_the_same(members)) return true;
  for (size_t i = 0; i < members->n; i++) sum += members->items[i].weight;
  for (size_t i = 0; i < members->n; i++) count += places_of(members->items[i].weight, sum);
  struct place *places = calloc(count, sizeof(*places));
  members->schedule = calloc(count, sizeof(*members->schedule));
  if (!places || !members->schedule) {
    free(places);
    return false;
  }
  for (size_t i = 0; i < members->n; i++) {
    size_t of_member = places_of(members->items[i].weight, sum);
    for (size_t k = 0; k < of_member; k++)
      places[n++] = (struct place){((double)k + 0.5) / (double)of_member, (uint32_t)i};
  }
  qsort(places, count, sizeof(*places), compare_places);
  for (size_t i = 0; i < count; i++) members->schedule[i] = places[i].member;
  members->schedule_count = count;
  free(places);
  return true;
}

/* ---- table ---- */

static int compare_members(const void *a, const void *b) {
  const struct member *left = a, *right = b;
  return strcmp(left->target->text, right->target->text);
}

/* In one order wherever they come from. Before they are scheduled. */
static void members_sort(struct members *members) {
  if (members->n > 1) qsort(members->items, members->n, sizeof(*members->items), compare_members);
}

static bool members_tabulate(struct members *members) {
  if (members->n == 0) return true;
  struct maglev_member *described = calloc(members->n, sizeof(*described));
  if (!described) return false;
  for (size_t i = 0; i < members->n; i++) {
    const struct member *member = &members->items[i];
    described[i] =
        (struct maglev_member){maglev_id(str_from_cstr(member->target->text)), member->weight};
  }
  members->table = maglev_get(described, members->n, members->schedule, members->schedule_count);
  free(described);
  return members->table != NULL;
}

static bool members_arrange(const struct pool *pool, struct members *members) {
  if (pool->config->balance != BALANCE_HASH) return members_schedule(members);
  members_sort(members);
  return members_schedule(members) && members_tabulate(members);
}

/* New references are taken before the old ones are dropped, so that what stays keeps its idle
 * connections. Short of memory the old list stays, until the next attempt tries again. */
static bool pool_rebuild(struct pool *pool) {
  struct members members = {0};
  bool ok = true;
  for (size_t i = 0; ok && i < pool->config->endpoint_count; i++)
    ok = endpoint_add(pool, i, &members);
  if (!ok || !members_arrange(pool, &members)) {
    members_free(pool, &members);
    pool->is_outdated = true;
    return false;
  }
  members_free(pool, &pool->members);
  pool->members = members;
  pool->is_outdated = false;
  return true;
}

static bool pool_is_stale(const struct pool *pool) {
  if (pool->is_outdated) return true;
  for (size_t i = 0; i < pool->config->endpoint_count; i++)
    if (pool->names[i] && resolved_name_version(pool->names[i]) != pool->versions[i]) return true;
  return false;
}

static bool names_ref(struct pool *pool) {
  for (size_t i = 0; i < pool->config->endpoint_count; i++) {
    const struct config_endpoint *endpoint = &pool->config->endpoints[i];
    if (endpoint->is_address || endpoint->is_unix) continue;
    pool->has_names = true;
    pool->names[i] = resolver_name_ref(pool->resolver, endpoint->host);
    if (!pool->names[i]) return false;
  }
  return true;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct pool *pool_new(struct resolver *resolver, struct health *health, struct target_table *table,
                      const struct config_upstream *upstream) {
  struct pool *pool = calloc(1, sizeof(*pool));
  if (!pool) return NULL;
  *pool = (struct pool){.resolver = resolver, .health = health, .table = table, .config = upstream};
  pool->names = calloc(upstream->endpoint_count, sizeof(struct resolved_name *));
  pool->versions = calloc(upstream->endpoint_count, sizeof(unsigned));
  if (!pool->names || !pool->versions || !names_ref(pool) || !pool_rebuild(pool)) pool_free(&pool);
  return pool;
}

void pool_free(struct pool **pool) {
  struct pool *gone = *pool;
  *pool = NULL;
  if (!gone) return;
  members_free(gone, &gone->members);
  for (size_t i = 0; gone->names && i < gone->config->endpoint_count; i++)
    resolver_name_unref(gone->resolver, &gone->names[i]);
  free(gone->names);
  free(gone->versions);
  free(gone);
}

const struct config_upstream *pool_config(const struct pool *pool) {
  return pool->config;
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* Whether a member was avoided before the attempt began (and not on the attempt's own account). */
static bool is_avoided(const struct member *member, const struct pool_attempt *attempt) {
  const struct target *target = member->target;
  bool timed_out = target->avoid_until_ms > attempt->started_ms &&
                   target->avoid_until_ms <= attempt->started_ms + TARGET_AVOID_MS;
  const struct outlier *outlier = &target->outlier;
  bool ejected = outlier->until_ms > attempt->started_ms &&
                 outlier->until_ms <= attempt->started_ms + outlier->last_ms;
  bool unhealthy = member->health && health_share(member->health, attempt->started_ms) == 0;
  return timed_out || unhealthy || (ejected && attempt->heeds_ejections);
}

/* Whether a member that starts slowly leaves this attempt to the others. */
static bool holds_back(const struct member *member, const struct pool_attempt *attempt) {
  if (!member->health) return false;
  unsigned share = health_share(member->health, attempt->started_ms);
  /* Other bits than those that have chosen the member. */
  unsigned drawn = (unsigned)((attempt->random * 0x9E3779B97F4A7C15u >> 32) % HEALTH_SHARE_WHOLE);
  return share > 0 && drawn >= share;
}

static bool has_too_many_ejected(const struct pool *pool, int64_t now_ms) {
  const struct members *members = &pool->members;
  size_t ejected = 0;
  if (target_table_ejected_until_ms(pool->table) <= now_ms) return false;
  for (size_t i = 0; i < members->n; i++)
    ejected += members->items[i].target->outlier.until_ms > now_ms;
  return ejected * 100 > pool->config->outliers.max_ejected_percent * members->n;
}

/* Which member has the place, counted on for ever. */
static size_t member_at(const struct members *members, uint64_t place) {
  if (!members->schedule) return (size_t)(place % members->n);
  return members->schedule[place % members->schedule_count];
}

/* Whether `a` has less to do for its weight. Where both have nothing, chance has chosen by weight.
 */
static bool has_less(const struct member *a, const struct member *b) {
  return (uint64_t)a->target->active * b->weight < (uint64_t)b->target->active * a->weight;
}

/* Who would pass over a member that is out to the next in the list would give that one the load of
 * two. So a turn that is not taken goes by, and a draw that fails is made again. */
enum { TURNS_MAX = 256, DRAWS_MAX = 16 };

static bool is_fit(const struct members *members, size_t i, const struct pool_attempt *attempt) {
  const struct member *member = &members->items[i];
  return !is_avoided(member, attempt) && !holds_back(member, attempt);
}

static size_t pick_in_turn(struct pool *pool, const struct pool_attempt *attempt) {
  const uint64_t first = pool->cursor++;
  for (uint64_t turn = first; turn < first + TURNS_MAX; turn++) {
    const size_t i = member_at(&pool->members, turn);
    if (!is_fit(&pool->members, i, attempt)) continue;
    pool->cursor = turn + 1;
    return i;
  }
  return member_at(&pool->members, first); /* all are out: as if none were */
}

/* A member that was drawn, or where it is not fit another one. */
static size_t draw_fit(const struct members *members, const struct pool_attempt *attempt, size_t i,
                       uint64_t salt) {
  for (uint64_t draw = 1; draw <= DRAWS_MAX && !is_fit(members, i, attempt); draw++)
    i = member_at(members, mix_64(attempt->random + salt, draw) >> 16);
  return i;
}

static size_t pick_least(const struct pool *pool, const struct pool_attempt *attempt) {
  const struct members *members = &pool->members;
  size_t a = draw_fit(members, attempt, member_at(members, attempt->random & UINT32_MAX), 1);
  size_t b = draw_fit(members, attempt, member_at(members, attempt->random >> 32), 2);
  if (a == b) b = (a + 1) % members->n;
  bool avoids_a = is_avoided(&members->items[a], attempt);
  if (avoids_a != is_avoided(&members->items[b], attempt)) return avoids_a ? b : a;
  bool a_holds_back = holds_back(&members->items[a], attempt);
  if (a_holds_back != holds_back(&members->items[b], attempt)) return a_holds_back ? b : a;
  return has_less(&members->items[b], &members->items[a]) ? b : a;
}

/* ---- by hash ---- */

/* So many places of the table are asked for a key's member and for those that stand in for it,
 * which spreads the keys of one that is away over all others; then the list is gone through. With
 * half of the members away that comes to one key in 256. */
enum { HASHED_PLACES = 8 };

static size_t hashed_member(const struct pool *pool, const struct pool_attempt *attempt,
                            size_t place) {
  const struct members *members = &pool->members;
  unsigned before = HASHED_PLACES;
  size_t i = (attempt->start + place) % members->n;
  if (place < HASHED_PLACES) {
    before = (unsigned)place;
    i = maglev_find(members->table, attempt->random, before);
  }
  for (unsigned k = 0; k < before; k++)
    if (maglev_find(members->table, attempt->random, k) == i) return SIZE_MAX;
  return i;
}

/* ---- an attempt's order ---- */

static size_t greatest_divisor(size_t a, size_t b) {
  while (b > 0) {
    const size_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static size_t place_count(const struct pool *pool, const struct pool_attempt *attempt) {
  const size_t n = pool->members.n;
  return n > 0 && attempt->hashed ? HASHED_PLACES + n : n;
}

/* How an attempt goes on from where it began: another way for each, so that the load of one that
 * does not accept is spread over all others. Prime to their number, so that all are met. */
static size_t stride(const struct pool *pool, const struct pool_attempt *attempt) {
  const size_t n = pool->members.n;
  if (n < 3) return 1;
  size_t step = 1 + (size_t)((attempt->random * 0xD1B54A32D192ED03u >> 32) % (n - 1));
  while (greatest_divisor(step, n) > 1) step = step % (n - 1) + 1;
  return step;
}

/* Which member an attempt meets at a place of its order; SIZE_MAX: one that came before. */
static size_t member_of(const struct pool *pool, const struct pool_attempt *attempt, size_t place) {
  if (attempt->hashed) return hashed_member(pool, attempt, place);
  return (attempt->start + place * stride(pool, attempt)) % pool->members.n;
}

/* In which round a member's turn is. What starts slowly was passed over by the other balances when
 * they chose; here it keeps a share of its keys, and those the same each time. */
enum { ROUND_FIT, ROUND_STARTS, ROUND_AVOIDED };
static size_t round_of(const struct member *member, const struct pool_attempt *attempt) {
  if (is_avoided(member, attempt)) return ROUND_AVOIDED;
  return attempt->hashed && holds_back(member, attempt) ? ROUND_STARTS : ROUND_FIT;
}

static void attempt_start(struct pool *pool, struct pool_attempt *attempt, int64_t now_ms,
                          bool desperate) {
  if (pool->has_names && pool_is_stale(pool)) (void)pool_rebuild(pool);
  attempt->started = true;
  attempt->started_ms = now_ms;
  attempt->hashed = attempt->hashed && pool->members.table;
  if (pool->members.n == 0) return;
  attempt->heeds_ejections =
      pool->config->outliers.enabled && !(desperate && has_too_many_ejected(pool, now_ms));
  switch (pool->config->balance) {
    case BALANCE_LEAST_REQUESTS:
      attempt->start = pick_least(pool, attempt);
      return;
    case BALANCE_ROUND_ROBIN:
      attempt->start = pick_in_turn(pool, attempt);
      return;
    case BALANCE_HASH:
      attempt->start = attempt->hashed ? maglev_find(pool->members.table, attempt->random, 0)
                                       : pick_least(pool, attempt);
      return;
  }
}

static struct target *give(const struct member *member, struct pool_attempt *attempt) {
  attempt->has_given = true;
  target_ref(member->target);
  return member->target;
}

struct target *pool_next(struct pool *pool, struct pool_attempt *attempt, int64_t now_ms,
                         bool desperate) {
  if (!attempt->started) attempt_start(pool, attempt, now_ms, desperate);
  const size_t n = pool->members.n, places = place_count(pool, attempt);
  const size_t rounds = desperate ? ROUND_AVOIDED + 1 : ROUND_AVOIDED;
  while (attempt->tried < places * rounds) {
    const size_t round = attempt->tried / places;
    const size_t i = member_of(pool, attempt, attempt->tried++ % places);
    if (i != SIZE_MAX && round_of(&pool->members.items[i], attempt) == round)
      return give(&pool->members.items[i], attempt);
  }
  /* One may have become healthy between the rounds, and have been passed over in both. */
  bool missed = desperate && n > 0 && !attempt->has_given;
  return missed ? give(&pool->members.items[attempt->start % n], attempt) : NULL;
}

bool pool_retry_begin(struct pool *pool) {
  const struct config_retry *retry = &pool->config->retry;
  uint64_t running = 0;
  for (size_t i = 0; i < pool->members.n; i++) running += pool->members.items[i].target->active;
  const uint64_t share = running * retry->budget_percent / 100;
  if (pool->retrying >= (share > retry->budget_minimum ? share : retry->budget_minimum))
    return false;
  pool->retrying++;
  return true;
}

void pool_retry_end(struct pool *pool) {
  pool->retrying--;
}

size_t pool_target_count(struct pool *pool) {
  if (pool->has_names && pool_is_stale(pool)) (void)pool_rebuild(pool);
  return pool->members.n;
}

struct pool_target pool_target_get(const struct pool *pool, size_t i, int64_t now_ms) {
  const struct member *member = &pool->members.items[i];
  const struct target *target = member->target;
  const int64_t ejected_ms = target->outlier.until_ms - now_ms;
  return (struct pool_target){
      .text = target->text,
      .weight = member->weight,
      .is_checked = member->health != NULL,
      .share = member->health ? health_share(member->health, now_ms) : HEALTH_SHARE_WHOLE,
      .ejected_ms = ejected_ms > 0 ? ejected_ms : 0,
      .active = target->active,
      .idle = target->idle_count};
}

int64_t pool_note(struct pool *pool, struct target *target, bool failed, int64_t now_ms) {
  int64_t ejected_ms = target_note(target, &pool->config->outliers, failed, now_ms);
  if (ejected_ms > 0) target_table_note_ejection(pool->table, target->outlier.until_ms);
  return ejected_ms;
}
