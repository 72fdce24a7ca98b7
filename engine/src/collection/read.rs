//! Reads of points: get, scan, count.

use std::sync::Arc;

use nearfield_model::{
    Context, Count, Counted, Cursor, Filter, Get, Got, Ids, Metadata, Point, Result, Scan, Scanned,
};
use roaring::RoaringBitmap;

use super::Collection;
use crate::filter::select;
use crate::points::View;
use crate::points::id_map::hash;

/// Rows between two looks at the deadline.
const CHECK_ROWS: usize = 1_024;

impl Collection {
    /// The newest view, and the live row of each id in it.
    pub(crate) fn find_rows(&self, ids: &Ids<'_>) -> Result<(Arc<View>, Vec<Option<u32>>)> {
        let hashes: Vec<u64> = ids.iter().map(|id| hash(self.seed, id)).collect();
        let mut candidates = Vec::with_capacity(hashes.len());
        // The map and the view are read together; the log is not touched meanwhile.
        let view = {
            let map = self.ids();
            for (position, hash) in hashes.iter().enumerate() {
                candidates.extend(map.candidates(*hash).map(|row| (position, row)));
            }
            self.view()
        };
        let mut rows = vec![None; hashes.len()];
        for (position, row) in candidates {
            if view.is_live(row) && view.id(row)? == ids.get(position) {
                rows[position] = Some(row);
            }
        }
        Ok((view, rows))
    }

    pub(crate) fn get(&self, context: &Context, request: &Get<'_>) -> Result<Got> {
        let (view, rows) = self.find_rows(&request.ids)?;
        let mut points = Vec::with_capacity(rows.len());
        for (position, row) in rows.into_iter().enumerate() {
            if position % CHECK_ROWS == 0 {
                context.check()?;
            }
            let point = row
                .map(|row| self.point(&view, row, request.with_vectors, request.with_metadata))
                .transpose()?;
            points.push(point);
        }
        Ok(Got { points })
    }

    fn point(
        &self,
        view: &View,
        row: u32,
        with_vector: bool,
        with_metadata: bool,
    ) -> Result<Point> {
        Ok(Point {
            id: view.live_id(row)?.to_id(),
            vector: if with_vector {
                Some(view.vector(&self.schema, row)?.0)
            } else {
                None
            },
            metadata: if with_metadata {
                metadata(view, row)?
            } else {
                None
            },
        })
    }

    pub(crate) fn scan(&self, context: &Context, request: &Scan) -> Result<Scanned> {
        let view = self.view();
        let first = u32::try_from(request.cursor.map_or(0, |cursor| cursor.0)).unwrap_or(u32::MAX);
        let matching = request
            .filter
            .as_ref()
            .map(|filter| self.matching(context, &view, filter))
            .transpose()?;
        let mut rows: Box<dyn Iterator<Item = u32>> = match &matching {
            Some(matching) => {
                let mut rows = matching.iter();
                rows.advance_to(first);
                Box::new(rows)
            }
            None => Box::new(view.live_rows(first)),
        };
        let mut points = Vec::with_capacity(request.limit.min(CHECK_ROWS));
        for row in rows.by_ref().take(request.limit) {
            if points.len() % CHECK_ROWS == 0 {
                context.check()?;
            }
            points.push(self.point(&view, row, request.with_vectors, request.with_metadata)?);
        }
        let next = rows.next().map(|row| Cursor(row.into()));
        Ok(Scanned { points, next })
    }

    pub(crate) fn count(&self, context: &Context, request: &Count) -> Result<Counted> {
        let view = self.view();
        let count = match &request.filter {
            Some(filter) => self.matching(context, &view, filter)?.len(),
            None => view.count(),
        };
        Ok(Counted { count })
    }

    /// The live rows of a view that match a filter.
    pub(crate) fn matching(
        &self,
        context: &Context,
        view: &View,
        filter: &Filter,
    ) -> Result<RoaringBitmap> {
        let selected = select(&self.fields(), view, filter);
        selected.rows(context, view, filter)
    }
}

/// The metadata of a row, owned.
pub(crate) fn metadata(view: &View, row: u32) -> Result<Option<Metadata>> {
    Ok(view.metadata(row)?.map(Metadata::from_checked))
}
