/*
 * printed: diagnostics as a user reads them.
 */
#ifndef ADIT_TESTS_PRINTED_H
#define ADIT_TESTS_PRINTED_H

#include <stdio.h>

#include "adit/diag.h"
#include "adit/text.h"

/* All of them, in a buffer that the next call overwrites. */
static inline const char *printed(const struct diags *diags) {
  static char buffer[16384];
  struct text text;
  text_init(&text, sizeof(buffer));
  diags_format(diags, &text);
  snprintf(buffer, sizeof(buffer), "%.*s", STR_ARG(text_str(&text)));
  text_deinit(&text);
  return buffer;
}

#endif
