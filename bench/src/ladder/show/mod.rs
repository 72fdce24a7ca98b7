//! What a run found, for people: on a terminal, as a page, as Markdown.

mod chart;
mod figures;
mod headline;
mod markdown;
mod page;
mod stage;
mod terminal;
