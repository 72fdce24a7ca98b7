//! What a run found, for people: on a terminal, as a page, as Markdown.

mod figures;
mod terminal;
