//! Keys, tokens and configurations for tests. Tokens are put together by hand, so that a test can make any bad
//! one.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use catalyst_authz::config::{FilterConfig, IssuerConfig, RouteConfig, Source};
use catalyst_authz::jose::Algorithm;
use catalyst_authz::{Decision, DenyReason, Engine, Request, Route, Timestamp};
use serde_json::{Value, json};

/// The time of all tests.
pub(crate) const NOW: u64 = 1_750_000_000;
/// The issuer of all tests.
pub(crate) const ISSUER: &str = "https://id.acme.example";
/// The organisation of [`ISSUER`].
pub(crate) const ORGANISATION: &str = "acme.example";
/// The audience of all tests.
pub(crate) const AUDIENCE: &str = "https://api.acme.example";
/// The service of all tests.
pub(crate) const SERVICE: &str = "books.acme.example";

/// [`NOW`] as a time.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix_seconds(NOW)
}

/// A private key of a test issuer.
pub(crate) struct Signer {
    pub(crate) key_id: &'static str,
    private: Private,
}

enum Private {
    Ec256(EcdsaKeyPair),
    Ec384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

static SIGNERS: LazyLock<[Signer; 3]> = LazyLock::new(|| {
    let ec = |algorithm| EcdsaKeyPair::generate(algorithm).expect("key");
    [
        Signer { key_id: "ec256", private: Private::Ec256(ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)) },
        Signer { key_id: "ec384", private: Private::Ec384(ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING)) },
        Signer { key_id: "ed", private: Private::Ed25519(Ed25519KeyPair::generate().expect("key")) },
    ]
});

/// Apart from the others, since it takes long to make.
static RSA: LazyLock<Signer> = LazyLock::new(|| Signer {
    key_id: "rsa",
    private: Private::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("key")),
});

/// The signer for tokens of that algorithm.
pub(crate) fn signer(algorithm: Algorithm) -> &'static Signer {
    SIGNERS.iter().find(|signer| signer.fits(algorithm)).unwrap_or_else(|| &RSA)
}

impl Signer {
    /// A key of its own, apart from the shared ones.
    pub(crate) fn generate_ec256(key_id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).expect("key");
        Self { key_id, private: Private::Ec256(pair) }
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        match self.private {
            Private::Ec256(_) => algorithm == Algorithm::Es256,
            Private::Ec384(_) => algorithm == Algorithm::Es384,
            Private::Ed25519(_) => algorithm == Algorithm::EdDsa,
            Private::Rsa(_) => algorithm.name().starts_with('R') || algorithm.name().starts_with('P'),
        }
    }

    /// The public key as a JWK with its `kid`, without `alg`.
    pub(crate) fn jwk(&self) -> Value {
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let ec = |pair: &EcdsaKeyPair, curve: &str| {
            let point = &pair.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            json!({ "kty": "EC", "crv": curve, "x": b64(x), "y": b64(y), "kid": self.key_id })
        };
        match &self.private {
            Private::Ec256(pair) => ec(pair, "P-256"),
            Private::Ec384(pair) => ec(pair, "P-384"),
            Private::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref()), "kid": self.key_id })
            }
            Private::Rsa(pair) => {
                let (n, e) = rsa_numbers(pair.public_key().as_ref());
                json!({ "kty": "RSA", "n": b64(n), "e": b64(e), "kid": self.key_id })
            }
        }
    }

    /// The signature over `message`.
    pub(crate) fn sign_bytes(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.private {
            Private::Ec256(pair) | Private::Ec384(pair) => {
                pair.sign(&random, message).expect("sign").as_ref().to_vec()
            }
            Private::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Private::Rsa(pair) => {
                let padding: &'static dyn signature::RsaEncoding = match algorithm {
                    Algorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
                    Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
                    Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
                    Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => panic!("no RSA algorithm"),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signature).expect("sign");
                signature
            }
        }
    }

    /// A token of exactly this header and payload.
    pub(crate) fn sign(&self, algorithm: Algorithm, header: &str, payload: &str) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.sign_bytes(algorithm, input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token of these claims with an ordinary header.
    pub(crate) fn token(&self, algorithm: Algorithm, claims: &Value) -> String {
        let header = json!({ "alg": algorithm.name(), "kid": self.key_id, "typ": "JWT" });
        self.sign(algorithm, &header.to_string(), &claims.to_string())
    }
}

/// Modulus and exponent out of an RSAPublicKey in DER (RFC 8017, A.1.1).
fn rsa_numbers(der: &[u8]) -> (&[u8], &[u8]) {
    fn element(der: &[u8]) -> (&[u8], &[u8]) {
        let (length, start) = match der[1] {
            short @ ..=0x7f => (usize::from(short), 2),
            0x81 => (usize::from(der[2]), 3),
            0x82 => (usize::from(der[2]) << 8 | usize::from(der[3]), 4),
            long => panic!("length of {long:#x}"),
        };
        der[start..].split_at(length)
    }
    let (sequence, _) = element(der);
    let (n, rest) = element(sequence);
    let (e, _) = element(rest);
    (n.strip_prefix(&[0]).unwrap_or(n), e.strip_prefix(&[0]).unwrap_or(e))
}

/// A key set of these signers.
pub(crate) fn jwks<'s>(signers: impl IntoIterator<Item = &'s Signer>) -> Source {
    let keys: Vec<Value> = signers.into_iter().map(Signer::jwk).collect();
    Source::Inline(json!({ "keys": keys }).to_string())
}

/// The claims of a good token.
pub(crate) fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "exp": NOW + 600, "iat": NOW - 10 })
}

/// The claims of a good token with members replaced or, by `null`, removed.
pub(crate) fn claims_with(changes: Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => drop(members.remove(name)),
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
    claims
}

/// A good ES256 token of these claims.
pub(crate) fn token(claims: &Value) -> String {
    signer(Algorithm::Es256).token(Algorithm::Es256, claims)
}

/// The issuer of all tests with all shared keys but the RSA one, allowed every algorithm.
pub(crate) fn issuer() -> IssuerConfig {
    let mut issuer = IssuerConfig::new(ISSUER, ORGANISATION);
    issuer.algorithms = Algorithm::ALL.into_iter().collect();
    issuer.jwks = Some(jwks(SIGNERS.iter()));
    issuer
}

/// A configuration with one issuer, the default policy, and a default route to [`SERVICE`].
pub(crate) fn config() -> FilterConfig {
    FilterConfig {
        audiences: vec![AUDIENCE.to_owned()],
        issuers: vec![issuer()],
        default_route: Some(RouteConfig::new(SERVICE)),
        ..FilterConfig::default()
    }
}

/// A configuration with that policy.
pub(crate) fn config_with_policy(policy: &str) -> FilterConfig {
    let mut config = config();
    config.policy.cedar = Source::Inline(policy.to_owned());
    config
}

/// An engine of that configuration.
pub(crate) fn engine(config: &FilterConfig) -> Engine {
    Engine::new(config).expect("a valid configuration")
}

/// A route of that configuration.
pub(crate) fn route(config: &RouteConfig) -> Route {
    Route::new(config).expect("a valid route")
}

/// An `Authorization` value for a token.
pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// Decides about a plain `GET /` with that token.
pub(crate) fn decide(engine: &Engine, token: &str) -> Decision {
    let authorization = bearer(token);
    engine.decide(&get(&[authorization.as_bytes()]), now())
}

/// A plain `GET /` with those credentials.
pub(crate) fn get<'a>(credentials: &'a [&'a [u8]]) -> Request<'a> {
    Request { credentials, method: b"GET", path: b"/", host: SERVICE.as_bytes(), ..Request::default() }
}

/// The reason of a denial, or `None` if the request may pass.
pub(crate) fn reason(decision: &Decision) -> Option<DenyReason> {
    match decision {
        Decision::Allow(_) => None,
        Decision::Deny(deny) => Some(deny.reason()),
    }
}
