/* Any bytes as a state file: it is taken, and says the same when it is written and read again, or
 * something is said. */
#include <stdlib.h>

#include "overrides/state_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds) abort();
}

/* False: refused. */
static bool read(struct str text, struct override_info **ret_items, size_t *ret_n) {
  struct diags *diags = diags_new();
  struct json_doc *doc = diags ? json_parse(text, "fuzz", JSON_STRICT, diags) : NULL;
  bool ok = doc && state_file_parse(doc, ret_items, ret_n, diags);
  require(!diags || ok == (diags_count(diags, DIAG_ERROR) == 0));
  json_free(&doc);
  diags_free(&diags);
  return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct override_info *items = NULL, *again = NULL;
  size_t n = 0, n_again = 0;
  struct text written;
  if (!read(str_make((const char *)data, size), &items, &n)) {
    require(!items && n == 0);
    return 0;
  }
  require(n <= OVERRIDES_MAX);
  text_init(&written, STATE_FILE_BYTES_MAX);
  state_file_format(items, n, &written);
  require(!text_failed(&written) && read(text_str(&written), &again, &n_again) && n == n_again);
  for (size_t i = 0; i < n; i++) {
    require(strcmp(items[i].route, again[i].route) == 0 &&
            json_is_name(str_from_cstr(items[i].route)));
    require(items[i].state == again[i].state && items[i].file_state == again[i].file_state);
    require(items[i].since_ms == again[i].since_ms);
  }
  text_deinit(&written);
  free(items);
  free(again);
  return 0;
}
