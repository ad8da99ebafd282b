/*
 * fuzz_rules_index: any bytes are the choices that make a rule file and requests for it. It decides
 * the same with its index, one by one, and with a trace.
 *
 * The first byte says how many rules there are; a file is made of what follows, and each request of
 * what is left. Choices behind the end are all the first there is.
 */
#include "../unit/random_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RULES_MAX_HERE = 64, REQUESTS_MAX = 16 };

static void require(bool holds) {
  if (!holds) abort();
}

static void ask_all(const struct route *route, struct chance *chance) {
  static struct random_request request;
  static struct attr_reader *reader;
  static struct arena *arena;
  if (!reader) reader = attr_reader_new();
  if (!arena) arena = arena_new(64 << 20);
  require(reader && arena);
  for (size_t i = 0; i < REQUESTS_MAX && chance->choices.n > 0; i++) {
    struct random_outcome outcome;
    random_request(chance, &request);
    require(random_index_agrees(route, &request, reader, arena, &outcome));
    if (route->index) (void)random_count_candidates(route, &request, reader);
    arena_reset(arena);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct random_environment environment;
  if (!environment.catalog) require(random_environment_init(&environment));
  struct chance chance = {.choices = str_make((const char *)data, size)};
  struct text file, said;
  if (size == 0) return 0; /* without choices there would be other chance */
  text_init(&file, 1 << 20);
  text_init(&said, 1 << 20);
  random_rule_file(&chance, INDEX_RULES_MIN + chance_below(&chance, RULES_MAX_HERE), &file);
  struct route *route = random_compile(&environment, text_str(&file), &said);
  require(route != NULL);
  ask_all(route, &chance);
  route_unref(&route);
  text_deinit(&said);
  text_deinit(&file);
  return 0;
}
