use std::io::Write;

use anyhow::Result;
use ulvs_api::{Client, Connection, ConnectionPage, ConnectionQuery};

use crate::table::Align::{Left, Right};
use crate::table::Table;
use crate::units::timer;

type Connections = Table<7>;

/// Prints at most `limit` connections (0: all), page by page: a full table has millions.
pub(crate) fn walk(client: &Client, limit: usize, json: bool, out: &mut impl Write) -> Result<()> {
    let mut table = table();
    let mut left = if limit == 0 { usize::MAX } else { limit };
    let mut cursor = None;
    loop {
        let query = ConnectionQuery { limit: Some(left.min(ConnectionQuery::PAGE)), cursor };
        let text = client.get_text(&query.target())?;
        let page: ConnectionPage = client.read(&text)?;
        left = left.saturating_sub(page.connections.len());
        if json {
            writeln!(out, "{text}")?;
        } else {
            page.connections.iter().for_each(|connection| table.row(row(connection)));
            write!(out, "{table}")?;
            table.clear();
        }
        out.flush()?;
        cursor = page.next_cursor;
        if cursor.is_none() || left == 0 {
            break;
        }
    }
    if cursor.is_some() && !json {
        writeln!(out, "there may be more: --limit 0 shows all")?;
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
}
