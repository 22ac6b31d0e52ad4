//! `ulvsd --check FILE`: all errors of a file and its drop-ins at once.

use std::path::Path;
use std::process::ExitCode;

use ulvs_config::{Director, Files};

use crate::words::counted;

/// Reports a file's errors on standard error, or on standard output that it has none.
pub(crate) fn report(file: &Path) -> ExitCode {
    match read(file) {
        Ok((files, director)) => {
            println!("{}: no errors ({})", file.display(), summary(&files, &director));
            ExitCode::SUCCESS
        }
        Err(report) => {
            eprint!("{report}");
            ExitCode::FAILURE
        }
    }
}

/// `2 ports, 3 services, 9 real servers`
fn summary(files: &Files, director: &Director) -> String {
    let services = director.services();
    let real_servers: usize = services.iter().map(|service| service.destinations().len()).sum();
    let mut parts = vec![
        counted(director.ports().len(), "port"),
        counted(services.len(), "service"),
        counted(real_servers, "real server"),
    ];
    if let drop_ins @ 1.. = files.sources().len() - 1 {
        parts.push(counted(drop_ins, "drop-in"));
    }
    parts.join(", ")
}

/// Reads a file and its drop-ins; else the report of what is wrong with them, ending with a newline.
pub(crate) fn read(file: &Path) -> Result<(Files, Director), String> {
    let files = Files::read(file)?;
    let director = files.parse()?;
    Ok((files, director))
}
