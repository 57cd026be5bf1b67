//! Base64url without padding (RFC 7515, 2), canonical only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The input is not the one canonical encoding of any bytes: a character outside the alphabet, padding, white
/// space, an impossible length, or bits set beyond the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not canonical base64url without padding")]
pub struct NotCanonical;

/// Decodes `text`. Two different texts never decode to the same bytes.
///
/// # Errors
/// [`NotCanonical`].
pub fn decode(text: &[u8]) -> Result<Vec<u8>, NotCanonical> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotCanonical)
}

/// Decodes `text` into `buffer` and gives the part that was filled.
///
/// # Errors
/// [`NotCanonical`], also where the decoded bytes would not fit into `buffer`.
pub fn decode_into<'b>(text: &[u8], buffer: &'b mut [u8]) -> Result<&'b [u8], NotCanonical> {
    let filled = URL_SAFE_NO_PAD.decode_slice(text, buffer).map_err(|_| NotCanonical)?;
    Ok(&buffer[..filled])
}

/// Encodes `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_the_vectors_of_rfc_4648_without_their_padding() {
        for (text, bytes) in [
            ("", ""),
            ("Zg", "f"),
            ("Zm8", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg", "foob"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Ok(bytes.as_bytes()));
            assert_eq!(encode(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn refuses_every_text_that_is_not_canonical() {
        for text in
            ["Zg==", "Zh", "Zm9=", "Zm 9v", "Zm9v\n", "Zm+v", "Zm/v", "Z", "Zm9vY", "Zm9\u{e9}", "Zm9v\0"]
        {
            assert_eq!(decode(text.as_bytes()), Err(NotCanonical), "{text:?}");
        }
    }

    #[test]
    fn no_two_texts_of_three_characters_decode_to_the_same_bytes() {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut seen = std::collections::HashSet::new();
        for a in alphabet {
            for b in alphabet {
                for c in alphabet {
                    if let Ok(bytes) = decode(&[*a, *b, *c]) {
                        assert!(seen.insert(bytes));
                    }
                }
            }
        }
        assert_eq!(seen.len(), 65_536, "each pair of bytes has exactly one encoding");
    }
}
