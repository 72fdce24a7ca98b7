//! How stages are drawn and named.

use nearfield::Stage;

/// A stage, the colour that it has on a page, and what it is.
pub(super) struct Look {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    pub(super) about: &'static str,
}

/// All stages, in the order of a call's way.
pub(super) fn looks() -> impl Iterator<Item = Look> {
    Stage::ALL.into_iter().map(|stage| {
        let (class, about) = match stage {
            Stage::ClientEncode => ("s1", "the client turns the request into bytes"),
            Stage::Send => ("s2", "the request is on its way"),
            Stage::Decode => ("s3", "the server turns bytes into a request"),
            Stage::Copy => ("s4", "bytes are copied within a process"),
            Stage::Queue => ("s5", "the request waits for a thread"),
            Stage::Engine => ("s6", "the engine works"),
            Stage::Encode => ("s7", "the server turns the response into bytes"),
            Stage::Receive => ("s8", "the response is on its way"),
            Stage::ClientDecode => ("s9", "the client turns bytes into a response"),
            Stage::Ffi => ("s10", "the border between languages is crossed"),
        };
        Look {
            name: stage.as_str(),
            class,
            about,
        }
    })
}
