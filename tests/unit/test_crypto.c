/* crypto: published vectors, and everything base64url must refuse. */
#include "adit/crypto.h"

#include <stdio.h>

#include "unit.h"

static struct str hex(const uint8_t *bytes, size_t n, char *buffer) {
  for (size_t i = 0; i < n; i++) snprintf(buffer + 2 * i, 3, "%02x", bytes[i]);
  return str_make(buffer, 2 * n);
}

/* RFC 4231, test cases 1-4, 6 and 7 (5 is a truncated tag). */
START_TEST(tags_as_rfc_4231)
{
  static char aa[131], dd[50], cd[50];
  memset(aa, 0xAA, sizeof(aa));
  memset(dd, 0xDD, sizeof(dd));
  memset(cd, 0xCD, sizeof(cd));
  const struct {
    struct str key, data;
    const char *tag;
  } cases[] = {
      {STR("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
       STR("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {STR("Jefe"), STR("what do ya want for nothing?"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {str_make(aa, 20), str_make(dd, 50),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {STR("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15"
           "\x16\x17\x18\x19"),
       str_make(cd, 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {str_make(aa, 131), STR("Test Using Larger Than Block-Size Key - Hash Key First"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {str_make(aa, 131),
       STR("This is a test using a larger than block-size key and a larger than block-size data. "
           "The key needs to be hashed before being used by the HMAC algorithm."),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct hmac *hmac = hmac_new(cases[i].key);
    ck_assert_ptr_nonnull(hmac);
    /* Twice with one context, whole and in parts: a reused context starts afresh. */
    for (size_t cut = 0; cut <= cases[i].data.n; cut += cases[i].data.n) {
      uint8_t tag[HMAC_TAG_BYTES];
      char text[2 * HMAC_TAG_BYTES + 1];
      struct str parts[] = {
          str_take(cases[i].data, cut / 2), {NULL, 0}, str_skip(cases[i].data, cut / 2)};
      ck_assert(hmac_tag(hmac, parts, 3, tag));
      ck_assert_msg(str_eq(hex(tag, sizeof(tag), text), str_from_cstr(cases[i].tag)),
                    "case %zu, cut at %zu: %s", i, cut / 2, text);
    }
    hmac_free(&hmac);
    ck_assert_ptr_null(hmac);
  }
}
END_TEST

START_TEST(takes_an_empty_key_and_no_parts)
{
  struct hmac *hmac = hmac_new(STR(""));
  ck_assert_ptr_nonnull(hmac);
  for (int i = 0; i < 2; i++) {
    uint8_t tag[HMAC_TAG_BYTES];
    char text[2 * HMAC_TAG_BYTES + 1];
    ck_assert(hmac_tag(hmac, NULL, 0, tag));
    ck_assert_view_eq(hex(tag, sizeof(tag), text),
                      "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  }
  hmac_free(&hmac);
}
END_TEST

START_TEST(hashes)
{
  static const struct {
    struct str data;
    const char *digest;
  } cases[] = {
      {STR_INIT(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {STR_INIT("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {STR_INIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    uint8_t digest[32];
    char text[65];
    ck_assert(crypto_sha256(cases[i].data, digest));
    ck_assert_msg(str_eq(hex(digest, 32, text), str_from_cstr(cases[i].digest)), "case %zu: %s", i,
                  text);
  }
}
END_TEST

START_TEST(compares)
{
  ck_assert(crypto_equal(STR("secret"), STR("secret")));
  ck_assert(crypto_equal(STR(""), (struct str){NULL, 0}));
  ck_assert(!crypto_equal(STR("secret"), STR("secreT")));
  ck_assert(!crypto_equal(STR("secret"), STR("Secret")));
  ck_assert(!crypto_equal(STR("secret"), STR("secre")));
  ck_assert(!crypto_equal(STR(""), STR("x")));
  ck_assert(!crypto_equal(STR("a\0b"), STR("a\0c")));
}
END_TEST

START_TEST(draws)
{
  uint8_t first[32] = {0};
  uint8_t second[32] = {0};
  uint8_t none[32] = {0};
  ck_assert(crypto_random(first, sizeof(first)));
  ck_assert(crypto_random(second, sizeof(second)));
  ck_assert_mem_ne(first, none, 32);
  ck_assert_mem_ne(first, second, 32);
  ck_assert(crypto_random(first, 0));
}
END_TEST

START_TEST(encodes_base64url)
{
  static const struct {
    struct str data;
    const char *text;
  } cases[] = {
      {STR_INIT(""), ""},
      {STR_INIT("f"), "Zg"},
      {STR_INIT("fo"), "Zm8"},
      {STR_INIT("foo"), "Zm9v"},
      {STR_INIT("foob"), "Zm9vYg"},
      {STR_INIT("fooba"), "Zm9vYmE"},
      {STR_INIT("foobar"), "Zm9vYmFy"},
      {STR_INIT("\xfb\xff\xbf"), "-_-_"},
      {STR_INIT("\0\0\0\0"), "AAAAAA"},
      {STR_INIT("\xff\xff"), "__8"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char text[16];
    uint8_t data[8];
    size_t n = base64url_encode(cases[i].data, text);
    ck_assert_msg(n == (cases[i].data.n * 4 + 2) / 3, "case %zu: length %zu", i, n);
    ck_assert_view_eq(str_make(text, n), cases[i].text);
    size_t back = 99;
    ck_assert_msg(base64url_decode(str_from_cstr(cases[i].text), data, cases[i].data.n, &back),
                  "'%s' does not decode", cases[i].text);
    ck_assert_msg(str_eq(str_make((char *)data, back), cases[i].data), "'%s'", cases[i].text);
  }
}
END_TEST

START_TEST(refuses_base64url)
{
  static const struct {
    const char *name;
    struct str text;
  } cases[] = {
      {"one character", STR_INIT("A")},
      {"five characters", STR_INIT("AAAAA")},
      {"padding", STR_INIT("Zg==")},
      {"plus", STR_INIT("++++")},
      {"slash", STR_INIT("////")},
      {"blank", STR_INIT("Zm9 ")},
      {"newline", STR_INIT("Zm9v\n")},
      {"NUL", STR_INIT("Zm9\0")},
      {"high byte", STR_INIT("Zm9\xC3")},
      {"unused bits of two", STR_INIT("Zh")},
      {"unused bits of three", STR_INIT("Zm9")},
      {"longer than the room", STR_INIT("Zm9vYmFyZm9v")},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    uint8_t data[8];
    size_t n = 99;
    ck_assert_msg(!base64url_decode(cases[i].text, data, sizeof(data), &n), "%s is taken",
                  cases[i].name);
    ck_assert_msg(n == 99, "%s: the result is written", cases[i].name);
  }
}
END_TEST

/* Every text of two characters decodes only if it is what encoding gives. */
START_TEST(has_one_spelling)
{
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  size_t taken = 0;
  for (size_t i = 0; i < 64; i++) {
    for (size_t j = 0; j < 64; j++) {
      char text[2] = {alphabet[i], alphabet[j]};
      char back[4];
      uint8_t data[2];
      size_t n = 0;
      if (!base64url_decode(str_make(text, 2), data, sizeof(data), &n)) continue;
      taken++;
      size_t length = base64url_encode(str_make((char *)data, n), back);
      ck_assert(str_eq(str_make(back, length), str_make(text, 2)));
    }
  }
  ck_assert_uint_eq(taken, 256);
}
END_TEST

UNIT_MAIN("crypto", tags_as_rfc_4231, takes_an_empty_key_and_no_parts, hashes, compares, draws,
          encodes_base64url, refuses_base64url, has_one_spelling)
