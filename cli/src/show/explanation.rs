//! How a search was answered, as people read it.

use std::time::Duration;

use nearfield::{Explanation, Plan};

use super::{Align, Table, duration, number, plural};

/// Two tables as text: what was looked at, and where the time went.
pub(crate) fn explanation(explained: &Explanation, width: Option<usize>) -> String {
    what(explained).text(width) + &stages(explained).text(width)
}

fn what(explained: &Explanation) -> Table {
    let mut table = Table::new([Align::Left, Align::Left]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row(
        "plan",
        format!("{}: {}", explained.plan.as_str(), meaning(explained.plan)),
    );
    if let Some(matching) = explained.matching {
        row("matching", plural(matching, "row", "rows"));
    }
    if explained.lists > 0 {
        row(
            "lists",
            format!(
                "{} probed, {} per vector asked for; there are {}, in {}",
                number(explained.lists_probed),
                number(explained.probes),
                number(explained.lists),
                plural(explained.segments, "segment", "segments")
            ),
        );
    }
    row("tail", plural(explained.tail_rows, "row", "rows"));
    row(
        "scanned",
        plural(explained.rows_scanned, "code", "codes") + &bounds(explained.epsilon),
    );
    if explained.rows_refined > 0 {
        row(
            "refined",
            plural(explained.rows_refined, "8-bit code", "8-bit codes"),
        );
    }
    row(
        "compared",
        plural(explained.rows_compared, "vector", "vectors"),
    );
    table
}

fn meaning(plan: Plan) -> &'static str {
    match plan {
        Plan::ExactAll => "every row exactly",
        Plan::Exact => "every matching row exactly",
        Plan::Codes => "the codes of all rows",
        Plan::Lists => "the codes of the nearest lists",
        Plan::ListedRows => "the matching rows of the nearest lists",
    }
}

fn bounds(epsilon: f32) -> String {
    match epsilon > 0.0 {
        true => format!(", with bounds {epsilon} standard errors below the estimates"),
        false => String::new(),
    }
}

/// Name, time and share of each stage.
fn stages(explained: &Explanation) -> Table {
    let mut table = Table::new([Align::Left, Align::Right, Align::Right]).indent(2);
    let total: f64 = explained.stages.iter().map(|stage| stage.us).sum();
    for stage in &explained.stages {
        let time = Duration::try_from_secs_f64(stage.us / 1e6).unwrap_or_default();
        let share = if total > 0.0 {
            100.0 * stage.us / total
        } else {
            0.0
        };
        table.row([stage.name.clone(), duration(time), format!("{share:.0}%")]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearfield::SearchStage;

    #[test]
    fn a_search_by_lists_is_told_line_by_line() {
        let stage = |name: &str, us| SearchStage {
            name: name.to_owned(),
            us,
        };
        let explained = Explanation {
            plan: Plan::Lists,
            matching: Some(12_000),
            rows_scanned: 40_000,
            rows_refined: 500,
            rows_compared: 350,
            lists_probed: 16,
            lists: 1_024,
            segments: 3,
            tail_rows: 1,
            epsilon: 1.6,
            probes: 8,
            stages: vec![stage("coarse", 50.0), stage("scan", 150.0)],
        };
        let expected = "\
plan      lists: the codes of the nearest lists
matching  12,000 rows
lists     16 probed, 8 per vector asked for; there are 1,024, in 3 segments
tail      1 row
scanned   40,000 codes, with bounds 1.6 standard errors below the estimates
refined   500 8-bit codes
compared  350 vectors
  coarse    50 µs  25%
  scan    0.15 ms  75%
";
        assert_eq!(explanation(&explained, None), expected);
    }

    #[test]
    fn an_exact_search_has_no_lists_and_no_bounds() {
        let text = explanation(&Explanation::default(), Some(60));
        assert!(text.starts_with("plan      exact_all: every row exactly\n"));
        assert!(!text.contains("lists") && !text.contains("bounds"));
        assert!(!text.contains("matching"));
    }
}
