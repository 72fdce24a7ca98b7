//! A service whose counts last until they are abandoned.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use nearfield::{Context, Error, ErrorKind, Listed, Request, Response, Result, Service};

/// Counts last until their context ends, and tell why it did; lists are answered at once, and
/// all else panics.
pub(crate) struct Patient {
    ends: Mutex<Sender<ErrorKind>>,
}

impl Patient {
    /// The service, and where it tells how counts ended.
    pub(crate) fn new() -> (Self, Receiver<ErrorKind>) {
        let (sender, receiver) = channel();
        let ends = Mutex::new(sender);
        (Patient { ends }, receiver)
    }
}

impl Service for Patient {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        match request {
            Request::Count(_) => loop {
                if let Err(error) = context.check() {
                    let _gone = self.ends.lock().unwrap().send(error.kind());
                    return Err(error);
                }
                std::thread::sleep(Duration::from_millis(1));
            },
            Request::ListCollections(_) => Ok(Response::ListCollections(Listed {
                collections: vec!["docs".to_owned()],
            })),
            Request::Flush(_) => Err(Error::new(ErrorKind::WritesStopped, "no more")),
            other => panic!("the fake knows no {}", other.verb()),
        }
    }
}
