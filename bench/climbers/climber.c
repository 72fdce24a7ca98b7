/* Climbs the C door for `nearfield ladder`: writes or searches as its `name=value` arguments say,
 * and prints what it took as JSON. Built on the spot against nearfield.h and libnearfield. */

#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "nearfield.h"

enum { WARM_REQUESTS = 50, WARM_VECTORS = 10000, WARM_NS = 100000000 };

static char **arguments;

static const char *text(const char *name)
{
    size_t length = strlen(name);
    for (char **argument = arguments; *argument; argument++)
        if (!strncmp(*argument, name, length) && (*argument)[length] == '=')
            return *argument + length + 1;
    fprintf(stderr, "the argument %s is missing\n", name);
    exit(2);
}

static size_t number(const char *name)
{
    return (size_t)strtoull(text(name), NULL, 10);
}

static void need(nf_status status, const char *doing)
{
    if (status != NF_OK) {
        fprintf(stderr, "%s: %s\n", doing, nf_last_error_message());
        exit(1);
    }
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return memory;
}

static uint64_t now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* The vectors of a file, read beforehand: what is measured is the door. */
static const float *map(const char *path, size_t count)
{
    int file = open(path, O_RDONLY);
    void *memory = file < 0 ? MAP_FAILED
                            : mmap(NULL, count * sizeof(float), PROT_READ, MAP_PRIVATE, file, 0);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    close(file);
    volatile float sum = 0;
    const float *values = memory;
    for (size_t at = 0; at < count; at += 1024)
        sum += values[at];
    return values;
}

/* What a loop took. */
struct run {
    uint64_t *times;
    size_t requests, count;
    uint64_t start, last, inside, cpu;
};

static struct run begin(size_t requests_max)
{
    struct run run = {0};
    run.times = allocate(requests_max, sizeof *run.times);
    /* Touched before the clock starts. */
    memset(run.times, 1, requests_max * sizeof *run.times);
    run.cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    run.start = run.last = now(CLOCK_MONOTONIC);
    return run;
}

static void lap(struct run *run, uint64_t before, size_t count)
{
    uint64_t end = now(CLOCK_MONOTONIC);
    run->inside += end - before;
    run->times[run->requests++] = end - run->last;
    run->count += count;
    run->last = end;
}

static void ingest(nf_database *database, struct run *run)
{
    size_t rows = number("rows"), dim = number("dim"), batch = number("batch");
    uint64_t limit = (uint64_t)(strtod(text("seconds"), NULL) * 1e9);
    int32_t durability = strcmp(text("durability"), "os") ? NF_SYNC : NF_OS;
    const float *values = map(text("values"), rows * dim);
    uint64_t *ids = allocate(rows, sizeof *ids);
    for (size_t row = 0; row < rows; row++)
        ids[row] = row;

    nf_collection_options options = NF_COLLECTION_OPTIONS_INIT;
    options.metric = NF_EUCLIDEAN;
    nf_collection *warm, *collection;
    need(nf_create_collection(database, text("warm"), dim, &options, &warm), "create");
    need(nf_create_collection(database, text("collection"), dim, &options, &collection), "create");
    for (size_t row = 0, requests = 0;
         row < rows && row < WARM_VECTORS && requests < WARM_REQUESTS; requests++) {
        size_t count = rows - row < batch ? rows - row : batch;
        need(nf_upsert_numbers(warm, ids + row, values + row * dim, count, dim, durability), "warm");
        row += count;
    }

    int single = !strcmp(text("door"), "c-single");
    *run = begin(rows / batch + 1);
    while (run->count < rows && run->last - run->start < limit) {
        size_t row = run->count;
        size_t count = rows - row < batch ? rows - row : batch;
        const float *vectors = values + row * dim;
        uint64_t before = now(CLOCK_MONOTONIC);
        need(single ? nf_upsert_one(collection, ids[row], vectors, dim, durability)
                    : nf_upsert_numbers(collection, ids + row, vectors, count, dim, durability),
             "upsert");
        lap(run, before, count);
    }
    run->cpu = now(CLOCK_PROCESS_CPUTIME_ID) - run->cpu;
    need(nf_collection_free(warm), "free");
    need(nf_collection_free(collection), "free");
}

static void search(nf_database *database, struct run *run)
{
    size_t rows = number("query_rows"), dim = number("dim"), batch = number("batch");
    size_t limit = number("limit"), exact = number("exact");
    uint64_t time_max = (uint64_t)(strtod(text("seconds"), NULL) * 1e9);
    const float *queries = map(text("queries"), rows * dim);
    nf_collection *collection;
    if (!strcmp(text("create"), "yes")) {
        nf_collection_options options = NF_COLLECTION_OPTIONS_INIT;
        options.metric = NF_EUCLIDEAN;
        need(nf_create_collection(database, text("collection"), dim, &options, &collection), "create");
    } else {
        need(nf_open_collection(database, text("collection"), &collection), "open");
    }
    if (batch > rows)
        batch = rows;
    size_t most = batch > exact ? batch : exact;
    uint64_t *ids = allocate(most * limit, sizeof *ids);
    float *scores = allocate(most * limit, sizeof *scores);
    size_t *counts = allocate(most, sizeof *counts);

    nf_search_options options = NF_SEARCH_OPTIONS_INIT;
    options.limit = (uint32_t)limit;
    options.recall = 1;
    need(nf_search_into(collection, queries, exact, dim, &options, ids, scores, counts), "search");
    printf("{\"found\": [");
    for (size_t query = 0; query < exact; query++) {
        printf("%s[", query ? ", " : "");
        for (size_t hit = 0; hit < counts[query]; hit++)
            printf("%s%llu", hit ? ", " : "", (unsigned long long)ids[query * limit + hit]);
        printf("]");
    }
    printf("], ");

    options.recall = 0;
    uint64_t warm = now(CLOCK_MONOTONIC);
    size_t first = 0;
    size_t requests_max = 1 << 22;
    while (now(CLOCK_MONOTONIC) - warm < WARM_NS) {
        need(nf_search_into(collection, queries + first * dim, batch, dim, &options, ids, scores, counts),
             "search");
        first = first + 2 * batch > rows ? 0 : first + batch;
    }
    first = 0;
    *run = begin(requests_max);
    while (run->requests < requests_max && run->last - run->start < time_max) {
        const float *vectors = queries + first * dim;
        uint64_t before = now(CLOCK_MONOTONIC);
        need(nf_search_into(collection, vectors, batch, dim, &options, ids, scores, counts), "search");
        lap(run, before, batch);
        first = first + 2 * batch > rows ? 0 : first + batch;
    }
    run->cpu = now(CLOCK_PROCESS_CPUTIME_ID) - run->cpu;
    need(nf_collection_free(collection), "free");
}

int main(int count, char **given)
{
    (void)count;
    arguments = given + 1;
    nf_database *database;
    need(nf_connect(text("target"), NULL, &database), "connect");
    struct run run = {0};
    if (!strcmp(text("op"), "ingest")) {
        printf("{");
        ingest(database, &run);
    } else {
        search(database, &run);
    }
    need(nf_database_free(database), "close");
    FILE *times = fopen(text("times"), "wb");
    if (!times || fwrite(run.times, sizeof *run.times, run.requests, times) != run.requests
        || fclose(times)) {
        fprintf(stderr, "the times cannot be written\n");
        return 1;
    }
    printf("\"count\": %zu, \"seconds\": %.9f, \"call_seconds\": %.9f, \"cpu_seconds\": %.9f}\n",
           run.count, (double)(run.last - run.start) / 1e9, (double)run.inside / 1e9,
           (double)run.cpu / 1e9);
    return 0;
}
