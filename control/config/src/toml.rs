//! `ulvs.toml`, one file for each of its sections.

mod check;
mod dpdk;
mod ipvs;
mod mark;
mod neighbour;
mod port;
mod route;
mod service;
mod source_limit;
mod table;
mod tables;
mod tunnel;
mod value;
mod workers;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use crate::draft::{Draft, DraftFile};
use crate::problems::Problems;
use crate::{Diagnostic, Director, Source};
use table::Table;

impl Director {
    /// Reads a director's file.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the text.
    pub fn parse(text: &str) -> Result<Self, Vec<Diagnostic>> {
        let source = Source { path: "the file".into(), text: text.to_owned() };
        Self::parse_all(&[source]).map_err(|mut wrong| wrong.swap_remove(0))
    }

    /// Reads a director's file and its drop-ins, which have checks and services.
    ///
    /// # Errors
    /// For each text everything that is wrong with it, in its order.
    pub(crate) fn parse_all(sources: &[Source]) -> Result<Self, Vec<Vec<Diagnostic>>> {
        // A byte order mark is no character of the first line.
        let text = |source: &Source| source.text.strip_prefix('\u{feff}').unwrap_or(&source.text).to_owned();
        let texts: Vec<(String, String)> =
            sources.iter().map(|source| (source.path.display().to_string(), text(source))).collect();
        let mut problems: Vec<_> = texts.iter().map(|_| Problems::default()).collect();
        let mut draft = None;
        let mut files = Vec::new();
        for (place, ((_, text), problems)) in texts.iter().zip(&mut problems).enumerate() {
            if place == 0 {
                let (main, file) = read(text, problems);
                draft = Some(main);
                files.push(file);
            } else {
                files.push(read_drop_in(text, problems));
            }
        }
        let director = draft.and_then(|draft| draft.validate(&texts, files, &mut problems));
        match director {
            Some(director) if problems.iter().all(Problems::is_empty) => Ok(director),
            _ => {
                Err(problems.into_iter().zip(&texts).map(|(problems, (_, text))| problems.diagnostics(text)).collect())
            }
        }
    }
}

/// The document that `text` is, as far as it can be read.
fn document<'t>(text: &'t str, problems: &mut Problems) -> Spanned<DeTable<'t>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(text.len()..text.len());
        let message = match error.message() {
            "duplicate key" => "this is there already: keep one of the two",
            other => other,
        };
        problems.syntax(span, message);
    }
    document
}

/// The checks and services that a drop-in adds.
fn read_drop_in(text: &str, problems: &mut Problems) -> DraftFile {
    let document = document(text, problems);
    let mut root = Table::drop_in(document.get_ref());
    let file = read_file(&mut root, problems);
    root.finish(problems);
    file
}

/// What any of the files may have.
fn read_file(root: &mut Table<'_, '_>, problems: &mut Problems) -> DraftFile {
    DraftFile {
        checks: root.named_sections("check", problems, check::read),
        services: root.sections("service", problems, service::read),
    }
}

/// The draft that `text` is.
fn read(text: &str, problems: &mut Problems) -> (Draft, DraftFile) {
    let document = document(text, problems);
    let mut root = Table::root(document.get_ref());
    let draft = Draft {
        dpdk: root.section("dpdk", problems, dpdk::read).unwrap_or_default(),
        workers: root.required_section("workers", problems, workers::read).unwrap_or_default(),
        connections: root.section("connections", problems, tables::connections).unwrap_or_default(),
        destinations: root.section("destinations", problems, tables::destinations).unwrap_or_default(),
        api: root.section("api", problems, tables::api).unwrap_or_default(),
        state: root.section("state", problems, tables::state).unwrap_or_default(),
        sysctls: root.section("ipvs", problems, ipvs::read).unwrap_or_default(),
        ftp: root.section("ftp", problems, tables::ftp).unwrap_or_default(),
        source_limit: root.section("defence", problems, source_limit::read).flatten().unwrap_or_default(),
        metrics: root.section("metrics", problems, tables::metrics).unwrap_or_default(),
        console: root.section("console", problems, tables::console).unwrap_or_default(),
        flows: root.section("flows", problems, tables::flows).unwrap_or_default(),
        neighbours: root.section("neighbours", problems, tables::neighbours).unwrap_or_default(),
        ports: root.required_sections("port", "`name` and `device`", problems, port::read),
        static_routes: root.sections("route", problems, route::read),
        static_neighbours: root.sections("neighbour", problems, neighbour::read),
        mark_rules: root.sections("mark", problems, mark::read),
    };
    let file = read_file(&mut root, problems);
    root.finish(problems);
    (draft, file)
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
