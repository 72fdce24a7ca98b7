//! `nearfield serve`

mod config;
mod flags;
mod logs;
mod observers;
#[cfg(feature = "otel")]
mod traces;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use nearfield::{Budget, Builder, Database, ErrorKind};
use nearfield_http::server::{self, Limited, Server};
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use crate::budget;
use crate::failure::{Failure, Outcome};
use crate::show::Output;
use crate::store::Sharing;
use observers::Observers;

/// Answer over the network: HTTP with JSON and MessagePack, and gRPC on the same port
#[derive(Args, Debug)]
#[command(after_help = "\
Each option can also be set in the environment, or in the file of --config under the same name,
such as `listen = \"0.0.0.0:6327\"`; options come before the environment, and that before the file.
The file is TOML.

Other processes may have the path open, too: if one has it already, it is asked, and should it
end, this one takes over.

SIGTERM and Ctrl-C end the server once what was accepted is answered; SIGHUP reads keys and
certificates again.

Examples:
  nearfield serve ./data
  nearfield serve ./data --listen 0.0.0.0:6327 --keys keys.txt --allowed-host db.example.com
  curl -X PUT localhost:6327/v1/collections/docs -H 'content-type: application/json' \\
       -d '{\"dimension\": 3}'")]
pub(crate) struct Serve {
    /// The folder of the store, such as ./data; it is made if it is not there
    path: String,

    #[command(flatten)]
    sharing: Sharing,

    /// Read options from this file
    #[arg(
        long,
        value_name = "FILE",
        env = "NEARFIELD_CONFIG",
        hide_env_values = true
    )]
    config: Option<PathBuf>,

    #[command(flatten)]
    flags: flags::Flags,
}

impl Serve {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let serve = match &self.config {
            Some(file) => config::read(file)?,
            None => self,
        };
        logs::start(&serve.flags);
        serve.serve(output)
    }

    fn serve(self, output: Output) -> Outcome {
        let target = &self.path;
        let mut signals = listen_to_signals()?;
        let settings = self.flags.settings();
        let limited = Arc::new(Limited::closed(settings.calls_max));
        let observers = Observers::new(&self.flags)?;
        // Both doors draw on one budget.
        let budget = Budget::new(settings.bodies_bytes_max);
        // Probes are answered while the store is being opened.
        let grpc = nearfield_grpc::server::router(
            limited.clone(),
            Some(observers.all.clone()),
            for_grpc(&settings, Arc::clone(&budget)),
        );
        let server = server::Builder::new(Arc::clone(&limited), settings)
            .metrics(Arc::clone(&observers.metrics))
            .observer(observers.all.clone())
            .budget(budget)
            .grpc(grpc)
            .start()
            .map_err(|error| Failure::of_server(&error))?;
        let database = self.open(target)?;
        limited.open(database.service());
        announce(&server, target, &output)?;
        for signal in signals.forever() {
            match signal {
                SIGHUP => match server.reload() {
                    Ok(()) => tracing::info!("keys and certificates were read again"),
                    Err(error) => {
                        tracing::error!(%error, "keys and certificates stay as they were")
                    }
                },
                _ => break,
            }
        }
        tracing::info!("ending");
        server.shutdown();
        observers.end();
        tracing::info!("ended");
        Ok(())
    }

    fn open(&self, target: &str) -> Outcome<Database> {
        let scheme = target.split_once("://").map(|(scheme, _)| scheme);
        if scheme.is_some_and(|scheme| !scheme.contains('/')) {
            return Err(Failure::usage(format!(
                "{target} is a server already; give the folder of a store"
            )));
        }
        Builder::new(target)
            .options(|options| {
                options.program = "nearfield serve".to_owned();
                options.lean = self.flags.lean;
                options.shared_with_group = self.flags.share_group;
                options.memory_bytes_max = budget::bytes_max();
            })
            .share(self.sharing.is_on())
            .open()
            .map_err(|error| Failure::of(&error, target))
    }
}

/// What `serve` was told, for the gRPC door.
fn for_grpc(settings: &server::Settings, budget: Arc<Budget>) -> nearfield_grpc::server::Settings {
    let mut grpc = nearfield_grpc::server::Settings::default();
    grpc.message_bytes_max = grpc.message_bytes_max.min(settings.body_bytes_max);
    grpc.budget = budget;
    grpc.pause_max = settings.body_pause_max;
    grpc.arrival_max = settings.body_timeout;
    grpc.calls_max = settings.calls_max;
    grpc
}

/// A second signal ends the process at once.
fn listen_to_signals() -> Outcome<Signals> {
    let failed = |error: std::io::Error| Failure::system("listen to signals", &error);
    let ending = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The order matters: the second signal finds the flag that the first one set.
        flag::register_conditional_default(signal, Arc::clone(&ending)).map_err(failed)?;
        flag::register(signal, Arc::clone(&ending)).map_err(failed)?;
    }
    Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(failed)
}

fn announce(server: &Server, target: &str, output: &Output) -> Outcome {
    let scheme = if server.has_tls() { "https" } else { "http" };
    let url = format!("{scheme}://{}", server.local_addr());
    tracing::info!(%url, store = target, "listening");
    output.json(&json!({"url": url, "store": target}))?;
    output.text(&format!(
        "{target} is served at {url}; {url}/docs lists what it answers\n"
    ))
}

impl Failure {
    /// What keeps a server from starting.
    fn of_server(error: &nearfield::Error) -> Self {
        let failure = Failure::of(error, "the server");
        match error.kind() {
            ErrorKind::Forbidden => failure
                .hint("`nearfield key create NAME --right admin` makes a key for --keys FILE"),
            ErrorKind::Unavailable => failure.hint(
                "choose another address with --listen, such as 127.0.0.1:6328, or end what listens there",
            ),
            _ => failure.hint("`nearfield help serve` explains the options"),
        }
    }
}
