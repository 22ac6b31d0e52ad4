use std::net::Ipv4Addr;

use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;

use super::*;

/// When the certificates of servers begin and end: 2030-01-01 and 2031-01-01.
const BEGIN: u64 = 1_893_456_000;
const END: u64 = 1_924_992_000;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Issuer {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server's certificate, and that of who issued it.
fn chain(authority: &Issuer, names: &[&str]) -> [CertificateDer<'static>; 2] {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let intermediate = CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), authority).unwrap();
    let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2030, 1, 1), date_time_ymd(2031, 1, 1));
    let certificate = params.signed_by(&KeyPair::generate().unwrap(), &intermediate).unwrap();
    [certificate.der().clone(), intermediate.der().clone()]
}

fn real(authority: &Issuer) -> Arc<WebPkiServerVerifier> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().unwrap()
}

fn is_taken(
    by: &impl ServerCertVerifier,
    [server, intermediate]: &[CertificateDer<'_>; 2],
    name: &str,
    at: u64,
) -> bool {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at));
    by.verify_server_cert(server, std::slice::from_ref(intermediate), &name, &[], at).is_ok()
}

fn count(of: &Remembered) -> usize {
    of.good.lock().unwrap().len()
}

#[test]
fn a_chain_is_remembered_for_its_own_name_and_authorities_only() {
    let (ours, theirs) = (authority(), authority());
    let verifier = Remembered::new(real(&ours));
    let (good, forged) = (chain(&ours, &["www.lab"]), chain(&theirs, &["www.lab"]));
    for _ in 0..3 {
        assert!(is_taken(&verifier, &good, "www.lab", BEGIN));
        assert_eq!(count(&verifier), 1);
        assert!(!is_taken(&verifier, &good, "other.lab", BEGIN), "another name");
        assert!(!is_taken(&verifier, &good, "192.0.2.1", BEGIN), "another name");
        assert!(!is_taken(&verifier, &forged, "www.lab", BEGIN), "other authorities");
        assert!(!is_taken(&verifier, &[good[0].clone(), forged[1].clone()], "www.lab", BEGIN), "parts of two");
        assert!(
            !is_taken(&Remembered::new(real(&theirs)), &good, "www.lab", BEGIN),
            "a verifier with other authorities"
        );
        let mut changed = good[0].to_vec();
        *changed.last_mut().unwrap() ^= 1;
        assert!(!is_taken(&verifier, &[changed.into(), good[1].clone()], "www.lab", BEGIN), "another signature");
    }
    assert_eq!(count(&verifier), 1, "nothing that was refused is remembered");
}

/// What is remembered is not verified: a chain that could not be good is taken if it is put there, and for its time only.
#[test]
fn it_is_the_memory_that_answers() {
    let verifier = Remembered::new(real(&authority()));
    let forged = chain(&authority(), &["www.lab"]);
    let name = ServerName::try_from("www.lab").unwrap();
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let fingerprint = fingerprint(&name, &[&[], &forged[0], &forged[1]]).unwrap();
    verifier.remember(fingerprint, at(BEGIN)..at(BEGIN + 100));
    let taken = [BEGIN - 1, BEGIN, BEGIN + 99, BEGIN + 100].map(|now| is_taken(&verifier, &forged, "www.lab", now));
    assert_eq!(taken, [false, true, true, false]);
}

#[test]
fn a_chain_that_ends_soon_is_verified_every_time() {
    let ours = authority();
    let verifier = Remembered::new(real(&ours));
    let good = chain(&ours, &["www.lab"]);
    assert!(is_taken(&verifier, &good, "www.lab", END - 60));
    assert_eq!(count(&verifier), 0);
    assert!(!is_taken(&verifier, &good, "www.lab", END + 1));
    assert!(is_taken(&verifier, &good, "www.lab", END - 1000));
    assert_eq!(count(&verifier), 1);
    assert!(!is_taken(&verifier, &good, "www.lab", END + 1));
}

#[test]
fn no_more_than_so_many_are_remembered() {
    let ours = authority();
    let verifier = Remembered { most: 4, ..Remembered::new(real(&ours)) };
    let good = chain(&ours, &["*.real.lab"]);
    for number in 0..30 {
        assert!(is_taken(&verifier, &good, &format!("a{number}.real.lab"), BEGIN));
        assert!((1..=4).contains(&count(&verifier)));
    }
}

/// A name and an address are not the same, nor are parts that only together are.
#[test]
fn fingerprints_differ_where_anything_does() {
    let name = ServerName::try_from("a.lab").unwrap();
    let address = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    let kinds = [
        fingerprint(&name, &[b"", b"ab", b"c"]),
        fingerprint(&name, &[b"", b"a", b"bc"]),
        fingerprint(&name, &[b"a", b"b", b"c"]),
        fingerprint(&name, &[b"", b"abc"]),
        fingerprint(&address, &[b"", b"ab", b"c"]),
    ];
    for (at, one) in kinds.iter().enumerate() {
        assert!(one.is_some() && !kinds[at + 1..].contains(one));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the clock does, the verdict is what it would be without a memory.
    #[test]
    fn remembering_makes_no_difference(
        times in prop::collection::vec((prop::sample::select(vec![BEGIN, END]), -700_i64..700), 1..24),
    ) {
        let ours = authority();
        let (real, good) = (real(&ours), chain(&ours, &["www.lab"]));
        let verifier = Remembered::new(Arc::clone(&real));
        for (near, offset) in times {
            let at = near.saturating_add_signed(offset);
            prop_assert_eq!(is_taken(&verifier, &good, "www.lab", at), is_taken(&*real, &good, "www.lab", at));
        }
    }
}
