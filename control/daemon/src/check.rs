//! `ulvsd --check FILE`: all errors of a file at once.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use ulvs_config::Director;

use crate::words::{counted, said};

/// Reports a file's errors on standard error, or on standard output that it has none.
pub(crate) fn report(file: &Path) -> ExitCode {
    match read(file) {
        Ok(director) => {
            let services = director.services();
            let real_servers: usize = services.iter().map(|service| service.destinations().len()).sum();
            println!(
                "{}: no errors ({}, {}, {})",
                file.display(),
                counted(director.ports().len(), "port"),
                counted(services.len(), "service"),
                counted(real_servers, "real server")
            );
            ExitCode::SUCCESS
        }
        Err(report) => {
            eprint!("{report}");
            ExitCode::FAILURE
        }
    }
}

/// Reads a file; else the report of what is wrong with it, ending with a newline.
pub(crate) fn read(file: &Path) -> Result<Director, String> {
    let text = fs::read_to_string(file).map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "write one (docs/ulvs.example.toml shows every key), or name it with --config"
            }
            std::io::ErrorKind::InvalidData => "it must be text in UTF-8",
            std::io::ErrorKind::IsADirectory => "name the file in it",
            _ => "make it readable for this user",
        };
        format!("{}: can't be read ({}): {remedy}\n", file.display(), said(&error))
    })?;
    Director::parse(&text).map_err(|diagnostics| {
        let report: String = diagnostics.iter().map(|diagnostic| diagnostic.render(file.display())).collect();
        report + &format!("{}: {}\n", file.display(), counted(diagnostics.len(), "error"))
    })
}
