//! Opens a collection that is as it was asked for, and makes it if it is not there.

use std::collections::BTreeSet;

use nearfield_model::{
    Context, CreateCollection, DescribeCollection, Description, Error, ErrorKind, Metric, Result,
};

use crate::collection::Collection;
use crate::database::Database;

/// How often a collection may be dropped while it is opened; then the last refusal is told.
const DROPS_MAX: usize = 8;
/// The fields of a list that an error shows.
const FIELDS_SHOWN: usize = 8;

impl Database {
    /// Opens a collection, and makes it if it is not there: for programs that run again, and for
    /// several that start at once, which all get the one collection. One that is there has to be
    /// what [`create_collection`](Self::create_collection) would make, stored as `f32` and with
    /// all fields indexed; [`open_or_create`](Self::open_or_create) asks for other settings, and
    /// [`collection`](Self::collection) opens it whatever they are.
    ///
    /// ```
    /// use nearfield::{Batch, ErrorKind, Metric};
    ///
    /// # fn main() -> nearfield::Result<()> {
    /// let db = nearfield::connect(":memory:")?;
    /// for run in 0..2 {
    ///     let albums = db.open_or_create_collection("albums", 3, Metric::Cosine)?;
    ///     albums.upsert(Batch::new([run], &[1., 0., 0.])).run()?;
    /// }
    /// assert_eq!(db.collection("albums")?.count().run()?.count, 2);
    ///
    /// let other = db.open_or_create_collection("albums", 3, Metric::Dot).unwrap_err();
    /// assert_eq!(other.kind(), ErrorKind::AlreadyExists);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `AlreadyExists` if it is there with other settings, which the message names; `Forbidden` if
    /// it is not there and the key may not make it.
    pub fn open_or_create_collection(
        &self,
        name: impl Into<String>,
        dimension: usize,
        metric: Metric,
    ) -> Result<Collection> {
        self.open_or_create(CreateCollection::new(name, dimension, metric))
    }

    /// Opens a collection of these settings, and makes it if it is not there.
    ///
    /// ```
    /// use nearfield::{CreateCollection, Metric, Storage};
    ///
    /// # fn main() -> nearfield::Result<()> {
    /// let db = nearfield::connect(":memory:")?;
    /// let albums = CreateCollection::new("albums", 3, Metric::Dot).storage(Storage::F16);
    /// let albums = db.open_or_create(albums)?;
    /// assert_eq!(albums.describe()?.storage, Storage::F16);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`open_or_create_collection`](Self::open_or_create_collection).
    pub fn open_or_create(&self, asked: CreateCollection) -> Result<Collection> {
        self.open_or_create_with(&mut Context::default(), asked)
    }

    /// Opens or makes a collection with a deadline, a cancellation, or a request id of the
    /// caller's, under which it is made.
    ///
    /// # Errors
    /// As [`open_or_create_collection`](Self::open_or_create_collection), and `DeadlineExceeded`
    /// or `Cancelled`.
    pub fn open_or_create_with(
        &self,
        context: &mut Context,
        asked: CreateCollection,
    ) -> Result<Collection> {
        let given = context.request_id;
        let mut drops = 0;
        loop {
            // Asked first: most often it is there, and a key that may not make it may open it.
            match self.call_with(context, DescribeCollection::new(&asked.collection)) {
                Err(error) if error.kind() == ErrorKind::NotFound => context.request_id = given,
                there => {
                    agree(&asked, &there?)?;
                    return Ok(Collection::new(self.clone(), asked.collection));
                }
            }
            match self.call_with(context, asked.clone()) {
                // Another has made it meanwhile.
                Err(error) if error.kind() == ErrorKind::AlreadyExists && drops < DROPS_MAX => {
                    context.request_id = given;
                    drops += 1;
                }
                made => return Ok(Collection::new(self.clone(), made?.collection)),
            }
        }
    }
}

/// Refuses a collection that is not as it was asked for.
fn agree(asked: &CreateCollection, there: &Description) -> Result<()> {
    let settings = [
        (
            "dimension",
            asked.dimension.to_string(),
            there.dimension.to_string(),
        ),
        ("metric", asked.metric.to_string(), there.metric.to_string()),
        (
            "storage",
            asked.storage.as_str().to_owned(),
            there.storage.as_str().to_owned(),
        ),
    ];
    let mut differing: Vec<(&str, String, String)> = settings
        .into_iter()
        .filter(|(_, asked, there)| asked != there)
        .collect();
    let (fields, known) = (set(&asked.unindexed_fields), set(&there.unindexed_fields));
    if fields != known {
        differing.push(("unindexed_fields", shown(&fields), shown(&known)));
    }
    let Some((field, ..)) = differing.first() else {
        return Ok(());
    };
    let told: Vec<String> = differing
        .iter()
        .map(|(setting, asked, there)| format!("{setting} {there} where {asked} was asked for"))
        .collect();
    Err(Error::new(
        ErrorKind::AlreadyExists,
        format!(
            "collection {} exists with {}; ask for what it has, open it as it is, or choose another name",
            asked.collection,
            told.join(" and ")
        ),
    )
    .in_field(*field))
}

/// Fields without order and repetition, neither of which means anything.
fn set(fields: &[String]) -> BTreeSet<&str> {
    fields.iter().map(String::as_str).collect()
}

fn shown(fields: &BTreeSet<&str>) -> String {
    let first: Vec<&str> = fields.iter().copied().take(FIELDS_SHOWN).collect();
    let first = first.join(", ");
    match fields.len().saturating_sub(FIELDS_SHOWN) {
        0 => format!("[{first}]"),
        more => format!("[{first} and {more} more]"),
    }
}
