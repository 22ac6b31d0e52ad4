//! `ulvs.toml`, one file for each of its sections.

mod dpdk;
mod neighbour;
mod port;
mod route;
mod service;
mod table;
mod tables;
mod value;
mod workers;

use ::toml::de::{DeTable, DeValue};

use crate::draft::Draft;
use crate::problems::Problems;
use crate::{Diagnostic, Director};
use table::Table;

impl Director {
    /// Reads a director's file.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the text.
    pub fn parse(text: &str) -> Result<Self, Vec<Diagnostic>> {
        // A byte order mark is no character of the first line.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut problems = Problems::default();
        let draft = read(text, &mut problems);
        let director = draft.validate(&mut problems);
        match director {
            Some(director) if problems.is_empty() => Ok(director),
            _ => Err(problems.diagnostics(text)),
        }
    }
}

/// The draft that `text` is.
fn read(text: &str, problems: &mut Problems) -> Draft {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        let message = match error.message() {
            "duplicate key" => "this is there already: keep one of the two",
            other => other,
        };
        problems.syntax(span, message);
    }
    let mut root = Table::root(document.get_ref());
    let draft = Draft {
        dpdk: root.section("dpdk", problems, dpdk::read).unwrap_or_default(),
        workers: root.required_section("workers", problems, workers::read).unwrap_or_default(),
        connections: root.section("connections", problems, tables::connections).unwrap_or_default(),
        destinations: root.section("destinations", problems, tables::destinations).unwrap_or_default(),
        api: root.section("api", problems, tables::api).unwrap_or_default(),
        state: root.section("state", problems, tables::state).unwrap_or_default(),
        metrics: root.section("metrics", problems, tables::metrics).unwrap_or_default(),
        neighbours: root.section("neighbours", problems, tables::neighbours).unwrap_or_default(),
        ports: root.required_sections("port", "`name` and `device`", problems, port::read),
        static_routes: root.sections("route", problems, route::read),
        static_neighbours: root.sections("neighbour", problems, neighbour::read),
        services: root.sections("service", problems, service::read),
    };
    root.finish(problems);
    draft
}

/// What people call the type of a value.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
