//! Giving memory back to the system.
#![allow(unsafe_code, reason = "a call into the C library")]

/// Has the allocator give back what it keeps for later. The GNU C library keeps megabytes per
/// thread after work that came in large pieces, and more the larger they were; other allocators
/// are left alone.
pub(crate) fn give_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` may be called at any time, from any thread; it moves nothing that is in
    // use.
    unsafe {
        libc::malloc_trim(0);
    }
}
