/* What the test programs share: a check that names the line and the last error. */
#ifndef CHECK_H
#define CHECK_H

#include "nearfield.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(holds)                                                                   \
    do {                                                                               \
        if (!(holds)) {                                                                \
            fprintf(stderr, "%s:%d: %s does not hold; last error: %s (%s)\n", __FILE__, \
                    __LINE__, #holds, nf_last_error_message(), nf_last_error_kind());  \
            exit(1);                                                                   \
        }                                                                              \
    } while (0)

#define OK(call) CHECK((call) == NF_OK)

/* The call fails with this status, and the error names this field. */
#define REFUSED(call, status, field)                                                \
    do {                                                                            \
        CHECK((call) == (status));                                                  \
        CHECK(nf_last_error_status() == (status));                                  \
        CHECK(nf_last_error_message()[0] != '\0');                                  \
        CHECK(nf_last_error_field() && !strcmp(nf_last_error_field(), (field)));    \
    } while (0)

#endif
