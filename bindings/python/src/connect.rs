//! `connect`: a target becomes an open store.

use std::path::PathBuf;
use std::time::Duration;

use nearfield::Builder;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::database::Database;
use crate::error::{invalid, raise};
use crate::store::Store;

/// Opens a store: a path such as ``./data`` (made if it is not there), which several processes may
/// open at once; ``:memory:``; or the URL of a server, such as ``http://host:6327`` or
/// ``grpc://host:6327``.
///
/// For servers: ``api_key``; ``timeout``, the seconds that a call may take; ``connect_timeout``;
/// ``retry_timeout``, the seconds for which a call is sent again while the server is away;
/// ``json``, bodies in JSON and not in MessagePack; ``ca_file``, certificates to trust. For paths:
/// ``share``, whether other processes may open the path as well; ``create``, whether a path without a store is made into one;
/// ``search_threads``, the threads of one search of many vectors; ``memory_bytes_max``, a bound
/// for what the engine keeps; ``lean``, less memory and slower searches.
///
/// >>> import nearfield
/// >>> with nearfield.connect(":memory:") as db:
/// ...     db
/// Database(":memory:")
#[pyfunction]
#[pyo3(signature = (
    target, *, api_key = None, timeout = 60.0, connect_timeout = 5.0, retry_timeout = 10.0,
    json = false, ca_file = None, share = true, create = true, search_threads = None, memory_bytes_max = None,
    lean = false
))]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
pub(crate) fn connect(
    py: Python<'_>,
    target: &Bound<'_, PyAny>,
    api_key: Option<String>,
    timeout: f64,
    connect_timeout: f64,
    retry_timeout: f64,
    json: bool,
    ca_file: Option<PathBuf>,
    share: bool,
    create: bool,
    search_threads: Option<usize>,
    memory_bytes_max: Option<u64>,
    lean: bool,
) -> PyResult<Database> {
    let target = text_of(target)?;
    let timeout = seconds(py, "timeout", timeout)?;
    let connect_timeout = seconds(py, "connect_timeout", connect_timeout)?;
    let retry_timeout = seconds(py, "retry_timeout", retry_timeout)?;
    let builder = Builder::new(&target)
        .share(share)
        .options(|options| {
            options.program = "Python".to_owned();
            options.create = create;
            options.search_threads = search_threads.unwrap_or(options.search_threads);
            options.memory_bytes_max = memory_bytes_max;
            options.lean = lean;
        })
        .remote(|remote| {
            remote.api_key = api_key;
            remote.timeout = timeout;
            remote.connect_timeout = connect_timeout;
            remote.retry_timeout = retry_timeout;
            remote.json = json;
            remote.ca_file = ca_file;
        });
    let opened = py.detach(|| builder.open());
    let database = opened.map_err(|error| raise(py, error))?;
    Ok(Database::new(Store::new(target, database)))
}

/// A text, or a path of `pathlib`.
fn text_of(target: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = target.cast::<PyString>() {
        return Ok(text.to_str()?.to_owned());
    }
    let path: PathBuf = target
        .extract()
        .map_err(|_| PyTypeError::new_err("the target is a text or a path"))?;
    path.into_os_string()
        .into_string()
        .map_err(|path| PyTypeError::new_err(format!("{path:?} is not valid UTF-8")))
}

fn seconds(py: Python<'_>, field: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| invalid(py, field, format!("{seconds} seconds: {error}")))
}
