/*
 * Any bytes as a directory's URL and a key, and as its answer. A filled URL has the template's
 * scheme and host, no byte that is special in a URL but the template's own, and no way up.
 *
 *   input: template \n key \n answer
 */
#include <stdlib.h>

#include "adit/lookup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

static size_t count_of(struct str s, char c) {
  size_t n = 0;
  for (size_t i = 0; i < s.n; i++) n += s.p[i] == c;
  return n;
}

static void check_filled(const struct lookup_template *template, struct str url) {
  static const char special[] = "/?#@:&=[]";
  const struct str first = template->literals[0];
  require(str_starts_with(url, first));
  for (size_t i = 0; special[i]; i++) {
    size_t own = 0;
    for (size_t k = 0; k <= template->key_count; k++)
      own += count_of(template->literals[k], special[i]);
    require(count_of(url, special[i]) == own);
  }
  for (size_t i = 0; i < url.n; i++) require(url.p[i] > 0x20 && url.p[i] < 0x7F);
  struct str path = str_take(url, str_find_char(url, '?', 0)), segment;
  while (str_split_next(&path, '/', &segment))
    require(!str_eq(segment, STR(".")) && !str_eq(segment, STR("..")));
}

static void check_template(struct str text, struct str key) {
  static char buffer[LOOKUP_FILLED_BYTES_MAX];
  struct lookup_template template;
  struct str values[LOOKUP_KEYS_MAX];
  const char *why = NULL;
  size_t n = 0;
  const bool ok = lookup_template_parse(text, &template, &why);
  require(ok == (why == NULL));
  if (!ok) return;
  require(template.key_count > 0 && template.key_count <= LOOKUP_KEYS_MAX);
  for (size_t i = 0; i < LOOKUP_KEYS_MAX; i++) values[i] = key;
  if (lookup_template_fill(&template, values, buffer, &n) != LOOKUP_FILLED) return;
  require(n < sizeof(buffer) && buffer[n] == '\0');
  if (!template.is_redis) check_filled(&template, str_make(buffer, n));
}

static void check_answer(struct str json) {
  const struct str paths[] = {STR("a"), STR("a.b"), STR("a.b.c"), STR("list")};
  struct lookup_answer *answer = lookup_answer_parse(json, paths, 4);
  if (!answer) return;
  require(answer->field_count == 4);
  for (size_t i = 0; i < 4; i++) {
    const struct lookup_field *field = &answer->fields[i];
    require(field->n <= LOOKUP_TEXTS_MAX && !(field->refused && field->n > 0));
    for (size_t k = 0; k < field->n; k++) {
      require(field->texts[k].n <= LOOKUP_TEXT_BYTES_MAX);
      require(field->texts[k].p + field->texts[k].n <= (const char *)answer + answer->bytes);
    }
  }
  free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct str rest = str_make((const char *)data, size), template, key = {"", 0};
  if (!str_split_next(&rest, '\n', &template)) return 0;
  if (rest.p) (void)str_split_next(&rest, '\n', &key);
  check_template(template, key);
  if (rest.p) check_answer(rest);
  return 0;
}
