//! The text that `ipvsadm -S` writes and `ipvsadm -R` reads.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use ulvs_model::ForwardMethod;

use crate::tunnel::Tunnel;
use crate::{Guard, Id, Imported, Persistence, RealServer, Service};

/// Seconds of persistence when `-p` has no number.
const PERSISTENCE: u32 = 300;

/// Reads it; `resolve` finds the address of a host's name, and a port's number by name and protocol.
pub fn parse(text: &str, resolve: &impl Names) -> Imported {
    let mut imported = Imported::default();
    for (line, words) in (1..).zip(text.lines()) {
        let words: Vec<_> = words.split_whitespace().collect();
        if words.is_empty() || words.first().is_some_and(|word| word.starts_with('#')) {
            continue;
        }
        if let Err(reason) = Line::new(line, resolve).read(&words, &mut imported) {
            imported.remark(line, format!("{reason}; the line is left out"));
        }
    }
    imported
}

/// Names of hosts and ports.
pub trait Names {
    /// The address of a host.
    fn host(&self, name: &str) -> Option<IpAddr>;
    /// The number of a port.
    fn port(&self, name: &str, protocol: &str) -> Option<u16>;
}

/// As this machine knows them: its resolver, and /etc/services.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn host(&self, name: &str) -> Option<IpAddr> {
        Some((name, 0).to_socket_addrs().ok()?.next()?.ip())
    }

    fn port(&self, name: &str, protocol: &str) -> Option<u16> {
        let services = std::fs::read_to_string("/etc/services").ok()?;
        services.lines().find_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let (service, port) = (words.next()?, words.next()?);
            let (number, of) = port.split_once('/')?;
            let is_it = of == protocol && (service == name || words.any(|alias| alias == name));
            if is_it { number.parse().ok() } else { None }
        })
    }
}

/// One command being read.
struct Line<'a, N> {
    number: usize,
    names: &'a N,
    is_addition: Option<bool>,
    service: Option<Id>,
    /// Of a service by mark.
    is_v6: bool,
    one_packet: bool,
    scheduler: String,
    flags: Vec<String>,
    persistence: Persistence,
    lacking: Vec<String>,
    server: Option<String>,
    method: ForwardMethod,
    tunnel: Tunnel<'a>,
    numbers: [u32; 3],
}

impl<'a, N: Names> Line<'a, N> {
    fn new(number: usize, names: &'a N) -> Self {
        Self {
            number,
            names,
            is_addition: None,
            service: None,
            is_v6: false,
            one_packet: false,
            scheduler: "wlc".to_owned(),
            flags: Vec::new(),
            persistence: Persistence::default(),
            lacking: Vec::new(),
            server: None,
            method: ForwardMethod::Dr,
            tunnel: Tunnel::default(),
            numbers: [1, 0, 0],
        }
    }

    fn read(mut self, words: &[&'a str], imported: &mut Imported) -> Result<(), String> {
        let mut words = words.iter().copied().peekable();
        while let Some(option) = words.next() {
            let (option, given) = match option.split_once('=') {
                Some((option, value)) if option.starts_with("--") => (option, Some(value)),
                _ => (option, None),
            };
            // Values that may be absent do not begin with a dash. `-b` has none where ipvsadm -S saves flag-3, which it has no name for.
            let optional = matches!(option, "-p" | "--persistent" | "-b" | "--sched-flags");
            let needs = matches!(
                option,
                "-t" | "--tcp-service"
                    | "-u"
                    | "--udp-service"
                    | "--sctp-service"
                    | "-f"
                    | "--fwmark-service"
                    | "-s"
                    | "--scheduler"
                    | "-M"
                    | "--netmask"
                    | "--pe"
                    | "-r"
                    | "--real-server"
                    | "-w"
                    | "--weight"
                    | "-x"
                    | "--u-threshold"
                    | "-y"
                    | "--l-threshold"
                    | "--tun-type"
                    | "--tun-port"
            );
            let value = match given {
                Some(value) => Some(value),
                None if needs || optional && words.peek().is_some_and(|next| !next.starts_with('-')) => words.next(),
                None => None,
            };
            if needs && value.is_none() {
                return Err(format!("{option} lacks its value"));
            }
            self.option(option, value.unwrap_or_default())?;
        }
        self.finish(imported)
    }

    fn option(&mut self, option: &'a str, value: &'a str) -> Result<(), String> {
        match option {
            "-A" | "--add-service" => self.is_addition = Some(true),
            "-a" | "--add-server" => self.is_addition = Some(false),
            "-t" | "--tcp-service" => self.service = Some(self.named("tcp", value)?),
            "-u" | "--udp-service" => self.service = Some(self.named("udp", value)?),
            "--sctp-service" => self.service = Some(self.named("sctp", value)?),
            "-f" | "--fwmark-service" => self.service = Some(Id::Mark { mark: mark(value)?, is_v6: false }),
            "-6" | "--ipv6" => self.is_v6 = true,
            "-s" | "--scheduler" => value.clone_into(&mut self.scheduler),
            "-b" | "--sched-flags" => self.flags = value.split(',').map(ToOwned::to_owned).collect(),
            "-p" | "--persistent" => {
                let seconds = if value.is_empty() { PERSISTENCE } else { number(option, value)? };
                self.persistence.seconds = Some(seconds);
            }
            "-M" | "--netmask" => self.persistence.netmask = Some(value.parse()?),
            "--pe" if value == "sip" => self.persistence.by_call = true,
            "--pe" => self.lacking.push(format!("persistence engine {value}")),
            "-o" | "--ops" => self.one_packet = true,
            "-r" | "--real-server" => self.server = Some(value.to_owned()),
            "-m" | "--masquerading" => self.method = ForwardMethod::Nat,
            "-g" | "--gatewaying" => self.method = ForwardMethod::Dr,
            "-i" | "--ipip" => self.method = ForwardMethod::Tun,
            "-w" | "--weight" => self.numbers[0] = number(option, value)?,
            "-x" | "--u-threshold" => self.numbers[1] = number(option, value)?,
            "-y" | "--l-threshold" => self.numbers[2] = number(option, value)?,
            "--tun-type" => self.tunnel.kind = Some(value),
            "--tun-port" => self.tunnel.port = Some(number(option, value)?),
            "--tun-nocsum" | "--tun-csum" | "--tun-remcsum" => self.tunnel.checksum = option.strip_prefix("--tun-"),
            other => return Err(format!("\"{other}\" is not understood")),
        }
        Ok(())
    }

    fn finish(self, imported: &mut Imported) -> Result<(), String> {
        let id = match self.service.ok_or("it names no service (-t, -u, -f)")? {
            Id::Mark { mark, .. } => Id::Mark { mark, is_v6: self.is_v6 },
            id @ Id::Address { .. } => id,
        };
        if self.is_addition.ok_or("only -A and -a are understood")? {
            if imported.services.iter().any(|one| one.id == id) {
                return Err(format!("{id} is there already"));
            }
            imported.services.push(Service {
                line: self.number,
                id,
                scheduler: self.scheduler,
                flags: self.flags,
                persistence: self.persistence,
                one_packet: self.one_packet,
                lacking: self.lacking,
                real_servers: Vec::new(),
                guard: Guard::default(),
            });
            return Ok(());
        }
        let server = self.server.ok_or("it names no real server (-r)")?;
        let protocol = match &id {
            Id::Address { protocol, .. } => protocol.clone(),
            Id::Mark { .. } => "tcp".to_owned(),
        };
        let way = self.tunnel.of(self.method)?;
        let service = imported.services.iter_mut().find(|one| one.id == id);
        let service = service.ok_or_else(|| format!("there is no service {id} above"))?;
        let port = if let Id::Address { address, .. } = &id { address.port() } else { 0 };
        let address = address(self.names, &protocol, &server, Some(port))?;
        let [weight, upper, lower] = self.numbers;
        service.real_servers.push(RealServer { address, way, weight, upper, lower, checks: Vec::new() });
        Ok(())
    }

    fn named(&self, protocol: &str, value: &str) -> Result<Id, String> {
        Ok(Id::Address { protocol: protocol.to_owned(), address: address(self.names, protocol, value, None)? })
    }
}

fn number(option: &str, value: &str) -> Result<u32, String> {
    let read = value.parse().ok().filter(|number| i32::try_from(*number).is_ok());
    read.ok_or_else(|| format!("{option} {value}: a number from 0 to 2147483647 was expected"))
}

/// ipvsadm saves marks from 2147483648 on as negative numbers, and reads them back.
fn mark(value: &str) -> Result<u32, String> {
    value
        .parse()
        .or_else(|_| value.parse::<i32>().map(i32::cast_unsigned))
        .map_err(|_| format!("-f {value}: a mark from 1 to {} was expected", u32::MAX))
}

/// `192.0.2.1:80`, `[2001:db8::1]:80`, `www.example.com:http`; without a port the one that is given.
fn address(names: &impl Names, protocol: &str, text: &str, port: Option<u16>) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port.unwrap_or(0)));
    }
    let (host, port_name) = match text.rsplit_once(':') {
        Some((host, name)) => (host, Some(name)),
        None => (text, None),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let ip = host.parse().ok().or_else(|| names.host(host));
    let ip = ip.ok_or_else(|| format!("no address is known for \"{host}\": write it with `ipvsadm -S -n`"))?;
    let port = match port_name {
        None => port,
        Some(name) => Some(name.parse().ok().or_else(|| names.port(name, protocol)).ok_or_else(|| {
            format!("no {protocol} port is known by the name \"{name}\": write it with `ipvsadm -S -n`")
        })?),
    };
    Ok(SocketAddr::new(ip, port.unwrap_or(0)))
}
