/* Stores a few albums and finds the nearest to a query, in C99:
 *     cc albums.c $(pkg-config --cflags --libs nearfield) -o albums && ./albums ./data
 */
#include <nearfield.h>

#include <stdio.h>
#include <stdlib.h>

static void check(nf_status status) {
    if (status != NF_OK) {
        fprintf(stderr, "%s: %s\n", nf_last_error_kind(), nf_last_error_message());
        exit(1);
    }
}

int main(int argc, char **argv) {
    nf_database *db = NULL;
    check(nf_connect(argc > 1 ? argv[1] : ":memory:", NULL, &db));

    nf_collection *albums = NULL;
    check(nf_open_or_create_collection(db, "albums", 3, NULL, &albums));

    const char *titles[] = {"Kind of Blue", "Blue", "Blue Train"};
    const char *metadata[] = {"{\"year\": 1959}", "{\"year\": 1971}", "{\"year\": 1958}"};
    const float vectors[3][3] = {{1, 0.1f, 0}, {0, 1, 0}, {0.9f, 0.2f, 0}};
    nf_ids ids = {NULL, titles, NULL, 3};
    nf_upsert_options options = NF_UPSERT_OPTIONS_INIT;
    options.metadata = metadata;
    check(nf_upsert(albums, &ids, vectors[0], 3, &options));

    const float query[3] = {1, 0, 0};
    nf_search_options search = NF_SEARCH_OPTIONS_INIT;
    search.limit = 2;
    search.filter = "year < 1960";
    search.with_metadata = 1;
    nf_results *results = NULL;
    check(nf_search(albums, query, 1, 3, &search, &results));
    for (size_t i = 0; i < nf_results_count(results, 0); i++) {
        nf_point hit;
        check(nf_results_point(results, 0, i, &hit));
        printf("%.3f  %s  %s\n", (double)hit.score, hit.text, hit.metadata);
    }
    check(nf_results_free(results));
    check(nf_collection_free(albums));
    check(nf_database_free(db));
    return 0;
}
