/*
 * Segments: named conditions, of the rule file and of adit.json.
 *
 *   scope    the segments of one file by name; each is compiled when it is first named and shared
 *   open     the chain of segments being compiled, which shows one that leads to itself
 *   trial    compiling those that nothing names, in memory that is dropped afterwards
 *
 * adit.json's segments see only each other, and their literals and files are adit.json's.
 */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "adit/arena.h"
#include "adit/hash.h"
#include "adit/json.h"
#include "adit/text.h"
#include "condition_tree.h"

enum { TRIAL_ARENA_BYTES = 1 << 30, SEGMENT_NAME_SHOWN = 64 };

struct segment {
  struct str name;
  const struct cJSON *node;
  bool failed;
  const struct condition *compiled, *trial;
};

struct segment_scope {
  struct segment_source source;
  struct str_set *index;
  struct segment *segments;
  size_t n;
  const char **names; /* for suggestions, NULL at the end */
};

struct segment_use {
  struct segment_use *outer;
  const struct segment *segment;
};

/* ---- scopes ---------------------------------------------------------------------------------- */

static struct segment_scope *scope_new(struct arena *arena, const struct segment_source *source) {
  size_t n = 0;
  const struct cJSON *node = cJSON_IsObject(source->object) ? source->object->child : NULL;
  for (const struct cJSON *member = node; member; member = member->next) n++;
  struct segment_scope *scope = ARENA_NEW(arena, struct segment_scope);
  if (!scope) return NULL;
  scope->source = *source;
  scope->index = str_set_new(arena, n);
  scope->segments = ARENA_ARRAY(arena, struct segment, n);
  scope->names = ARENA_ARRAY(arena, const char *, n + 1);
  if (!scope->index || !scope->segments || !scope->names) return NULL;
  for (; node; node = node->next) {
    struct segment *segment = &scope->segments[scope->n];
    segment->name = str_from_cstr(node->string);
    segment->node = node;
    scope->names[scope->n] = node->string;
    str_set_add(scope->index, segment->name, scope->n++);
  }
  return scope;
}

static bool build_scopes(struct condition_compiler *compiler) {
  if (!compiler->gateway_scope) {
    compiler->gateway_scope = scope_new(compiler->arena, &compiler->gateway_segments);
  }
  if (!compiler->file_scope) {
    compiler->file_scope = scope_new(compiler->arena, &compiler->file_segments);
  }
  return compiler->gateway_scope && compiler->file_scope;
}

static struct segment *scope_find(const struct segment_scope *scope, struct str name) {
  size_t i = str_set_find(scope->index, name);
  return i == STR_SET_NONE ? NULL : &scope->segments[i];
}

/* ---- opening --------------------------------------------------------------------------------- */

static const struct condition *compile_segment(struct condition_compiler *compiler,
                                               const struct segment *segment) {
  char what[sizeof("segment ''") + SEGMENT_NAME_SHOWN];
  struct str name = str_take(segment->name, SEGMENT_NAME_SHOWN);
  (void)snprintf(what, sizeof(what), "segment '%.*s'", STR_ARG(name));
  struct segment_use use = {compiler->open, segment};
  compiler->open = &use;
  const struct condition *condition = condition_compile_part(compiler, segment->node, what);
  compiler->open = use.outer;
  return condition;
}

/* Compiles it as part of the file that it stands in, unless that was done. */
static const struct condition *segment_condition(struct condition_compiler *compiler,
                                                 const struct segment_scope *scope,
                                                 struct segment *segment) {
  if (segment->failed) return NULL;
  if (segment->compiled) return segment->compiled;
  if (segment->trial) return segment->trial;
  const struct json_doc *doc = compiler->doc;
  const char *directory = compiler->directory;
  bool in_gateway = compiler->in_gateway;
  compiler->doc = scope->source.doc;
  if (scope == compiler->gateway_scope) {
    compiler->directory = scope->source.directory;
    compiler->in_gateway = true;
  }
  const struct condition *condition = compile_segment(compiler, segment);
  compiler->doc = doc;
  compiler->directory = directory;
  compiler->in_gateway = in_gateway;
  segment->failed = !condition;
  if (compiler->trial) {
    segment->trial = condition;
  } else {
    segment->compiled = condition;
  }
  return condition;
}

static bool is_open(const struct condition_compiler *compiler, const struct segment *segment) {
  for (const struct segment_use *use = compiler->open; use; use = use->outer) {
    if (use->segment == segment) return true;
  }
  return false;
}

/* "a -> b -> " from the outermost use of `segment` inwards. */
static void write_chain(const struct segment_use *use, const struct segment *segment,
                        struct text *out) {
  if (use->segment != segment) write_chain(use->outer, segment, out);
  text_printf(out, "%.*s -> ", STR_ARG(use->segment->name));
}

static void report_cycle(const struct condition_compiler *compiler, const struct cJSON *node,
                         const struct segment *segment, const char *what) {
  struct text chain;
  text_init(&chain, 4096);
  write_chain(compiler->open, segment, &chain);
  text_add(&chain, segment->name);
  struct str shown = text_str(&chain);
  json_error(compiler->doc, node, compiler->diags, NULL, "%s: segment leads to itself: %.*s", what,
             STR_ARG(shown));
  text_deinit(&chain);
}

static void report_unknown(const struct condition_compiler *compiler, const struct cJSON *node,
                           const char *what) {
  struct str name = json_str(node);
  char buffer[128];
  const char *hint = NULL;
  bool full = diags_is_full(compiler->diags, DIAG_ERROR);
  if (!full && !compiler->in_gateway) {
    hint = diag_did_you_mean(name, compiler->file_scope->names, buffer, sizeof(buffer));
  }
  if (!full && !hint) {
    hint = diag_did_you_mean(name, compiler->gateway_scope->names, buffer, sizeof(buffer));
  }
  if (!hint) hint = compiler->in_gateway ? NULL : "name it under \"segments\"";
  json_error(compiler->doc, node, compiler->diags, hint, "%s: unknown segment '%.*s'", what,
             STR_ARG(name));
}

const struct condition *segment_open(struct condition_compiler *compiler, const struct cJSON *node,
                                     const char *what) {
  if (!cJSON_IsString(node)) {
    json_error(compiler->doc, node, compiler->diags, "\"all\" takes several",
               "%s: 'segment' takes the name of one segment", what);
    return NULL;
  }
  if (!build_scopes(compiler)) {
    condition_no_memory(compiler, node, what);
    return NULL;
  }
  const struct segment_scope *scope = compiler->file_scope;
  struct segment *segment = compiler->in_gateway ? NULL : scope_find(scope, json_str(node));
  if (!segment) {
    scope = compiler->gateway_scope;
    segment = scope_find(scope, json_str(node));
  }
  if (!segment) {
    report_unknown(compiler, node, what);
    return NULL;
  }
  if (is_open(compiler, segment)) {
    report_cycle(compiler, node, segment, what);
    return NULL;
  }
  return segment_condition(compiler, scope, segment);
}

/* ---- checking all ---------------------------------------------------------------------------- */

static bool check_object(const struct segment_source *source, struct diags *diags) {
  if (!source->object || cJSON_IsObject(source->object)) return true;
  json_error(source->doc, source->object, diags, NULL,
             "'segments' must be an object: a name and a condition each, not %s",
             json_kind(source->object));
  return false;
}

static bool check_name(const struct condition_compiler *compiler, const struct segment_scope *scope,
                       const struct segment *segment) {
  if (!json_is_name(segment->name)) {
    json_key_error(scope->source.doc, segment->node, compiler->diags,
                   "1 to 64 of A-Z a-z 0-9 . _ -", "bad name for a segment: '%.*s'",
                   STR_ARG(segment->name));
    return false;
  }
  if (scope != compiler->gateway_scope && scope_find(compiler->gateway_scope, segment->name)) {
    json_key_error(scope->source.doc, segment->node, compiler->diags, "choose another name",
                   "segment '%.*s' is declared in adit.json already", STR_ARG(segment->name));
    return false;
  }
  return true;
}

/* Compiles what is left of the scope with `compiler`, which is on trial. */
static bool compile_rest(struct condition_compiler *compiler, struct segment_scope *scope) {
  bool ok = true;
  for (size_t i = 0; i < scope->n; i++) {
    struct segment *segment = &scope->segments[i];
    ok = check_name(compiler, scope, segment) && ok;
    ok = segment_condition(compiler, scope, segment) && ok;
  }
  return ok;
}

static void forget_trials(struct segment_scope *scope) {
  for (size_t i = 0; i < scope->n; i++) scope->segments[i].trial = NULL;
}

static bool compile_on_trial(const struct condition_compiler *compiler,
                             struct segment_scope *scope) {
  struct condition_compiler trial = *compiler;
  trial.trial = true;
  trial.arena = arena_new(TRIAL_ARENA_BYTES);
  trial.table = trial.arena ? attr_table_new(trial.arena, compiler->catalog) : NULL;
  bool ok = trial.table ? compile_rest(&trial, scope)
                        : condition_no_memory(compiler, scope->source.object, "segments");
  forget_trials(trial.file_scope);
  forget_trials(trial.gateway_scope);
  arena_free(&trial.arena);
  return ok;
}

bool segments_compile_all(struct condition_compiler *compiler) {
  if (!check_object(&compiler->file_segments, compiler->diags)) return false;
  if (!compiler->file_segments.object) return true;
  if (!build_scopes(compiler)) {
    return condition_no_memory(compiler, compiler->file_segments.object, "segments");
  }
  return compile_on_trial(compiler, compiler->file_scope);
}

bool rules_check_segments(const struct rules_environment *environment, struct diags *diags) {
  const struct segment_source *source = &environment->segments;
  if (!check_object(source, diags)) return false;
  if (!source->object) return true;
  struct condition_compiler compiler = {
      .arena = arena_new(TRIAL_ARENA_BYTES),
      .catalog = environment->catalog,
      .doc = source->doc,
      .gateway_segments = *source,
      .diags = diags,
  };
  compiler.salt = STR("");
  bool ok = compiler.arena && build_scopes(&compiler);
  ok = ok ? compile_on_trial(&compiler, compiler.gateway_scope)
          : condition_no_memory(&compiler, source->object, "segments");
  arena_free(&compiler.arena);
  return ok;
}
