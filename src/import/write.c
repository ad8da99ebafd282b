/*
 * write: files for people to read and go on with.
 *
 * Every member has its reason beside it: the place in the manifest that it comes from. Texts of the
 * manifests go through write_json or write_place, so that none of them can be more than a text.
 */
#include "write.h"

#include "adit/text.h"

void write_place(struct text *out, struct diag_place at) {
  text_add_escaped(out, str_from_cstr(at.file));
  text_printf(out, ":%u:%u", at.line, at.column);
}

void write_json(struct text *out, struct str s) {
  text_add_json(out, s);
}

void write_losses(struct text *out, const struct manifest_loss *losses, size_t n) {
  for (size_t i = 0; i < n; i++) {
    text_add(out, STR("//   "));
    write_place(out, losses[i].at);
    text_add(out, STR(" "));
    text_add_escaped(out, losses[i].text);
    text_add_char(out, '\n');
  }
}

static void write_origin(struct text *out, const char *before, struct diag_place at,
                         const char *behind) {
  text_add(out, str_from_cstr(before));
  write_place(out, at);
  text_add(out, str_from_cstr(behind));
}

/* ---- adit.json ------------------------------------------------------------------------------- */

static void write_upstream(struct text *out, const struct plan_upstream *upstream) {
  if (upstream->connect_s == 0) return; /* what wanted it was left out */
  text_printf(out, "    // Service %.*s/%.*s (", STR_ARG(upstream->namespace_),
              STR_ARG(upstream->service));
  write_place(out, upstream->at);
  text_printf(out,
              ")\n    \"%.*s\": { \"endpoints\": [\"%.*s.%.*s.svc:%.*s\"], "
              "\"connect_timeout\": \"%us\", \"timeout\": \"%us\" },\n",
              STR_ARG(upstream->name), STR_ARG(upstream->service), STR_ARG(upstream->namespace_),
              STR_ARG(upstream->port), upstream->connect_s, upstream->read_s);
}

/* What is lost of Ingresses that no route was made of has no other place. */
static void write_left_out(struct text *out, const struct plan *plan) {
  bool begun = false;
  for (size_t i = 0; i < plan->ingress_count; i++) {
    const struct manifest_ingress *ingress = plan->ingresses[i].ingress;
    if (plan->ingresses[i].routes > 0 || ingress->losses.n == 0) continue;
    if (!begun) text_add(out, STR("//\n// Not imported:\n"));
    begun = true;
    write_losses(out, ingress->losses.items, ingress->losses.n);
  }
}

void write_config(struct text *out, const struct plan *plan) {
  uint32_t read_s = INGRESS_NGINX_READ_S;
  bool sticky = false;
  for (size_t i = 0; i < plan->upstreams.n; i++) {
    if (plan->upstreams.items[i].read_s > read_s) read_s = plan->upstreams.items[i].read_s;
  }
  for (size_t i = 0; i < plan->routes.n; i++)
    sticky = sticky || plan_is_sticky(&plan->routes.items[i]);
  text_add(out, STR("// Imported from Ingresses of ingress-nginx. Yours to edit.\n"));
  write_left_out(out, plan);
  text_add(out,
           STR("{\n  \"listen\": [{ \"address\": \"0.0.0.0:8080\" }],\n"
               "  \"rules\": [\"rules/*.json\"],\n\n"
               "  // As with ingress-nginx, nobody's X-Forwarded-* is believed until proxies in "
               "front are named:\n"
               "  // \"trusted_proxies\": [\"10.0.0.0/8\"],\n\n"));
  if (sticky) {
    text_add(out,
             STR("  // Signs the cookies of sticky routes; without it they are void after a "
                 "restart:\n"
                 "  // \"sticky\": { \"keys\": [{ \"id\": \"1\", \"file\": \"sticky.key\" }] },"
                 "\n\n"));
  }
  text_printf(
      out,
      "  // How long a body may stand still, a service's or a client's: the longest "
      "proxy-read-timeout\n  // (60 s when not given).\n  \"timeouts\": { \"body\": \"%us\" },\n\n",
      read_s);
  text_add(out, STR("  // Timeouts as in the annotations, or the defaults of ingress-nginx.\n"
                    "  \"upstreams\": {\n"));
  for (size_t i = 0; i < plan->upstreams.n; i++) write_upstream(out, &plan->upstreams.items[i]);
  text_add(out, STR("  },\n}\n"));
}

/* ---- a rule file's head ---------------------------------------------------------------------- */

static void write_ingress(struct text *out, const struct plan_ingress *from) {
  text_printf(out, "%.*s/%.*s (", STR_ARG(from->ingress->namespace_), STR_ARG(from->ingress->name));
  write_origin(out, "", from->ingress->at, ")");
}

static void write_head(struct text *out, const struct plan_route *route) {
  const struct plan_ingress *canary = route->canary;
  size_t canary_losses = canary ? canary->ingress->losses.n : 0;
  text_add(out, STR("// Imported from Ingress "));
  write_ingress(out, route->main);
  if (canary) text_add(out, STR("\n// and its canary "));
  if (canary) write_ingress(out, canary);
  text_add(out, STR(". Yours to edit.\n"));
  if (route->main->ingress->losses.n + canary_losses + route->losses.n == 0) return;
  text_add(out, STR("//\n// Not kept:\n"));
  write_losses(out, route->main->ingress->losses.items, route->main->ingress->losses.n);
  if (canary) write_losses(out, canary->ingress->losses.items, canary_losses);
  write_losses(out, route->losses.items, route->losses.n);
}

static void write_match(struct text *out, const struct plan_route *route) {
  text_add(out, STR("  \"match\": { "));
  if (route->hosts.n > 0) {
    text_add(out, STR("\"hosts\": ["));
    for (size_t i = 0; i < route->hosts.n; i++) {
      if (i > 0) text_add(out, STR(", "));
      write_json(out, route->hosts.items[i]);
    }
    text_add(out, STR("], "));
  }
  text_add(out, STR("\"path_prefix\": "));
  write_json(out, route->prefix);
  write_origin(out, " },   // ", route->at, "\n");
}

static void write_variants(struct text *out, const struct plan *plan,
                           const struct plan_route *route) {
  text_add(out, STR("  \"variants\": { \"v1\": "));
  write_json(out, plan->upstreams.items[route->stable_upstream].name);
  if (route->canary) {
    text_add(out, STR(", \"canary\": "));
    write_json(out, plan->upstreams.items[route->canary_upstream].name);
    write_origin(out, " },   // the canary: ", route->canary_at, "\n");
  } else {
    text_add(out, STR(" },\n"));
  }
  text_add(out, STR("  \"stable\": \"v1\",\n"));
}

static void write_sticky(struct text *out, const struct plan_route *route) {
  const struct affinity_settings *affinity = &route->main->annotations.affinity;
  if (!route->canary) return;
  if (!plan_is_sticky(route)) {
    text_add(out,
             STR("\n  // Drawn anew with each request, as ingress-nginx does. Without this line "
                 "a visitor stays with\n  // the canary that was drawn.\n"
                 "  \"sticky\": false,\n"));
    return;
  }
  write_origin(out, "\n  // affinity: cookie (", affinity->at, ")");
  text_add(out, STR("\n  \"sticky\": { \"ttl\": "));
  write_json(out, affinity->ttl.n > 0 ? affinity->ttl : STR("7d"));
  if (affinity->same_site.n > 0) {
    text_add(out, STR(", \"same_site\": "));
    write_json(out, affinity->same_site);
  }
  text_add(out, STR(" },\n"));
}

/* ---- rules ----------------------------------------------------------------------------------- */

/* The attribute's name comes in two parts: a family and what the annotation says. */
static void write_rule(struct text *out, const char *id, const char *family, struct str name,
                       const char *operator_, struct str value, const char *to) {
  text_printf(out, "    { \"id\": \"%s\", \"when\": { ", id);
  struct text attribute;
  text_init(&attribute, 1 << 20);
  text_add(&attribute, str_from_cstr(family));
  text_add(&attribute, name);
  write_json(out, text_str(&attribute));
  if (text_failed(&attribute)) out->failed = true;
  text_deinit(&attribute);
  text_add(out, STR(": "));
  if (operator_) text_printf(out, "{ \"%s\": ", operator_);
  if (value.p) {
    write_json(out, value);
  } else {
    text_add(out, STR("true"));
  }
  if (operator_) text_add(out, STR(" }"));
  text_printf(out, " }, \"to\": \"%s\" },\n", to);
}

static void write_header_rules(struct text *out, const struct canary_settings *canary) {
  struct str name = canary->header.text;
  if (!name.p) return;
  if (canary->value.text.p) {
    write_origin(out, "    // canary-by-header-value (", canary->value.at, ")\n");
    write_rule(out, "header-value", "header.", name, NULL, canary->value.text, "canary");
  } else if (canary->pattern_refused) {
    write_origin(out, "    // canary-by-header-pattern (", canary->pattern.at,
                 ") is refused: stable is the safe side\n");
    write_rule(out, "header-pattern", "header.", name, "exists", (struct str){0}, "v1");
  } else if (canary->pattern.text.p) {
    write_origin(out, "    // canary-by-header-pattern (", canary->pattern.at, ")\n");
    write_rule(out, "header-pattern", "header.", name, "matches", canary->pattern.text, "canary");
  } else {
    write_origin(out, "    // canary-by-header (", canary->header.at, ")\n");
    write_rule(out, "header-always", "header.", name, NULL, STR("always"), "canary");
    write_rule(out, "header-never", "header.", name, NULL, STR("never"), "v1");
  }
}

static void write_rules(struct text *out, const struct canary_settings *canary) {
  if (!canary->header.text.p && !canary->cookie.text.p) return;
  text_add(out, STR("\n  // In the order of ingress-nginx: header, cookie, weight.\n"
                    "  \"rules\": [\n"));
  write_header_rules(out, canary);
  if (canary->cookie.text.p) {
    struct str name = canary->cookie.text;
    write_origin(out, "    // canary-by-cookie (", canary->cookie.at, ")\n");
    write_rule(out, "cookie-always", "cookie.", name, NULL, STR("always"), "canary");
    write_rule(out, "cookie-never", "cookie.", name, NULL, STR("never"), "v1");
  }
  text_add(out, STR("  ],\n"));
}

/* A share without the zeros at its end: 20, 12.5, 0.01. */
static void write_share(struct text *out, unsigned share) {
  text_printf(out, "%u", share / 100);
  if (share % 100 == 0) return;
  if (share % 10 == 0) {
    text_printf(out, ".%u", share % 100 / 10);
  } else {
    text_printf(out, ".%02u", share % 100);
  }
}

static void write_default(struct text *out, const struct canary_settings *canary) {
  if (canary->share == 0) return;
  if (!canary->header.text.p && !canary->cookie.text.p) text_add_char(out, '\n');
  text_add(out, STR("  \"default\": { \"split\": { \"canary\": "));
  write_share(out, canary->share);
  write_origin(out, " } },   // canary-weight (", canary->weight.at, ")\n");
}

void write_route(struct text *out, const struct plan *plan, const struct plan_route *route) {
  write_head(out, route);
  text_add(out, STR("{\n  \"route\": "));
  write_json(out, route->name);
  text_add(out, STR(",\n"));
  write_match(out, route);
  write_variants(out, plan, route);
  text_add(out, STR("\n  // ingress-nginx has no header that forces a version for every route.\n"
                    "  \"force\": false,\n"));
  write_sticky(out, route);
  if (route->canary) {
    write_rules(out, &route->canary->annotations.canary);
    write_default(out, &route->canary->annotations.canary);
  }
  write_tests(out, plan, route);
  text_add(out, STR("}\n"));
}
