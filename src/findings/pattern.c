/*
 * A recursive descent over the pattern's bytes, into a tree.
 *
 *   alternatives: sequence ( '|' sequence )*      read_alternatives
 *   sequence:     ( atom quantifier? )*           read_sequence, read_repeated
 *   atom:         byte . ^ $ [class] \escape (…)  read_atom
 */
#include "pattern.h"

#include "adit/text.h"

enum { PATTERN_BYTES_MAX = 4096, PATTERN_DEPTH_MAX = 32, REPEAT_NO_END = 1 << 20, TEXTS_MAX = 64 };

enum node_kind { NODE_BYTES, NODE_BEGIN, NODE_END, NODE_SEQUENCE, NODE_ALTERNATIVES, NODE_REPEAT };

struct node {
  enum node_kind kind;
  uint64_t bytes[4]; /* NODE_BYTES: those of the class */
  bool is_class;     /* written as one, so that it is no letter */
  bool is_group;     /* it captures */
  unsigned min, max; /* NODE_REPEAT */
  struct node *first, *next;
};

struct pattern {
  struct node *root;
  bool ignore_case;
};

struct pattern_reader {
  struct arena *arena;
  struct str source;
  size_t at;
  unsigned depth;
};

static struct node *read_alternatives(struct pattern_reader *reader);

static struct node *make(struct pattern_reader *reader, enum node_kind kind) {
  struct node *node = ARENA_NEW(reader->arena, struct node);
  if (node) node->kind = kind;
  return node;
}

static bool at_end(const struct pattern_reader *reader) {
  return reader->at == reader->source.n;
}

static char peek(const struct pattern_reader *reader) {
  return at_end(reader) ? '\0' : reader->source.p[reader->at];
}

static bool take(struct pattern_reader *reader, const char *word) {
  struct str expected = str_from_cstr(word);
  if (!str_starts_with(str_skip(reader->source, reader->at), expected)) return false;
  reader->at += expected.n;
  return true;
}

static void add_byte(struct node *node, unsigned char byte) {
  node->bytes[byte / 64] |= UINT64_C(1) << (byte % 64);
}

static bool has_byte(const struct node *node, unsigned char byte) {
  return node->bytes[byte / 64] >> (byte % 64) & 1;
}

static void add_range(struct node *node, unsigned from, unsigned to) {
  for (unsigned byte = from; byte <= to; byte++) add_byte(node, (unsigned char)byte);
}

/* ---- atoms ----------------------------------------------------------------------------------- */

static bool add_class(struct node *node, char letter) {
  switch (letter) {
    case 'd':
      add_range(node, '0', '9');
      return true;
    case 'w':
      add_range(node, '0', '9');
      add_range(node, 'A', 'Z');
      add_range(node, 'a', 'z');
      add_byte(node, '_');
      return true;
    case 's':
      add_range(node, '\t', '\r');
      add_byte(node, ' ');
      return true;
    default:
      return false;
  }
}

static bool is_letter_or_digit(char c) {
  return ascii_is_digit(c) || ascii_is_alpha(c);
}

/* Behind the backslash. False: not understood. *ret_byte: one byte, else -1 for a class. */
static bool read_escape(struct pattern_reader *reader, struct node *node, int *ret_byte) {
  if (at_end(reader)) return false;
  char c = reader->source.p[reader->at++];
  *ret_byte = -1;
  if (add_class(node, c)) return true;
  if (is_letter_or_digit(c)) return false;
  *ret_byte = (unsigned char)c;
  add_byte(node, (unsigned char)c);
  return true;
}

static bool read_class_item(struct pattern_reader *reader, struct node *node) {
  int low, high;
  char c = reader->source.p[reader->at++];
  if (c == '[' && (peek(reader) == ':' || peek(reader) == '.' || peek(reader) == '=')) return false;
  if (c == '\\') {
    if (!read_escape(reader, node, &low)) return false;
  } else {
    low = (unsigned char)c;
    add_byte(node, (unsigned char)c);
  }
  struct str rest = str_skip(reader->source, reader->at);
  if (rest.n < 2 || rest.p[0] != '-' || rest.p[1] == ']') return true;
  reader->at++;
  c = reader->source.p[reader->at++];
  struct node ignored = {0};
  high = (unsigned char)c;
  if (c == '[' || low < 0) return false;
  if (c == '\\' && (!read_escape(reader, &ignored, &high) || high < 0)) return false;
  if (high < low) return false;
  add_range(node, (unsigned)low, (unsigned)high);
  return true;
}

/* Behind the bracket. */
static struct node *read_class(struct pattern_reader *reader) {
  struct node *node = make(reader, NODE_BYTES);
  bool negative = take(reader, "^");
  bool first = true;
  if (!node) return NULL;
  node->is_class = true;
  for (; !at_end(reader) && (first || peek(reader) != ']'); first = false)
    if (!read_class_item(reader, node)) return NULL;
  if (!take(reader, "]")) return NULL;
  for (size_t i = 0; negative && i < 4; i++) node->bytes[i] = ~node->bytes[i];
  return node;
}

/* Behind the parenthesis. */
static struct node *read_group(struct pattern_reader *reader) {
  bool captures = !take(reader, "?:");
  if (captures && (peek(reader) == '?' || peek(reader) == '*')) return NULL;
  struct node *node = read_alternatives(reader);
  if (!node || !take(reader, ")")) return NULL;
  struct node *group = make(reader, NODE_SEQUENCE);
  if (!group) return NULL;
  group->first = node;
  group->is_group = captures;
  return group;
}

static struct node *read_byte(struct pattern_reader *reader, char c) {
  struct node *node = make(reader, NODE_BYTES);
  if (node) add_byte(node, (unsigned char)c);
  return node;
}

static struct node *read_atom(struct pattern_reader *reader) {
  char c = reader->source.p[reader->at++];
  struct node *node;
  int byte;
  switch (c) {
    case '^':
      return make(reader, NODE_BEGIN);
    case '$':
      return make(reader, NODE_END);
    case '.':
      node = make(reader, NODE_BYTES);
      if (node) add_range(node, 0, 255);
      if (node) node->is_class = true;
      return node;
    case '[':
      return read_class(reader);
    case '(':
      return read_group(reader);
    case '\\':
      node = make(reader, NODE_BYTES);
      if (!node || !read_escape(reader, node, &byte)) return NULL;
      node->is_class = byte < 0;
      return node;
    case '*':
    case '+':
    case '?':
    case '{':
      return NULL;
    default:
      return read_byte(reader, c);
  }
}

/* ---- repetitions ----------------------------------------------------------------------------- */

static bool read_number(struct pattern_reader *reader, unsigned *ret) {
  size_t from = reader->at;
  unsigned number = 0;
  while (ascii_is_digit(peek(reader)) && reader->at - from < 5)
    number = number * 10 + (unsigned)(reader->source.p[reader->at++] - '0');
  *ret = number;
  return reader->at > from;
}

/* Behind the brace. */
static bool read_bounds(struct pattern_reader *reader, unsigned *min, unsigned *max) {
  if (!read_number(reader, min)) return false;
  *max = *min;
  if (take(reader, ",")) {
    *max = REPEAT_NO_END;
    if (peek(reader) != '}' && !read_number(reader, max)) return false;
  }
  return take(reader, "}");
}

/* Whether there is a quantifier; *ret_ok: it is understood. */
static bool read_quantifier(struct pattern_reader *reader, unsigned *min, unsigned *max,
                            bool *ret_ok) {
  *ret_ok = true;
  *min = 0;
  *max = REPEAT_NO_END;
  if (take(reader, "*")) return true;
  if (take(reader, "?")) {
    *max = 1;
    return true;
  }
  if (take(reader, "+")) {
    *min = 1;
    return true;
  }
  if (!take(reader, "{")) return false;
  *ret_ok = read_bounds(reader, min, max);
  return true;
}

static struct node *read_repeated(struct pattern_reader *reader) {
  struct node *atom = read_atom(reader);
  unsigned min, max;
  bool ok;
  if (!atom || !read_quantifier(reader, &min, &max, &ok)) return atom;
  if (!ok || atom->kind == NODE_BEGIN || atom->kind == NODE_END) return NULL;
  struct node *repeat = make(reader, NODE_REPEAT);
  if (!repeat) return NULL;
  repeat->first = atom;
  repeat->min = min;
  repeat->max = max;
  if (!take(reader, "?")) (void)take(reader, "+");
  return strchr("*+?{", peek(reader)) && !at_end(reader) ? NULL : repeat;
}

static struct node *read_sequence(struct pattern_reader *reader) {
  struct node *sequence = make(reader, NODE_SEQUENCE);
  if (!sequence) return NULL;
  struct node **link = &sequence->first;
  while (!at_end(reader) && peek(reader) != '|' && peek(reader) != ')') {
    *link = read_repeated(reader);
    if (!*link) return NULL;
    link = &(*link)->next;
  }
  return sequence;
}

static struct node *read_alternatives(struct pattern_reader *reader) {
  if (reader->depth == PATTERN_DEPTH_MAX) return NULL;
  reader->depth++;
  struct node *alternatives = make(reader, NODE_ALTERNATIVES);
  struct node **link = alternatives ? &alternatives->first : NULL;
  do {
    if (!link || !(*link = read_sequence(reader))) return NULL;
    link = &(*link)->next;
  } while (take(reader, "|"));
  reader->depth--;
  return alternatives;
}

const struct pattern *pattern_read(struct arena *arena, struct str source, bool ignore_case) {
  struct pattern_reader reader = {.arena = arena, .source = source};
  struct pattern *pattern = ARENA_NEW(arena, struct pattern);
  if (!pattern || source.n > PATTERN_BYTES_MAX) return NULL;
  pattern->ignore_case = take(&reader, "(?i)") || ignore_case;
  pattern->root = read_alternatives(&reader);
  return pattern->root && at_end(&reader) ? pattern : NULL;
}

bool pattern_ignores_case(const struct pattern *pattern) {
  return pattern->ignore_case;
}

/* ---- what matches everything ----------------------------------------------------------------- */

/* Whether it matches wherever it is tried, if only nothing. */
static bool always_matches(const struct node *node) {
  switch (node->kind) {
    case NODE_BYTES:
    case NODE_BEGIN:
    case NODE_END:
      return false;
    case NODE_REPEAT:
      return node->min == 0 || always_matches(node->first);
    case NODE_SEQUENCE:
      for (const struct node *child = node->first; child; child = child->next)
        if (!always_matches(child)) return false;
      return true;
    case NODE_ALTERNATIVES:
      for (const struct node *child = node->first; child; child = child->next)
        if (always_matches(child)) return true;
      return false;
  }
  return false;
}

static bool is_any_byte(const struct node *node) {
  if (node->kind != NODE_BYTES) return false;
  for (size_t i = 0; i < 4; i++)
    if (node->bytes[i] != UINT64_MAX) return false;
  return true;
}

/* ".*", whatever it stands in. */
static bool is_anything(const struct node *node) {
  return node->kind == NODE_REPEAT && node->min == 0 && node->max == REPEAT_NO_END &&
         is_any_byte(node->first);
}

/* A sequence's middle: without "^" at its begin and "$" at its end. */
struct middle {
  const struct node *first; /* NULL: empty */
  size_t n;
  bool begins, ends;
};

static struct middle middle_of(const struct node *sequence) {
  struct middle middle = {.first = sequence->first};
  for (const struct node *child = sequence->first; child; child = child->next) {
    middle.n++;
    middle.ends = child->kind == NODE_END;
  }
  if (middle.first && middle.first->kind == NODE_BEGIN) {
    middle.begins = true;
    middle.first = middle.first->next;
    middle.n--;
  }
  if (middle.ends) middle.n--;
  return middle;
}

static bool sequence_matches_all(const struct node *sequence) {
  struct middle middle = middle_of(sequence);
  if (middle.begins && middle.ends) return middle.n == 1 && is_anything(middle.first);
  const struct node *node = middle.first;
  for (size_t i = 0; i < middle.n; i++, node = node->next)
    if (!always_matches(node)) return false;
  return true;
}

bool pattern_matches_all(const struct pattern *pattern) {
  for (const struct node *node = pattern->root->first; node; node = node->next)
    if (sequence_matches_all(node)) return true;
  return false;
}

/* ---- what is a text -------------------------------------------------------------------------- */

struct texts {
  struct arena *arena;
  struct str *items;
  size_t n;
};

/* One letter; -1: it is something else. */
static int letter_of(const struct node *node) {
  if (node->kind != NODE_BYTES || node->is_class) return -1;
  for (int byte = 0; byte < 256; byte++)
    if (has_byte(node, (unsigned char)byte)) return byte;
  return -1;
}

static bool add_letters(struct texts *texts, const struct node *node, size_t n) {
  char *letters = arena_alloc(texts->arena, n + 1);
  if (!letters || texts->n == TEXTS_MAX) return false;
  for (size_t i = 0; i < n; i++, node = node->next) {
    int letter = letter_of(node);
    if (letter < 0) return false;
    letters[i] = (char)letter;
  }
  texts->items[texts->n++] = str_make(letters, n);
  return true;
}

static size_t count(const struct node *node) {
  size_t n = 0;
  for (; node; node = node->next) n++;
  return n;
}

/* The alternatives of a group, each only letters. */
static bool add_group(struct texts *texts, const struct node *group) {
  if (group->kind != NODE_SEQUENCE || count(group->first) != 1 ||
      group->first->kind != NODE_ALTERNATIVES)
    return false;
  for (const struct node *node = group->first->first; node; node = node->next)
    if (!add_letters(texts, node->first, count(node->first))) return false;
  return true;
}

static enum pattern_form form_of(bool begins, bool ends) {
  if (begins) return ends ? PATTERN_EQUAL : PATTERN_STARTS_WITH;
  return ends ? PATTERN_ENDS_WITH : PATTERN_CONTAINS;
}

static enum pattern_form sequence_form(struct texts *texts, const struct node *sequence) {
  struct middle middle = middle_of(sequence);
  bool begins = middle.begins, ends = middle.ends;
  /* ".*" beside an anchor takes it away, and without one says nothing. */
  if (middle.n > 0 && is_anything(middle.first)) {
    begins = false;
    middle.first = middle.first->next;
    middle.n--;
  }
  const struct node *last = middle.first;
  for (size_t i = 1; i < middle.n; i++) last = last->next;
  if (middle.n > 0 && is_anything(last)) {
    ends = false;
    middle.n--;
  }
  if (middle.n == 0 && !(begins && ends)) return PATTERN_OTHER;
  bool ok = middle.n == 1 && middle.first->kind == NODE_SEQUENCE
                ? add_group(texts, middle.first)
                : add_letters(texts, middle.first, middle.n);
  return ok ? form_of(begins, ends) : PATTERN_OTHER;
}

enum pattern_form pattern_form(struct arena *arena, const struct pattern *pattern,
                               struct str **ret_texts, size_t *ret_n) {
  struct texts texts = {.arena = arena, .items = ARENA_ARRAY(arena, struct str, TEXTS_MAX)};
  enum pattern_form form = PATTERN_OTHER;
  if (!texts.items) return PATTERN_OTHER;
  for (const struct node *node = pattern->root->first; node; node = node->next) {
    enum pattern_form one = sequence_form(&texts, node);
    if (one == PATTERN_OTHER || (node != pattern->root->first && one != form)) return PATTERN_OTHER;
    form = one;
  }
  *ret_texts = texts.items;
  *ret_n = texts.n;
  return form;
}

/* ---- samples --------------------------------------------------------------------------------- */

static char sample_byte(const struct node *node) {
  static const char liked[] = "x0a1bcdefghijklmnopqrstuvwyz23456789XABC-_./ ";
  for (size_t i = 0; i < sizeof(liked) - 1; i++)
    if (has_byte(node, (unsigned char)liked[i])) return liked[i];
  for (unsigned byte = 0x21; byte < 256; byte++)
    if (has_byte(node, (unsigned char)byte)) return (char)byte;
  return ' ';
}

struct sampler {
  size_t variant;
  struct str group; /* absent once it was used */
  struct text *out;
};

enum { SAMPLE_REPEATS_MAX = 64 };

static void sample(struct sampler *sampler, const struct node *node) {
  if (node->is_group && sampler->group.p) {
    text_add(sampler->out, sampler->group);
    sampler->group = (struct str){0};
    return;
  }
  size_t n;
  const struct node *child = node->first;
  switch (node->kind) {
    case NODE_BYTES:
      text_add_char(sampler->out, sample_byte(node));
      break;
    case NODE_BEGIN:
    case NODE_END:
      break;
    case NODE_SEQUENCE:
      for (; child; child = child->next) sample(sampler, child);
      break;
    case NODE_ALTERNATIVES:
      for (n = sampler->variant % count(child); n > 0; n--) child = child->next;
      sample(sampler, child);
      break;
    case NODE_REPEAT:
      n = node->min + (sampler->variant > 0 && node->min < node->max);
      if (n > SAMPLE_REPEATS_MAX) n = SAMPLE_REPEATS_MAX;
      while (n-- > 0) sample(sampler, child);
      break;
  }
}

void pattern_sample(const struct pattern *pattern, size_t variant, struct str group,
                    struct text *out) {
  struct sampler sampler = {variant, group, out};
  sample(&sampler, pattern->root);
}

/* ---- what backtracks ------------------------------------------------------------------------- */

static bool find_repeat(const struct node *node, size_t *k, struct text *out) {
  if (node->kind == NODE_REPEAT && node->max == REPEAT_NO_END && (*k)-- == 0) {
    struct sampler sampler = {.out = out};
    sample(&sampler, node->first);
    return true;
  }
  for (const struct node *child = node->first; child; child = child->next)
    if (find_repeat(child, k, out)) return true;
  return false;
}

bool pattern_repeats(const struct pattern *pattern, size_t k, struct text *out) {
  return find_repeat(pattern->root, &k, out);
}
