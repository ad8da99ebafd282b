/*
 * input: which texts a request has under a source's name. Private to src/attrs.
 *
 * Headers are searched as they came. Cookies and the query are parsed once into arrays when the
 * first source asks for them.
 */
#ifndef ADIT_ATTRS_INPUT_H
#define ADIT_ATTRS_INPUT_H

#include "catalog.h"

struct input_pair {
  struct str name;
  struct str value;
};

struct input_pairs {
  bool parsed;
  bool failed; /* no memory for them */
  size_t n;
  struct input_pair *items;
};

struct attr_input {
  const struct attr_request *request;
  struct arena *arena; /* the reader's, reset with each request */
  struct input_pairs cookies;
  struct input_pairs query;
};

void input_begin(struct attr_input *input, const struct attr_request *request, struct arena *arena);
/* To be called before input_next for sources of a kind. False: memory. */
bool input_prepare(struct attr_input *input, enum attr_source_kind kind)
    __attribute__((warn_unused_result));
/* The next text under a name; *cursor begins at 0. False: there are no more. */
bool input_next(const struct attr_input *input, enum attr_source_kind kind, struct str name,
                size_t *cursor, struct str *ret);

#endif
