//! `ulvsctl service` and `ulvsctl real`: services and real servers that are set by the API.

use std::io::Write;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use ulvs_api::{
    Client, ClientError, Edit, EditRequest, RealServerEdit, RealServerName, ServiceEdit, ServiceName, path,
};

/// What is done with a service.
#[derive(Debug, Subcommand)]
pub(crate) enum OfService {
    /// Add a service without real servers.
    Add(ServiceSettings),
    /// Edit a service: what is not said stays.
    Edit(ServiceSettings),
    /// Remove a service with its real servers.
    Remove {
        #[command(flatten)]
        named: Service,
        #[command(flatten)]
        how: How,
    },
}

/// What is done with a real server of a service.
#[derive(Debug, Subcommand)]
pub(crate) enum OfRealServer {
    /// Add a real server to a service.
    Add(RealServerSettings),
    /// Edit a real server: what is not said stays.
    Edit(RealServerSettings),
    /// Remove a real server from a service, and its connections with it: `drain --remove` lets them end.
    Remove {
        #[command(flatten)]
        named: RealServer,
        #[command(flatten)]
        how: How,
    },
}

/// A service by its name.
#[derive(Debug, Args)]
pub(crate) struct Service {
    /// The service with its protocol: tcp:192.0.2.100:80, or mark:7
    service: String,
}

/// A real server by its name.
#[derive(Debug, Args)]
pub(crate) struct RealServer {
    #[command(flatten)]
    service: Service,
    /// The real server: 10.0.0.11:8080, without the port if it is the service's
    real_server: String,
}

/// Of all edits.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct How {
    /// Only tell what would change.
    #[arg(long)]
    dry_run: bool,
}

/// What can be said of a service.
#[derive(Debug, Args)]
pub(crate) struct ServiceSettings {
    #[command(flatten)]
    named: Service,
    /// rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos, none; of a new service else wlc.
    #[arg(long, short, value_name = "NAME")]
    scheduler: Option<String>,
    /// The scheduler's flags, as sh-fallback,sh-port; "" for none.
    #[arg(long, value_name = "FLAGS", value_delimiter = ',')]
    flags: Option<Vec<String>>,
    /// Seconds a client keeps its real server; 0: it doesn't.
    #[arg(long, short, value_name = "SECONDS")]
    persistence: Option<u32>,
    /// Clients that are the same under it are taken for one: 255.255.255.0, or the length of a prefix.
    #[arg(long, value_name = "MASK")]
    netmask: Option<String>,
    /// What else tells clients apart: sip, the Call-ID of SIP by UDP; "" for nothing.
    #[arg(long, value_name = "NAME")]
    persistence_engine: Option<String>,
    /// Whether each UDP datagram is scheduled by itself.
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    one_packet: Option<bool>,
    #[command(flatten)]
    how: How,
}

/// What can be said of a real server.
#[derive(Debug, Args)]
pub(crate) struct RealServerSettings {
    #[command(flatten)]
    named: RealServer,
    /// How it is reached: nat, dr, tun.
    #[arg(long, short, value_name = "METHOD")]
    method: Option<String>,
    /// What kind of tunnel, with method tun: ipip, gue, gre; of a new one else ipip.
    #[arg(long, value_name = "TYPE")]
    tun_type: Option<String>,
    /// UDP port of the far end of a tunnel of type gue.
    #[arg(long, value_name = "PORT")]
    tun_port: Option<u16>,
    /// Checksum of a tunnel of type gue (nocsum, csum, remcsum) or gre (nocsum, csum); of a new one else nocsum.
    #[arg(long, value_name = "CHECKSUM")]
    tun_checksum: Option<String>,
    /// Its share of new connections; of a new one else 1.
    #[arg(long, short, value_name = "N")]
    weight: Option<u32>,
    /// Connections from which on it gets no new ones; 0: never.
    #[arg(long, short = 'x', value_name = "N")]
    upper_threshold: Option<u32>,
    /// Connections below which it gets new ones again; 0: three quarters of the upper threshold.
    #[arg(long, short = 'y', value_name = "N")]
    lower_threshold: Option<u32>,
    #[command(flatten)]
    how: How,
}

impl OfService {
    /// Has ulvsd do it, and tells what has changed.
    pub(crate) fn run(&self, client: &Client, json: bool, out: &mut impl Write) -> Result<()> {
        let (edit, how) = match self {
            Self::Add(said) => (Edit::AddService(said.edit()), said.how),
            Self::Edit(said) => (Edit::EditService(said.edit()), said.how),
            Self::Remove { named, how } => (Edit::RemoveService(ServiceName { service: named.service.clone() }), *how),
        };
        post(client, edit, how, json, out)
    }
}

impl OfRealServer {
    /// Has ulvsd do it, and tells what has changed.
    pub(crate) fn run(&self, client: &Client, json: bool, out: &mut impl Write) -> Result<()> {
        let (edit, how) = match self {
            Self::Add(said) => (Edit::AddRealServer(said.edit()), said.how),
            Self::Edit(said) => (Edit::EditRealServer(said.edit()), said.how),
            Self::Remove { named, how } => {
                let RealServer { service: Service { service }, real_server } = named;
                let name = RealServerName { service: service.clone(), real_server: real_server.clone() };
                (Edit::RemoveRealServer(name), *how)
            }
        };
        post(client, edit, how, json, out)
    }
}

impl ServiceSettings {
    fn edit(&self) -> ServiceEdit {
        let Self { named, scheduler, flags, persistence, netmask, persistence_engine, one_packet, how: _ } = self;
        let flags = flags.as_ref().map(|flags| flags.iter().filter(|flag| !flag.is_empty()).cloned().collect());
        ServiceEdit {
            service: named.service.clone(),
            scheduler: scheduler.clone(),
            flags,
            persistence: *persistence,
            netmask: netmask.clone(),
            persistence_engine: persistence_engine.clone(),
            one_packet: *one_packet,
        }
    }
}

impl RealServerSettings {
    fn edit(&self) -> RealServerEdit {
        let Self { named, method, tun_type, tun_port, tun_checksum, weight, upper_threshold, lower_threshold, how: _ } =
            self;
        RealServerEdit {
            service: named.service.service.clone(),
            real_server: named.real_server.clone(),
            method: method.clone(),
            tun_type: tun_type.clone(),
            tun_port: *tun_port,
            tun_checksum: tun_checksum.clone(),
            weight: *weight,
            upper_threshold: *upper_threshold,
            lower_threshold: *lower_threshold,
        }
    }
}

fn post(client: &Client, edit: Edit, how: How, json: bool, out: &mut impl Write) -> Result<()> {
    let request = EditRequest { dry_run: how.dry_run, edits: vec![edit] };
    if json {
        return Ok(writeln!(out, "{}", client.post_text(path::SERVICES, &request)?)?);
    }
    let changed = client.edit(&request).map_err(named)?;
    if changed.changes.is_empty() {
        writeln!(out, "no changes")?;
    }
    for line in changed.changes {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// With the name of what was said wrong in front, for whoever has written it as an option.
fn named(error: ClientError) -> anyhow::Error {
    match error {
        ClientError::Refused { message, field: Some(field), .. } => {
            let option = field.rsplit('.').next().unwrap_or_default().replace('_', "-");
            anyhow!("{option}: {message}")
        }
        other => other.into(),
    }
}
