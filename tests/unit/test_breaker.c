/* breaker: places, those who wait for them in their order, and many threads that take them. */
#include "adit/breaker.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "unit.h"

static struct breakers *breakers;

/* ---- parties and waiters --------------------------------------------------------------------- */

struct seat {
  struct breaker_party party;
  sem_t news;
};

static void notify(void *context) {
  sem_post(&((struct seat *)context)->news);
}

static void sit_down(struct seat *seat) {
  *seat = (struct seat){.party = {.notify = notify, .context = seat}};
  sem_init(&seat->news, 0, 0);
  breakers_join(breakers, &seat->party);
}

static void get_up(struct seat *seat) {
  breakers_leave(breakers, &seat->party);
  sem_destroy(&seat->news);
}

static int news_of(struct seat *seat) {
  int news;
  sem_getvalue(&seat->news, &news);
  return news;
}

static struct breaker *breaker_of(const char *name, unsigned connections, unsigned requests,
                                  unsigned pending) {
  const struct config_breaker config = {.enabled = true,
                                        .max_connections = connections,
                                        .max_requests = requests,
                                        .max_pending = pending};
  struct breaker *breaker = breaker_ref(breakers, str_from_cstr(name), &config);
  ck_assert_ptr_nonnull(breaker);
  return breaker;
}

static void expect_load(const struct breaker *breaker, enum breaker_gate gate, unsigned used,
                        unsigned waiting) {
  const struct breaker_load load = breaker_load(breaker, gate);
  ck_assert_msg(load.used == used && load.waiting == waiting, "%u and %u, not %u and %u", load.used,
                load.waiting, used, waiting);
}

#define EXPECT_ENTER(outcome, breaker, gate, seat, waiter) \
  ck_assert_int_eq(breaker_enter((breaker), (gate), &(seat)->party, (waiter)), (outcome))

/* The party's first granted waiter is this one; takes it. */
static void expect_granted(struct seat *seat, struct breaker_waiter *waiter) {
  ck_assert_ptr_eq(breaker_first_granted(&seat->party), waiter);
  ck_assert(breaker_is_granted(waiter) && breaker_party_has_news(&seat->party));
  ck_assert(breaker_end_wait(waiter));
  ck_assert_ptr_null(waiter->breaker);
  ck_assert(!breaker_end_wait(waiter)); /* it waits no more */
}

/* ---- gates ----------------------------------------------------------------------------------- */

START_TEST(limits)
{
  /* connections, requests: how many requests may run, how many connections may be open */
  static const struct {
    unsigned connections, requests, run, open;
  } cases[] = {
      {0, 0, 5, 5}, {0, 2, 2, 5}, {3, 0, 3, 3}, {3, 2, 2, 3}, {2, 3, 2, 2},
  };
  struct seat seat;
  breakers = breakers_new();
  sit_down(&seat);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct breaker *breaker = breaker_of("shop", cases[i].connections, cases[i].requests, 0);
    const unsigned most[BREAKER_GATES] = {cases[i].run, cases[i].open};
    for (unsigned gate = 0; gate < BREAKER_GATES; gate++) {
      for (unsigned n = 0; n < 5; n++)
        EXPECT_ENTER(n < most[gate] ? BREAKER_PASSED : BREAKER_FULL, breaker, gate, &seat, NULL);
      expect_load(breaker, gate, most[gate], 0);
      for (unsigned n = 0; n < most[gate]; n++) breaker_leave(breaker, gate);
      expect_load(breaker, gate, 0, 0);
    }
    breaker_unref(&breaker);
    ck_assert_ptr_null(breaker);
  }
  get_up(&seat);
  breakers_free(&breakers);
}
END_TEST

START_TEST(order)
{
  struct seat a, b;
  struct breaker_waiter waiters[5] = {0};
  struct seat *const seats[5] = {&a, &b, &b, &a, &a};
  breakers = breakers_new();
  sit_down(&a);
  sit_down(&b);
  struct breaker *breaker = breaker_of("shop", 0, 1, 4);
  EXPECT_ENTER(BREAKER_PASSED, breaker, BREAKER_REQUESTS, &a, &waiters[0]);
  for (size_t i = 0; i < 4; i++)
    EXPECT_ENTER(BREAKER_WAITS, breaker, BREAKER_REQUESTS, seats[i], &waiters[i]);
  EXPECT_ENTER(BREAKER_FULL, breaker, BREAKER_REQUESTS, &a, &waiters[4]);
  expect_load(breaker, BREAKER_REQUESTS, 1, 4);
  ck_assert(!breaker_end_wait(&waiters[2])); /* one leaves: there is a place to wait in */
  EXPECT_ENTER(BREAKER_WAITS, breaker, BREAKER_REQUESTS, &a, &waiters[4]);
  ck_assert(!breaker_party_has_news(&a.party) && !breaker_party_has_news(&b.party));
  static const size_t turns[] = {0, 1, 3, 4};
  for (size_t i = 0; i < 4; i++) {
    struct seat *seat = seats[turns[i]];
    breaker_leave(breaker, BREAKER_REQUESTS);
    expect_load(breaker, BREAKER_REQUESTS, 1, (unsigned)(3 - i));
    /* Nobody overtakes those who wait. */
    EXPECT_ENTER(BREAKER_FULL, breaker, BREAKER_REQUESTS, &b, NULL);
    expect_granted(seat, &waiters[turns[i]]);
  }
  breaker_leave(breaker, BREAKER_REQUESTS);
  expect_load(breaker, BREAKER_REQUESTS, 0, 0);
  ck_assert_int_eq(news_of(&a), 3);
  ck_assert_int_eq(news_of(&b), 1);
  breaker_unref(&breaker);
  get_up(&a);
  get_up(&b);
  breakers_free(&breakers);
}
END_TEST

START_TEST(several_are_granted)
{
  struct seat seat;
  struct breaker_waiter waiters[4] = {0};
  breakers = breakers_new();
  sit_down(&seat);
  struct breaker *breaker = breaker_of("shop", 0, 4, 4);
  for (size_t i = 0; i < 4; i++)
    EXPECT_ENTER(BREAKER_PASSED, breaker, BREAKER_REQUESTS, &seat, NULL);
  for (size_t i = 0; i < 4; i++)
    EXPECT_ENTER(BREAKER_WAITS, breaker, BREAKER_REQUESTS, &seat, &waiters[i]);
  for (size_t i = 0; i < 4; i++) breaker_leave(breaker, BREAKER_REQUESTS);
  expect_load(breaker, BREAKER_REQUESTS, 4, 0);
  ck_assert_int_eq(news_of(&seat), 1); /* once is enough, until it has looked */
  /* They may be taken out of the middle, the front and the end. */
  ck_assert(breaker_end_wait(&waiters[1]));
  expect_granted(&seat, &waiters[0]);
  ck_assert(breaker_end_wait(&waiters[3]));
  expect_granted(&seat, &waiters[2]);
  ck_assert_ptr_null(breaker_first_granted(&seat.party));
  ck_assert(!breaker_party_has_news(&seat.party));
  EXPECT_ENTER(BREAKER_WAITS, breaker, BREAKER_REQUESTS, &seat, &waiters[0]);
  breaker_leave(breaker, BREAKER_REQUESTS);
  ck_assert_int_eq(news_of(&seat), 2);
  expect_granted(&seat, &waiters[0]);
  for (size_t i = 0; i < 4; i++) breaker_leave(breaker, BREAKER_REQUESTS);
  breaker_unref(&breaker);
  get_up(&seat);
  breakers_free(&breakers);
}
END_TEST

START_TEST(others_are_asked_for_connections)
{
  struct seat a, b;
  struct breaker_waiter waiter = {0};
  breakers = breakers_new();
  sit_down(&a);
  sit_down(&b);
  struct breaker *breaker = breaker_of("shop", 1, 0, 0);
  EXPECT_ENTER(BREAKER_PASSED, breaker, BREAKER_CONNECTIONS, &b, NULL);
  ck_assert(!breaker_wants_connections(breaker));
  /* max_pending is of requests: who is let in may wait. */
  EXPECT_ENTER(BREAKER_WAITS, breaker, BREAKER_CONNECTIONS, &a, &waiter);
  ck_assert(breaker_wants_connections(breaker));
  ck_assert(!breaker_party_has_news(&a.party) && !breaker_take_asked(&a.party));
  ck_assert(breaker_party_has_news(&b.party) && news_of(&b) == 1);
  ck_assert(breaker_take_asked(&b.party) && !breaker_take_asked(&b.party));
  breaker_leave(breaker, BREAKER_CONNECTIONS);
  ck_assert(!breaker_wants_connections(breaker));
  expect_granted(&a, &waiter);
  breaker_leave(breaker, BREAKER_CONNECTIONS);
  breaker_unref(&breaker);
  get_up(&a);
  get_up(&b);
  breakers_free(&breakers);
}
END_TEST

/* ---- table ----------------------------------------------------------------------------------- */

START_TEST(names)
{
  struct seat seat;
  breakers = breakers_new();
  sit_down(&seat);
  struct breaker *shop = breaker_of("shop", 0, 1, 0), *docs = breaker_of("docs", 0, 1, 0);
  struct breaker *again = breaker_of("shop", 0, 1, 0);
  ck_assert_ptr_eq(again, shop);
  ck_assert_ptr_ne(docs, shop);
  EXPECT_ENTER(BREAKER_PASSED, shop, BREAKER_REQUESTS, &seat, NULL);
  breaker_unref(&again);
  again = breaker_ref_again(shop);
  breaker_unref(&shop);
  EXPECT_ENTER(BREAKER_PASSED, docs, BREAKER_REQUESTS, &seat, NULL);
  EXPECT_ENTER(BREAKER_FULL, again, BREAKER_REQUESTS, &seat, NULL); /* the count is still there */
  breaker_leave(again, BREAKER_REQUESTS);
  breaker_leave(docs, BREAKER_REQUESTS);
  ck_assert(breaker_may_log(docs, 5000) && !breaker_may_log(docs, 5999));
  ck_assert(breaker_may_log(again, 5999) && breaker_may_log(docs, 6000));
  breaker_unref(&docs);
  breaker_unref(&again);
  shop = breaker_of("shop", 0, 2, 0); /* a new one */
  expect_load(shop, BREAKER_REQUESTS, 0, 0);
  breaker_unref(&shop);
  breaker_unref(&shop); /* NULL */
  get_up(&seat);
  breakers_free(&breakers);
}
END_TEST

START_TEST(new_limits)
{
  struct seat seat;
  struct breaker_waiter waiters[3] = {0};
  breakers = breakers_new();
  sit_down(&seat);
  struct breaker *breaker = breaker_of("shop", 0, 2, 3);
  EXPECT_ENTER(BREAKER_PASSED, breaker, BREAKER_REQUESTS, &seat, NULL);
  EXPECT_ENTER(BREAKER_PASSED, breaker, BREAKER_REQUESTS, &seat, NULL);
  for (size_t i = 0; i < 3; i++)
    EXPECT_ENTER(BREAKER_WAITS, breaker, BREAKER_REQUESTS, &seat, &waiters[i]);
  struct breaker *same = breaker_of("shop", 0, 1, 3); /* lower: two must leave before the next */
  breaker_leave(breaker, BREAKER_REQUESTS);
  ck_assert(!breaker_party_has_news(&seat.party));
  breaker_leave(breaker, BREAKER_REQUESTS);
  expect_granted(&seat, &waiters[0]);
  ck_assert(!breaker_party_has_news(&seat.party));
  struct breaker *more = breaker_of("shop", 0, 3, 3); /* higher: those who wait go at once */
  expect_granted(&seat, &waiters[1]);
  expect_granted(&seat, &waiters[2]);
  expect_load(breaker, BREAKER_REQUESTS, 3, 0);
  for (size_t i = 0; i < 3; i++) breaker_leave(breaker, BREAKER_REQUESTS);
  breaker_unref(&breaker);
  breaker_unref(&same);
  breaker_unref(&more);
  get_up(&seat);
  breakers_free(&breakers);
}
END_TEST

/* ---- threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 2000, PLACES = 2 };

static _Atomic int inside;
static _Atomic unsigned waited, left_early, granted_late;

static void pass_through(struct breaker *breaker) {
  ck_assert_int_le(++inside, PLACES);
  sched_yield();
  inside--;
  breaker_leave(breaker, BREAKER_REQUESTS);
}

/* Waits until it is granted a place; or, now and then, not. */
static void wait_for_place(struct seat *seat, struct breaker_waiter *waiter, bool patient) {
  struct breaker *breaker = waiter->breaker;
  waited++;
  if (!patient) {
    sched_yield();
    if (!breaker_end_wait(waiter)) {
      left_early++;
      return;
    }
    granted_late++;
    return pass_through(breaker);
  }
  while (!breaker_is_granted(waiter)) sem_wait(&seat->news);
  ck_assert_ptr_eq(breaker_first_granted(&seat->party), waiter);
  ck_assert(breaker_end_wait(waiter));
  pass_through(breaker);
}

static void *worker(void *argument) {
  unsigned random = (unsigned)(uintptr_t)argument;
  struct seat seat;
  sit_down(&seat);
  for (unsigned i = 0; i < ROUNDS; i++) {
    struct breaker_waiter waiter = {0};
    struct breaker *breaker = breaker_of("shop", 0, PLACES, THREADS); /* as a reload takes it */
    random = random * 1103515245 + 12345;
    switch (breaker_enter(breaker, BREAKER_REQUESTS, &seat.party, &waiter)) {
      case BREAKER_PASSED:
        pass_through(breaker);
        break;
      case BREAKER_WAITS:
        wait_for_place(&seat, &waiter, (random >> 16) % 4 > 0);
        break;
      case BREAKER_FULL:
        ck_abort_msg("there is a place to wait in for each");
    }
    breaker_unref(&breaker);
  }
  get_up(&seat);
  return NULL;
}

/* No place is lost or given twice, and nobody waits for ever: the test would. */
START_TEST(threads)
{
  pthread_t all[THREADS];
  breakers = breakers_new();
  struct breaker *breaker = breaker_of("shop", 0, PLACES, THREADS);
  for (uintptr_t i = 0; i < THREADS; i++)
    ck_assert_int_eq(pthread_create(&all[i], NULL, worker, (void *)(i + 1)), 0);
  for (size_t i = 0; i < THREADS; i++) pthread_join(all[i], NULL);
  expect_load(breaker, BREAKER_REQUESTS, 0, 0);
  ck_assert_uint_gt(waited, left_early + granted_late);
  breaker_unref(&breaker);
  breakers_free(&breakers);
}
END_TEST

UNIT_MAIN("breaker", limits, order, several_are_granted, others_are_asked_for_connections, names,
          new_limits, threads)
