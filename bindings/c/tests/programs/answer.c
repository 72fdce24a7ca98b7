/* Answers requests from standard input, one JSON text per line: the response, or the error as
 * kind, row (-1 for none), field (- for none) and message, one line each way. */
#include "check.h"

int main(int argc, char **argv) {
    size_t room = 1 << 24;
    char *line = (char *)malloc(room);
    nf_database *db = NULL;
    CHECK(line);
    OK(nf_connect(argc > 1 ? argv[1] : ":memory:", NULL, &db));
    while (fgets(line, (int)room, stdin)) {
        char *response = NULL;
        line[strcspn(line, "\n")] = '\0';
        if (nf_call(db, line, &response, NULL) == NF_OK) {
            printf("ok %s\n", response);
            OK(nf_text_free(response));
        } else {
            const char *field = nf_last_error_field();
            printf("error %s %lld %s %s\n", nf_last_error_kind(), (long long)nf_last_error_row(),
                   field ? field : "-", nf_last_error_message());
        }
        fflush(stdout);
    }
    OK(nf_database_free(db));
    free(line);
    return 0;
}
