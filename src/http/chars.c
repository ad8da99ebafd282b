#include "chars.h"

#define T HTTP_CHAR_TOKEN
#define U HTTP_CHAR_TARGET
#define R HTTP_CHAR_REG_NAME
#define V HTTP_CHAR_VALUE

const uint8_t http_chars[256] = {
    ['\t'] = V,
    [' '] = V,
    ['0' ... '9'] = T | U | R | V,
    ['A' ... 'Z'] = T | U | R | V,
    ['a' ... 'z'] = T | U | R | V,
    ['!'] = T | U | R | V,
    ['"'] = U | V,
    ['#'] = T | V,
    ['$'] = T | U | R | V,
    ['%'] = T | U | V,
    ['&'] = T | U | R | V,
    ['\''] = T | U | R | V,
    ['('] = U | R | V,
    [')'] = U | R | V,
    ['*'] = T | U | R | V,
    ['+'] = T | U | R | V,
    [','] = U | R | V,
    ['-'] = T | U | R | V,
    ['.'] = T | U | R | V,
    ['/'] = U | V,
    [':'] = U | V,
    [';'] = U | R | V,
    ['<'] = U | V,
    ['='] = U | R | V,
    ['>'] = U | V,
    ['?'] = U | V,
    ['@'] = U | V,
    ['['] = U | V,
    ['\\'] = U | V,
    [']'] = U | V,
    ['^'] = T | U | V,
    ['_'] = T | U | R | V,
    ['`'] = T | U | V,
    ['{'] = U | V,
    ['|'] = T | U | V,
    ['}'] = U | V,
    ['~'] = T | U | R | V,
    [0x80 ... 0xff] = V,
};

#undef T
#undef U
#undef R
#undef V
