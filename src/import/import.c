/*
 * import: the way of the manifests, from bytes to files.
 *
 *   tree.c                             YAML with places (libyaml)
 *   manifest.c                         Kubernetes objects, checked
 *   annotations.c                      what ingress-nginx was asked for
 *   plan.c, upstreams.c, routing.c     routes and what they need; where the two programs differ
 *   write.c, write_tests.c, sample.c   the files
 */
#include "adit/import.h"

#include <stdlib.h>

#include "adit/text.h"
#include "plan.h"
#include "write.h"

enum { ARENA_BYTES_MAX = 512 << 20, FILE_BYTES_MAX = 64 << 20 };

struct import {
  struct arena *arena;
  VEC(struct import_file) files;
};

/* ---- reading --------------------------------------------------------------------------------- */

static bool read_sources(struct manifests *manifests, const struct import_source *sources,
                         size_t n) {
  bool ok = true;
  for (size_t i = 0; i < n; i++) {
    struct yaml_documents documents = {0};
    const struct import_source *source = &sources[i];
    if (!yaml_read(manifests->arena, source->text, source->name, manifests->diags, &documents)) {
      ok = false;
    }
    for (size_t k = 0; k < documents.n; k++) {
      if (!manifests_add(manifests, documents.items[k])) ok = false;
    }
  }
  return ok;
}

static void note_others(const struct manifests *manifests) {
  for (size_t i = 0; i < manifests->others.n; i++) {
    const struct manifest_kind *kind = &manifests->others.items[i];
    diags_add(manifests->diags, DIAG_NOTE, kind->at, NULL, "passed over: %zu of %.*s", kind->count,
              STR_ARG(kind->name));
  }
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool add_file(struct import *import, struct str path, const struct text *text) {
  struct import_file file = {.path = path, .text = arena_dup(import->arena, text_str(text))};
  return path.p && file.text.p && !text_failed(text) &&
         VEC_PUSH(import->arena, &import->files, file);
}

static bool write_files(struct import *import, const struct plan *plan) {
  struct text text;
  text_init(&text, FILE_BYTES_MAX);
  write_config(&text, plan);
  bool ok = add_file(import, STR("adit.json"), &text);
  for (size_t i = 0; ok && i < plan->routes.n; i++) {
    const struct plan_route *route = &plan->routes.items[i];
    text_clear(&text);
    write_route(&text, plan, route);
    ok = add_file(import, arena_printf(import->arena, "rules/%.*s.json", STR_ARG(route->name)),
                  &text);
  }
  text_deinit(&text);
  return ok;
}

/* ---- all ------------------------------------------------------------------------------------- */

static bool check_found(const struct manifests *manifests, const struct plan *plan,
                        const struct import_source *source) {
  if (plan->routes.n > 0) return true;
  struct diag_place at = {source->name, 0, 0};
  bool none = plan->ingress_count == 0;
  diags_add(
      manifests->diags, DIAG_ERROR, at, NULL,
      none ? "there is no Ingress" : "no Ingress gives a route, so there is nothing to write");
  return false;
}

static bool run(struct import *import, const struct import_source *sources, size_t n,
                const struct import_options *options, struct diags *diags) {
  const char *given = options->default_namespace;
  struct manifests manifests = {
      .arena = import->arena, .diags = diags, .default_namespace = given ? given : "default"};
  struct plan plan;
  if (!read_sources(&manifests, sources, n)) return false;
  note_others(&manifests);
  return plan_make(&manifests, options->class_name, &plan) &&
         check_found(&manifests, &plan, &sources[0]) && write_files(import, &plan) &&
         !arena_failed(import->arena);
}

struct import *import_ingress_nginx(const struct import_source *sources, size_t n,
                                    const struct import_options *options, struct diags *diags) {
  struct import *import = calloc(1, sizeof(*import));
  if (!import) return NULL;
  import->arena = arena_new(ARENA_BYTES_MAX);
  if (!import->arena || !run(import, sources, n, options, diags)) import_free(&import);
  return import;
}

void import_free(struct import **import) {
  struct import *dropped = *import;
  *import = NULL;
  if (!dropped) return;
  arena_free(&dropped->arena);
  free(dropped);
}

const struct import_file *import_files(const struct import *import, size_t *ret_n) {
  *ret_n = import->files.n;
  return import->files.items;
}
