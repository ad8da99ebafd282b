/* Texts, prefixes, patterns, networks and shares behind an operator. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/arena.h"
#include "adit/json.h"
#include "adit/regex.h"
#include "literal.h"

static bool copy_texts(const struct literal_context *context, const struct cJSON *node,
                       bool drop_slash, struct leaf *leaf) {
  struct str *texts = ARENA_ARRAY(context->compiler->arena, struct str, literal_count(node));
  if (!texts) return literal_no_memory(context, node);
  for (const struct cJSON *item = literal_first(node); item; item = literal_next(node, item)) {
    struct str text = json_str(item);
    if (drop_slash && str_ends_with(text, STR("/"))) text.n--;
    text = arena_dup(context->compiler->arena, text);
    if (!text.p) return literal_no_memory(context, item);
    texts[leaf->n++] = text;
  }
  leaf->test = context->info->test;
  leaf->with.texts = texts;
  return true;
}

bool literal_compile_texts(const struct literal_context *context, const struct cJSON *node,
                           struct leaf *leaf) {
  return literal_check_strings(context, node) && copy_texts(context, node, false, leaf);
}

bool literal_compile_prefixes(const struct literal_context *context, const struct cJSON *node,
                              struct leaf *leaf) {
  if (!literal_check_strings(context, node)) return false;
  bool ok = true;
  for (const struct cJSON *item = literal_first(node); item; item = literal_next(node, item)) {
    if (str_starts_with(json_str(item), STR("/"))) continue;
    ok = literal_refuse(context, item, "paths", "a path begins with '/'");
  }
  /* "/api/" is "/api", and "/" holds for all. */
  return ok && copy_texts(context, node, true, leaf);
}

static void free_regex(void *object) {
  struct regex *regex = object;
  regex_free(&regex);
}

/*
 * The pattern with "(?i)" behind the "(*WORD)" items that it may begin with: those count at the
 * very start only. At the top level the option holds for all alternatives that follow.
 */
static struct str caseless(struct arena *arena, struct str pattern, size_t *ret_at) {
  size_t at = 0;
  while (pattern.n - at > 2 && pattern.p[at] == '(' && pattern.p[at + 1] == '*' &&
         pattern.p[at + 2] >= 'A' && pattern.p[at + 2] <= 'Z') {
    size_t end = str_find_char(pattern, ')', at);
    if (end == pattern.n) break;
    at = end + 1;
  }
  *ret_at = at;
  struct str rest = str_skip(pattern, at);
  return arena_printf(arena, "%.*s(?i)%.*s", (int)at, pattern.p, STR_ARG(rest));
}

/* Counts a pattern's memory. False: there is too much of it; the first one that is says so. */
static bool charge_pattern(const struct literal_context *context, const struct cJSON *node,
                           size_t bytes) {
  struct condition_compiler *compiler = context->compiler;
  if (compiler->pattern_bytes > REGEX_FILE_BYTES_MAX) return false;
  compiler->pattern_bytes += bytes;
  if (compiler->pattern_bytes <= REGEX_FILE_BYTES_MAX) return true;
  json_error(compiler->doc, node, compiler->diags, "write fewer of them, or simpler ones",
             "%s: the patterns of the file take more than %d MiB of memory", context->what,
             REGEX_FILE_BYTES_MAX >> 20);
  return false;
}

static const struct regex *compile_pattern(const struct literal_context *context,
                                           const struct cJSON *node, bool ignore_case) {
  struct arena *arena = context->compiler->arena;
  struct str pattern = json_str(node);
  size_t inserted_at = SIZE_MAX;
  if (ignore_case) pattern = caseless(arena, pattern, &inserted_at);
  if (!pattern.p) {
    literal_no_memory(context, node);
    return NULL;
  }
  if (!charge_pattern(context, node, 0)) return NULL;
  struct regex_error error;
  struct regex *regex = regex_new(pattern, &error);
  if (!regex) {
    size_t offset = error.offset > inserted_at ? error.offset - sizeof("(?i)") + 1 : error.offset;
    char hint[48];
    (void)snprintf(hint, sizeof(hint), "behind byte %zu of the pattern", offset);
    json_error(context->compiler->doc, node, context->compiler->diags, offset > 0 ? hint : NULL,
               "%s: bad pattern for '%.*s': %s", context->what, STR_ARG(context->attribute),
               error.message);
    return NULL;
  }
  if (!arena_defer(arena, free_regex, regex)) {
    literal_no_memory(context, node);
    return NULL;
  }
  if (!charge_pattern(context, node, regex_size_bytes(regex))) return NULL;
  return regex;
}

bool literal_compile_patterns(const struct literal_context *context, const struct cJSON *node,
                              struct leaf *leaf) {
  if (!literal_check_strings(context, node)) return false;
  const struct regex **patterns =
      ARENA_ARRAY(context->compiler->arena, const struct regex *, literal_count(node));
  if (!patterns) return literal_no_memory(context, node);
  bool ok = true;
  for (const struct cJSON *item = literal_first(node); item; item = literal_next(node, item)) {
    const struct regex *regex = compile_pattern(context, item, leaf->ignore_case);
    ok = regex && ok;
    patterns[leaf->n++] = regex;
  }
  leaf->test = TEST_MATCHES;
  leaf->with.patterns = patterns;
  return ok;
}

static bool compile_network(const struct literal_context *context, const struct cJSON *node,
                            struct ip_network *ret) {
  switch (ip_network_parse(json_str(node), ret)) {
    case IP_NETWORK_OK:
      return true;
    case IP_NETWORK_MALFORMED:
      return literal_refuse(context, node, "an address or a network", "as in \"10.1.0.0/16\"");
    case IP_NETWORK_HOST_BITS:
      break;
  }
  char meant[64], hint[96], buffer[LITERAL_SHOWN_BYTES];
  struct str network = ip_network_format(ret, meant, sizeof(meant));
  (void)snprintf(hint, sizeof(hint), "did you mean '%.*s'?", STR_ARG(network));
  json_error(context->compiler->doc, node, context->compiler->diags, hint,
             "%s: %s has bits set behind its prefix", context->what,
             literal_shown(context->compiler->doc, node, buffer));
  return false;
}

bool literal_compile_networks(const struct literal_context *context, const struct cJSON *node,
                              struct leaf *leaf) {
  if (!literal_check_strings(context, node)) return false;
  struct ip_network *networks =
      ARENA_ARRAY(context->compiler->arena, struct ip_network, literal_count(node));
  if (!networks) return literal_no_memory(context, node);
  bool ok = true;
  for (const struct cJSON *item = literal_first(node); item; item = literal_next(node, item)) {
    ok = compile_network(context, item, &networks[leaf->n++]) && ok;
  }
  leaf->test = TEST_IN_CIDR;
  leaf->with.networks = networks;
  return ok;
}

bool literal_compile_share(const struct literal_context *context, const struct cJSON *node,
                           struct leaf *leaf) {
  if (!cJSON_IsArray(node) || literal_count(node) != 2) {
    return literal_refuse(context, node, "two percentages", "a list [from, to)");
  }
  unsigned bounds[2];
  size_t i = 0;
  for (const struct cJSON *item = node->child; item; item = item->next, i++) {
    if (!percent_parse(json_raw(context->compiler->doc, item), &bounds[i])) {
      return literal_refuse(context, item, "percentages",
                            "numbers from 0 to 100, at most two decimals");
    }
  }
  if (bounds[0] >= bounds[1]) {
    json_error(context->compiler->doc, node, context->compiler->diags,
               "[from, to) includes from and not to",
               "%s: no bucket of '%.*s' is in these: from is not below to", context->what,
               STR_ARG(context->attribute));
    return false;
  }
  leaf->with.share.salt = arena_dup(context->compiler->arena, context->salt);
  leaf->with.share.from = bounds[0];
  leaf->with.share.to = bounds[1];
  leaf->test = TEST_BUCKET_IN;
  return leaf->with.share.salt.p ? true : literal_no_memory(context, node);
}
