use super::Include;
use super::lines::Lines;
use crate::Imported;

/// A line of words, and the lines in the braces behind it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Statement {
    /// Of the outermost file: what is included has the line of its `include`.
    pub(super) line: usize,
    pub(super) words: Vec<String>,
    pub(super) block: Option<Vec<Self>>,
}

impl Statement {
    /// A word; empty if there are not so many.
    pub(super) fn word(&self, at: usize) -> &str {
        self.words.get(at).map(String::as_str).unwrap_or_default()
    }
}

/// Files that include each other deeper than this are taken for a circle.
const DEEPEST: usize = 16;
/// Blocks in each other; keepalived has at most five.
const DEEPEST_BLOCK: usize = 64;

/// Reads statements: words, `"quoted words"`, `{`, `}`, and comments from `#` or `!` to the end of the line.
pub(super) struct Reader<'a> {
    include: Include<'a>,
    lines: Lines<'a>,
    /// The outermost block first: its statements so far.
    open: Vec<Vec<Statement>>,
}

impl<'a> Reader<'a> {
    /// `id` is what `@id` is compared with.
    pub(super) fn new(include: Include<'a>, id: &'a str) -> Self {
        Self { include, lines: Lines::new(id), open: vec![Vec::new()] }
    }

    pub(super) fn read(mut self, text: &str, imported: &mut Imported) -> Vec<Statement> {
        self.file(text, None, 0, imported);
        if self.open.len() > 1 {
            let last = text.lines().count();
            imported.remark(last, "a block is not closed: expected `}` before the end");
        }
        while self.open.len() > 1 {
            self.close();
        }
        self.open.pop().unwrap_or_default()
    }

    /// Reads a file; `line` is the one of the `include` that it is read for.
    fn file(&mut self, text: &str, line: Option<usize>, depth: usize, imported: &mut Imported) {
        let mut lines = (1..).zip(text.lines());
        while let Some((own, content)) = lines.next() {
            let mut content = content.to_owned();
            while let Some(continued) = content.trim_end().strip_suffix('\\') {
                let Some((_, next)) = lines.next() else { break };
                content = format!("{continued}\n{next}");
            }
            let line = line.unwrap_or(own);
            let mut given = Vec::new();
            let read = self.lines.read(&content, &mut |line| given.push(line.to_owned()));
            for content in given {
                match words(&content) {
                    Ok(words) => self.statement(line, words, depth, imported),
                    Err(reason) => imported.remark(line, reason),
                }
            }
            if let Err(reason) = read {
                imported.remark(line, format!("{}: {reason}; it is left out", content.trim()));
            }
        }
    }

    fn statement(&mut self, line: usize, tokens: Vec<Token>, depth: usize, imported: &mut Imported) {
        let mut words: Vec<String> = Vec::new();
        for token in tokens {
            match token {
                Token::Word(word) => words.push(word),
                Token::Open => {
                    let words = std::mem::take(&mut words);
                    self.open(line, words, imported);
                }
                Token::Close => {
                    let words = std::mem::take(&mut words);
                    self.line(line, words, depth, imported);
                    if self.open.len() > 1 {
                        self.close();
                    } else {
                        imported.remark(line, "`}` closes nothing");
                    }
                }
            }
        }
        self.line(line, words, depth, imported);
    }

    fn line(&mut self, line: usize, words: Vec<String>, depth: usize, imported: &mut Imported) {
        let Some(first) = words.first() else { return };
        if first == "include" {
            let pattern = words.get(1).map(String::as_str).unwrap_or_default();
            if depth == DEEPEST {
                imported.remark(line, format!("include {pattern}: files include each other in a circle"));
                return;
            }
            match (self.include)(pattern) {
                Ok(files) if files.is_empty() => {
                    imported.remark(line, format!("include {pattern}: there is no such file"));
                }
                Ok(files) => {
                    for (_, text) in files {
                        self.file(&text, Some(line), depth + 1, imported);
                    }
                }
                Err(reason) => imported.remark(line, format!("include: {reason}")),
            }
            return;
        }
        if let Some(block) = self.open.last_mut() {
            block.push(Statement { line, words, block: None });
        }
    }

    /// Opens a block behind these words, or behind the line before if there are none.
    fn open(&mut self, line: usize, words: Vec<String>, imported: &mut Imported) {
        if self.open.len() == DEEPEST_BLOCK {
            return imported.remark(line, "blocks in blocks too deep: `{` is ignored");
        }
        if let Some(block) = self.open.last_mut()
            && (!words.is_empty() || block.last().is_none_or(|last| last.block.is_some()))
        {
            block.push(Statement { line, words, block: None });
        }
        self.open.push(Vec::new());
    }

    fn close(&mut self) {
        let closed = self.open.pop().unwrap_or_default();
        if let Some(opener) = self.open.last_mut().and_then(|block| block.last_mut()) {
            opener.block.get_or_insert_default().extend(closed);
        }
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Token {
    Word(String),
    Open,
    Close,
}

fn words(line: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut characters = line.chars().peekable();
    let end = |word: &mut String, tokens: &mut Vec<Token>| {
        if !word.is_empty() {
            tokens.push(Token::Word(std::mem::take(word)));
        }
    };
    while let Some(c) = characters.next() {
        match c {
            '#' | '!' => break,
            '"' => {
                let quoted: String = characters.by_ref().take_while(|c| *c != '"').collect();
                // take_while has taken the closing quote, if there was one
                if line.matches('"').count() % 2 == 1 && characters.peek().is_none() {
                    return Err("a quote is not closed, so the line is left out".to_owned());
                }
                word.push_str(&quoted);
            }
            '$' if characters.peek() == Some(&'{') => {
                word.push(c);
                word.extend(characters.by_ref().take_while(|c| *c != '}'));
                word.push('}');
            }
            '{' | '}' => {
                end(&mut word, &mut tokens);
                tokens.push(if c == '{' { Token::Open } else { Token::Close });
            }
            c if c.is_whitespace() => end(&mut word, &mut tokens),
            c => word.push(c),
        }
    }
    end(&mut word, &mut tokens);
    Ok(tokens)
}
