/* Opens, uses and closes stores again and again: memory and descriptors stay as they are. The
 * arguments are a target, how often, and by how many KiB memory may grow. */
#include "check.h"

#include <dirent.h>

static long resident_kib(void) {
    char line[200];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    CHECK(status);
    while (fgets(line, sizeof line, status))
        if (sscanf(line, "RssAnon: %ld", &kib) == 1)
            break;
    fclose(status);
    return kib;
}

static int descriptors(void) {
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void once(const char *target) {
    nf_database *db = NULL;
    nf_collection *docs = NULL;
    nf_results *results = NULL;
    nf_names *names = NULL;
    nf_reservation *room = NULL;
    char *text = NULL;
    const float vector[2] = {1, 2};
    OK(nf_connect(target, NULL, &db));
    if (nf_open_collection(db, "docs", &docs) == NF_NOT_FOUND)
        OK(nf_create_collection(db, "docs", 2, NULL, &docs));
    OK(nf_upsert_one(docs, 1, vector, 2, NF_OS));
    OK(nf_search(docs, vector, 1, 2, NULL, &results));
    OK(nf_list_collections(db, &names));
    OK(nf_reserve(docs, 1000, &room));
    OK(nf_call(db, "{\"describe_collection\": {\"collection\": \"docs\"}}", &text, NULL));
    CHECK(nf_upsert_one(docs, 1, vector, 3, NF_OS) == NF_INVALID_ARGUMENT);
    OK(nf_text_free(text));
    OK(nf_reservation_free(room));
    OK(nf_names_free(names));
    OK(nf_results_free(results));
    OK(nf_collection_free(docs));
    OK(nf_database_free(db));
}

int main(int argc, char **argv) {
    CHECK(argc == 4);
    int rounds = atoi(argv[2]);
    for (int i = 0; i < rounds / 4; i++)
        once(argv[1]);
    long before = resident_kib();
    int open = descriptors();
    for (int i = 0; i < rounds; i++)
        once(argv[1]);
    CHECK(descriptors() == open);
    long grown = resident_kib() - before;
    printf("grew by %ld KiB over %d rounds\n", grown, rounds);
    CHECK(grown < atol(argv[3]));
    return 0;
}
