//! Responses, verb by verb.

use nearfield_model::{
    Calibration, Compacted, Counted, Created, Cursor, Deleted, Description, Dropped, Error,
    Explanation, FieldDescription, Flushed, Found, Got, Hit, IndexDescription, Listed,
    MetadataUpdated, Plan, Point, Result, Scanned, SearchStage, SnapshotTaken, Upserted,
};

use super::points::{self, Parts};
use super::request::{metric, metric_from, storage, storage_from};
use super::{IntoResponse, ToMessage, size};
use crate::proto;
use crate::proto::describe_collection_response as describe;

impl ToMessage for Found {
    type Message = proto::SearchResponse;

    fn to_message(&self) -> Result<Self::Message> {
        let hits = self.results.iter().flatten();
        Ok(proto::SearchResponse {
            counts: self.results.iter().map(|hits| hits.len() as u32).collect(),
            points: points::to_message(hits.clone().map(|hit| Parts {
                id: &hit.id,
                vector: hit.vector.as_deref(),
                metadata: hit.metadata.as_ref(),
            }))?,
            scores: hits.map(|hit| hit.score).collect(),
            explained: self.explained.as_ref().map(explanation),
        })
    }
}

impl IntoResponse for proto::SearchResponse {
    type Response = Found;

    fn into_response(self) -> Result<Found> {
        let points = points::from_message(self.points)?;
        let counted: usize = self.counts.iter().map(|count| *count as usize).sum();
        if points.len() != self.scores.len() || points.len() != counted {
            return Err(Error::invalid("the columns of hits differ in length"));
        }
        let mut hits = points
            .into_iter()
            .zip(self.scores)
            .map(|(point, score)| Hit {
                id: point.id,
                score,
                metadata: point.metadata,
                vector: point.vector,
            });
        let counts = self.counts.iter();
        Ok(Found {
            results: counts
                .map(|count| hits.by_ref().take(*count as usize).collect())
                .collect(),
            explained: self.explained.map(explanation_from).transpose()?,
        })
    }
}

fn explanation(explanation: &Explanation) -> proto::Explanation {
    let plan = match explanation.plan {
        Plan::ExactAll => proto::explanation::Plan::ExactAll,
        Plan::Exact => proto::explanation::Plan::Exact,
        Plan::Codes => proto::explanation::Plan::Codes,
        Plan::Lists => proto::explanation::Plan::Lists,
        Plan::ListedRows => proto::explanation::Plan::ListedRows,
    };
    let stages = explanation.stages.iter();
    proto::Explanation {
        plan: plan.into(),
        matching: explanation.matching,
        rows_scanned: explanation.rows_scanned,
        rows_refined: explanation.rows_refined,
        rows_compared: explanation.rows_compared,
        lists_probed: explanation.lists_probed,
        lists: explanation.lists,
        segments: explanation.segments,
        tail_rows: explanation.tail_rows,
        epsilon: explanation.epsilon,
        probes: explanation.probes,
        stages: stages
            .map(|stage| proto::explanation::Stage {
                name: stage.name.clone(),
                us: stage.us,
            })
            .collect(),
    }
}

fn explanation_from(message: proto::Explanation) -> Result<Explanation> {
    let plan = match proto::explanation::Plan::try_from(message.plan) {
        Ok(proto::explanation::Plan::ExactAll) => Plan::ExactAll,
        Ok(proto::explanation::Plan::Exact) => Plan::Exact,
        Ok(proto::explanation::Plan::Codes) => Plan::Codes,
        Ok(proto::explanation::Plan::Lists) => Plan::Lists,
        Ok(proto::explanation::Plan::ListedRows) => Plan::ListedRows,
        Err(error) => return Err(Error::invalid(error.to_string())),
    };
    let stages = message.stages.into_iter();
    Ok(Explanation {
        plan,
        matching: message.matching,
        rows_scanned: message.rows_scanned,
        rows_refined: message.rows_refined,
        rows_compared: message.rows_compared,
        lists_probed: message.lists_probed,
        lists: message.lists,
        segments: message.segments,
        tail_rows: message.tail_rows,
        epsilon: message.epsilon,
        probes: message.probes,
        stages: stages
            .map(|stage| SearchStage {
                name: stage.name,
                us: stage.us,
            })
            .collect(),
    })
}

impl ToMessage for Got {
    type Message = proto::GetResponse;

    fn to_message(&self) -> Result<Self::Message> {
        let rows = self.points.iter().enumerate();
        let missing = rows.filter(|(_, point)| point.is_none());
        Ok(proto::GetResponse {
            points: points::to_message(self.points.iter().flatten().map(Parts::from))?,
            missing: missing.map(|(row, _)| row as u32).collect(),
        })
    }
}

impl IntoResponse for proto::GetResponse {
    type Response = Got;

    fn into_response(self) -> Result<Got> {
        let points = points::from_message(self.points)?;
        let rows = points.len() + self.missing.len();
        let mut points = points.into_iter();
        let mut missing = self.missing.iter().peekable();
        let points: Vec<Option<Point>> = (0..rows)
            .map(|row| match missing.next_if(|at| **at as usize == row) {
                Some(_) => None,
                None => points.next(),
            })
            .collect();
        if missing.next().is_some() {
            return Err(Error::invalid("the missing positions are out of order"));
        }
        Ok(Got { points })
    }
}

impl ToMessage for Scanned {
    type Message = proto::ScanResponse;

    fn to_message(&self) -> Result<Self::Message> {
        Ok(proto::ScanResponse {
            points: points::to_message(self.points.iter().map(Parts::from))?,
            next: self.next.map(|cursor| cursor.0),
        })
    }
}

impl IntoResponse for proto::ScanResponse {
    type Response = Scanned;

    fn into_response(self) -> Result<Scanned> {
        Ok(Scanned {
            points: points::from_message(self.points)?,
            next: self.next.map(Cursor),
        })
    }
}

impl ToMessage for Description {
    type Message = proto::DescribeCollectionResponse;

    fn to_message(&self) -> Result<Self::Message> {
        let fields = self.fields.iter();
        Ok(proto::DescribeCollectionResponse {
            collection: self.collection.clone(),
            dimension: self.dimension as u64,
            metric: metric(self.metric),
            storage: storage(self.storage),
            unindexed_fields: self.unindexed_fields.clone(),
            count: self.count,
            unindexed: self.unindexed,
            unencoded: self.unencoded,
            sequence: self.sequence,
            synced: self.synced,
            log_files: self.log_files,
            log_bytes: self.log_bytes,
            dead_rows: self.dead_rows,
            memory_bytes: self.memory_bytes,
            damage: self.damage.clone(),
            write_delay_us: self.write_delay_us,
            index: self.index.as_ref().map(index),
            fields: fields
                .map(|field| describe::Field {
                    field: field.field.clone(),
                    rows: field.rows,
                    distinct: field.distinct,
                })
                .collect(),
        })
    }
}

fn index(index: &IndexDescription) -> describe::Index {
    let calibration = index.calibration.iter();
    describe::Index {
        epoch: index.epoch,
        lists: index.lists,
        trained_rows: index.trained_rows,
        rows: index.rows,
        dead_rows: index.dead_rows,
        older_epoch_rows: index.older_epoch_rows,
        segments: index.segments,
        bytes: index.bytes,
        settled: index.settled,
        calibration: calibration
            .map(|calibration| describe::Calibration {
                limit: calibration.limit,
                recall: calibration.recall,
                probes: calibration.probes,
                epsilon: calibration.epsilon,
                measured: calibration.measured,
            })
            .collect(),
        fault: index.fault.clone(),
    }
}

impl IntoResponse for proto::DescribeCollectionResponse {
    type Response = Description;

    fn into_response(self) -> Result<Description> {
        let fields = self.fields.into_iter();
        Ok(Description {
            collection: self.collection,
            dimension: size(self.dimension),
            metric: metric_from(self.metric)?,
            storage: storage_from(self.storage)?,
            unindexed_fields: self.unindexed_fields,
            count: self.count,
            unindexed: self.unindexed,
            unencoded: self.unencoded,
            sequence: self.sequence,
            synced: self.synced,
            log_files: self.log_files,
            log_bytes: self.log_bytes,
            dead_rows: self.dead_rows,
            memory_bytes: self.memory_bytes,
            damage: self.damage,
            write_delay_us: self.write_delay_us,
            index: self.index.map(index_from),
            fields: fields
                .map(|field| FieldDescription {
                    field: field.field,
                    rows: field.rows,
                    distinct: field.distinct,
                })
                .collect(),
        })
    }
}

fn index_from(message: describe::Index) -> IndexDescription {
    let calibration = message.calibration.into_iter();
    IndexDescription {
        epoch: message.epoch,
        lists: message.lists,
        trained_rows: message.trained_rows,
        rows: message.rows,
        dead_rows: message.dead_rows,
        older_epoch_rows: message.older_epoch_rows,
        segments: message.segments,
        bytes: message.bytes,
        settled: message.settled,
        calibration: calibration
            .map(|calibration| Calibration {
                limit: calibration.limit,
                recall: calibration.recall,
                probes: calibration.probes,
                epsilon: calibration.epsilon,
                measured: calibration.measured,
            })
            .collect(),
        fault: message.fault,
    }
}

/// Responses whose fields are those of the message.
macro_rules! alike {
    ($($response:ident $message:ident { $($field:ident),* })*) => {$(
        impl ToMessage for $response {
            type Message = proto::$message;

            fn to_message(&self) -> Result<Self::Message> {
                Ok(proto::$message {
                    $($field: self.$field.clone(),)*
                })
            }
        }

        impl IntoResponse for proto::$message {
            type Response = $response;

            fn into_response(self) -> Result<$response> {
                Ok($response {
                    $($field: self.$field,)*
                })
            }
        }
    )*};
}

alike! {
    Created CreateCollectionResponse { collection }
    Dropped DropCollectionResponse { collection }
    Listed ListCollectionsResponse { collections }
    Upserted UpsertResponse { upserted, sequence }
    Deleted DeleteResponse { deleted, sequence }
    MetadataUpdated UpdateMetadataResponse { updated, sequence }
    Counted CountResponse { count }
    Flushed FlushResponse { sequence }
    Compacted CompactResponse { files, bytes_before, bytes_after }
    SnapshotTaken SnapshotResponse { path, sequence, count, bytes }
}
