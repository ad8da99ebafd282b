/* What a file says of its route beside rules: one line for each kind of setting. */
#include "adit/text.h"
#include "adit/units.h"
#include "cli/explanation.h"

enum { NETWORKS_SHOWN_MAX = 8 };

static void format_state(const struct explanation *shown, struct text *out) {
  text_printf(out, "state    %s", route_state_name(shown->decision->route->state));
}

static void add_variant(const struct route *route, uint16_t i, struct text *out) {
  const struct route_variant *variant = &route->variants[i];
  text_printf(out, "%.*s → %.*s%s", STR_ARG(variant->name), STR_ARG(variant->upstream),
              i == route->stable ? " (stable)" : "");
}

/* In the order that gives canaries their places in a split. */
static void format_variants(const struct explanation *shown, struct text *out) {
  const struct route *route = shown->decision->route;
  text_add(out, STR("variants "));
  add_variant(route, route->stable, out);
  for (size_t i = 0; i < route->canary_count; i++) {
    text_add(out, STR(", "));
    add_variant(route, route->canaries[i], out);
  }
}

static void add_networks(const struct route_force *force, struct text *out) {
  char buffer[64];
  for (size_t i = 0; i < force->allow_from_count && i < NETWORKS_SHOWN_MAX; i++) {
    struct str network = ip_network_format(&force->allow_from[i], buffer, sizeof(buffer));
    text_printf(out, "%s%.*s", i == 0 ? "; from " : ", ", STR_ARG(network));
  }
  if (force->allow_from_count > NETWORKS_SHOWN_MAX)
    text_printf(out, " and %zu more", force->allow_from_count - NETWORKS_SHOWN_MAX);
}

/* The token itself is a secret. */
static void format_force(const struct explanation *shown, struct text *out) {
  const struct route *route = shown->decision->route;
  const struct route_force *force = &route->force;
  text_add(out, STR("force    "));
  if (!force->enabled) {
    text_add(out, STR("nobody may"));
    return;
  }
  text_printf(out, "header %.*s", STR_ARG(force->header));
  if (force->cookie.p) text_printf(out, ", cookie %.*s", STR_ARG(force->cookie));
  for (size_t i = 0; i < force->value_count; i++) {
    text_add(out, i == 0 ? STR(": ") : STR(", "));
    text_add_json(out, force->values[i].value);
    struct str variant = route->variants[force->values[i].variant].name;
    text_printf(out, " → %.*s", STR_ARG(variant));
  }
  add_networks(force, out);
  if (force->token.p) text_add(out, STR("; with a token"));
}

static void format_sticky(const struct explanation *shown, struct text *out) {
  const struct route_sticky *sticky = &shown->decision->route->sticky;
  char buffer[32];
  text_add(out, STR("sticky   by "));
  for (size_t i = 0; i < sticky->by_count; i++)
    text_printf(out, "%s%.*s", i == 0 ? "" : ", ", STR_ARG(sticky->by_names[i]));
  if (sticky->by_count == 0) text_add(out, STR("no attribute"));
  text_printf(out, ", salt '%.*s'", STR_ARG(sticky->salt));
  if (!sticky->cookie) {
    text_add(out, STR(", no cookie"));
    return;
  }
  struct str ttl = duration_format(sticky->ttl_ms, buffer, sizeof(buffer));
  text_printf(out, ", cookie %.*s, epoch %u, ttl %.*s", STR_ARG(sticky->cookie_name),
              (unsigned)sticky->epoch, STR_ARG(ttl));
}

bool explanation_format_setting(const struct explanation *shown, size_t i, struct text *out) {
  static void (*const formats[])(const struct explanation *, struct text *) = {
      format_state, format_variants, format_force, format_sticky};
  if (i >= sizeof(formats) / sizeof(*formats)) return false;
  text_add(out, STR("  "));
  formats[i](shown, out);
  text_add_char(out, '\n');
  return true;
}
