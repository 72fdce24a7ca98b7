//! `nearfield create`

use clap::{Args, ValueEnum};
use nearfield::CreateCollection;
use serde_json::json;

use crate::failure::Outcome;
use crate::show::Output;
use crate::store::{GivenName, Store, StorePath};

/// Make an empty collection, and the store if there is none
#[derive(Args, Debug)]
#[command(override_usage = "nearfield create [OPTIONS] --dimension <DIMENSION> <PATH> <NAME>")]
#[command(after_help = "\
`import` makes its collection by itself; this is for programs that fill it later.

Examples:
  nearfield create ./data docs --dimension 384
  nearfield create ./data photos --dimension 512 --metric dot --storage f16")]
pub(crate) struct Create {
    #[command(flatten)]
    store: StorePath,

    #[command(flatten)]
    name: GivenName,

    /// Components per vector
    #[arg(short, long, env = "NEARFIELD_DIMENSION", hide_env_values = true)]
    dimension: usize,

    #[command(flatten)]
    schema: Schema,

    /// A metadata field that is not indexed; may be given several times
    #[arg(long, value_name = "FIELD")]
    unindexed_field: Vec<String>,
}

/// How a collection that is made measures and stores.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Schema {
    /// How nearness is measured [default: cosine]
    #[arg(
        short,
        long,
        value_enum,
        env = "NEARFIELD_METRIC",
        hide_env_values = true
    )]
    pub(crate) metric: Option<Metric>,

    /// How components are stored [default: f32]
    #[arg(
        short,
        long,
        value_enum,
        env = "NEARFIELD_STORAGE",
        hide_env_values = true
    )]
    pub(crate) storage: Option<Storage>,
}

/// How nearness is measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Metric {
    /// Angle between vectors, whatever their length; larger scores are nearer
    Cosine,
    /// Inner product; larger scores are nearer
    Dot,
    /// Straight distance; smaller scores are nearer
    Euclidean,
}

/// How components are stored.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Storage {
    /// 4 bytes each, as given
    F32,
    /// 2 bytes each, rounded
    F16,
}

impl From<Metric> for nearfield::Metric {
    fn from(metric: Metric) -> Self {
        match metric {
            Metric::Cosine => nearfield::Metric::Cosine,
            Metric::Dot => nearfield::Metric::Dot,
            Metric::Euclidean => nearfield::Metric::Euclidean,
        }
    }
}

impl From<Storage> for nearfield::Storage {
    fn from(storage: Storage) -> Self {
        match storage {
            Storage::F32 => nearfield::Storage::F32,
            Storage::F16 => nearfield::Storage::F16,
        }
    }
}

impl Schema {
    /// The request that makes such a collection.
    pub(crate) fn create(self, name: &str, dimension: usize) -> CreateCollection {
        let metric = self.metric.map(Into::into).unwrap_or_default();
        let storage = self.storage.map(Into::into).unwrap_or_default();
        CreateCollection::new(name, dimension, metric).storage(storage)
    }
}

impl Create {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let store = Store::open_or_create(&self.store, "create")?;
        let name = self.name.get();
        let request = self
            .schema
            .create(name, self.dimension)
            .unindexed_fields(self.unindexed_field);
        let (metric, storage) = (request.metric, request.storage);
        store.call(request)?;
        output.json(&json!({
            "collection": name,
            "dimension": self.dimension,
            "metric": metric,
            "storage": storage,
        }))?;
        output.text(&format!(
            "made {name}: {} components, {metric}, stored as {}\n",
            self.dimension,
            storage.as_str()
        ))
    }
}
