//! `ulvsctl conns`: the connection table, listed, searched and counted.

use std::io::Write;

use anyhow::Result;
use clap::{Args, ValueEnum};
use ulvs_api::{
    Client, Connection, ConnectionCount, ConnectionCountQuery, ConnectionFilter, ConnectionPage, ConnectionQuery,
    CountBy,
};

use crate::table::Align::{Left, Right};
use crate::table::Table;
use crate::units::timer;

type Connections = Table<7>;

/// The longest that a count of a full table may take.
const COUNTED_WITHIN: std::time::Duration = std::time::Duration::from_secs(120);

/// Which connections, and what of them.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only of clients in this prefix, as 192.0.2.0/24, or of this address.
    #[arg(long, value_name = "PREFIX")]
    client: Option<String>,
    /// Only to this virtual address, and port if one is given.
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    service: Option<String>,
    /// Only to this real server's address, and port if one is given.
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    real: Option<String>,
    /// Only in this state, as `SYN_RECV`.
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only of this protocol: tcp, udp, sctp; ip: templates of services by firewall mark.
    #[arg(long, visible_alias = "proto", value_name = "NAME")]
    protocol: Option<String>,
    /// Only tell how many there are.
    #[arg(long)]
    count: bool,
    /// Who has most of them; --limit says how many of those to show.
    #[arg(long, value_name = "OF", num_args = 0..=1, default_missing_value = "client", conflicts_with = "count")]
    top: Option<Of>,
    /// The most lines to show; 0: all. [default: 100; with --top: 20]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// What connections are counted by.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    Client,
    Service,
    Real,
    State,
}

impl Options {
    /// Prints what is asked for.
    pub(crate) fn run(&self, client: &Client, json: bool, out: &mut impl Write) -> Result<()> {
        match self.top {
            Some(of) => self.top(client, of, json, out),
            None if self.count => self.count(client, json, out),
            None => self.list(client, json, out),
        }
    }

    fn filter(&self) -> ConnectionFilter {
        ConnectionFilter {
            client: self.client.clone(),
            service: self.service.clone(),
            real: self.real.clone(),
            state: self.state.clone(),
            protocol: self.protocol.clone(),
        }
    }

    fn count(&self, client: &Client, json: bool, out: &mut impl Write) -> Result<()> {
        let query = ConnectionCountQuery { filter: self.filter(), ..ConnectionCountQuery::default() };
        let text = client.clone().with_timeout(COUNTED_WITHIN).get_text(&query.target())?;
        if json {
            writeln!(out, "{text}")?;
        } else {
            let count: ConnectionCount = client.read(&text)?;
            writeln!(out, "{}", count.connections)?;
        }
        Ok(())
    }

    fn top(&self, client: &Client, of: Of, json: bool, out: &mut impl Write) -> Result<()> {
        let by = match of {
            Of::Client => CountBy::Client,
            Of::Service => CountBy::Service,
            Of::Real => CountBy::Real,
            Of::State => CountBy::State,
        };
        let limit = self.limit.map(|limit| if limit == 0 { ConnectionCountQuery::MOST_GROUPS } else { limit });
        let query = ConnectionCountQuery { by: Some(by), limit, filter: self.filter() };
        let text = client.clone().with_timeout(COUNTED_WITHIN).get_text(&query.target())?;
        if json {
            writeln!(out, "{text}")?;
        } else {
            write_top(&client.read(&text)?, of, out)?;
        }
        Ok(())
    }

    /// Page by page: a full table has millions.
    fn list(&self, client: &Client, json: bool, out: &mut impl Write) -> Result<()> {
        const LIMIT: usize = 100;
        let mut table = table();
        let mut left = match self.limit.unwrap_or(LIMIT) {
            0 => usize::MAX,
            limit => limit,
        };
        let mut query = ConnectionQuery { filter: self.filter(), ..ConnectionQuery::default() };
        let mut has_head = false;
        loop {
            query.limit = Some(left.min(ConnectionQuery::PAGE));
            let text = client.get_text(&query.target())?;
            let page: ConnectionPage = client.read(&text)?;
            left = left.saturating_sub(page.connections.len());
            query.cursor = page.next_cursor;
            let is_last = query.cursor.is_none() || left == 0;
            if json {
                writeln!(out, "{text}")?;
            } else if !page.connections.is_empty() || is_last && !has_head {
                page.connections.iter().for_each(|connection| table.row(row(connection)));
                write!(out, "{table}")?;
                table.clear();
                has_head = true;
            }
            out.flush()?;
            if is_last {
                break;
            }
        }
        if query.cursor.is_some() && !json {
            writeln!(out, "there may be more: --limit 0 shows all")?;
        }
        Ok(())
    }
}

fn write_top(count: &ConnectionCount, of: Of, out: &mut impl Write) -> Result<()> {
    let title = match of {
        Of::Client => "CLIENT",
        Of::Service => "SERVICE",
        Of::Real => "REAL SERVER",
        Of::State => "STATE",
    };
    let mut table = Table::new([("CONNECTIONS", Right), ("SHARE", Right), (title, Left)]);
    for group in &count.groups {
        let permille = group.connections.saturating_mul(1000) / count.connections.max(1);
        let share = format!("{}.{} %", permille / 10, permille % 10);
        table.row([group.connections.to_string(), share, group.name.clone()]);
    }
    write!(out, "{table}")?;
    writeln!(out, "of {} in all", count.connections)?;
    if count.uncertainty > 0 {
        writeln!(out, "there are so many that each may have up to {} more than it says", count.uncertainty)?;
    }
    Ok(())
}

fn table() -> Connections {
    Table::new([
        ("PROT", Left),
        ("EXPIRES", Right),
        ("STATE", Left),
        ("CLIENT", Left),
        ("VIRTUAL", Left),
        ("REAL SERVER", Left),
        ("FORWARD", Left),
    ])
}

fn row(connection: &Connection) -> [String; 7] {
    [
        connection.protocol.to_uppercase(),
        timer(connection.expires_seconds),
        connection.state.to_string(),
        connection.client.to_string(),
        connection.service.to_string(),
        connection.real_server.to_string(),
        connection.method.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_read_as_ipvsadm_prints_them() {
        let web = Connection {
            protocol: "tcp".into(),
            state: "ESTABLISHED".into(),
            expires_seconds: 899,
            client: "198.51.100.7:51234".parse().unwrap(),
            service: "192.0.2.100:80".parse().unwrap(),
            real_server: "10.0.0.11:8080".parse().unwrap(),
            method: "nat".into(),
        };
        let dns = Connection {
            protocol: "udp".into(),
            state: "UDP".into(),
            expires_seconds: 299,
            client: "[2001:db8::7]:40000".parse().unwrap(),
            service: "[2001:db8::100]:53".parse().unwrap(),
            method: "tun".into(),
            ..web.clone()
        };
        let mut table = table();
        table.row(row(&web));
        table.row(row(&dns));
        let expected = "\
PROT  EXPIRES  STATE        CLIENT               VIRTUAL             REAL SERVER     FORWARD
TCP     14:59  ESTABLISHED  198.51.100.7:51234   192.0.2.100:80      10.0.0.11:8080  nat
UDP     04:59  UDP          [2001:db8::7]:40000  [2001:db8::100]:53  10.0.0.11:8080  tun
";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn who_has_most_has_a_share() {
        let group = |name: &str, connections| ulvs_api::ConnectionGroup { name: name.into(), connections };
        let groups = vec![group("192.0.2.7", 120), group("192.0.2.9", 3)];
        let count = ConnectionCount { connections: 1000, groups, uncertainty: 2 };
        let mut out = Vec::new();
        write_top(&count, Of::Client, &mut out).unwrap();
        let expected = "\
CONNECTIONS   SHARE  CLIENT
        120  12.0 %  192.0.2.7
          3   0.3 %  192.0.2.9
of 1000 in all
there are so many that each may have up to 2 more than it says
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
