/* The field traceparent of W3C Trace Context: which are good, and those that are made. */
#include "gateway/trace_context.h"
#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"
#define ZEROS  "00000000000000000000000000000000"

static const char *const good[] = {
    "00-" TRACE "-" PARENT "-00",  "00-" TRACE "-" PARENT "-01",
    "00-" TRACE "-" PARENT "-ff", /* flags that nobody knows yet */
    "01-" TRACE "-" PARENT "-03",  "cc-" TRACE "-" PARENT "-01-what-the-future-will-be-like",
    "fe-" TRACE "-" PARENT "-01-",
};

static const char *const bad[] = {
    "",
    "00",
    "00-" TRACE "-" PARENT,
    "00-" TRACE "-" PARENT "-0",
    "00-" TRACE "-" PARENT "-01-",
    "00-" TRACE "-" PARENT "-01-more",
    "00-" TRACE "-" PARENT "-010",
    "01-" TRACE "-" PARENT "-01.more",
    "ff-" TRACE "-" PARENT "-01",
    "0g-" TRACE "-" PARENT "-01",
    "0F-" TRACE "-" PARENT "-01",
    "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
    "00-0af7651916cd43dd8448eb211c80319\xff-" PARENT "-01",
    "00-" TRACE "-B7AD6B7169203331-01",
    "00-" TRACE "-" PARENT "-0x",
    "00-" ZEROS "-" PARENT "-01",
    "00-" TRACE "-0000000000000000-01",
    "00_" TRACE "-" PARENT "-01",
    "00-" TRACE "_" PARENT "-01",
    "00-" TRACE "-" PARENT "_01",
    "00-" TRACE "-" PARENT "-01, 00-" TRACE "-" PARENT "-01",
};

START_TEST(values)
{
  struct str id;
  for (size_t i = 0; i < COUNT(good); i++) {
    ck_assert_msg(trace_context_parse(str_from_cstr(good[i]), &id), "%s", good[i]);
    ck_assert_view_eq(id, TRACE);
  }
  for (size_t i = 0; i < COUNT(bad); i++) {
    char *copy = strdup(bad[i]); /* a read behind its end is seen */
    ck_assert_msg(!trace_context_parse(str_make(copy, strlen(copy)), &id), "%s", bad[i]);
    free(copy);
  }
}
END_TEST

START_TEST(fields)
{
  const struct http_field one = {STR("TraceParent"), str_from_cstr(good[0]),
                                 HTTP_FIELD_TRACEPARENT};
  const struct http_field state = {STR("tracestate"), STR("a=1"), HTTP_FIELD_TRACESTATE};
  struct http_field broken = one;
  broken.value = STR("1");
  ck_assert_view_eq(trace_context_find((struct http_field[]){state, one, state}, 3), TRACE);
  ck_assert_ptr_null(trace_context_find(&state, 1).p);
  ck_assert_ptr_null(trace_context_find(&broken, 1).p);
  ck_assert_ptr_null(trace_context_find((struct http_field[]){one, one}, 2).p);
  ck_assert_ptr_null(trace_context_find((struct http_field[]){broken, one}, 2).p);
  ck_assert_ptr_null(trace_context_find(NULL, 0).p);
}
END_TEST

START_TEST(made)
{
  char value[TRACEPARENT_CHARS];
  struct str id;
  trace_context_begin((uint64_t[]){0x0123456789abcdef, 0xf, UINT64_MAX}, false, value);
  ck_assert_view_eq(str_make(value, sizeof(value)),
                    "00-0123456789abcdef000000000000000f-ffffffffffffffff-00");
  ck_assert_view_eq(trace_context_id(value), "0123456789abcdef000000000000000f");
  trace_context_begin((uint64_t[]){0, 0, 0}, true, value); /* good all the same */
  ck_assert(trace_context_parse(str_make(value, sizeof(value)), &id));
  ck_assert(str_ends_with(str_make(value, sizeof(value)), STR("-01")));
}
END_TEST

UNIT_MAIN("trace_context", values, fields, made)
