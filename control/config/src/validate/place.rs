/// Where something is in the director's file and its drop-ins.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Which of the files.
    pub(super) file: usize,
    /// The byte of its text.
    pub(super) at: usize,
}

impl Place {
    /// The place for who reads file `from`: `in line 3`, `in line 3 of ulvs.toml`. `texts` are the files with their names.
    pub(super) fn shown(self, from: usize, texts: &[(String, String)]) -> String {
        let Some((name, text)) = texts.get(self.file) else { return "above".to_owned() };
        let line = text.bytes().take(self.at).filter(|byte| *byte == b'\n').count() + 1;
        if self.file == from { format!("in line {line}") } else { format!("in line {line} of {name}") }
    }
}
