//! Each kind of checker.

use std::net::{IpAddr, SocketAddr};

use super::keys::Keys;
use super::{Manner, Taken};
use crate::Imported;
use crate::keepalived::syntax::Statement;

/// What a checker says beside its manner.
struct Said<'a> {
    manner: Manner,
    port: Option<u64>,
    origin: Vec<(&'static str, String)>,
    mark: Option<u64>,
    /// What is of this kind of checker.
    own: Vec<&'a Statement>,
}

/// The keys of the checks that a checker is.
pub(super) fn read(
    said: &Statement,
    manner: &Manner,
    real_server: SocketAddr,
    imported: &mut Imported,
) -> Result<Vec<Keys>, String> {
    let common = common(said, manner, real_server, imported)?;
    let needs_port = !matches!(said.word(0), "PING_CHECK" | "MISC_CHECK");
    if needs_port && common.port.is_none() && real_server.port() == 0 {
        return Err("there is no port to ask: give it `connect_port`".to_owned());
    }
    match said.word(0) {
        "TCP_CHECK" => {
            common.nothing_else(imported);
            Ok(vec![common.keys("tcp", 1, Some(1000))])
        }
        "SMTP_CHECK" => Ok(vec![smtp(&common, imported)]),
        "PING_CHECK" => {
            common.nothing_else(imported);
            Ok(vec![common.keys("icmp", 1, Some(1000))])
        }
        "HTTP_GET" => http(&common, "http", imported),
        "SSL_GET" => http(&common, "https", imported),
        "DNS_CHECK" => Ok(vec![dns(&common, imported)]),
        "UDP_CHECK" => udp(&common, imported).map(|keys| vec![keys]),
        "MISC_CHECK" => misc(&common, imported).map(|keys| vec![keys]),
        "FILE_CHECK" => {
            Err("no check reads a file of this machine: one of type \"exec\" may run a program that does".to_owned())
        }
        "BFD_CHECK" => Err("the director does not speak BFD".to_owned()),
        _ => Err("there is no such check".to_owned()),
    }
}

fn common<'a>(
    said: &'a Statement,
    manner: &Manner,
    real_server: SocketAddr,
    imported: &mut Imported,
) -> Result<Said<'a>, String> {
    let mut found = Said { manner: manner.clone(), port: None, origin: Vec::new(), mark: None, own: Vec::new() };
    for inner in said.block.iter().flatten() {
        let value = inner.word(1);
        match found.manner.take(inner) {
            Taken::Yes => continue,
            Taken::Wrong(reason) => {
                imported.remark(inner.line, reason);
                continue;
            }
            Taken::No => {}
        }
        match inner.word(0) {
            "connect_ip" => {
                let asked: Option<IpAddr> = value.parse().ok();
                if asked != Some(real_server.ip()) {
                    return Err(format!("connect_ip {value}: a real server is asked at its own address"));
                }
            }
            "connect_port" => {
                let port = value.parse::<u16>().ok().filter(|port| *port > 0);
                found.port = Some(port.ok_or_else(|| format!("connect_port {value}: a port was expected"))?.into());
            }
            "bindto" => found.origin.push(("source", value.to_owned())),
            "bind_if" => found.origin.push(("interface", value.to_owned())),
            "fwmark" => match value.parse::<u32>() {
                Ok(mark @ 1..) => found.mark = Some(mark.into()),
                _ => return Err(format!("fwmark {value}: a number was expected")),
            },
            _ => found.own.push(inner),
        }
    }
    Ok(found)
}

impl Said<'_> {
    /// The keys that all kinds have; `retries` and `before_retry` are this kind's defaults.
    fn keys(&self, kind: &'static str, retries: u32, before_retry: Option<u64>) -> Keys {
        let mut keys = Keys::new(kind);
        self.manner.write(&mut keys, retries, before_retry);
        // A ping has no port, and a program is told the real server's.
        if let Some(port) = self.port.filter(|_| kind != "icmp") {
            keys.number("port", port);
        }
        self.origin.iter().for_each(|(key, value)| keys.text_of(key, value));
        if let Some(mark) = self.mark {
            keys.number("mark", mark);
        }
        keys
    }

    fn nothing_else(&self, imported: &mut Imported) {
        self.own.iter().for_each(|said| unknown(said, imported));
    }
}

fn unknown(said: &Statement, imported: &mut Imported) {
    imported.remark(
        said.line,
        format!("{}: left out, for the director's checks have nothing like it", said.words.join(" ")),
    );
}

/// One check for each URL: all of them have to pass.
fn http(common: &Said<'_>, kind: &'static str, imported: &mut Imported) -> Result<Vec<Keys>, String> {
    let mut urls = Vec::new();
    for said in &common.own {
        match said.word(0) {
            "url" => urls.push(*said),
            "http_protocol" | "fast_recovery" | "enable_sni" => {}
            _ => unknown(said, imported),
        }
    }
    if urls.is_empty() {
        return Err("it names no url".to_owned());
    }
    Ok(urls.into_iter().map(|url| self::url(common, kind, url, imported)).collect())
}

fn url(common: &Said<'_>, kind: &'static str, url: &Statement, imported: &mut Imported) -> Keys {
    let mut keys = common.keys(kind, 1, Some(3000));
    let (mut host, mut path) = (common.manner.virtualhost.as_deref(), "/");
    let mut status = vec!["200-299".to_owned()];
    for said in url.block.iter().flatten() {
        match said.word(0) {
            "path" => path = said.word(1),
            "virtualhost" => host = Some(said.word(1)),
            "status_code" => status = said.words.iter().skip(1).cloned().collect(),
            "regex" if is_plain(said.word(1)) => keys.text_of("body", said.word(1)),
            "digest" => keys.text_of("digest", said.word(1)),
            _ => unknown(said, imported),
        }
    }
    keys.text_of("path", path);
    if let Some(host) = host {
        keys.text_of("host", host);
    }
    keys.list("status", &status);
    keys
}

/// Whether a regular expression matches itself and nothing else.
fn is_plain(regex: &str) -> bool {
    !regex.is_empty() && regex.chars().all(|c| c.is_alphanumeric() || " _-:;,<>/=@%&'~".contains(c))
}

fn smtp(common: &Said<'_>, imported: &mut Imported) -> Keys {
    let mut keys = common.keys("smtp", 1, Some(1000));
    for said in &common.own {
        match said.word(0) {
            "helo_name" => keys.text_of("helo", said.word(1)),
            _ => unknown(said, imported),
        }
    }
    keys
}

fn dns(common: &Said<'_>, imported: &mut Imported) -> Keys {
    // Without a time of its own it is asked again after a whole interval.
    let mut keys = common.keys("dns", 3, None);
    let (mut name, mut record) = (".", "SOA");
    for said in &common.own {
        match said.word(0) {
            "name" => name = said.word(1),
            "type" => record = said.word(1),
            _ => unknown(said, imported),
        }
    }
    keys.text_of("name", name);
    keys.text_of("record", record);
    keys
}

fn udp(common: &Said<'_>, imported: &mut Imported) -> Result<Keys, String> {
    let mut keys = common.keys("udp", 1, Some(1000));
    let mut needs_reply = false;
    for said in &common.own {
        let text = said.words.iter().skip(1).cloned().collect::<Vec<_>>().join(" ");
        match said.word(0) {
            "payload" => keys.text_of("send", &hexadecimal(&text)?),
            "require_reply" => {
                needs_reply = true;
                if !text.is_empty() {
                    keys.text_of("expect", &hexadecimal(&text)?);
                }
            }
            _ => unknown(said, imported),
        }
    }
    if !needs_reply {
        return Err("without `require_reply` silence passes, which the director has no check for (PING_CHECK is one)"
            .to_owned());
    }
    Ok(keys)
}

/// `Ab12f 3`: pairs of digits, or what is left of them before a space.
fn hexadecimal(text: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    for group in text.split_whitespace() {
        for pair in group.as_bytes().chunks(2) {
            let pair = std::str::from_utf8(pair).ok();
            let byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
            bytes.push(byte.ok_or_else(|| format!("\"{group}\": hexadecimal digits were expected"))?);
        }
    }
    String::from_utf8(bytes).map_err(|_| format!("{text}: the director's checks send and expect text"))
}

fn misc(common: &Said<'_>, imported: &mut Imported) -> Result<Keys, String> {
    let mut keys = Keys::new("exec");
    let mut manner = common.manner.clone();
    let (mut command, mut is_dynamic) = (Vec::new(), false);
    // A program has an interval's time, unless it says otherwise.
    manner.connect_timeout = manner.delay_loop.or(Some(super::DELAY_LOOP));
    for said in &common.own {
        match said.word(0) {
            "misc_path" => command = split(&said.words.iter().skip(1).cloned().collect::<Vec<_>>().join(" "))?,
            "misc_timeout" => match super::millis(said.word(1)) {
                Some(time) => manner.connect_timeout = Some(time),
                None => imported.remark(said.line, format!("misc_timeout {}: a time was expected", said.word(1))),
            },
            "misc_dynamic" => is_dynamic = !matches!(said.word(1), "no" | "off" | "false"),
            "user" => {
                imported.remark(said.line, format!("{}: left out; programs run as ulvsd's user", said.words.join(" ")));
            }
            _ => unknown(said, imported),
        }
    }
    if command.is_empty() {
        return Err("it names no misc_path".to_owned());
    }
    manner.write(&mut keys, 0, Some(1000));
    keys.list("command", &command);
    if is_dynamic {
        keys.yes("dynamic");
    }
    Ok(keys)
}

/// A command line's words, with 'quotes', "quotes" and backslashes.
fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(characters.next()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(format!("{line}: a quote is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_split_as_a_shell_would() {
        assert_eq!(split(r#"/bin/x a 'b c' "d e"f g\ h """#).unwrap(), ["/bin/x", "a", "b c", "d ef", "g h", ""]);
        assert!(split("'a").is_err());
    }

    #[test]
    fn hexadecimal_strings_are_the_manuals() {
        assert_eq!(hexadecimal("4142 3 0a").unwrap(), "AB\u{3}\n");
        assert_eq!(hexadecimal("").unwrap(), "");
        for wrong in ["4x", "ff", "é"] {
            assert!(hexadecimal(wrong).is_err(), "{wrong}");
        }
    }
}
