/*
 * What a decision costs that rests on what a directory says, beside one that rests on a header:
 * when the answer is known, when it is known that there is none, and when the directory is asked.
 *
 * The directory is another process on loopback, whose work does not count. Time has the way there
 * and back in it where it is asked.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "adit/lookup.h"
#include "adit/units.h"
#include "field.h"
#include "rule_files.h"

/* ---- the directory --------------------------------------------------------------------------- */

static const char KNOWN[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    "Content-Length: 46\r\n\r\n"
    "{\"id\":\"u\",\"plan\":\"gold\",\"since\":\"2026-01-02\"} ";
static const char NOBODY[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/* One connection after the other; requests come one by one. */
static void serve(int listener) {
  char request[4096];
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) _exit(1);
    for (;;) {
      ssize_t n = recv(fd, request, sizeof(request) - 1, 0);
      if (n <= 0) break;
      request[n] = '\0';
      const char *answer = strstr(request, "/nobody ") ? NOBODY : KNOWN;
      if (send(fd, answer, strlen(answer), MSG_NOSIGNAL) < 0) break;
    }
    close(fd);
  }
}

/* Its port. It ends with this process. */
static unsigned start_directory(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t n = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)(void *)&address, n) != 0 ||
      listen(listener, 8) != 0 ||
      getsockname(listener, (struct sockaddr *)(void *)&address, &n) != 0)
    measure_fail("no socket for the directory");
  pid_t child = fork();
  if (child < 0) measure_fail("no process for the directory");
  if (child == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve(listener);
  }
  close(listener);
  return ntohs(address.sin_port);
}

/* ---- two routes ------------------------------------------------------------------------------ */

static struct policy *load(unsigned port) {
  open_directory();
  FILE *file = create("adit.json");
  fprintf(file,
          "{\"listen\": [{\"address\": \"127.0.0.1:0\"}], \"rules\": [\"*.rules.json\"],"
          " \"lookups\": {\"users\": {\"url\": \"http://127.0.0.1:%u/{user.id}\", \"timeout\": "
          "\"5s\"}},"
          " \"attributes\": {"
          "  \"user.id\": {\"type\": \"string\", \"from\": [{\"header\": \"X-User-Id\"}]},"
          "  \"tier\": {\"type\": \"string\", \"from\": [{\"header\": \"X-Tier\"}]},"
          "  \"plan\": {\"type\": \"string\", \"from\": [{\"lookup\": \"users\", \"field\": "
          "\"plan\"}]}},"
          " \"upstreams\": {\"v1\": {\"endpoints\": [\"127.0.0.1:1\"]},"
          "  \"canary\": {\"endpoints\": [\"127.0.0.1:2\"]}}}\n",
          port);
  if (fclose(file) != 0) measure_fail("adit.json");
  write_route("header", "tier", "gold");
  write_route("directory", "plan", "gold");
  struct policy *policy = load_policy();
  (void)unlink("header.rules.json");
  (void)unlink("directory.rules.json");
  close_directory();
  return policy;
}

/* ---- asking ---------------------------------------------------------------------------------- */

struct asked {
  struct decider *decider;
  struct lookup_loop *loop;
  struct lookup *lookup;
  struct lookup_waiter waiter;
  struct http_field fields[5];
  char user[16];
  unsigned users;
  struct decide_request request;
  struct decision decision;
};

static void count_nothing(void *context, enum lookup_event event) {
  (void)context;
  (void)event;
}

static void done(struct lookup_waiter *waiter) {
  (void)waiter;
}

/* struct attr_supplier.supply, as the gateway's: who must wait is told so. */
static enum attr_supply supply(void *context, const struct attr_request *request, uint32_t id,
                               const struct str *keys, struct attr_supplied *ret) {
  (void)request;
  struct asked *asked = context;
  const struct lookup_field *field = NULL;
  switch (lookup_get(asked->lookup, keys, id & ((1U << CONFIG_LOOKUP_FIELD_BITS) - 1),
                     clock_monotonic_ms(), &asked->waiter, &field, &ret->why)) {
    case LOOKUP_PENDING:
      return SUPPLY_PENDING;
    case LOOKUP_MISSING:
      return SUPPLY_ABSENT;
    case LOOKUP_FOUND:
      break;
  }
  ret->texts = field->texts;
  ret->n = field->n;
  return field->n > 0 ? SUPPLY_PRESENT : SUPPLY_ABSENT;
}

static void set_user(struct asked *asked, const char *user) {
  snprintf(asked->user, sizeof(asked->user), "%s", user);
  const struct http_field fields[] = {
      field("Host", "directory"),
      field("User-Agent", "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 ShopApp/8.12.1"),
      field("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
      field("X-Tier", "gold"),
      field("X-User-Id", asked->user),
  };
  _Static_assert(sizeof(fields) == sizeof(asked->fields), "one for each");
  memcpy(asked->fields, fields, sizeof(fields));
  asked->request.attr = (struct attr_request){.method = STR("GET"),
                                              .scheme = STR("https"),
                                              .path = STR("/product/42"),
                                              .trusted = true,
                                              .now_ms = INT64_C(1764000000000),
                                              .fields = asked->fields,
                                              .field_count = sizeof(fields) / sizeof(*fields)};
}

static void ask_header(void *context) {
  struct asked *asked = context;
  asked->request.attr.host = STR("header");
  decide(asked->decider, &asked->request, &asked->decision, NULL, NULL);
}

static void ask_directory(void *context) {
  struct asked *asked = context;
  struct pollfd fd = {.fd = lookup_loop_fd(asked->loop), .events = POLLIN};
  asked->request.attr.host = STR("directory");
  decide(asked->decider, &asked->request, &asked->decision, NULL, NULL);
  if (!asked->decision.pending) return;
  while (lookup_waits(&asked->waiter)) {
    (void)poll(&fd, 1, (int)lookup_loop_wait_ms(asked->loop, clock_monotonic_ms()));
    lookup_loop_run(asked->loop, clock_monotonic_ms());
  }
  decide(asked->decider, &asked->request, &asked->decision, NULL, NULL);
}

static void ask_for_another(void *context) {
  struct asked *asked = context;
  int n = snprintf(asked->user, sizeof(asked->user), "u-%u", asked->users++);
  asked->fields[4].value.n = (size_t)n;
  ask_directory(asked);
}

/* Both ways are checked before they are measured. */
static void measure_case(struct asked *asked, const char *name, const char *user, measure_fn *work,
                         enum decide_reason reason) {
  set_user(asked, user);
  ask_header(asked);
  if (asked->decision.reason != REASON_RULE) measure_fail(name);
  for (int i = 0; i < 2; i++) {
    work(asked);
    if (asked->decision.reason != reason) measure_fail(name);
  }
  measure_beside(name, 0, work, ask_header, asked);
}

int main(int argc, char **argv) {
  measure_begin(argc, argv);
  struct policy *policy = load(start_directory());
  struct asked asked = {.decider = policy_decider_new(policy),
                        .loop = lookup_loop_new(count_nothing, NULL),
                        .waiter = {.done = done}};
  if (asked.loop) asked.lookup = lookup_new(asked.loop, &policy_config(policy)->lookups[0].spec);
  if (!asked.decider || !asked.lookup) measure_fail("out of memory");
  decider_supply(asked.decider, SOURCE_LOOKUP, (struct attr_supplier){supply, &asked});
  measure_case(&asked, "directory, known", "u", ask_directory, REASON_RULE);
  measure_case(&asked, "directory, known to be nobody", "nobody", ask_directory, REASON_DEFAULT);
  measure_case(&asked, "directory, asked", "u", ask_for_another, REASON_RULE);
  lookup_unref(&asked.lookup);
  lookup_loop_free(&asked.loop);
  decider_free(&asked.decider);
  policy_unref(&policy);
  return 0;
}
