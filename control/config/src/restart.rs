use crate::{Director, Port};

/// What of `new` a director that runs with `old` can't take on before it is restarted, a sentence each.
///
/// Everything else takes effect by a reload: services and real servers, timeouts, static routes and neighbours, firewall
/// marks, FTP's ports, limits of sources.
pub fn restart_needed(old: &Director, new: &Director) -> Vec<String> {
    let mut changed = Vec::new();
    let mut key = |name: &'static str, same: bool| {
        if !same {
            changed.push(name.to_owned());
        }
    };
    key("`huge_pages` of [dpdk]", old.dpdk.huge_pages == new.dpdk.huge_pages);
    key("`memory` of [dpdk]", old.dpdk.memory_mib == new.dpdk.memory_mib);
    key("`packets` of [dpdk]", old.dpdk.packets == new.dpdk.packets);
    key("`eal_args` of [dpdk]", old.dpdk.eal_args == new.dpdk.eal_args);
    key("`cores` of [workers]", old.workers.cores == new.workers.cores);
    key("`poll` of [workers]", old.workers.poll == new.workers.poll);
    key("`capacity` of [connections]", old.connections.capacity == new.connections.capacity);
    key("`capacity` of [destinations]", old.destinations.capacity == new.destinations.capacity);
    key("`socket` of [api]", old.api.socket == new.api.socket);
    key("`folder` of [state]", old.state.folder == new.state.folder);
    key("`listen` of [metrics]", old.metrics.listen == new.metrics.listen);
    key("`listen` of [console]", old.console.listen == new.console.listen);
    key("`token_file` of [console]", old.console.token_file == new.console.token_file);
    key("`names` of [console]", old.console.names == new.console.names);
    key("`json` of [flows]", old.flows.json == new.flows.json);
    key("`ipfix` of [flows]", old.flows.ipfix == new.flows.ipfix);
    key("`queue` of [flows]", old.flows.queue == new.flows.queue);
    key("`wait` of [neighbours]", old.neighbours.wait == new.neighbours.wait);
    key("`queue` of [neighbours]", old.neighbours.queue == new.neighbours.queue);
    let sentence = |what| format!("{what} changed: restart ulvsd for it to take effect");
    let mut sentences: Vec<String> = changed.into_iter().map(sentence).collect();
    sentences.extend(ports(&old.ports, &new.ports));
    sentences
}

fn ports(old: &[Port], new: &[Port]) -> Vec<String> {
    let named = |ports: &[Port], name: &str| ports.iter().position(|port| port.name == name);
    let mut sentences = Vec::new();
    for port in old.iter().filter(|port| named(new, &port.name).is_none()) {
        sentences.push(format!("port \"{}\" was removed: it is used until ulvsd is restarted", port.name));
    }
    for (place, port) in new.iter().enumerate() {
        let what = match named(old, &port.name) {
            None => "was added",
            Some(before) if old[before] != *port => "changed",
            Some(before) if before != place && new.len() == old.len() => "changed its place",
            Some(_) => continue,
        };
        sentences.push(format!("port \"{}\" {what}: restart ulvsd for it to take effect", port.name));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [workers]
        cores = [1]
        [[port]]
        name = "wan"
        device = "net_null0"
        [[port]]
        name = "lan"
        device = "net_null1"
        [[service]]
        address = "192.0.2.100:80"
        protocol = "tcp"
    "#;

    fn director(text: &str) -> Director {
        Director::parse(text).unwrap()
    }

    #[test]
    fn services_timeouts_and_routes_are_reloaded() {
        let more = "[connections]\ntimeout_udp = 30\n[[route]]\nprefix = \"0.0.0.0/0\"\nport = \"wan\"\n";
        let new = FILE.replace(":80", ":81") + "\n" + more;
        assert_eq!(restart_needed(&director(FILE), &director(&new)), [""; 0]);
    }

    #[test]
    fn what_the_workers_stand_on_needs_a_restart() {
        let new = FILE.replace("[1]", "[1, 2]").replace("\"lan\"", "\"dmz\"").replace("net_null0", "net_ring0")
            + "\n[connections]\ncapacity = 2048\n";
        assert_eq!(
            restart_needed(&director(FILE), &director(&new)),
            [
                "`cores` of [workers] changed: restart ulvsd for it to take effect",
                "`capacity` of [connections] changed: restart ulvsd for it to take effect",
                "port \"lan\" was removed: it is used until ulvsd is restarted",
                "port \"wan\" changed: restart ulvsd for it to take effect",
                "port \"dmz\" was added: restart ulvsd for it to take effect",
            ]
        );
    }
}
