/*
 * Pairs of a name and a value: cookies and query parameters.
 */
#include "adit/http.h"
#include "chars.h"

/* Divides at the first '='; false: there is none. */
static bool divide(struct str pair, struct str *name, struct str *value) {
  const size_t equals = str_find_char(pair, '=', 0);
  *name = str_take(pair, equals);
  *value = str_skip(pair, equals + 1);
  return equals < pair.n;
}

bool http_cookie_next(struct str *rest, struct str *name, struct str *value) {
  struct str pair;
  while (rest->p != NULL && str_split_next(rest, ';', &pair)) {
    if (divide(str_trim(pair), name, value)) return true;
  }
  return false;
}

bool http_query_next(struct str *rest, struct str *name, struct str *value) {
  struct str pair;
  while (rest->p != NULL && str_split_next(rest, '&', &pair)) {
    if (pair.n == 0) continue;
    divide(pair, name, value);
    return true;
  }
  return false;
}

struct str http_query_decode(struct str s, char *scratch) {
  size_t i = 0;
  while (i < s.n && s.p[i] != '%' && s.p[i] != '+') i++;
  if (i == s.n) return s;
  memcpy(scratch, s.p, i);
  size_t n = i;
  while (i < s.n) {
    const int octet = s.p[i] == '%' ? http_percent_octet(s, i) : -1;
    if (octet >= 0) {
      scratch[n++] = (char)octet;
      i += 3;
    } else {
      scratch[n++] = s.p[i] == '+' ? ' ' : s.p[i];
      i++;
    }
  }
  return str_make(scratch, n);
}
