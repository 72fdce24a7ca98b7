/* Threads that write, search, fail, and free handles under one another. */
#include "check.h"

#include <pthread.h>

enum { DIMENSION = 8, THREADS = 8, POINTS = 400 };

static nf_database *db;
static nf_collection *shared;

static void vector_of(uint64_t id, float *vector) {
    for (int i = 0; i < DIMENSION; i++)
        vector[i] = (float)((id * 31 + (uint64_t)i * 17) % 101) + 1;
}

static void *work(void *argument) {
    uint64_t thread = *(const uint64_t *)argument;
    float vector[DIMENSION];
    uint64_t ids[10];
    float scores[10];
    size_t found;
    for (uint64_t i = 0; i < POINTS; i++) {
        uint64_t id = thread * POINTS + i;
        vector_of(id, vector);
        OK(nf_upsert_one(shared, id, vector, DIMENSION, NF_OS));
        OK(nf_search_into(shared, vector, 1, DIMENSION, NULL, ids, scores, &found));
        CHECK(found > 0 && scores[0] == 0);
        /* Each thread has its own last error. */
        if (thread % 2) {
            REFUSED(nf_upsert_one(shared, id, vector, DIMENSION + 1, NF_OS), NF_INVALID_ARGUMENT,
                    "vectors");
        } else {
            CHECK(nf_last_error_status() == NF_OK);
        }
        nf_collection *own = NULL;
        OK(nf_open_collection(db, "docs", &own));
        OK(nf_collection_free(own));
    }
    return NULL;
}

/* The handle goes while others use it: their calls end well, or are refused. */
static void *use(void *argument) {
    nf_collection *handle = (nf_collection *)argument;
    uint64_t points;
    nf_status status;
    do {
        status = nf_count(handle, NULL, &points);
    } while (status == NF_OK);
    CHECK(status == NF_INVALID_ARGUMENT);
    return NULL;
}

int main(int argc, char **argv) {
    nf_collection_options options = NF_COLLECTION_OPTIONS_INIT;
    options.metric = NF_EUCLIDEAN;
    OK(nf_connect(argc > 1 ? argv[1] : ":memory:", NULL, &db));
    OK(nf_create_collection(db, "docs", DIMENSION, &options, &shared));
    pthread_t threads[THREADS];
    uint64_t numbers[THREADS];
    for (uint64_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK(!pthread_create(&threads[i], NULL, work, &numbers[i]));
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(!pthread_join(threads[i], NULL));
    uint64_t points = 0;
    OK(nf_count(shared, NULL, &points));
    CHECK(points == THREADS * POINTS);
    for (int i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, use, shared));
    OK(nf_collection_free(shared));
    for (int i = 0; i < THREADS; i++)
        CHECK(!pthread_join(threads[i], NULL));
    OK(nf_database_free(db));
    return 0;
}
