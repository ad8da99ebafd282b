/*
 * `mirror` of a rule file: of which requests a copy goes to another variant. At the top level for
 * the default and all rules that say nothing of it; beside `to` or `split` for one rule.
 */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/http.h"
#include "adit/units.h"
#include "condition.h"
#include "route.h"

/* What a message is about, and a member of it. */
enum { WHAT_MAX = 128, MEMBER_MAX = WHAT_MAX + 16 };

struct mirror_compiler {
  struct route_compiler *base;
  const char *what; /* "rule 'x': 'mirror", which messages go on with; its quote is open */
  struct route_mirror *mirror;
};

/* How messages call a member. */
static const char *name_member(const struct mirror_compiler *compiler, const char *key,
                               char buffer[MEMBER_MAX]) {
  (void)snprintf(buffer, MEMBER_MAX, "%s.%s'", compiler->what, key);
  return buffer;
}

/* ---- to, percent, body_bytes ----------------------------------------------------------------- */

static void compile_to(struct mirror_compiler *compiler, const struct cJSON *node,
                       uint16_t always) {
  struct route_compiler *base = compiler->base;
  char what[MEMBER_MAX];
  uint16_t to = route_want_variant(base, node, name_member(compiler, "to", what));
  compiler->mirror->to = to;
  if (to == VARIANT_NONE) return;
  if (base->route->variant_count == 1)
    json_error(base->doc, node, base->diags, "add a second variant",
               "%s: there is no other variant than '%s', whose requests could be copied", what,
               node->valuestring);
  else if (to == always)
    json_error(base->doc, node, base->diags, "name another variant, or leave it out",
               "%s: the rule's requests go to '%s' themselves", what, node->valuestring);
}

static void compile_percent(struct mirror_compiler *compiler, const struct cJSON *node) {
  struct route_compiler *base = compiler->base;
  char what[MEMBER_MAX];
  unsigned buckets;
  (void)name_member(compiler, "percent", what);
  if (!cJSON_IsNumber(node)) {
    json_error(base->doc, node, base->diags, "10, 0.5", "%s must be a percentage", what);
    return;
  }
  struct str raw = json_raw(base->doc, node);
  if (percent_parse(raw, &buckets))
    compiler->mirror->buckets = (uint16_t)buckets;
  else
    json_error(base->doc, node, base->diags, "10, 0.5",
               "%s: %.*s is not from 0 to 100 with at most two decimals", what, STR_ARG(raw));
}

static void compile_body_bytes(struct mirror_compiler *compiler, const struct cJSON *node) {
  struct route_compiler *base = compiler->base;
  char what[MEMBER_MAX];
  struct str text;
  uint64_t bytes;
  if (!route_want_string(base, node, name_member(compiler, "body_bytes", what), &text)) return;
  if (size_parse(text, &bytes) && bytes <= MIRROR_BODY_BYTES_MAX)
    compiler->mirror->body_bytes = (uint32_t)bytes;
  else
    json_error(base->doc, node, base->diags, "\"64KiB\"",
               "%s: '%.*s' is not a size from 0B to 1MiB", what, STR_ARG(text));
}

/* ---- methods --------------------------------------------------------------------------------- */

static const char *const method_names[] = {"GET", "HEAD",  "OPTIONS", "POST",
                                           "PUT", "PATCH", "DELETE",  NULL};

/* RFC 9110 9.2.1. TRACE is safe, too, but says what only one hop is to know. */
enum {
  SAFE_METHODS = 1 << HTTP_METHOD_GET | 1 << HTTP_METHOD_HEAD | 1 << HTTP_METHOD_OPTIONS,
};

static bool is_copied(enum http_method method) {
  return method != HTTP_METHOD_OTHER && method != HTTP_METHOD_CONNECT &&
         method != HTTP_METHOD_TRACE;
}

static void add_method(struct mirror_compiler *compiler, const struct cJSON *node,
                       const char *what) {
  struct route_compiler *base = compiler->base;
  char hint[160];
  if (!cJSON_IsString(node)) {
    json_error(base->doc, node, base->diags, NULL, "%s: a method must be a string", what);
    return;
  }
  const struct str name = json_str(node);
  const enum http_method method = http_method_id(name);
  if (!is_copied(method)) {
    const char *meant = diag_did_you_mean(name, method_names, hint, sizeof(hint));
    if (method != HTTP_METHOD_OTHER) meant = NULL;
    json_error(base->doc, node, base->diags,
               meant ? meant : "GET, HEAD, OPTIONS, POST, PUT, PATCH and DELETE can be",
               "%s: requests of method '%.*s' are not copied", what, STR_ARG(name));
  } else if (compiler->mirror->methods >> method & 1) {
    json_error(base->doc, node, base->diags, NULL, "%s: '%.*s' is listed twice", what,
               STR_ARG(name));
  } else {
    compiler->mirror->methods |= UINT32_C(1) << method;
  }
}

static void compile_methods(struct mirror_compiler *compiler, const struct cJSON *node) {
  struct route_compiler *base = compiler->base;
  char what[MEMBER_MAX];
  if (!route_want_array(base, node, name_member(compiler, "methods", what))) return;
  compiler->mirror->methods = 0;
  if (!node->child)
    json_error(base->doc, node, base->diags, "\"percent\": 0 copies nothing", "%s is empty", what);
  const struct cJSON *method;
  cJSON_ArrayForEach(method, node) add_method(compiler, method, what);
}

/* ---- mirror ---------------------------------------------------------------------------------- */

static const char *const mirror_keys[] = {"to", "percent", "methods", "body_bytes", NULL};

/* `before`: of the message, what stands before "'mirror". */
static const struct route_mirror *compile(struct route_compiler *compiler, const struct cJSON *node,
                                          const char *before, uint16_t always) {
  char what[WHAT_MAX], whole[WHAT_MAX];
  (void)snprintf(what, sizeof(what), "%s'mirror", before);
  (void)snprintf(whole, sizeof(whole), "%s'mirror'", before);
  if (cJSON_IsFalse(node)) return NULL;
  if (!cJSON_IsObject(node)) {
    json_error(compiler->doc, node, compiler->diags, "{ \"to\": \"canary\", \"percent\": 10 }",
               "%s must be an object or false", whole);
    return NULL;
  }
  struct route_mirror *mirror = ARENA_NEW(compiler->arena, struct route_mirror);
  if (!mirror) return NULL;
  *mirror = (struct route_mirror){.to = VARIANT_NONE,
                                  .buckets = BUCKETS,
                                  .methods = SAFE_METHODS,
                                  .body_bytes = MIRROR_BODY_BYTES};
  struct mirror_compiler inner = {.base = compiler, .what = what, .mirror = mirror};
  const bool known = json_check_keys(compiler->doc, node, mirror_keys, whole, compiler->diags);
  const struct cJSON *to = route_member(node, "to");
  const struct cJSON *percent = route_member(node, "percent");
  const struct cJSON *methods = route_member(node, "methods");
  const struct cJSON *body_bytes = route_member(node, "body_bytes");
  if (to)
    compile_to(&inner, to, always);
  else if (known) /* a misspelled key is one mistake, not two */
    json_error(compiler->doc, node, compiler->diags, "it names the variant that gets the copies",
               "%s has no 'to'", whole);
  if (percent) compile_percent(&inner, percent);
  if (methods) compile_methods(&inner, methods);
  if (body_bytes) compile_body_bytes(&inner, body_bytes);
  return mirror;
}

const struct route_mirror *mirror_compile(struct route_compiler *compiler, const struct cJSON *node,
                                          const char *what, uint16_t to) {
  char before[WHAT_MAX - sizeof("'mirror'")];
  (void)snprintf(before, sizeof(before), "%s: ", what);
  return compile(compiler, node, before, to);
}

void route_compile_mirror(struct route_compiler *compiler) {
  const struct cJSON *node = route_member(compiler->root, "mirror");
  if (node) compiler->route->mirror = compile(compiler, node, "", VARIANT_NONE);
}
