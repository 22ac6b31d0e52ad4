//! A scheduler's flags, which have IPVS's numbers beside names of their own (ipvs-facts D.1).

use crate::Service;

/// The flags that the director's file has for a service's, and those that mean nothing to its scheduler.
///
/// `flag-1` and `flag-2` are what `sh-fallback` and `sh-port` are; `flag-3`, and all of them with other schedulers, IPVS keeps and
/// does nothing with. What is no flag at all is for the file's reader to refuse.
pub(crate) fn of(service: &Service) -> (Vec<String>, Vec<&str>) {
    let own = matches!(&*service.scheduler, "sh" | "mh").then_some(&*service.scheduler);
    let (mut known, mut idle) = (Vec::new(), Vec::new());
    for said in &service.flags {
        let name = match (&**said, own) {
            ("", _) => continue,
            ("flag-1", Some(scheduler)) => format!("{scheduler}-fallback"),
            ("flag-2", Some(scheduler)) => format!("{scheduler}-port"),
            ("flag-1" | "flag-2" | "flag-3", _) => {
                idle.push(&**said);
                continue;
            }
            (other, _) => other.to_owned(),
        };
        if !known.contains(&name) {
            known.push(name);
        }
    }
    (known, idle)
}
