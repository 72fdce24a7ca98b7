/* Each misuse is refused by name and changes nothing. */
#include "check.h"

#include <math.h>

static void pointers(nf_database *db, nf_collection *docs) {
    const uint64_t ids[2] = {1, 2};
    const float vector[4] = {1, 2, 3, 4};
    nf_database *other = NULL;
    nf_results *results = NULL;
    uint64_t found[10];
    float scores[10];
    nf_ids none = {NULL, NULL, NULL, 0}, half = {NULL, NULL, NULL, 2};
    REFUSED(nf_connect(NULL, NULL, &other), NF_INVALID_ARGUMENT, "target");
    REFUSED(nf_connect(":memory:", NULL, NULL), NF_INVALID_ARGUMENT, "database");
    REFUSED(nf_create_collection(db, NULL, 2, NULL, &docs), NF_INVALID_ARGUMENT, "name");
    REFUSED(nf_open_or_create_collection(db, NULL, 2, NULL, &docs), NF_INVALID_ARGUMENT, "name");
    REFUSED(nf_open_or_create_collection(db, "docs", 2, NULL, NULL), NF_INVALID_ARGUMENT,
            "collection");
    REFUSED(nf_open_collection(db, "docs", NULL), NF_INVALID_ARGUMENT, "collection");
    REFUSED(nf_upsert_one(docs, 1, NULL, 2, NF_OS), NF_INVALID_ARGUMENT, "vector");
    REFUSED(nf_upsert_numbers(docs, NULL, vector, 2, 2, NF_OS), NF_INVALID_ARGUMENT, "ids");
    REFUSED(nf_upsert_numbers(docs, ids, NULL, 2, 2, NF_OS), NF_INVALID_ARGUMENT, "vectors");
    REFUSED(nf_upsert(docs, NULL, vector, 2, NULL), NF_INVALID_ARGUMENT, "ids");
    REFUSED(nf_upsert(docs, &none, vector, 2, NULL), NF_INVALID_ARGUMENT, "ids");
    REFUSED(nf_upsert(docs, &half, vector, 2, NULL), NF_INVALID_ARGUMENT, "ids");
    REFUSED(nf_search(docs, vector, 1, 2, NULL, NULL), NF_INVALID_ARGUMENT, "results");
    REFUSED(nf_search(docs, NULL, 1, 2, NULL, &results), NF_INVALID_ARGUMENT, "vectors");
    REFUSED(nf_search_into(docs, vector, 1, 2, NULL, NULL, scores, NULL), NF_INVALID_ARGUMENT,
            "ids");
    REFUSED(nf_search_into(docs, vector, 1, 2, NULL, found, NULL, NULL), NF_INVALID_ARGUMENT,
            "scores");
    REFUSED(nf_count(docs, NULL, NULL), NF_INVALID_ARGUMENT, "count");
    REFUSED(nf_delete_matching(docs, NULL, NF_OS, NULL), NF_INVALID_ARGUMENT, "filter");
    REFUSED(nf_call(db, NULL, NULL, NULL), NF_INVALID_ARGUMENT, "request");
    REFUSED(nf_describe(docs, NULL), NF_INVALID_ARGUMENT, "description");
    const char *odd = (const char *)vector + 1;
    REFUSED(nf_upsert_one(docs, 1, (const float *)(const void *)odd, 2, NF_OS),
            NF_INVALID_ARGUMENT, "vector");
    CHECK(results == NULL && other == NULL);
}

static void values(nf_database *db, nf_collection *docs) {
    const uint64_t ids[3] = {1, 2, 3};
    const float vector[4] = {1, 2, 3, 4};
    const float nan[4] = {1, 2, 3, (float)NAN}, zero[4] = {1, 2, 0, 0};
    nf_collection *made = NULL;
    nf_results *results = NULL;
    uint64_t points = 0;
    REFUSED(nf_create_collection(db, "none", 0, NULL, &made), NF_INVALID_ARGUMENT, "dimension");
    REFUSED(nf_create_collection(db, "a b", 2, NULL, &made), NF_INVALID_ARGUMENT, "collection");
    REFUSED(nf_open_or_create_collection(db, "docs", 3, NULL, &made), NF_ALREADY_EXISTS, "dimension");
    nf_collection_options schema = NF_COLLECTION_OPTIONS_INIT;
    schema.metric = 7;
    REFUSED(nf_create_collection(db, "m", 2, &schema, &made), NF_INVALID_ARGUMENT, "metric");
    schema.metric = NF_DOT;
    schema.storage = -1;
    REFUSED(nf_create_collection(db, "m", 2, &schema, &made), NF_INVALID_ARGUMENT, "storage");
    REFUSED(nf_upsert_one(docs, 1, vector, 3, NF_OS), NF_INVALID_ARGUMENT, "vectors");
    REFUSED(nf_upsert_one(docs, 1, vector, 0, NF_OS), NF_INVALID_ARGUMENT, "vectors");
    REFUSED(nf_upsert_one(docs, 1, vector, 2, 5), NF_INVALID_ARGUMENT, "durability");
    REFUSED(nf_upsert_numbers(docs, ids, nan, 2, 2, NF_OS), NF_INVALID_ARGUMENT, "vectors");
    CHECK(nf_last_error_row() == 1);
    REFUSED(nf_upsert_numbers(docs, ids, zero, 2, 2, NF_OS), NF_INVALID_ARGUMENT, "vectors");
    CHECK(nf_last_error_row() == 1);
    REFUSED(nf_upsert_numbers(docs, ids, vector, SIZE_MAX / 4, 2, NF_OS), NF_TOO_LARGE, "vectors");
    REFUSED(nf_upsert_numbers(docs, ids, vector, SIZE_MAX / 2, 2, NF_OS), NF_TOO_LARGE, "vectors");
    REFUSED(nf_upsert_numbers(docs, ids, vector, SIZE_MAX, 16, NF_OS), NF_TOO_LARGE, "vectors");
    const char *const wrong[2] = {"{}", "[1]"};
    nf_upsert_options options = NF_UPSERT_OPTIONS_INIT;
    options.metadata = wrong;
    nf_ids two = {ids, NULL, NULL, 2};
    REFUSED(nf_upsert(docs, &two, vector, 2, &options), NF_INVALID_ARGUMENT, "metadata");
    CHECK(nf_last_error_row() == 1);
    const char *const broken[2] = {"a", "\xff\xfe"};
    nf_ids names = {NULL, broken, NULL, 2};
    REFUSED(nf_upsert(docs, &names, vector, 2, NULL), NF_INVALID_ARGUMENT, "ids");
    CHECK(nf_last_error_row() == 1);
    REFUSED(nf_search(docs, vector, 1, 3, NULL, &results), NF_INVALID_ARGUMENT, "vectors");
    REFUSED(nf_search(docs, vector, 0, 2, NULL, &results), NF_INVALID_ARGUMENT, "vectors");
    REFUSED(nf_search(docs, vector, 2, 0, NULL, &results), NF_INVALID_ARGUMENT, "vectors");
    nf_search_options search = NF_SEARCH_OPTIONS_INIT;
    search.recall = 2;
    REFUSED(nf_search(docs, vector, 1, 2, &search, &results), NF_INVALID_ARGUMENT, "recall");
    search = (nf_search_options)NF_SEARCH_OPTIONS_INIT;
    search.limit = 10001;
    REFUSED(nf_search(docs, vector, 1, 2, &search, &results), NF_INVALID_ARGUMENT, "limit");
    search = (nf_search_options)NF_SEARCH_OPTIONS_INIT;
    search.filter = "year >";
    REFUSED(nf_search(docs, vector, 1, 2, &search, &results), NF_INVALID_ARGUMENT, "filter");
    CHECK(nf_call(db, "{\"fly\": {}}", (char **)&results, NULL) == NF_INVALID_ARGUMENT);
    OK(nf_count(docs, NULL, &points));
    CHECK(points == 0 && results == NULL && made == NULL);
}

/* Structures of options that are older, newer, and not set up. */
static void sizes(nf_collection *docs) {
    const float vector[2] = {1, 2};
    nf_results *results = NULL;
    nf_search_options search = NF_SEARCH_OPTIONS_INIT;
    search.size = 0;
    REFUSED(nf_search(docs, vector, 1, 2, &search, &results), NF_INVALID_ARGUMENT, "options");
    search.size = (size_t)-1;
    REFUSED(nf_search(docs, vector, 1, 2, &search, &results), NF_INVALID_ARGUMENT, "options");
    search.size = offsetof(nf_search_options, recall);
    search.recall = 99;
    OK(nf_search(docs, vector, 1, 2, &search, &results));
    OK(nf_results_free(results));
    struct {
        nf_search_options known;
        uint64_t unknown;
    } newer = {NF_SEARCH_OPTIONS_INIT, 0};
    newer.known.size = sizeof newer;
    OK(nf_search(docs, vector, 1, 2, &newer.known, &results));
    OK(nf_results_free(results));
    newer.unknown = 1;
    results = NULL;
    REFUSED(nf_search(docs, vector, 1, 2, &newer.known, &results), NF_UNSUPPORTED, "options");
    nf_description state = NF_DESCRIPTION_INIT;
    state.size = offsetof(nf_description, metric);
    state.count = 77;
    OK(nf_describe(docs, &state));
    CHECK(state.dimension == 2 && state.count == 77);
}

static void handles(nf_database *db, nf_collection *docs) {
    const float vector[2] = {1, 2};
    nf_collection *gone = NULL, *next = NULL;
    nf_results *results = NULL;
    nf_names *names = NULL;
    nf_reservation *room = NULL;
    char *text = NULL;
    REFUSED(nf_upsert_one(NULL, 1, vector, 2, NF_OS), NF_INVALID_ARGUMENT, "collection");
    OK(nf_open_collection(db, "docs", &gone));
    OK(nf_collection_free(gone));
    REFUSED(nf_collection_free(gone), NF_INVALID_ARGUMENT, "collection");
    REFUSED(nf_upsert_one(gone, 1, vector, 2, NF_OS), NF_INVALID_ARGUMENT, "collection");
    /* The place is used again, and the old handle still is not the new one. */
    OK(nf_open_collection(db, "docs", &next));
    CHECK(next != gone);
    REFUSED(nf_upsert_one(gone, 1, vector, 2, NF_OS), NF_INVALID_ARGUMENT, "collection");
    OK(nf_collection_free(next));
    /* Of another kind, or nothing at all. */
    REFUSED(nf_upsert_one((nf_collection *)(void *)db, 1, vector, 2, NF_OS), NF_INVALID_ARGUMENT,
            "collection");
    REFUSED(nf_database_free((nf_database *)(void *)docs), NF_INVALID_ARGUMENT, "database");
    REFUSED(nf_database_free((nf_database *)(void *)&results), NF_INVALID_ARGUMENT, "database");
    OK(nf_search(docs, vector, 1, 2, NULL, &results));
    nf_point point;
    REFUSED(nf_results_point(results, 1, 0, &point), NF_INVALID_ARGUMENT, "list");
    REFUSED(nf_results_point(results, 0, 0, &point), NF_INVALID_ARGUMENT, "position");
    CHECK(nf_results_count(results, 1) == 0 && nf_last_error_status() == NF_INVALID_ARGUMENT);
    OK(nf_results_free(results));
    REFUSED(nf_results_free(results), NF_INVALID_ARGUMENT, "results");
    CHECK(nf_results_lists(results) == 0 && nf_results_cursor(results) == 0);
    OK(nf_list_collections(db, &names));
    OK(nf_names_free(names));
    REFUSED(nf_names_free(names), NF_INVALID_ARGUMENT, "names");
    CHECK(nf_names_count(names) == 0 && !nf_names_get(names, 0));
    OK(nf_reserve(docs, 1, &room));
    OK(nf_reservation_free(room));
    REFUSED(nf_reservation_free(room), NF_INVALID_ARGUMENT, "reservation");
    CHECK(!nf_reservation_values(room) && nf_reservation_rows(room) == 0);
    OK(nf_call(db, "{\"list_collections\": {}}", &text, NULL));
    OK(nf_text_free(text));
    REFUSED(nf_text_free(text), NF_INVALID_ARGUMENT, "text");
    char own[2] = "x";
    REFUSED(nf_text_free(own), NF_INVALID_ARGUMENT, "text");
    OK(nf_text_free(NULL));
    OK(nf_collection_free(NULL));
    OK(nf_database_free(NULL));
    OK(nf_results_free(NULL));
}

int main(void) {
    CHECK(nf_last_error_status() == NF_OK && nf_last_error_message()[0] == '\0');
    CHECK(nf_last_error_row() == -1 && !nf_last_error_field());
    nf_database *db = NULL;
    nf_collection *docs = NULL;
    OK(nf_connect(":memory:", NULL, &db));
    OK(nf_create_collection(db, "docs", 2, NULL, &docs));
    pointers(db, docs);
    values(db, docs);
    sizes(docs);
    handles(db, docs);
    /* What stays open outlives the database's handle, and nothing else does. */
    OK(nf_database_free(db));
    nf_names *names = NULL;
    REFUSED(nf_list_collections(db, &names), NF_INVALID_ARGUMENT, "database");
    uint64_t points = 0;
    OK(nf_count(docs, NULL, &points));
    CHECK(points == 0);
    OK(nf_collection_free(docs));
    return 0;
}
