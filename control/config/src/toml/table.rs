use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::kind;
use crate::problems::{At, Problems, Span};

/// A table being read. It remembers the keys that were asked for: those are the known ones, and what else is written
/// is unknown.
pub(super) struct Table<'a, 'i> {
    entries: &'a DeTable<'i>,
    /// What the table is called in messages: `[dpdk]`, `[[port]]`.
    name: String,
    span: Span,
    known: Vec<&'static str>,
    /// Whether keys nobody asked for are let pass.
    is_lenient: bool,
}

/// A value being read.
pub(super) type Value<'a, 'i> = &'a Spanned<DeValue<'i>>;

impl<'a, 'i> Table<'a, 'i> {
    /// The table that a whole file is.
    pub(super) fn root(entries: &'a DeTable<'i>) -> Self {
        Self { entries, name: "the file".to_owned(), span: 0..0, known: Vec::new(), is_lenient: false }
    }

    /// The table that a drop-in is.
    pub(super) fn drop_in(entries: &'a DeTable<'i>) -> Self {
        Self { name: "a drop-in".to_owned(), ..Self::root(entries) }
    }

    /// Where the table begins.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Whether a key is there, right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The value of an optional key.
    ///
    /// `read` says in a sentence why a value is wrong.
    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
        read: impl FnOnce(&DeValue<'i>) -> Result<T, String>,
    ) -> Option<At<T>> {
        let value = self.take(key)?;
        match read(value.get_ref()) {
            Ok(read) => Some(At { value: read, span: value.span() }),
            Err(message) => {
                problems.wrong(value.span(), format!("`{key}`: {message}"));
                None
            }
        }
    }

    /// The value of an optional key, or its default.
    pub(super) fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        problems: &mut Problems,
        read: impl FnOnce(&DeValue<'i>) -> Result<T, String>,
    ) -> T {
        self.optional(key, problems, read).map_or(default, |found| found.value)
    }

    /// The value of a key that must be there; `example` shows what it could be.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        example: &str,
        problems: &mut Problems,
        read: impl FnOnce(&DeValue<'i>) -> Result<T, String>,
    ) -> Option<At<T>> {
        self.demand(key, example, problems);
        self.optional(key, problems, read)
    }

    /// The elements of a list, those that are right. Absent if the key is, or is no list.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
        read: impl Fn(&DeValue<'i>) -> Result<T, String>,
    ) -> Option<At<Vec<At<T>>>> {
        let value = self.take(key)?;
        let DeValue::Array(elements) = value.get_ref() else {
            problems.wrong(value.span(), format!("`{key}`: expected a list in [ ], found {}", kind(value.get_ref())));
            return None;
        };
        let mut found = Vec::with_capacity(elements.len());
        for element in elements {
            match read(element.get_ref()) {
                Ok(read) => found.push(At { value: read, span: element.span() }),
                Err(message) => problems.wrong(element.span(), format!("`{key}`: {message}")),
            }
        }
        Some(At { value: found, span: value.span() })
    }

    /// As [`Self::list`], of a key that must be there.
    pub(super) fn required_list<T>(
        &mut self,
        key: &'static str,
        example: &str,
        problems: &mut Problems,
        read: impl Fn(&DeValue<'i>) -> Result<T, String>,
    ) -> Option<At<Vec<At<T>>>> {
        self.demand(key, example, problems);
        self.list(key, problems, read)
    }

    /// The table `[key]`.
    pub(super) fn section<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
        read: impl FnOnce(&mut Table<'_, '_>, &mut Problems) -> T,
    ) -> Option<T> {
        let value = self.take(key)?;
        let name = format!("[{key}]");
        match value.get_ref() {
            DeValue::Table(entries) => Some(visit(entries, name, value.span(), problems, read)),
            DeValue::Array(elements) if elements.iter().all(|e| e.get_ref().is_table()) => {
                problems.wrong(value.span(), format!("there is one table `{key}`: write it once, as [{key}]"));
                None
            }
            other => {
                problems.wrong(value.span(), format!("`{key}`: expected a table [{key}], found {}", kind(other)));
                None
            }
        }
    }

    /// The table `[key]`, that must be there.
    pub(super) fn required_section<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
        read: impl FnOnce(&mut Table<'_, '_>, &mut Problems) -> T,
    ) -> Option<T> {
        if !self.entries.contains_key(key) {
            problems.doubtful(self.span(), format!("{} has no table [{key}]: add it", self.name));
        }
        self.section(key, problems, read)
    }

    /// Each table `[[key]]`; inside a list of tables, `key` is the path: `[[service.real_server]]`.
    pub(super) fn sections<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
        read: impl Fn(&mut Table<'_, '_>, &mut Problems) -> T,
    ) -> Vec<T> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let name = match self.name.strip_prefix("[[").and_then(|name| name.strip_suffix("]]")) {
            Some(outer) => format!("[[{outer}.{key}]]"),
            None => format!("[[{key}]]"),
        };
        let mut found = Vec::new();
        let DeValue::Array(elements) = value.get_ref() else {
            let written = kind(value.get_ref());
            problems.wrong(
                value.span(),
                format!("`{key}`: expected tables {name}, each with double brackets, found {written}"),
            );
            return found;
        };
        for element in elements {
            match element.get_ref() {
                DeValue::Table(entries) => found.push(visit(entries, name.clone(), element.span(), problems, &read)),
                other => {
                    problems.wrong(element.span(), format!("`{key}`: expected a table {name}, found {}", kind(other)));
                }
            }
        }
        found
    }

    /// As [`Self::sections`], at least one of which must be there; `example` says what it has.
    pub(super) fn required_sections<T>(
        &mut self,
        key: &'static str,
        example: &str,
        problems: &mut Problems,
        read: impl Fn(&mut Table<'_, '_>, &mut Problems) -> T,
    ) -> Vec<T> {
        let missing = format!("there is no {key}: add a table [[{key}]] with {example}");
        match self.entries.get(key) {
            None => problems.doubtful(self.span(), missing),
            Some(value) if value.get_ref().as_array().is_some_and(|list| list.is_empty()) => {
                problems.wrong(value.span(), missing);
            }
            Some(_) => {}
        }
        self.sections(key, problems, read)
    }

    /// Each table `[key.NAME]`, with its name.
    pub(super) fn named_sections<T>(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
        read: impl Fn(&str, &mut Table<'_, '_>, &mut Problems) -> T,
    ) -> Vec<(At<String>, T)> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let DeValue::Table(entries) = value.get_ref() else {
            let written = kind(value.get_ref());
            problems.wrong(value.span(), format!("`{key}`: expected tables [{key}.NAME], found {written}"));
            return Vec::new();
        };
        let mut found = Vec::new();
        for (named, value) in entries {
            let name = named.get_ref().as_ref();
            if !is_name(name) {
                let name = name.escape_debug();
                let message = format!("\"{name}\" can't name a {key}: use at most 32 letters, digits, \"_\" and \"-\"");
                problems.wrong(named.span(), message);
            }
            let shown = format!("[{key}.{}]", name.escape_debug());
            match value.get_ref() {
                DeValue::Table(entries) => {
                    let one =
                        visit(entries, shown, value.span(), problems, |table, problems| read(name, table, problems));
                    found.push((At { value: name.to_owned(), span: named.span() }, one));
                }
                other => {
                    problems.wrong(value.span(), format!("`{key}`: expected a table {shown}, found {}", kind(other)));
                }
            }
        }
        found
    }

    /// Lets the keys pass that nobody asked for: which are known can't be told.
    pub(super) const fn rest_is_unknown(&mut self) {
        self.is_lenient = true;
    }

    /// Reports the keys nobody asked for.
    pub(super) fn finish(self, problems: &mut Problems) {
        if self.is_lenient {
            return;
        }
        for key in self.entries.keys() {
            let given: &str = key.get_ref();
            if self.known.contains(&given) {
                continue;
            }
            let unknown = format!("unknown key `{}`", given.escape_debug());
            if let Some(near) = nearest(given, &self.known) {
                problems.wrong(key.span(), format!("{unknown}: did you mean `{near}`?"));
            } else {
                let known = self.known.join(", ");
                problems.doubtful(key.span(), format!("{unknown}: {} has {known}", self.name));
            }
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Value<'a, 'i>> {
        self.known.push(key);
        self.entries.get(key)
    }

    fn demand(&self, key: &str, example: &str, problems: &mut Problems) {
        if !self.entries.contains_key(key) {
            problems.doubtful(self.span(), format!("{} has no `{key}`: add it, as {key} = {example}", self.name));
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
}

/// Reads a table to its end.
fn visit<T>(
    entries: &DeTable<'_>,
    name: String,
    span: Span,
    problems: &mut Problems,
    read: impl FnOnce(&mut Table<'_, '_>, &mut Problems) -> T,
) -> T {
    let mut table = Table { entries, name, span, known: Vec::new(), is_lenient: false };
    let found = read(&mut table, problems);
    table.finish(problems);
    found
}

/// The known key that `given` is a misspelling of, if it is close to one.
fn nearest(given: &str, known: &[&'static str]) -> Option<&'static str> {
    let score = |key: &str| strsim::damerau_levenshtein(given, key);
    let near = known.iter().copied().min_by_key(|key| score(key))?;
    (score(near) <= near.len().max(3) / 3).then_some(near)
}
