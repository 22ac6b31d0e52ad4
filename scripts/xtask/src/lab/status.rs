//! `lab status`.

use std::fs;
use std::process::ExitCode;

use anyhow::Result;

use super::host::Host;
use super::plan::{Family, Plan, Segment, client, real_server};
use super::the_lab;

pub(super) fn run(name: &str) -> Result<ExitCode> {
    let state = the_lab(name)?;
    let plan = &state.plan;
    say!("lab {name}: {} real servers, director with {} port(s)", plan.hosts, plan.segments().len());
    let mut whole = true;
    for host in plan.host_names() {
        let namespace = Host(plan.namespace(&host));
        let mut programs: Vec<String> = namespace.pids().iter().map(|pid| command_name(pid.as_raw())).collect();
        programs.sort();
        programs.dedup();
        let there = namespace.exists();
        whole &= there;
        let runs = match (there, programs.is_empty()) {
            (false, _) => "MISSING".to_owned(),
            (true, true) => String::new(),
            (true, false) => programs.join(", "),
        };
        say!("  {:<9} {:<42} {runs}", host, addresses(plan, &host).join(" "));
    }
    for method in &plan.methods {
        let [v4, v6] = Family::BOTH.map(|family| method.vip(family));
        say!("  VIP {:<5} {v4} {v6}  tcp 80, udp 53", method.name());
    }
    say!("  ulvs.toml {}", state.config().display());
    if !whole {
        say!("the lab is not whole: run `cargo xtask lab down`, then `cargo xtask lab up`");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn addresses(plan: &Plan, host: &str) -> Vec<String> {
    let number = host.strip_prefix("rs").and_then(|number| number.parse().ok());
    let of = |segments: &[Segment], address: fn(Segment, Family) -> String| {
        segments.iter().flat_map(|segment| Family::BOTH.map(|family| address(*segment, family))).collect()
    };
    match (host, number) {
        ("client", _) => Family::BOTH.map(client).to_vec(),
        ("switch", _) => of(&Segment::BOTH, Segment::router),
        ("director", _) => of(plan.segments(), Segment::director),
        (_, Some(number)) => Family::BOTH.map(|family| real_server(number, family)).to_vec(),
        _ => Vec::new(),
    }
}

fn command_name(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}
