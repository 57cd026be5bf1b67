//! Public keys (RFC 7517, RFC 7518, RFC 8037), parsed once and ready to verify.

use aws_lc_rs::digest;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, VerificationAlgorithm};

use super::json::{Json, Members};
use super::{Algorithm, KeyType, base64url};

/// The smallest RSA modulus accepted, in bits (RFC 7518, 3.3).
pub const MIN_RSA_BITS: usize = 2048;

/// The largest RSA modulus accepted, in bits: the cost of a verification grows with its square.
pub const MAX_RSA_BITS: usize = 8192;

/// The longest `kid` accepted, in bytes. A key with a longer one is not used.
pub const MAX_KEY_ID_BYTES: usize = 256;

/// Members that only private or symmetric keys have. A set that publishes one is not to be trusted with it.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public key that may verify tokens.
#[derive(Debug)]
pub struct Jwk {
    key_id: Option<Box<str>>,
    key_type: KeyType,
    verifiers: Vec<Verifier>,
    fingerprint: Fingerprint,
}

/// SHA-256, cut to what rules out collisions by chance and by design.
pub type Fingerprint = [u8; 20];

#[derive(Debug)]
struct Verifier {
    algorithm: Algorithm,
    key: ParsedPublicKey,
    signature_bytes: usize,
}

/// Why a key is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// The entry of `keys` is no JSON object.
    #[error("not a JSON object")]
    NotAnObject,
    /// A member is missing, or is not what it must be.
    #[error("`{member}` must be {expected}")]
    Member {
        /// The member.
        member: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// `kty`, `crv` or `alg` names something that is not accepted.
    #[error("`{member}` is `{value}`, which is not supported")]
    Unsupported {
        /// The member.
        member: &'static str,
        /// Its value.
        value: String,
    },
    /// `alg` needs another kind of key.
    #[error("`alg` {0} does not go with this type of key")]
    AlgorithmMismatch(Algorithm),
    /// `use` or `key_ops` say that it does not verify signatures.
    #[error("`{0}` does not allow verifying signatures")]
    Purpose(&'static str),
    /// The set publishes private or symmetric key material.
    #[error("contains the private member `{0}`; a published key set must hold public keys only")]
    Private(&'static str),
    /// An RSA modulus out of bounds.
    #[error("RSA modulus of {0} bits; {MIN_RSA_BITS} to {MAX_RSA_BITS} are accepted")]
    RsaBits(usize),
    /// The numbers are no valid key, or one that verifies forged signatures.
    #[error("not a valid public key")]
    Invalid,
}

impl Jwk {
    /// Reads one member of a key set.
    ///
    /// # Errors
    /// [`JwkError`] if the key cannot or must not be used to verify tokens.
    pub fn parse(value: &Json<'_>) -> Result<Self, JwkError> {
        let members = value.as_object().ok_or(JwkError::NotAnObject)?;
        if let Some(private) = PRIVATE_MEMBERS.into_iter().find(|name| members.member(name).is_some()) {
            return Err(JwkError::Private(private));
        }
        check_purpose(members)?;
        let key_id = optional_string(members, "kid")?;
        if key_id.is_some_and(|key_id| key_id.is_empty() || key_id.len() > MAX_KEY_ID_BYTES) {
            return Err(JwkError::Member { member: "kid", expected: "1 to 256 bytes long" });
        }
        let material = Material::parse(members)?;
        let algorithms = algorithms(members, material.key_type())?;
        let verifiers: Vec<Verifier> =
            algorithms.into_iter().map(|algorithm| material.verifier(algorithm)).collect::<Result<_, _>>()?;
        let fingerprint = fingerprint(key_id, &verifiers, &material);
        Ok(Self { key_id: key_id.map(Box::from), key_type: material.key_type(), verifiers, fingerprint })
    }

    /// `kid`.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The kind of key.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// Whether the key may verify signatures of that algorithm.
    pub fn supports(&self, algorithm: Algorithm) -> bool {
        self.verifiers.iter().any(|verifier| verifier.algorithm == algorithm)
    }

    /// Identifies the key with all that decides which tokens it verifies: its `kid`, its algorithms, its numbers.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Whether `signature` is this key's signature over `message`. A signature of another length than the
    /// algorithm's (RFC 7518, 3.3 and 3.4; RFC 8032, 5.1.6) is none.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.verifiers.iter().find(|verifier| verifier.algorithm == algorithm).is_some_and(|verifier| {
            signature.len() == verifier.signature_bytes && verifier.key.verify_sig(message, signature).is_ok()
        })
    }
}

/// RFC 7517, 4.2 and 4.3: a key meant for something else must not verify.
fn check_purpose(members: &Members<'_>) -> Result<(), JwkError> {
    if optional_string(members, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(JwkError::Purpose("use"));
    }
    let Some(operations) = members.member("key_ops") else { return Ok(()) };
    let operations = match operations {
        Json::Array(_) => operations.as_strings(),
        Json::Null
        | Json::Bool(_)
        | Json::Integer(_)
        | Json::Float(_)
        | Json::String(_)
        | Json::Object(_) => None,
    };
    let operations =
        operations.ok_or(JwkError::Member { member: "key_ops", expected: "an array of strings" })?;
    if operations.contains(&"verify") { Ok(()) } else { Err(JwkError::Purpose("key_ops")) }
}

/// The algorithms a key may be used with: the one it names, else all of its type.
fn algorithms(members: &Members<'_>, key_type: KeyType) -> Result<Vec<Algorithm>, JwkError> {
    let Some(name) = optional_string(members, "alg")? else {
        return Ok(Algorithm::ALL.into_iter().filter(|algorithm| algorithm.key_type() == key_type).collect());
    };
    let algorithm = Algorithm::from_name(name)
        .ok_or_else(|| JwkError::Unsupported { member: "alg", value: name.to_owned() })?;
    if algorithm.key_type() != key_type {
        return Err(JwkError::AlgorithmMismatch(algorithm));
    }
    Ok(vec![algorithm])
}

/// The public numbers of a key.
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point on P-256 or P-384 (SEC 1, 2.3.3).
    Ec(KeyType, Vec<u8>),
    Ed25519([u8; 32]),
}

impl Material {
    fn parse(members: &Members<'_>) -> Result<Self, JwkError> {
        match required_string(members, "kty")? {
            "RSA" => Self::parse_rsa(members),
            "EC" => match required_string(members, "crv")? {
                "P-256" => Self::parse_ec(members, KeyType::P256, 32),
                "P-384" => Self::parse_ec(members, KeyType::P384, 48),
                other => Err(JwkError::Unsupported { member: "crv", value: other.to_owned() }),
            },
            "OKP" => match required_string(members, "crv")? {
                "Ed25519" => Self::parse_ed25519(members),
                other => Err(JwkError::Unsupported { member: "crv", value: other.to_owned() }),
            },
            other => Err(JwkError::Unsupported { member: "kty", value: other.to_owned() }),
        }
    }

    fn parse_rsa(members: &Members<'_>) -> Result<Self, JwkError> {
        let n = number(members, "n")?;
        let bits = n.len() * 8 - n[0].leading_zeros() as usize;
        if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
            return Err(JwkError::RsaBits(bits));
        }
        let e = number(members, "e")?;
        let exponent =
            e.iter().try_fold(0_u64, |sum, byte| sum.checked_mul(256)?.checked_add(u64::from(*byte)));
        // An exponent beyond 33 bits makes verification slow and is what aws-lc refuses, too.
        if !exponent.is_some_and(|e| (3..1 << 33).contains(&e) && e % 2 == 1) || n[n.len() - 1] % 2 == 0 {
            return Err(JwkError::Invalid);
        }
        Ok(Self::Rsa { n, e })
    }

    fn parse_ec(members: &Members<'_>, key_type: KeyType, bytes: usize) -> Result<Self, JwkError> {
        let mut point = vec![4];
        point.extend(field_element(members, "x", bytes)?);
        point.extend(field_element(members, "y", bytes)?);
        Ok(Self::Ec(key_type, point))
    }

    fn parse_ed25519(members: &Members<'_>) -> Result<Self, JwkError> {
        let x = field_element(members, "x", 32)?;
        let x = <[u8; 32]>::try_from(x).map_err(|_| JwkError::Invalid)?;
        if is_weak_ed25519(&x) {
            return Err(JwkError::Invalid);
        }
        Ok(Self::Ed25519(x))
    }

    fn key_type(&self) -> KeyType {
        match self {
            Self::Rsa { .. } => KeyType::Rsa,
            Self::Ec(key_type, _) => *key_type,
            Self::Ed25519(_) => KeyType::Ed25519,
        }
    }

    fn verifier(&self, algorithm: Algorithm) -> Result<Verifier, JwkError> {
        let (key, signature_bytes) = match self {
            Self::Rsa { n, e } => {
                let parameters = rsa_parameters(algorithm).ok_or(JwkError::AlgorithmMismatch(algorithm))?;
                (PublicKeyComponents { n, e }.to_parsed_public_key(parameters), n.len())
            }
            Self::Ec(_, point) => {
                let verification =
                    other_parameters(algorithm).ok_or(JwkError::AlgorithmMismatch(algorithm))?;
                (ParsedPublicKey::new(verification, point), point.len() - 1)
            }
            Self::Ed25519(x) => (ParsedPublicKey::new(&signature::ED25519, x), 64),
        };
        Ok(Verifier { algorithm, key: key.map_err(|_| JwkError::Invalid)?, signature_bytes })
    }

    /// The numbers, in an order fixed by the type.
    fn numbers(&self) -> [&[u8]; 2] {
        match self {
            Self::Rsa { n, e } => [n, e],
            Self::Ec(_, point) => [point, b""],
            Self::Ed25519(x) => [x, b""],
        }
    }
}

fn fingerprint(key_id: Option<&str>, verifiers: &[Verifier], material: &Material) -> Fingerprint {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut part = |bytes: &[u8]| {
        context.update(&(bytes.len() as u64).to_be_bytes());
        context.update(bytes);
    };
    part(&[u8::from(key_id.is_some())]);
    part(key_id.unwrap_or_default().as_bytes());
    material.numbers().into_iter().for_each(&mut part);
    verifiers.iter().for_each(|verifier| part(verifier.algorithm.name().as_bytes()));
    let mut fingerprint = Fingerprint::default();
    fingerprint.copy_from_slice(&context.finish().as_ref()[..20]);
    fingerprint
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => None,
    }
}

fn other_parameters(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::Es256 => Some(&signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::Es384 => Some(&signature::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDsa => Some(&signature::ED25519),
        Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512 => None,
    }
}

/// Whether an Ed25519 key is of small order, so that one signature fits many messages, or is not the canonical
/// encoding of its point (RFC 8032, 5.1.3). Everybody could sign for such a key.
fn is_weak_ed25519(key: &[u8; 32]) -> bool {
    const fn little(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut bytes = [middle; 32];
        bytes[0] = first;
        bytes[31] = last;
        bytes
    }
    // The y coordinates of the eight points of small order; the sign of x is masked off below.
    const SMALL_ORDER: [[u8; 32]; 5] = [
        little(0x00, 0x00, 0x00),
        little(0x01, 0x00, 0x00),
        little(0xec, 0xff, 0x7f),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let mut y = *key;
    y[31] &= 0x7f;
    let not_reduced = y[0] >= 0xed && y[1..31].iter().all(|byte| *byte == 0xff) && y[31] == 0x7f;
    not_reduced || SMALL_ORDER.contains(&y)
}

/// A positive number without leading zero bytes (RFC 7518, 2: Base64urlUInt).
fn number(members: &Members<'_>, member: &'static str) -> Result<Vec<u8>, JwkError> {
    let expected = "a positive number in base64url without leading zero bytes";
    let bytes = base64url::decode(required_string(members, member)?.as_bytes())
        .map_err(|_| JwkError::Member { member, expected })?;
    match bytes.first() {
        Some(first) if *first != 0 => Ok(bytes),
        Some(_) | None => Err(JwkError::Member { member, expected }),
    }
}

/// A coordinate of exactly that many bytes (RFC 7518, 6.2.1.2).
fn field_element(members: &Members<'_>, member: &'static str, bytes: usize) -> Result<Vec<u8>, JwkError> {
    let expected = "a coordinate in base64url, as long as its field";
    base64url::decode(required_string(members, member)?.as_bytes())
        .ok()
        .filter(|decoded| decoded.len() == bytes)
        .ok_or(JwkError::Member { member, expected })
}

fn optional_string<'m>(members: &'m Members<'_>, member: &'static str) -> Result<Option<&'m str>, JwkError> {
    match members.member(member) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(JwkError::Member { member, expected: "a string" }),
    }
}

fn required_string<'m>(members: &'m Members<'_>, member: &'static str) -> Result<&'m str, JwkError> {
    optional_string(members, member)?.ok_or(JwkError::Member { member, expected: "a string" })
}

#[cfg(test)]
mod tests;
