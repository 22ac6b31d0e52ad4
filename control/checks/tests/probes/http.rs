//! HTTP and HTTPS, with nginx.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::crypto::aws_lc_rs;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use ulvs_checks::probe::{Connectors, Finding, Question};

use crate::servers::{Folder, Program, answering, free_port, tcp, wait_for};
use crate::{ask_question, passes, refused};

/// nginx with two names, plain and with TLS; its certificate is for www.lab.
fn nginx() -> Option<(Program, SocketAddr, SocketAddr)> {
    let (folder, plain, tls) = (Folder::new(), free_port(), free_port());
    let at = folder.0.display().to_string();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=www.lab", "-addext", "subjectAltName=DNS:www.lab"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &format!("{at}/key.pem"), "-out", &format!("{at}/certificate.pem")])
        .output();
    if !made.is_ok_and(|output| output.status.success()) {
        println!("skipped: no openssl");
        return None;
    }
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = kinds.map(|kind| format!("{kind}_temp_path {at}/{kind};\n")).concat();
    let listen = format!("listen {plain}; listen {tls} ssl;");
    let configuration = format!(
        "daemon off; worker_processes 1; pid {at}/pid; error_log {at}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
         ssl_certificate {at}/certificate.pem; ssl_certificate_key {at}/key.pem;\n\
         server {{ {listen} server_name other.lab; location / {{ return 200 \"other\"; }}\n\
         location /name {{ return 200 \"name=$ssl_server_name;\"; }} }}\n\
         server {{ {listen} server_name www.lab; location / {{ return 200 \"it is well\"; }}\n\
         location /name {{ return 200 \"name=$ssl_server_name;\"; }}\n\
         location /broken {{ return 503; }} location /moved {{ return 301 /; }} }}\n}}\n"
    );
    let file = folder.write("nginx.conf", &configuration);
    let mut command = Command::new("nginx");
    command.arg("-c").arg(&file).arg("-e").arg(folder.0.join("error.log"));
    let program = Program::start(folder, &mut command)?;
    wait_for(tls);
    Some((program, plain, tls))
}

#[test]
fn status_body_and_host_decide() {
    let Some((_nginx, plain, _)) = nginx() else { return };
    passes("type = \"http\"", plain);
    passes("type = \"http\"\nhost = \"www.lab\"\nbody = \"well\"", plain);
    refused("type = \"http\"\nhost = \"www.lab\"\nbody = \"ill\"", plain, "the body has no \"ill\" in it");
    refused("type = \"http\"\nbody = \"well\"", plain, "the body has no");
    refused("type = \"http\"\nhost = \"www.lab\"\npath = \"/broken\"", plain, "the status is 503");
    passes("type = \"http\"\nhost = \"www.lab\"\npath = \"/broken\"\nstatus = [\"500-599\"]", plain);
    passes("type = \"http\"\nhost = \"www.lab\"\npath = \"/moved\"", plain);
    refused("type = \"http\"\nhost = \"www.lab\"\npath = \"/moved\"\nstatus = [200]", plain, "the status is 301");
    refused("type = \"http\"", free_port(), "connection refused");
}

#[test]
fn a_certificate_is_looked_at_if_it_is_wanted() {
    let Some((nginx, plain, tls)) = nginx() else { return };
    let ca = format!("verify = true\nca = \"{}/certificate.pem\"", nginx.folder.0.display());
    passes("type = \"https\"\nhost = \"www.lab\"\nbody = \"well\"", tls);
    passes("type = \"https\"\nbody = \"other\"", tls);
    passes(&format!("type = \"https\"\nhost = \"www.lab:8443\"\nbody = \"well\"\n{ca}"), tls);
    refused("type = \"https\"\nhost = \"www.lab\"\nverify = true", tls, "TLS: invalid peer certificate");
    refused(&format!("type = \"https\"\nhost = \"other.lab\"\n{ca}"), tls, "not valid for name");
    refused("type = \"https\"", plain, "TLS: ");
}

#[test]
fn the_host_is_the_servers_name_in_tls_and_an_address_is_none() {
    let Some((_nginx, _, tls)) = nginx() else { return };
    let names = [("host = \"www.lab\"", "www.lab"), ("host = \"www.lab:8443\"", "www.lab"), ("", "")];
    let more = [("host = \"192.0.2.1\"", ""), ("host = \"[2001:db8::1]:443\"", "")];
    for (host, name) in names.into_iter().chain(more) {
        passes(&format!("type = \"https\"\npath = \"/name\"\nbody = \"name={name};\"\n{host}"), tls);
    }
}

#[test]
fn an_authority_that_cannot_be_read_is_told_before_anything_is_asked() {
    let check = crate::check("type = \"https\"\nhost = \"a\"\nverify = true\nca = \"/nonexistent/ca.pem\"");
    let error = Question::new(&check, &mut Connectors::default()).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/ca.pem can't be read"), "{error}");
}

#[test]
fn a_body_in_pieces_is_one_body() {
    let pieces = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwe \r\n4\r\nare \r\n4\r\nwell\r\n0\r\n\r\n";
    passes("type = \"http\"\nbody = \"are we\"", answering(pieces));
    refused("type = \"http\"\nbody = \"are ill\"", answering(pieces), "the body has no");
}

#[test]
fn a_body_has_the_sum_that_genhash_tells() {
    let Some((_nginx, plain, _)) = nginx() else { return };
    let (ip, port) = (plain.ip().to_string(), plain.port().to_string());
    let told = Command::new("genhash").args(["-s", &ip, "-p", &port, "-u", "/", "-V", "www.lab"]).output();
    let Ok(told) = told else {
        println!("skipped: no genhash");
        return;
    };
    let told = String::from_utf8(told.stdout).unwrap();
    let sum = told.split_whitespace().find(|word| word.len() == 32).unwrap_or_else(|| panic!("{told}")).to_owned();
    passes(&format!("type = \"http\"\nhost = \"www.lab\"\ndigest = \"{sum}\""), plain);
    passes(
        &format!("type = \"http\"\nhost = \"www.lab\"\nbody = \"well\"\ndigest = \"{}\"", sum.to_uppercase()),
        plain,
    );
    let other = format!("type = \"http\"\ndigest = \"{sum}\"");
    refused(&other, plain, "the body's MD5 sum is 795f3202b17cb6bc3d4b771d8c6c9eaf");
    refused(&format!("{other}\nbody = \"well\""), plain, "the body has no \"well\" in it");
}

/// Servers that want a secrecy that a probe does not need are asked once more, the first time.
#[test]
fn a_server_that_takes_the_hybrid_group_only_passes() {
    let made = rcgen::generate_simple_self_signed(["real.lab".to_owned()]).unwrap();
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
    let builder =
        ServerConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions().unwrap();
    let config =
        builder.with_no_client_auth().with_single_cert(vec![made.cert.into()], made.signing_key.into()).unwrap();
    let (config, count) = (Arc::new(config), Arc::new(AtomicUsize::new(0)));
    let connections = Arc::clone(&count);
    let address = tcp(move |stream| {
        connections.fetch_add(1, Ordering::Relaxed);
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream);
        if stream.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {
            let _is_gone = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell");
        }
    });
    let check = crate::check("type = \"https\"\nbody = \"well\"");
    let question = Question::new(&check, &mut Connectors::default()).unwrap();
    for connections in [2, 3, 4] {
        assert_eq!(ask_question(&question, address), Some(Ok(Finding::Passed)));
        assert_eq!(count.load(Ordering::Relaxed), connections);
    }
}
