/*
 * Nearfield: store vectors with ids and metadata, and find the nearest ones.
 *
 * Made from the source of bindings/c by cbindgen; do not edit. docs: bindings/c/README.md
 *
 * What holds for every function
 *
 * Errors     A function that can fail returns an nf_status: NF_OK (0), or the kind of error. The
 *            message, and the row and field at fault, are kept per thread: nf_last_error_message()
 *            and its neighbours tell about the last call that failed in the calling thread. A call
 *            that succeeds leaves them alone. A refused write has changed nothing unless its kind
 *            says otherwise. Nothing is written through an out parameter when a call fails.
 * Handles    nf_database, nf_collection, nf_results, nf_reservation and nf_names are handles, no
 *            addresses. Each is given back with its own _free function, once. A handle that is NULL,
 *            was freed before, or is of another kind is refused with NF_INVALID_ARGUMENT; freeing
 *            NULL does nothing. What a handle was made from may be freed before it.
 * Threads    Every function may be called from any thread at any time, with the same handles too.
 *            Freeing a handle while another thread uses it lets that call end first; memory that
 *            was had from the handle goes with it all the same.
 * Texts      UTF-8. A `const char *` parameter ends with NUL unless its length is given beside it.
 *            A returned `const char *` ends with NUL and belongs to the library.
 * Pointers   Must be aligned and point to as many elements as the parameters say. NULL is refused
 *            unless it is said to be allowed, or the count is 0. Memory that is passed in is read
 *            or written during the call only.
 * Options    Structures with a member `size` grow in later versions: start from the _INIT macro,
 *            which sets `size` and leaves all else zero, which means the default.
 */


#ifndef NEARFIELD_H
#define NEARFIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** No options of nf_connect() set: each has its default. */
#define NF_CONNECT_OPTIONS_INIT {sizeof(nf_connect_options), NULL, NULL, 0, 0, 0, 0, 0, 0, 0}

/** No options of collections that are made set: each has its default. */
#define NF_COLLECTION_OPTIONS_INIT {sizeof(nf_collection_options), 0, 0, NULL, 0}

/** No options of nf_upsert() set: each has its default. */
#define NF_UPSERT_OPTIONS_INIT {sizeof(nf_upsert_options), 0, 0, NULL, NULL, NULL}

/** No options of searches set: each has its default. */
#define NF_SEARCH_OPTIONS_INIT {sizeof(nf_search_options), 0, 0, NULL, 0, 0, 0, {0, 0, 0, 0, 0, 0}}

/** No options of nf_get() set: each has its default. */
#define NF_GET_OPTIONS_INIT {sizeof(nf_get_options), 0, 0, {0, 0, 0, 0, 0, 0}}

/** No options of nf_scan() set: each has its default. */
#define NF_SCAN_OPTIONS_INIT {sizeof(nf_scan_options), 0, 0, 0, {0, 0}, 0, NULL}

/** A description for nf_describe() to fill. */
#define NF_DESCRIPTION_INIT {sizeof(nf_description), 0, 0, 0, 0, 0, 0, 0, 0, 0}


/**
 * What came of a call: 0, or the kind of error that calls for its own next move. Later versions
 * may have further kinds.
 */
enum nf_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * All is well.
     */
    NF_OK = 0,
    /**
     * The request breaks a rule: correct it. Also for pointers and handles that cannot be used.
     */
    NF_INVALID_ARGUMENT = 1,
    /**
     * The named collection does not exist: create it, or correct the name.
     */
    NF_NOT_FOUND = 2,
    /**
     * A collection of this name exists: open it, or choose another name.
     */
    NF_ALREADY_EXISTS = 3,
    /**
     * The request is over a limit: send less per request.
     */
    NF_TOO_LARGE = 4,
    /**
     * The caller is unknown: send a valid key.
     */
    NF_UNAUTHENTICATED = 5,
    /**
     * The caller may not do this: use a key with the right that the message names.
     */
    NF_FORBIDDEN = 6,
    /**
     * The deadline passed before the answer. A write may or may not have been applied.
     */
    NF_DEADLINE_EXCEEDED = 7,
    /**
     * The call was cancelled. A write may or may not have been applied.
     */
    NF_CANCELLED = 8,
    /**
     * Another process holds the path; the message names it.
     */
    NF_LOCKED = 9,
    /**
     * The store's files cannot be read or written; the message names the file.
     */
    NF_STORAGE = 10,
    /**
     * A write to disk failed: no more writes are taken until the store is opened again.
     */
    NF_WRITES_STOPPED = 11,
    /**
     * A file's content is not what was written; nothing of it is served.
     */
    NF_CORRUPTION = 12,
    /**
     * The file, wire or option belongs to another version, or is not built in.
     */
    NF_UNSUPPORTED = 13,
    /**
     * The memory budget would be exceeded: raise it, or delete and compact.
     */
    NF_OUT_OF_MEMORY = 14,
    /**
     * Too much work is under way: wait and retry.
     */
    NF_OVERLOADED = 15,
    /**
     * The store cannot be reached or is closing: retry.
     */
    NF_UNAVAILABLE = 16,
    /**
     * A defect of this library: report it.
     */
    NF_INTERNAL = 17,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum nf_status nf_status;
#else
typedef int32_t nf_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How durable a write is when the call returns.
 */
enum nf_durability
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * On disk: survives a crash of the machine.
     */
    NF_SYNC = 0,
    /**
     * With the operating system: survives a crash of the process.
     */
    NF_OS = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum nf_durability nf_durability;
#else
typedef int32_t nf_durability;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What the id of a point is.
 */
enum nf_id_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * There is no point of the id that nf_get() was asked for.
     */
    NF_ID_MISSING = 0,
    /**
     * A number.
     */
    NF_ID_NUMBER = 1,
    /**
     * A UUID; its text is the canonical form.
     */
    NF_ID_UUID = 2,
    /**
     * Another text.
     */
    NF_ID_TEXT = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum nf_id_kind nf_id_kind;
#else
typedef int32_t nf_id_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How vectors are compared.
 */
enum nf_metric
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * By angle: the score is the cosine, -1 to 1, larger is nearer. Zero vectors are refused.
     */
    NF_COSINE = 0,
    /**
     * By inner product: the score is it, larger is nearer.
     */
    NF_DOT = 1,
    /**
     * By Euclidean distance: the score is it, not squared, smaller is nearer.
     */
    NF_EUCLIDEAN = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum nf_metric nf_metric;
#else
typedef int32_t nf_metric;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How components are stored.
 */
enum nf_storage
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * As 32-bit floats: nf_get() returns the bits that were given.
     */
    NF_F32 = 0,
    /**
     * Rounded to 16-bit floats; components beyond 65,504 are refused.
     */
    NF_F16 = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum nf_storage nf_storage;
#else
typedef int32_t nf_storage;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A collection of an open store. Free it with nf_collection_free().
 */
typedef struct nf_collection nf_collection;

/**
 * An open store, behind whichever door its target names. Free it with nf_database_free().
 */
typedef struct nf_database nf_database;

/**
 * Names of collections, sorted. Free them with nf_names_free().
 */
typedef struct nf_names nf_names;

/**
 * Rows of memory of the door, from which an upsert takes vectors with the fewest copies. Free it
 * with nf_reservation_free().
 */
typedef struct nf_reservation nf_reservation;

/**
 * Points that were found: a list per query vector of a search, one list of a get or a scan. Free
 * them with nf_results_free(), which also takes the memory that nf_point leads to.
 */
typedef struct nf_results nf_results;

/**
 * The ids of a batch. Set `numbers`, or `texts`, or both where a batch has both kinds: then a
 * row whose text is NULL has the number.
 *
 * A text has 1 to 512 bytes of UTF-8; one in the canonical form of a UUID (lower case, with
 * hyphens) is that UUID. Members that are not used are NULL.
 */
typedef struct nf_ids {
    /**
     * `count` numbers, or NULL.
     */
    const uint64_t *numbers;
    /**
     * `count` texts, or NULL.
     */
    const char *const *texts;
    /**
     * The length of each text in bytes, or NULL if each ends with NUL.
     */
    const size_t *lengths;
    /**
     * How many ids there are: 1 to 1,048,576 (2^20).
     */
    size_t count;
} nf_ids;

/**
 * Settings of nf_create_collection() and nf_open_or_create_collection(). Start from
 * NF_COLLECTION_OPTIONS_INIT.
 */
typedef struct nf_collection_options {
    /**
     * sizeof(nf_collection_options).
     */
    size_t size;
    /**
     * How vectors are compared: an nf_metric; 0 for NF_COSINE.
     */
    int32_t metric;
    /**
     * How components are stored: an nf_storage; 0 for NF_F32.
     */
    int32_t storage;
    /**
     * Paths into metadata that are not indexed, such as "author.name": filters on them read the
     * points. NULL for none.
     */
    const char *const *unindexed_fields;
    /**
     * How many of them there are.
     */
    size_t unindexed_count;
} nf_collection_options;

/**
 * Settings of nf_connect(). Start from NF_CONNECT_OPTIONS_INIT; what is zero has its default.
 */
typedef struct nf_connect_options {
    /**
     * sizeof(nf_connect_options).
     */
    size_t size;
    /**
     * The API key that a server asks for; NULL for none.
     */
    const char *api_key;
    /**
     * A file of certificates (PEM) of the authorities to trust for https:// and grpcs://; NULL
     * for those that the platform trusts.
     */
    const char *ca_file;
    /**
     * How long a call to a server may take, in milliseconds; 0 for a minute.
     */
    uint64_t timeout_ms;
    /**
     * Bytes of memory that the engine of a path or of ":memory:" may take; 0 for no bound.
     */
    uint64_t memory_bytes_max;
    /**
     * Threads that one search of many vectors may use, for a path or ":memory:"; 0 for as many
     * as the machine has cores.
     */
    uint32_t search_threads;
    /**
     * Not 0: bodies over HTTP are JSON; 0: MessagePack.
     */
    uint8_t json;
    /**
     * Not 0: the engine keeps no 8-bit codes in memory, which take a byte per component.
     */
    uint8_t lean;
    /**
     * Not 0: a path is not shared with other processes, who are refused with NF_LOCKED.
     */
    uint8_t alone;
    /**
     * Must be 0.
     */
    uint8_t reserved;
} nf_connect_options;

/**
 * Settings of nf_get(). Start from NF_GET_OPTIONS_INIT.
 */
typedef struct nf_get_options {
    /**
     * sizeof(nf_get_options).
     */
    size_t size;
    /**
     * Not 0: points come without their vectors.
     */
    uint8_t without_vectors;
    /**
     * Not 0: points come without their metadata.
     */
    uint8_t without_metadata;
    /**
     * Must be 0.
     */
    uint8_t reserved[6];
} nf_get_options;

/**
 * Settings of nf_scan(). Start from NF_SCAN_OPTIONS_INIT.
 */
typedef struct nf_scan_options {
    /**
     * sizeof(nf_scan_options).
     */
    size_t size;
    /**
     * Points per page, 1 to 10,000; 0 for 1,000.
     */
    uint32_t limit;
    /**
     * Not 0: points come with their vectors.
     */
    uint8_t with_vectors;
    /**
     * Not 0: points come without their metadata.
     */
    uint8_t without_metadata;
    /**
     * Must be 0.
     */
    uint8_t reserved[2];
    /**
     * Where the page begins: nf_results_cursor() of the page before; 0 for the first page.
     */
    uint64_t cursor;
    /**
     * Reads only points that match; see nf_search_options. NULL for all.
     */
    const char *filter;
} nf_scan_options;

/**
 * Settings of nf_upsert() and nf_reservation_commit(). Start from NF_UPSERT_OPTIONS_INIT.
 */
typedef struct nf_upsert_options {
    /**
     * sizeof(nf_upsert_options).
     */
    size_t size;
    /**
     * How durable the points are when the call returns: an nf_durability; 0 for NF_SYNC.
     */
    int32_t durability;
    /**
     * Must be 0.
     */
    uint32_t reserved;
    /**
     * The metadata of each point: JSON objects of at most 1 MiB, NULL for a point that has none.
     * NULL where no point has any.
     */
    const char *const *metadata;
    /**
     * The length of each of them in bytes, or NULL if each ends with NUL.
     */
    const size_t *metadata_lengths;
    /**
     * Receives the number of the write, which the collection counts up; NULL if not wanted.
     */
    uint64_t *sequence;
} nf_upsert_options;

/**
 * A point that was found. What its pointers lead to is valid until the results are freed.
 */
typedef struct nf_point {
    /**
     * What the id is: an nf_id_kind.
     */
    int32_t kind;
    /**
     * Of a hit how near it is, see nf_metric; 0 for others.
     */
    float score;
    /**
     * The id if it is a number, else 0.
     */
    uint64_t number;
    /**
     * The id if it is a text or a UUID, else NULL. Ends with NUL.
     */
    const char *text;
    /**
     * Bytes of the text.
     */
    size_t text_length;
    /**
     * The vector, or NULL if it was not asked for.
     */
    const float *vector;
    /**
     * Components of the vector.
     */
    size_t dimension;
    /**
     * The metadata as a JSON object, or NULL if there is none or it was not asked for. Ends with
     * NUL.
     */
    const char *metadata;
    /**
     * Bytes of the metadata.
     */
    size_t metadata_length;
} nf_point;

/**
 * Settings of searches. Start from NF_SEARCH_OPTIONS_INIT.
 */
typedef struct nf_search_options {
    /**
     * sizeof(nf_search_options).
     */
    size_t size;
    /**
     * Hits per query vector, 1 to 10,000; 0 for 10.
     */
    uint32_t limit;
    /**
     * The share of the true nearest that is to be found on average, 0.5 to 1; 0 for 0.95. 1
     * compares every vector exactly.
     */
    float recall;
    /**
     * Finds only points that match, such as "genre = 'jazz' and year >= 1960", or the same as
     * JSON; NULL for all.
     */
    const char *filter;
    /**
     * Milliseconds after which the search is given up with NF_DEADLINE_EXCEEDED; 0 for never.
     */
    uint64_t timeout_ms;
    /**
     * Not 0: hits hold their metadata. Not for nf_search_into().
     */
    uint8_t with_metadata;
    /**
     * Not 0: hits hold their vectors. Not for nf_search_into().
     */
    uint8_t with_vectors;
    /**
     * Must be 0.
     */
    uint8_t reserved[6];
} nf_search_options;

/**
 * A collection's schema and state. Set `size` before nf_describe(), or start from
 * NF_DESCRIPTION_INIT. nf_call() with describe_collection tells more.
 */
typedef struct nf_description {
    /**
     * sizeof(nf_description).
     */
    size_t size;
    /**
     * Components per vector.
     */
    size_t dimension;
    /**
     * How vectors are compared: an nf_metric.
     */
    int32_t metric;
    /**
     * How components are stored: an nf_storage.
     */
    int32_t storage;
    /**
     * Points.
     */
    uint64_t count;
    /**
     * Rows that are in no list of the index yet; searches find them all the same.
     */
    uint64_t unindexed;
    /**
     * The number of the last write.
     */
    uint64_t sequence;
    /**
     * The number of the last write that is known to be on disk.
     */
    uint64_t synced;
    /**
     * Bytes of the log's files.
     */
    uint64_t log_bytes;
    /**
     * Bytes of memory that the collection takes, about.
     */
    uint64_t memory_bytes;
} nf_description;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Removes points by id; ids that are not there are passed over.
 *
 * `level` is an nf_durability. `deleted`, which may be NULL, receives how many points went.
 *
 * Errors: NF_TOO_LARGE over 1,048,576 ids; NF_NOT_FOUND if the collection was dropped;
 * NF_WRITES_STOPPED if a write to disk failed.
 */
nf_status nf_delete(struct nf_collection *collection,
                    const struct nf_ids *ids,
                    int32_t level,
                    uint64_t *deleted);

/**
 * Removes the points that match `filter`, such as "year < 1960"; see nf_search_options.
 *
 * `level` is an nf_durability. `deleted`, which may be NULL, receives how many points went.
 *
 * Errors: NF_INVALID_ARGUMENT for a filter that cannot be read; else as nf_delete().
 */
nf_status nf_delete_matching(struct nf_collection *collection,
                             const char *filter,
                             int32_t level,
                             uint64_t *deleted);

/**
 * Merges `patch`, a JSON object, into the metadata of points (RFC 7396: members replace, objects
 * merge, null removes); ids that are not there are passed over.
 *
 * `level` is an nf_durability. `updated`, which may be NULL, receives how many points there were.
 *
 * Errors: NF_INVALID_ARGUMENT if `patch` is no JSON object; else as nf_delete().
 */
nf_status nf_update_metadata(struct nf_collection *collection,
                             const struct nf_ids *ids,
                             const char *patch,
                             int32_t level,
                             uint64_t *updated);

/**
 * Merges `patch` into the metadata of the points that match `filter`; see nf_update_metadata().
 *
 * Errors: NF_INVALID_ARGUMENT if `patch` is no JSON object or `filter` cannot be read; else as
 * nf_delete().
 */
nf_status nf_update_metadata_matching(struct nf_collection *collection,
                                      const char *filter,
                                      const char *patch,
                                      int32_t level,
                                      uint64_t *updated);

/**
 * Makes a collection and opens it.
 *
 * `name` has 1 to 128 of the characters A-Z a-z 0-9 _ -; `dimension` is the number of components
 * of its vectors, 1 to 65,536; `options` may be NULL. `collection` receives the handle.
 *
 * Errors: NF_ALREADY_EXISTS if there is one of this name; NF_TOO_LARGE if the store has 10,000.
 */
nf_status nf_create_collection(struct nf_database *database,
                               const char *name,
                               size_t dimension,
                               const struct nf_collection_options *options,
                               struct nf_collection **collection);

/**
 * Opens a collection, and makes it if it is not there; the arguments are those of
 * nf_create_collection(). Callers that come at once all get the one collection.
 *
 * Errors: NF_ALREADY_EXISTS if there is one of this name with other settings, which the message
 * names; NF_FORBIDDEN if it is not there and the key may not make it.
 */
nf_status nf_open_or_create_collection(struct nf_database *database,
                                       const char *name,
                                       size_t dimension,
                                       const struct nf_collection_options *options,
                                       struct nf_collection **collection);

/**
 * Opens a collection. `collection` receives the handle.
 *
 * Errors: NF_NOT_FOUND if it is not there.
 */
nf_status nf_open_collection(struct nf_database *database,
                             const char *name,
                             struct nf_collection **collection);

/**
 * Removes a collection and all its points. Handles of it answer NF_NOT_FOUND from then on.
 *
 * Errors: NF_NOT_FOUND if it is not there.
 */
nf_status nf_drop_collection(struct nf_database *database, const char *name);

/**
 * Gives a collection handle back; the collection itself stays.
 *
 * Errors: NF_INVALID_ARGUMENT if the handle was freed before. NULL is fine.
 */
nf_status nf_collection_free(struct nf_collection *collection);

/**
 * Opens a store.
 *
 * `target` is a path such as "./data" (made if it is not there; if another process has it, that
 * one is asked through shared memory), "shm:./data" or "unix:./data" to insist on another process
 * by either way, ":memory:" for a store that is not kept, or the URL of a server:
 * "http://host:6327", "https://host", "grpc://host:6327", "grpcs://host". `options` may be NULL.
 * `database` receives the handle.
 *
 * Errors: NF_LOCKED if another process holds the path and does not share it; NF_STORAGE if it cannot be read or is not
 * a store; NF_CORRUPTION if its files are not what was written; NF_UNSUPPORTED for files of a
 * newer version and for doors that are not built in; NF_UNAVAILABLE if no owner or server
 * answers, and NF_UNAUTHENTICATED if it does not take the key.
 */
nf_status nf_connect(const char *target,
                     const struct nf_connect_options *options,
                     struct nf_database **database);

/**
 * Gives a database handle back. The store closes once its last handle is freed, those of its
 * collections and reservations included; what was acknowledged is kept either way.
 *
 * Errors: NF_INVALID_ARGUMENT if the handle was freed before. NULL is fine.
 */
nf_status nf_database_free(struct nf_database *database);

/**
 * Names the collections of a store. `names` receives the handle.
 */
nf_status nf_list_collections(struct nf_database *database, struct nf_names **names);

/**
 * How many names there are. 0 for a handle that is not open, which is noted as the last error.
 */
size_t nf_names_count(struct nf_names *names);

/**
 * The name at `position`, counted from 0. Valid until the names are freed. NULL beyond the last,
 * and for a handle that is not open, which is noted as the last error.
 */
const char *nf_names_get(struct nf_names *names, size_t position);

/**
 * Gives names back.
 *
 * Errors: NF_INVALID_ARGUMENT if the handle was freed before. NULL is fine.
 */
nf_status nf_names_free(struct nf_names *names);

/**
 * Reads points by id. `options` may be NULL. `results` receives the handle: one list with a point
 * per id, in their order; of an id that is not there the kind is NF_ID_MISSING.
 *
 * Errors: NF_TOO_LARGE over 1,048,576 ids; NF_NOT_FOUND if the collection was dropped.
 */
nf_status nf_get(struct nf_collection *collection,
                 const struct nf_ids *ids,
                 const struct nf_get_options *options,
                 struct nf_results **results);

/**
 * Reads all points, page by page, in an order that stays the same. `options` may be NULL.
 * `results` receives the handle: one list; nf_results_cursor() tells where the next page begins.
 *
 * Errors: NF_INVALID_ARGUMENT for a filter that cannot be read; NF_NOT_FOUND if the collection
 * was dropped.
 */
nf_status nf_scan(struct nf_collection *collection,
                  const struct nf_scan_options *options,
                  struct nf_results **results);

/**
 * Counts the points that match `filter`, or all if it is NULL. `count` receives the number.
 *
 * Errors: NF_INVALID_ARGUMENT for a filter that cannot be read; NF_NOT_FOUND if the collection
 * was dropped.
 */
nf_status nf_count(struct nf_collection *collection, const char *filter, uint64_t *count);

/**
 * Reserves memory for `rows` vectors of a collection. `reservation` receives the handle.
 *
 * Errors: NF_TOO_LARGE if no upsert could send so many (64 MiB); NF_OVERLOADED while too much is
 * reserved; NF_NOT_FOUND if the collection was dropped.
 */
nf_status nf_reserve(struct nf_collection *collection,
                     size_t rows,
                     struct nf_reservation **reservation);

/**
 * Where the vectors are to be written: rows of the collection's dimension, one after the other,
 * zero at first. Valid until the reservation is freed; ask again after each commit. Nobody may
 * write there during nf_reservation_commit(). NULL for a handle that is not open and for one without
 * rows, as in a forked child, which is noted as the last error.
 */
float *nf_reservation_values(struct nf_reservation *reservation);

/**
 * How many rows there are. 0 for a handle that is not open, which is noted as the last error.
 */
size_t nf_reservation_rows(struct nf_reservation *reservation);

/**
 * Components per row. 0 for a handle that is not open, which is noted as the last error.
 */
size_t nf_reservation_dimension(struct nf_reservation *reservation);

/**
 * Writes the first rows as points, one per id; `options` may be NULL. The reservation stays, and
 * may be written and committed again.
 *
 * Errors: as nf_upsert(); NF_INVALID_ARGUMENT if there are more ids than rows.
 */
nf_status nf_reservation_commit(struct nf_reservation *reservation,
                                const struct nf_ids *ids,
                                const struct nf_upsert_options *options);

/**
 * Writes the first `count` rows as points whose ids are numbers, without metadata; `level` is an
 * nf_durability. The reservation stays, and may be written and committed again.
 *
 * Errors: as nf_reservation_commit().
 */
nf_status nf_reservation_commit_numbers(struct nf_reservation *reservation,
                                        const uint64_t *ids,
                                        size_t count,
                                        int32_t level);

/**
 * Gives a reservation back, with its memory.
 *
 * Errors: NF_INVALID_ARGUMENT if the handle was freed before. NULL is fine.
 */
nf_status nf_reservation_free(struct nf_reservation *reservation);

/**
 * How many lists there are: one per query vector of a search, one for a get or a scan. 0 for a
 * handle that is not open, which is noted as the last error.
 */
size_t nf_results_lists(struct nf_results *results);

/**
 * How many points a list has; of a get one per id that was asked for. 0 for a list that is not
 * there and a handle that is not open, which is noted as the last error.
 */
size_t nf_results_count(struct nf_results *results, size_t list);

/**
 * Reads the point at `position` of a list, both counted from 0. `point` receives it.
 *
 * Errors: NF_INVALID_ARGUMENT beyond the last.
 */
nf_status nf_results_point(struct nf_results *results,
                           size_t list,
                           size_t position,
                           struct nf_point *point);

/**
 * Where the next page of a scan begins, for the options of nf_scan(). 0 after the last page, and
 * for a handle that is not open, which is noted as the last error.
 */
uint64_t nf_results_cursor(struct nf_results *results);

/**
 * Gives results back, with all memory that their points led to.
 *
 * Errors: NF_INVALID_ARGUMENT if the handle was freed before. NULL is fine.
 */
nf_status nf_results_free(struct nf_results *results);

/**
 * Finds the points nearest to each of `count` query vectors, and writes ids and scores into
 * memory of the caller: the nearest first, ties by id.
 *
 * `vectors` has `count` rows (1 to 10,000) of `dimension` components. `options` may be NULL.
 * `ids` and `scores` have room for `count` times the limit of the options; the hits of query q
 * begin at q times the limit. `counts`, which may be NULL, has room for `count` numbers and
 * receives how many hits each query has; what lies behind them is left as it was.
 *
 * Errors: NF_INVALID_ARGUMENT for vectors of another dimension or components that are not finite
 * (nf_last_error_row() tells the query), and for a filter that cannot be read; NF_UNSUPPORTED if
 * a hit's id is no number: use nf_search(); NF_NOT_FOUND if the collection was dropped.
 */
nf_status nf_search_into(struct nf_collection *collection,
                         const float *vectors,
                         size_t count,
                         size_t dimension,
                         const struct nf_search_options *options,
                         uint64_t *ids,
                         float *scores,
                         size_t *counts);

/**
 * Finds the points nearest to each of `count` query vectors: the nearest first, ties by id.
 *
 * `vectors` has `count` rows (1 to 10,000) of `dimension` components. `options` may be NULL.
 * `results` receives the handle: a list of hits per query vector.
 *
 * Errors: NF_INVALID_ARGUMENT for vectors of another dimension or components that are not finite
 * (nf_last_error_row() tells the query), and for a filter that cannot be read; NF_TOO_LARGE for
 * more than 1,000,000 hits over all queries; NF_NOT_FOUND if the collection was dropped.
 */
nf_status nf_search(struct nf_collection *collection,
                    const float *vectors,
                    size_t count,
                    size_t dimension,
                    const struct nf_search_options *options,
                    struct nf_results **results);

/**
 * Tells a collection's schema and state. `description` receives it, as far as its `size` says.
 *
 * Errors: NF_NOT_FOUND if the collection was dropped.
 */
nf_status nf_describe(struct nf_collection *collection, struct nf_description *description);

/**
 * Makes all acknowledged writes durable: the barrier after a load with NF_OS. `sequence`, which
 * may be NULL, receives the number of the last write that is on disk for it.
 *
 * Errors: NF_WRITES_STOPPED if a write to disk failed; NF_NOT_FOUND if the collection was dropped.
 */
nf_status nf_flush(struct nf_collection *collection, uint64_t *sequence);

/**
 * Gives back the space of points that were removed or replaced. `bytes_before` and `bytes_after`,
 * which may be NULL, receive what the log's files took and take.
 *
 * Errors: NF_STORAGE if the files cannot be written; NF_NOT_FOUND if the collection was dropped.
 */
nf_status nf_compact(struct nf_collection *collection,
                     uint64_t *bytes_before,
                     uint64_t *bytes_after);

/**
 * Copies a consistent view of a collection into the folder `destination`, which must not exist;
 * `nearfield restore` takes it into a store. `count`, which may be NULL, receives the number of
 * its points. Writes go on meanwhile.
 *
 * Errors: NF_STORAGE if the files cannot be written; NF_NOT_FOUND if the collection was dropped.
 */
nf_status nf_snapshot(struct nf_collection *collection, const char *destination, uint64_t *count);

/**
 * The status of the last call of this thread that failed; NF_OK if none did.
 */
nf_status nf_last_error_status(void);

/**
 * What went wrong in the last call of this thread that failed, and what to do next: one sentence
 * for a person. Empty if none failed, never NULL. Valid until the next call of this thread fails.
 */
const char *nf_last_error_message(void);

/**
 * The name of the kind of the last error of this thread, such as "invalid_argument", the same as
 * on every wire. Empty if no call failed, never NULL. Valid until the next call of this thread
 * fails.
 */
const char *nf_last_error_kind(void);

/**
 * The field of the request that is at fault in the last error of this thread, such as "vectors";
 * NULL if the error names none. Valid until the next call of this thread fails.
 */
const char *nf_last_error_field(void);

/**
 * The row of the batch that is at fault in the last error of this thread, counted from 0; -1 if
 * the error names none.
 */
int64_t nf_last_error_row(void);

/**
 * The version of the library, such as "0.1.0". Valid for ever.
 */
const char *nf_version(void);

/**
 * Answers any request, written as JSON: the verb with its members, such as
 * {"count": {"collection": "docs", "filter": "year >= 1960"}}. docs/wire.md tells the members of
 * each verb; the response is {"count": {"count": 3}}.
 *
 * For what has no function of its own, and for programs that have their requests as JSON.
 * `response` receives the response's text, to be freed with nf_text_free(); `length`, which may
 * be NULL, its bytes without the NUL.
 *
 * Errors: NF_INVALID_ARGUMENT if `request` is no request; and those of the request.
 */
nf_status nf_call(struct nf_database *database,
                  const char *request,
                  char **response,
                  size_t *length);

/**
 * Gives back a text that nf_call() handed out.
 *
 * Errors: NF_INVALID_ARGUMENT if it was given back before or is not of this library. NULL is
 * fine.
 */
nf_status nf_text_free(char *text);

/**
 * Writes one point whose id is a number, without metadata; a point of this id is replaced.
 *
 * `vector` has `dimension` components; `durability` is an nf_durability. With NF_OS, or many
 * threads, one point per call is fast; with NF_SYNC each call waits for the disk.
 *
 * Errors: as nf_upsert().
 */
nf_status nf_upsert_one(struct nf_collection *collection,
                        uint64_t id,
                        const float *vector,
                        size_t dimension,
                        int32_t durability);

/**
 * Writes points whose ids are numbers, without metadata; points of these ids are replaced.
 *
 * `ids` has `count` numbers, `vectors` `count` rows of `dimension` components, one after the
 * other; `durability` is an nf_durability. All of it is written, or nothing. Where an id occurs
 * twice, the last of its points counts.
 *
 * Errors: as nf_upsert().
 */
nf_status nf_upsert_numbers(struct nf_collection *collection,
                            const uint64_t *ids,
                            const float *vectors,
                            size_t count,
                            size_t dimension,
                            int32_t durability);

/**
 * Writes points; points of the same ids are replaced, metadata included.
 *
 * `vectors` has a row of `dimension` components per id, one after the other. `options` may be
 * NULL. All of the batch is written, or nothing.
 *
 * Errors: NF_INVALID_ARGUMENT for vectors of another dimension, components that are not finite,
 * zero vectors under NF_COSINE, and metadata that is no JSON object: nf_last_error_row() tells
 * the row; NF_TOO_LARGE over 1,048,576 points or 64 MiB (split the batch); NF_NOT_FOUND if the
 * collection was dropped; NF_WRITES_STOPPED if a write to disk failed; NF_OUT_OF_MEMORY.
 */
nf_status nf_upsert(struct nf_collection *collection,
                    const struct nf_ids *ids,
                    const float *vectors,
                    size_t dimension,
                    const struct nf_upsert_options *options);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* NEARFIELD_H */
