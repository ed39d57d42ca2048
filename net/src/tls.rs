//! Certificates: whom to trust, and as whom to appear.

use tokio::net::TcpStream;

use crate::connect::Stream;
use crate::error::NetError;

/// What to trust, and as whom to appear.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM of the certificates to trust instead of the system's.
    pub roots: Option<String>,
    /// PEM of the client's certificate and its private key.
    pub identity: Option<(String, String)>,
    /// Whether any certificate is good (`skip_cert_verification`).
    pub trust_all: bool,
    /// Whether the certificate may be for another name than the server's (`sslmode=verify-ca`).
    pub any_name: bool,
}

/// Leaves out the key.
impl std::fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsOptions")
            .field("roots", &self.roots.is_some())
            .field("identity", &self.identity.is_some())
            .field("trust_all", &self.trust_all)
            .field("any_name", &self.any_name)
            .finish()
    }
}

#[cfg(feature = "tls")]
pub use with_tls::Tls;

#[cfg(not(feature = "tls"))]
pub use without_tls::Tls;

#[cfg(feature = "tls")]
mod with_tls {
    use std::sync::{Arc, OnceLock};

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::client::{WebPkiServerVerifier, verify_server_name};
    use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
    use rustls::server::ParsedCertificate;
    use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
    use tokio_rustls::TlsConnector;

    use super::{NetError, Stream, TcpStream, TlsOptions};

    /// The TLS side of a client. Certificates are read when the first connection needs them.
    #[derive(Clone, Debug, Default)]
    pub struct Tls {
        options: TlsOptions,
        config: Arc<OnceLock<Result<Arc<ClientConfig>, NetError>>>,
    }

    impl Tls {
        /// With options.
        pub fn new(options: TlsOptions) -> Tls {
            Tls { options, config: Arc::default() }
        }

        /// What rustls works with.
        pub fn config(&self) -> Result<Arc<ClientConfig>, NetError> {
            self.config.get_or_init(|| configure(&self.options).map(Arc::new)).clone()
        }

        pub(crate) async fn connect(&self, host: &str, stream: TcpStream) -> Result<Box<dyn Stream>, NetError> {
            let name = ServerName::try_from(host.to_owned()).map_err(|error| NetError::Tls(error.to_string()))?;
            let connector = TlsConnector::from(self.config()?);
            let stream = connector.connect(name, stream).await.map_err(|error| NetError::Tls(error.to_string()))?;
            Ok(Box::new(stream))
        }
    }

    fn configure(options: &TlsOptions) -> Result<ClientConfig, NetError> {
        let problem = |error: &dyn std::fmt::Display| NetError::Tls(error.to_string());
        let crypto = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(crypto.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| problem(&error))?;
        let builder = if options.trust_all {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustAll(crypto)))
        } else if options.roots.is_some() || options.any_name {
            let verifier = GivenRoots::new(options, crypto)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        } else {
            builder.with_root_certificates(roots(options)?)
        };
        let Some((certificate, key)) = &options.identity else { return Ok(builder.with_no_client_auth()) };
        let chain = certificates(certificate, "client certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| {
            NetError::Tls(format!("the private key of the client certificate is unreadable: {error}"))
        })?;
        builder.with_client_auth_cert(chain, key).map_err(|error| problem(&error))
    }

    fn roots(options: &TlsOptions) -> Result<RootCertStore, NetError> {
        let mut store = RootCertStore::empty();
        match &options.roots {
            Some(pem) => {
                for certificate in certificates(pem, "certificate authority")? {
                    store.add(certificate).map_err(|error| NetError::Tls(error.to_string()))?;
                }
            }
            None => {
                // What the system has of broken ones does not matter as long as there are others.
                let found = rustls_native_certs::load_native_certs();
                store.add_parsable_certificates(found.certs);
                if let (true, Some(error)) = (store.is_empty(), found.errors.first()) {
                    return Err(NetError::Tls(format!("no trusted certificates: {error}")));
                }
            }
        }
        Ok(store)
    }

    fn certificates(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, NetError> {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        match all {
            Ok(all) if !all.is_empty() => Ok(all),
            Ok(_) => Err(NetError::Tls(format!("there is no certificate in the PEM of the {what}"))),
            Err(error) => Err(NetError::Tls(format!("the PEM of the {what} is unreadable: {error}"))),
        }
    }

    /// Takes what the given certificates vouch for. A server's own certificate among them vouches for itself, as in Go's
    /// library, be it one that could issue others: so are those that people make for one server.
    #[derive(Debug)]
    struct GivenRoots {
        usual: Arc<WebPkiServerVerifier>,
        given: Vec<CertificateDer<'static>>,
        any_name: bool,
    }

    impl GivenRoots {
        fn new(options: &TlsOptions, crypto: Arc<CryptoProvider>) -> Result<GivenRoots, NetError> {
            let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(options)?), crypto).build();
            let usual = usual.map_err(|error| NetError::Tls(error.to_string()))?;
            let given = match &options.roots {
                Some(pem) => certificates(pem, "certificate authority")?,
                None => Vec::new(),
            };
            Ok(GivenRoots { usual, given, any_name: options.any_name })
        }

        /// Whether nothing is wrong with a certificate but that it is an authority's. Its time has been looked at before.
        fn is_given(&self, certificate: &CertificateDer<'_>, error: &CertificateError) -> bool {
            let is_authority =
                matches!(error, CertificateError::Other(cause) if cause.to_string().contains("CaUsedAsEndEntity"));
            is_authority && self.given.iter().any(|given| given.as_ref() == certificate.as_ref())
        }
    }

    impl ServerCertVerifier for GivenRoots {
        fn verify_server_cert(
            &self,
            certificate: &CertificateDer<'_>,
            chain: &[CertificateDer<'_>],
            name: &ServerName<'_>,
            ocsp: &[u8],
            now: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            let error = match self.usual.verify_server_cert(certificate, chain, name, ocsp, now) {
                Err(Error::InvalidCertificate(error)) => error,
                other => return other,
            };
            match &error {
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
                    if self.any_name => {}
                error if self.is_given(certificate, error) => {
                    if !self.any_name {
                        verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                    }
                }
                _ => return Err(Error::InvalidCertificate(error)),
            }
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.usual.verify_tls12_signature(message, certificate, signature)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.usual.verify_tls13_signature(message, certificate, signature)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.usual.supported_verify_schemes()
        }
    }

    /// Takes any certificate, as `skip_cert_verification` asks; signatures are still checked.
    #[derive(Debug)]
    struct TrustAll(Arc<CryptoProvider>);

    impl ServerCertVerifier for TrustAll {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}

#[cfg(not(feature = "tls"))]
mod without_tls {
    use super::{NetError, Stream, TcpStream, TlsOptions};

    /// The TLS side of a client that was built without any.
    #[derive(Clone, Debug, Default)]
    pub struct Tls;

    impl Tls {
        /// With options, which do not matter here.
        pub fn new(_: TlsOptions) -> Tls {
            Tls
        }

        pub(crate) async fn connect(&self, host: &str, _: TcpStream) -> Result<Box<dyn Stream>, NetError> {
            let reason = "this build of the program knows no https (feature `tls`)";
            Err(NetError::Tls(format!("cannot talk to {host}: {reason}")))
        }
    }
}
