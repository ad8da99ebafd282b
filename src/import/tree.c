/*
 * tree: libyaml's events as a tree.
 *
 * libyaml parses; a builder holds a stack of the collections that are open and hangs each node into
 * the innermost. libyaml cannot go on after a mistake, so a new parser is set on the next line that
 * begins with `---`: one run shows the mistakes of all documents.
 *
 * libyaml counts columns in characters and knows more line breaks than an editor does; the source
 * keeps where its lines begin, and columns are counted again in bytes.
 */
#include "tree.h"

#include <stdlib.h>
#include <yaml.h>

/* Where a line's column, in characters, is in bytes. */
struct cursor {
  size_t line, column, offset;
};

struct yaml_source {
  const char *name;
  struct str text;
  size_t *lines; /* where each begins */
  size_t line_count;
  struct cursor cursor; /* of the last place that was asked for */
};

struct anchor {
  struct str name;
  struct yaml_node *node;
};

struct open_node {
  struct yaml_node *node;
  VEC(struct yaml_node *) items;
};

struct builder {
  struct arena *arena;
  struct diags *diags;
  struct yaml_source *source;
  struct yaml_documents *documents;
  unsigned first_line; /* of the text that the current parser reads */
  size_t nodes;        /* that were made, and of all documents with aliases written out */
  size_t written_out;
  struct open_node stack[YAML_DEPTH_MAX];
  size_t depth;
  VEC(struct anchor) anchors; /* of the current document */
};

/* ---- places ---------------------------------------------------------------------------------- */

/* Bytes of the line break at `i`, 0 if there is none: as libyaml counts them. */
static size_t break_at(struct str text, size_t i) {
  struct str rest = str_skip(text, i);
  if (str_starts_with(rest, STR("\r\n"))) return 2;
  if (str_starts_with(rest, STR("\n")) || str_starts_with(rest, STR("\r"))) return 1;
  if (str_starts_with(rest, STR("\xC2\x85"))) return 2;
  if (str_starts_with(rest, STR("\xE2\x80\xA8")) || str_starts_with(rest, STR("\xE2\x80\xA9"))) {
    return 3;
  }
  return 0;
}

static size_t count_lines(struct str text, size_t *starts) {
  size_t lines = 1;
  if (starts) starts[0] = 0;
  for (size_t i = 0; i < text.n;) {
    size_t n = break_at(text, i);
    i += n ? n : 1;
    if (n == 0) continue;
    if (starts) starts[lines] = i;
    lines++;
  }
  return lines;
}

static struct yaml_source *source_new(struct arena *arena, struct str text, const char *name) {
  struct yaml_source *source = ARENA_NEW(arena, struct yaml_source);
  if (!source) return NULL;
  *source = (struct yaml_source){.name = name, .text = text};
  source->line_count = count_lines(text, NULL);
  source->lines = ARENA_ARRAY(arena, size_t, source->line_count);
  if (!source->lines) return NULL;
  (void)count_lines(text, source->lines);
  return source;
}

/*
 * Marks nearly always come in order: counting goes on from the last one of the line, so that a file
 * of one long line costs no more than one of many.
 */
static struct diag_place place_at(struct yaml_source *source, size_t line, size_t column) {
  struct cursor *cursor = &source->cursor;
  if (line >= source->line_count) line = source->line_count - 1;
  if (line != cursor->line || column < cursor->column) {
    *cursor = (struct cursor){.line = line, .offset = source->lines[line]};
  }
  for (; cursor->column < column && cursor->offset < source->text.n; cursor->column++) {
    bool valid;
    cursor->offset += str_utf8_next(source->text, cursor->offset, &valid);
  }
  size_t bytes = cursor->offset - source->lines[line];
  return (struct diag_place){source->name, (unsigned)line + 1, (unsigned)bytes + 1};
}

static struct diag_place place_of_offset(const struct yaml_source *source, size_t offset) {
  size_t low = 0, high = source->line_count;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (source->lines[middle] <= offset)
      low = middle;
    else
      high = middle;
  }
  return (struct diag_place){source->name, (unsigned)low + 1,
                             (unsigned)(offset - source->lines[low]) + 1};
}

/* ---- mistakes -------------------------------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static bool fail(struct builder *builder,
                                                       struct diag_place at, const char *hint,
                                                       const char *format, ...) {
  char message[512];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof(message), format, args);
  va_end(args);
  diags_add(builder->diags, DIAG_ERROR, at, hint, "%s", message);
  return false;
}

static struct diag_place place_of_mark(const struct builder *builder, const yaml_mark_t *mark) {
  return place_at(builder->source, builder->first_line + mark->line, mark->column);
}

static bool fail_size(struct builder *builder, struct diag_place at) {
  return fail(builder, at, "divide the file", "more than %d values in one file%s", YAML_NODES_MAX,
              builder->anchors.n > 0 ? ", aliases written out" : "");
}

static bool fail_depth(struct builder *builder, struct diag_place at) {
  return fail(builder, at, NULL, "nested more than %d levels deep", YAML_DEPTH_MAX);
}

/* What libyaml found wrong. `begin`: where the parser's text begins in the source. */
static bool fail_syntax(struct builder *builder, const yaml_parser_t *parser, size_t begin) {
  const struct yaml_source *source = builder->source;
  if (parser->error == YAML_READER_ERROR) {
    struct diag_place at = place_of_offset(source, begin + parser->problem_offset);
    return fail(builder, at, "write the file in UTF-8", "not YAML: %s", parser->problem);
  }
  struct diag_place at = place_of_mark(builder, &parser->problem_mark);
  size_t offset = source->lines[at.line - 1] + at.column - 1;
  bool tab = offset < source->text.n && source->text.p[offset] == '\t';
  const char *hint = tab ? "indent with blanks: YAML does not allow tabs there" : NULL;
  return fail(builder, at, hint, "not YAML: %s%s%s", parser->context ? parser->context : "",
              parser->context ? ", " : "", parser->problem ? parser->problem : "unknown error");
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static struct yaml_node *node_new(struct builder *builder, enum yaml_kind kind,
                                  const yaml_mark_t *mark) {
  if (++builder->nodes > YAML_NODES_MAX) {
    fail_size(builder, place_of_mark(builder, mark));
    return NULL;
  }
  struct yaml_node *node = ARENA_NEW(builder->arena, struct yaml_node);
  if (!node) return NULL;
  *node = (struct yaml_node){.kind = kind, .at = place_of_mark(builder, mark), .weight = 1};
  return node;
}

/* Hangs a node into the collection that is open, or makes it a document. */
static bool attach(struct builder *builder, struct yaml_node *node) {
  if (builder->depth > 0) {
    struct open_node *top = &builder->stack[builder->depth - 1];
    return VEC_PUSH(builder->arena, &top->items, node);
  }
  builder->written_out += node->weight;
  if (builder->written_out > YAML_NODES_MAX) return fail_size(builder, node->at);
  return yaml_is_null(node) || VEC_PUSH(builder->arena, builder->documents, node);
}

static bool add_anchor(struct builder *builder, const yaml_char_t *name, struct yaml_node *node) {
  if (!name) return true;
  if (builder->anchors.n == YAML_ANCHORS_MAX) {
    return fail(builder, node->at, NULL, "more than %d anchors in one document", YAML_ANCHORS_MAX);
  }
  struct anchor anchor = {.node = node};
  anchor.name = arena_dup(builder->arena, str_from_cstr((const char *)name));
  return anchor.name.p && VEC_PUSH(builder->arena, &builder->anchors, anchor);
}

static bool check_tag(struct builder *builder, const yaml_char_t *tag, const yaml_mark_t *mark) {
  static const char *const known[] = {"str", "int", "bool", "float", "null", "map", "seq"};
  if (!tag || strcmp((const char *)tag, "!") == 0) return true;
  struct str rest = str_from_cstr((const char *)tag);
  if (str_starts_with(rest, STR("tag:yaml.org,2002:"))) {
    rest = str_skip(rest, sizeof("tag:yaml.org,2002:") - 1);
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
      if (str_eq(rest, str_from_cstr(known[i]))) return true;
    }
  }
  return fail(builder, place_of_mark(builder, mark), "leave it out",
              "the tag '%s' means nothing here", (const char *)tag);
}

static bool add_text(struct builder *builder, const yaml_event_t *event) {
  const yaml_mark_t *mark = &event->start_mark;
  struct str value = {(const char *)event->data.scalar.value, event->data.scalar.length};
  if (!check_tag(builder, event->data.scalar.tag, mark)) return false;
  if (memchr(value.p, 0, value.n)) {
    return fail(builder, place_of_mark(builder, mark), NULL, "a NUL character in a text");
  }
  struct yaml_node *node = node_new(builder, YAML_TEXT, mark);
  if (!node) return false;
  node->text = arena_dup(builder->arena, value);
  node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag;
  return node->text.p && add_anchor(builder, event->data.scalar.anchor, node) &&
         attach(builder, node);
}

static bool add_alias(struct builder *builder, const yaml_event_t *event) {
  struct str name = str_from_cstr((const char *)event->data.alias.anchor);
  struct diag_place at = place_of_mark(builder, &event->start_mark);
  for (size_t i = builder->anchors.n; i > 0; i--) {
    struct anchor *anchor = &builder->anchors.items[i - 1];
    if (!str_eq(anchor->name, name)) continue;
    if (anchor->node->open) {
      return fail(builder, at, NULL, "the alias '*%.*s' stands for what it is a part of",
                  STR_ARG(name));
    }
    return attach(builder, anchor->node);
  }
  return fail(builder, at, NULL, "no anchor '&%.*s' stands before this alias", STR_ARG(name));
}

/* ---- collections ----------------------------------------------------------------------------- */

static bool open_collection(struct builder *builder, enum yaml_kind kind, const yaml_char_t *tag,
                            const yaml_char_t *anchor, const yaml_mark_t *mark) {
  if (!check_tag(builder, tag, mark)) return false;
  if (builder->depth == YAML_DEPTH_MAX) return fail_depth(builder, place_of_mark(builder, mark));
  struct yaml_node *node = node_new(builder, kind, mark);
  if (!node || !add_anchor(builder, anchor, node)) return false;
  node->open = true;
  builder->stack[builder->depth++] = (struct open_node){.node = node};
  return true;
}

static int compare_keys(const void *a, const void *b) {
  const struct yaml_node *first = *(struct yaml_node *const *)a;
  const struct yaml_node *second = *(struct yaml_node *const *)b;
  int order = str_cmp(first->text, second->text);
  if (order != 0) return order;
  if (first->at.line != second->at.line) return first->at.line < second->at.line ? -1 : 1;
  return first->at.column < second->at.column ? -1 : first->at.column > second->at.column;
}

static bool check_key(struct builder *builder, const struct yaml_node *key) {
  if (key->kind != YAML_TEXT) {
    return fail(builder, key->at, NULL, "a key must be a text, not %s", yaml_kind_name(key));
  }
  if (key->plain && str_eq(key->text, STR("<<"))) {
    return fail(builder, key->at, "write the members out", "merge keys are not supported");
  }
  return true;
}

/* Sorted beside each other, so that a large map costs little. */
static bool check_duplicates(struct builder *builder, const struct yaml_node *map) {
  size_t n = map->n / 2;
  if (n < 2) return true;
  struct yaml_node **keys = malloc(n * sizeof(*keys));
  if (!keys) return fail(builder, map->at, NULL, "out of memory");
  for (size_t i = 0; i < n; i++) keys[i] = map->items[2 * i];
  qsort(keys, n, sizeof(*keys), compare_keys);
  bool ok = true;
  for (size_t i = 1; i < n; i++) {
    if (!str_eq(keys[i - 1]->text, keys[i]->text)) continue;
    ok = fail(builder, keys[i]->at, NULL, "duplicate key '%.*s', as in line %u",
              STR_ARG(keys[i]->text), keys[i - 1]->at.line);
  }
  free(keys);
  return ok;
}

static bool close_collection(struct builder *builder) {
  struct open_node *top = &builder->stack[--builder->depth];
  struct yaml_node *node = top->node;
  node->open = false;
  node->items = top->items.items;
  node->n = top->items.n;
  uint64_t weight = 1;
  node->depth = 1;
  for (size_t i = 0; i < node->n; i++) {
    weight += node->items[i]->weight;
    if (node->items[i]->depth >= node->depth) node->depth = node->items[i]->depth + 1;
  }
  if (weight > YAML_NODES_MAX) return fail_size(builder, node->at);
  if (node->depth > YAML_DEPTH_MAX) return fail_depth(builder, node->at);
  node->weight = (uint32_t)weight;
  if (node->kind == YAML_MAP) {
    for (size_t i = 0; i < node->n; i += 2) {
      if (!check_key(builder, node->items[i])) return false;
    }
    if (!check_duplicates(builder, node)) return false;
  }
  return attach(builder, node);
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool take_event(struct builder *builder, const yaml_event_t *event) {
  switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
      builder->anchors.n = 0;
      return true;
    case YAML_SCALAR_EVENT:
      return add_text(builder, event);
    case YAML_ALIAS_EVENT:
      return add_alias(builder, event);
    case YAML_SEQUENCE_START_EVENT:
      return open_collection(builder, YAML_LIST, event->data.sequence_start.tag,
                             event->data.sequence_start.anchor, &event->start_mark);
    case YAML_MAPPING_START_EVENT:
      return open_collection(builder, YAML_MAP, event->data.mapping_start.tag,
                             event->data.mapping_start.anchor, &event->start_mark);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
      return close_collection(builder);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
      return true;
  }
  return true;
}

/* The line where the parser found a mistake. */
static size_t line_of_mistake(const struct builder *builder, const yaml_parser_t *parser,
                              size_t begin) {
  if (parser->error != YAML_READER_ERROR) return builder->first_line + parser->problem_mark.line;
  return place_of_offset(builder->source, begin + parser->problem_offset).line - 1;
}

/* Everything from the source's line on. False: *ret_line is where the mistake is. */
static bool read_from(struct builder *builder, size_t line, size_t *ret_line) {
  yaml_parser_t parser;
  yaml_event_t event;
  size_t begin = builder->source->lines[line];
  struct str text = str_skip(builder->source->text, begin);
  builder->first_line = (unsigned)line;
  builder->depth = 0;
  if (!yaml_parser_initialize(&parser)) return false;
  yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
  bool ok = true, ended = false;
  while (ok && !ended) {
    if (!yaml_parser_parse(&parser, &event)) {
      ok = parser.error == YAML_MEMORY_ERROR ? false : fail_syntax(builder, &parser, begin);
      *ret_line = line_of_mistake(builder, &parser, begin);
      break;
    }
    ended = event.type == YAML_STREAM_END_EVENT;
    ok = take_event(builder, &event);
    *ret_line = builder->first_line + event.end_mark.line;
    yaml_event_delete(&event);
  }
  yaml_parser_delete(&parser);
  return ok;
}

/* The first line at or behind `line` that begins a document; the number of lines if none does. */
static size_t find_document(const struct yaml_source *source, size_t line) {
  for (; line < source->line_count; line++) {
    struct str rest = str_skip(source->text, source->lines[line]);
    if (!str_starts_with(rest, STR("---"))) continue;
    if (rest.n == 3 || memchr(" \t\r\n", rest.p[3], 4)) break;
  }
  return line;
}

bool yaml_read(struct arena *arena, struct str text, const char *name, struct diags *diags,
               struct yaml_documents *documents) {
  struct builder builder = {.arena = arena, .diags = diags, .documents = documents};
  builder.source = source_new(arena, text, name);
  if (!builder.source) return false;
  bool ok = true;
  for (size_t line = 0; line < builder.source->line_count;) {
    size_t failed_at = line;
    if (read_from(&builder, line, &failed_at)) break;
    ok = false;
    if (arena_failed(arena) || builder.nodes > YAML_NODES_MAX ||
        builder.written_out > YAML_NODES_MAX) {
      break;
    }
    line = find_document(builder.source, failed_at > line ? failed_at : line + 1);
  }
  return ok;
}

/* ---- asking ---------------------------------------------------------------------------------- */

bool yaml_is_null(const struct yaml_node *node) {
  static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
  if (node->kind != YAML_TEXT || !node->plain) return false;
  for (size_t i = 0; i < sizeof(nulls) / sizeof(*nulls); i++) {
    if (str_eq(node->text, str_from_cstr(nulls[i]))) return true;
  }
  return false;
}

const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key) {
  for (size_t i = 0; i < map->n; i += 2) {
    if (!str_eq(map->items[i]->text, str_from_cstr(key))) continue;
    return yaml_is_null(map->items[i + 1]) ? NULL : map->items[i + 1];
  }
  return NULL;
}

const char *yaml_kind_name(const struct yaml_node *node) {
  switch (node->kind) {
    case YAML_TEXT:
      return yaml_is_null(node) ? "null" : "a text";
    case YAML_LIST:
      return "a list";
    case YAML_MAP:
      return "a mapping";
  }
  return "";
}
