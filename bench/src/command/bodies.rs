//! `bodies`: what reading and writing the bodies of requests and responses costs, by format.

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use nearfield_http::body::{Format, RequestReader, read_response, write_request, write_response};
use nearfield_model::{
    Batch, Found, Hit, Id, Metadata, MetadataColumn, Request, Response, Search, Upsert, codec,
};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::clock::timed;
use crate::machine::Machine;
use crate::random::Random;
use crate::report::{Cell, Report, Table};

/// Reading and writing bodies, by format
#[derive(Args, Debug, Serialize)]
pub(crate) struct Bodies {
    #[arg(long, default_value_t = 1_000)]
    batch: usize,
    #[arg(long, default_value_t = 128)]
    dim: usize,
    /// Bytes per piece that a reader is given
    #[arg(long, default_value_t = 65_536)]
    piece: usize,
    /// Give each point metadata
    #[arg(long)]
    metadata: bool,
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

/// Bodies that are read and written in one round.
const BATCHES: usize = 10;
const QUERIES: usize = 2_000;
const HITS: usize = 10;

/// A body of an upsert, and what is done with it.
struct Leg {
    name: &'static str,
    format: Format,
    body: Vec<u8>,
    /// Whether the client writes this form, too.
    written: bool,
    /// Whether serde_json reads the same bytes into lists of lists.
    plain: bool,
}

/// What serde_json reads and writes for comparison.
#[derive(Deserialize, Serialize)]
struct Plain {
    ids: Vec<u64>,
    vectors: Vec<Vec<f32>>,
}

/// Nanoseconds per vector in one round.
struct Figures {
    write: Option<f64>,
    read: f64,
    plain_write: Option<f64>,
    plain_read: Option<f64>,
}

impl Bodies {
    pub(crate) fn run(&self) -> Result<Report> {
        if [self.batch, self.dim, self.piece, self.rounds].contains(&0) {
            return Err("give at least one row, component, byte and round".into());
        }
        let here = std::env::current_dir()?;
        let mut report = Report::new(
            "bodies",
            Machine::describe(&here),
            serde_json::to_value(self)?,
        );
        report.push(self.batches()?);
        report.push(self.queries()?);
        Ok(report)
    }

    fn batches(&self) -> Result<Table> {
        let ids: Vec<u64> = (0..self.batch as u64).map(|id| id * 7).collect();
        let values = components(self.batch * self.dim);
        let mut batch = Batch::new(&ids, &values);
        if self.metadata {
            let texts = (0..self.batch).map(|row| format!(r#"{{"year":{row},"genre":"jazz"}}"#));
            batch = batch.metadata(MetadataColumn::from_texts(&texts.collect::<Vec<_>>())?);
        }
        let request = Request::from(Upsert::new("docs", batch));
        let plain = Plain {
            ids: ids.clone(),
            vectors: values.chunks_exact(self.dim).map(<[f32]>::to_vec).collect(),
        };
        let legs = self.legs(&request, &ids, &values)?;
        let mut rounds: Vec<Vec<Figures>> = legs.iter().map(|_| Vec::new()).collect();
        for _ in 0..self.rounds {
            for (leg, figures) in legs.iter().zip(&mut rounds) {
                figures.push(self.round(leg, &request, &plain)?);
            }
        }
        let columns = [
            "upsert",
            "bytes/vector",
            "write ns/vector",
            "read ns/vector",
            "serde_json write",
            "serde_json read",
            "read, times serde_json",
        ];
        let title = format!("batch {}, dimension {}", self.batch, self.dim);
        let mut table = Table::new(title, &columns);
        for (leg, its) in legs.iter().zip(&rounds) {
            let over =
                |value: fn(&Figures) -> Option<f64>| Cell::spread(its.iter().filter_map(value));
            table.row(vec![
                leg.name.to_owned().into(),
                (leg.body.len() as f64 / self.batch as f64).into(),
                over(|f| f.write),
                over(|f| Some(f.read)),
                over(|f| f.plain_write),
                over(|f| f.plain_read),
                over(|f| Some(f.plain_read? / f.read)),
            ]);
        }
        Ok(table)
    }

    fn legs(&self, request: &Request<'_>, ids: &[u64], values: &[f32]) -> Result<Vec<Leg>> {
        let mut lists = Vec::new();
        write_request(Format::Json, request, &mut lists)?;
        let wide: Vec<Vec<f64>> = values
            .chunks_exact(self.dim)
            .map(|row| row.iter().map(|value| f64::from(*value)).collect())
            .collect();
        let wide = serde_json::to_vec(&serde_json::json!({"ids": ids, "vectors": wide}))?;
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let base64 = STANDARD.encode(&bytes);
        let base64 =
            serde_json::to_vec(&serde_json::json!({"ids": ids, "vectors": {"f32": base64}}))?;
        let mut bin = Vec::new();
        write_request(Format::MessagePack, request, &mut bin)?;
        let leg = |name, format, body, written, plain| Leg {
            name,
            format,
            body,
            written,
            plain,
        };
        Ok(vec![
            leg("JSON lists", Format::Json, lists, true, true),
            leg("JSON lists of f64", Format::Json, wide, false, true),
            leg("JSON base64", Format::Json, base64, false, false),
            leg("MessagePack bin", Format::MessagePack, bin, true, false),
            leg(
                "MessagePack bin per row",
                Format::MessagePack,
                bin_per_row(ids, &bytes, self.dim * 4),
                false,
                false,
            ),
        ])
    }

    fn round(&self, leg: &Leg, request: &Request<'_>, plain: &Plain) -> Result<Figures> {
        let vectors = self.batch;
        let mut to = Vec::new();
        let write = |to: &mut Vec<u8>| {
            to.clear();
            write_request(leg.format, request, to)
        };
        Ok(Figures {
            write: match leg.written {
                true => Some(per(BATCHES, vectors, || Ok(write(&mut to)?))?),
                false => None,
            },
            read: per(BATCHES, vectors, || {
                let mut reader = RequestReader::new(leg.format, "upsert", "docs");
                for piece in leg.body.chunks(self.piece) {
                    reader.feed(piece)?;
                }
                drop(black_box(reader.finish()?));
                Ok(())
            })?,
            plain_write: match leg.written && leg.plain {
                true => Some(per(BATCHES, vectors, || {
                    drop(black_box(serde_json::to_vec(plain)?));
                    Ok(())
                })?),
                false => None,
            },
            plain_read: match leg.plain {
                true => Some(per(BATCHES, vectors, || {
                    drop(black_box(serde_json::from_slice::<Plain>(&leg.body)?));
                    Ok(())
                })?),
                false => None,
            },
        })
    }

    /// One query vector and its hits.
    fn queries(&self) -> Result<Table> {
        let values = components(self.dim);
        let request = Request::from(Search::new("docs", &values).with_metadata(true));
        let hit = |place: usize| -> Result<Hit> {
            Ok(Hit {
                id: Id::from(place as u64 * 1_000),
                score: values[place % values.len()],
                metadata: Some(Metadata::parse(r#"{"year":1961,"genre":"jazz"}"#)?),
                vector: None,
            })
        };
        let hits: Vec<Hit> = (0..HITS).map(hit).collect::<Result<_>>()?;
        let response = Response::Search(Found {
            results: vec![hits],
            explained: None,
        });
        let columns = [
            "search",
            "write request ns",
            "read request ns",
            "write response ns",
            "read response ns",
            "all ns",
        ];
        let mut table = Table::new(format!("one query, {HITS} hits"), &columns);
        let mut rounds = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..self.rounds {
            rounds[0].push(query_round(Format::Json, &request, &response)?);
            rounds[1].push(query_round(Format::MessagePack, &request, &response)?);
            rounds[2].push(plain_query_round(&request, &response)?);
        }
        for (name, its) in ["JSON", "MessagePack", "the model's JSON"]
            .iter()
            .zip(&rounds)
        {
            let over = |place: usize| Cell::spread(its.iter().map(|figures| figures[place]));
            let all = Cell::spread(its.iter().map(|figures| figures.iter().sum()));
            table.row(vec![
                (*name).to_owned().into(),
                over(0),
                over(1),
                over(2),
                over(3),
                all,
            ]);
        }
        Ok(table)
    }
}

fn query_round(format: Format, request: &Request<'_>, response: &Response) -> Result<[f64; 4]> {
    let (mut to, mut question, mut answer) = (Vec::new(), Vec::new(), Vec::new());
    write_request(format, request, &mut question)?;
    write_response(format, response, &mut answer)?;
    Ok([
        per(QUERIES, 1, || {
            to.clear();
            Ok(write_request(format, request, &mut to)?)
        })?,
        per(QUERIES, 1, || {
            let mut reader = RequestReader::new(format, "search", "docs");
            reader.feed(&question)?;
            drop(black_box(reader.finish()?));
            Ok(())
        })?,
        per(QUERIES, 1, || {
            to.clear();
            Ok(write_response(format, response, &mut to)?)
        })?,
        per(QUERIES, 1, || {
            drop(black_box(read_response(format, "search", &answer)?));
            Ok(())
        })?,
    ])
}

/// The same by the model's plain codec, which is serde_json's.
fn plain_query_round(request: &Request<'_>, response: &Response) -> Result<[f64; 4]> {
    let question = codec::request_to_body(request)?;
    let answer = codec::response_to_body(response)?;
    Ok([
        per(QUERIES, 1, || {
            drop(black_box(codec::request_to_body(request)?));
            Ok(())
        })?,
        per(QUERIES, 1, || {
            drop(black_box(codec::request_from_body(
                "search", "docs", &question,
            )?));
            Ok(())
        })?,
        per(QUERIES, 1, || {
            drop(black_box(codec::response_to_body(response)?));
            Ok(())
        })?,
        per(QUERIES, 1, || {
            drop(black_box(codec::response_from_body("search", &answer)?));
            Ok(())
        })?,
    ])
}

/// Nanoseconds that `work` takes for each of the vectors that it is about.
fn per(times: usize, vectors: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let (outcome, time) = timed(|| (0..times).try_for_each(|_| work()));
    outcome?;
    Ok(time.as_secs_f64() * 1e9 / (times * vectors) as f64)
}

/// Components as embeddings have them: of a normal distribution around zero.
fn components(count: usize) -> Vec<f32> {
    let mut values = vec![0.0; count];
    Random::new(7).fill_normal(&mut values, 0.09);
    values
}

/// An upsert with one `bin` for the ids and one for each row.
fn bin_per_row(ids: &[u64], matrix: &[u8], row_bytes: usize) -> Vec<u8> {
    let bin = |bytes: &[u8], to: &mut Vec<u8>| {
        to.push(0xc6);
        to.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        to.extend_from_slice(bytes);
    };
    let mut body = b"\x82\xa3ids".to_vec();
    let ids: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    bin(&ids, &mut body);
    body.extend_from_slice(b"\xa7vectors\xdd");
    let rows = matrix.chunks_exact(row_bytes);
    body.extend_from_slice(&(rows.len() as u32).to_be_bytes());
    rows.for_each(|row| bin(row, &mut body));
    body
}
