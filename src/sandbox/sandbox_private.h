/* What the parts of src/sandbox share. */
#ifndef ADIT_SANDBOX_PRIVATE_H
#define ADIT_SANDBOX_PRIVATE_H

#include "adit/sandbox.h"

/* Always false. */
bool sandbox_fail(struct sandbox_error *ret_error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
