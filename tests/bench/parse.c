/*
 * What parsing a head costs, beside a walk over its lines by memchr, which looks at every octet and
 * understands none.
 */
#include "adit/http.h"
#include "heads.h"
#include "measure.h"

enum { LIMIT_BYTES = 32 * 1024 };

struct head {
  struct str text;
  enum http_parse outcome;
  size_t parsed; /* octets */
  struct http_request request;
  struct http_response response;
};

static void parse_request(void *context) {
  struct head *head = context;
  const struct http_limits limits = http_limits_usual(LIMIT_BYTES);
  struct http_head_scan scan = {0};
  const char *why;
  head->outcome =
      http_parse_request(head->text, &limits, &scan, &head->request, &head->parsed, &why);
}

static void parse_response(void *context) {
  struct head *head = context;
  struct http_head_scan scan = {0};
  const char *why;
  head->outcome = http_parse_response(head->text, LIMIT_BYTES, HTTP_METHOD_GET, &scan,
                                      &head->response, &head->parsed, &why);
}

static void walk(void *context) {
  struct head *head = context;
  size_t at = 0;
  while (at < head->text.n) at = str_find_char(head->text, '\n', at) + 1;
  head->parsed = at;
  head->outcome = HTTP_PARSE_DONE;
}

static void measure_head(const char *name, struct str text, measure_fn *parse) {
  static struct head head;
  head.text = text;
  parse(&head);
  if (head.outcome != HTTP_PARSE_DONE || head.parsed != text.n) measure_fail(name);
  measure_beside(name, text.n, parse, walk, &head);
}

int main(int argc, char **argv) {
  measure_begin(argc, argv);
  measure_head("smallest request", STR(HEAD_SMALL), parse_request);
  measure_head("curl", STR(HEAD_CURL), parse_request);
  measure_head("Chrome", STR(HEAD_CHROME), parse_request);
  measure_head("Firefox", STR(HEAD_FIREFOX), parse_request);
  measure_head("Safari on iOS, an image", STR(HEAD_SAFARI), parse_request);
  measure_head("API client, long bearer token", STR(HEAD_API), parse_request);
  measure_head("Chrome, 4 KiB of cookies", STR(HEAD_COOKIES), parse_request);
  measure_head("small response", STR(HEAD_RESPONSE_SMALL), parse_response);
  measure_head("page's response", STR(HEAD_RESPONSE_PAGE), parse_response);
  return 0;
}
