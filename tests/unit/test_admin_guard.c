/* Who may ask the admin server: the table behind the answers 400, 401 and 403. */
#include "admin/guard.h"
#include "unit.h"

struct sent {
  const char *host, *origin, *authorization;
  enum guard_verdict loopback, loopback_token, elsewhere_token, elsewhere;
};

#define P GUARD_PASSES
#define H GUARD_FOREIGN_HOST
#define O GUARD_FOREIGN_ORIGIN
#define T GUARD_NO_TOKEN
#define C GUARD_CLOSED

static const struct sent table[] = {
    {"localhost", NULL, NULL, P, T, T, C},
    {"localhost", NULL, "Bearer secret", P, P, P, C},
    {"localhost", NULL, "bearer   secret", P, P, P, C},
    {"localhost", NULL, "Bearer secre", P, T, T, C},
    {"localhost", NULL, "Bearer secrets", P, T, T, C},
    {"localhost", NULL, "Bearersecret", P, T, T, C},
    {"localhost", NULL, "", P, T, T, C},
    {"LocalHost:9901", NULL, NULL, P, T, T, C},
    {"127.255.0.1:1", NULL, "Bearer secret", P, P, P, C},
    {"[::1]:9901", NULL, "Bearer secret", P, P, P, C},
    {"[::ffff:127.0.0.1]", NULL, "Bearer secret", P, P, P, C},
    {"[::2]", NULL, "Bearer secret", H, H, P, C},
    {"[127.0.0.1]", NULL, "Bearer secret", H, H, P, C},
    {"shop.example", NULL, "Bearer secret", H, H, P, C},
    {"localhost.example", NULL, "Bearer secret", H, H, P, C},
    {"localhost ", NULL, "Bearer secret", H, H, P, C},
    {"", NULL, "Bearer secret", H, H, P, C},
    {NULL, NULL, "Bearer secret", H, H, P, C},
    {"localhost:9901", "http://localhost:9901", "Bearer secret", P, P, P, C},
    {"localhost:9901", "HTTP://LOCALHOST:9901", "Bearer secret", P, P, P, C},
    {"localhost:9901", "http://localhost:9902", "Bearer secret", O, O, P, C},
    {"localhost:9901", "https://localhost:9901", "Bearer secret", O, O, P, C},
    {"localhost:9901", "http://localhost:9901/", "Bearer secret", O, O, P, C},
    {"localhost:9901", "null", "Bearer secret", O, O, P, C},
    {"localhost:9901", "", "Bearer secret", O, O, P, C},
    {"shop.example", "http://shop.example", "Bearer secret", H, H, P, C},
};

static void note(struct guard_head *head, const char *name, const char *value) {
  if (value) guard_note(head, str_from_cstr(name), str_from_cstr(value));
}

START_TEST(verdicts)
{
  for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
    const struct sent *sent = &table[i];
    struct guard_head head = {0};
    note(&head, "hOST", sent->host);
    note(&head, "ORIGIN", sent->origin);
    note(&head, "authorization", sent->authorization);
    note(&head, "X-Host", "evil.example");
    ck_assert_msg(guard_check(&head, true, (struct str){0}) == sent->loopback, "row %zu", i);
    ck_assert_msg(guard_check(&head, true, STR("secret")) == sent->loopback_token, "row %zu", i);
    ck_assert_msg(guard_check(&head, false, STR("secret")) == sent->elsewhere_token, "row %zu", i);
    ck_assert_msg(guard_check(&head, false, (struct str){0}) == sent->elsewhere, "row %zu", i);
  }
}
END_TEST

static const char *const twice[][4] = {
    {"Host", "localhost", "host", "localhost"},
    {"Origin", "http://localhost", "Origin", "http://localhost"},
    {"Authorization", "Bearer secret", "Authorization", "Bearer secret"},
    {"Content-Length", "1", "Content-Length", "1"},
    {"Content-Length", "1", "Transfer-Encoding", "chunked"},
    {"Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"},
    {"Content-Length ", "1", "X", "1"},
    {"Transfer-Encoding\t", "chunked", "X", "1"},
};

START_TEST(ambiguous)
{
  for (size_t i = 0; i < sizeof(twice) / sizeof(*twice); i++) {
    const char *const *fields = twice[i];
    struct guard_head head = {0};
    note(&head, fields[0], fields[1]);
    note(&head, fields[2], fields[3]);
    if (!head.host.p) note(&head, "Host", "localhost");
    if (!head.authorization.p) note(&head, "Authorization", "Bearer secret");
    ck_assert_int_eq(guard_check(&head, true, (struct str){0}), GUARD_AMBIGUOUS);
    ck_assert_int_eq(guard_check(&head, false, STR("secret")), GUARD_AMBIGUOUS);
  }
}
END_TEST

UNIT_MAIN("admin guard", verdicts, ambiguous)
