//! What users tune, with defaults.

/// Settings of an engine. Make one with [`Options::default`] and change what differs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// What the lock file tells others about this process, such as `nearfield import`.
    pub program: String,
    /// Whether the lock file tells others that they can join this process. The engine lets nobody
    /// in by itself, so this is for what puts a door before it; false unless said otherwise.
    pub shared: bool,
    /// Whether processes of other users may join, too, who are of the group of the socket in the
    /// folder: that of this process, or the folder's where its setgid bit is set. They never take
    /// over. False unless said otherwise.
    pub shared_with_group: bool,
    /// Whether a path without a store is made into one; true unless said otherwise.
    pub create: bool,
    /// Threads that one search of many query vectors may use; as many as the machine has
    /// cores unless said otherwise.
    pub search_threads: usize,
    /// Bytes at which a log file is full, a multiple of 1 MiB; 64 MiB unless said otherwise.
    pub log_file_bytes: u64,
    /// A checkpoint is written once the log has grown by this many bytes and by an eighth;
    /// 64 MiB unless said otherwise.
    pub checkpoint_bytes: u64,
    /// Points from which on a collection keeps an index; 20,000 unless said otherwise. Fewer are
    /// searched by a scan of their codes.
    pub index_rows: u32,
    /// Rows that move into the index at a time, at most; 65,536 unless said otherwise.
    pub index_batch_rows: u32,
    /// Keeps no 8-bit codes of indexed vectors in memory, which take a byte per component: searches
    /// then read more vectors from the log's files. False unless said otherwise.
    pub lean: bool,
    /// Bytes of memory that the engine may take for ids, codes, metadata indexes and requests
    /// under way, over all collections; no bound unless said otherwise. Upserts, updates of
    /// metadata and new collections that would go beyond are refused with `OutOfMemory`, and so
    /// are searches whose results are larger than what is left, a sixteenth of the bound, and
    /// 1 MiB. All else goes on. What is taken is counted now and then and estimated in between,
    /// so the bound is kept to within a few percent. Files count where a store lives in memory;
    /// the page cache does not count.
    pub memory_bytes_max: Option<u64>,
    /// Rows per list of a newly trained index, about; 256 unless said otherwise.
    pub index_list_rows: u32,
    /// Points up to which a search compares all that may be found, without a look at codes; 512
    /// unless said otherwise.
    pub exact_rows: u32,
    /// Whether background threads work (encoding, checkpoints, zeros written ahead, the index).
    /// Off, the same work is done by the writers, in a fixed order, and what waits for a moment
    /// without writes is done by `flush`: for simulations.
    pub background: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            program: "a program that embeds nearfield".to_owned(),
            shared: false,
            shared_with_group: false,
            create: true,
            search_threads: std::thread::available_parallelism().map_or(1, usize::from),
            log_file_bytes: 64 << 20,
            checkpoint_bytes: 64 << 20,
            index_rows: 20_000,
            index_batch_rows: 1 << 16,
            lean: false,
            memory_bytes_max: None,
            index_list_rows: 256,
            exact_rows: 512,
            background: true,
        }
    }
}
