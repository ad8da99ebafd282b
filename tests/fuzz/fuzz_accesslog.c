/*
 * fuzz_accesslog: any bytes are a line of some kind. What is read of them lies in the line or in
 * the reader, is UTF-8, and can be decided; a line that is taken is one of strict JSON (src/json is
 * asked, which shares nothing with this parser), and one that is not half is none that JSON calls
 * whole. What came before changes nothing: another reader says the same.
 */
#include <stdlib.h>

#include "adit/accesslog.h"
#include "json/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

static bool is_json(struct str text) {
  struct json_scan scan = {.text = text, .style = JSON_STRICT, .copy = malloc(text.n + 1)};
  require(scan.copy != NULL);
  memcpy(scan.copy, text.p, text.n);
  scan.copy[text.n] = '\0';
  const bool ok = json_scan_text(&scan);
  require(!scan.out_of_memory);
  free(scan.copy);
  free(scan.tokens);
  return ok;
}

static void check_text(struct str text) {
  require(!text.p || str_is_utf8(text));
}

static void check_request(const struct log_line *line) {
  const struct attr_request *request = &line->request.attr;
  const struct str texts[] = {line->decided, line->rule,     request->method,   request->host,
                              request->path, request->query, line->recorded.pin};
  for (size_t i = 0; i < sizeof(texts) / sizeof(*texts) - 1; i++)
    if (i != 4) check_text(texts[i]); /* a path is decoded: any bytes */
  require(request->recorded && request->path.n > 0 && request->given_count <= LOG_ATTRIBUTES_MAX);
  require(line->recorded.bucket < BUCKETS);
  size_t n = 0;
  for (size_t i = 0; i < request->given_count; i++) {
    check_text(request->given[i].name);
    check_text(line->hashes[i]);
    for (size_t k = 0; k < request->given[i].n; k++, n++) check_text(request->given[i].texts[k]);
  }
  require(n <= LOG_TEXTS_MAX);
}

/* The same bytes, in memory of just their size. */
static enum log_kind read_copy(struct log_reader *reader, const uint8_t *data, size_t size) {
  char *copy = malloc(size ? size : 1);
  struct log_line line;
  require(copy != NULL);
  if (size) memcpy(copy, data, size);
  log_read(reader, copy, size, &line);
  require(log_kind_name(line.kind)[0] != '\0' && log_kind_advice(line.kind));
  if (line.kind == LOG_MALFORMED || line.kind == LOG_TOO_LARGE) require(line.why != NULL);
  if (line.kind == LOG_REQUEST) check_request(&line);
  free(copy);
  return line.kind;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct log_reader *used, *fresh;
  static unsigned inputs;
  if (inputs++ % 64 == 0) log_reader_free(&fresh); /* it is large: not for each */
  if (!used) used = log_reader_new();
  if (!fresh) fresh = log_reader_new();
  require(used && fresh);
  const enum log_kind kind = read_copy(used, data, size);
  require(kind == read_copy(fresh, data, size));
  const struct str text = str_make((const char *)data, size);
  if (kind == LOG_REQUEST || kind == LOG_REFUSED || kind == LOG_BARE || kind == LOG_CUT)
    require(is_json(text));
  if (kind == LOG_HALF) require(!is_json(text));
  return 0;
}
