//! TLS for checks: the server's certificate is looked at only if that was asked for.

mod anyone;
mod authorities;
mod remembered;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::hash::HashAlgorithm;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{AlertDescription, ClientConfig, NamedGroup, SupportedCipherSuite};
use tokio_rustls::TlsConnector;
use ulvs_config::Tls;

pub use authorities::TlsError;

use anyone::Anyone;
use authorities::Authorities;
use remembered::Remembered;

/// What checks need to speak TLS, made once for all that trust the same authorities: thousands of checks keep one list of them, and
/// one memory of the certificates that were found good.
#[derive(Debug, Default)]
pub struct Connectors(Vec<(Trusted, Weak<Configs>)>);

/// Whom a check takes for the real server.
#[derive(Debug, Eq, PartialEq)]
enum Trusted {
    Anyone,
    Known(Authorities),
}

/// One for most servers, and one for the rest.
#[derive(Debug)]
struct Configs {
    usual: Arc<ClientConfig>,
    hybrid: Arc<ClientConfig>,
}

impl Connectors {
    /// What this check connects with.
    pub(super) fn connector(&mut self, tls: &Tls) -> Result<Connector, TlsError> {
        let trusted = if tls.verify { Trusted::Known(Authorities::read(tls.ca.as_deref())?) } else { Trusted::Anyone };
        self.0.retain(|(_, configs)| configs.strong_count() > 0);
        let known = self.0.iter().find(|(known, _)| *known == trusted).and_then(|(_, configs)| configs.upgrade());
        let configs = if let Some(configs) = known {
            configs
        } else {
            let configs = Arc::new(Configs::new(&trusted)?);
            self.0.push((trusted, Arc::downgrade(&configs)));
            configs
        };
        Ok(Connector { configs, needs_hybrid: AtomicBool::new(false) })
    }
}

impl Configs {
    fn new(trusted: &Trusted) -> Result<Self, TlsError> {
        let (usual, hybrid) = (Arc::new(provider(false)), Arc::new(provider(true)));
        let verifier: Arc<dyn ServerCertVerifier> = match trusted {
            Trusted::Anyone => Arc::new(Anyone(Arc::clone(&usual))),
            Trusted::Known(authorities) => {
                let real = WebPkiServerVerifier::builder_with_provider(authorities.roots()?.into(), Arc::clone(&usual));
                Arc::new(Remembered::new(real.build()?))
            }
        };
        Ok(Self { usual: config(usual, &verifier)?, hybrid: config(hybrid, &verifier)? })
    }
}

/// Sessions are not resumed: a probe looks at the whole of the handshake, as a new client.
fn config(
    provider: Arc<CryptoProvider>,
    verifier: &Arc<dyn ServerCertVerifier>,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::clone(verifier));
    let mut config = builder.with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// All suites there are, those with SHA-256 first: most processors have instructions for it, and none for SHA-384, which takes a tenth
/// of a handshake's time.
///
/// X25519 is the group that is tried first. The hybrid with ML-KEM is for secrets that have to outlast quantum computers, which
/// a probe has none of, and servers that know it (OpenSSL from 3.5 on) would ask for it if it were offered, in a round trip more.
fn provider(with_hybrid: bool) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| match suite {
        SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider.algorithm() != HashAlgorithm::SHA256,
        SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider.algorithm() != HashAlgorithm::SHA256,
    });
    provider.kx_groups.retain(|group| with_hybrid || group.name() != NamedGroup::X25519MLKEM768);
    provider
}

/// Makes the TLS connections of one check.
#[derive(Debug)]
pub(super) struct Connector {
    configs: Arc<Configs>,
    /// The server takes the hybrid group only.
    needs_hybrid: AtomicBool,
}

impl Connector {
    /// What to connect with.
    pub(super) fn config(&self) -> TlsConnector {
        let is_hybrid = self.needs_hybrid.load(Ordering::Relaxed);
        let config = if is_hybrid { &self.configs.hybrid } else { &self.configs.usual };
        TlsConnector::from(Arc::clone(config))
    }

    /// Whether it is worth another attempt after this one has failed: the server has refused all that was offered, and there is
    /// more to offer. If that was refused as well, the next probe begins anew.
    pub(super) fn has_more_to_offer(&self, error: &io::Error) -> bool {
        let error = error.get_ref().and_then(|inner| inner.downcast_ref());
        matches!(error, Some(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure)))
            && !self.needs_hybrid.fetch_not(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks with the same authorities share what they verify by; what a file says now decides.
    #[test]
    fn who_trusts_the_same_has_the_same_connector() {
        let pem = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert.pem();
        let file = std::env::temp_dir().join(format!("ulvs-connectors-{}.pem", std::process::id()));
        std::fs::write(&file, pem("a")).unwrap();
        let mut connectors = Connectors::default();
        let mut made = |verify, ca: Option<&std::path::PathBuf>| {
            connectors.connector(&Tls { verify, ca: ca.cloned() }).unwrap().configs
        };
        let (anyone, public, of_file) = (made(false, None), made(true, None), made(true, Some(&file)));
        assert!(Arc::ptr_eq(&anyone, &made(false, None)) && Arc::ptr_eq(&public, &made(true, None)));
        assert!(Arc::ptr_eq(&of_file, &made(true, Some(&file))));
        assert!(!Arc::ptr_eq(&anyone, &public) && !Arc::ptr_eq(&public, &of_file));
        std::fs::write(&file, pem("b")).unwrap();
        assert!(!Arc::ptr_eq(&of_file, &made(true, Some(&file))));
        std::fs::remove_file(&file).unwrap();
        drop((anyone, public, of_file));
        made(false, None);
        assert_eq!(connectors.0.len(), 1, "what nobody uses any more is gone");
    }
}
