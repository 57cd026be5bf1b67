//! A token issuer for development: one ES256 key, its JWKS, and the tokens it signs.
//!
//! The directory holds `key.pem` (PKCS #8, readable by its owner only) and `jwks.json` (RFC 7517), which a node's
//! configuration names. The key is made once and kept, so that a node does not have to be told of a new one.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    error::Unspecified,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};
use serde_json::{Map, Value, json};

/// What went wrong with the issuer's key or a token.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// A file of the issuer's directory cannot be read or written.
    #[error("{path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// `key.pem` is not an ES256 key.
    #[error("{path} is not a PKCS #8 PEM of a P-256 key; remove it and a new one is made")]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        source: jsonwebtoken::errors::Error,
    },
    /// The cryptographic library refused to make a key.
    #[error("no key could be generated")]
    Generate(#[from] Unspecified),
    /// The token could not be signed.
    #[error("the token could not be signed: {0}")]
    Sign(#[from] jsonwebtoken::errors::Error),
    /// The clock shows a time before 1970.
    #[error("the system clock is before 1970")]
    Clock,
}

/// The key, and the identifier under which `jwks.json` lists it.
pub struct Issuer {
    key: EncodingKey,
    kid: String,
    jwks: PathBuf,
}

/// The claims of a token.
#[derive(Debug, Clone)]
pub struct Token {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `aud`; left out when empty.
    pub audience: Vec<String>,
    /// Seconds from now to `exp`; negative for a token that has expired.
    pub expires_in: i64,
    /// Further claims; one of them may replace any of the above.
    pub claims: Map<String, Value>,
}

impl Issuer {
    /// Takes the key from `dir`, or makes `dir` and the key. `jwks.json` is written each time.
    ///
    /// # Errors
    /// A file cannot be read or written, or `key.pem` holds something else.
    pub fn open(dir: &Path) -> Result<Self, IssuerError> {
        let file = |path: &Path| {
            let path = path.to_owned();
            move |source| IssuerError::File { path, source }
        };
        fs::create_dir_all(dir).map_err(file(dir))?;
        let path = dir.join("key.pem");
        let pem = match fs::read(&path) {
            Ok(pem) => pem,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let pem = generate()?;
                write_private(&path, &pem).map_err(file(&path))?;
                pem
            }
            Err(error) => return Err(file(&path)(error)),
        };
        let (key, jwk) = parse(&pem).map_err(|source| IssuerError::Key { path, source })?;
        let kid = jwk.common.key_id.clone().expect("`parse` names the key");
        let jwks = dir.join("jwks.json");
        let set = serde_json::to_string_pretty(&JwkSet { keys: vec![jwk] }).expect("a JWKS is JSON");
        fs::write(&jwks, set + "\n").map_err(file(&jwks))?;
        Ok(Self { key, kid, jwks })
    }

    /// The file with the public key, for `--jwks` of a node.
    #[must_use]
    pub fn jwks(&self) -> &Path {
        &self.jwks
    }

    /// Signs a token, as of `now`.
    ///
    /// # Errors
    /// The clock is before 1970, or the library refuses to sign.
    pub fn sign(&self, token: &Token, now: SystemTime) -> Result<String, IssuerError> {
        sign(&self.key, &self.kid, token, now)
    }

    /// Signs with a key made for this one token, under the identifier of the real one: a forgery.
    ///
    /// # Errors
    /// As [`Issuer::sign`], or no key could be made.
    pub fn forge(&self, token: &Token, now: SystemTime) -> Result<String, IssuerError> {
        let (stranger, _) = parse(&generate()?)?;
        sign(&stranger, &self.kid, token, now)
    }
}

fn sign(key: &EncodingKey, kid: &str, token: &Token, now: SystemTime) -> Result<String, IssuerError> {
    let now =
        now.duration_since(UNIX_EPOCH).as_ref().map(Duration::as_secs).map_err(|_| IssuerError::Clock)?;
    let exp = now.checked_add_signed(token.expires_in).ok_or(IssuerError::Clock)?;
    // A token that is to have expired was issued before that.
    let iat = now.min(exp.saturating_sub(1));
    let mut claims = json!({"iss": token.issuer, "sub": token.subject, "iat": iat, "exp": exp});
    match token.audience.as_slice() {
        [] => {}
        [one] => claims["aud"] = json!(one),
        several => claims["aud"] = json!(several),
    }
    for (name, value) in &token.claims {
        claims[name] = value.clone();
    }
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::ES256) };
    Ok(jsonwebtoken::encode(&header, &claims, key)?)
}

fn generate() -> Result<Vec<u8>, Unspecified> {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?;
    let base64 = STANDARD.encode(pkcs8.as_ref());
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for line in base64.as_bytes().chunks(64) {
        pem.extend(line.iter().copied().map(char::from));
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    Ok(pem.into_bytes())
}

fn parse(pem: &[u8]) -> Result<(EncodingKey, Jwk), jsonwebtoken::errors::Error> {
    let key = EncodingKey::from_ec_pem(pem)?;
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256)?;
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256)?);
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    Ok((key, jwk))
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(content)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use jsonwebtoken::{DecodingKey, Validation, errors::ErrorKind};

    use super::*;

    fn token() -> Token {
        Token {
            issuer: "https://issuer.example".to_owned(),
            subject: "alice".to_owned(),
            audience: vec!["acme.example".to_owned()],
            expires_in: 60,
            claims: Map::new(),
        }
    }

    /// Verifies as a stranger would: with nothing but `jwks.json`.
    fn verify(issuer: &Issuer, token: &str) -> Result<Value, ErrorKind> {
        let set: JwkSet = serde_json::from_slice(&fs::read(issuer.jwks()).expect("written")).expect("a JWKS");
        let kid = jsonwebtoken::decode_header(token).expect("a header").kid.expect("a kid");
        let key = DecodingKey::from_jwk(set.find(&kid).expect("listed")).expect("usable");
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&["acme.example"]);
        jsonwebtoken::decode::<Value>(token, &key, &validation)
            .map(|decoded| decoded.claims)
            .map_err(|error| error.kind().clone())
    }

    #[test]
    fn a_token_verifies_against_the_published_key() {
        let dir = tempfile::tempdir().expect("a directory");
        let issuer = Issuer::open(dir.path()).expect("opened");
        let token = Token { claims: Map::from_iter([("role".to_owned(), json!("editor"))]), ..token() };
        let claims =
            verify(&issuer, &issuer.sign(&token, SystemTime::now()).expect("signed")).expect("valid");
        assert_eq!(claims["sub"], "alice");
        assert_eq!(claims["role"], "editor");
    }

    #[test]
    fn an_expired_and_a_forged_token_do_not_verify() {
        let dir = tempfile::tempdir().expect("a directory");
        let issuer = Issuer::open(dir.path()).expect("opened");
        let now = SystemTime::now();
        let expired = issuer.sign(&Token { expires_in: -3600, ..token() }, now).expect("signed");
        assert_eq!(verify(&issuer, &expired), Err(ErrorKind::ExpiredSignature));
        let forged = issuer.forge(&token(), now).expect("signed");
        assert_eq!(verify(&issuer, &forged), Err(ErrorKind::InvalidSignature));
    }

    #[test]
    fn the_key_is_kept_and_readable_by_its_owner_only() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = Issuer::open(dir.path()).expect("opened");
        let again = Issuer::open(dir.path()).expect("opened");
        assert_eq!(first.kid, again.kid);
        let mode = fs::metadata(dir.path().join("key.pem")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_holds_no_key_is_named_and_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("key.pem");
        fs::write(&path, "not a key").expect("written");
        let error = Issuer::open(dir.path()).err().expect("refused").to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert_eq!(fs::read(&path).expect("there"), b"not a key");
    }
}
