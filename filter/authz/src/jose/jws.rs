//! The compact serialization of a signed token (RFC 7515, 7.1).

/// The longest token accepted, in bytes. Longer ones are refused unread.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The longest header accepted, encoded, in bytes.
pub const MAX_HEADER_BYTES: usize = 4 * 1024;

/// The three parts of a token, still encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The encoded header.
    pub header: &'a [u8],
    /// The encoded payload.
    pub payload: &'a [u8],
    /// The encoded signature.
    pub signature: &'a [u8],
    /// What is signed: header and payload with the dot between them.
    pub signing_input: &'a [u8],
}

/// The text does not have the form of a signed token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Longer than [`MAX_TOKEN_BYTES`], or with a header longer than [`MAX_HEADER_BYTES`].
    #[error("longer than the limit")]
    TooLong,
    /// Not exactly three parts, none of them empty. Encrypted tokens have five.
    #[error("not three parts")]
    Parts,
}

/// Cuts a token at its dots.
///
/// # Errors
/// [`FormError`].
pub fn split(token: &[u8]) -> Result<Parts<'_>, FormError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(FormError::TooLong);
    }
    let dot = |from: usize| {
        token[from..]
            .iter()
            .position(|byte| *byte == b'.')
            .map(|offset| from + offset)
            .ok_or(FormError::Parts)
    };
    let first = dot(0)?;
    let second = dot(first + 1)?;
    let parts = Parts {
        header: &token[..first],
        payload: &token[first + 1..second],
        signature: &token[second + 1..],
        signing_input: &token[..second],
    };
    if parts.header.is_empty() || parts.payload.is_empty() || parts.signature.is_empty() {
        return Err(FormError::Parts);
    }
    if parts.signature.contains(&b'.') {
        return Err(FormError::Parts);
    }
    if parts.header.len() > MAX_HEADER_BYTES {
        return Err(FormError::TooLong);
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_a_token_into_its_parts() {
        let parts = split(b"aa.bbb.c").expect("three parts");
        assert_eq!((parts.header, parts.payload, parts.signature), (&b"aa"[..], &b"bbb"[..], &b"c"[..]));
        assert_eq!(parts.signing_input, b"aa.bbb");
    }

    #[test]
    fn refuses_any_other_number_of_parts_and_empty_ones() {
        for token in ["", "a", "a.b", "a.b.", "a..c", ".b.c", "..", "a.b.c.", "a.b.c.d.e"] {
            assert_eq!(split(token.as_bytes()), Err(FormError::Parts), "{token}");
        }
    }

    #[test]
    fn refuses_tokens_beyond_the_bounds() {
        let token =
            |header: usize, payload: usize| format!("{}.{}.c", "a".repeat(header), "b".repeat(payload));
        assert!(split(token(MAX_HEADER_BYTES, 1).as_bytes()).is_ok());
        assert_eq!(split(token(MAX_HEADER_BYTES + 1, 1).as_bytes()), Err(FormError::TooLong));
        assert_eq!(split(token(1, MAX_TOKEN_BYTES).as_bytes()), Err(FormError::TooLong));
    }
}
