/* One version of the demo's service, on libmicrohttpd. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdlib.h>

#include "adit/text.h"
#include "cli/demo.h"

enum { ANSWER_BYTES_MAX = 16384, CONNECTIONS_MAX = 256, CONNECTION_TIMEOUT_S = 120 };

struct demo_origin {
  const char *name;
  struct MHD_Daemon *daemon;
};

static void format_answer(const struct demo_origin *origin, struct MHD_Connection *connection,
                          const char *method, const char *path, struct text *out) {
  const char *variant = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Adit-Variant");
  const char *rule = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Adit-Rule");
  text_printf(out, "%s says hello: ", origin->name);
  text_add_escaped(out, str_from_cstr(method));
  text_add_char(out, ' ');
  text_add_escaped(out, str_from_cstr(path));
  text_add(out, STR(" (X-Adit-Variant: "));
  text_add_escaped(out, variant ? str_from_cstr(variant) : STR("none"));
  text_add(out, STR(", X-Adit-Rule: "));
  text_add_escaped(out, rule ? str_from_cstr(rule) : STR("none"));
  text_add(out, STR(")\n"));
}

static enum MHD_Result send_answer(const struct demo_origin *origin,
                                   struct MHD_Connection *connection, const char *method,
                                   const char *path) {
  struct text answer;
  text_init(&answer, ANSWER_BYTES_MAX);
  format_answer(origin, connection, method, path, &answer);
  unsigned status = text_failed(&answer) ? MHD_HTTP_URI_TOO_LONG : MHD_HTTP_OK;
  struct MHD_Response *response =
      MHD_create_response_from_buffer(answer.n, answer.p, MHD_RESPMEM_MUST_COPY);
  text_deinit(&answer);
  if (!response) return MHD_NO;
  enum MHD_Result result =
      MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
  if (result == MHD_YES) result = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return result;
}

/* Called with the head, then with each piece of the body, then once more: that is when we answer.
 */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *body,
                              size_t *body_n, void **state) {
  static char begun;
  if (!*state) {
    *state = &begun;
    return MHD_YES;
  }
  if (*body_n > 0) {
    *body_n = 0;
    return MHD_YES;
  }
  return send_answer(context, connection, method, path);
}

struct demo_origin *demo_origin_start(const char *name, uint16_t *ret_port) {
  struct demo_origin *origin = calloc(1, sizeof(*origin));
  if (!origin) return NULL;
  origin->name = name;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  origin->daemon = MHD_start_daemon(
      MHD_USE_AUTO_INTERNAL_THREAD, 0, NULL, NULL, handle, origin, MHD_OPTION_SOCK_ADDR,
      (struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
      MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_TIMEOUT_S, MHD_OPTION_END);
  const union MHD_DaemonInfo *info =
      origin->daemon ? MHD_get_daemon_info(origin->daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
  if (!info || info->port == 0) {
    demo_origin_stop(&origin);
    return NULL;
  }
  *ret_port = info->port;
  return origin;
}

void demo_origin_stop(struct demo_origin **origin) {
  if (!*origin) return;
  if ((*origin)->daemon) MHD_stop_daemon((*origin)->daemon);
  free(*origin);
  *origin = NULL;
}
