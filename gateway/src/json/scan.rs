//! A strict JSON scanner (RFC 8259) over bytes that are known to be UTF-8.

use std::borrow::Cow;

/// Where an answer stopped being JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON at byte {at}: expected {expected}")]
pub(crate) struct SyntaxError {
    /// Offset in bytes.
    pub(crate) at: usize,
    pub(crate) expected: &'static str,
}

pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn error(&self, expected: &'static str) -> SyntaxError {
        SyntaxError { at: self.at, expected }
    }

    pub(super) fn text(&self, start: u32, len: u32) -> &'a [u8] {
        &self.bytes[start as usize..(start + len) as usize]
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte that is not space, which is not consumed.
    pub(super) fn peek(&mut self) -> Result<u8, SyntaxError> {
        self.skip_space();
        self.bytes.get(self.at).copied().ok_or(SyntaxError { at: self.at, expected: "a value" })
    }

    pub(super) fn open(&mut self, bracket: u8, expected: &'static str) -> Result<(), SyntaxError> {
        if self.peek()? != bracket {
            return Err(self.error(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// Whether another member of the open list or object follows; consumes the comma before it, or `close`.
    pub(super) fn next_member(&mut self, first: &mut bool, close: u8) -> Result<bool, SyntaxError> {
        let next = self.peek()?;
        if next == close {
            self.at += 1;
            return Ok(false);
        }
        if std::mem::take(first) {
            return Ok(true);
        }
        if next != b',' {
            return Err(self.error("a comma or the end of the list or object"));
        }
        self.at += 1;
        self.skip_space();
        Ok(true)
    }

    /// Consumes `text` if it stands here.
    pub(super) fn accept(&mut self, text: &[u8]) -> bool {
        let here = self.bytes[self.at..].starts_with(text);
        if here {
            self.at += text.len();
        }
        here
    }

    pub(super) fn colon(&mut self) -> Result<(), SyntaxError> {
        self.open(b':', "a colon")
    }

    /// A key and its colon; escapes are left as they are.
    pub(super) fn key(&mut self) -> Result<&'a [u8], SyntaxError> {
        let (start, len) = self.string()?;
        self.colon()?;
        Ok(self.text(start + 1, len - 2))
    }

    /// A key without its colon, its escapes resolved.
    pub(super) fn key_text(&mut self) -> Result<Cow<'a, [u8]>, SyntaxError> {
        let (start, len) = self.string()?;
        let quoted = self.text(start, len);
        if !quoted.contains(&b'\\') {
            return Ok(Cow::Borrowed(self.text(start + 1, len - 2)));
        }
        serde_json::from_slice::<String>(quoted)
            .map(|key| Cow::Owned(key.into_bytes()))
            .map_err(|_| SyntaxError { at: start as usize, expected: "a key" })
    }

    pub(super) fn end(&mut self) -> Result<(), SyntaxError> {
        self.skip_space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.error("the end")) }
    }

    /// Checks and passes over one value that nests at most `depth` deep; its place.
    pub(super) fn skip_value(&mut self, depth: usize) -> Result<(u32, u32), SyntaxError> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => {
                self.string()?;
            }
            b'{' | b'[' if depth == 0 => return Err(self.error("less nesting")),
            b'{' => {
                self.at += 1;
                let mut first = true;
                while self.next_member(&mut first, b'}')? {
                    self.key()?;
                    self.skip_value(depth - 1)?;
                }
            }
            b'[' => {
                self.at += 1;
                let mut first = true;
                while self.next_member(&mut first, b']')? {
                    self.skip_value(depth - 1)?;
                }
            }
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            b'-' | b'0'..=b'9' => self.number()?,
            _ => return Err(self.error("a value")),
        }
        Ok((start as u32, (self.at - start) as u32))
    }

    fn literal(&mut self, word: &'static [u8]) -> Result<(), SyntaxError> {
        if self.accept(word) { Ok(()) } else { Err(self.error("true, false or null")) }
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        self.accept(b"-");
        if !self.accept(b"0") {
            self.digits()?;
        }
        if self.accept(b".") {
            self.digits()?;
        }
        if self.accept(b"e") || self.accept(b"E") {
            if !self.accept(b"+") {
                self.accept(b"-");
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let from = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == from { Err(self.error("a digit")) } else { Ok(()) }
    }

    /// Passes over a string; its place with the quotes.
    fn string(&mut self) -> Result<(u32, u32), SyntaxError> {
        let start = self.at;
        if !self.accept(b"\"") {
            return Err(self.error("a string"));
        }
        loop {
            self.at += plain_prefix(&self.bytes[self.at..]);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok((start as u32, (self.at - start) as u32));
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.error("no control character in a string")),
                None => return Err(self.error("the end of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u')
                if self
                    .bytes
                    .get(self.at + 2..self.at + 6)
                    .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) =>
            {
                self.at += 6;
            }
            _ => return Err(self.error("an escape sequence")),
        }
        Ok(())
    }
}

/// How many bytes at the start are neither quote, backslash nor control character.
fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // The highest bit of a byte is set where that byte is zero; bits above the first such byte may be wrong,
    // which is why only the lowest is looked at.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("a chunk has eight bytes"));
        let quote = zeros(word ^ (ONES * u64::from(b'"')));
        let backslash = zeros(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let special = quote | backslash | control;
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    bytes[at..].iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).map_or(bytes.len(), |n| at + n)
}
