//! Whose certificates are good ones.

use std::io;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Why a check can't speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of certificates.
    #[error("the certificates in {} can't be read ({reason}): `ca` has to name a file of certificates in PEM", .file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The library.
    #[error("TLS can't be used: {0}")]
    Library(#[from] rustls::Error),
    /// The library, which has no use for the authorities.
    #[error("TLS can't be used: {0}")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
}

/// The public ones, or those of a file as it was when it was read.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Authorities {
    Public,
    Of { file: PathBuf, pem: Vec<u8> },
}

impl Authorities {
    pub(super) fn read(file: Option<&Path>) -> Result<Self, TlsError> {
        let Some(file) = file else { return Ok(Self::Public) };
        let failed = |error: io::Error| TlsError::Authorities { file: file.to_owned(), reason: error.to_string() };
        Ok(Self::Of { file: file.to_owned(), pem: std::fs::read(file).map_err(failed)? })
    }

    /// What certificates are verified by.
    pub(super) fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut store = RootCertStore::empty();
        let Self::Of { file, pem } = self else {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            return Ok(store);
        };
        let failed = |reason: String| TlsError::Authorities { file: file.clone(), reason };
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| failed(error.to_string()))?;
            store.add(certificate).map_err(|error| failed(error.to_string()))?;
        }
        if store.is_empty() { Err(failed("there is none in it".to_owned())) } else { Ok(store) }
    }
}
