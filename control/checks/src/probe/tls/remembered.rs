//! Certificates that were found good, so that they need not be found good every few seconds.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

/// How long a chain is good at least once it was found so, in seconds; at most 255 more, so that not all are verified anew at once.
const KEPT: u64 = 120;
/// The most chains that are remembered, a hundred bytes each.
const MOST: usize = 16_384;

/// Verifies a chain of certificates and remembers for a few minutes that it is good; what the server signs with its key is verified
/// every time, for that proves that it has the key.
///
/// A verdict on a chain depends on the certificates, the name they have to be for, the authorities and the time, and on
/// nothing else, for no revocation lists are asked. So a chain is remembered by a SHA-256 of the first two (and of whatever came
/// along) in the memory of this verifier, which has the same authorities for ever, for a span of time at whose ends it was good both
/// times: no certificate ends within it. A clock that is set to before or after it is no harm. Only good chains are
/// remembered, so a server fills no memory with what it makes up.
#[derive(Debug)]
pub(super) struct Remembered {
    real: Arc<WebPkiServerVerifier>,
    good: Mutex<HashMap<Fingerprint, Range<UnixTime>>>,
    most: usize,
}

type Fingerprint = [u8; 32];

impl Remembered {
    /// Nothing is remembered yet.
    pub(super) fn new(real: Arc<WebPkiServerVerifier>) -> Self {
        Self { real, good: Mutex::default(), most: MOST }
    }

    fn is_good(&self, fingerprint: &Fingerprint, now: UnixTime) -> bool {
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        good.get(fingerprint).is_some_and(|span| span.contains(&now))
    }

    fn remember(&self, fingerprint: Fingerprint, span: Range<UnixTime>) {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of servers that are gone are among them. The rest is verified once more.
        if good.len() >= self.most && !good.contains_key(&fingerprint) {
            good.clear();
        }
        good.insert(fingerprint, span);
    }
}

/// Of all that a verdict depends on, with the length of each so that none can be taken for another.
fn fingerprint(name: &ServerName<'_>, others: &[&[u8]]) -> Option<Fingerprint> {
    let mut hash = TLS13_AES_128_GCM_SHA256.tls13()?.common.hash_provider.start();
    let name_is_address = matches!(name, ServerName::IpAddress(_));
    hash.update(&[u8::from(name_is_address)]);
    for part in [name.to_str().as_bytes()].iter().chain(others) {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finish().as_ref().try_into().ok()
}

impl ServerCertVerifier for Remembered {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let parts: Vec<&[u8]> = [ocsp, end_entity].into_iter().chain(intermediates.iter().map(|one| &**one)).collect();
        let Some(fingerprint) = fingerprint(name, &parts) else {
            return self.real.verify_server_cert(end_entity, intermediates, name, ocsp, now);
        };
        if self.is_good(&fingerprint, now) {
            return Ok(ServerCertVerified::assertion());
        }
        let verified = self.real.verify_server_cert(end_entity, intermediates, name, ocsp, now)?;
        let kept = Duration::from_secs(KEPT + u64::from(fingerprint[0]));
        let end = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + kept);
        if self.real.verify_server_cert(end_entity, intermediates, name, ocsp, end).is_ok() {
            self.remember(fingerprint, now..end);
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.real.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.real.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.real.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests;
