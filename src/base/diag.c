/*
 * diags: a list in the order of addition, and threaded through it a second one in the order of
 * printing, kept sorted on addition, so that printing cannot fail for want of memory.
 *
 *   diags_add     format, escape, copy, insert
 *   diags_format  walks the sorted list
 *   diag_nearest  "did you mean"
 */
#include "adit/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "adit/text.h"

enum { LEVELS = 3, KEPT_MAX = 200, MESSAGE_BYTES_MAX = 2048 };

struct entry {
  struct diag diag;    /* its texts follow the entry in the same allocation */
  size_t file_rank;    /* which file it is, in order of first appearance */
  struct entry *after; /* the next one to be printed */
};

struct diags {
  struct entry **entries; /* in order of addition */
  size_t n;
  size_t capacity;
  struct entry *first; /* to be printed */
  size_t n_files;
  size_t counts[LEVELS];
  size_t kept[LEVELS];
};

struct diags *diags_new(void) {
  return calloc(1, sizeof(struct diags));
}

void diags_free(struct diags **diags) {
  if (!*diags) return;
  for (size_t i = 0; i < (*diags)->n; i++) free((*diags)->entries[i]);
  free((*diags)->entries);
  free(*diags);
  *diags = NULL;
}

/* --- adding ---------------------------------------------------------------------------------- */

/* Copies with control bytes escaped to *at and moves it behind the NUL. */
static const char *put_escaped(struct str s, char **at) {
  char *start = *at;
  size_t n;
  (void)text_escape_controls(s, start, s.n * TEXT_ESCAPED_BYTES_MAX, &n);
  start[n] = '\0';
  *at = start + n + 1;
  return start;
}

static struct entry *entry_new(enum diag_level level, struct diag_place at, struct str message,
                               struct str hint) {
  struct str file = str_from_cstr(at.file);
  size_t texts = (message.n + hint.n + file.n) * TEXT_ESCAPED_BYTES_MAX + 3;
  struct entry *entry = calloc(1, sizeof(*entry) + texts);
  if (!entry) return NULL;
  char *p = (char *)(entry + 1);
  entry->diag.level = level;
  entry->diag.at = at;
  entry->diag.at.file = file.p ? put_escaped(file, &p) : NULL;
  entry->diag.message = put_escaped(message, &p);
  entry->diag.hint = hint.p ? put_escaped(hint, &p) : NULL;
  return entry;
}

static bool is_same_file(const struct entry *a, const struct entry *b) {
  const char *x = a->diag.at.file;
  const char *y = b->diag.at.file;
  return x && y ? strcmp(x, y) == 0 : x == y;
}

static void rank_file(struct diags *diags, struct entry *entry) {
  for (size_t i = diags->n; i > 0; i--) {
    if (is_same_file(diags->entries[i - 1], entry)) {
      entry->file_rank = diags->entries[i - 1]->file_rank;
      return;
    }
  }
  entry->file_rank = diags->n_files++;
}

static bool is_before(const struct entry *a, const struct entry *b) {
  if (a->file_rank != b->file_rank) return a->file_rank < b->file_rank;
  if (a->diag.at.line != b->diag.at.line) return a->diag.at.line < b->diag.at.line;
  return a->diag.at.column < b->diag.at.column;
}

/* Behind those of the same place. */
static void insert_sorted(struct diags *diags, struct entry *entry) {
  struct entry **link = &diags->first;
  while (*link && !is_before(entry, *link)) link = &(*link)->after;
  entry->after = *link;
  *link = entry;
}

static bool reserve_entry(struct diags *diags) {
  if (diags->n < diags->capacity) return true;
  size_t capacity = diags->capacity == 0 ? 8 : diags->capacity * 2;
  struct entry **larger = realloc(diags->entries, capacity * sizeof(struct entry *));
  if (!larger) return false;
  diags->entries = larger;
  diags->capacity = capacity;
  return true;
}

bool diags_is_full(const struct diags *diags, enum diag_level level) {
  return diags->kept[level] == KEPT_MAX;
}

static void add(struct diags *diags, enum diag_level level, struct diag_place at,
                struct str message, struct str hint) {
  diags->counts[level]++;
  if (diags_is_full(diags, level) || !reserve_entry(diags)) return;
  struct entry *entry = entry_new(level, at, message, hint);
  if (!entry) return;
  rank_file(diags, entry);
  insert_sorted(diags, entry);
  diags->entries[diags->n++] = entry;
  diags->kept[level]++;
}

/* Puts "..." at the end of a full buffer, without leaving half a character before it. */
static size_t mark_cut(char *message, size_t n) {
  size_t end = n - 3;
  while (end > 0 && ((unsigned char)message[end] & 0xC0) == 0x80) end--;
  memcpy(message + end, "...", 3);
  return end + 3;
}

void diags_add(struct diags *diags, enum diag_level level, struct diag_place at, const char *hint,
               const char *format, ...) {
  char message[MESSAGE_BYTES_MAX];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  size_t n = length < 0 ? 0 : (size_t)length;
  if (n >= sizeof(message)) n = mark_cut(message, sizeof(message) - 1);
  add(diags, level, at, str_make(message, n), str_from_cstr(hint));
}

void diags_append(struct diags *to, const struct diags *from) {
  for (size_t i = 0; i < from->n; i++) {
    const struct diag *diag = &from->entries[i]->diag;
    add(to, diag->level, diag->at, str_from_cstr(diag->message), str_from_cstr(diag->hint));
  }
  for (size_t level = 0; level < LEVELS; level++) {
    to->counts[level] += from->counts[level] - from->kept[level];
  }
}

size_t diags_count(const struct diags *diags, enum diag_level level) {
  return diags->counts[level];
}

size_t diags_size(const struct diags *diags) {
  return diags->n;
}

const struct diag *diags_get(const struct diags *diags, size_t i) {
  return &diags->entries[i]->diag;
}

/* --- printing -------------------------------------------------------------------------------- */

const char *diag_level_name(enum diag_level level) {
  switch (level) {
    case DIAG_ERROR:
      return "error";
    case DIAG_WARNING:
      return "warning";
    case DIAG_NOTE:
      return "note";
  }
  return "error";
}

void diag_format(const struct diag *diag, struct text *out) {
  if (diag->at.file) {
    text_add(out, str_from_cstr(diag->at.file));
    if (diag->at.line > 0) text_printf(out, ":%u", diag->at.line);
    if (diag->at.line > 0 && diag->at.column > 0) text_printf(out, ":%u", diag->at.column);
    text_add(out, STR(": "));
  }
  text_printf(out, "%s: %s", diag_level_name(diag->level), diag->message);
  if (diag->hint) text_printf(out, " (%s)", diag->hint);
}

void diags_format(const struct diags *diags, struct text *out) {
  for (const struct entry *entry = diags->first; entry; entry = entry->after) {
    diag_format(&entry->diag, out);
    text_add_char(out, '\n');
  }
  size_t more = 0;
  for (size_t level = 0; level < LEVELS; level++) more += diags->counts[level] - diags->kept[level];
  if (more > 0) text_printf(out, "and %zu more\n", more);
}

/* --- did you mean ---------------------------------------------------------------------------- */

enum { WORD_BYTES_MAX = 64 };

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/*
 * Edit distance where exchanging two neighbours is one edit (optimal string alignment); case is
 * ignored, as it is a frequent slip. Both at most WORD_BYTES_MAX long.
 */
static size_t edit_distance(struct str a, struct str b) {
  size_t d[WORD_BYTES_MAX + 1][WORD_BYTES_MAX + 1];
  for (size_t i = 0; i <= a.n; i++) d[i][0] = i;
  for (size_t j = 0; j <= b.n; j++) d[0][j] = j;
  for (size_t i = 1; i <= a.n; i++) {
    for (size_t j = 1; j <= b.n; j++) {
      char x = ascii_lower(a.p[i - 1]);
      char y = ascii_lower(b.p[j - 1]);
      d[i][j] = least(least(d[i - 1][j], d[i][j - 1]) + 1, d[i - 1][j - 1] + (x != y));
      bool exchanged =
          i > 1 && j > 1 && x == ascii_lower(b.p[j - 2]) && ascii_lower(a.p[i - 2]) == y;
      if (exchanged) d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.n][b.n];
}

const char *diag_nearest(struct str word, const char *const *candidates) {
  if (word.n > WORD_BYTES_MAX) return NULL;
  const char *nearest = NULL;
  size_t nearest_distance = SIZE_MAX;
  for (; *candidates; candidates++) {
    struct str candidate = str_from_cstr(*candidates);
    if (candidate.n > WORD_BYTES_MAX) continue;
    size_t longer = word.n > candidate.n ? word.n : candidate.n;
    size_t shorter = word.n < candidate.n ? word.n : candidate.n;
    if (longer - shorter > longer / 3) continue; /* so many edits at least */
    size_t distance = edit_distance(word, candidate);
    if (distance <= longer / 3 && distance < nearest_distance) {
      nearest = *candidates;
      nearest_distance = distance;
    }
  }
  return nearest;
}

const char *diag_did_you_mean(struct str word, const char *const *candidates, char *buffer,
                              size_t capacity) {
  const char *nearest = diag_nearest(word, candidates);
  if (!nearest) return NULL;
  int length = snprintf(buffer, capacity, "did you mean '%s'?", nearest);
  return length < 0 || (size_t)length >= capacity ? NULL : buffer;
}
