/* check: what walkers of a document share: errors at a node, known keys, names, numbers. */
#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "adit/text.h"
#include "scan.h"

enum { MESSAGE_LIMIT = 4096, HINT_LIMIT = 512 };

static void add_error(struct diags *diags, struct diag_place at, const char *hint,
                      const char *format, va_list args) {
  char message[MESSAGE_LIMIT]; /* more than diags_add keeps of it */
  vsnprintf(message, sizeof(message), format, args);
  diags_add(diags, DIAG_ERROR, at, hint, "%s", message);
}

void json_error(const struct json_doc *doc, const struct cJSON *node, struct diags *diags,
                const char *hint, const char *format, ...) {
  va_list args;
  va_start(args, format);
  add_error(diags, json_place(doc, node), hint, format, args);
  va_end(args);
}

void json_key_error(const struct json_doc *doc, const struct cJSON *node, struct diags *diags,
                    const char *hint, const char *format, ...) {
  va_list args;
  va_start(args, format);
  add_error(diags, json_key_place(doc, node), hint, format, args);
  va_end(args);
}

static bool is_known(const char *key, const char *const *known) {
  for (; *known; known++) {
    if (strcmp(key, *known) == 0) return true;
  }
  return false;
}

static void key_error(const struct json_doc *doc, const struct cJSON *member,
                      const char *const *known, const char *what, struct diags *diags) {
  if (diags_is_full(diags, DIAG_ERROR)) { /* it is only counted */
    json_key_error(doc, member, diags, NULL, "%s: unknown key", what);
    return;
  }
  char buffer[128];
  const char *near =
      diag_did_you_mean(str_from_cstr(member->string), known, buffer, sizeof(buffer));
  struct text all;
  text_init(&all, HINT_LIMIT);
  text_printf(&all, "known here:");
  for (const char *const *name = known; *name; name++) text_printf(&all, " %s", *name);
  const char *list = text_failed(&all) || !*known ? NULL : all.p;
  json_key_error(doc, member, diags, near ? near : list, "%s: unknown key '%s'", what,
                 member->string);
  text_deinit(&all);
}

bool json_check_keys(const struct json_doc *doc, const struct cJSON *object,
                     const char *const *known, const char *what, struct diags *diags) {
  bool all_known = true;
  for (const cJSON *member = object->child; member; member = member->next) {
    if (is_known(member->string, known)) continue;
    all_known = false;
    key_error(doc, member, known, what, diags);
  }
  return all_known;
}

bool json_number_parse(struct str s, double *ret) {
  if (s.n == 0 || json_scan_number(s) != s.n) return false;
  /* strtod wants a NUL behind the number. Nothing of ours calls setlocale: the point is a '.'. */
  char small[128];
  char *copy = s.n < sizeof(small) ? small : malloc(s.n + 1);
  if (!copy) return false;
  memcpy(copy, s.p, s.n);
  copy[s.n] = '\0';
  *ret = strtod(copy, NULL);
  if (copy != small) free(copy);
  return true;
}

bool json_is_name(struct str name) {
  if (name.n == 0 || name.n > 64) return false;
  for (size_t i = 0; i < name.n; i++) {
    char c = name.p[i];
    bool ok = ascii_is_alpha(c) || ascii_is_digit(c) || c == '.' || c == '_' || c == '-';
    if (!ok) return false;
  }
  return true;
}
