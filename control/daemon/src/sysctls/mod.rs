//! IPVS's switches: what the API tells of them, and files to write to.

mod files;

use std::sync::Arc;

use tokio::sync::watch;
use ulvs_api::{Changed, SysctlRequest, SysctlStatus};
use ulvs_ipvs::table::{Command, Owner};
use ulvs_ipvs::{Errno, Refusal};
use ulvs_model::{Sysctl, Sysctls};

use crate::ipvs::Director;

pub(crate) use files::Files;

/// The switches as they show themselves now.
pub(crate) type Shown = watch::Receiver<Sysctls>;

/// Each switch, for the API.
pub(crate) fn list(director: &Director, shown: &Shown) -> Vec<SysctlStatus> {
    let shown = *shown.borrow();
    let (said, set) = director.look(|table| (*table.file().sysctls(), *table.sysctls()));
    let one = |&which: &Sysctl| SysctlStatus {
        name: which.name().into(),
        value: shown.get(which),
        default: Sysctls::default().get(which),
        edited: said.number(which) != set.number(which),
    };
    Sysctl::ALL.iter().map(one).collect()
}

/// Sets one, and returns when all workers forward so.
pub(crate) async fn set(director: &Arc<Director>, request: &SysctlRequest) -> Result<Changed, Refusal> {
    let invalid = |error: String| Refusal::because(Errno::Invalid, error);
    let which: Sysctl = request.name.parse().map_err(|error| invalid(format!("{error}")))?;
    let Some(number) = which.read(&request.value).map_err(|error| invalid(error.to_string()))? else {
        return Ok(Changed::default());
    };
    let changes = director.change_by(move |_| vec![Command::SetSysctl(which, number)], Owner::Api).await?;
    Ok(Changed { changes })
}
