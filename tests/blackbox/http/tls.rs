//! Tests of which certificates are trusted.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::Arc,
    thread,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned, crypto::ring::default_provider, pki_types::PrivateKeyDer,
};

use super::{Courier, granted};
use crate::harness::Home;

/// Starts a server whose certificate an unknown authority has signed for this name. Returns the authority in PEM format
/// and the server's port.
fn server(name: &str) -> (String, u16) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, stream.unwrap());
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecure");
            let _ = stream.flush();
        }
    });
    (authority.pem(), port)
}

#[test]
fn an_authority_counts_once_the_user_has_named_it() {
    let home = Home::new();
    let (pem, port) = server("localhost");
    let origin = format!("https://localhost:{port}");
    let courier = granted(&home, &[&origin]);
    let outcome = courier.get(&format!("{origin}/secret"));
    let reason = outcome["network"].as_str().unwrap();
    assert!(reason.starts_with(&format!("localhost:{port} cannot be reached: ")), "{reason}");
    assert!(
        reason.contains("add ca_file = \"/path/of/its/certificate.pem\" under [courier] in /"),
        "{reason}"
    );
    drop(courier);
    let file = home.path().join("authority.pem");
    std::fs::write(&file, pem).unwrap();
    let settings = format!("[courier]\nnetwork = [\"{origin}\"]\nca_file = {file:?}\n");
    let courier = Courier::start(&home, &settings);
    assert_eq!(courier.get(&origin)["answer"]["body"], "secure");
}

#[test]
fn a_certificate_is_good_for_its_own_name_only() {
    let home = Home::new();
    let (pem, port) = server("other.test");
    let origin = format!("https://localhost:{port}");
    let file = home.path().join("authority.pem");
    std::fs::write(&file, pem).unwrap();
    let settings = format!("[courier]\nnetwork = [\"{origin}\"]\nca_file = {file:?}\n");
    let outcome = Courier::start(&home, &settings).get(&origin);
    let reason = outcome["network"].as_str().unwrap_or_else(|| panic!("{outcome}"));
    assert!(reason.contains("certificate not valid for name"), "{reason}");
}
