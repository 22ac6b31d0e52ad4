use serde::{Deserialize, Serialize};

/// `POST /v1/apply`, `POST /v1/rollback` and `GET /v1/diff`: what was done, or would be.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Applied {
    /// A line for each change: `+ tcp 192.0.2.100:80 real server 10.0.0.13:80 dr weight 1`.
    pub changes: Vec<String>,
    /// What takes effect only when ulvsd is started again, a sentence each.
    pub restart: Vec<String>,
    /// Entries of the file that others edited or removed, and that stay so.
    pub deviations: usize,
    /// The version that is followed now; absent: nothing was done, or no versions are kept.
    pub version: Option<u64>,
}

/// The body of `POST /v1/apply`, and the query of `GET /v1/diff`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ApplyRequest {
    /// Also make entries of the file that others edited or removed as the file says.
    #[serde(default)]
    pub reset: bool,
}

/// The body of `POST /v1/rollback`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct RollbackRequest {
    /// The version to go back to; absent: the one before the last.
    #[serde(default)]
    pub version: Option<u64>,
}

/// `GET /v1/versions`: one of the versions of the files that were followed, oldest first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Version {
    /// Its number.
    pub number: u64,
    /// When, in seconds since 1970 (UTC).
    pub seconds: u64,
    /// By whom, and how.
    pub who: String,
    /// How many drop-ins there were.
    pub drop_ins: usize,
}
