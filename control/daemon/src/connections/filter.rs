//! Which connections are meant.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use ulvs_api::ConnectionFilter;
use ulvs_engine::conn::Connection;
use ulvs_engine::proto::State;
use ulvs_model::Protocol;

use super::{client, protocol, real_server, service};

/// What a connection must have; what is absent is not asked for.
#[derive(Debug, Default)]
pub(super) struct Filter {
    client: Option<IpNet>,
    service: Option<End>,
    real_server: Option<End>,
    state: Option<&'static str>,
    protocol: Option<&'static str>,
}

/// An address, and a port if one is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct End {
    address: IpAddr,
    port: Option<u16>,
}

impl End {
    fn parse(text: &str) -> Option<Self> {
        let whole = |end: SocketAddr| Self { address: end.ip(), port: Some(end.port()) };
        let any_port = |text: &str| text.parse().ok().map(|address| Self { address, port: None });
        text.parse()
            .ok()
            .map(whole)
            .or_else(|| any_port(text.strip_prefix('[')?.strip_suffix(']')?))
            .or_else(|| any_port(text))
    }

    fn is(self, end: SocketAddr) -> bool {
        self.address == end.ip() && self.port.is_none_or(|port| port == end.port())
    }
}

impl Filter {
    /// # Errors
    /// A sentence about the word that says nothing.
    pub(super) fn new(said: &ConnectionFilter) -> Result<Self, String> {
        let end = |what: &str, text: &Option<String>| {
            let read = |text: &String| {
                End::parse(text).ok_or_else(|| {
                    format!("{what} is `{text}`: give an address, with or without a port, as 192.0.2.1:80 or [2001:db8::1]:80")
                })
            };
            text.as_ref().map(read).transpose()
        };
        Ok(Self {
            client: said.client.as_deref().map(prefix).transpose()?,
            service: end("service", &said.service)?,
            real_server: end("real", &said.real)?,
            state: said.state.as_deref().map(state).transpose()?,
            protocol: said.protocol.as_deref().map(protocol_name).transpose()?,
        })
    }

    pub(super) fn fits(&self, connection: &Connection) -> bool {
        self.protocol.is_none_or(|name| name == protocol(connection))
            && self.state.is_none_or(|name| name == connection.state_name())
            && self.client.is_none_or(|prefix| prefix.contains(&client(connection).ip()))
            && self.service.is_none_or(|end| end.is(service(connection)))
            && self.real_server.is_none_or(|end| end.is(real_server(connection)))
    }
}

fn prefix(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| address())
        .map_err(|_| format!("client is `{text}`: give a prefix, as 192.0.2.0/24, or an address"))
}

/// As they are listed, templates' included, in letters of either case.
fn state(text: &str) -> Result<&'static str, String> {
    const OF_TEMPLATES: &str = "ASSURED";
    let mut names = State::ALL.iter().map(|state| state.name()).chain([OF_TEMPLATES]);
    names.clone().find(|name| name.eq_ignore_ascii_case(text)).ok_or_else(|| {
        let last = names.next_back().unwrap_or_default();
        format!("there is no state `{text}`: choose among {} and {last}", names.collect::<Vec<_>>().join(", "))
    })
}

fn protocol_name(text: &str) -> Result<&'static str, String> {
    const OF_MARKS: &str = "ip";
    let known = text.parse::<Protocol>().map(Protocol::name);
    if text.eq_ignore_ascii_case(OF_MARKS) { Ok(OF_MARKS) } else { known.map_err(|error| error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::connection;
    use super::*;

    fn fits(change: impl FnOnce(&mut ConnectionFilter)) -> bool {
        let mut said = ConnectionFilter::default();
        change(&mut said);
        Filter::new(&said).unwrap().fits(&connection("192.0.2.7:4242", "198.51.100.1:80", "10.0.0.11:8080"))
    }

    #[test]
    fn a_connection_must_fit_all_that_is_said() {
        assert!(fits(|_| {}));
        for (client, expected) in
            [("192.0.2.0/24", true), ("192.0.2.7", true), ("192.0.2.8/32", false), ("::/0", false)]
        {
            assert_eq!(fits(|said| said.client = Some(client.into())), expected, "{client}");
        }
        for (service, expected) in [
            ("198.51.100.1:80", true),
            ("198.51.100.1", true),
            ("198.51.100.1:81", false),
            ("[::1]", false),
            ("::1", false),
        ] {
            assert_eq!(fits(|said| said.service = Some(service.into())), expected, "{service}");
        }
        assert!(fits(|said| said.real = Some("10.0.0.11:8080".into())));
        assert!(!fits(|said| said.real = Some("10.0.0.11:80".into())));
        assert!(fits(|said| said.state = Some("syn_recv".into())));
        assert!(!fits(|said| said.state = Some("ASSURED".into())));
        assert!(fits(|said| said.protocol = Some("TCP".into())));
        assert!(!fits(|said| said.protocol = Some("ip".into())));
        assert!(!fits(|said| (said.client, said.state) = (Some("192.0.2.7".into()), Some("CLOSE".into()))));
    }

    #[test]
    fn what_says_nothing_is_told() {
        let wrong = |change: fn(&mut ConnectionFilter)| {
            let mut said = ConnectionFilter::default();
            change(&mut said);
            Filter::new(&said).unwrap_err()
        };
        assert!(wrong(|said| said.client = Some("192.0.2.0/33".into())).contains("a prefix, as 192.0.2.0/24"));
        assert!(wrong(|said| said.service = Some("web".into())).starts_with("service is `web`"));
        assert!(wrong(|said| said.real = Some(String::new())).starts_with("real is ``"));
        assert!(wrong(|said| said.state = Some("OPEN".into())).contains("ESTABLISHED, SYN_SENT"));
        assert!(wrong(|said| said.protocol = Some("icmp".into())).contains("tcp"));
    }
}
