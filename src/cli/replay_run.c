/*
 * replay_run: blocks on their way through threads.
 *
 *   replay_run   reads blocks and hands them out ─► queue ─► work() decides their lines ─► spare
 *
 * Lines have places only in the end: a block's first line is known when those before are counted.
 */
#include <pthread.h>
#include <stdlib.h>

#include "cli/replay.h"

enum { BLOCKS_A_THREAD = 3 };

struct pool {
  pthread_mutex_t lock;
  pthread_cond_t filled, emptied;
  struct replay_block *blocks; /* of all */
  size_t block_count;
  struct replay_block **queue, **spare; /* as rings and stacks of all blocks */
  size_t queue_first, queued, spares;
  bool over; /* no more blocks come */
  struct replay_map *map;
};

struct thread {
  pthread_t id;
  bool started;
  struct pool *pool;
  struct replay_worker worker;
};

/* ---- pool ------------------------------------------------------------------------------------ */

static bool pool_init(struct pool *pool, size_t threads, struct replay_map *map) {
  const size_t n = threads * BLOCKS_A_THREAD;
  *pool = (struct pool){.lock = PTHREAD_MUTEX_INITIALIZER,
                        .filled = PTHREAD_COND_INITIALIZER,
                        .emptied = PTHREAD_COND_INITIALIZER,
                        .blocks = calloc(n, sizeof(*pool->blocks)),
                        .block_count = n,
                        .queue = calloc(n, sizeof(struct replay_block *)),
                        .spare = calloc(n, sizeof(struct replay_block *)),
                        .map = map};
  bool ok = pool->blocks && pool->queue && pool->spare;
  for (size_t i = 0; ok && i < n; i++) {
    pool->blocks[i].p = malloc(REPLAY_BLOCK_BYTES + LOG_LINE_BYTES_MAX);
    ok = pool->blocks[i].p != NULL;
    pool->spare[pool->spares++] = &pool->blocks[i];
  }
  return ok;
}

static void pool_deinit(struct pool *pool) {
  for (size_t i = 0; pool->blocks && i < pool->block_count; i++) free(pool->blocks[i].p);
  free(pool->blocks);
  free(pool->queue);
  free(pool->spare);
}

/* False: memory. Under the lock. */
static bool map_add(struct replay_map *map, size_t log) {
  if (map->n == map->capacity) {
    const size_t capacity = map->capacity ? 2 * map->capacity : 256;
    struct replay_map_block *blocks = realloc(map->blocks, capacity * sizeof(*blocks));
    if (!blocks) return false;
    map->blocks = blocks;
    map->capacity = capacity;
  }
  map->blocks[map->n++] = (struct replay_map_block){.log = log};
  return true;
}

static struct replay_block *take_spare(struct pool *pool) {
  pthread_mutex_lock(&pool->lock);
  while (pool->spares == 0) pthread_cond_wait(&pool->emptied, &pool->lock);
  struct replay_block *block = pool->spare[--pool->spares];
  pthread_mutex_unlock(&pool->lock);
  return block;
}

/* False: memory. */
static bool hand_out(struct pool *pool, struct replay_block *block) {
  pthread_mutex_lock(&pool->lock);
  const bool ok = map_add(pool->map, block->log);
  pool->queue[(pool->queue_first + pool->queued++) % pool->block_count] = block;
  pthread_cond_signal(&pool->filled);
  pthread_mutex_unlock(&pool->lock);
  return ok;
}

static void end(struct pool *pool) {
  pthread_mutex_lock(&pool->lock);
  pool->over = true;
  pthread_cond_broadcast(&pool->filled);
  pthread_mutex_unlock(&pool->lock);
}

/* NULL: there are no more. */
static struct replay_block *take_block(struct pool *pool) {
  struct replay_block *block = NULL;
  pthread_mutex_lock(&pool->lock);
  while (pool->queued == 0 && !pool->over) pthread_cond_wait(&pool->filled, &pool->lock);
  if (pool->queued > 0) {
    block = pool->queue[pool->queue_first];
    pool->queue_first = (pool->queue_first + 1) % pool->block_count;
    pool->queued--;
  }
  pthread_mutex_unlock(&pool->lock);
  return block;
}

static void give_back(struct pool *pool, struct replay_block *block, uint64_t lines) {
  pthread_mutex_lock(&pool->lock);
  if (block->number < pool->map->n) pool->map->blocks[block->number].lines = lines;
  pool->spare[pool->spares++] = block;
  pthread_cond_signal(&pool->emptied);
  pthread_mutex_unlock(&pool->lock);
}

/* ---- threads --------------------------------------------------------------------------------- */

/* The number of its lines. */
static uint64_t read_lines(struct replay_worker *worker, struct replay_block *block) {
  struct replay_spot spot = {block->number, 0};
  if (block->too_long) {
    spot.line++;
    replay_line_too_long(worker, spot);
  }
  for (size_t at = 0; at < block->n;) {
    char *line = block->p + at, *newline = memchr(line, '\n', block->n - at);
    const size_t n = newline ? (size_t)(newline - line) : block->n - at;
    spot.line++;
    replay_line(worker, line, n, spot);
    at += n + 1;
  }
  return spot.line;
}

static void *work(void *context) {
  struct thread *thread = context;
  struct replay_block *block;
  while ((block = take_block(thread->pool)))
    give_back(thread->pool, block, read_lines(&thread->worker, block));
  return NULL;
}

static bool start_threads(struct pool *pool, struct thread *threads, size_t n,
                          const struct replay_plan *plan) {
  for (size_t i = 0; i < n; i++) {
    threads[i].pool = pool;
    if (!replay_worker_init(&threads[i].worker, plan)) return false;
  }
  for (size_t i = 0; i < n; i++) {
    if (pthread_create(&threads[i].id, NULL, work, &threads[i]) != 0) return i > 0;
    threads[i].started = true;
  }
  return true;
}

/* CLI_OK, or what was reported. */
static int read_all(const struct cli_command *command, const struct replay_plan *plan,
                    struct pool *pool) {
  struct replay_input *input = replay_input_new(plan->options->logs, plan->options->log_count);
  if (!input) return cli_error(command, "out of memory");
  struct text why;
  text_init(&why, 8192);
  int status = CLI_OK;
  for (bool more = true; more && status == CLI_OK;) {
    struct replay_block *block = take_spare(pool);
    switch (replay_input_next(input, block, &why)) {
      case REPLAY_BLOCK:
        if (!hand_out(pool, block)) status = cli_error(command, "out of memory");
        break;
      case REPLAY_FAILED:
        status = cli_error(command, "%.*s", STR_ARG(text_str(&why)));
        break;
      case REPLAY_END:
        more = false;
        break;
    }
  }
  text_deinit(&why);
  replay_input_free(&input);
  return status;
}

static void place_blocks(struct replay_map *map) {
  uint64_t next = 1;
  for (size_t i = 0; i < map->n; i++) {
    if (i > 0 && map->blocks[i].log != map->blocks[i - 1].log) next = 1;
    map->blocks[i].first_line = next;
    next += map->blocks[i].lines;
  }
}

struct replay_place replay_find(const struct replay_map *map, const struct replay_options *options,
                                struct replay_spot spot) {
  const struct replay_map_block *block = &map->blocks[spot.block];
  return (struct replay_place){options->logs[block->log], block->first_line + spot.line - 1};
}

int replay_run(const struct cli_command *command, const struct replay_plan *plan,
               struct replay_tally *ret, struct replay_map *ret_map) {
  const size_t n = plan->options->threads;
  struct thread *threads = calloc(n, sizeof(*threads));
  struct pool pool = {0};
  int status = CLI_FAILED;
  const bool ready = threads && pool_init(&pool, n, ret_map) &&
                     start_threads(&pool, threads, n, plan) && threads[0].started;
  if (ready)
    status = read_all(command, plan, &pool);
  else
    cli_error(command, "out of memory, or of threads");
  end(&pool);
  for (size_t i = 0; threads && i < n; i++) {
    if (threads[i].started) pthread_join(threads[i].id, NULL);
    if (ready) replay_tally_merge(ret, &threads[i].worker.tally, plan);
    replay_worker_deinit(&threads[i].worker);
  }
  place_blocks(ret_map);
  if (status == CLI_OK && ret->failed) status = cli_error(command, "out of memory");
  free(threads);
  pool_deinit(&pool);
  return status;
}
