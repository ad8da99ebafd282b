/*
 * What parsing a head costs, beside a walk over its lines by memchr, which looks at every octet and
 * understands none.
 */
#include "adit/http.h"
#include "measure.h"

#define REQUEST_SMALL "GET /product/42?colour=red HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"

#define REQUEST_BROWSER                                                                          \
  "GET /product/42?colour=red HTTP/1.1\r\n"                                                      \
  "Host: shop.example.com\r\n"                                                                   \
  "Connection: keep-alive\r\n"                                                                   \
  "sec-ch-ua: \"Chromium\";v=\"124\", \"Google Chrome\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\n" \
  "sec-ch-ua-mobile: ?0\r\n"                                                                     \
  "sec-ch-ua-platform: \"Linux\"\r\n"                                                            \
  "Upgrade-Insecure-Requests: 1\r\n"                                                             \
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "          \
  "Chrome/124.0.0.0 Safari/537.36\r\n"                                                           \
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"         \
  "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\n"                              \
  "Sec-Fetch-Site: same-origin\r\n"                                                              \
  "Sec-Fetch-Mode: navigate\r\n"                                                                 \
  "Sec-Fetch-User: ?1\r\n"                                                                       \
  "Sec-Fetch-Dest: document\r\n"                                                                 \
  "Referer: https://shop.example.com/category/shoes?page=2\r\n"                                  \
  "Accept-Encoding: gzip, deflate, br, zstd\r\n"                                                 \
  "Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n"                                                 \
  "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; _ga=GA1.2.123456.1700000000; "  \
  "adit_shop=1.2026-11.canary.1.3q2-7wAAAAAAAAAAAAAAAA.1700000000.c2lnbmF0dXJl\r\n"              \
  "\r\n"

#define RESPONSE                                                       \
  "HTTP/1.1 200 OK\r\n"                                                \
  "Server: nginx/1.22.1\r\n"                                           \
  "Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n"                            \
  "Content-Type: application/json; charset=utf-8\r\n"                  \
  "Content-Length: 1729\r\n"                                           \
  "Connection: keep-alive\r\n"                                         \
  "Cache-Control: no-cache, max-age=0\r\n"                             \
  "ETag: \"65a5-1729\"\r\n"                                            \
  "Set-Cookie: theme=dark; Path=/; HttpOnly; SameSite=Lax\r\n"         \
  "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n" \
  "\r\n"

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
  struct http_head_scan scan = {0};
  const char *why;
  head->outcome =
      http_parse_request(head->text, LIMIT_BYTES, &scan, &head->request, &head->parsed, &why);
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

static void measure_head(const char *name, struct str text, void (*work)(void *context)) {
  static struct head head;
  head.text = text;
  work(&head);
  if (head.outcome != HTTP_PARSE_DONE || head.parsed != text.n) measure_fail(name);
  measure(name, text.n, work, &head);
}

int main(int argc, char **argv) {
  measure_begin(argc, argv);
  measure_head("small request, parsed", STR(REQUEST_SMALL), parse_request);
  measure_head("small request, walked", STR(REQUEST_SMALL), walk);
  measure_head("browser's request, parsed", STR(REQUEST_BROWSER), parse_request);
  measure_head("browser's request, walked", STR(REQUEST_BROWSER), walk);
  measure_head("response, parsed", STR(RESPONSE), parse_response);
  measure_head("response, walked", STR(RESPONSE), walk);
  return 0;
}
