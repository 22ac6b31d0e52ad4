//! The workers' cores: there, isolated, at full frequency, not halves of one another.

use ulvs_config::{PollMode, Workers};

use super::Findings;
use super::machine::Machine;

const CPUS: &str = "sys/devices/system/cpu";

pub(super) fn examine(machine: &Machine, workers: &Workers, findings: &mut Findings) {
    let online = machine.cores(&format!("{CPUS}/online"));
    let isolated = machine.cores(&format!("{CPUS}/isolated"));
    let list = workers.cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    for &core in &workers.cores {
        let what = format!("core {core}");
        if !online.contains(&core) {
            let have = machine.text(&format!("{CPUS}/online")).unwrap_or_else(|| "unknown".to_owned());
            findings
                .change(what, format!("it is not online (those that are: {have}): choose others in [workers] cores"));
            continue;
        }
        if workers.poll == PollMode::Adaptive {
            findings.good(what, "there; its worker sleeps when idle, so that others may use it");
        } else if isolated.contains(&core) {
            findings.good(what, "isolated, its worker's alone");
        } else {
            findings.change(
                what,
                format!(
                    "the kernel may run other things on it, and packets are lost meanwhile: boot with isolcpus={list} \
                     nohz_full={list} rcu_nocbs={list}, or set poll = \"adaptive\" where that does not matter"
                ),
            );
        }
        frequency(machine, core, findings);
    }
    halves(machine, &workers.cores, findings);
    if !online.is_empty() && online.iter().all(|core| workers.cores.contains(core)) {
        findings.note("cores", "workers have all there are: the control side takes turns with them");
    }
}

fn frequency(machine: &Machine, core: usize, findings: &mut Findings) {
    let what = format!("core {core}");
    match machine.text(&format!("{CPUS}/cpu{core}/cpufreq/scaling_governor")).as_deref() {
        None => findings.good(what, "its frequency is not the kernel's to change"),
        Some("performance") => findings.good(what, "at full frequency"),
        Some(other) => findings.change(
            what,
            format!("its frequency follows the governor {other}: cpupower -c {core} frequency-set -g performance"),
        ),
    }
}

/// Two workers on the two threads of one core get half of it each.
fn halves(machine: &Machine, cores: &[usize], findings: &mut Findings) {
    for (place, &core) in cores.iter().enumerate() {
        let siblings = machine.cores(&format!("{CPUS}/cpu{core}/topology/thread_siblings_list"));
        let others = cores[..place].iter().filter(|other| siblings.contains(other));
        for other in others {
            findings.change(
                format!("core {core}"),
                format!("it is the other thread of core {other}, which has a worker too: choose cores with one each"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level::{Change, Note};
    use super::super::tests::{fit, only, wrong};

    #[test]
    fn cores_that_are_not_isolated() {
        let fake = fit();
        fake.write("sys/devices/system/cpu/isolated", "2\n");
        only(&fake, Change, "core 3", "isolcpus=2,3");
    }

    #[test]
    fn cores_that_save_power() {
        let fake = fit();
        fake.write("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "powersave\n");
        only(&fake, Change, "core 2", "governor powersave");
    }

    #[test]
    fn halves_of_a_core() {
        let fake = fit();
        fake.write("sys/devices/system/cpu/cpu3/topology/thread_siblings_list", "2-3\n");
        only(&fake, Change, "core 3", "other thread of core 2");
    }

    #[test]
    fn cores_that_are_not_there_or_all_there_are() {
        let fake = fit();
        fake.write("sys/devices/system/cpu/online", "0-2\n");
        only(&fake, Change, "core 3", "not online");
        fake.write("sys/devices/system/cpu/online", "2-3\n");
        assert_eq!(wrong(&fake)[0].level, Note);
    }
}
