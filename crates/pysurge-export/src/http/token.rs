//! The secret that a page asks for where not only this machine can reach it.

use std::fmt::{self, Write};

/// The fewest characters that a token has: those of 64 random bits in hexadecimal digits.
const MIN_CHARS: usize = 16;

/// A secret of visible ASCII characters. It shows itself to nobody who does not ask for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nobody should be able to guess it.
    #[error("it has fewer than {MIN_CHARS} characters")]
    Short,
    /// It has to stand in a header.
    #[error("it holds something else than letters, digits and signs of ASCII")]
    NotVisible,
    /// The system has no random numbers.
    #[error("the system gave no random numbers")]
    NoRandom,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// A token that somebody chose.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::NotVisible);
        }
        if text.len() < MIN_CHARS {
            return Err(TokenError::Short);
        }
        Ok(Self(text.to_owned()))
    }

    /// A new one, of 128 random bits.
    pub fn random() -> Result<Self, TokenError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| TokenError::NoRandom)?;
        let mut text = String::new();
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// The secret itself, for the user who is to hand it on.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether this is it; takes as long for every text of its length.
    pub(crate) fn is(&self, text: &str) -> bool {
        let differs = self
            .0
            .bytes()
            .zip(text.bytes())
            .fold(0, |differs, (a, b)| differs | (a ^ b));
        std::hint::black_box(differs) == 0 && self.0.len() == text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_can_stand_in_a_header_and_not_be_guessed() {
        assert_eq!(Token::parse("short"), Err(TokenError::Short));
        assert_eq!(
            Token::parse("sixteen chars and spaces"),
            Err(TokenError::NotVisible)
        );
        assert_eq!(
            Token::parse("sixteen-chars-ü-and-more"),
            Err(TokenError::NotVisible)
        );
        let token = Token::parse("0123456789abcdef").unwrap();
        assert!(token.is("0123456789abcdef"));
        for wrong in ["", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeF"] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "Token(…)");
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert!(one != other && Token::parse(one.reveal()).is_ok());
    }
}
