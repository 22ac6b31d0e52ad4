//! The commands of the vectors' set-ups.

use std::net::SocketAddr;

use ulvs_engine::proto::Timeouts;
use ulvs_engine::snapshot::Compiler;
use ulvs_model::{
    Destination, Encapsulation, Family, ForwardMethod, Netmask, Persistence, PersistenceEngine, Protocol,
    SchedulerFlags, Service, ServiceKey, ServiceSettings, Thresholds, Weight,
};

/// What a command asks for that the engine does not have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Unsupported {
    /// An option.
    Option(String),
    /// A service that was refused before.
    Service(String),
}

/// Runs `ipvsadm …`. Panics at what is no command of the vectors.
pub(crate) fn run(compiler: &mut Compiler, command: &str) -> Result<(), Unsupported> {
    let mut words = command.split_whitespace();
    match words.next() {
        Some("ipvsadm") => {}
        Some("sysctl") => return sysctl(compiler, command),
        _ => panic!("{command}"),
    }
    let action = words.next().unwrap();
    if action == "--set" {
        let [tcp, tcp_fin, udp] = std::array::from_fn(|_| words.next().unwrap().parse().unwrap());
        compiler.set_timeouts(Timeouts::with(tcp, tcp_fin, udp));
        return Ok(());
    }
    let (mut service, mut server, mut settings) = (None, None, ServiceSettings::default());
    let (mut timeout, mut netmask, mut family, mut engine) = (None, None, Family::V4, None);
    let (mut method, mut weight, mut thresholds) = (ForwardMethod::Dr, Weight::default(), Thresholds::default());
    let mut tunnel = TunnelOptions::default();
    while let Some(option) = words.next() {
        let mut value = || words.next().unwrap();
        match option {
            "-t" | "-u" | "--sctp-service" => service = Some(key_of(option, value())),
            "-f" => service = Some(ServiceKey::Mark { family, mark: value().parse().unwrap() }),
            "-6" => family = Family::V6,
            "-o" => settings.one_packet = true,
            "-r" => server = Some(value().parse().unwrap()),
            "-s" => settings.scheduler = value().parse().unwrap(),
            "-b" => {
                for name in value().split(',') {
                    let flag = SchedulerFlags::named(settings.scheduler, name).unwrap();
                    settings.scheduler_flags = settings.scheduler_flags.and(flag);
                }
            }
            "-p" => timeout = Some(value().parse().unwrap()),
            "--pe" => engine = PersistenceEngine::from_name(value()),
            "-M" => netmask = Some(value().to_owned()),
            "-m" => method = ForwardMethod::Nat,
            "-g" => method = ForwardMethod::Dr,
            "-i" => method = ForwardMethod::Tun,
            _ if option.starts_with("--tun-") => tunnel.read(option, value),
            "-w" => weight = Weight::new(value().parse().unwrap()).unwrap(),
            "-x" => thresholds = Thresholds::new(value().parse().unwrap(), thresholds.lower()).unwrap(),
            "-y" => thresholds = Thresholds::new(thresholds.upper(), value().parse().unwrap()).unwrap(),
            _ => return Err(Unsupported::Option(option.to_owned())),
        }
    }
    let key = match service.unwrap() {
        ServiceKey::Mark { mark, .. } => ServiceKey::Mark { family, mark },
        key @ ServiceKey::Address { .. } => key,
    };
    let is_v6 = key.family() == Family::V6;
    let host = if is_v6 { Netmask::HOST_V6 } else { Netmask::HOST_V4 };
    let mask = |text: String| match text.parse() {
        Ok(length) => Netmask::of_length(length, is_v6).unwrap(),
        Err(_) => Netmask::V4(text.parse().unwrap()),
    };
    let netmask = netmask.map_or(host, mask);
    settings.persistence = timeout.map(|timeout| Persistence { timeout, netmask, engine });
    let destination = |address: Option<SocketAddr>| Destination {
        address: address.unwrap(),
        method,
        encapsulation: tunnel.encapsulation(),
        weight,
        thresholds,
    };
    if action != "-A" && compiler.service(key).is_none() {
        return Err(Unsupported::Service(key.to_string()));
    }
    match action {
        "-A" => compiler.add_service(&Service::new(key, settings).unwrap()),
        "-E" => compiler.edit_service(key, settings),
        "-D" => compiler.remove_service(key),
        "-a" => compiler.add_destination(key, destination(server)),
        "-e" => compiler.edit_destination(key, destination(server)),
        "-d" => compiler.remove_destination(key, server.unwrap()),
        _ => panic!("{command}"),
    }
    .unwrap();
    Ok(())
}

/// The service of an option that has a protocol.
fn key_of(option: &str, address: &str) -> ServiceKey {
    let protocol = match option {
        "-t" => Protocol::Tcp,
        "-u" => Protocol::Udp,
        _ => Protocol::Sctp,
    };
    ServiceKey::new(protocol, address.parse().unwrap())
}

/// Runs `sysctl -w net.ipv4.vs.NAME=VALUE …`.
fn sysctl(compiler: &mut Compiler, command: &str) -> Result<(), Unsupported> {
    let mut sysctls = compiler.sysctls();
    let mut done = Ok(());
    for setting in command.strip_prefix("sysctl -w ").unwrap().split_whitespace() {
        let (name, value) = setting.strip_prefix("net.ipv4.vs.").unwrap().split_once('=').unwrap();
        done = done.and(sysctls.set(name.parse().unwrap(), value).map_err(|_| Unsupported::Option(name.to_owned())));
    }
    compiler.set_sysctls(sysctls);
    compiler.look_at_room();
    done
}

/// What the options `--tun-…` said, in IPVS's numbers.
#[derive(Default)]
struct TunnelOptions {
    kind: u8,
    port: u16,
    flags: u16,
}

impl TunnelOptions {
    fn read<'a>(&mut self, option: &str, mut value: impl FnMut() -> &'a str) {
        match option {
            "--tun-type" => {
                let name = value();
                self.kind = ["ipip", "gue", "gre"].iter().zip(0..).find(|(known, _)| **known == name).unwrap().1;
            }
            "--tun-port" => self.port = value().parse().unwrap(),
            "--tun-nocsum" => self.flags = 0,
            "--tun-csum" => self.flags = 1,
            "--tun-remcsum" => self.flags = 2,
            _ => panic!("{option}"),
        }
    }

    fn encapsulation(&self) -> Encapsulation {
        Encapsulation::from_ipvs(self.kind, self.port, self.flags).unwrap()
    }
}
