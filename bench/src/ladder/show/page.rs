//! The run as one page for a browser, with all that it needs inside.

use std::fmt::Write;

use super::figures::{grouped, micros, percent, times};
use super::stage::looks;
use crate::ladder::row::{Climb, Row};

const STYLE: &str = include_str!("page.css");

impl Climb {
    /// The run as a page.
    pub fn page(&self) -> String {
        let mut page = String::new();
        let _ = write!(
            page,
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <link rel=\"icon\" href=\"data:,\">\n\
             <title>Nearfield's ladder</title>\n<style>\n{STYLE}</style>\n<main>\n"
        );
        self.head(&mut page);
        for (op, batch) in self.groups() {
            self.rates(&mut page, op, batch);
        }
        self.gaps(&mut page);
        self.story_tables(&mut page);
        self.latencies(&mut page);
        self.foot(&mut page);
        page += "</main>\n</html>\n";
        page
    }

    fn head(&self, page: &mut String) {
        let _ = write!(
            page,
            "<h1>One engine, many doors</h1>\n<p>{}</p>\n<p class=\"dim\">{} vectors of {} \
             components, durability <code>{}</code>, {} rounds in turns; {}.</p>\n",
            escape(&self.headline()),
            self.workload["vectors"],
            self.workload["dim"],
            escape(self.workload["durability"].as_str().unwrap_or_default()),
            self.workload["rounds"],
            escape(self.machine.date()),
        );
        for fault in &self.faults {
            let (door, op, batch) = (fault.door, fault.op, fault.batch);
            let reason = escape(&fault.reason);
            let _ = writeln!(
                page,
                "<p class=\"bad\">{door}, {op}, {batch} per request: {reason}</p>"
            );
        }
    }

    /// Throughput of one op and batch, a bar per door.
    fn rates(&self, page: &mut String, op: &str, batch: usize) {
        let rows: Vec<&Row> = self.group(op, batch).collect();
        let most = rows.iter().map(|row| row.rate).fold(0.0, f64::max);
        let (title, unit) = title(op, batch);
        let _ = writeln!(
            page,
            "<h2>{title}</h2>\n<p class=\"dim\">{unit} per second</p>"
        );
        page.push_str("<div class=\"bars\">\n");
        for row in rows {
            let here = matches!(row.door, "engine" | "embedded");
            let ratio = row
                .ratio
                .map_or(String::new(), |ratio| format!("{ratio:.2} of embedded"));
            let _ = writeln!(
                page,
                "<div>{}</div><div class=\"track\" title=\"{ratio}\"><div class=\"bar{}\" \
                 style=\"width:{:.2}%\"></div></div><div class=\"number\">{} \
                 <small>±{}</small></div>",
                row.door,
                if here { " here" } else { "" },
                row.rate / most * 100.0,
                grouped(row.rate),
                percent(row.spread),
            );
        }
        page.push_str("</div>\n");
    }

    /// What the time between the engine and each door goes to.
    fn gaps(&self, page: &mut String) {
        let explained = |row: &&Row| row.unexplained.is_some() && row.batch >= 100;
        if !self.rows.iter().any(|row| explained(&row)) {
            return;
        }
        page.push_str(
            "<h2>Where the time goes</h2>\n<p class=\"dim\">Microseconds per vector or query, by \
             stage; each stage has a clock of its own.</p>\n<ul class=\"legend\">\n",
        );
        for look in looks() {
            let _ = writeln!(
                page,
                "<li title=\"{}\"><i class=\"{}\"></i>{}</li>",
                look.about, look.class, look.name
            );
        }
        page.push_str(
            "<li title=\"no stage accounts for it\"><i class=\"s0\"></i>unexplained</li>\n</ul>\n",
        );
        for (op, batch) in self.groups() {
            let rows: Vec<&Row> = self.group(op, batch).filter(explained).collect();
            let most = rows.iter().map(|row| 1e6 / row.rate).fold(0.0, f64::max);
            if rows.is_empty() {
                continue;
            }
            let _ = writeln!(
                page,
                "<h3>{}</h3>\n<div class=\"bars\">",
                title(op, batch).0
            );
            for row in rows {
                let _ = write!(page, "<div>{}</div><div class=\"track stack\">", row.door);
                let mut rest = 1e6 / row.rate;
                for look in looks() {
                    let Some(us) = row.stages_us.get(look.name) else {
                        continue;
                    };
                    rest -= us;
                    segment(page, look.class, look.name, *us, most);
                }
                segment(page, "s0", "unexplained", rest, most);
                let unexplained = row.unexplained.map_or(String::new(), percent);
                let _ = writeln!(
                    page,
                    "</div><div class=\"number\">{} <small>{unexplained} unexpl.</small></div>",
                    micros(1e6 / row.rate)
                );
            }
            page.push_str("</div>\n");
        }
    }

    fn story_tables(&self, page: &mut String) {
        page.push_str(
            "<h2>The story that it began with</h2>\n<p class=\"dim\">A project before this one \
             measured a gap of 4.4 times between its embedded store and its server, and guessed \
             at the causes.</p>\n<div class=\"scroll\"><table>\n<tr><th>vectors per second</th>\
             <th>there</th><th>here</th><th></th><th>door</th></tr>\n",
        );
        for figure in &self.story.figures {
            let hope = if figure.is_hope { ", hoped for" } else { "" };
            let ours = figure.ours_rate.map_or("not run".to_owned(), grouped);
            let ratio = figure
                .ours_rate
                .map_or(String::new(), |ours| times(ours / figure.theirs_rate));
            let _ = writeln!(
                page,
                "<tr><td>{}{hope}</td><td>{}</td><td>{ours}</td><td>{ratio}</td><td>{}, {} per \
                 call</td></tr>",
                figure.what, figure.theirs, figure.door, figure.batch
            );
        }
        page.push_str(
            "</table></div>\n<div class=\"scroll\"><table>\n<tr><th>share of the gap to JSON over \
             HTTP</th><th>guessed</th><th>measured</th><th>by the stages</th></tr>\n",
        );
        for guess in &self.story.guesses {
            let _ = writeln!(
                page,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                guess.what,
                guess.guessed,
                guess.measured.map_or("not run".to_owned(), percent),
                guess.how
            );
        }
        page.push_str("</table></div>\n");
    }

    fn latencies(&self, page: &mut String) {
        page.push_str("<h2>Every figure</h2>\n");
        for (op, batch) in self.groups() {
            let _ = writeln!(
                page,
                "<details><summary>{}</summary><div class=\"scroll\"><table>\n<tr><th>door</th>\
                 <th>{op} rate</th><th>to embedded</th><th>p50 us</th><th>p99 us</th>\
                 <th>caller's CPU us</th><th>server's CPU us</th><th>tax us</th>\
                 <th>unexplained</th></tr>",
                title(op, batch).0
            );
            for row in self.group(op, batch) {
                let _ = writeln!(
                    page,
                    "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
                     <td>{}</td><td>{}</td><td>{}</td></tr>",
                    row.door,
                    grouped(row.rate),
                    row.ratio
                        .map_or(String::new(), |ratio| format!("{ratio:.2}")),
                    micros(row.p50_us),
                    micros(row.p99_us),
                    micros(row.client_us),
                    micros(row.server_us),
                    row.tax_us.map_or(String::new(), micros),
                    row.unexplained.map_or(String::new(), percent),
                );
            }
            page.push_str("</table></div></details>\n");
        }
    }

    fn foot(&self, page: &mut String) {
        if !self.not_run.is_empty() {
            page.push_str("<h2>Not run</h2>\n<dl>\n");
            for not in &self.not_run {
                let reason = escape(&not.reason);
                let _ = writeln!(page, "<dt>{}</dt><dd>{reason}</dd>", not.door);
            }
            page.push_str("</dl>\n");
        }
        page.push_str("<h2>The machine</h2>\n<dl>\n");
        for (name, value) in self.machine.lines() {
            let _ = writeln!(page, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
        }
        let _ = writeln!(
            page,
            "</dl>\n<h2>Again</h2>\n<pre>{}</pre>\n<p class=\"dim\">It took {:.0} seconds.</p>",
            escape(&self.command),
            self.seconds
        );
    }
}

fn segment(page: &mut String, class: &str, name: &str, us: f64, most: f64) {
    if us > 0.0 {
        let _ = write!(
            page,
            "<span class=\"{class}\" style=\"width:{:.2}%\" title=\"{name} {} us\"></span>",
            us / most * 100.0,
            micros(us)
        );
    }
}

/// A heading, and what is counted.
pub(super) fn title(op: &str, batch: usize) -> (String, &'static str) {
    let size = grouped(batch as f64);
    match (op, batch) {
        ("search", 1) => ("Searching, a query per request".to_owned(), "queries"),
        ("search", _) => (format!("Searching, {size} queries per request"), "queries"),
        (_, 1) => ("Writing, a vector per request".to_owned(), "vectors"),
        _ => (format!("Writing, {size} vectors per request"), "vectors"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_text_stays_text() {
        assert_eq!(
            escape("<a href=\"x\">&"),
            "&lt;a href=&quot;x&quot;&gt;&amp;"
        );
    }
}
