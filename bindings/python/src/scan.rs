//! All points, one after the other, page by page behind the scenes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use nearfield::Cursor;
use pyo3::prelude::*;

use crate::call::call;
use crate::points::Point;
use crate::store::Store;

/// An iterator over points.
#[pyclass(frozen, module = "nearfield")]
pub(crate) struct Scan {
    store: Arc<Store>,
    place: Mutex<Place>,
}

struct Place {
    request: nearfield::Scan,
    page: VecDeque<nearfield::Point>,
    ended: bool,
}

impl Scan {
    pub(crate) fn new(store: Arc<Store>, request: nearfield::Scan) -> Scan {
        let place = Place {
            request,
            page: VecDeque::new(),
            ended: false,
        };
        Scan {
            store,
            place: Mutex::new(place),
        }
    }
}

#[pymethods]
impl Scan {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Point>> {
        loop {
            let request = {
                let mut place = self.place();
                if let Some(point) = place.page.pop_front() {
                    return Ok(Some(Point::new(point)));
                }
                if place.ended {
                    return Ok(None);
                }
                place.request.clone()
            };
            // Two threads that come here both read the page; one of them keeps it.
            let database = self.store.database(py)?;
            let scanned = call(py, &database, true, || request.clone())?;
            let mut place = self.place();
            if place.request.cursor == request.cursor && !place.ended {
                place.ended = scanned.next.is_none();
                place.request.cursor = scanned.next.or(request.cursor);
                place.page = scanned.points.into();
            }
        }
    }

    /// Where the page after the points read so far begins; None after the last page.
    #[getter]
    fn cursor(&self) -> Option<u64> {
        let place = self.place();
        match place.ended {
            true => None,
            false => place.request.cursor.map(|Cursor(at)| at),
        }
    }
}

impl Scan {
    /// Held for moments alone, and never while Python's code runs.
    fn place(&self) -> std::sync::MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
