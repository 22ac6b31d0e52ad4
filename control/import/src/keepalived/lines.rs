//! What is done to lines before they are words: `@id` conditions, `~SEQ` and `~LST`, `$NAME` definitions.

use std::collections::HashMap;

/// Definitions in definitions deeper than this are taken for a circle.
const DEEPEST: usize = 16;
/// The most bytes that a line may become, and that all lines together may become.
const LONGEST: usize = 1 << 20;
const ALL: usize = 16 << 20;

/// Lines to be read on their way to words.
pub(super) struct Lines<'a> {
    /// What `@id` is compared with.
    id: &'a str,
    definitions: HashMap<String, String>,
    /// Bytes that may still be given out: sequences in sequences become many.
    room: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(id: &'a str) -> Self {
        Self { id, definitions: HashMap::new(), room: ALL }
    }

    /// Looks at one line; `give` gets each line that becomes of it.
    ///
    /// # Errors
    /// Why it is left out.
    pub(super) fn read(&mut self, line: &str, give: &mut dyn FnMut(&str)) -> Result<(), String> {
        self.read_nested(line, 0, give)
    }

    fn read_nested(&mut self, line: &str, depth: usize, give: &mut dyn FnMut(&str)) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("conditions, sequences and definitions in each other too deep".to_owned());
        }
        let start = line.trim_start();
        if let Some(rest) = start.strip_prefix('@') {
            return match self.condition(rest) {
                Some(rest) => self.read_nested(rest, depth + 1, give),
                None => Ok(()),
            };
        }
        for (kind, read) in [("~SEQx(", sequence as Reading), ("~SEQ(", sequence), ("~LST(", list)] {
            if let Some(rest) = start.strip_prefix(kind) {
                let (said, rest) = rest.split_once(')').ok_or_else(|| format!("{kind} is not closed"))?;
                let said = self.expanded(said)?;
                let rounds = read(&said, kind == "~SEQx(").map_err(|reason| format!("{kind}{said}): {reason}"))?;
                return self.repeat(&rounds, rest, depth, give);
            }
        }
        if let Some((name, value)) = definition(start) {
            let value = if value.contains('\n') { value } else { without_comment(value) };
            self.definitions.insert(name.to_owned(), value.trim().to_owned());
            return Ok(());
        }
        let line = self.expanded(line)?;
        let several: Vec<_> = line.split('\n').collect();
        if let [line] = several[..] {
            self.room = self.room.checked_sub(line.len()).ok_or("what sequences become is too much to be read")?;
            give(line);
            return Ok(());
        }
        several.into_iter().try_for_each(|line| self.read_nested(line, depth + 1, give))
    }

    /// What follows a condition, if it holds.
    fn condition<'l>(&self, rest: &'l str) -> Option<&'l str> {
        let (id, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let holds = match id.strip_prefix('^') {
            Some(other) => other != self.id,
            None => id == self.id,
        };
        holds.then_some(rest)
    }

    /// The rest of a line, once for each round's values.
    fn repeat(&mut self, rounds: &[Round], rest: &str, depth: usize, give: &mut dyn FnMut(&str)) -> Result<(), String> {
        for round in rounds {
            for (name, value) in round {
                self.definitions.insert(name.clone(), value.clone());
            }
            self.read_nested(rest, depth + 1, give)?;
        }
        for (name, _) in rounds.iter().flatten() {
            self.definitions.remove(name);
        }
        Ok(())
    }

    /// A text with `$NAME` and `${NAME}` replaced, also in what replaces them. What is not defined stays.
    fn expanded(&self, text: &str) -> Result<String, String> {
        let mut text = text.to_owned();
        for _ in 0..DEEPEST {
            let Some(replaced) = self.replaced(&text) else { return Ok(text) };
            if replaced.len() > LONGEST {
                return Err("its definitions make it too long".to_owned());
            }
            text = replaced;
        }
        Err("its definitions name each other in a circle".to_owned())
    }

    /// Each name replaced once; absent if there is none.
    fn replaced(&self, text: &str) -> Option<String> {
        let mut replaced = String::new();
        let mut rest = text;
        let mut is_any = false;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            replaced.push_str(before);
            match named(from).and_then(|(name, after)| Some((self.definitions.get(name)?, after))) {
                Some((value, after)) if replaced.len() <= LONGEST => {
                    is_any = true;
                    replaced.push_str(value);
                    rest = after;
                }
                _ => {
                    replaced.push('$');
                    rest = &from[1..];
                }
            }
        }
        replaced.push_str(rest);
        is_any.then_some(replaced)
    }
}

/// Names and their values for one round.
type Round = Vec<(String, String)>;
type Reading = fn(&str, bool) -> Result<Vec<Round>, String>;

/// The most rounds of one sequence.
const ROUNDS: usize = 1 << 16;

/// `VAR, start, step, end`, step and start may be absent.
fn sequence(said: &str, is_hexadecimal: bool) -> Result<Vec<Round>, String> {
    let parts: Vec<_> = said.split(',').map(str::trim).collect();
    let Some((name, numbers)) = parts.split_first() else { return Err("it names nothing".to_owned()) };
    let numbers = numbers.iter().map(|text| number(text)).collect::<Result<Vec<_>, _>>()?;
    let toward = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let (start, step, end) = match numbers[..] {
        [end] if end < 0 => (-1, -1, end),
        [end] => (1, 1, end),
        [start, end] => (start, toward(start, end), end),
        [start, step, end] => (start, step, end),
        _ => return Err("a name and one to three numbers were expected".to_owned()),
    };
    if step == 0 {
        return Err("a step of 0 leads nowhere".to_owned());
    }
    let mut rounds = Vec::new();
    let mut value = start;
    while if step > 0 { value <= end } else { value >= end } {
        if rounds.len() == ROUNDS {
            return Err(format!("it is longer than {ROUNDS}"));
        }
        let shown = if is_hexadecimal { format!("{value:x}") } else { value.to_string() };
        rounds.push(vec![((*name).to_owned(), shown)]);
        let Some(next) = value.checked_add(step) else { break };
        value = next;
    }
    Ok(rounds)
}

/// `VAR, value, value`, or `{VAR, VAR}, {value, value}, {value, value}`.
fn list(said: &str, _: bool) -> Result<Vec<Round>, String> {
    let mut groups = Vec::new();
    let mut rest = said.trim();
    while !rest.is_empty() {
        let (group, after) = if let Some(inner) = rest.strip_prefix('{') {
            let (group, after) = inner.split_once('}').ok_or("{ is not closed")?;
            (group.split(',').map(str::trim).collect::<Vec<_>>(), after)
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            (vec![rest[..end].trim()], &rest[end..])
        };
        groups.push(group);
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    let Some((names, values)) = groups.split_first() else { return Err("it names nothing".to_owned()) };
    let round = |values: &Vec<&str>| {
        if values.len() != names.len() {
            return Err(format!("{} values for {} names", values.len(), names.len()));
        }
        Ok(names.iter().zip(values).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    };
    values.iter().map(round).collect()
}

fn number(text: &str) -> Result<i64, String> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let read = match digits.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    let small = read.ok().filter(|number| (0..=i64::from(u32::MAX)).contains(number));
    small.map(|number| sign * number).ok_or_else(|| format!("\"{text}\" is no number"))
}

/// `$NAME=value`
fn definition(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.strip_prefix('$')?.split_once('=')?;
    is_name(name).then_some((name, value))
}

/// The name that a text begins with, `$NAME` or `${NAME}`, and what is behind it.
fn named(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix('$')?;
    if let Some(braced) = rest.strip_prefix('{') {
        return braced.split_once('}').filter(|(name, _)| is_name(name));
    }
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    is_name(name).then_some((name, after))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A line up to its comment.
pub(super) fn without_comment(line: &str) -> &str {
    let mut is_quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            '#' | '!' if !is_quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        let mut lines = Lines::new("main");
        let mut given = Vec::new();
        for line in text.split(';') {
            if let Err(reason) = lines.read(line, &mut |line| given.push(line.trim().to_owned())) {
                given.push(format!("! {reason}"));
            }
        }
        given
    }

    #[test]
    fn conditions_are_of_this_machine() {
        assert_eq!(read("a;@main b;@backup c;@^main d;@^backup e;@main @^backup f"), ["a", "b", "e", "f"]);
        assert_eq!(read("@main $P=240;@backup $P=200;priority $P"), ["priority 240"]);
    }

    #[test]
    fn sequences_are_those_of_the_manual() {
        let addresses = |numbers: &[&str]| numbers.iter().map(|n| format!("ip 10.0.{n}.1")).collect::<Vec<_>>();
        assert_eq!(read("~SEQ(S, 0, 3) ip 10.0.${S}.1"), addresses(&["0", "1", "2", "3"]));
        assert_eq!(read("~SEQ(S, 2) ip 10.0.${S}.1"), addresses(&["1", "2"]));
        assert_eq!(read("~SEQ(S, 3, -1, 1) ip 10.0.${S}.1"), addresses(&["3", "2", "1"]));
        assert_eq!(read("~SEQx(S, 0x90, 0x10, 0xb0) ip fe80::$S"), ["ip fe80::90", "ip fe80::a0", "ip fe80::b0"]);
        assert_eq!(read("~SEQ(A,1,2) ~SEQ(B,1,2) $A.$B"), ["1.1", "1.2", "2.1", "2.2"]);
        assert_eq!(read("~LST({IP, IP1}, {10,1},{20,4}) 192.168.${IP}.${IP1}"), ["192.168.10.1", "192.168.20.4"]);
        assert_eq!(read("~LST(IP, 1, 2) ~LST(IP1, 5,6) ${IP}.${IP1}"), ["1.5", "1.6", "2.5", "2.6"]);
    }

    #[test]
    fn definitions_are_replaced_where_they_are_used() {
        assert_eq!(read("$A=10.${B};$B=0;${A}.1;$B=9;$A.1;${C} $D"), ["10.0.1", "10.9.1", "${C} $D"]);
        assert_eq!(read("$V=a $N {\nb\n};~SEQ(N,1,2) $V"), ["a 1 {", "b", "}", "a 2 {", "b", "}"]);
        assert_eq!(read("$A=1 # one;$A"), ["1"]);
    }

    #[test]
    fn what_has_no_end_is_cut() {
        assert_eq!(read("$A=$A;$A"), ["! its definitions name each other in a circle"]);
        assert_eq!(read("$A=$A$A$A$A$A$A$A$A$A$A;$A").len(), 1);
        assert!(read("~SEQ(A,1,0,9) x")[0].contains("a step of 0 leads nowhere"));
        assert!(read("~SEQ(A,1,99999999) x")[0].contains("it is longer than"));
        let many = read("~SEQ(A,1,65536) ~SEQ(B,1,65536) 0123456789");
        assert!(many.len() < 2 * ALL / 10 && many.last().unwrap().contains("too much"), "{}", many.len());
        assert!(read("~LST({A,B},{1}) x")[0].contains("1 values for 2 names"));
        for broken in [
            "~SEQ(",
            "~SEQ()",
            "~SEQ(A)",
            "~SEQ(A,x)",
            "~LST()x",
            "~LST({A) x",
            "~LST(A",
            "@",
            "@^",
            "$",
            "${",
            "$=",
            "${}",
        ] {
            read(broken);
        }
    }
}
