/* Request heads that are refused: malformed, ambiguous, or of an HTTP that is not ours. */
#include "http_pieces.h"

#define HOST     "Host: a\r\n"
#define GET      "GET / HTTP/1.1\r\n" HOST
#define POST     "POST / HTTP/1.1\r\n" HOST
#define POST_OLD "POST / HTTP/1.0\r\n"

static enum http_parse parse(struct str input, size_t limit_bytes, struct http_head_scan *scan,
                             size_t *ret_n, const char **ret_why) {
  static struct http_request request;
  const struct http_limits limits = http_limits_usual(limit_bytes);
  return http_parse_request(input, &limits, scan, &request, ret_n, ret_why);
}

struct refused {
  const char *name;
  struct str head;
  enum http_parse outcome;
};

static void check_refused(const struct refused *cases, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const struct refused *test = &cases[i];
    const struct pieces_result result = pieces_check(test->name, parse, test->head, LIMIT);
    ck_assert_msg(result.outcome == test->outcome, "%s: %d (%s)", test->name, (int)result.outcome,
                  result.why);
    ck_assert_msg(result.why != NULL && *result.why != '\0', "%s: why", test->name);
  }
}

#define REQUEST(line) HEAD(line "\r\n" HOST)

START_TEST(lines_refused)
{
  static const struct refused cases[] = {
      {"no version (HTTP/0.9)", REQUEST("GET /"), HTTP_PARSE_BAD},
      {"blank for a version", REQUEST("GET / "), HTTP_PARSE_BAD},
      {"method only", REQUEST("GET"), HTTP_PARSE_BAD},
      {"method and blank", REQUEST("GET "), HTTP_PARSE_BAD},
      {"no target", REQUEST("GET HTTP/1.1"), HTTP_PARSE_BAD},
      {"two blanks before target", REQUEST("GET  / HTTP/1.1"), HTTP_PARSE_BAD},
      {"two blanks before version", REQUEST("GET /  HTTP/1.1"), HTTP_PARSE_BAD},
      {"tab before target", REQUEST("GET\t/ HTTP/1.1"), HTTP_PARSE_BAD},
      {"tab before version", REQUEST("GET /\tHTTP/1.1"), HTTP_PARSE_BAD},
      {"blank first", REQUEST(" GET / HTTP/1.1"), HTTP_PARSE_BAD},
      {"blank last", REQUEST("GET / HTTP/1.1 "), HTTP_PARSE_BAD},
      {"blank in target", REQUEST("GET /a b HTTP/1.1"), HTTP_PARSE_BAD},
      {"two requests in a line", REQUEST("GET /a HTTP/1.1 HTTP/1.1"), HTTP_PARSE_BAD},
      {"colon in method", REQUEST("GET: / HTTP/1.1"), HTTP_PARSE_BAD},
      {"slash in method", REQUEST("GE/T / HTTP/1.1"), HTTP_PARSE_BAD},
      {"high octet in method", REQUEST("G\xc3\x84T / HTTP/1.1"), HTTP_PARSE_BAD},
      {"version in small letters", REQUEST("GET / http/1.1"), HTTP_PARSE_BAD},
      {"version without minor", REQUEST("GET / HTTP/1"), HTTP_PARSE_BAD},
      {"version with empty minor", REQUEST("GET / HTTP/1."), HTTP_PARSE_BAD},
      {"version with long minor", REQUEST("GET / HTTP/1.10"), HTTP_PARSE_BAD},
      {"version with long major", REQUEST("GET / HTTP/11.1"), HTTP_PARSE_BAD},
      {"version with comma", REQUEST("GET / HTTP/1,1"), HTTP_PARSE_BAD},
      {"version of letters", REQUEST("GET / HTTP/a.b"), HTTP_PARSE_BAD},
      {"another protocol", REQUEST("GET / ICAP/1.0"), HTTP_PARSE_BAD},
      {"HTTPS for HTTP", REQUEST("GET / HTTPS/1.1"), HTTP_PARSE_BAD},
      {"HTTP/2.0", REQUEST("GET / HTTP/2.0"), HTTP_PARSE_VERSION},
      {"HTTP/3.0", REQUEST("GET / HTTP/3.0"), HTTP_PARSE_VERSION},
      {"HTTP/0.9", REQUEST("GET / HTTP/0.9"), HTTP_PARSE_VERSION},
      {"preface of HTTP/2", STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HTTP_PARSE_VERSION},
      {"fragment", REQUEST("GET /a#b HTTP/1.1"), HTTP_PARSE_BAD},
      {"high octet in target", REQUEST("GET /\xc3\xa9 HTTP/1.1"), HTTP_PARSE_BAD},
      {"DEL in target", REQUEST("GET /\x7f HTTP/1.1"), HTTP_PARSE_BAD},
      {"path without slash", REQUEST("GET a HTTP/1.1"), HTTP_PARSE_BAD},
      {"query without path", REQUEST("GET ?a HTTP/1.1"), HTTP_PARSE_BAD},
      {"asterisk for GET", REQUEST("GET * HTTP/1.1"), HTTP_PARSE_BAD},
      {"asterisk and more", REQUEST("OPTIONS *a HTTP/1.1"), HTTP_PARSE_BAD},
      {"authority for GET", REQUEST("GET a:80 HTTP/1.1"), HTTP_PARSE_BAD},
      {"origin-form for CONNECT", REQUEST("CONNECT / HTTP/1.1"), HTTP_PARSE_BAD},
      {"absolute-form for CONNECT", REQUEST("CONNECT http://a:80/ HTTP/1.1"), HTTP_PARSE_BAD},
      {"asterisk for CONNECT", REQUEST("CONNECT * HTTP/1.1"), HTTP_PARSE_BAD},
      {"CONNECT without port", REQUEST("CONNECT a HTTP/1.1"), HTTP_PARSE_BAD},
      {"CONNECT with empty port", REQUEST("CONNECT a: HTTP/1.1"), HTTP_PARSE_BAD},
      {"CONNECT with userinfo", REQUEST("CONNECT u@a:80 HTTP/1.1"), HTTP_PARSE_BAD},
      {"another scheme", REQUEST("GET ftp://a/ HTTP/1.1"), HTTP_PARSE_BAD},
      {"file scheme", REQUEST("GET file:///etc/passwd HTTP/1.1"), HTTP_PARSE_BAD},
      {"scheme only", REQUEST("GET http: HTTP/1.1"), HTTP_PARSE_BAD},
      {"one slash", REQUEST("GET http:/a HTTP/1.1"), HTTP_PARSE_BAD},
      {"no authority", REQUEST("GET http:// HTTP/1.1"), HTTP_PARSE_BAD},
      {"empty authority", REQUEST("GET http:///a HTTP/1.1"), HTTP_PARSE_BAD},
      {"port only", REQUEST("GET http://:80/ HTTP/1.1"), HTTP_PARSE_BAD},
      {"userinfo", REQUEST("GET http://u@a/ HTTP/1.1"), HTTP_PARSE_BAD},
      {"userinfo with password", REQUEST("GET http://u:p@a/ HTTP/1.1"), HTTP_PARSE_BAD},
      {"empty userinfo", REQUEST("GET http://@a/ HTTP/1.1"), HTTP_PARSE_BAD},
      {"backslash in authority", REQUEST("GET http://a\\@b/ HTTP/1.1"), HTTP_PARSE_BAD},
      {"port of six digits", REQUEST("GET http://a:123456/ HTTP/1.1"), HTTP_PARSE_BAD},
  };
  check_refused(cases, COUNT(cases));
}
END_TEST

START_TEST(hosts_refused)
{
  static const struct refused cases[] = {
      {"none", HEAD("GET / HTTP/1.1\r\n"), HTTP_PARSE_BAD},
      {"none, absolute-form", HEAD("GET http://a/ HTTP/1.1\r\n"), HTTP_PARSE_BAD},
      {"none, CONNECT", HEAD("CONNECT a:80 HTTP/1.1\r\n"), HTTP_PARSE_BAD},
      {"none, HTTP/1.2", HEAD("GET / HTTP/1.2\r\n"), HTTP_PARSE_BAD},
      {"empty", HEAD("GET / HTTP/1.1\r\nHost:\r\n"), HTTP_PARSE_BAD},
      {"blank", HEAD("GET / HTTP/1.1\r\nHost: \t\r\n"), HTTP_PARSE_BAD},
      {"empty in HTTP/1.0", HEAD("GET / HTTP/1.0\r\nHost:\r\n"), HTTP_PARSE_BAD},
      {"two", HEAD(GET "Host: b\r\n"), HTTP_PARSE_BAD},
      {"two equal", HEAD(GET "host: a\r\n"), HTTP_PARSE_BAD},
      {"two in HTTP/1.0", HEAD("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n"), HTTP_PARSE_BAD},
      {"an empty one first", HEAD("GET / HTTP/1.1\r\nHost:\r\nHost: a\r\n"), HTTP_PARSE_BAD},
      {"two in absolute-form", HEAD("GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n"),
       HTTP_PARSE_BAD},
      {"list", HEAD("GET / HTTP/1.1\r\nHost: a, b\r\n"), HTTP_PARSE_BAD},
      {"blank inside", HEAD("GET / HTTP/1.1\r\nHost: a b\r\n"), HTTP_PARSE_BAD},
      {"path", HEAD("GET / HTTP/1.1\r\nHost: a/b\r\n"), HTTP_PARSE_BAD},
      {"URL", HEAD("GET / HTTP/1.1\r\nHost: http://a\r\n"), HTTP_PARSE_BAD},
      {"userinfo", HEAD("GET / HTTP/1.1\r\nHost: u@a\r\n"), HTTP_PARSE_BAD},
      {"port of letters", HEAD("GET / HTTP/1.1\r\nHost: a:b\r\n"), HTTP_PARSE_BAD},
      {"port too large", HEAD("GET / HTTP/1.1\r\nHost: a:65536\r\n"), HTTP_PARSE_BAD},
      {"port only", HEAD("GET / HTTP/1.1\r\nHost: :80\r\n"), HTTP_PARSE_BAD},
      {"dot", HEAD("GET / HTTP/1.1\r\nHost: .\r\n"), HTTP_PARSE_BAD},
      {"IPv6 without brackets", HEAD("GET / HTTP/1.1\r\nHost: ::1\r\n"), HTTP_PARSE_BAD},
      {"open bracket", HEAD("GET / HTTP/1.1\r\nHost: [::1\r\n"), HTTP_PARSE_BAD},
      {"high octet", HEAD("GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n"), HTTP_PARSE_BAD},
      {"invalid beside absolute-form", HEAD("GET http://a/ HTTP/1.1\r\nHost: a/b\r\n"),
       HTTP_PARSE_BAD},
      {"empty beside absolute-form", HEAD("GET http://a/ HTTP/1.1\r\nHost:\r\n"), HTTP_PARSE_BAD},
  };
  check_refused(cases, COUNT(cases));
}
END_TEST

START_TEST(framings_refused)
{
  static const struct refused cases[] = {
      {"length and chunked", HEAD(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
       HTTP_PARSE_BAD},
      {"chunked and length", HEAD(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
       HTTP_PARSE_BAD},
      {"length 0 and chunked", HEAD(POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"),
       HTTP_PARSE_BAD},
      {"length and unknown coding", HEAD(POST "Content-Length: 5\r\nTransfer-Encoding: gzip\r\n"),
       HTTP_PARSE_BAD},
      {"length and empty coding", HEAD(POST "Content-Length: 5\r\nTransfer-Encoding:\r\n"),
       HTTP_PARSE_BAD},
      {"two lengths", HEAD(POST "Content-Length: 5\r\nContent-Length: 6\r\n"), HTTP_PARSE_BAD},
      {"two equal lengths", HEAD(POST "Content-Length: 5\r\nContent-Length: 5\r\n"),
       HTTP_PARSE_BAD},
      {"two lengths in capitals", HEAD(POST "CONTENT-LENGTH: 5\r\ncontent-length: 5\r\n"),
       HTTP_PARSE_BAD},
      {"list of equal lengths", HEAD(POST "Content-Length: 5, 5\r\n"), HTTP_PARSE_BAD},
      {"list of lengths", HEAD(POST "Content-Length: 5,6\r\n"), HTTP_PARSE_BAD},
      {"empty length", HEAD(POST "Content-Length:\r\n"), HTTP_PARSE_BAD},
      {"empty length first", HEAD(POST "Content-Length:\r\nContent-Length: 5\r\n"), HTTP_PARSE_BAD},
      {"blank length", HEAD(POST "Content-Length:  \r\n"), HTTP_PARSE_BAD},
      {"plus", HEAD(POST "Content-Length: +5\r\n"), HTTP_PARSE_BAD},
      {"minus", HEAD(POST "Content-Length: -5\r\n"), HTTP_PARSE_BAD},
      {"minus nothing", HEAD(POST "Content-Length: -0\r\n"), HTTP_PARSE_BAD},
      {"hexadecimal", HEAD(POST "Content-Length: 0x5\r\n"), HTTP_PARSE_BAD},
      {"fraction", HEAD(POST "Content-Length: 5.0\r\n"), HTTP_PARSE_BAD},
      {"exponent", HEAD(POST "Content-Length: 5e1\r\n"), HTTP_PARSE_BAD},
      {"letters behind", HEAD(POST "Content-Length: 5abc\r\n"), HTTP_PARSE_BAD},
      {"blank inside", HEAD(POST "Content-Length: 5 6\r\n"), HTTP_PARSE_BAD},
      {"underscore", HEAD(POST "Content-Length: 1_0\r\n"), HTTP_PARSE_BAD},
      {"quoted", HEAD(POST "Content-Length: \"5\"\r\n"), HTTP_PARSE_BAD},
      {"no-break space",
       HEAD(POST "Content-Length: \xa0"
                 "5\r\n"),
       HTTP_PARSE_BAD},
      {"2^63", HEAD(POST "Content-Length: 9223372036854775808\r\n"), HTTP_PARSE_BAD},
      {"2^64", HEAD(POST "Content-Length: 18446744073709551616\r\n"), HTTP_PARSE_BAD},
      {"2^64+5", HEAD(POST "Content-Length: 18446744073709551621\r\n"), HTTP_PARSE_BAD},
      {"30 digits", HEAD(POST "Content-Length: 999999999999999999999999999999\r\n"),
       HTTP_PARSE_BAD},
      {"chunked twice in two lines",
       HEAD(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), HTTP_PARSE_BAD},
      {"codings in two lines",
       HEAD(POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), HTTP_PARSE_BAD},
      {"chunked twice", HEAD(POST "Transfer-Encoding: chunked, chunked\r\n"), HTTP_PARSE_BAD},
      {"chunked not last", HEAD(POST "Transfer-Encoding: chunked, gzip\r\n"), HTTP_PARSE_BAD},
      {"chunked, identity", HEAD(POST "Transfer-Encoding: chunked, identity\r\n"), HTTP_PARSE_BAD},
      {"chunked twice behind another", HEAD(POST "Transfer-Encoding: a, chunked, chunked\r\n"),
       HTTP_PARSE_BAD},
      {"chunked with parameter", HEAD(POST "Transfer-Encoding: chunked;a=b\r\n"), HTTP_PARSE_BAD},
      {"chunked with semicolon", HEAD(POST "Transfer-Encoding: chunked ;\r\n"), HTTP_PARSE_BAD},
      {"chunked with parameter behind another", HEAD(POST "Transfer-Encoding: gzip, chunked;a\r\n"),
       HTTP_PARSE_BAD},
      {"chunked and comma", HEAD(POST "Transfer-Encoding: chunked,\r\n"), HTTP_PARSE_BAD},
      {"comma and chunked", HEAD(POST "Transfer-Encoding: , chunked\r\n"), HTTP_PARSE_BAD},
      {"chunked quoted", HEAD(POST "Transfer-Encoding: \"chunked\"\r\n"), HTTP_PARSE_BAD},
      {"chunked in single quotes and blank", HEAD(POST "Transfer-Encoding: 'chunked' x\r\n"),
       HTTP_PARSE_BAD},
      {"chunk ed", HEAD(POST "Transfer-Encoding: chunk ed\r\n"), HTTP_PARSE_BAD},
      {"chunked and no-break space", HEAD(POST "Transfer-Encoding: chunked\xa0\r\n"),
       HTTP_PARSE_BAD},
      {"chunked and another word", HEAD(POST "Transfer-Encoding: chunked x\r\n"), HTTP_PARSE_BAD},
      {"empty coding", HEAD(POST "Transfer-Encoding:\r\n"), HTTP_PARSE_BAD},
      {"commas", HEAD(POST "Transfer-Encoding: ,,\r\n"), HTTP_PARSE_BAD},
      {"chunked in HTTP/1.0", HEAD(POST_OLD "Transfer-Encoding: chunked\r\n"), HTTP_PARSE_BAD},
      {"another coding in HTTP/1.0", HEAD(POST_OLD "Transfer-Encoding: gzip\r\n"), HTTP_PARSE_BAD},
      {"gzip", HEAD(POST "Transfer-Encoding: gzip\r\n"), HTTP_PARSE_BAD},
      {"identity", HEAD(POST "Transfer-Encoding: identity\r\n"), HTTP_PARSE_BAD},
      {"xchunked", HEAD(POST "Transfer-Encoding: xchunked\r\n"), HTTP_PARSE_BAD},
      {"gzip, chunked", HEAD(POST "Transfer-Encoding: gzip, chunked\r\n"), HTTP_PARSE_CODING},
      {"gzip with parameter", HEAD(POST "Transfer-Encoding: gzip;q=\"a,b\", chunked\r\n"),
       HTTP_PARSE_CODING},
      {"expectation", HEAD(GET "Expect: 200-ok\r\n"), HTTP_PARSE_EXPECTATION},
      {"empty expectation", HEAD(GET "Expect:\r\n"), HTTP_PARSE_EXPECTATION},
      {"expectation with parameter", HEAD(POST "Expect: 100-continue;a\r\nContent-Length: 1\r\n"),
       HTTP_PARSE_EXPECTATION},
      {"two expectations", HEAD(POST "Expect: 100-continue, x\r\nContent-Length: 1\r\n"),
       HTTP_PARSE_EXPECTATION},
      {"expectations in two lines",
       HEAD(POST "Expect: 100-continue\r\nExpect: x\r\nContent-Length: 1\r\n"),
       HTTP_PARSE_EXPECTATION},
      {"expectation and no framing", HEAD(POST "Expect: x\r\nContent-Length: x\r\n"),
       HTTP_PARSE_BAD},
  };
  check_refused(cases, COUNT(cases));
}
END_TEST

START_TEST(fields_refused)
{
  static const struct refused cases[] = {
      {"blank before colon", HEAD(GET "X-A : b\r\n"), HTTP_PARSE_BAD},
      {"tab before colon", HEAD(GET "X-A\t: b\r\n"), HTTP_PARSE_BAD},
      {"blank before the colon of a length", HEAD(POST "Content-Length : 5\r\n"), HTTP_PARSE_BAD},
      {"blank before the colon of a coding", HEAD(POST "Transfer-Encoding : chunked\r\n"),
       HTTP_PARSE_BAD},
      {"no colon", HEAD(GET "X-A\r\n"), HTTP_PARSE_BAD},
      {"no name", HEAD(GET ": b\r\n"), HTTP_PARSE_BAD},
      {"colon only", HEAD(GET ":\r\n"), HTTP_PARSE_BAD},
      {"blank in name", HEAD(GET "X A: b\r\n"), HTTP_PARSE_BAD},
      {"folded", HEAD(GET "X-A: b\r\n c\r\n"), HTTP_PARSE_BAD},
      {"folded with tab", HEAD(GET "X-A: b\r\n\tc: d\r\n"), HTTP_PARSE_BAD},
      {"folded coding", HEAD(POST "Transfer-Encoding:\r\n chunked\r\n"), HTTP_PARSE_BAD},
      {"folded with nothing", HEAD(GET "X-A: b\r\n \r\n"), HTTP_PARSE_BAD},
      {"blank before the first field", HEAD("GET / HTTP/1.1\r\n Host: a\r\n"), HTTP_PARSE_BAD},
      {"blank line before the fields", HEAD("GET / HTTP/1.1\r\n \r\n" HOST), HTTP_PARSE_BAD},
      {"parenthesis in name", HEAD(GET "X(A): b\r\n"), HTTP_PARSE_BAD},
      {"quote in name", HEAD(GET "\"X\": b\r\n"), HTTP_PARSE_BAD},
      {"slash in name", HEAD(GET "X/A: b\r\n"), HTTP_PARSE_BAD},
      {"high octet in name", HEAD(GET "X\xc3\xa9: b\r\n"), HTTP_PARSE_BAD},
      {"high octet before name", HEAD(POST "\xa0Transfer-Encoding: chunked\r\n"), HTTP_PARSE_BAD},
      {"NUL in name", HEAD(GET "X\0A: b\r\n"), HTTP_PARSE_BAD},
      {"NUL in value", HEAD(GET "X-A: b\0c\r\n"), HTTP_PARSE_BAD},
      {"NUL in target", HEAD("GET /\0 HTTP/1.1\r\n" HOST), HTTP_PARSE_BAD},
      {"CR in value", HEAD(GET "X-A: b\rc\r\n"), HTTP_PARSE_BAD},
      {"CR before CRLF", HEAD(GET "X-A: b\r\r\n"), HTTP_PARSE_BAD},
      {"CR before name", HEAD(GET "\rX-A: b\r\n"), HTTP_PARSE_BAD},
      {"LF in value", HEAD(GET "X-A: b\nContent-Length: 5\r\n"), HTTP_PARSE_BAD},
      {"LF after request line", HEAD("GET / HTTP/1.1\n" HOST), HTTP_PARSE_BAD},
      {"LF for the empty line", STR_INIT(GET "\n"), HTTP_PARSE_BAD},
      {"LF CR", STR_INIT(GET "X: y\n\r\n"), HTTP_PARSE_BAD},
      {"LF everywhere", STR_INIT("GET / HTTP/1.1\nHost: a\n\n"), HTTP_PARSE_BAD},
      {"vertical tab before coding",
       HEAD(POST "Transfer-Encoding: \x0b"
                 "chunked\r\n"),
       HTTP_PARSE_BAD},
      {"form feed in value", HEAD(GET "X-A: \x0c\r\n"), HTTP_PARSE_BAD},
      {"backspace in value", HEAD(GET "X-A: \x08\r\n"), HTTP_PARSE_BAD},
      {"escape in value", HEAD(GET "X-A: \x1b[0m\r\n"), HTTP_PARSE_BAD},
      {"DEL in value", HEAD(GET "X-A: \x7f\r\n"), HTTP_PARSE_BAD},
  };
  check_refused(cases, COUNT(cases));
}
END_TEST

UNIT_MAIN("http refused", lines_refused, hosts_refused, framings_refused, fields_refused)
