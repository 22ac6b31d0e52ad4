use serde::{Deserialize, Serialize};

use crate::Name;

/// One of `GET /v1/sysctls`: a switch of IPVS's.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SysctlStatus {
    /// IPVS's name: `conn_reuse_mode`.
    pub name: Name,
    /// Its value, as its file has it. Of `drop_entry`, `drop_packet` and `secure_tcp` with level 1 or 2 the 2 says that it acts.
    pub value: String,
    /// An ulvsd without other settings has this.
    pub default: String,
    /// What the file says is not what it is: somebody set it since.
    pub edited: bool,
}

/// `POST /v1/sysctls`: sets a switch; answered with [`Changed`](crate::Changed).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SysctlRequest {
    /// IPVS's name.
    pub name: String,
    /// The value, as it would be written to its file.
    pub value: String,
}
