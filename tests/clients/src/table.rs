//! The table that a run prints.

use std::fmt::Write as _;

use crate::step::{Outcome, Results, Step};

/// The maximum width of a cell, in characters. Longer texts continue in the next line.
const WIDTH: usize = 44;

/// Renders a row for each step and a column for each client; below them, the reasons of failures.
pub(crate) fn render(columns: &[Results]) -> String {
    let mut rows = vec![
        std::iter::once("step".to_owned()).chain(columns.iter().map(|column| column.title.clone())).collect(),
    ];
    for step in Step::ALL {
        let cells = columns.iter().map(|column| cell(&column.outcome(step)));
        rows.push(std::iter::once(step.label().to_owned()).chain(cells).collect());
    }
    let rows: Vec<Vec<Vec<String>>> =
        rows.into_iter().map(|row: Vec<String>| row.iter().map(|cell| wrap(cell)).collect()).collect();
    let widths: Vec<usize> = (0..=columns.len()).map(|column| width(&rows, column)).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for line in 0..row.iter().map(Vec::len).max().unwrap_or_default() {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{:<width$}", cell.get(line).map_or("", String::as_str)));
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        if number == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            let _ = writeln!(text, "{}", rules.join("  "));
        }
    }
    for column in columns {
        for step in Step::ALL {
            if let Outcome::Fail(why) = column.outcome(step) {
                let _ = write!(text, "\nFAIL {}, {}:\n", column.title, step.label());
                for line in why.lines() {
                    let _ = writeln!(text, "  {line}");
                }
            }
        }
    }
    text
}

fn cell(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Pass => "PASS".into(),
        Outcome::Fail(_) => "FAIL".into(),
        Outcome::Unavailable(reason) => format!("not available here: {reason}"),
    }
}

fn width(rows: &[Vec<Vec<String>>], column: usize) -> usize {
    let lines = rows.iter().filter_map(|row| row.get(column)).flatten();
    lines.map(|line| line.chars().count()).max().unwrap_or_default()
}

/// Wraps a text between words. A word that is too long keeps its length.
fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_for_each_step_and_one_column_for_each_client() {
        let mut good = Results::new("Good 1.0");
        let mut other = Results::new("Other 2.0");
        for step in Step::ALL {
            good.note(step, Outcome::Pass);
            other.note(step, Outcome::Pass);
        }
        let reason = "channels feature is not currently available";
        for step in [Step::Push, Step::ReplyToPush, Step::Permission] {
            other.note(step, Outcome::Unavailable(reason.into()));
        }
        other.note(Step::End, Outcome::Fail("a process is left:\nsleep 1000".into()));
        assert_eq!(
            render(&[good, other]),
            "\
step                            Good 1.0  Other 2.0
------------------------------  --------  -------------------------------------------
handshake                       PASS      PASS
tools listed and loaded         PASS      PASS
reply                           PASS      PASS
edit                            PASS      PASS
failing call                    PASS      PASS
push                            PASS      not available here: channels feature is not
                                          currently available
reply to a push                 PASS      not available here: channels feature is not
                                          currently available
permission request and verdict  PASS      not available here: channels feature is not
                                          currently available
dialogs                         PASS      PASS
plugin: installed               PASS      PASS
plugin: without tidegate        PASS      PASS
plugin: /mcp, Reconnect         PASS      PASS
plugin: push                    PASS      PASS
plugin: tools called            PASS      PASS
end without orphans             PASS      FAIL

FAIL Other 2.0, end without orphans:
  a process is left:
  sleep 1000
"
        );
    }

    #[test]
    fn a_word_that_is_too_long_keeps_its_length() {
        let long = "x".repeat(WIDTH + 1);
        assert_eq!(wrap(&format!("a {long} b")), ["a", &long, "b"]);
        assert_eq!(wrap("é é"), ["é é"]);
        assert!(wrap("").is_empty());
    }
}
