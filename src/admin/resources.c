/* resources: what there is on the admin server, by path and method. */
#include <stdarg.h>

#include "admin_private.h"

/* ---- answers --------------------------------------------------------------------------------- */

void answer_error(struct answer *answer, int status, const char *format, ...) {
  struct text why;
  text_init(&why, 4096);
  va_list args;
  va_start(args, format);
  text_vprintf(&why, format, args);
  va_end(args);
  text_clear(&answer->body);
  text_add(&answer->body, STR("{\"error\":"));
  text_add_json(&answer->body, text_str(&why));
  text_add(&answer->body, STR("}\n"));
  text_deinit(&why);
  answer_json(answer, status);
}

void answer_json(struct answer *answer, int status) {
  answer->status = status;
  answer->type = "application/json";
}

void answer_text(struct answer *answer, int status, struct str text) {
  answer->status = status;
  answer->type = "text/plain; charset=utf-8";
  text_clear(&answer->body);
  text_add(&answer->body, text);
}

/* ---- small ones ------------------------------------------------------------------------------ */

static void ask_healthz(struct admin *admin, const struct request *request, struct answer *answer) {
  (void)admin;
  (void)request;
  answer_text(answer, 200, STR("alive\n"));
}

static void ask_readyz(struct admin *admin, const struct request *request, struct answer *answer) {
  (void)request;
  switch (gateway_stage(admin->gateway)) {
    case GATEWAY_STARTING:
      answer_text(answer, 503, STR("starting\n"));
      return;
    case GATEWAY_SERVING:
    case GATEWAY_UPGRADING:
    case GATEWAY_SUCCEEDED:
      answer_text(answer, 200, STR("ready\n"));
      return;
    case GATEWAY_DRAINING:
      answer_text(answer, 503, STR("draining\n"));
      return;
  }
}

static void ask_metrics(struct admin *admin, const struct request *request, struct answer *answer) {
  (void)request;
  answer->status = 200;
  answer->type = "text/plain; version=0.0.4; charset=utf-8";
  metrics_write(admin, &answer->body);
}

/* ---- the table ------------------------------------------------------------------------------- */

struct resource {
  struct str path; /* a star in it stands for a name */
  const char *method;
  bool takes_body;
  void (*ask)(struct admin *admin, const struct request *request, struct answer *answer);
};

#define STATE_PATH STR_INIT("/api/v1/routes/*/state")

static const struct resource resources[] = {
    {STR_INIT("/healthz"), "GET", false, ask_healthz},
    {STR_INIT("/readyz"), "GET", false, ask_readyz},
    {STR_INIT("/metrics"), "GET", false, ask_metrics},
    {STR_INIT("/api/v1/status"), "GET", false, ask_status},
    {STR_INIT("/api/v1/routes"), "GET", false, ask_routes},
    {STR_INIT("/api/v1/routes/*"), "GET", false, ask_route},
    {STATE_PATH, "GET", false, ask_route_state},
    {STATE_PATH, "PUT", true, ask_set_state},
    {STATE_PATH, "DELETE", false, ask_take_state_back},
    {STR_INIT("/api/v1/reload"), "POST", false, ask_reload},
    {STR_INIT("/api/v1/explain"), "POST", true, ask_explain},
};

/* Whether `path` is one of the pattern's; *ret_name is what stands for its star. */
static bool matches(struct str pattern, struct str path, struct str *ret_name) {
  size_t star = str_find_char(pattern, '*', 0);
  *ret_name = STR("");
  if (star == pattern.n) return str_eq(pattern, path);
  struct str before = str_take(pattern, star), after = str_skip(pattern, star + 1);
  if (path.n <= before.n + after.n || !str_starts_with(path, before) || !str_ends_with(path, after))
    return false;
  *ret_name = str_take(str_skip(path, before.n), path.n - before.n - after.n);
  return str_find_char(*ret_name, '/', 0) == ret_name->n;
}

static bool takes(const struct resource *resource, struct str method) {
  struct str own = str_from_cstr(resource->method);
  return str_eq(method, own) || (str_eq(method, STR("HEAD")) && str_eq(own, STR("GET")));
}

const struct resource *resource_find(struct str method, struct str path, struct str *ret_name,
                                     struct answer *answer) {
  for (size_t i = 0; i < sizeof(resources) / sizeof(*resources); i++) {
    const struct resource *resource = &resources[i];
    if (!matches(resource->path, path, ret_name)) continue;
    if (takes(resource, method)) {
      answer->allow = NULL;
      return resource;
    }
    /* Where there are several methods, the first row is GET's. */
    if (answer->allow)
      answer->allow = "GET, HEAD, PUT, DELETE";
    else
      answer->allow = resource->method[0] == 'G' ? "GET, HEAD" : resource->method;
  }
  if (answer->allow) {
    answer_error(answer, 405, "this takes %s only", answer->allow);
    return NULL;
  }
  answer_error(answer, 404, "there is nothing here; see docs/operations.md for what there is");
  return NULL;
}

bool resource_takes_body(const struct resource *resource) {
  return resource->takes_body;
}

void resource_ask(const struct resource *resource, struct admin *admin,
                  const struct request *request, struct answer *answer) {
  resource->ask(admin, request, answer);
}
