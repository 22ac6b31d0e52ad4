//! What runs on the real servers: nginx, DNS, the virtual addresses and the end of the tunnels.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::host::Host;
use super::plan::{Family, Method, Plan};
use super::state::directory;
use super::{machine, this_program};

/// What `realserver start --tun` says when the kernel has no tunnel devices.
const NO_TUNNELS: i32 = 3;
const PATIENCE: Duration = Duration::from_secs(10);
const DNS_PORTS: [u16; 2] = [53, 5353];
const HTTP_PORTS: [u16; 2] = [80, 8080];

/// A program that was started, and the ports that show it is ready.
struct Server {
    child: Child,
    log: PathBuf,
    /// Table of sockets in /proc, and the port to be found there.
    ready: Vec<(&'static str, u16)>,
}

pub(super) fn start(plan: &Plan) -> Result<()> {
    let mut servers = Vec::new();
    for (_, name) in plan.real_servers() {
        let host = Host(plan.namespace(&name));
        let folder = directory(&plan.name).join(&name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        virtual_addresses(plan, &host, &folder)?;
        servers.push(nginx(&host, &name, &folder)?);
        for port in DNS_PORTS {
            servers.push(dns(&host, &name, port, &folder)?);
        }
    }
    let end = Instant::now() + PATIENCE;
    servers.into_iter().try_for_each(|server| server.wait(end))
}

fn virtual_addresses(plan: &Plan, host: &Host, folder: &Path) -> Result<()> {
    let script = crate::root().join("scripts/host/realserver");
    let direct = plan.methods.iter().filter(|method| **method != Method::Nat);
    let vips: Vec<String> = direct.flat_map(|method| Family::BOTH.map(|family| method.vip(family))).collect();
    if vips.is_empty() {
        return Ok(());
    }
    let tunnels = plan.methods.contains(&Method::Tun).then_some("--tun");
    let output = host.command(&script).arg("start").args(&vips).args(tunnels).output()?;
    match output.status.code() {
        Some(0) => Ok(()),
        Some(NO_TUNNELS) => {
            let log = folder.join("decap.log");
            // its name is for those who look for it with ps
            host.start(&this_program()?, &["lab", "--name", &plan.name, "decap"], &log)?;
            Ok(())
        }
        _ => bail!("{} failed: {}", script.display(), String::from_utf8_lossy(&output.stderr).trim()),
    }
}

fn nginx(host: &Host, name: &str, folder: &Path) -> Result<Server> {
    let (config, log) = (folder.join("nginx.conf"), folder.join("nginx.log"));
    fs::write(folder.join("1m"), vec![b'x'; 1 << 20])?;
    fs::write(&config, nginx_conf(name, folder))?;
    let program = machine::find("nginx").ok_or_else(|| anyhow!("nginx is missing"))?;
    let child = host.start(&program, &["-e", "stderr", "-c", &config.to_string_lossy()], &log)?;
    Ok(Server { child, log, ready: HTTP_PORTS.map(|port| ("tcp6", port)).to_vec() })
}

fn nginx_conf(name: &str, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "daemon off;
worker_processes 1;
user nobody nogroup;
pid {folder}/nginx.pid;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_max_body_size 8m;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type text/plain;
    server {{
        listen 80 backlog=4096;
        listen [::]:80 backlog=4096 ipv6only=on;
        listen 8080 backlog=4096;
        listen [::]:8080 backlog=4096 ipv6only=on;
        location / {{ return 200 \"{name}\\n\"; }}
        location /port {{ return 200 \"$server_port\\n\"; }}
        location /address {{ return 200 \"$remote_addr\\n\"; }}
        location = /1m {{ root {folder}; }}
        location = /upload {{ proxy_pass http://127.0.0.1:8080/received; }}
        location = /received {{ return 200 \"$http_content_length\\n\"; }}
    }}
}}
"
    )
}

fn dns(host: &Host, name: &str, port: u16, folder: &Path) -> Result<Server> {
    let log = folder.join(format!("dns-{port}.log"));
    let program = machine::find("dnsmasq").ok_or_else(|| anyhow!("dnsmasq is missing"))?;
    let config = folder.join(format!("dns-{port}.conf"));
    fs::write(&config, dns_conf(name, port))?;
    let config = format!("--conf-file={}", config.display());
    let child = host.start(&program, &["--keep-in-foreground", &config], &log)?;
    Ok(Server { child, log, ready: vec![("udp6", port)] })
}

fn dns_conf(name: &str, port: u16) -> String {
    format!(
        "port={port}
txt-record=who.lab,{name}
local=/lab/
# an option about interfaces, any, keeps it from answering local networks only
except-interface=none
pid-file=
log-facility=-
user=nobody
group=nogroup
no-hosts
no-resolv
cache-size=0
"
    )
}

impl Server {
    /// Until it listens; its process keeps running when this value is dropped.
    fn wait(mut self, end: Instant) -> Result<()> {
        let said = |log: &Path| fs::read_to_string(log).unwrap_or_default().trim().to_owned();
        loop {
            if self.ready.iter().all(|(table, port)| listens(self.child.id(), table, *port)) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("a server of the lab ended ({status}): {}", said(&self.log));
            }
            if Instant::now() >= end {
                bail!(
                    "a server of the lab does not listen after {PATIENCE:?}: {} says: {}",
                    self.log.display(),
                    said(&self.log)
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whether anything in the process's network namespace has this local port.
fn listens(pid: u32, table: &str, port: u16) -> bool {
    let suffix = format!(":{port:04X}");
    let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
    text.lines().filter_map(|line| line.split_whitespace().nth(1)).any(|local| local.ends_with(&suffix))
}
