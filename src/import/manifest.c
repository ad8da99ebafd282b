/*
 * manifest: from YAML to objects.
 *
 * An object is known by apiVersion and kind. Ingresses come in two forms: networking.k8s.io/v1, and
 * the older v1beta1 of two groups, whose backends are written otherwise. Everything is checked for
 * its type as it is taken, with all mistakes of an object in one go.
 */
#include "manifest.h"

#include <stdio.h>

enum { DNS_NAME_MAX = 253, DNS_LABEL_MAX = 63, PATH_BYTES_MAX = 1024, LOSS_BYTES_MAX = 512 };

/* ---- saying ---------------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static bool fail(struct manifests *manifests,
                                                       const struct yaml_node *node,
                                                       const char *hint, const char *format, ...) {
  char message[512];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  diags_add(manifests->diags, DIAG_ERROR, node->at, hint, "%s", message);
  return false;
}

bool manifest_make_loss(struct manifests *manifests, const struct manifest_ingress *ingress,
                        struct diag_place at, struct manifest_loss *ret, const char *format,
                        va_list args) {
  char message[LOSS_BYTES_MAX];
  vsnprintf(message, sizeof(message), format, args);
  *ret = (struct manifest_loss){at, arena_dup(manifests->arena, str_from_cstr(message))};
  diags_add(manifests->diags, DIAG_WARNING, at, NULL, "Ingress '%.*s': %s", STR_ARG(ingress->name),
            message);
  return ret->text.p != NULL;
}

void manifest_lose(struct manifests *manifests, struct manifest_ingress *ingress,
                   struct diag_place at, const char *format, ...) {
  struct manifest_loss loss;
  va_list args;
  va_start(args, format);
  bool made = manifest_make_loss(manifests, ingress, at, &loss, format, args);
  va_end(args);
  if (made) (void)VEC_PUSH(manifests->arena, &ingress->losses, loss);
}

/* ---- taking values of a type ----------------------------------------------------------------- */

/* Each gives NULL (or false) when the member is not there, and says so when it has another type:
 * `*ok` tells the two apart. */
static const struct yaml_node *take(struct manifests *manifests, const struct yaml_node *map,
                                    const char *key, enum yaml_kind kind, bool *ok) {
  static const char *const wanted[] = {"a text", "a list", "a mapping"};
  const struct yaml_node *node = yaml_find(map, key);
  if (!node || node->kind == kind) return node;
  *ok = fail(manifests, node, NULL, "'%s' must be %s, not %s", key, wanted[kind],
             yaml_kind_name(node));
  return NULL;
}

static struct str take_text(struct manifests *manifests, const struct yaml_node *map,
                            const char *key, bool *ok) {
  const struct yaml_node *node = take(manifests, map, key, YAML_TEXT, ok);
  return node ? node->text : (struct str){0};
}

/* Labels of at most so many letters, digits and '-', which is not at an end. */
static bool has_labels(struct str name, size_t label_max) {
  struct str rest = name, label;
  while (str_split_next(&rest, '.', &label)) {
    if (label.n == 0 || label.n > label_max) return false;
    if (label.p[0] == '-' || label.p[label.n - 1] == '-') return false;
    for (size_t i = 0; i < label.n; i++) {
      char c = ascii_lower(label.p[i]);
      if (!(c >= 'a' && c <= 'z') && !ascii_is_digit(c) && c != '-') return false;
    }
  }
  return name.n <= DNS_NAME_MAX;
}

bool manifest_is_dns_name(struct str name, bool wildcard) {
  bool is_wildcard = wildcard && str_starts_with(name, STR("*."));
  return name.n <= DNS_NAME_MAX && has_labels(str_skip(name, is_wildcard ? 2 : 0), DNS_LABEL_MAX);
}

/* metadata.name and metadata.namespace. */
static bool take_names(struct manifests *manifests, const struct yaml_node *object,
                       const struct yaml_node **ret_metadata, struct str *ret_namespace,
                       struct str *ret_name) {
  bool ok = true;
  const struct yaml_node *metadata = take(manifests, object, "metadata", YAML_MAP, &ok);
  if (!ok) return false;
  if (!metadata) return fail(manifests, object, NULL, "the object has no 'metadata'");
  *ret_metadata = metadata;
  *ret_name = take_text(manifests, metadata, "name", &ok);
  *ret_namespace = take_text(manifests, metadata, "namespace", &ok);
  if (!ok) return false;
  if (!ret_namespace->p) *ret_namespace = str_from_cstr(manifests->default_namespace);
  if (!ret_name->p) return fail(manifests, metadata, NULL, "'metadata' has no 'name'");
  /* The labels of an object's name may have any length. */
  if (!has_labels(*ret_name, DNS_NAME_MAX)) {
    return fail(manifests, yaml_find(metadata, "name"), NULL, "'%.*s' is not a name of Kubernetes",
                STR_ARG(*ret_name));
  }
  if (!manifest_is_dns_name(*ret_namespace, false)) {
    const struct yaml_node *node = yaml_find(metadata, "namespace");
    return fail(manifests, node ? node : metadata, NULL, "'%.*s' is not a namespace of Kubernetes",
                STR_ARG(*ret_namespace));
  }
  return true;
}

/* ---- Service --------------------------------------------------------------------------------- */

static bool take_port(struct manifests *manifests, const struct yaml_node *node,
                      struct manifest_service *service) {
  bool ok = true;
  if (node->kind != YAML_MAP) {
    return fail(manifests, node, NULL, "a port must be a mapping, not %s", yaml_kind_name(node));
  }
  struct manifest_port port = {.name = take_text(manifests, node, "name", &ok)};
  port.number = take_text(manifests, node, "port", &ok);
  port.target = take_text(manifests, node, "targetPort", &ok);
  if (ok && !port.number.p) ok = fail(manifests, node, NULL, "a port without 'port'");
  return ok && VEC_PUSH(manifests->arena, &service->ports, port);
}

static bool add_service(struct manifests *manifests, const struct yaml_node *object) {
  struct manifest_service service = {0};
  const struct yaml_node *metadata;
  if (!take_names(manifests, object, &metadata, &service.namespace_, &service.name)) return false;
  bool ok = true;
  const struct yaml_node *spec = take(manifests, object, "spec", YAML_MAP, &ok);
  const struct yaml_node *ports = spec ? take(manifests, spec, "ports", YAML_LIST, &ok) : NULL;
  for (size_t i = 0; ports && i < ports->n; i++) {
    if (!take_port(manifests, ports->items[i], &service)) ok = false;
  }
  return ok && VEC_PUSH(manifests->arena, &manifests->services, service);
}

/* ---- backends -------------------------------------------------------------------------------- */

static bool take_backend_v1(struct manifests *manifests, const struct yaml_node *node,
                            struct manifest_backend *ret) {
  bool ok = true;
  const struct yaml_node *service = take(manifests, node, "service", YAML_MAP, &ok);
  if (!ok) return false;
  if (!service && yaml_find(node, "resource")) return true;
  if (!service) {
    bool older = yaml_find(node, "serviceName");
    return fail(manifests, node,
                older ? "'serviceName' is of v1beta1: write service: {name, port}" : NULL,
                "the backend has no 'service'");
  }
  ret->at = service->at;
  ret->service = take_text(manifests, service, "name", &ok);
  const struct yaml_node *port = take(manifests, service, "port", YAML_MAP, &ok);
  if (port) {
    ret->port = take_text(manifests, port, "number", &ok);
    if (!ret->port.p) ret->port = take_text(manifests, port, "name", &ok);
  }
  if (ok && !ret->service.p) ok = fail(manifests, service, NULL, "'service' has no 'name'");
  return ok;
}

static bool take_backend_older(struct manifests *manifests, const struct yaml_node *node,
                               struct manifest_backend *ret) {
  bool ok = true;
  ret->service = take_text(manifests, node, "serviceName", &ok);
  ret->port = take_text(manifests, node, "servicePort", &ok);
  if (!ok || ret->service.p || yaml_find(node, "resource")) return ok;
  bool newer = yaml_find(node, "service");
  return fail(manifests, node,
              newer ? "'service' is of networking.k8s.io/v1: correct the 'apiVersion'" : NULL,
              "the backend has no 'serviceName'");
}

static bool take_backend(struct manifests *manifests, const struct yaml_node *node, bool v1,
                         struct manifest_backend *ret) {
  *ret = (struct manifest_backend){.at = node->at};
  if (!(v1 ? take_backend_v1 : take_backend_older)(manifests, node, ret)) return false;
  if (!ret->service.p || manifest_is_dns_name(ret->service, false)) return true;
  return fail(manifests, node, NULL, "'%.*s' is not a Service's name", STR_ARG(ret->service));
}

/* ---- paths ----------------------------------------------------------------------------------- */

static bool push_path(struct manifests *manifests, struct manifest_ingress *ingress,
                      const struct yaml_node *node, const struct manifest_path *path) {
  if (++manifests->path_count > MANIFEST_PATHS_MAX) {
    if (manifests->path_count > MANIFEST_PATHS_MAX + 1) return false;
    return fail(manifests, node, "import them in several parts", "more than %d paths",
                MANIFEST_PATHS_MAX);
  }
  return VEC_PUSH(manifests->arena, &ingress->paths, *path);
}

static bool take_path_type(struct manifests *manifests, const struct yaml_node *node,
                           enum path_type *ret) {
  bool ok = true;
  struct str type = take_text(manifests, node, "pathType", &ok);
  *ret = PATH_PREFIX;
  if (!type.p || str_eq(type, STR("Prefix")) || str_eq(type, STR("ImplementationSpecific"))) {
    return ok;
  }
  *ret = PATH_EXACT;
  return str_eq(type, STR("Exact")) ||
         fail(manifests, yaml_find(node, "pathType"), "Prefix, Exact or ImplementationSpecific",
              "unknown pathType '%.*s'", STR_ARG(type));
}

static bool take_path(struct manifests *manifests, struct manifest_ingress *ingress,
                      const struct yaml_node *node, struct str host, bool v1) {
  bool ok = true;
  if (node->kind != YAML_MAP) {
    return fail(manifests, node, NULL, "a path must be a mapping, not %s", yaml_kind_name(node));
  }
  struct manifest_path path = {.host = host, .at = node->at};
  const struct yaml_node *text = take(manifests, node, "path", YAML_TEXT, &ok);
  const struct yaml_node *backend = take(manifests, node, "backend", YAML_MAP, &ok);
  if (!take_path_type(manifests, node, &path.type) || !ok) return false;
  if (!backend) return fail(manifests, node, NULL, "a path without 'backend'");
  path.path = text && text->text.n > 0 ? text->text : STR("/");
  if (text) path.at = text->at;
  if (path.path.p[0] != '/') {
    return fail(manifests, text, NULL, "the path '%.*s' does not begin with '/'",
                STR_ARG(path.path));
  }
  if (path.path.n > PATH_BYTES_MAX) {
    return fail(manifests, text, NULL, "a path of more than %d bytes", PATH_BYTES_MAX);
  }
  return take_backend(manifests, backend, v1, &path.backend) &&
         push_path(manifests, ingress, node, &path);
}

static bool take_host(struct manifests *manifests, const struct yaml_node *rule, struct str *ret) {
  bool ok = true;
  struct str host = take_text(manifests, rule, "host", &ok);
  *ret = STR("");
  if (host.n == 0) return ok;
  if (!manifest_is_dns_name(host, true)) {
    return fail(manifests, yaml_find(rule, "host"), NULL, "'%.*s' is not a host name",
                STR_ARG(host));
  }
  char *lower = arena_alloc(manifests->arena, host.n);
  if (!lower) return false;
  for (size_t i = 0; i < host.n; i++) lower[i] = ascii_lower(host.p[i]);
  *ret = str_make(lower, host.n);
  return true;
}

/* *ret_host: what a default backend is for. */
static bool take_rule(struct manifests *manifests, struct manifest_ingress *ingress,
                      const struct yaml_node *rule, bool v1, struct str *ret_host) {
  bool ok = true;
  if (rule->kind != YAML_MAP) {
    return fail(manifests, rule, NULL, "a rule must be a mapping, not %s", yaml_kind_name(rule));
  }
  if (!take_host(manifests, rule, ret_host)) return false;
  const struct yaml_node *http = take(manifests, rule, "http", YAML_MAP, &ok);
  const struct yaml_node *paths = http ? take(manifests, http, "paths", YAML_LIST, &ok) : NULL;
  for (size_t i = 0; paths && i < paths->n; i++) {
    if (!take_path(manifests, ingress, paths->items[i], *ret_host, v1)) ok = false;
  }
  return ok;
}

static bool push_default(struct manifests *manifests, struct manifest_ingress *ingress,
                         const struct yaml_node *node, const struct manifest_backend *backend,
                         struct str host) {
  struct manifest_path path = {
      .host = host, .path = STR("/"), .is_default = true, .backend = *backend, .at = node->at};
  return push_path(manifests, ingress, node, &path);
}

/* ---- Ingress --------------------------------------------------------------------------------- */

static bool take_rules(struct manifests *manifests, struct manifest_ingress *ingress,
                       const struct yaml_node *spec, bool v1) {
  bool ok = true;
  const struct yaml_node *rules = take(manifests, spec, "rules", YAML_LIST, &ok);
  const struct yaml_node *node =
      take(manifests, spec, v1 ? "defaultBackend" : "backend", YAML_MAP, &ok);
  struct manifest_backend backend = {0};
  if (node && !take_backend(manifests, node, v1, &backend)) ok = false;
  bool has_default = ok && node;
  for (size_t i = 0; rules && i < rules->n; i++) {
    struct str host = {0};
    if (!take_rule(manifests, ingress, rules->items[i], v1, &host)) {
      ok = false;
    } else if (has_default) {
      ok = push_default(manifests, ingress, node, &backend, host) && ok;
    }
  }
  if (has_default && (!rules || rules->n == 0)) {
    ok = push_default(manifests, ingress, node, &backend, STR("")) && ok;
  }
  if (ok && !node && (!rules || rules->n == 0)) {
    ok = fail(manifests, spec, NULL, "Ingress '%.*s' has neither rules nor a default backend",
              STR_ARG(ingress->name));
  }
  return ok;
}

static bool take_tls(struct manifests *manifests, struct manifest_ingress *ingress,
                     const struct yaml_node *spec) {
  bool ok = true;
  const struct yaml_node *list = take(manifests, spec, "tls", YAML_LIST, &ok);
  for (size_t i = 0; list && i < list->n; i++) {
    const struct yaml_node *node = list->items[i];
    if (node->kind != YAML_MAP) {
      ok = fail(manifests, node, NULL, "an entry of 'tls' must be a mapping, not %s",
                yaml_kind_name(node));
      continue;
    }
    struct manifest_tls tls = {.at = node->at};
    tls.secret = take_text(manifests, node, "secretName", &ok);
    if (!VEC_PUSH(manifests->arena, &ingress->tls, tls)) return false;
  }
  return ok;
}

static bool take_annotations(struct manifests *manifests, struct manifest_ingress *ingress,
                             const struct yaml_node *metadata) {
  bool ok = true;
  const struct yaml_node *map = take(manifests, metadata, "annotations", YAML_MAP, &ok);
  for (size_t i = 0; map && i < map->n; i += 2) {
    const struct yaml_node *value = map->items[i + 1];
    if (value->kind == YAML_TEXT) continue;
    ok = fail(manifests, value, NULL, "annotation '%.*s' must be a text, not %s",
              STR_ARG(map->items[i]->text), yaml_kind_name(value));
  }
  ingress->annotations = map;
  return ok;
}

static bool add_ingress(struct manifests *manifests, const struct yaml_node *object, bool v1) {
  const struct yaml_node *metadata;
  struct manifest_ingress *ingress = ARENA_NEW(manifests->arena, struct manifest_ingress);
  if (!ingress) return false;
  if (!take_names(manifests, object, &metadata, &ingress->namespace_, &ingress->name)) return false;
  ingress->at = yaml_find(metadata, "name")->at;
  bool ok = true;
  ingress->created = take_text(manifests, metadata, "creationTimestamp", &ok);
  if (!take_annotations(manifests, ingress, metadata)) ok = false;
  const struct yaml_node *spec = yaml_find(object, "spec");
  if (!spec) {
    return fail(manifests, object, NULL, "Ingress '%.*s' has no 'spec'", STR_ARG(ingress->name));
  }
  if (!take(manifests, object, "spec", YAML_MAP, &ok)) return false;
  ingress->spec_class = take_text(manifests, spec, "ingressClassName", &ok);
  if (!take_rules(manifests, ingress, spec, v1)) ok = false;
  if (!take_tls(manifests, ingress, spec)) ok = false;
  return ok && VEC_PUSH(manifests->arena, &manifests->ingresses, ingress);
}

struct str manifest_class(const struct manifest_ingress *ingress) {
  const struct yaml_node *node =
      ingress->annotations ? yaml_find(ingress->annotations, "kubernetes.io/ingress.class") : NULL;
  return node ? node->text : ingress->spec_class;
}

/* ---- objects --------------------------------------------------------------------------------- */

static bool pass_over(struct manifests *manifests, const struct yaml_node *object,
                      struct str version, struct str kind) {
  struct manifest_kind other = {.at = object->at, .count = 1};
  other.name = arena_printf(manifests->arena, "%.*s %.*s", STR_ARG(version), STR_ARG(kind));
  if (!other.name.p) return false;
  for (size_t i = 0; i < manifests->others.n; i++) {
    if (!str_eq(manifests->others.items[i].name, other.name)) continue;
    manifests->others.items[i].count++;
    return true;
  }
  /* So many kinds are not of a cluster: the rest need not be counted one by one. */
  if (manifests->others.n == MANIFEST_OTHERS_MAX) return true;
  return VEC_PUSH(manifests->arena, &manifests->others, other);
}

static bool is_list(struct str kind) {
  return str_eq(kind, STR("List")) || str_eq(kind, STR("IngressList")) ||
         str_eq(kind, STR("ServiceList"));
}

static bool add_object(struct manifests *manifests, const struct yaml_node *object);

static bool add_items(struct manifests *manifests, const struct yaml_node *list) {
  bool ok = true;
  const struct yaml_node *items = take(manifests, list, "items", YAML_LIST, &ok);
  for (size_t i = 0; items && i < items->n; i++) {
    if (!add_object(manifests, items->items[i])) ok = false;
  }
  return ok;
}

/* A list's items may be lists; the tree's depth bounds the recursion. */
static bool add_object(struct manifests *manifests, const struct yaml_node *object) {
  bool ok = true;
  if (object->kind != YAML_MAP) {
    return fail(manifests, object, "a manifest has apiVersion, kind, metadata and spec",
                "%s is not a Kubernetes object", yaml_kind_name(object));
  }
  struct str version = take_text(manifests, object, "apiVersion", &ok);
  struct str kind = take_text(manifests, object, "kind", &ok);
  if (!ok) return false;
  if (!version.p || !kind.p) {
    return fail(manifests, object, "a manifest has apiVersion, kind, metadata and spec",
                "the object has no '%s'", kind.p ? "apiVersion" : "kind");
  }
  if (is_list(kind)) return add_items(manifests, object);
  if (str_eq(kind, STR("Service")) && str_eq(version, STR("v1"))) {
    return add_service(manifests, object);
  }
  bool v1 = str_eq(version, STR("networking.k8s.io/v1"));
  bool older = str_eq(version, STR("networking.k8s.io/v1beta1")) ||
               str_eq(version, STR("extensions/v1beta1"));
  if (str_eq(kind, STR("Ingress")) && (v1 || older)) return add_ingress(manifests, object, v1);
  return pass_over(manifests, object, version, kind);
}

bool manifests_add(struct manifests *manifests, const struct yaml_node *document) {
  return add_object(manifests, document);
}
