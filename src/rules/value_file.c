/*
 * in_file: a file of values, one a line, read with the rules.
 *
 * A file is read once for each type that it is used as in a rule file. Its bytes live as long as
 * the arena, since strings and versions are views of them. Messages never quote the file: whoever
 * may write a rule file need not be allowed to read what lies beside it.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>

#include "adit/arena.h"
#include "adit/hash.h"
#include "adit/json.h"
#include "literal.h"

enum { MISTAKES_MAX = 20 };

struct value_file {
  struct value_file *next;
  struct str path;
  uint64_t digest;
  struct leaf leaf; /* type, test, accepts, with and n are meant */
};

static struct str path_of(const struct condition_compiler *compiler, struct str name) {
  const char *directory = compiler->directory ? compiler->directory : ".";
  if (str_starts_with(name, STR("/")) || str_eq(str_from_cstr(directory), STR("."))) {
    return arena_dup(compiler->arena, name);
  }
  return arena_printf(compiler->arena, "%s/%.*s", directory, STR_ARG(name));
}

/* The next line that says something; *line counts all of them. */
static bool next_value(struct str *rest, unsigned *line, struct str *ret) {
  struct str text;
  while (str_split_next(rest, '\n', &text)) {
    ++*line;
    if (str_ends_with(text, STR("\r"))) text.n--;
    text = str_trim(text);
    if (text.n > 0 && text.p[0] != '#') {
      *ret = text;
      return true;
    }
  }
  return false;
}

static size_t count_values(struct str content) {
  size_t n = 0;
  unsigned line = 0;
  struct str value;
  while (next_value(&content, &line, &value)) n++;
  return n;
}

static bool parse_values(const struct literal_context *context, enum attr_type type,
                         const char *path, struct str content, struct attr_datum *data) {
  size_t n = 0, mistakes = 0;
  unsigned line = 0;
  struct str value;
  while (mistakes < MISTAKES_MAX && next_value(&content, &line, &value)) {
    if (attr_datum_parse(type, value, &data[n++])) continue;
    struct diag_place at = {.file = path, .line = line, .column = 1};
    diags_add(context->compiler->diags, DIAG_ERROR, at, "one value a line, comments begin with '#'",
              "%s: the line does not fit %s attribute '%.*s'", context->what, attr_type_name(type),
              STR_ARG(context->attribute));
    mistakes++;
  }
  return mistakes == 0;
}

static bool set_strings(struct arena *arena, struct str content, size_t n, struct leaf *leaf) {
  struct str_set *strings = str_set_new(arena, n);
  if (!strings) return false;
  unsigned line = 0;
  struct str value;
  leaf->n = 0;
  while (next_value(&content, &line, &value)) leaf->n += str_set_add(strings, value, n) ? 1 : 0;
  leaf->test = TEST_STRING_IN;
  leaf->with.strings = strings;
  return true;
}

/* Fills the leaf from n values. False: errors were added. */
static bool compile_values(const struct literal_context *context, const struct cJSON *node,
                           const char *path, struct str content, size_t n, struct leaf *leaf) {
  struct arena *arena = context->compiler->arena;
  if (n > 0 && attr_type_is_text(leaf->type)) {
    return set_strings(arena, content, n, leaf) ? true : literal_no_memory(context, node);
  }
  struct attr_datum *data = ARENA_ARRAY(arena, struct attr_datum, n);
  if (!data) return literal_no_memory(context, node);
  if (!parse_values(context, leaf->type, path, content, data)) return false;
  return literal_set_values(arena, leaf, data, n) ? true : literal_no_memory(context, node);
}

static bool compile_content(const struct literal_context *context, const struct cJSON *node,
                            const char *path, struct str content, struct leaf *leaf) {
  struct condition_compiler *compiler = context->compiler;
  struct diag_place at = json_place(compiler->doc, node);
  content = str_skip(content, str_starts_with(content, STR("\xEF\xBB\xBF")) ? 3 : 0);
  size_t n = count_values(content);
  if (n > VALUE_FILE_VALUES_MAX) {
    diags_add(compiler->diags, DIAG_ERROR, at, "divide it into several files",
              "%s: '%s' has more than %d values", context->what, path, VALUE_FILE_VALUES_MAX);
    return false;
  }
  if (memchr(content.p, '\0', content.n)) {
    diags_add(compiler->diags, DIAG_ERROR, at, "it takes a text with one value a line",
              "%s: '%s' is not a text: it holds a byte 0x00", context->what, path);
    return false;
  }
  if (n == 0) {
    diags_add(compiler->diags, DIAG_WARNING, at, NULL,
              "%s: '%s' has no values, so the condition never holds", context->what, path);
  }
  return compile_values(context, node, path, content, n, leaf);
}

static bool read_values(const struct literal_context *context, const struct cJSON *node,
                        const char *path, uint64_t *ret_digest, struct leaf *leaf) {
  struct condition_compiler *compiler = context->compiler;
  char *bytes;
  size_t n;
  if (!file_read(path, VALUE_FILE_BYTES_MAX, json_place(compiler->doc, node), compiler->diags,
                 &bytes, &n)) {
    return false;
  }
  if (!arena_defer(compiler->arena, free, bytes)) {
    return literal_no_memory(context, node);
  }
  *ret_digest = digest_of(str_make(bytes, n));
  return compile_content(context, node, path, str_make(bytes, n), leaf);
}

static const struct value_file *find_file(const struct condition_compiler *compiler,
                                          struct str path, enum attr_type type) {
  for (const struct value_file *file = compiler->value_files; file; file = file->next) {
    if (file->leaf.type == type && str_eq(file->path, path)) return file;
  }
  return NULL;
}

static void use_file(const struct value_file *file, struct leaf *leaf) {
  leaf->test = file->leaf.test;
  leaf->accepts = file->leaf.accepts;
  leaf->with = file->leaf.with;
  leaf->n = file->leaf.n;
}

bool value_file_compile(const struct literal_context *context, const struct cJSON *node,
                        struct leaf *leaf) {
  struct condition_compiler *compiler = context->compiler;
  if (!cJSON_IsString(node) || json_str(node).n == 0) {
    json_error(compiler->doc, node, compiler->diags, "relative to the file that names it",
               "%s: operator 'in_file' takes the name of a file", context->what);
    return false;
  }
  struct str path = path_of(compiler, json_str(node));
  if (!path.p) return literal_no_memory(context, node);
  const struct value_file *known = find_file(compiler, path, leaf->type);
  if (known) {
    use_file(known, leaf);
    return true;
  }
  uint64_t digest = 0;
  if (!read_values(context, node, path.p, &digest, leaf)) return false;
  struct value_file *file = ARENA_NEW(compiler->arena, struct value_file);
  if (!file) return literal_no_memory(context, node);
  file->path = path;
  file->digest = digest;
  file->leaf = *leaf;
  file->next = compiler->value_files;
  compiler->value_files = file;
  return true;
}

size_t value_files_read(const struct condition_compiler *compiler, struct route_file *ret) {
  size_t n = 0;
  for (const struct value_file *file = compiler->value_files; file; file = file->next) {
    bool again = false; /* as values of another type */
    for (const struct value_file *before = compiler->value_files; before != file && !again;
         before = before->next)
      again = str_eq(before->path, file->path);
    if (again) continue;
    if (ret) ret[n] = (struct route_file){file->path, file->digest};
    n++;
  }
  return n;
}
