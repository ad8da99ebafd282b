/*
 * heads: what browsers, tools and servers send, as they send it, for the benchmark of parsing.
 */
#ifndef ADIT_BENCH_HEADS_H
#define ADIT_BENCH_HEADS_H

#define HEAD_SMALL "GET /product/42?colour=red HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"

#define HEAD_CURL                           \
  "GET /product/42?colour=red HTTP/1.1\r\n" \
  "Host: shop.example.com\r\n"              \
  "User-Agent: curl/7.88.1\r\n"             \
  "Accept: */*\r\n"                         \
  "\r\n"

#define CHROME_FIELDS                                                                            \
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
  "Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n"

#define COOKIES                                                                                 \
  "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; _ga=GA1.2.123456.1700000000; " \
  "adit_shop=1.2026-11.canary.1.3q2-7wAAAAAAAAAAAAAAAA.1700000000.c2lnbmF0dXJl"

#define HEAD_CHROME CHROME_FIELDS COOKIES "\r\n\r\n"

#define HEAD_FIREFOX                                                                       \
  "GET /search?q=running+shoes&sort=price&page=3 HTTP/1.1\r\n"                             \
  "Host: shop.example.com\r\n"                                                             \
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0\r\n" \
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"   \
  "*/*;q=0.8\r\n"                                                                          \
  "Accept-Language: de,en-US;q=0.7,en;q=0.3\r\n"                                           \
  "Accept-Encoding: gzip, deflate, br\r\n"                                                 \
  "Referer: https://shop.example.com/\r\n"                                                 \
  "DNT: 1\r\n"                                                                             \
  "Connection: keep-alive\r\n" COOKIES                                                     \
  "\r\n"                                                                                   \
  "Upgrade-Insecure-Requests: 1\r\n"                                                       \
  "Sec-Fetch-Dest: document\r\n"                                                           \
  "Sec-Fetch-Mode: navigate\r\n"                                                           \
  "Sec-Fetch-Site: same-origin\r\n"                                                        \
  "Sec-Fetch-User: ?1\r\n"                                                                 \
  "\r\n"

#define HEAD_SAFARI                                                                            \
  "GET /img/product/42/front@2x.webp HTTP/1.1\r\n"                                             \
  "Host: static.shop.example.com\r\n"                                                          \
  "Accept: image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,"      \
  "image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5\r\n"                                        \
  "Sec-Fetch-Site: same-site\r\n"                                                              \
  "Accept-Language: en-GB,en;q=0.9\r\n"                                                        \
  "Sec-Fetch-Mode: no-cors\r\n"                                                                \
  "Accept-Encoding: gzip, deflate, br\r\n"                                                     \
  "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 " \
  "(KHTML, like Gecko) Version/17.4.1 Mobile/15E148 Safari/604.1\r\n"                          \
  "Referer: https://shop.example.com/product/42?colour=red\r\n"                                \
  "Connection: keep-alive\r\n"                                                                 \
  "Sec-Fetch-Dest: image\r\n"                                                                  \
  "\r\n"

#define BASE64_128                                                   \
  "eyJzdWIiOiJ1LTE3MjkiLCJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29t" \
  "IiwiYXVkIjoic2hvcCIsInNjb3BlIjoib3JkZXJzOnJlYWQgb3JkZXJzOndyaXRl"

/* As behind a load balancer. */
#define HEAD_API                                                                                 \
  "POST /api/v2/orders/8f14e45f-ceea-467f-ab2c-0d2c5a1b3e77/items HTTP/1.1\r\n"                  \
  "Host: api.shop.example.com\r\n"                                                               \
  "User-Agent: okhttp/4.12.0\r\n"                                                                \
  "Accept: application/json\r\n"                                                                 \
  "Accept-Encoding: gzip\r\n"                                                                    \
  "Content-Type: application/json; charset=utf-8\r\n"                                            \
  "Content-Length: 412\r\n"                                                                      \
  "Authorization: Bearer eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjIwMjYtMTEifQ." BASE64_128 \
      BASE64_128 BASE64_128 BASE64_128 "." BASE64_128 BASE64_128                                 \
  "AAAAAAAAAA\r\n"                                                                               \
  "Idempotency-Key: 2f1acc6c-3a2e-4a6e-9b55-7a3f0f1a9c11\r\n"                                    \
  "X-Forwarded-For: 203.0.113.7\r\n"                                                             \
  "X-Forwarded-Proto: https\r\n"                                                                 \
  "X-Request-Id: 9d2f0c7a5b7e4f6f8d1c2b3a49586776\r\n"                                           \
  "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"                     \
  "\r\n"

#define COOKIE_256                                \
  "; _pk_id.7.1fff=" BASE64_128                   \
  "; experiment_checkout_button_colour=variant-b" \
  "; consent=analytics.marketing.preferences; cart_token=Zm9vYmFyYmF6cXV4"

/* Of a site with many tools on it. */
#define HEAD_COOKIES                                                                          \
  CHROME_FIELDS COOKIES COOKIE_256 COOKIE_256 COOKIE_256 COOKIE_256 COOKIE_256 COOKIE_256     \
      COOKIE_256 COOKIE_256 COOKIE_256 COOKIE_256 COOKIE_256 COOKIE_256 COOKIE_256 COOKIE_256 \
          COOKIE_256 "\r\n\r\n"

#define HEAD_RESPONSE_SMALL                 \
  "HTTP/1.1 200 OK\r\n"                     \
  "Server: nginx/1.22.1\r\n"                \
  "Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n" \
  "Content-Type: text/plain\r\n"            \
  "Content-Length: 100\r\n"                 \
  "Connection: keep-alive\r\n"              \
  "\r\n"

#define HEAD_RESPONSE_PAGE                                                                       \
  "HTTP/1.1 200 OK\r\n"                                                                          \
  "Server: nginx/1.22.1\r\n"                                                                     \
  "Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n"                                                      \
  "Content-Type: text/html; charset=utf-8\r\n"                                                   \
  "Transfer-Encoding: chunked\r\n"                                                               \
  "Connection: keep-alive\r\n"                                                                   \
  "Vary: Accept-Encoding\r\n"                                                                    \
  "Cache-Control: private, no-cache, max-age=0\r\n"                                              \
  "ETag: W/\"65a5-1729\"\r\n"                                                                    \
  "Set-Cookie: session=0123456789abcdef0123456789abcdef; Path=/; HttpOnly; Secure; "             \
  "SameSite=Lax\r\n"                                                                             \
  "Set-Cookie: theme=dark; Path=/; Max-Age=31536000; SameSite=Lax\r\n"                           \
  "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"                           \
  "X-Content-Type-Options: nosniff\r\n"                                                          \
  "X-Frame-Options: SAMEORIGIN\r\n"                                                              \
  "Referrer-Policy: strict-origin-when-cross-origin\r\n"                                         \
  "Content-Security-Policy: default-src 'self'; img-src 'self' https://static.shop.example.com " \
  "data:; script-src 'self' 'nonce-r4nd0m'; style-src 'self' 'unsafe-inline'; "                  \
  "frame-ancestors 'none'; base-uri 'none'\r\n"                                                  \
  "\r\n"

#endif
