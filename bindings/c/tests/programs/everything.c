/* Every typed function over a store, in the language that C and C++ share. The first argument is
 * the target, the second a folder for snapshots that is not there yet. */
#include "check.h"

enum { DIMENSION = 4 };

static const float vectors[5][DIMENSION] = {
    {1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}, {3, 4, 0, 0}};

static nf_ids numbers(const uint64_t *ids, size_t count) {
    nf_ids all;
    memset(&all, 0, sizeof all);
    all.numbers = ids;
    all.count = count;
    return all;
}

static nf_ids texts(const char *const *ids, size_t count) {
    nf_ids all;
    memset(&all, 0, sizeof all);
    all.texts = ids;
    all.count = count;
    return all;
}

static uint64_t count(nf_collection *docs, const char *filter) {
    uint64_t points = 0;
    OK(nf_count(docs, filter, &points));
    return points;
}

static void writes(nf_collection *docs) {
    const uint64_t ids[2] = {1, 2};
    OK(nf_upsert_numbers(docs, ids, vectors[0], 2, DIMENSION, NF_OS));
    OK(nf_upsert_one(docs, 3, vectors[2], DIMENSION, NF_OS));
    CHECK(count(docs, NULL) == 3);

    /* A text, a UUID, and a number where the text is NULL; lengths where texts end without NUL. */
    const char *const names[3] = {"a-7xxx", "67e55044-10b1-426f-9247-bb680e5fe0c8", NULL};
    const size_t lengths[3] = {3, 36, 0};
    const uint64_t mixed[3] = {0, 0, UINT64_MAX};
    nf_ids all = texts(names, 3);
    all.numbers = mixed;
    all.lengths = lengths;
    const char *const rows[3] = {"{\"year\": 1959, \"genre\": \"jazz\"}", NULL, "{\"year\": 1971}"};
    uint64_t sequence = 0;
    nf_upsert_options options = NF_UPSERT_OPTIONS_INIT;
    options.durability = NF_OS;
    options.metadata = rows;
    options.sequence = &sequence;
    OK(nf_upsert(docs, &all, vectors[2], DIMENSION, &options));
    CHECK(sequence > 0);
    CHECK(count(docs, NULL) == 6);
    CHECK(count(docs, "year >= 1960") == 1);
}

static void reads(nf_collection *docs) {
    const char *const names[4] = {"a-7", "67e55044-10b1-426f-9247-bb680e5fe0c8", "nobody", NULL};
    const uint64_t mixed[4] = {0, 0, 0, UINT64_MAX};
    nf_ids all = texts(names, 4);
    all.numbers = mixed;
    nf_results *found = NULL;
    OK(nf_get(docs, &all, NULL, &found));
    CHECK(nf_results_lists(found) == 1 && nf_results_count(found, 0) == 4);
    CHECK(nf_results_cursor(found) == 0);
    nf_point point;
    OK(nf_results_point(found, 0, 0, &point));
    CHECK(point.kind == NF_ID_TEXT && !strcmp(point.text, "a-7") && point.text_length == 3);
    CHECK(point.dimension == DIMENSION && point.vector[2] == 1);
    CHECK(strstr(point.metadata, "jazz") && point.metadata_length == strlen(point.metadata));
    OK(nf_results_point(found, 0, 1, &point));
    CHECK(point.kind == NF_ID_UUID && !strcmp(point.text, names[1]) && !point.metadata);
    OK(nf_results_point(found, 0, 2, &point));
    CHECK(point.kind == NF_ID_MISSING && !point.text && !point.vector);
    OK(nf_results_point(found, 0, 3, &point));
    CHECK(point.kind == NF_ID_NUMBER && point.number == UINT64_MAX && point.vector[0] == 3);
    OK(nf_results_free(found));

    nf_get_options bare = NF_GET_OPTIONS_INIT;
    bare.without_vectors = bare.without_metadata = 1;
    OK(nf_get(docs, &all, &bare, &found));
    OK(nf_results_point(found, 0, 0, &point));
    CHECK(!point.vector && point.dimension == 0 && !point.metadata);
    OK(nf_results_free(found));

    nf_scan_options page = NF_SCAN_OPTIONS_INIT;
    page.limit = 4;
    page.with_vectors = 1;
    size_t points = 0, pages = 0;
    do {
        OK(nf_scan(docs, &page, &found));
        points += nf_results_count(found, 0);
        pages++;
        page.cursor = nf_results_cursor(found);
        OK(nf_results_free(found));
    } while (page.cursor);
    CHECK(points == 6 && pages == 2);
    page.filter = "genre = 'jazz'";
    OK(nf_scan(docs, &page, &found));
    CHECK(nf_results_count(found, 0) == 1);
    OK(nf_results_free(found));
}

static void searches(nf_collection *docs) {
    uint64_t ids[6];
    float scores[6];
    size_t counts[2];
    nf_search_options options = NF_SEARCH_OPTIONS_INIT;
    options.limit = 3;
    options.recall = 1;
    REFUSED(nf_search_into(docs, vectors[2], 1, DIMENSION, &options, ids, scores, counts),
            NF_UNSUPPORTED, "ids");
    options.limit = 1;
    OK(nf_search_into(docs, vectors[0], 2, DIMENSION, &options, ids, scores, counts));
    CHECK(ids[0] == 1 && ids[1] == 2 && scores[0] == 0 && counts[0] == 1 && counts[1] == 1);
    OK(nf_search_into(docs, vectors[0], 1, DIMENSION, &options, ids, scores, NULL));

    nf_results *found = NULL;
    options.limit = 2;
    options.with_metadata = options.with_vectors = 1;
    options.filter = "exists year";
    options.timeout_ms = 60000;
    OK(nf_search(docs, vectors[4], 1, DIMENSION, &options, &found));
    CHECK(nf_results_lists(found) == 1 && nf_results_count(found, 0) == 2);
    nf_point point;
    OK(nf_results_point(found, 0, 0, &point));
    CHECK(point.number == UINT64_MAX && point.score == 0 && point.vector[1] == 4 && point.metadata);
    OK(nf_results_free(found));
    OK(nf_search(docs, vectors[0], 5, DIMENSION, NULL, &found));
    CHECK(nf_results_lists(found) == 5 && nf_results_count(found, 4) == 6);
    OK(nf_results_free(found));
}

static void changes(nf_collection *docs) {
    const uint64_t ids[2] = {1, 99};
    nf_ids some = numbers(ids, 2);
    uint64_t touched = 0;
    OK(nf_update_metadata(docs, &some, "{\"genre\": \"folk\"}", NF_OS, &touched));
    CHECK(touched == 1 && count(docs, "genre = 'folk'") == 1);
    OK(nf_update_metadata_matching(docs, "genre = 'folk'", "{\"genre\": null}", NF_SYNC, NULL));
    CHECK(count(docs, "genre = 'folk'") == 0);
    OK(nf_delete(docs, &some, NF_OS, &touched));
    CHECK(touched == 1 && count(docs, NULL) == 5);
    OK(nf_delete_matching(docs, "year < 1960", NF_OS, &touched));
    CHECK(touched == 1 && count(docs, NULL) == 4);
}

static void reserves(nf_collection *docs) {
    nf_reservation *room = NULL;
    OK(nf_reserve(docs, 2, &room));
    CHECK(nf_reservation_rows(room) == 2 && nf_reservation_dimension(room) == DIMENSION);
    memcpy(nf_reservation_values(room), vectors[3], 2 * DIMENSION * sizeof(float));
    const uint64_t ids[3] = {70, 71, 72};
    OK(nf_reservation_commit_numbers(room, ids, 2, NF_OS));
    CHECK(count(docs, NULL) == 6);
    nf_reservation_values(room)[0] = 9;
    const char *const rows[1] = {"{\"year\": 2026}"};
    nf_upsert_options options = NF_UPSERT_OPTIONS_INIT;
    options.metadata = rows;
    nf_ids one = numbers(ids, 1);
    OK(nf_reservation_commit(room, &one, &options));
    CHECK(count(docs, "year = 2026") == 1);
    CHECK(nf_reservation_commit_numbers(room, ids, 3, NF_OS) == NF_INVALID_ARGUMENT);
    OK(nf_reservation_free(room));
}

static void upkeep(nf_database *db, nf_collection *docs, const char *snapshots) {
    nf_description state = NF_DESCRIPTION_INIT;
    OK(nf_describe(docs, &state));
    CHECK(state.size == sizeof state && state.dimension == DIMENSION && state.count == 6);
    CHECK(state.metric == NF_EUCLIDEAN && state.storage == NF_F32 && state.sequence > 0);
    uint64_t sequence = 0, before = 0, after = 0, copied = 0;
    OK(nf_flush(docs, &sequence));
    CHECK(sequence == state.sequence);
    OK(nf_compact(docs, &before, &after));
    CHECK(after > 0 && after <= before);
    if (snapshots) {
        OK(nf_snapshot(docs, snapshots, &copied));
        CHECK(copied == 6);
    }
    char *response = NULL;
    size_t length = 0;
    OK(nf_call(db, "{\"count\": {\"collection\": \"docs\"}}", &response, &length));
    CHECK(!strcmp(response, "{\"count\":{\"count\":6}}") && length == strlen(response));
    OK(nf_text_free(response));
}

int main(int argc, char **argv) {
    nf_database *db = NULL;
    nf_connect_options options = NF_CONNECT_OPTIONS_INIT;
    options.search_threads = 2;
    OK(nf_connect(argc > 1 ? argv[1] : ":memory:", &options, &db));
    nf_collection_options schema = NF_COLLECTION_OPTIONS_INIT;
    const char *const unindexed[1] = {"text"};
    schema.metric = NF_EUCLIDEAN;
    schema.unindexed_fields = unindexed;
    schema.unindexed_count = 1;
    nf_collection *docs = NULL, *again = NULL;
    OK(nf_create_collection(db, "docs", DIMENSION, &schema, &docs));
    CHECK(nf_create_collection(db, "docs", DIMENSION, NULL, &again) == NF_ALREADY_EXISTS);
    CHECK(nf_open_or_create_collection(db, "docs", DIMENSION, NULL, &again) == NF_ALREADY_EXISTS);
    CHECK(again == NULL);
    for (int run = 0; run < 2; run++) {
        OK(nf_open_or_create_collection(db, "docs", DIMENSION, &schema, &again));
        OK(nf_collection_free(again));
        OK(nf_open_or_create_collection(db, "new", DIMENSION, NULL, &again));
        OK(nf_collection_free(again));
    }
    OK(nf_drop_collection(db, "new"));
    again = NULL;
    OK(nf_open_collection(db, "docs", &again));
    writes(docs);
    reads(again);
    searches(docs);
    changes(docs);
    reserves(again);
    upkeep(db, docs, argc > 2 ? argv[2] : NULL);

    nf_names *names = NULL;
    OK(nf_list_collections(db, &names));
    CHECK(nf_names_count(names) == 1 && !strcmp(nf_names_get(names, 0), "docs"));
    CHECK(!nf_names_get(names, 1));
    OK(nf_names_free(names));
    OK(nf_drop_collection(db, "docs"));
    uint64_t left = 0;
    CHECK(nf_count(docs, NULL, &left) == NF_NOT_FOUND);
    CHECK(!strcmp(nf_last_error_kind(), "not_found"));
    /* The database may go before its collections. */
    OK(nf_database_free(db));
    OK(nf_collection_free(docs));
    OK(nf_collection_free(again));
    CHECK(nf_version()[0] != '\0');
    return 0;
}
