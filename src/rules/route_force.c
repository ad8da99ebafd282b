/*
 * `force` of a rule file: the header and cookie with which QA chooses a variant, the values that
 * they may have, and who may use them. What the object leaves out has its default.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "adit/hash.h"
#include "adit/http.h"
#include "adit/ip.h"
#include "route.h"

enum { TOKEN_MAX_BYTES = 4096 };

static const char token_header[] = "X-Canary-Token";

/* ---- header, cookie -------------------------------------------------------------------------- */

static bool compile_token(struct route_compiler *compiler, const struct cJSON *node,
                          const char *what, struct str *ret) {
  struct str name;
  if (!route_want_string(compiler, node, what, &name)) return false;
  if (!http_is_token(name)) {
    json_error(compiler->doc, node, compiler->diags, NULL, "%s: '%.*s' is not a name of HTTP", what,
               STR_ARG(name));
    return false;
  }
  *ret = route_keep(compiler, name);
  return true;
}

static void compile_header(struct route_compiler *compiler, const struct cJSON *node) {
  struct route_force *force = &compiler->route->force;
  if (!compile_token(compiler, node, "'force.header'", &force->header)) return;
  /* Every field that the codec knows by name means something to a proxy or is set by it. */
  if (http_field_id(force->header) != HTTP_FIELD_OTHER ||
      str_eq_nocase(force->header, str_from_cstr(token_header))) {
    json_error(compiler->doc, node, compiler->diags, "a name of your own: \"X-Canary\"",
               "'force.header': '%.*s' has a meaning of its own", STR_ARG(force->header));
  }
}

static void compile_cookie(struct route_compiler *compiler, const struct cJSON *node) {
  struct route_force *force = &compiler->route->force;
  if (!compile_token(compiler, node, "'force.cookie'", &force->cookie)) return;
  if (str_eq(force->cookie, compiler->route->sticky.cookie_name)) {
    json_error(compiler->doc, node, compiler->diags, NULL,
               "'force.cookie': '%.*s' is the name of the sticky cookie", STR_ARG(force->cookie));
  }
}

/* ---- values ---------------------------------------------------------------------------------- */

static void default_values(struct route_compiler *compiler) {
  struct route *route = compiler->route;
  struct force_value *values = ARENA_ARRAY(compiler->arena, struct force_value, 2);
  if (!values || route->stable == VARIANT_NONE) return;
  size_t n = 0;
  if (route->canary_count > 0) {
    values[n++] = (struct force_value){.value = STR("always"), .variant = route->canaries[0]};
  }
  values[n++] = (struct force_value){.value = STR("never"), .variant = route->stable};
  route->force.values = values;
  route->force.value_count = n;
}

/* A value that no request can carry would be a force that silently does nothing. */
static void check_value(struct route_compiler *compiler, const struct cJSON *node) {
  struct str value = str_from_cstr(node->string);
  if (value.n > 0 && http_is_field_value(value) && str_eq(value, str_trim(value))) return;
  json_key_error(compiler->doc, node, compiler->diags,
                 "not empty, no blanks around it, no control characters",
                 "'force.values': '%.*s' cannot be the value of a header", STR_ARG(value));
}

static void compile_values(struct route_compiler *compiler, const struct cJSON *object) {
  struct route_force *force = &compiler->route->force;
  if (!route_want_object(compiler, object, "'force.values'")) return;
  if (!object->child) {
    json_error(compiler->doc, object, compiler->diags, "\"force\": false switches it off",
               "'force.values' has no value");
    return;
  }
  struct force_value *values =
      ARENA_ARRAY(compiler->arena, struct force_value, (size_t)cJSON_GetArraySize(object));
  if (!values) return;
  const struct cJSON *node;
  cJSON_ArrayForEach(node, object) {
    check_value(compiler, node);
    values[force->value_count++] = (struct force_value){
        .value = route_keep(compiler, str_from_cstr(node->string)),
        .variant = route_want_variant(compiler, node, "'force.values'"),
    };
  }
  force->values = values;
}

/* ---- allow_from, token_file ------------------------------------------------------------------ */

static void compile_network(struct route_compiler *compiler, const struct cJSON *node,
                            struct ip_network *ret) {
  struct str text;
  if (!route_want_string(compiler, node, "a network in 'force.allow_from'", &text)) return;
  switch (ip_network_parse(text, ret)) {
    case IP_NETWORK_OK:
      return;
    case IP_NETWORK_MALFORMED:
      json_error(compiler->doc, node, compiler->diags, "\"10.1.0.0/16\" or \"10.1.2.3\"",
                 "'force.allow_from': '%.*s' is not a network", STR_ARG(text));
      return;
    case IP_NETWORK_HOST_BITS: {
      char buffer[64];
      struct str meant = ip_network_format(ret, buffer, sizeof(buffer));
      struct str hint = arena_printf(compiler->scratch, "did you mean '%.*s'?", STR_ARG(meant));
      json_error(compiler->doc, node, compiler->diags, hint.p,
                 "'force.allow_from': '%.*s' has host bits set", STR_ARG(text));
      return;
    }
  }
}

static void compile_allow_from(struct route_compiler *compiler, const struct cJSON *list) {
  struct route_force *force = &compiler->route->force;
  if (!route_want_array(compiler, list, "'force.allow_from'")) return;
  size_t n = (size_t)cJSON_GetArraySize(list);
  if (n == 0) {
    json_error(compiler->doc, list, compiler->diags,
               "leave it out to let anyone force; \"force\": false lets nobody",
               "'force.allow_from' is an empty list");
    return;
  }
  struct ip_network *networks = ARENA_ARRAY(compiler->arena, struct ip_network, n);
  if (!networks) return;
  const struct cJSON *node;
  cJSON_ArrayForEach(node, list)
      compile_network(compiler, node, &networks[force->allow_from_count++]);
  force->allow_from = networks;
}

static struct str drop_newline(struct str s) {
  if (s.n > 0 && s.p[s.n - 1] == '\n') s.n--;
  if (s.n > 0 && s.p[s.n - 1] == '\r') s.n--;
  return s;
}

/* What the user named, from where the user is. Absent: memory. */
static struct str find_file(struct route_compiler *compiler, struct str name) {
  struct str directory = str_from_cstr(compiler->environment->directory);
  if (str_starts_with(name, STR("/")) || str_eq(directory, STR("."))) {
    return arena_dup(compiler->scratch, name);
  }
  return arena_printf(compiler->scratch, "%.*s/%.*s", STR_ARG(directory), STR_ARG(name));
}

static void compile_token_file(struct route_compiler *compiler, const struct cJSON *node) {
  struct str path;
  char *bytes;
  size_t n;
  if (!route_want_string(compiler, node, "'force.token_file'", &path)) return;
  struct str full = find_file(compiler, path);
  if (!full.p || !file_read(full.p, TOKEN_MAX_BYTES, json_place(compiler->doc, node),
                            compiler->diags, &bytes, &n)) {
    return;
  }
  struct str token = drop_newline(str_make(bytes, n));
  if (token.n == 0) {
    json_error(compiler->doc, node, compiler->diags, "put the token on its only line",
               "'force.token_file': '%.*s' is empty", STR_ARG(path));
  } else if (!http_is_field_value(token) || !str_eq(token, str_trim(token))) {
    json_error(compiler->doc, node, compiler->diags,
               "one line, no blanks around it, no control characters",
               "'force.token_file': what '%.*s' holds cannot be the value of a header",
               STR_ARG(path));
  } else {
    compiler->route->force.token = route_keep(compiler, token);
  }
  explicit_bzero(bytes, n);
  free(bytes);
}

/* ---- force ----------------------------------------------------------------------------------- */

static const char *const force_keys[] = {"header",     "cookie",     "values",
                                         "allow_from", "token_file", NULL};

static void compile_object(struct route_compiler *compiler, const struct cJSON *object) {
  (void)json_check_keys(compiler->doc, object, force_keys, "'force'", compiler->diags);
  const struct cJSON *header = route_member(object, "header");
  const struct cJSON *cookie = route_member(object, "cookie");
  const struct cJSON *values = route_member(object, "values");
  const struct cJSON *allow_from = route_member(object, "allow_from");
  const struct cJSON *token_file = route_member(object, "token_file");
  if (header) compile_header(compiler, header);
  if (cookie) compile_cookie(compiler, cookie);
  if (values) {
    compile_values(compiler, values);
  } else {
    default_values(compiler);
  }
  if (allow_from) compile_allow_from(compiler, allow_from);
  if (token_file) compile_token_file(compiler, token_file);
}

/* The order of values and of networks says nothing. */
static void compile_digest(struct route_compiler *compiler) {
  const struct route *route = compiler->route;
  struct route_force *force = &compiler->route->force;
  const struct str texts[] = {force->header, force->cookie, force->token};
  uint64_t digest = 0;
  for (size_t i = 0; i < 3; i++) digest += mix_64(digest_of(texts[i]), i + 1);
  for (size_t i = 0; i < force->value_count; i++) {
    const struct force_value *value = &force->values[i];
    if (value->variant == VARIANT_NONE) continue; /* a mistake, which is in the list */
    digest += mix_64(digest_of(value->value), digest_of(route->variants[value->variant].name));
  }
  for (size_t i = 0; i < force->allow_from_count; i++) {
    char text[64];
    digest += digest_of(ip_network_format(&force->allow_from[i], text, sizeof(text)));
  }
  force->digest = digest;
}

void route_compile_force(struct route_compiler *compiler) {
  const struct cJSON *node = route_member(compiler->root, "force");
  struct route_force *force = &compiler->route->force;
  if (cJSON_IsFalse(node)) return;
  force->enabled = true;
  force->header = STR("X-Canary");
  if (!node) {
    default_values(compiler);
  } else if (cJSON_IsObject(node)) {
    compile_object(compiler, node);
  } else {
    json_error(compiler->doc, node, compiler->diags, NULL, "'force' must be an object or false");
  }
  compile_digest(compiler);
}
