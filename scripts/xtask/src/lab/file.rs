//! The lab's `ulvs.toml`.

use std::fmt::Write;
use std::path::Path;

use super::plan::{Family, Method, Plan, Segment, real_server};

/// What the machine decides, not the plan.
pub(super) struct Machine<'a> {
    /// One core for each worker.
    pub(super) cores: &'a [usize],
    pub(super) huge_pages: bool,
    pub(super) socket: &'a Path,
}

/// The two protocols of every virtual address: name, port, and the port that NAT maps it to.
const PROTOCOLS: [(&str, u16, u16); 2] = [("tcp", 80, 8080), ("udp", 53, 5353)];

pub(super) fn ulvs_toml(plan: &Plan, machine: &Machine<'_>) -> String {
    let mut text = head(plan, machine);
    for (number, segment) in plan.segments().iter().enumerate() {
        text.push_str(&port(plan, *segment, number));
    }
    for method in &plan.methods {
        for family in Family::BOTH {
            for protocol in PROTOCOLS {
                text.push_str(&service(plan, *method, family, protocol));
            }
        }
    }
    text
}

fn head(plan: &Plan, machine: &Machine<'_>) -> String {
    format!(
        "# Written by `cargo xtask lab up` for the lab {name}; gone with `cargo xtask lab down`.\n\n\
         [dpdk]\nhuge_pages = {huge_pages}\nmemory = 256\n\n\
         [workers]\ncores = {cores:?}\npoll = \"adaptive\"\n\n\
         [api]\nsocket = \"{socket}\"\n\n\
         [state]\nfolder = \"{state}\"\n\n\
         [metrics]\nlisten = \"127.0.0.1:9477\"\n\n\
         [console]\nlisten = \"127.0.0.1:9478\"\ntoken_file = \"{token}\"\n",
        name = plan.name,
        huge_pages = machine.huge_pages,
        cores = machine.cores,
        socket = machine.socket.display(),
        token = machine.socket.with_file_name("console.token").display(),
        state = machine.socket.with_file_name("state").display(),
    )
}

fn port(plan: &Plan, segment: Segment, number: usize) -> String {
    let mut addresses: Vec<String> =
        Family::BOTH.iter().map(|family| format!("{}/{}", segment.director(*family), family.length())).collect();
    // the virtual addresses live on the first port's twin
    if number == 0 {
        for method in &plan.methods {
            addresses.extend(Family::BOTH.iter().map(|f| format!("{}/{}", method.vip(*f), f.host_length())));
        }
    }
    let mut text = format!(
        "\n[[port]]\nname = \"{name}\"\ndevice = \"net_af_packet{number},iface={name},qpairs={queues}\"\n\
         queues = {queues}\ntap = \"ulvs{number}\"\naddresses = [\n",
        name = segment.name(),
        queues = plan.workers,
    );
    for address in addresses {
        let _ = writeln!(text, "    \"{address}\",");
    }
    text.push_str("]\n");
    text
}

fn service(plan: &Plan, method: Method, family: Family, (protocol, port, mapped): (&str, u16, u16)) -> String {
    let mut text = format!(
        "\n[[service]]\naddress = \"{}\"\nprotocol = \"{protocol}\"\nscheduler = \"{}\"\n",
        with_port(&method.vip(family), port),
        plan.scheduler,
    );
    for (number, name) in plan.real_servers() {
        let over = if plan.cross && method == Method::Tun { family.other() } else { family };
        let address = real_server(number, over);
        let address = if method == Method::Nat { with_port(&address, mapped) } else { address };
        let _ = write!(
            text,
            "\n[[service.real_server]]  # {name}\naddress = \"{address}\"\nmethod = \"{}\"\n",
            method.name()
        );
    }
    text
}

fn with_port(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::*;

    fn text(plan: &Plan) -> String {
        ulvs_toml(plan, &Machine { cores: &[1], huge_pages: false, socket: Path::new("/run/lab/api.sock") })
    }

    #[test]
    fn there_are_twelve_services_of_three_real_servers() {
        let text = text(&plan());
        assert_eq!(text.matches("[[service]]").count(), 12);
        assert_eq!(text.matches("[[service.real_server]]").count(), 36);
        assert_eq!(text.matches("[[port]]").count(), 2);
        assert!(text.contains("device = \"net_af_packet1,iface=lan,qpairs=1\""));
    }

    #[test]
    fn nat_maps_ports_and_the_others_do_not() {
        let text = text(&plan());
        assert!(text.contains("address = \"[fd00:77:2::12]:5353\"\nmethod = \"nat\""));
        assert!(text.contains("address = \"10.77.2.12\"\nmethod = \"dr\""));
    }

    #[test]
    fn crossed_tunnels_use_the_other_family() {
        let text = text(&Plan { cross: true, methods: vec![Method::Tun], ..plan() });
        let services: Vec<&str> = text.split("[[service]]").collect();
        assert!(services[1].contains("\"10.77.0.103:80\"") && services[1].contains("\"fd00:77:2::11\""));
        assert!(services[3].contains("\"[fd00:77::103]:80\"") && services[3].contains("\"10.77.2.11\""));
    }

    #[test]
    fn one_arm_has_everything_on_one_port() {
        let text = text(&Plan { arms: 1, ..plan() });
        assert_eq!(text.matches("[[port]]").count(), 1);
        assert!(text.contains("\"10.77.2.1/24\"") && text.contains("\"fd00:77::101/128\""));
        assert!(!text.contains("10.77.1.1"));
    }
}
